"""Signals in their smallest type, mapped from a temporary file: memory holds what a batch reads."""

import tempfile
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from srnn_lab.data.notices import collect_notices, notify
from srnn_lab.system.extras import MissingExtraError

MAX_NAMED = 5
"""Files that a notice names at the most; it counts the others."""
FULL_SCALE = np.float32(32768)
"""What a sample of 1 is as int16."""


def narrow(signal: np.ndarray) -> np.ndarray:
    """The signal in the smallest type that holds it.

    A waveform beyond full scale, as resampling and lossy formats leave some, stays float32: int16
    would clip it.

    Returns:
        Bool for a table of zeros and ones, such as a piano roll; int16 for a waveform (N,), exact
        for 16-bit recordings; otherwise the signal itself.
    """
    if signal.ndim == 2:
        return signal.astype(bool) if np.isin(signal, (0, 1)).all() else signal
    samples, limits = np.round(signal * FULL_SCALE), np.iinfo(np.int16)
    inside = limits.min <= samples.min() and samples.max() <= limits.max
    return samples.astype(np.int16) if inside else signal


def widen(signal: np.ndarray) -> np.ndarray:
    """The inverse of ``narrow``: 0 and 1, or samples with full scale 1, as float32."""
    return (
        signal / FULL_SCALE if signal.dtype == np.int16 else signal.astype(np.float32, copy=False)
    )


def on_disk(items: Collection[Any], make: Callable[[Any], np.ndarray]) -> list[np.ndarray]:
    """``make(item)`` for each item, one at a time, in an unnamed file that goes with the arrays.

    Returns:
        The arrays in the order of the items. They can be written to; the file stays as it is.

    Raises:
        OSError: The folder of temporary files is full.
    """
    places: list[tuple[tuple[int, ...], np.dtype, int]] = []
    if not items:
        return []
    with tempfile.TemporaryFile() as file:
        for item in tqdm(items, "Reading", unit=" recordings", delay=2, leave=False):
            array = make(item)
            places.append((array.shape, array.dtype, file.tell()))
            try:
                file.write(array.tobytes())
                file.write(bytes(-file.tell() % 4))  # the next array may be float32
                file.flush()
            except OSError as error:
                with suppress(OSError):
                    file.close()  # or it would fail again at its end, and hide this error
                raise OSError(
                    f"The data do not fit into the temporary folder {tempfile.gettempdir()} "
                    f"({error.strerror}); name one with more room by the environment variable "
                    "TMPDIR."
                ) from error
        mapped = np.memmap(file, mode="c")
    return [np.ndarray(shape, dtype, mapped, start) for shape, dtype, start in places]


def read_files(
    files: dict[str, Path], read: Callable[[Path], np.ndarray], *, skip: bool = False
) -> dict[str, np.ndarray]:
    """Each file's signal, in its smallest type, on disk.

    Args:
        files: By name.
        read: Gives a file's signal.
        skip: Whether a file that cannot be used is named and left out.

    Returns:
        The signals by name, as ``narrow`` makes them.

    Raises:
        ValueError: A file cannot be used; with ``skip``, no file can.
        OSError: A file cannot be read, or the folder of temporary files is full.
    """
    notices: list[str] = []
    refused: dict[str, str] = {}

    def make(name: str) -> np.ndarray:
        with collect_notices() as noticed:
            try:
                signal = narrow(read(files[name]))
            except MissingExtraError:
                raise
            except (ValueError, OSError) as error:
                if not skip:
                    raise
                refused[name] = str(error)
                if len(refused) == len(files):
                    raise ValueError(
                        f"None of the {len(files)} files can be used. {_first(refused)}"
                    ) from error
                return np.zeros(0, bool)
        notices.extend(noticed)
        return signal

    # All signals, and one notice for each thing that was odd about them.
    signals = dict(zip(files, on_disk(files, make), strict=True))
    if refused:
        notices.insert(
            0,
            (
                f"{len(refused)} of {len(files)} files cannot be used and were left out. "
                f"{_first(refused)}"
            ),
        )
    for notice in notices[:MAX_NAMED]:
        notify(notice)
    if len(notices) > MAX_NAMED:
        notify(
            f"Of other files there are {len(notices) - MAX_NAMED} more such notices, which are "
            "not shown."
        )
    return {name: signal for name, signal in signals.items() if name not in refused}


def _first(refused: dict[str, str]) -> str:
    """Why the first files were refused."""
    return " ".join([*refused.values()][:MAX_NAMED])
