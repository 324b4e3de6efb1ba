"""Checkpoint and clip as one value, the key of what is computed from them once and kept."""

import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st

from srnn_lab.analysis.inspection import MAX_FRAMES, Inspection, inspect_signal
from srnn_lab.checkpoint import Checkpoint, load_checkpoint, read_header
from srnn_lab.dashboard.uploads import MAX_CLIP_SECONDS, MEGABYTES, TABLES, UPLOADS, ClipBytes
from srnn_lab.data.datasets import read_signals
from srnn_lab.data.edits import transpose
from srnn_lab.data.midi import Timing, parse_midi
from srnn_lab.data.notices import collect_notices
from srnn_lab.data.series import own_tables
from srnn_lab.data.sound import midi_to_wav, roll_to_midi

cache_data = partial(st.cache_data, hash_funcs={ClipBytes: lambda content: content.digest})
"""For functions of a clip."""
cache_resource = partial(st.cache_resource, hash_funcs={ClipBytes: lambda content: content.digest})
"""The same, of what is large and never changed: it is shared, not copied."""


@st.cache_resource(max_entries=8, show_spinner="Loading the checkpoint …")
def cached_checkpoint(path: str, modified: float) -> Checkpoint:  # noqa: ARG001 (a new file is a new entry)
    """A checkpoint, read once."""
    return load_checkpoint(path)


@cache_data(max_entries=16, show_spinner=False)
def cached_signal(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int
) -> tuple[np.ndarray, list[str]]:
    """The signal of a file, transposed if it is music, with what its reader noticed."""
    # A table has been read, to see whether it holds several sequences.
    heard = cached_checkpoint(path, modified).config.data.kind.heard
    signals, messages = (_read if heard else cached_sequences)(path, modified, content, name)
    signal = next(iter(signals.values()))
    return (transpose(signal, semitones) if semitones else signal), messages


@cache_data(max_entries=4, show_spinner="Reading the table …")
def cached_sequences(
    path: str, modified: float, content: ClipBytes, name: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The sequences of a table by name, an empty one if it is alone, and its reader's notices."""
    return _read(path, modified, content, name)


def _read(
    path: str, modified: float, content: ClipBytes, name: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The signals of a file by name, and what its reader noticed."""
    config = cached_checkpoint(path, modified).config.data
    suffix = Path(name).suffix.lower()
    if suffix[1:] not in UPLOADS[config.features]:
        kinds = ", ".join(kind.upper() for kind in UPLOADS[config.features])
        raise ValueError(
            f"{name} does not end as the files that this model takes ({kinds}); give one of those."
        )
    if len(content.bytes) > (limit := MEGABYTES[UPLOADS[config.features]]) * 2**20:
        raise ValueError(
            f"{name} has {len(content.bytes) / 2**20:.0f} MB; at most {limit} MB are read. Give a "
            "shorter piece."
        )
    with tempfile.TemporaryDirectory() as folder, collect_notices() as notices:
        file = Path(folder) / f"clip{suffix}"  # the name of an upload may hold anything
        file.write_bytes(content.bytes)
        try:
            signals = read_signals(file, config, MAX_CLIP_SECONDS)
        except ValueError as error:
            raise ValueError(str(error).replace(str(file), name)) from error
    return signals, [notice.replace(str(file), name) for notice in notices]


@cache_data(max_entries=16, show_spinner=False)
def cached_timing(content: ClipBytes) -> Timing:
    """The tempo and metre of a MIDI file that has been read."""
    return parse_midi(content.bytes).timing


@cache_data(max_entries=16, show_spinner=False)
def cached_midi_words(content: ClipBytes) -> str:
    """What is read of a MIDI file, in words: metre, tempo, parts; nothing if it cannot be read."""
    try:
        return str(parse_midi(content.bytes))
    except ValueError:
        return ""


# Of the longest clips 1 GB.
@cache_data(max_entries=16, show_spinner="Running the model over the clip …")
def cached_inspection(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int
) -> Inspection:
    """What a model makes of a clip; its file is the key, as Streamlit only samples large arrays."""
    signal = cached_signal(path, modified, content, name, semitones)[0]
    try:
        return inspect_signal(cached_checkpoint(path, modified), signal)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


@st.cache_data(max_entries=4, show_spinner="Playing the notes …")
def cached_music(roll: np.ndarray, frames_per_quarter: int, tempo: float) -> bytes:
    """The sound of a piano roll, as a WAV file."""
    return midi_to_wav(roll_to_midi(roll, frames_per_quarter, Timing(tempo)))


@st.cache_data(max_entries=16, show_spinner="Turning the reconstruction into sound …")
def cached_signal_of(path: str, modified: float, frames: np.ndarray) -> np.ndarray:
    """The signal of frames."""
    return cached_checkpoint(path, modified).frontend.signal(frames)


@st.cache_data(max_entries=4, show_spinner="Reading the run's own tables …")
def cached_own_tables(
    path: str,
    modified: float,  # noqa: ARG001 (a new file is a new entry)
) -> dict[str, tuple[str, np.ndarray]]:
    """The sequences of a run of tables by name: the split of each, and as many rows as fit."""
    found = own_tables(read_header(path).config.data, MEGABYTES[TABLES] * 2**20)
    return {name: (split, rows[:MAX_FRAMES]) for name, (split, rows) in found.items()}


def features_of(path: Path) -> str | None:
    """What the frames of a checkpoint are; None if it cannot be read."""
    try:
        return cached_features(str(path), path.stat().st_mtime)
    except (ValueError, OSError):
        return None


@st.cache_data(max_entries=1000, show_spinner=False)
def cached_features(path: str, modified: float) -> str:  # noqa: ARG001 (a new file is a new entry)
    """What the frames of a checkpoint are."""
    return read_header(path).config.data.features


class Choice(NamedTuple):
    """What is chosen at the side; its first five values are the key of every cache.

    Attributes:
        path: The checkpoint's file.
        modified: When it was last written; a new file is a new entry of the caches.
        content: The clip's bytes.
        name: The clip's file name.
        semitones: Semitones by which music is transposed up.
    """

    path: str
    modified: float
    content: ClipBytes
    name: str
    semitones: int

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint, read once."""
        return cached_checkpoint(self.path, self.modified)

    @property
    def model(self) -> str:
        """What the checkpoint is called in the names of files: a run by its folder."""
        path = Path(self.path)
        return path.parent.name if path.stem == "best" else path.stem

    @property
    def signal(self) -> np.ndarray:
        """The clip as the model's kind of signal."""
        return cached_signal(*self)[0]

    def moment(self, time: float | np.floating, digits: int = 2) -> str:
        """A time in words: seconds, a row, or bar and beat; counted from 1, a pickup is bar 1."""
        kind = self.checkpoint.config.data.kind
        if not kind.heard:
            return f"row {1 + int(time * kind.rate):,}"
        if not kind.notes:
            return f"{time:.{digits}f} s"
        return self.timing.moment(float(time))

    @property
    def timing(self) -> Timing:
        """The tempo and metre of music."""
        return cached_timing(self.content)

    @property
    def length(self) -> float:
        """Of the clip, in seconds, or of music in quarter notes."""
        return len(self.signal) / self.checkpoint.config.data.rate
