"""What the pages share: cached loaders, files that visitors bring, figures in the page's look."""

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.analysis.inspection import Inspection, inspect_signal
from srnn_lab.checkpoint import ASSETS, Checkpoint, load_checkpoint, read_header
from srnn_lab.config import DataConfig
from srnn_lab.data import read_signal
from srnn_lab.data.edits import insert_silence, transpose
from srnn_lab.data.kinds import KINDS, MIDI_SUFFIXES
from srnn_lab.data.midi import Timing, parse_midi
from srnn_lab.data.notices import collect_notices
from srnn_lab.data.sound import QUARTERS_PER_MINUTE, frame_seconds, midi_to_wav, roll_to_midi
from srnn_lab.player.sound import read_wav

ABOUT = {
    "voice-mel": "One voice, trained on log-mel frames: spikes where the sound changes.",
    "voice-mel-filt-res": "voice-mel with a filter: q(z) at a frame knows no later sound.",
    "voice": "The same voice, trained on raw samples as in the paper: the KL follows voicing, and leaps at a break.",
    "voice-smooth": "voice without Res_q: the posterior mean is predicted whole.",
    "voice-filt-res": "voice with a filter: q(z) at a frame knows no later sound.",
    "voice-filt": "voice with a filter and without Res_q.",
    "voice-vrnn": "A VRNN of the same size on the frames of voice.",
    "jsb": "Bach chorales in many keys: spikes where the chord changes.",
    "jsb-paper": "Chorales in C by the paper's recipe: the model that the notebooks take apart.",
    "nottingham": "Folk tunes with chords (Nottingham): let it compose on the page Studio; the clips are chorales.",
    "muse": "Orchestral and chamber music (MuseData) in many keys; the clips are chorales all the same.",
    "piano": "Classical piano music (Piano-midi.de) in many keys; the clips are chorales all the same.",
    "bl-jsb": "Chorales in quarter notes, the version of most papers: nine frames in ten are a new chord.",
    "bl-jsb-nade": "The chorales of bl-jsb, with chords that are drawn note by note (NADE).",
    "bl-muse": "Orchestral and chamber music (MuseData) in C, the version of most papers; the clips are chorales.",
    "bl-nottingham": "Folk tunes with chords in C, the version of most papers; let it compose on the page Studio.",
    "bl-piano": "Piano-midi.de in C, the version of most papers; the clips are chorales all the same.",
}
"""The bundled checkpoints in the order in which they are offered, the first page's first, and what is said of each."""
FIRST = next(iter(ABOUT))
MIDI, AUDIO = tuple(suffix[1:] for suffix in MIDI_SUFFIXES), ("wav", "flac", "ogg", "mp3")
UPLOADS = {name: MIDI if kind.notes else AUDIO for name, kind in KINDS.items()}
MEGABYTES = {MIDI: 1, AUDIO: 50}
"""Largest file that is taken; the notes of a MIDI file are read one by one."""
CHECKPOINT_MEGABYTES = 100
MAX_CLIP_SECONDS = 180
"""Longest recording that is read; a little more than any model inspects."""
MAX_PLAYED_SECONDS = 300
"""Of music, as much as is played; a MIDI file of a few kilobytes can last an hour."""
MAX_SENTENCE = 600
"""Characters of a message that are shown; a file can put as many as it likes into one."""


def plain(text: str) -> str:
    """A text as Markdown that shows it character by character: a file's name or metadata are neither links nor HTML."""
    text = text if len(text) <= MAX_SENTENCE else f"{text[:MAX_SENTENCE]} …"
    # What looks like an address would be made a link, even where each of its characters is escaped.
    text = re.sub(r"www(?=\.)|https?:(?=//)|@(?!\u2060)", "\\g<0>\u2060", text, flags=re.IGNORECASE)
    return re.sub(r"([\\`*_{}\[\]<>#|~$:!&@])", r"\\\1", " ".join(text.split()))


def harmless(name: str) -> str:
    """The end of a file's name with nothing in it that any page could take for Markdown, HTML or a path."""
    return re.sub(r"[^\w .()-]", "_", name)[-80:]


def guarded(show: Callable[[], None]) -> Callable[[], None]:
    """A page on which what goes wrong with a file or a value is a sentence."""

    def page() -> None:
        try:
            show()
        except (ValueError, OSError, FloatingPointError) as error:
            st.error(plain(str(error)))

    return page


_START = "start with: streamlit run dashboard.py -- --runs DIR --read-only (both can be left out)."


