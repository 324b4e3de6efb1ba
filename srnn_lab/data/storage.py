"""Signals in their smallest type, mapped from a temporary file: memory holds only what a batch reads."""

import tempfile
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

FULL_SCALE = np.float32(32768)
"""What a sample of 1 is as int16."""


def narrow(signal: np.ndarray) -> np.ndarray:
    """A piano roll (T, 88) as bool; a waveform (N,) as int16, which is exact for 16-bit recordings.

    A waveform beyond full scale, as resampling and lossy formats leave some, stays float32: int16 would clip it.
    """
    if signal.ndim == 2:
        return signal.astype(bool)
    samples, limits = np.round(signal * FULL_SCALE), np.iinfo(np.int16)
    inside = limits.min <= samples.min() and samples.max() <= limits.max
    return samples.astype(np.int16) if inside else signal


def widen(signal: np.ndarray) -> np.ndarray:
    """The inverse of ``narrow``: 0 and 1, or samples with full scale 1, as float32."""
    return signal / FULL_SCALE if signal.dtype == np.int16 else signal.astype(np.float32, copy=False)


def on_disk(items: Collection[Any], make: Callable[[Any], np.ndarray]) -> list[np.ndarray]:
    """``make(item)`` for each item, one at a time, written to a file that has no name and ends with the arrays.

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
                    file.close()  # now, as it would say again what it could not write, instead of this:
                raise OSError(
                    f"The data do not fit into the temporary folder {tempfile.gettempdir()} ({error.strerror}); name "
                    f"one with more room by the environment variable TMPDIR."
                ) from error
        mapped = np.memmap(file, mode="c")
    return [np.ndarray(shape, dtype, mapped, start) for shape, dtype, start in places]


def read_files(files: dict[str, Path], read: Callable[[Path], np.ndarray]) -> dict[str, np.ndarray]:
    """Each file's signal, in its smallest type, on disk."""
    return dict(zip(files, on_disk(files.values(), lambda path: narrow(read(path))), strict=True))
