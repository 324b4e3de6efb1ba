"""How a piece moves from chord to chord: voices, overlaps, parallels and repetition.

A piano roll does not say which voice sings which note: here voices are counted from below, so that
they never cross. Where a voice goes past the place of its neighbour is an overlap.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from srnn_lab.analysis.novelty import Roll

FIFTH, OCTAVE = 7, 0
"""Semitones between two voices, without whole octaves."""


class VoiceLeading(NamedTuple):
    """Figures of a piece; a change is from one chord to another of as many voices, two or more.

    Attributes:
        voices: Mean number of notes in a frame that sounds.
        overlaps: Share of the changes in which a voice goes beyond where its neighbour was.
        fifths: Share of the changes in which two voices a fifth apart, or a fifth and octaves, move
            in parallel.
        octaves: Share of the changes in which two voices one or more octaves apart do.
        repeated: Share of the frames that are as the one before, both sounding.
    """

    voices: float
    overlaps: float
    fifths: float
    octaves: float
    repeated: float


def voice_leading(piece: Roll) -> VoiceLeading:
    """The figures of a piece.

    Returns:
        Numbers from 0 to 88 for the voices and from 0 to 1 for the rest; NaN where there is nothing
        to take the share of.
    """
    chords = [np.flatnonzero(frame) for frame in piece]
    sounding = [len(chord) for chord in chords if len(chord)]
    pairs = [(a, b) for a, b in pairwise(chords) if len(a) and len(b)]
    same = [np.array_equal(a, b) for a, b in pairs]
    changes = [
        (a, b)
        for (a, b), alike in zip(pairs, same, strict=True)
        if len(a) == len(b) > 1 and not alike
    ]
    return VoiceLeading(
        _mean(sounding),
        _mean([bool((b[1:] < a[:-1]).any() or (b[:-1] > a[1:]).any()) for a, b in changes]),
        _mean([_in_parallel(a, b, FIFTH).any() for a, b in changes]),
        _mean([_in_parallel(a, b, OCTAVE).any() for a, b in changes]),
        _mean(same),
    )


def _in_parallel(a: np.ndarray, b: np.ndarray, semitones: int) -> Bool[np.ndarray, "p"]:
    """Which pairs of voices are so far apart, without octaves, and move by the same distance."""
    moved, (lower, upper) = b - a, np.triu_indices(len(a), 1)
    apart = (a[upper] - a[lower]) % 12 == semitones
    return apart & (moved[upper] == moved[lower]) & (moved[upper] != 0)


def _mean(values: list) -> float:
    return float(np.mean(values)) if values else float("nan")
