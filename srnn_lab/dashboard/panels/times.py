"""Sliders over times: seconds of sound, bars and beats of music."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.words import time_unit

T = TypeVar("T", float, tuple[float, float])
"""A time, or where a stretch begins and ends."""


def choose_times(
    box: DeltaGenerator,
    choice: Choice,
    label: str,
    ends: tuple[float, float],
    at_first: T,
    key: str,
    help_text: str | None = None,
    words: Callable[[Sequence[float]], list[str]] | None = None,
) -> T:
    """Ask for a time or a stretch of a clip, from edge to edge of its frames.

    Streamlit puts what a slider shows into the address. So music has two: one with quarter notes,
    which is hidden by the style of the pages, takes over what is chosen in one with words.

    Args:
        box: Where the slider is shown.
        choice: The clip.
        label: What is asked for.
        ends: The first and the last time, in seconds, or in quarter notes of music.
        at_first: What holds before anything is chosen.
        key: Of the times, in the session and in the address.
        help_text: What the slider explains.
        words: Says times of music; by default as bar and beat.

    Returns:
        What is chosen, like ``at_first``.
    """
    data, slider = choice.checkpoint.config.data, cast("Any", box.slider)
    step, exact = data.hop / data.rate, f"{label} ({time_unit(data)})"
    chosen = slider(exact, *ends, at_first, step, key=key, bind="query-params", help=help_text)
    if not data.kind.notes:
        return chosen
    first, last = (round(end / step) for end in ends)
    times = [frame * step for frame in range(first, last + 1)]
    texts = dict(zip(times, (words or choice.timing.moments)(times), strict=True))
    # An address can name a time between two frames.
    nearest = [times[round(time / step) - first] for time in np.atleast_1d(chosen)]
    chosen = tuple(nearest) if isinstance(at_first, tuple) else nearest[0]
    state, shown = st.session_state, f"titled-{key}"
    if state.get(shown, chosen) != chosen:
        state[shown] = chosen
    box.select_slider(
        label,
        times,
        chosen,
        key=shown,
        format_func=lambda time: texts.get(time, time),
        on_change=lambda: state.update({key: state[shown]}),
        help=help_text,
    )
    return cast("T", chosen)
