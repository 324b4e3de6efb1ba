"""Make a transition: edit a clip at a point, and see the KL before and after."""

import math

import numpy as np
import streamlit as st

from srnn_lab.audio import wav_bytes
from srnn_lab.edits import insert_silence, splice, transpose
from srnn_lab.figures import edit_figure
from srnn_lab.inspection import NEAR
from srnn_lab.transitions import EditEffect, measure_edit, moved
from srnn_lab.views.shared import (
    Choice,
    cached_checkpoint,
    cached_inspection,
    cached_music,
    cached_signal,
    choose,
    choose_other,
    explain,
    show_figure,
)

SPLICE, SILENCE, TRANSPOSE = "splice in another clip", "insert silence", "transpose a bar"


@st.cache_data(max_entries=8, show_spinner="Running the model over the edited clip …")
def cached_edit(
    choice: tuple[str, float, bytes, str, int], other: tuple[bytes, str], edit: str, at: int, amount: int, length: int
) -> tuple[np.ndarray, EditEffect]:
    """The edited clip, and what that does to the KL.

    Args:
        choice: Checkpoint and clip.
        other: Bytes and name of the clip that is spliced in.
        edit: ``SPLICE``, ``SILENCE`` or ``TRANSPOSE``.
        at: Samples (frames of a roll) before the edit.
        amount: What is left out of the other clip, in samples; or semitones.
        length: Of the silence or of the bar, in samples.
    """
    signal = cached_signal(*choice)[0]
    if edit == SPLICE:
        after, joints = splice(signal, at, cached_signal(*choice[:2], *other, choice[4])[0], amount), [(at, at)]
    elif edit == SILENCE:
        after, joints = insert_silence(signal, at, length), [(at, at), (at, at + length)]
    else:
        stop = at + length
        after, joints = transpose(signal, amount, at, stop), [(at, at), (stop, stop)]
    return after, measure_edit(cached_checkpoint(*choice[:2]), signal, after, joints)


def show() -> None:
    """The page."""
    st.header("Make a transition")
    st.caption(
        "Break the clip at a point of your choice and see whether the model notices: the KL before and after, over "
        "each other. Both are computed with the same noise, so that what differs is the edit's doing."
    )
    choice = choose()
    data, music = choice.checkpoint.config.data, choice.checkpoint.config.data.features == "roll"
    unit, step = "quarter notes" if music else "s", data.hop / data.rate
    length = len(choice.signal) // data.hop
    if length < 4:
        raise ValueError(f"The clip has {length} frames; at least 4 are needed to edit it. Give a longer one.")
    edits = [SPLICE, SILENCE, *([TRANSPOSE] if music else [])]
    edit = st.segmented_control("Edit", edits, default=SPLICE, required=True, key="edit", bind="query-params")
    left, right = st.columns(2)
    at = left.slider(
        f"At ({unit})",
        step,
        round((length - 1) * step, 6),
        length // 2 * step,
        step,
        key="at",
        bind="query-params",
        help="Snapped to the model's frames.",
    )
    at, amount, size = round(at / step) * data.hop, 0, 0
    with right:
        other = choose_other(choice) if edit == SPLICE else (choice.content, choice.name)
        if edit == SPLICE:
            rest = cached_signal(choice.path, choice.modified, *other, choice.semitones)[0]
            amount = len(rest) // 2 // data.hop * data.hop
            st.caption(f"Its second half follows, from {amount / data.rate:.2f} {unit} on.")
        elif edit == SILENCE:
            size = st.slider(f"Silence ({unit})", step, 160 * step, 40 * step, step, key="silence", bind="query-params")
            size = round(size / step) * data.hop
        else:
            amount = int(st.slider("Semitones", -12, 12, 1, key="semitones", bind="query-params"))
            bars = st.slider("Length (quarter notes)", 1, 16, 4, key="bar", bind="query-params")
            size = min(bars * data.rate, len(choice.signal) - at)
    after, effect = cached_edit(tuple(choice), other, edit, at, amount, size)
    show_numbers(effect, unit)
    others = {}
    if edit == SPLICE:
        uncut = cached_inspection(choice.path, choice.modified, *other, choice.semitones)
        others["the other clip, uncut"] = moved(uncut, amount / data.rate, math.inf, at / data.rate)
    show_picture(choice, after, effect, others, unit)
    show_sound(choice, after, music)


def show_numbers(effect: EditEffect, unit: str) -> None:
    """The KL at each joint, and what of it the model saw coming."""
    joints = zip(effect.joints_after, effect.surprise_before, effect.surprise_after, strict=True)
    found = [f"**{after:.1f}** nats at {time:.2f} {unit} (before: {before:.1f})" for time, before, after in joints]
    st.markdown(f"Largest KL within {NEAR} frames of the joint: {', '.join(found)}.")
    if not math.isnan(effect.foreseen):
        ahead = "looks ahead" if effect.foreseen > 1e-3 else "does not look ahead"
        st.markdown(
            f"In the frames that end before the first joint the KL changes by up to **{effect.foreseen:.2f}** nats: "
            f"this posterior {ahead}."
        )


def show_picture(
    choice: Choice, after: np.ndarray, effect: EditEffect, others: dict[str, tuple[np.ndarray, np.ndarray]], unit: str
) -> None:
    """The clip before and after, and the KL of both."""
    figure = edit_figure(choice.checkpoint.config.data, choice.signal, after, effect, others)
    joints = " and ".join(f"{time:.2f} {unit}" for time in effect.joints_after)
    show_figure(
        figure,
        "edited",
        f"The clip before and after the edit, and the KL per frame of both over each other; joints at {joints}.",
    )
    explain(
        f"KL per frame in nats over time ({unit}), before and after the edit; dashed: the joints. What follows an "
        f"inserted silence is drawn over the same sound before the edit; a clip that is spliced in, over its own KL "
        f"uncut. Look for a spike at the joint, and how long the lines stay apart after it: so long does the model "
        f"remember. A smoothing posterior may change before the joint, since it reads the clip from its end; a "
        f"filtering one cannot. The silence is digital zero, which recordings never have, so the frames inside it are "
        f"a surprise of their own. Notebook 08 measures splices over many clips (speech), notebook 09 chord changes "
        f"(music).",
        r"\mathrm{KL}\left(q(z_t \mid z_{t-1}, a_t)\,\|\,p(z_t \mid z_{t-1}, d_t)\right)",
    )


def show_sound(choice: Choice, after: np.ndarray, music: bool) -> None:
    """The clip before and after the edit, at one gain."""
    data = choice.checkpoint.config.data
    for column, name, signal in zip(st.columns(2), ("Before", "After"), (choice.signal, after), strict=True):
        column.markdown(f"**{name}**")
        if music:
            column.audio(cached_music(signal, data.frames_per_quarter)[1], alt=name)
        else:
            column.audio(wav_bytes(signal, data.sample_rate), alt=name)
