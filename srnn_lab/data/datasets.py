"""Data sets by name, and folders of files."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from srnn_lab.config import DataConfig
from srnn_lab.data.dither import dither, dithered
from srnn_lab.data.festvox import reader, reader_files
from srnn_lab.data.kinds import KINDS, Roll, Series, Sound
from srnn_lab.data.labels import Labels, labels_beside, read_labels
from srnn_lab.data.midi import Timing
from srnn_lab.data.music import MUSIC, read_song
from srnn_lab.data.notices import notify
from srnn_lab.data.series import read_split, read_table
from srnn_lab.data.speech import (
    MAX_SECONDS,
    blizzard,
    read_audio,
    timit,
    timit_files,
    voice,
    voices,
)
from srnn_lab.data.splits import files_below, files_of_split
from srnn_lab.data.storage import narrow, read_files
from srnn_lab.system.plugins import Registry

DATASETS: Registry[Callable[[DataConfig, str, Path | None], dict[str, np.ndarray]]] = Registry(
    "srnn_lab.datasets",
    Callable,
    {
        **MUSIC,
        "voice": voice,
        "voices": voices,
        "reader": reader,
        "timit": timit,
        "blizzard": blizzard,
    },
)
"""Name -> function of (configuration, split, data folder); the only list, which other packages may
lengthen.

It returns the split's signals by name, in their smallest type: piano rolls (T, 88) or waveforms
(N,). """

LABELLED: dict[str, Callable[[str, Path | None], dict[str, Path]]] = {
    "timit": timit_files,
    "reader": reader_files,
}
"""Data set with phone labels -> function of (split, data folder) that gives its recordings, by
name."""

SPLITS = ("train", "valid", "test")


def load_split(
    config: DataConfig, split: str, data_dir: str | Path | None = None
) -> dict[str, np.ndarray]:
    """The signals of one split.

    Waveforms and rolls of files lie in a temporary file; ``widen`` makes either kind float32.

    Args:
        config: ``config.data`` is a name in ``DATASETS``, or a folder of MIDI or audio files (split
            90/5/5 by file).
        split: ``train``, ``valid`` or ``test``; of a folder also ``all``.
        data_dir: Folder of the data sets' files; by default the environment variable
            ``SRNN_LAB_DATA``.

    Returns:
        By name, piano rolls (T, 88) of bool, waveforms (N,) of int16 (see ``narrow``), or tables
        (T, columns) of float32. Recordings shorter than two frames are left out.

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
        raise ValueError(
            f"All {len(short)} recordings of {config.data} ({split}) are shorter than two frames."
        )
    if short:
        notify(
            f"{len(short)} of {len(signals)} recordings of {config.data} ({split}) are shorter "
            f"than two frames and were left out: {', '.join(short[:5])}."
        )
    signals = {name: signal for name, signal in signals.items() if name not in short}
    return dithered(signals, config) if config.dither else signals


def load_labels(
    config: DataConfig, split: str, data_dir: str | Path | None = None
) -> dict[str, Labels]:
    """The labels of one split's signals.

    A recording's labels are the file of its name beside it, or in a folder ``lab`` beside its own.
    A folder gives those of all its recordings, whatever the split.

    Args:
        config: As for ``load_split``.
        split: As for ``load_split``.
        data_dir: As for ``load_split``.

    Returns:
        The labels by the names of ``load_split``. Signals without a label file are absent.

    Raises:
        ValueError: The split or the data set is unknown, or a label file cannot be read.
        FileNotFoundError: The data set is not on this machine.
    """
    data_dir = data_dir or os.environ.get("SRNN_LAB_DATA")
    if config.data in LABELLED:
        files = LABELLED[config.data](split, Path(data_dir) if data_dir else None)
    elif config.data in DATASETS or not isinstance(config.kind, Sound):
        return {}
    else:
        files = _folder_files(config, "all")
    found = {name: beside for name, path in files.items() if (beside := labels_beside(path))}
    return {name: read_labels(path) for name, path in found.items()}


def _folder(config: DataConfig, split: str) -> dict[str, np.ndarray]:
    if isinstance(config.kind, Series):
        return {name: narrow(rows) for name, rows in read_split(config, split).items()}
    plain = replace(config, dither=False)  # added to the whole split
    return read_files(
        _folder_files(config, split), lambda path: read_signal(path, plain), skip=True
    )


