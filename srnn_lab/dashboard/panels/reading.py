"""What a training will read, before it begins: files, their split, the model's size, minutes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from srnn_lab.config import PRESETS
from srnn_lab.dashboard.words import plain
from srnn_lab.data import SPLITS, load_split
from srnn_lab.data.music import songs_at_hand
from srnn_lab.data.notices import collect_notices
from srnn_lab.data.splits import files_below
from srnn_lab.training.configuring import new_config
from srnn_lab.training.estimate import Estimate, estimate

MOST_BYTES = 300 * 10**6
"""Of a folder that is read before a training begins; a larger one takes too long."""
Settings = tuple[tuple[str, int | float | str], ...]
"""Settings by name, as a key of a cache."""
Version = tuple[int, int, float]
"""Of a folder: how many files it has, their bytes, and when the newest was changed."""


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes:
        signals: The signals of each split.
        notices: What the reader left out or changed, in sentences.
    """

    signals: Mapping[str, Sequence[np.ndarray]]
    notices: tuple[str, ...]


def show_reading(
    preset: str,
    settings: Mapping[str, str | float],
    sizes: Mapping[str, Mapping[str, int]],
    epochs: int,
) -> None:
    """How the files are split, and how large each size of model is and how long it takes.

    Args:
        preset: A name in ``PRESETS``.
        settings: What the options say of the data; nothing for the preset's own.
        sizes: Settings by the name of each size.
        epochs: Passes over the data.
    """
    data = Path(str(settings["data"])) if "data" in settings else None
    version, given = version_of(preset, data), tuple(settings.items())
    if version[1] > MOST_BYTES:
        st.caption(
            f"{_counted(version[0], 'file')} of {version[1] / 1e6:,.0f} MB. They are read when "
            "the training begins; its log says how they are split and what is left out."
        )
        return
    if data is None and not _is_at_hand(preset):
        st.caption("They are not on this computer yet, so nothing is known of them before.")
        return
    reading = cached_reading(preset, given, version)
    st.caption(told_of_split({name: len(own) for name, own in reading.signals.items()}, version[0]))
    found = {
        name: cached_estimate(preset, given, tuple(size.items()), version)
        for name, size in sizes.items()
    }
    st.caption(told_of_sizes(found, epochs))
    show_notices(reading.notices)


def version_of(preset: str, data: Path | None) -> Version:
    """What a folder holds now, so that it is read again when that changes.

    Returns:
        The number of its files, their bytes, and when the newest was changed; zeros without a
        folder.

    Raises:
        FileNotFoundError: It has no file that the preset takes.
    """
    if data is None:
        return 0, 0, 0.0
    files = files_below(data, PRESETS[preset].data.kind.suffixes)
    found = [path.stat() for path in files if path.exists()]
    changed = max((status.st_mtime for status in found), default=0.0)
    return len(files), sum(status.st_size for status in found), changed


def _is_at_hand(preset: str) -> bool:
    folder = os.environ.get("SRNN_LAB_DATA")
    return (
        songs_at_hand(PRESETS[preset].data.data, "train", Path(folder) if folder else None)
        is not None
    )


# Waveforms lie in temporary files; the tables and rolls of so many bytes fit into memory.
@st.cache_resource(max_entries=3, show_spinner="Reading the files …")
def cached_reading(preset: str, given: Settings, version: Version) -> Reading:  # noqa: ARG001 (a changed folder is a new entry)
    """The signals of all splits."""
    data = new_config(preset, dict(given)).data
    with collect_notices() as notices:
        signals = {split: list(load_split(data, split).values()) for split in SPLITS}
    return Reading(signals, tuple(dict.fromkeys(notices)))


@st.cache_data(max_entries=50, show_spinner="Timing a few updates …")
def cached_estimate(preset: str, given: Settings, settings: Settings, version: Version) -> Estimate:
    """How large a model is and how long an epoch takes."""
    signals = cached_reading(preset, given, version).signals
    return estimate(new_config(preset, dict(given) | dict(settings)), signals)


def told_of_split(sequences: Mapping[str, int], files: int = 0) -> str:
    """How many sequences each split has, in a sentence.

    Args:
        sequences: Their number by split.
        files: How many files there are; 0 where the data are no folder.

    Returns:
        Markdown.
    """
    used = sum(sequences.values())
    train, valid, test = (sequences[split] for split in SPLITS)
    split = f"{train} to train on, {valid} to validate on, {test} to test on"
    if files == 1 and used == len(SPLITS):
        return "1 file, split by time: 80 % to train on, 10 % to validate on, 10 % to test on."
    if not files or used > files:
        of = f"{_counted(files, 'file')} with " * bool(files)
        return f"{of}{_counted(used, 'sequence')}: {split}."
    left = files - used
    return f"{_counted(files, 'file')}: {split}{f'; **{left} left out**' * bool(left)}."


def told_of_sizes(found: Mapping[str, Estimate], epochs: int) -> str:
    """How large each size of model is, and how long so many epochs take, in a sentence."""
    told = [
        f"**{name}** ({_parameters(one.parameters)} parameters) {_minutes(epochs * one.epoch)}"
        for name, one in found.items()
    ]
    return (
        f"{_counted(epochs, 'epoch')} on this computer: {', '.join(told)}. That was measured on "
        "a few updates; other work makes it longer."
    )


def _parameters(number: int) -> str:
    """A number of parameters to two digits."""
    rounded = float(f"{number:.1e}")
    return f"{rounded / 1e6:.1f} million" if rounded >= 1e6 else f"{rounded:,.0f}"


def _minutes(seconds: float) -> str:
    if seconds < 50:
        return "less than a minute"
    if seconds < 5400:
        minutes = round(seconds / 60)
        return f"about {_counted(minutes, 'minute')}"
    return f"about {_counted(round(seconds / 3600), 'hour')}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def show_notices(notices: Sequence[str]) -> None:
    """What the reader of files left out or changed, folded away."""
    if notices:
        with st.expander(f"What the reader noted ({len(notices)})"):
            st.markdown("\n".join(f"- {plain(notice)}" for notice in notices))
