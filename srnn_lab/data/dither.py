"""Noise of one step of 16 bits against digital silence, where a model could raise its density without limit."""

import hashlib
from collections.abc import Mapping

import numpy as np

from srnn_lab.config import DataConfig
from srnn_lab.data.storage import FULL_SCALE, on_disk


def dithered(signals: Mapping[str, np.ndarray], config: DataConfig) -> dict[str, np.ndarray]:
    """The waveforms with triangular noise, -1, 0 or 1 steps of 16 bits; the same for one seed and name, on disk."""
    return dict(zip(signals, on_disk(signals, lambda name: _dither(signals[name], name, config)), strict=True))


def _dither(signal: np.ndarray, name: str, config: DataConfig) -> np.ndarray:
    seed = hashlib.sha256(f"{config.dither_seed}/{name}".encode()).digest()
    steps = np.random.default_rng(list(seed)).integers(0, 2, (2, len(signal))).sum(0) - 1
    if signal.dtype != np.int16:
        return (signal + steps / FULL_SCALE).astype(np.float32)
    limits = np.iinfo(np.int16)
    return np.clip(signal + steps, limits.min, limits.max).astype(np.int16)
