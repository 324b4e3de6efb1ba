"""Noise of one 16-bit step against digital silence, where a density could rise without limit."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePath

import numpy as np

from srnn_lab.config import DataConfig
from srnn_lab.data.kinds import AUDIO_SUFFIXES
from srnn_lab.data.storage import FULL_SCALE, on_disk


def dithered(signals: Mapping[str, np.ndarray], config: DataConfig) -> dict[str, np.ndarray]:
    """The waveforms with triangular noise of -1, 0 or 1 steps of 16 bits.

    Returns:
        Waveforms by name, on disk. The noise is the same for one seed and name.
    """
    return dict(
        zip(
            signals, on_disk(signals, lambda name: dither(signals[name], name, config)), strict=True
        )
    )


def dither(signal: np.ndarray, name: str, config: DataConfig) -> np.ndarray:
    """One waveform with this noise: int16, or float32 with full scale 1.

    Args:
        signal: The waveform, in either type.
        name: Name of the recording, of which the last part without the ending of a sound file
            counts, so that a file that is inspected has the noise that it has in its data set.
        config: The seed.

    Returns:
        The waveform in its own type; int16 is clipped to its range.
    """
    path = PurePath(name)
    stem = path.stem if path.suffix.lower() in AUDIO_SUFFIXES else path.name
    seed = hashlib.sha256(f"{config.dither_seed}/{stem}".encode()).digest()
    steps = np.random.default_rng(list(seed)).integers(0, 2, (2, len(signal))).sum(0) - 1
    if signal.dtype != np.int16:
        return (signal + steps / FULL_SCALE).astype(np.float32)
    limits = np.iinfo(np.int16)
    return np.clip(signal + steps, limits.min, limits.max).astype(np.int16)
