"""A stretch of a clip, from frame to frame, by a slider or as it is selected in the player."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.panels.rows_panel import RowsPanel
from srnn_lab.dashboard.panels.times import choose_times
from srnn_lab.dashboard.words import time_unit

EDGE = "edge of the stretch"
"""What the dotted lines of a stretch are called: short, to stand below the rows on a phone."""


def framed_length(choice: Choice) -> float:
    """The length of a clip up to the end of its last frame."""
    data = choice.checkpoint.config.data
    return round(len(choice.signal) // data.hop * (data.hop / data.rate), 6)


def choose_stretch(
    box: DeltaGenerator,
    panel: RowsPanel,
    name: str,
    act: str,
    outside: str,
    at_first: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Ask for a stretch.

    Args:
        box: Where the slider is shown.
        panel: The rows; a button takes what is selected in them.
        name: What the address calls the stretch; another clip has its own.
        act: What is done there, for instance ``Replace z``.
        outside: What holds elsewhere.
        at_first: The stretch before another is chosen; None: the whole clip.

    Returns:
        Where it begins and ends.
    """
    choice, length = panel.choice, framed_length(panel.choice)
    key = owned(name, Path(choice.name).stem, length)
    start, stop = choose_times(
        box,
        choice,
        f"{act} from … to",
        (0.0, length),
        at_first or (0.0, length),
        key,
        f"Snapped to the model's frames; outside, {outside}.",
    )
    place = panel.place
    if place and place.start < place.end and place.start < length:
        data = choice.checkpoint.config.data
        step = data.hop / data.rate
        chosen = tuple(
            min(float(round(time / step) * step), length) for time in (place.start, place.end)
        )
        if data.kind.notes:
            ends = " to ".join(map(choice.moment, chosen))
        else:
            ends = f"{chosen[0]:.2f} to {chosen[1]:.2f} {time_unit(data)}"
        st.button(
            f"{act} only in the player's selection, {ends}",
            on_click=lambda: st.session_state.update({key: chosen}),
        )
    return start, stop
