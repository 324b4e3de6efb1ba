"""What is chosen in a player: the place, also as a frame, zoom and sound, all in the address."""

import numpy as np
import streamlit as st
from jaxtyping import Float, Int

from srnn_lab.analysis.inspection import NEAR, Inspection
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.visit import remember, visit, went_through_history
from srnn_lab.dashboard.words import unit_seconds
from srnn_lab.pictures.scene import spacing
from srnn_lab.player.component import Look, Place, jump, look_at, look_of, place_of

PLAYER = "player"
"""Key of the first page's player."""
LONGEST = 1e5
"""Longest time axis, in its units."""
LONG, OPENING = 45, 10
"""Seconds of a clip from which on its beginning alone is shown at first, and of that beginning."""
MAX_NAME = 100
"""Characters of a sound's name that are read from an address."""


def settle_place(key: str, choice: Choice, length: float = LONGEST) -> None:
    """Take a player where the address points to; leave the old place when another clip is chosen.

    Args:
        key: The player's.
        choice: What it shows, or what that is made of.
        length: Of its time axis, if that is known.
    """
    identity, params = (choice.content, choice.name, choice.semitones), st.query_params
    shown = visit().shown
    if key not in shown or went_through_history():
        place = parse_place(params.get("place", ""), length)
        if place != place_of(key):
            jump(key, place)
        zoom = parse_place(params.get("zoom", ""), length) or (
            Place(0.0, 0.0) if place else opening(choice)
        )
        look_at(key, Look(*zoom, params.get("sound", "")[:MAX_NAME]))
    elif shown[key] != identity:
        jump(key, None)
        look_at(key, Look(*opening(choice), look_of(key).sound))
    remember(shown={**shown, key: identity})


def opening(choice: Choice) -> Place:
    """What is shown of a clip at first: of a long sound its beginning, else all, from 0 to 0."""
    data = choice.checkpoint.config.data
    seconds = unit_seconds(data)
    long = data.kind.heard and choice.length * seconds > LONG
    return Place(0.0, OPENING / seconds if long else 0.0)


def parse_place(text: str, length: float) -> Place | None:
    """The point or stretch of a clip that an address names, as ``START`` or ``START-END``.

    In the address a place is rounded, so that its edge may lie a little beyond the clip.

    Returns:
        The place in the unit of ``length``, within the clip. None if the text is neither form, or
        if the place lies outside of a clip of that length.
    """
    start, _, end = text.partition("-")
    try:
        place = Place(float(start), float(end or start))
    except ValueError:
        return None
    if not 0 <= place.start <= place.end <= length + 1e-4:
        return None
    return Place(*(min(time, length) for time in place))


def share_place(key: str) -> None:
    """Keep in the address where a player stands, what it zooms to and what is heard."""
    place, look = place_of(key), look_of(key)
    shared = {
        "place": _written(place) if place else "",
        "zoom": _written(Place(look.start, look.end)) if look.end > look.start else "",
        "sound": look.sound,
    }
    for name, text in shared.items():
        share(name, text)


def share(name: str, text: str) -> None:
    """Keep something in the address, or, if it is empty, out of it."""
    if not text:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def _written(place: Place) -> str:
    return "-".join(f"{time:.4f}" for time in dict.fromkeys(place))


def go_to_row(table: str, key: str, times: np.ndarray) -> None:
    """Take a player to the time that belongs to the chosen row of a table."""
    chosen = st.session_state[table]["selection"]["rows"]
    if chosen and chosen[0] < len(times):
        time = float(times[chosen[0]])
        jump(key, Place(time, time))


def around(clip: Inspection, frame: int) -> Place:
    """The frame and a few on either side, as a selection."""
    low, high = max(0, frame - 3 * NEAR), min(len(clip.kl) - 1, frame + 3 * NEAR)
    half = spacing(clip.times) / 2
    return Place(float(clip.times[low]) - half, float(clip.times[high]) + half)


def frame_at(clip: Inspection, time: float) -> int:
    """The frame in which a time lies, or the nearest."""
    frame = np.floor((time - float(clip.times[0])) / spacing(clip.times) + 0.5 + 1e-6)
    return int(np.clip(frame, 0, len(clip.times) - 1))


def frames_inside(times: Float[np.ndarray, "t"], place: Place) -> Int[np.ndarray, "_"]:
    """The frames, by their middles, of a selection."""
    return np.flatnonzero((times >= place.start) & (times < place.end))


def chosen_frame(clip: Inspection, place: Place | None) -> int:
    """The frame at the playhead; of a selection, its frame with the largest KL.

    Returns:
        Its index; before anything is chosen, that of the largest spike.
    """
    if place is None:
        return clip.largest_spike
    if len(inside := frames_inside(clip.times, place)):
        return int(inside[clip.kl[inside].argmax()])
    return frame_at(clip, place.start)


def owned(key: str, *owner: object) -> str:
    """The key of a slider whose value belongs to ``owner``, as times do to a clip.

    A slider of another range or step is another widget to Streamlit, which under the same key would
    get the value of the old one from the address.

    Returns:
        ``KEY-OWNER``, a name for Streamlit and for the address.
    """
    return "-".join(map(str, (key, *owner)))