def options() -> argparse.Namespace:
    """What follows ``--`` in ``streamlit run dashboard.py -- --runs DIR --read-only``.

    Returns:
        ``runs``, the folder of one's own trainings, by default ``runs``, here; and ``read_only``, whether no visitor
        may start or stop one.

    Raises:
        ValueError: It is something else; a misspelt ``--read-only`` must not let everyone in.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--read-only", action="store_true")
    try:
        found, unknown = parser.parse_known_args(sys.argv[1:])
    except argparse.ArgumentError as error:
        lacking = "was given no folder" if error.argument_name == "--runs" else "takes no value"
        raise ValueError(f"{error.argument_name} {lacking}; {_START}") from error
    if unknown and Path(sys.argv[0]).name == "dashboard.py":  # elsewhere they are those of another program
        raise ValueError(f"{unknown[0]!r} is no option of the dashboard; {_START}")
    return found


def runs_folder() -> Path:
    """The folder of one's own trainings."""
    return options().runs


class ClipBytes:
    """The bytes of a file, which caches know by their digest: Streamlit would hash 50 MB anew whenever one is asked.

    Args:
        content: The bytes.
    """

    def __init__(self, content: bytes):
        self.bytes, self.digest = content, hashlib.blake2b(content).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClipBytes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


cache_data = partial(st.cache_data, hash_funcs={ClipBytes: lambda content: content.digest})
"""For functions of a clip."""


@st.cache_resource(max_entries=8, show_spinner="Loading the checkpoint …")
def cached_checkpoint(path: str, modified: float) -> Checkpoint:  # noqa: ARG001 (a new file is a new entry)
    """A checkpoint, read once."""
    return load_checkpoint(path)


@cache_data(max_entries=16, show_spinner=False)
def cached_signal(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int
) -> tuple[np.ndarray, list[str]]:
    """The signal of a file, transposed if it is music, with what its reader noticed."""
    config = cached_checkpoint(path, modified).config.data
    suffix = Path(name).suffix.lower()
    if suffix[1:] not in UPLOADS[config.features]:
        kinds = ", ".join(kind.upper() for kind in UPLOADS[config.features])
        raise ValueError(f"{name} does not end as the files that this model takes ({kinds}); give one of those.")
    if len(content.bytes) > (limit := MEGABYTES[UPLOADS[config.features]]) * 2**20:
        raise ValueError(
            f"{name} has {len(content.bytes) / 2**20:.0f} MB; at most {limit} MB are read. Give a shorter piece."
        )
    with tempfile.TemporaryDirectory() as folder, collect_notices() as notices:
        file = Path(folder) / f"clip{suffix}"  # the name of an upload may hold anything
        file.write_bytes(content.bytes)
        try:
            signal = read_signal(file, config, MAX_CLIP_SECONDS)
        except ValueError as error:
            raise ValueError(str(error).replace(str(file), name)) from error
    messages = [notice.replace(str(file), name) for notice in notices]
    return (transpose(signal, semitones) if semitones else signal), messages


@cache_data(max_entries=16, show_spinner=False)
def cached_timing(content: ClipBytes) -> Timing:
    """The tempo and metre of a MIDI file that has been read."""
    return parse_midi(content.bytes).timing


@cache_data(max_entries=16, show_spinner="Running the model over the clip …")  # of the longest clips, 0.7 GB
def cached_inspection(path: str, modified: float, content: ClipBytes, name: str, semitones: int) -> Inspection:
    """What the model makes of a clip; the file is the key, since Streamlit only samples large arrays."""
    return inspect_signal(cached_checkpoint(path, modified), cached_signal(path, modified, content, name, semitones)[0])


@st.cache_data(max_entries=4, show_spinner="Playing the notes …")
def cached_music(roll: np.ndarray, frames_per_quarter: int, tempo: float) -> bytes:
    """The sound of a piano roll, as a WAV file."""
    return midi_to_wav(roll_to_midi(roll, frames_per_quarter, Timing(tempo)))


@st.cache_data(max_entries=16, show_spinner="Turning the reconstruction into sound …")
def cached_signal_of(path: str, modified: float, frames: np.ndarray) -> np.ndarray:
    """The signal of frames."""
    return cached_checkpoint(path, modified).frontend.signal(frames)


class Choice(NamedTuple):
    """What is chosen at the side; its first five values are the key of every cache.

    Attributes:
        path: The checkpoint's file.
        modified: When it was last written; a new file is a new entry of the caches.
        content: The clip's bytes.
        name: The clip's file name.
        semitones: Semitones that music is moved up.
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
    def signal(self) -> np.ndarray:
        """The clip as the model's kind of signal."""
        return cached_signal(*self)[0]

    @property
    def timing(self) -> Timing:
        """The tempo and metre of music."""
        return cached_timing(self.content)

    @property
    def length(self) -> float:
        """Of the clip, in seconds, or of music in quarter notes."""
        return len(self.signal) / self.checkpoint.config.data.rate


