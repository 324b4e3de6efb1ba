"""What happens when in a clip: sound sets in or ends, onsets, chord changes, boundaries of phones.

Every kind is found in the signal or in its labels alone, never in what a model makes of them.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from srnn_lab.analysis.event_kinds import MUSIC_EVENTS, PHONE_EVENTS, SOUND_EVENTS
from srnn_lab.analysis.inspection import NEAR, Inspection
from srnn_lab.config import DataConfig
from srnn_lab.data.labels import Labels
from srnn_lab.data.phones import phone_kind
from srnn_lab.data.storage import FULL_SCALE, widen

QUIET_SECONDS = 0.05
"""Least silence before a sound that sets in, and after one that ends."""
BURST_DECIBELS = 6.0
"""Least rise of the level, from one frame to the next, that is the burst within a stop without a
labelled closure."""

Boundary = Callable[[str, str], bool]
_BOUNDARIES: dict[str, Boundary] = {
    "phone": lambda before, after: not before == after == "pause",
    "vowel-to-fricative": lambda before, after: (before, after) == ("vowel", "fricative"),
    "pause-to-speech": lambda before, after: before == "pause" != after,
}
"""Of the kinds of two neighbouring phones, whether their boundary is an event."""
_RELEASED = ("stop", "affricate")


def kinds_of(data: DataConfig, labelled: bool) -> dict[str, str]:
    """The kinds of events that such frames can have, with labels or without."""
    if not data.kind.heard:
        return {}
    if data.kind.notes:
        return MUSIC_EVENTS
    return {**SOUND_EVENTS, **(PHONE_EVENTS if labelled else {})}


def near_windows(data: DataConfig) -> tuple[int, ...]:
    """Frames on either side of an event that count as the event.

    Returns:
        Numbers of frames: 0, and of sounds, whose frames are short, ``NEAR`` as well.
    """
    return (0,) if data.kind.notes else (0, NEAR)


def clip_events(
    clip: Inspection, signal: np.ndarray, data: DataConfig, labels: Labels | None = None
) -> dict[str, Int[np.ndarray, "_"]]:
    """The scored frames in which something happens, by kind.

    Args:
        clip: The inspected clip.
        signal: Its waveform or piano roll.
        data: What a frame is.
        labels: Its phones, if they are known.

    Returns:
        Frame numbers by kind of event, counted from the first scored frame. Music has
        ``chord-change``; sound has ``silence-to-sound``, ``sound-to-silence``, ``onset`` and, with
        labels, the kinds in ``PHONE_EVENTS``. Other data have none.
    """
    if not data.kind.heard:
        return {}
    if data.kind.notes:
        return {"chord-change": clip.changes}
    quiet = max(1, round(QUIET_SECONDS * data.sample_rate / data.hop))
    events = {
        "silence-to-sound": starts_of_sound(clip.active, quiet),
        "sound-to-silence": len(clip.active) - starts_of_sound(clip.active[::-1], quiet)[::-1],
        "onset": clip.changes,
    }
    if labels is not None:
        levels = frame_levels(widen(signal), data)[-len(clip.kl) :]
        events |= {kind: phone_events(kind, labels, clip.times, levels) for kind in PHONE_EVENTS}
    return events


def starts_of_sound(active: Bool[np.ndarray, "t"], quiet: int) -> Int[np.ndarray, "_"]:
    """Active frames before which at least ``quiet`` frames are silent."""
    silent_before = np.convolve(~active, np.ones(quiet, int))[: len(active)]
    return 1 + np.flatnonzero(active[1:] & (silent_before[:-1] == quiet))


def frame_levels(signal: Float[np.ndarray, "n"], data: DataConfig) -> Float[np.ndarray, "t"]:
    """The level of each frame in dB below full scale, with a floor of one step of 16 bits."""
    windows = np.lib.stride_tricks.sliding_window_view(signal, data.window)[:: data.hop]
    return 10 * np.log10((windows**2).mean(1) + FULL_SCALE**-2.0)


def phone_events(
    kind: str, labels: Labels, times: Float[np.ndarray, "t"], levels: Float[np.ndarray, "t"]
) -> Int[np.ndarray, "_"]:
    """The frames of boundaries between phones.

    A burst is where a labelled closure ends; within a stop that has none, the largest rise of the
    level, if it is at least ``BURST_DECIBELS``.

    Args:
        kind: A name in ``PHONE_EVENTS``.
        labels: The phones.
        times: Middle of each frame, in the unit of the labels.
        levels: Level of each frame, in dB.

    Returns:
        Frame numbers in ascending order, each of them once.
    """
    kinds = [phone_kind(name) for name in labels.names]
    if kind == "closure-to-burst":
        found = [
            _burst(labels, kinds, i, times, levels)
            for i in range(1, len(kinds))
            if kinds[i] in _RELEASED
        ]
        return np.unique([frame for frame in found if frame is not None]).astype(int)
    is_event = _BOUNDARIES[kind]
    at = [
        labels.times[i]
        for i in range(1, len(kinds))
        if labels.names[i] != labels.names[i - 1] and is_event(kinds[i - 1], kinds[i])
    ]
    return frames_at(np.array(at, float), times)


def frames_at(at: Float[np.ndarray, "n"], times: Float[np.ndarray, "t"]) -> Int[np.ndarray, "_"]:
    """The frames whose middle is nearest to each time; times outside of all frames are left out."""
    half = (times[-1] - times[0]) / max(len(times) - 1, 1) / 2
    inside = at[(at >= times[0] - half) & (at <= times[-1] + half)]
    return np.unique(np.searchsorted((times[1:] + times[:-1]) / 2, inside)).astype(int)


def _burst(
    labels: Labels,
    kinds: list[str],
    i: int,
    times: Float[np.ndarray, "t"],
    levels: Float[np.ndarray, "t"],
) -> int | None:
    if kinds[i - 1] == "closure":
        return next(iter(frames_at(labels.times[i : i + 1], times).tolist()), None)
    end = labels.times[i + 1] if i + 1 < len(kinds) else np.inf
    inside = np.flatnonzero((times >= labels.times[i]) & (times < end))
    inside = inside[inside > 0]
    if not len(inside):
        return None
    rises = levels[inside] - levels[inside - 1]
    return int(inside[rises.argmax()]) if rises.max() >= BURST_DECIBELS else None
