"""The synchronised player: rows over one time axis and their sounds, as a Streamlit component.

``player`` draws them, ``deliver`` brings it further sounds, ``jump`` and ``look_at`` move it from
Python, ``place_of`` and ``look_of`` are where it stands.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit import runtime
from streamlit.components.v2 import component

from srnn_lab.pictures.protocol import AskTold, Delivery, LookTold, Orders, PlaceTold, SoundSent
from srnn_lab.pictures.scene import Scene, pack
from srnn_lab.player.script import player_script
from srnn_lab.player.sound import Sounds, wav_file

_HERE = Path(__file__).parent
_MOUNT = component("srnn_player", js=player_script(), css=(_HERE / "player.css").read_text())
_COURIER = component("srnn_sounds", js=(_HERE / "courier.js").read_text())
_HOVER = component("srnn_hover", js=(_HERE / "hover.js").read_text())
HEAD_START = 0.1
"""Seconds that new rows have before the rest of a page follows: the charts below would have the
browser first."""


class Place(NamedTuple):
    """What is chosen in a player, in units of its time axis.

    Attributes:
        start: Where the playhead was put, or where the selection begins.
        end: Where the selection ends; equal to ``start`` if only the playhead was put there.
    """

    start: float
    end: float


class Look(NamedTuple):
    """How a player shows it.

    Attributes:
        start: Where the stretch that is zoomed to begins, in units of the time axis.
        end: Where it ends; equal to ``start`` if everything is shown.
        sound: Name of the sound that is heard; empty for the first.
    """

    start: float = 0.0
    end: float = 0.0
    sound: str = ""


def player(
    scene: Scene,
    sounds: Sounds,
    key: str,
    missing: Sequence[str] = (),
    on_request: Sequence[str] = (),
    on_ask: Callable[[str], None] | None = None,
) -> None:
    """Show rows with a playhead over all of them; ``place_of`` says what is chosen in them.

    A click puts the playhead; dragging selects, from edge to edge of the frames, and the edges can
    be dragged again. Keys: space plays and pauses, arrows step by a frame, Page keys by ten, Home
    and End go to the ends, and with shift all of these select; L loops the selection, Escape drops
    it, + and - zoom, 0 shows everything, digits choose a sound, < and > a slower or faster speed,
    at which the pitch stays. All sounds are played at one gain: samples beyond full scale are
    clipped, and nothing is rescaled. The browser fetches them when it first plays.

    Give the same ``key`` in every run; the player then keeps its position, sound and zoom when its
    rows change. What is unchanged is not sent again.

    Args:
        scene: What is drawn.
        sounds: What can be heard; all begin at time 0. The first is played until another is chosen.
            Without any, the player only shows.
        key: Names the player in the session.
        missing: Names of sounds that will be delivered, which stand in the switch already.
        on_request: Names of sounds that stand there too, but are made only when someone presses
            their button.
        on_ask: What is then called with the name, before the next run.
    """
    state = st.session_state
    given = _addresses(key, sounds, missing, on_request)
    if given != state.get(f"{key} given"):
        state[f"{key} given"], state[f"{key} turn"] = given, time.time_ns()
    orders: Orders = {
        "key": key,
        "jump": state.get(f"{key} jump"),
        "look": state.get(f"{key} aim"),
        "turn": state[f"{key} turn"],
        "sounds": given,
    }
    data, digest = pack(scene, orders)
    _MOUNT(
        key=key,
        data=data,
        on_place_change=lambda: _remember(key),
        on_look_change=lambda: _remember_look(key),
        on_ask_change=lambda: _ask(key, on_request, on_ask),
    )
    if digest != state.get(f"{key} digest"):
        state[f"{key} digest"] = digest
        time.sleep(HEAD_START)


def deliver(
    key: str, sounds: Sounds, missing: Sequence[str] = (), on_request: Sequence[str] = ()
) -> None:
    """Bring a player that this run has shown other sounds, without showing it again.

    What takes long to make can follow its rows in this way; another run of the page for each sound
    would make the browser draw everything anew.

    Args:
        key: The player's.
        sounds: All that it is to have; more than it has, else they are taken for an older delivery.
        missing: Names of sounds that are still to be delivered.
        on_request: Names of those that are made when they are asked for.
    """
    digest, given = st.session_state[f"{key} digest"], _addresses(key, sounds, missing, on_request)
    data: Delivery = {"key": key, "digest": digest, "sounds": given}
    st.session_state[f"{key} given"] = data["sounds"]
    _COURIER(key=f"{key} sounds {len(sounds)}", data=data)


def hear_on_hover(
    key: str, sounds: Sequence[tuple[np.ndarray, int]], before: float, after: float
) -> None:
    """Play a part of a sound while the pointer rests on a point of the page's first Plotly chart.

    The browser fetches a sound once, so that a hover asks nothing of the server. A point says what
    is heard by its ``customdata``: the index of its sound, and the time in it in seconds.

    Args:
        key: Names it in the session.
        sounds: Samples and their rate.
        before: Seconds that are heard before the time of a point.
        after: And after it.
    """
    addresses = [_served(wav_file(*sound), f"{key} {i}") for i, sound in enumerate(sounds)]
    _HOVER(key=key, data={"addresses": addresses, "before": before, "after": after})


def _addresses(
    key: str, sounds: Sounds, missing: Sequence[str], on_request: Sequence[str]
) -> list[SoundSent]:
    made = {name: _served(wav_file(*sound), f"{key} {name}") for name, sound in sounds.items()}
    names = [*made, *(name for name in (*missing, *on_request) if name not in made)]
    return [
        {"name": name, "address": made.get(name, ""), "onRequest": name in on_request}
        for name in names
    ]


def _served(content: bytes, name: str) -> str:
    """The address at which this server has a sound, as long as the page that was last shown has it.

    Sounds could travel with the rows, but a minute of four of them would keep the connection, and
    so the page, waiting.

    Args:
        content: A WAV file.
        name: Names its place on the page; another sound there takes it over.

    Returns:
        An address on this server, which begins with a slash.
    """
    address = runtime.get_instance().media_file_mgr.add(content, "audio/wav", name)
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}{address}" if base else address


def place_of(key: str) -> Place | None:
    """What is chosen in that key's player, or None before anything is; known before it is drawn."""
    return st.session_state.get(f"{key} place")