def signal_of(choice: Choice, frames: np.ndarray, silent: int = 0) -> np.ndarray:
    """The signal that frames stand for, of notes those with p above 1/2, after ``silent`` frames of silence."""
    data = choice.checkpoint.config.data
    signal = cached_signal_of(choice.path, choice.modified, frames)
    return insert_silence(signal, 0, silent * data.hop)


def sound_of(choice: Choice, signal: np.ndarray) -> tuple[np.ndarray, int]:
    """Samples and their number a second: of a waveform itself, of a piano roll as it is played."""
    data = choice.checkpoint.config.data
    return play(signal, data.frames_per_quarter) if data.kind.notes else (signal, data.sample_rate)


def play(roll: np.ndarray, frames_per_quarter: int, tempo: float = QUARTERS_PER_MINUTE) -> tuple[np.ndarray, int]:
    """The sound of the first minutes of notes, 16-bit samples and their number a second; silence if there are none."""
    roll = roll[: int(MAX_PLAYED_SECONDS / frame_seconds(frames_per_quarter, tempo))]
    if not roll.any():
        return np.zeros(1, np.int16), 16000
    return read_wav(cached_music(roll, frames_per_quarter, tempo))


def time_unit(data: DataConfig) -> str:
    """The unit of the time axis."""
    return data.kind.time_unit


def unit_seconds(data: DataConfig) -> float:
    """Seconds of sound in one unit of the time axis."""
    return data.kind.unit_seconds


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


class Uploaded:
    """A checkpoint that a visitor brought, in a temporary folder that goes when the visit ends.

    Attributes:
        name: What it is called in the list of checkpoints.
        file: Where it is.

    Args:
        name: Its file's name, without harm.
        content: The file, which gets a name of ours.
        features: Kinds of frames that the page is for.

    Raises:
        ValueError: It is no such checkpoint.
        OSError: It cannot be kept, for instance because the disk is full.
    """

    PREFIX = "yours: "

    def __init__(self, name: str, content: bytes, features: tuple[str, ...]):
        self.name = f"{self.PREFIX}{name}"
        folder = tempfile.mkdtemp(prefix="srnn_lab-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.file = Path(folder) / "own.safetensors"
        self.file.write_bytes(content)
        try:
            found = load_checkpoint(self.file).config.data.features
        except ValueError as error:
            raise ValueError(str(error).replace(str(self.file), name)) from error
        if found not in features:
            raise ValueError(f"{name} takes {found!r} frames; this page is for {' or '.join(features)}.")


def owned(key: str, *owner: object) -> str:
    """The key of a slider whose value belongs to ``owner``, as times do to a clip.

    A slider of another range or step is another widget to Streamlit, which under the same key would get the value of
    the old one from the address.
    """
    return "-".join(map(str, (key, *owner)))


def bundled_clips(features: str) -> dict[str, Path]:
    """The clips that models of such frames can take, by name."""
    if KINDS[features].notes:
        return clip_names(ASSETS / "chorales", "*.mid")
    labelled = {f"reader/{name}": path for name, path in clip_names(ASSETS / "reader", "*.flac").items()}
    return clip_names(ASSETS / "voice", "**/*.flac") | labelled


def clip_names(folder: Path, pattern: str) -> dict[str, Path]:
    """Clips by the name a visitor reads; speech clips of 2 to 4 s come first."""
    import soundfile

    paths = sorted(folder.glob(pattern))
    if folder.name == "voice":
        paths.sort(key=lambda path: not 2 <= soundfile.info(path).duration <= 4)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def show_figure(figure: go.Figure, key: str, alt: str | None = None) -> None:
    """A figure in the colours of the page; ``alt`` describes it to who cannot see it."""
    dark = st.context.theme.type == "dark"
    figure.update_layout(font_color="#e6e6e6" if dark else "#31333f")
    # On a phone the tools would cover the titles; each page has its own way to keep a figure.
    st.plotly_chart(figure, theme=None, width="stretch", key=key, alt=alt, config={"displayModeBar": False})


def explain(text: str, equation: str, notebooks: Mapping[str, str]) -> None:
    """How to read a panel, folded away.

    Args:
        text: Units, and what to look for.
        equation: What is shown, in LaTeX.
        notebooks: Where to read on: what each notebook does, by its name without ``.ipynb``.
    """
    with st.expander("How to read this"):
        st.latex(equation)
        st.markdown(text)
        read_on = "; ".join(f"`notebooks/{name}.ipynb` {does}" for name, does in notebooks.items())
        st.markdown(f"**Read on**: {read_on}.")
