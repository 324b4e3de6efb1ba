"""Steer z: add a direction to it over a stretch, see what that does to x, and hear it."""

from collections import Counter
from functools import partial

import numpy as np
import streamlit as st

from srnn_lab.analysis.interventions import Decoded, decode_path
from srnn_lab.analysis.steering import along_dimension, steer, towards
from srnn_lab.dashboard.address import frames_inside, parse_place, share
from srnn_lab.dashboard.cache import Choice, cache_data, cached_inspection
from srnn_lab.dashboard.choice import choose_other
from srnn_lab.dashboard.linked import choose_linked
from srnn_lab.dashboard.panels.classes import SILENCE, UNLABELLED, bass_notes, phones_at
from srnn_lab.dashboard.panels.clip_set import (
    cached_summary,
    clips_of_set,
    labels_of,
    summarise_all,
)
from srnn_lab.dashboard.panels.keep import keep, stem_of
from srnn_lab.dashboard.panels.rows_panel import RowsPanel
from srnn_lab.dashboard.panels.sounds import ORIGINAL, Wanted, clip_sound, signal_of, sound_of
from srnn_lab.dashboard.panels.stretch import EDGE, choose_stretch, framed_length
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.visit import visit
from srnn_lab.dashboard.words import WORDS, explain, number
from srnn_lab.data.phones import phone_kind
from srnn_lab.pictures.side_by_side import steering_rows

PLAYER = "steer-player"
DIMENSION, SELECTIONS, PHONE, BASS, MORPH = (
    "one dimension",
    "two selections",
    "phone",
    "bass note",
    "another clip",
)
ENOUGH = 10
"""Frames that a phone or a bass note has at least, for its mean to be offered."""
APART = (SILENCE, UNLABELLED)
"""What is no note, and no phone."""
ENDS = {"A": "steer-from", "B": "steer-to"}
"""The two selections, and what the address calls them."""

Direction = np.ndarray | tuple[ClipBytes, str]
"""A direction in z, or the content and the name of the clip towards which z is moved."""


@cache_data(max_entries=8, show_spinner="Steering z …")
def cached_steered(
    choice: tuple[str, float, ClipBytes, str, int],
    direction: Direction,
    alpha: float,
    stretch: tuple[float, float],
    growing: bool,
) -> Decoded:
    """A clip along its posterior means of z, moved in a stretch."""
    chosen = Choice(*choice)
    clip = cached_inspection(*choice)
    if isinstance(direction, tuple):
        direction = towards(clip.mu_q, cached_summary(*choice[:2], *direction, choice[4]).z)
    inside = (clip.times >= stretch[0]) & (clip.times < stretch[1])
    return decode_path(
        chosen.checkpoint,
        chosen.signal,
        steer(clip.mu_q, direction, alpha, inside, growing=growing),
    )


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "Add α times a direction to the posterior means of z over a stretch, and see and hear "
        "what the decoder makes of it. The clip's own past stays in d; where d depends on z "
        "(VRNN, STORN), d is recomputed."
    )
    model = choice.checkpoint.model
    if not (model.z_dim and model.reparameterised):
        st.info(
            "This model has no z, or one of zeros and ones, which cannot be moved. Choose another "
            "checkpoint."
        )
        return
    clip = cached_inspection(*choice)
    panel = RowsPanel(PLAYER, choice, framed_length(choice))
    direction = choose_direction(panel)
    left, right = st.columns([3, 2], vertical_alignment="center")
    ends, key = ((0.0, 1.0), "morph") if isinstance(direction, tuple) else ((-3.0, 3.0), "alpha")
    alpha = left.slider("α", *ends, 1.0, 0.05, key=key, bind="query-params")
    growing = right.toggle("Let α grow from 0 over the stretch", key="growing", bind="query-params")
    start, stop = stretch = choose_stretch(
        st.container(), panel, "steered", "Steer z", "z stays as it is"
    )
    inside = (clip.times >= start) & (clip.times < stop)
    if not inside.any():
        st.info("This range contains no frame; make it longer.")
        return
    before, after = (
        cached_steered(choice[:], direction, a, stretch, growing) for a in (0.0, alpha)
    )
    show_effect(before, after, inside)
    draw_rows(panel, before, after, stretch, (direction, alpha, stretch, growing))
    arrays = {
        f"{kind}_{name}": getattr(one, kind)
        for name, one in (("before", before), ("after", after))
        for kind in ("z", "mean", "logvar", "log_px")
    }
    files = panel.files(f"{choice.name}: z steered", arrays | {"times": clip.times})
    keep(f"{stem_of(choice)}, z steered", files)
    panel.make_missing_sounds()


