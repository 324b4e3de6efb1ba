"""Sliders over times: seconds of sound, bars and beats of music."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.visit import went_through_history
from srnn_lab.dashboard.words import time_unit

Times = float | tuple[float, float]
"""A time, or where a stretch begins and ends."""


def choose_times(
    box: DeltaGenerator,
    choice: Choice,
    label: str,
    ends: tuple[float, float],
    at_first: Times,
    key: str,
    help_text: str | None = None,
    words: Callable[[Sequence[float]], list[str]] | None = None,
) -> Times:
    """Ask for a time or a stretch of a clip, from edge to edge of its frames.

    Args:
        box: Where the slider is shown.
        choice: The clip.
        label: What is asked for.
        ends: The first and the last time, in seconds, or in quarter notes of music.
        at_first: What holds before anything is chosen.
        key: Of the slider, in the session and in the address: a name, and whose times they are.
        help_text: What the slider explains.
        words: Says times of music; by default as bar and beat.

    Returns:
        What is chosen, like ``at_first``.
    """
    data = choice.checkpoint.config.data
    step = data.hop / data.rate
    if not data.kind.notes:
        named = f"{label} ({time_unit(data)})"
        return box.slider(
            named, *ends, at_first, step, key=key, bind="query-params", help=help_text
        )
    first, last = (round(end / step) for end in ends)
    times = [frame * step for frame in range(first, last + 1)]
    texts = dict(zip(times, (words or choice.timing.moments)(times), strict=True))

    def nearest(given: Times) -> Times:
        found = [
            times[min(max(round(time / step) - first, 0), last - first)]
            for time in np.atleast_1d(given)
        ]
        return (min(found), max(found)) if isinstance(at_first, tuple) else found[0]

    # Streamlit would put the words into the address, where times have to stay.
    state, at_first = st.session_state, nearest(at_first)
    if key not in state or went_through_history():
        state[key] = _from_address(key, at_first)
    state[key] = nearest(state[key])
    chosen = box.select_slider(
        label,
        times,
        at_first,
        key=key,
        format_func=lambda time: texts.get(time, time),
        help=help_text,
    )
    _into_address(key, "" if chosen == at_first else chosen)
    return chosen


def _from_address(key: str, at_first: Times) -> Times:
    """What the address names, if that is as many times as are asked for."""
    try:
        found = np.array(st.query_params.get_all(key), float)
    except ValueError:
        return at_first
    asked = np.size(at_first)
    if found.size != asked or not np.isfinite(found).all() or np.abs(found).max() > 1e9:
        return at_first
    return (found[0], found[1]) if asked == 2 else found[0]


def _into_address(key: str, chosen: Times | str) -> None:
    """Keep what is chosen in the address, if anything is, and what another clip had out of it."""
    texts = [str(time) for time in np.atleast_1d(chosen) if time != ""]
    others = owned(key.partition("-")[0], "")
    for param in list(st.query_params):
        if param.startswith(others) if param != key else not texts:
            del st.query_params[param]
    if texts and st.query_params.get_all(key) != texts:
        st.query_params[key] = texts