def jump(key: str, place: Place | None) -> None:
    """Move a player when it is next drawn, as from a button's callback; None: to the start."""
    st.session_state[f"{key} place"] = place
    start, end = place or (0.0, 0.0)
    st.session_state[f"{key} jump"] = {
        "start": float(start),
        "end": float(end),
        "number": time.time_ns(),
    }


def look_of(key: str) -> Look:
    """How the player of that key shows it."""
    return st.session_state.get(f"{key} look", Look())


def look_at(key: str, look: Look) -> None:
    """Zoom a player and choose its sound when it is next drawn.

    A sound that is not there yet is chosen when it is.
    """
    st.session_state[f"{key} look"] = look
    st.session_state[f"{key} aim"] = {**look._asdict(), "number": time.time_ns()}


def _remember_look(key: str) -> None:
    """Take over what the browser reports, unless it is not two numbers and a name."""
    reported: LookTold | None = st.session_state[key].get("look")
    if reported is None:
        return
    try:
        look = Look(float(reported["start"]), float(reported["end"]), str(reported["sound"] or ""))
    except (TypeError, KeyError, ValueError):
        return
    if math.isfinite(look.start) and math.isfinite(look.end):
        st.session_state[f"{key} look"] = look


def _ask(key: str, on_request: Sequence[str], on_ask: Callable[[str], None] | None) -> None:
    """Pass on which sound the browser asks for, if it is one that can be asked for."""
    asked: AskTold | None = st.session_state[key].get("ask")
    name = asked.get("name") if isinstance(asked, Mapping) else None
    if on_ask is not None and isinstance(name, str) and name in on_request:
        on_ask(name)


def _remember(key: str) -> None:
    """Take over what the browser reports, unless it is not two numbers."""
    reported: PlaceTold | None = st.session_state[key].get("place")
    place = None
    if reported is not None:
        try:
            place = Place(float(reported["start"]), float(reported["end"]))
        except (TypeError, KeyError, ValueError):
            return
        if not all(map(math.isfinite, place)):
            return
    st.session_state[f"{key} place"] = place