def choose_direction(panel: RowsPanel) -> Direction:
    """Ask for the direction.

    Returns:
        The direction, of two selections that are not both made zeros, or the clip towards whose
        path z is moved.
    """
    choice, clip = panel.choice, cached_inspection(*panel.choice)
    kinds = [
        DIMENSION,
        SELECTIONS,
        BASS if choice.checkpoint.config.data.kind.notes else PHONE,
        MORPH,
    ]
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    kind = choose_linked(left.selectbox, "Direction", kinds, "direction")
    with right:
        if kind == DIMENSION:
            names = [f"z{i}" for i in np.argsort(-clip.use, kind="stable")]
            i = int(
                choose_linked(
                    st.selectbox, "Dimension, moved by its standard deviation", names, "dimension"
                )[1:]
            )
            return along_dimension(clip.mu_q, i)
        if kind == SELECTIONS:
            return between_selections(panel)
        if kind == MORPH:
            return choose_other(choice, "morphed")
        return towards_class(choice, kind)


def between_selections(panel: RowsPanel) -> np.ndarray:
    """From the mean of z in one selection to that in another, by buttons that take them."""
    clip = cached_inspection(*panel.choice)
    place, means = panel.place, {}
    with st.container(horizontal=True):
        for name, key in ENDS.items():
            st.button(
                f"The selection is {name}",
                on_click=partial(share, key, f"{place.start:.4f}-{place.end:.4f}" if place else ""),
                disabled=place is None or not len(frames_inside(clip.times, place)),
                key=key,
                help="Drag over the rows below to select.",
            )
    said = []
    for name, key in ENDS.items():
        taken = parse_place(st.query_params.get(key, ""), panel.choice.length)
        if taken and len(inside := frames_inside(clip.times, taken)):
            means[name] = clip.mu_q[inside].mean(0)
            said.append(
                f"{name}: {panel.choice.moment(taken.start)} to {panel.choice.moment(taken.end)}"
            )
    if len(means) < len(ENDS):
        st.caption(
            "; ".join([*said, "select a stretch in the rows and press a button, for A and for B"])
            + "."
        )
        return np.zeros(clip.mu_q.shape[1], np.float32)
    st.caption(f"{'; '.join(said)}. α = 1 moves the mean of A to that of B.")
    return means["B"] - means["A"]


def towards_class(choice: Choice, kind: str) -> np.ndarray:
    """Ask for a phone or a bass note.

    Returns:
        From the mean of z over the set, of phones over its labelled clips, to that in the frames of
        what is chosen.

    Raises:
        ValueError: No clip of the set has one.
    """
    clips = clips_of_set(choice, visit().folder)
    if kind == PHONE:
        clips = {name: clip for name, clip in clips.items() if labels_of(clip)}
    found = summarise_all(clips)
    names = [
        one
        for name, summary in found.items()
        for one in (
            phones_at(clips[name], summary.times) if kind == PHONE else bass_notes(summary.frames)
        )
    ]
    enough = [name for name, n in Counter(names).most_common() if n >= ENOUGH and name not in APART]
    counted = [name for name in enough if kind == BASS or phone_kind(name) != "pause"]
    if not counted:
        raise ValueError(
            f"No clip of the set has a {kind} with {ENOUGH} frames; choose another direction."
        )
    chosen = choose_linked(
        st.selectbox, f"From the mean of z to that of the {kind}", counted, "class"
    )
    z = np.concatenate([summary.z for summary in found.values()])
    return z[np.array(names) == chosen].mean(0) - z.mean(0)


