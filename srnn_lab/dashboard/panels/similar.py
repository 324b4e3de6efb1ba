"""What else in the set is like the selection: the nearest stretches, each to hear and to open."""

import numpy as np
import streamlit as st

from srnn_lab.analysis.inspection import Inspection
from srnn_lab.analysis.moments import Moment, Summary
from srnn_lab.analysis.similar import nearest_stretches
from srnn_lab.dashboard.address import frames_inside
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.panels.clip_set import (
    cached_summary,
    clips_of_set,
    names_between,
    show_stretch,
    summarise_all,
)
from srnn_lab.dashboard.visit import visit
from srnn_lab.dashboard.words import explain, number
from srnn_lab.data.kinds import KINDS
from srnn_lab.pictures.scene import spacing
from srnn_lab.player.component import Place

SHOWN = 6
LONGEST = 400
"""Frames of a selection that are sought: 4 s of log-mel frames; the search holds a product for each
with each other."""
FRAMES = {name: f"{'piano roll' if kind.notes else name} frames" for name, kind in KINDS.items()}
"""What the frames are called, by their kind."""
WORDS_FOR_SHARES = {0.02: "The same", 0.3: "Very alike", 0.6: "Alike", 0.85: "Somewhat alike"}
"""Shares of the median distance up to which a stretch is called so; beyond, it is hardly nearer
than any."""


def show_similar(choice: Choice, clip: Inspection, place: Place | None) -> None:
    """The panel: what the stretches are compared in, and those that are nearest."""
    st.subheader("Where else is something like this?", anchor="similar")
    model, kind = choice.checkpoint.model, choice.checkpoint.config.data.features
    offered = {"z": "z (posterior means)"} if model.z_dim else {}
    offered |= {"d": "d (deterministic states)"} if model.d_dim else {}
    space = st.segmented_control(
        "Find stretches like the selection, by their",
        [*offered, "x"],
        format_func=(offered | {"x": f"x ({FRAMES[kind]})"}).__getitem__,
        key="similar",
        bind="query-params",
    )
    selected = frames_inside(clip.times, place) if place else np.zeros(0, int)
    if not len(selected):
        st.caption("Select a stretch first: drag over the rows.")
    elif space:
        show_nearest(choice, selected, space)
    explain(
        "How are they found?",
        "The selection is compared with every stretch of its length in the bundled clips, or in "
        "the folder that was named on the page Clips: frame by frame, by the plain Euclidean "
        "distance. Nothing is left to an approximation; only stretches that overlap the selection "
        "are left out. The distance is told as a share of the median distance of all stretches: 0 "
        "% is the same, 100 % is as far as half of all.\n\n**Look for**: what the nearest in z "
        "have in common that the nearest in x have not. z holds what the past could not predict; "
        "d is the model's summary of the past; x is the sound itself.",
        r"D(s) = \sqrt{\tfrac1L \sum_{l=0}^{L-1} \left\lVert \mu_{t+l} - \mu_{s+l} \right\rVert^2}",
        {"04_posterior_structure#A posterior with this structure": "takes z apart"},
    )


def show_nearest(choice: Choice, selected: np.ndarray, space: str) -> None:
    """The nearest stretches of the set."""
    clips = clips_of_set(choice, visit().folder)
    found = summarise_all(clips)
    own = next((name for name in found if clips[name].content == choice.content), None)
    query = found[own] if own else cached_summary(*choice)
    if len(selected) > LONGEST:
        st.caption(f"The selection is long; its first {LONGEST} frames are sought.")
    first, length = int(selected[0]), min(len(selected), LONGEST)
    values = {name: values_of(summary, space) for name, summary in found.items()}
    at = (own, first) if own else None
    nearest = nearest_stretches(values_of(query, space)[first : first + length], values, at, SHOWN)
    if not nearest:
        st.info("No clip of the set is as long as the selection. Make it shorter.")
    for i in range(0, len(nearest), 3):
        for column, moment in zip(st.columns(3), nearest[i : i + 3], strict=False):
            with column.container(border=True):
                place = stretch_at(found[moment.clip].times, moment, length)
                said = names_between(clips[moment.clip], Place(place.start, place.end - 1e-6))
                when = clips[moment.clip].moment(place.start)
                show_stretch(
                    choice,
                    clips[moment.clip],
                    moment.clip,
                    place,
                    in_words(moment.value),
                    when,
                    said,
                )


def values_of(summary: Summary, space: str) -> np.ndarray:
    """What of the frames is compared."""
    return {"z": summary.z, "d": summary.d, "x": summary.frames}[space]


def stretch_at(times: np.ndarray, moment: Moment, length: int) -> Place:
    """From the edge of the first frame of a stretch to that of its last."""
    half = spacing(times) / 2
    return Place(
        max(0.0, float(times[moment.frame] - half)), float(times[moment.frame + length - 1] + half)
    )


def in_words(share: float) -> str:
    """How alike a stretch is, by its distance as a share of the median of all."""
    word = next(
        (word for most, word in WORDS_FOR_SHARES.items() if share <= most), "Hardly nearer than any"
    )
    return f"**{word}**: {number(100 * share, 0)} % as far as the median stretch"
