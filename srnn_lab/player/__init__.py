"""The synchronised player: rows over one time axis with the sounds that belong to them, as a Streamlit component.

``player`` draws them, ``deliver`` brings it further sounds, ``jump`` moves it from Python, ``place_of`` is where it
stands, ``rows`` has the kinds of rows and ``svg`` the same picture as a file.
"""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st
from jaxtyping import Float, Num

from srnn_lab.player.rows import Line, Lines, Packer, Picture, Row, pack_row
from srnn_lab.player.sound import served, wav_file
from srnn_lab.player.svg import rows_svg

_HERE = Path(__file__).parent
_MOUNT = st.components.v2.component(
    "srnn_player", js=(_HERE / "player.js").read_text(), css=(_HERE / "player.css").read_text()
)
_COURIER = st.components.v2.component("srnn_sounds", js=(_HERE / "courier.js").read_text())

Sounds = Mapping[str, tuple[Num[np.ndarray, "n"], int]]
"""By the name on its button, samples (floats with full scale 1, or of 16 bits) and their number a second."""


class Place(NamedTuple):
    """What is chosen in a player, in units of its time axis.

    Attributes:
        start: Where the playhead was put, or where the selection begins.
        end: Where the selection ends; equal to ``start`` if only the playhead was put there.
    """

    start: float
    end: float


def player(
    rows: Sequence[Row],
    sounds: Sounds,
    times: Float[np.ndarray, "t"],
    *,
    key: str,
    description: str,
    end: float | None = None,
    unit: str = "s",
    seconds: float = 1.0,
    marks: Float[np.ndarray, "m"] | None = None,
    mark_name: str = "transition",
) -> Place | None:
    """Show rows with a playhead over all of them, and say what is chosen in them.

    A click puts the playhead; dragging selects, from edge to edge of the frames, and the edges can be dragged again.
    Keys: space plays and pauses, arrows step by a frame (with shift: ten), Home and End, L loops the selection, Escape
    drops it, + and - zoom, 0 shows everything, digits choose a sound. All sounds are played at one gain: samples beyond
    full scale are clipped, and nothing is rescaled. The browser fetches them when it first plays.

    Give the same ``key`` in every run; the player then keeps its position, sound and zoom when its rows change. What is
    unchanged is not sent again.

    Args:
        rows: What is drawn, from top to bottom.
        sounds: What can be heard; all begin at time 0. The first is played until another is chosen. Without any, the
            player only shows.
        times: Middle of each model frame, evenly spaced and ascending: selections snap to these frames.
        key: Names the player in the session.
        description: What a person who does not see the rows should know of them.
        end: Where the time axis ends; by default with the last frame.
        unit: Unit of the time axis.
        seconds: Seconds of sound in one unit of the time axis.
        marks: Times of dotted lines through all rows.
        mark_name: What one of them is.

    Returns:
        What is chosen, or None before anything is.

    Raises:
        ValueError: There is no row or no frame.
    """
    if not rows or not len(times):
        raise ValueError(f"A player was given {len(rows)} rows and {len(times)} frames; it needs at least one of each.")
    packer = Packer()
    step = float(times[-1] - times[0]) / max(1, len(times) - 1) or 2 * float(times[0])
    content = {
        "rows": [pack_row(row, packer) for row in rows],
        "end": float(times[-1]) + step / 2 if end is None else float(end),
        "frame": {"start": float(times[0]) - step / 2, "step": step, "count": len(times)},
        "unit": unit,
        "seconds": seconds,
        "marks": packer.add(np.zeros(0) if marks is None else marks, "f4"),
        "markName": mark_name,
        "description": " ".join(
            [description, *(f"{row.title}: {row.note}." for row in rows if isinstance(row, Lines) and row.note)]
        ),
    }
    changing = {"key": key, "jump": st.session_state.get(f"{key} jump"), "sounds": _addresses(key, sounds)}
    _MOUNT(key=key, data=packer.finish(content, changing), on_place_change=lambda: _remember(key))
    st.session_state[f"{key} digest"] = packer.digest
    return place_of(key)


def deliver(key: str, sounds: Sounds) -> None:
    """Bring a player that this run has shown other sounds, without showing it again.

    What takes long to make can follow its rows in this way; another run of the page for each sound would make the
    browser draw everything anew.

    Args:
        key: The player's.
        sounds: All that it is to have; more than at the last call, if there was one in this run.
    """
    data = {"key": key, "digest": st.session_state[f"{key} digest"], "sounds": _addresses(key, sounds)}
    _COURIER(key=f"{key} sounds {len(sounds)}", data=data)


def _addresses(key: str, sounds: Sounds) -> list[dict[str, str]]:
    return [{"name": name, "address": served(wav_file(*sound), f"{key} {name}")} for name, sound in sounds.items()]


def place_of(key: str) -> Place | None:
    """What is chosen in the player of that key; known before it is drawn."""
    return st.session_state.get(f"{key} place")


def jump(key: str, place: Place | None) -> None:
    """Move a player when it is next drawn, for instance from the callback of a button; None: to the start."""
    st.session_state[f"{key} place"] = place
    start, end = place or (0.0, 0.0)
    st.session_state[f"{key} jump"] = {"start": float(start), "end": float(end), "number": time.time_ns()}


def _remember(key: str) -> None:
    """Take over what the browser reports, unless it is not two numbers."""
    reported, place = st.session_state[key].get("place"), None
    if reported is not None:
        try:
            place = Place(float(reported["start"]), float(reported["end"]))
        except (TypeError, KeyError, ValueError):
            return
        if not all(map(math.isfinite, place)):
            return
    st.session_state[f"{key} place"] = place


__all__ = ["Line", "Lines", "Picture", "Place", "Row", "Sounds", "deliver", "jump", "place_of", "player", "rows_svg"]
