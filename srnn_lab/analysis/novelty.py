"""Is a piece composed or remembered?

The longest stretch of it that occurs in other songs, transposed too.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

Roll = Bool[np.ndarray, "_ 88"]
"""What sounds in each frame; songs may have other numbers of frames."""


class Copied(NamedTuple):
    """A stretch of a piece that a song has too.

    Attributes:
        frames: How long it is.
        start: Its first frame in the piece.
        song: The song's name.
        there: Its first frame in the song.
        semitones: By how much the song's notes lie above those of the piece.
    """

    frames: int
    start: int
    song: str
    there: int
    semitones: int


def longest_copied(piece: Roll, songs: Mapping[str, Roll]) -> Copied | None:
    """The longest run of frames that a song has too, note for note, at one distance in pitch.

    It begins and ends with a frame in which something sounds, so that silence alone is no copy; of
    equally long ones it is the first in the piece. Exact: every pair of like frames is followed.

    Args:
        piece: The piece.
        songs: What it may be copied from, by name.

    Returns:
        The stretch; None if no frame that sounds has its like in the songs.
    """
    chords = {name: [chord_of(frame) for frame in song] for name, song in songs.items()}
    places: dict[bytes, list[tuple[str, int, int]]] = {}
    for name, song in chords.items():
        for at, chord in enumerate(song):
            if chord is not None:
                places.setdefault(chord.shape, []).append((name, at, chord.lowest))
    best = None
    # Stretches that end in the frame before: of each, its last frame in a song, the distance, and
    # its length.
    running: dict[tuple[str, int, int], int] = {}
    for t, chord in enumerate(map(chord_of, piece)):
        longer = {}
        if chord is None:  # a stretch may go on through silence
            for (name, at, semitones), length in running.items():
                if at + 1 < len(chords[name]) and chords[name][at + 1] is None:
                    longer[name, at + 1, semitones] = length + 1
        else:
            for name, at, lowest in places.get(chord.shape, []):
                semitones = lowest - chord.lowest
                length = running.get((name, at - 1, semitones), 0) + 1
                longer[name, at, semitones] = length
                if best is None or length > best.frames:
                    best = Copied(length, t - length + 1, name, at - length + 1, semitones)
        running = longer
    return best


class Chord(NamedTuple):
    """What sounds in a frame: the distances of its notes from the lowest one, and that one."""

    shape: bytes
    lowest: int


def chord_of(frame: Bool[np.ndarray, "88"]) -> Chord | None:
    """The notes of a frame; None if nothing sounds."""
    notes = np.flatnonzero(frame)
    return (
        Chord((notes - notes[0]).astype(np.uint8).tobytes(), int(notes[0])) if len(notes) else None
    )