def _folder_files(config: DataConfig, split: str) -> dict[str, Path]:
    folder = Path(config.data)
    if not folder.is_dir():
        raise ValueError(
            f"{config.data!r} is neither a data set ({DATASETS.choices()}) nor a folder."
        )
    files = files_below(folder, config.kind.suffixes)
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return (
        named
        if split == "all"
        else files_of_split(named, split, lambda path: _check_length(path, config))
    )


def held_out_files(config: DataConfig, split: str) -> dict[str, Path]:
    """The files of one split of a folder of one's own.

    Args:
        config: As for ``load_split``.
        split: ``valid`` or ``test``.

    Returns:
        By name, the files; none of a data set that has a name, nor of tables, of which one file may
        hold several sequences (see ``own_tables``).

    Raises:
        ValueError: There are too few files.
        FileNotFoundError: The folder holds no such file any more.
    """
    named = config.data in DATASETS or not Path(config.data).is_dir()
    return {} if named or isinstance(config.kind, Series) else _folder_files(config, split)


def _check_length(path: Path, config: DataConfig) -> None:
    if len(read_signal(path, config)) < config.window + config.hop:
        raise ValueError(f"{path} is shorter than two frames.")


def read_signal(path: str | Path, config: DataConfig, max_seconds: int = MAX_SECONDS) -> np.ndarray:
    """A file as a signal: what ``read_clip`` gives, without tempo and metre.

    Args:
        path: The file.
        config: What frames the model takes.
        max_seconds: Longest sound that is read.

    Returns:
        A piano roll (T, 88), a waveform (N,) at ``config.sample_rate``, or rows (T, columns).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or is too long.
    """
    return read_clip(path, config, max_seconds)[0]


def read_clip(
    path: str | Path, config: DataConfig, max_seconds: int = MAX_SECONDS
) -> tuple[np.ndarray, Timing | None]:
    """A file as a signal, and of music also its tempo and metre.

    The ending says what kind of file it is. Without a known one, as for standard input, the kind of
    the model's frames decides.

    Args:
        path: The file; of a table that holds several sequences, FILE/NAME.
        config: What frames the model takes.
        max_seconds: Longest sound that is read.

    Returns:
        A piano roll (T, 88), a waveform (N,) at ``config.sample_rate``, or rows (T, columns). The
        tempo and metre are None unless the file is music.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or is too long.
    """
    suffix = Path(path).suffix.lower()
    medium = next(
        (kind.medium for kind in KINDS.values() if suffix in kind.suffixes), config.kind.medium
    )
    if medium == Series.medium:
        return _read_rows(Path(path), config), None
    if medium == Roll.medium:
        return read_song(path, config.frames_per_quarter)
    wave = read_audio(path, config.sample_rate, max_seconds)
    return (dither(wave, Path(path).name, config) if config.dither else wave), None


def read_signals(
    path: Path, config: DataConfig, max_seconds: int = MAX_SECONDS
) -> dict[str, np.ndarray]:
    """What ``read_signal`` gives, of each sequence of a table.

    Returns:
        By the sequence's own name, rows (T, columns); of a file that holds one thing, that by an
        empty name.
    """
    if isinstance(config.kind, Series):
        return read_table(path, config.kind, alone=True)
    return {"": read_signal(path, config, max_seconds)}


def _read_rows(path: Path, config: DataConfig) -> np.ndarray:
    if not isinstance(config.kind, Series):
        raise ValueError(
            f"{path} is a table, and the model was trained on {config.kind.medium}; choose "
            "another file."
        )
    # FILE/NAME is one sequence of a file that holds several.
    file = next((place for place in path.parents if place.is_file()), path)
    own = path.relative_to(file).as_posix() if file != path else ""
    found = read_table(file, config.kind, alone=True)
    if own in found:
        return found[own]
    if own or len(found) > 1:
        first = next(iter(found))
        lacking = f"no sequence {own!r} but " if own else ""
        raise ValueError(
            f"{file} holds {lacking}{len(found)} sequences ({', '.join([*found][:5])}); name one "
            f"of them, such as {file / first}."
        )
    return next(iter(found.values()))
