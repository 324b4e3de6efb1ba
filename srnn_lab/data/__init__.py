"""Data sets, by name."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from srnn_lab.config import DataConfig
from srnn_lab.data.dither import dithered
from srnn_lab.data.festvox import reader
from srnn_lab.data.music import MIDI_SUFFIXES, MUSIC, read_midi
from srnn_lab.data.sequences import Batch, Streams, make_batch
from srnn_lab.data.speech import (
    AUDIO_SUFFIXES,
    MAX_SECONDS,
    Frontend,
    blizzard,
    files_below,
    read_audio,
    read_split,
    timit,
    voice,
    voices,
)
from srnn_lab.data.storage import read_files, widen

DATASETS: dict[str, Callable[[DataConfig, str, Path | None], dict[str, np.ndarray]]] = {
    **MUSIC,
    "voice": voice,
    "voices": voices,
    "reader": reader,
    "timit": timit,
    "blizzard": blizzard,
}
"""Name -> function of (configuration, split, data folder); the only list.

It returns the split's signals by name, in their smallest type: piano rolls (T, 88) or waveforms (N,).
"""

SPLITS = ("train", "valid", "test")


def load_split(config: DataConfig, split: str, data_dir: str | Path | None = None) -> dict[str, np.ndarray]:
    """The signals of one split, by name: piano rolls (T, 88) of bool, or waveforms (N,) of int16 (see ``narrow``).

    Waveforms and rolls of files lie in a temporary file; ``widen`` makes either kind float32.

    Args:
        config: ``config.data`` is a name in ``DATASETS``, or a folder of MIDI or audio files (split 90/5/5 by file).
        split: ``train``, ``valid`` or ``test``; of a folder also ``all``.
        data_dir: Folder of the data sets' files; by default the environment variable ``SRNN_LAB_DATA``.

    Raises:
        ValueError: The split or the data set is unknown, or a file cannot be used.
        FileNotFoundError: A file of the data set is missing, or the folder holds no such file.
    """
    choices = SPLITS if config.data in DATASETS else (*SPLITS, "all")
    if split not in choices:
        raise ValueError(f"The split is {split!r}; choose one of {', '.join(choices)}.")
    data_dir = data_dir or os.environ.get("SRNN_LAB_DATA")
    if config.data in DATASETS:
        signals = DATASETS[config.data](config, split, Path(data_dir) if data_dir else None)
    else:
        signals = _folder(config, split)
    short = [name for name, signal in signals.items() if len(signal) < config.window + config.hop]
    if len(short) == len(signals):
        raise ValueError(f"All {len(short)} recordings of {config.data} ({split}) are shorter than two frames.")
    if short:
        warnings.warn(
            f"{len(short)} of {len(signals)} recordings of {config.data} ({split}) are shorter than two frames and "
            f"were left out: {', '.join(short[:5])}.",
            stacklevel=2,
        )
    signals = {name: signal for name, signal in signals.items() if name not in short}
    return dithered(signals, config) if config.dither else signals


def _folder(config: DataConfig, split: str) -> dict[str, np.ndarray]:
    folder = Path(config.data)
    if not folder.is_dir():
        raise ValueError(f"{config.data!r} is neither a data set ({', '.join(DATASETS)}) nor a folder.")
    files = files_below(folder, MIDI_SUFFIXES if config.features == "roll" else AUDIO_SUFFIXES)
    named = {path.relative_to(folder).as_posix(): path for path in files}
    if split == "all":
        return read_files(named, lambda path: read_signal(path, config))
    return read_split(named, split, lambda path: read_signal(path, config))


def read_signal(path: str | Path, config: DataConfig, max_seconds: int = MAX_SECONDS) -> np.ndarray:
    """A file as a piano roll (T, 88), if its ending is that of MIDI, or else as a waveform (N,) of ``max_seconds``."""
    if Path(path).suffix.lower() in MIDI_SUFFIXES:
        return read_midi(path, config.frames_per_quarter)
    return read_audio(path, config.sample_rate, max_seconds)


__all__ = ["DATASETS", "SPLITS", "Batch", "Frontend", "Streams", "load_split", "make_batch", "read_signal", "widen"]
