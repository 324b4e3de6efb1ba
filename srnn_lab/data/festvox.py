"""The data set ``reader``: one voice that reads a novel, with phone labels and transcripts.

620 Russian sentences, 99.5 minutes at 16 kHz and 16 bits, 54,372 phones of an automatic alignment
on a grid of 10 ms; Debian's package festvox-ru, copyright 2005 Nickolay V. Shmyrev (a BSD-like
licence, beside the bundled sentences). About 23 % of its frames are nearly digital silence.
"""

import hashlib
import re
from pathlib import Path

import numpy as np

from srnn_lab.config import DataConfig
from srnn_lab.data.notices import notify
from srnn_lab.data.speech import audio_files, read_audio
from srnn_lab.data.storage import read_files

PACKAGE = Path("/usr/share/festival/voices/russian/msu_ru_nsh_clunits")
BUNDLED_READER = Path(__file__).parents[1] / "assets" / "reader"
"""Four of the test sentences."""
TEST_SENTENCES = 31
_SALT = "44/"
"""The first salt that puts 31 of the 620 sentences into each of validation and test."""


def reader_split(name: str) -> str:
    """The split of a sentence, such as ``ru_0001``, by its name alone: 5 % test, 5 % validation."""
    share = int.from_bytes(hashlib.sha256((_SALT + name).encode()).digest()[:8], "big") / 2**64
    return "test" if share < 0.05 else "valid" if share < 0.1 else "train"


def reader_folder(data_dir: Path | None) -> Path | None:
    """Where ``wav`` and ``lab`` are: below ``data_dir``, in it, or in the installed package."""
    given = [] if data_dir is None else [data_dir / "reader", data_dir / PACKAGE.name, data_dir]
    return next((folder for folder in (*given, PACKAGE) if (folder / "wav").is_dir()), None)


def reader_files(split: str, data_dir: Path | None) -> dict[str, Path]:
    """The recordings of a split, by name; without the package, of the test split the bundled ones.

    Returns:
        The path of each recording.

    Raises:
        FileNotFoundError: The sentences are neither in ``data_dir`` nor installed.
    """
    folder = reader_folder(data_dir)
    if folder is None and split == "test" and BUNDLED_READER.is_dir():
        return audio_files(BUNDLED_READER)
    if folder is None:
        raise FileNotFoundError(
            "The sentences of 'reader' are not on this machine. Install Debian's package "
            "festvox-ru, or put its folders wav, lab and etc into the folder reader below "
            "--data-dir."
        )
    files = audio_files(folder / "wav", (".wav",))
    return {name: path for name, path in files.items() if reader_split(name) == split}


def reader(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """The sentences of one split (90/5/5, by name), as waveforms.

    Args:
        config: The sample rate, to which recordings are resampled.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files, if one was named.

    Returns:
        Waveforms (N,) at the sample rate of ``config``, by name.

    Raises:
        FileNotFoundError: The sentences are neither in ``data_dir`` nor installed.
    """
    files = reader_files(split, data_dir)
    if reader_folder(data_dir) is None:
        notify(
            f"festvox-ru is not installed: these are the {len(files)} bundled sentences of the "
            f"{TEST_SENTENCES} of its test split."
        )
    return read_files(files, lambda path: read_audio(path, config.sample_rate))


def reader_transcripts(folder: Path) -> dict[str, str]:
    """The sentences in ``etc/txt.done.data``, in the layout of the package.

    Returns:
        The sentence of each recording, by name. A ``+`` stands before each stressed vowel.

    Raises:
        OSError: There is no such file.
    """
    text = (folder / "etc" / "txt.done.data").read_text(encoding="utf-8")
    return dict(re.findall(r'^\( (\S+) "(.*)" \)\s*$', text, re.MULTILINE))
