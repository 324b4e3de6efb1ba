"""Changes to waveforms (N,) and piano rolls (T, 88) whose effect on the KL is seen: pure NumPy."""

import numpy as np

from srnn_lab.data.music import transposed
from srnn_lab.data.storage import widen


def splice(signal: np.ndarray, at: int, other: np.ndarray, other_from: int = 0) -> np.ndarray:
    """``signal`` up to a point, and from there on another one.

    Args:
        signal: A waveform or a piano roll.
        at: Samples (frames of a roll) of it that are kept.
        other: A signal of the same kind.
        other_from: Samples (frames) of it that are left out.

    Returns:
        A signal of float32, of ``at`` samples (frames) and those of ``other`` that are kept.

    Raises:
        ValueError: A point lies outside its signal.
    """
    _check_point(signal, at)
    _check_point(other, other_from)
    return np.concatenate([widen(signal[:at]), widen(other[other_from:])])


def insert_silence(signal: np.ndarray, at: int, length: int) -> np.ndarray:
    """``signal`` with zeros, or frames without a note, at a point.

    Args:
        signal: A waveform or a piano roll.
        at: Samples (frames of a roll) that come before the silence.
        length: Samples (frames) of silence; 0 or more.

    Returns:
        A signal of float32, longer by ``length``.

    Raises:
        ValueError: The point lies outside the signal, or the length is below 0.
    """
    _check_point(signal, at)
    if length < 0:
        raise ValueError(f"The silence has a length of {length}; it must be 0 or more.")
    return np.insert(widen(signal), np.full(length, at), 0, axis=0)


def transpose(
    roll: np.ndarray, semitones: int, start: int = 0, stop: int | None = None
) -> np.ndarray:
    """A piano roll transposed up; what leaves the keyboard is dropped.

    Args:
        roll: A piano roll.
        semitones: How far; below 0 is down.
        start: First frame that is transposed.
        stop: The frame after the last that is transposed; the end by default.

    Returns:
        A copy of the same shape.

    Raises:
        ValueError: No transposed note is left on the keyboard.
    """
    moved = np.array(roll)
    moved[start:stop] = part = transposed(roll[start:stop], semitones)
    if roll[start:stop].any() and not part.any():
        raise ValueError(
            f"Transposed by {semitones} semitones, no note is left on the keyboard; choose fewer."
        )
    return moved


def _check_point(signal: np.ndarray, at: int) -> None:
    if not 0 <= at <= len(signal):
        raise ValueError(
            f"The point {at} lies outside the signal, which has {len(signal)} samples; choose one "
            "inside."
        )