def show_effect(before: Decoded, after: Decoded, inside: np.ndarray) -> None:
    """How far z and the mean of x move in the stretch; what the clip's own frames are worth."""
    moved, changed = (
        float(np.sqrt(((b - a)[inside] ** 2).sum(1).mean()))
        for a, b in ((before.z, after.z), (before.mean, after.mean))
    )
    st.markdown(
        f"In the stretch z moves by **{number(moved)}** and the mean of x by "
        f"**{number(changed)}** (root of the mean squared distance). log p(x | z, d) of the "
        "clip's own frames, the median of the stretch, goes from "
        f"{number(np.median(before.log_px[inside]))} to "
        f"**{number(np.median(after.log_px[inside]))}** nats."
    )


def draw_rows(
    panel: RowsPanel, before: Decoded, after: Decoded, stretch: tuple[float, float], settings: tuple
) -> None:
    """The clip, its reconstruction before and after, and the changes, to see and to hear."""
    choice, clip = panel.choice, cached_inspection(*panel.choice)
    words = WORDS[choice.checkpoint.config.data.features]
    panel.draw(
        steering_rows(choice.checkpoint, choice.signal, clip, before, after),
        clip.times,
        "The clip, its reconstruction as it is and with z steered, the change of the mean and of "
        "the log-variance, and log p(x | z, d) per frame of both.",
        sounds_of(choice, before, after, settings),
        end=framed_length(choice),
        marks=np.array(stretch),
        mark_name=EDGE,
    )
    if words.note:
        st.caption(words.note)
    explain(
        "What is steered, and how far?",
        "The path that is steered is that of the posterior means of z. **One dimension** is moved "
        "by α of its standard deviations over the clip. From one **selection** to another, and "
        "towards a **phone** or a **bass note** (from the mean of z over the set, of phones over "
        "its labelled clips, to that over its frames), α = 1 is the whole way. Towards **another "
        "clip**, each frame goes to the frame of the other clip at the same place; α between 0 "
        "and 1 is a morph of the two. The posterior does not answer: z is set, not inferred.\n\n"
        f"**Rows**: E[x | z, d] as it is and steered ({words.mean}); what is added to the mean "
        "and to the log-variance, blue above 0 and orange below; log p(x | z, d) of the clip's "
        "own frames.\n\n**Look for**: a direction that changes one thing, such as the loudness or "
        "the brightness, and little else. If x hardly changes though z moves far, the decoder "
        "does not read that direction.",
        r"z_t' = \mu_{q,t} + \alpha\, v, \qquad \mathbb{E}[x_t \mid z_t', d_t], \qquad "
        r"\log \mathrm{Var}[x_t \mid z_t', d_t]",
        {
            "02_generative_model#The emission": "writes the emission",
            words.notebook: "goes on from here",
        },
    )


def sounds_of(choice: Choice, before: Decoded, after: Decoded, settings: tuple) -> Wanted:
    """The clip and, if it is not too long, the sounds before and, made by ``settings``, after."""
    unscored = choice.checkpoint.config.evaluation.unscored
    direction, *others = settings
    exact = (direction.tobytes() if isinstance(direction, np.ndarray) else direction, *others)
    paths = {"z as it is": (before, ()), "z steered": (after, exact)}
    made = {
        name: (
            (choice, "steer", what),
            lambda mean=one.mean: sound_of(choice, signal_of(choice, mean, unscored)),
        )
        for name, (one, what) in paths.items()
    }
    return {"the clip": clip_sound(choice, ORIGINAL), **made}
