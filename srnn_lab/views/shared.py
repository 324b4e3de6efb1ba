"""What the pages share: cached loaders, the choice of checkpoint and clip at the side, figures in the page's look."""

import io
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st
import torch

from srnn_lab.audio import QUARTERS_PER_MINUTE, midi_to_wav, roll_to_midi, wav_bytes
from srnn_lab.checkpoint import ASSETS, Checkpoint, list_checkpoints, load_checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data import read_signal
from srnn_lab.edits import transpose
from srnn_lab.generate import generate
from srnn_lab.inspection import Inspection, inspect_signal

FIRST = "voice-mel"
ABOUT = {
    "voice-mel": "One voice, trained on log-mel frames: spikes where the sound changes.",
    "voice": "The same voice, trained on raw samples as in the paper: the KL follows voicing, and leaps at a break.",
    "jsb": "Bach chorales: spikes where the chord changes.",
}
UPLOADS = {"roll": ["mid", "midi"], "raw": ["wav", "flac", "ogg", "mp3"], "log-mel": ["wav", "flac", "ogg", "mp3"]}


@st.cache_resource(max_entries=8, show_spinner="Loading the checkpoint …")
def cached_checkpoint(path: str, modified: float) -> Checkpoint:  # noqa: ARG001 (a new file is a new entry)
    """A checkpoint, read once."""
    return load_checkpoint(path)


@st.cache_data(max_entries=16, show_spinner=False)
def cached_signal(
    path: str, modified: float, content: bytes, name: str, semitones: int
) -> tuple[np.ndarray, list[str]]:
    """The signal of a file, transposed if it is music, with what its reader warned of."""
    config = cached_checkpoint(path, modified).config.data
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        file = Path(folder) / name
        file.write_bytes(content)
        try:
            signal = read_signal(file, config)
        except ValueError as error:
            raise ValueError(_without_folder(str(error), folder)) from error
    messages = [_without_folder(str(w.message), folder) for w in caught if w.category is UserWarning]
    return (transpose(signal, semitones) if semitones else signal), messages


def _without_folder(message: str, folder: str) -> str:
    return message.replace(f"{folder}/", "")


@st.cache_data(max_entries=64, show_spinner="Running the model over the clip …")
def cached_inspection(path: str, modified: float, content: bytes, name: str, semitones: int) -> Inspection:
    """What the model makes of a clip; the file's bytes are the key, since Streamlit only samples large arrays."""
    return inspect_signal(cached_checkpoint(path, modified), cached_signal(path, modified, content, name, semitones)[0])


@st.cache_data(max_entries=8, show_spinner="Playing the notes …")
def cached_music(roll: np.ndarray, frames_per_quarter: int) -> tuple[bytes, bytes]:
    """A piano roll as a MIDI file and as sound."""
    midi = roll_to_midi(roll, frames_per_quarter)
    return midi, midi_to_wav(midi)


@st.cache_data(max_entries=16, show_spinner="Turning the reconstruction into sound …")
def cached_waveform(path: str, modified: float, frames: np.ndarray) -> np.ndarray:
    """The waveform of audio frames."""
    return cached_checkpoint(path, modified).frontend.waveform(frames)


def cached_sound(path: str, modified: float, frames: np.ndarray) -> bytes:
    """The sound of audio frames."""
    return wav_bytes(cached_waveform(path, modified, frames), cached_checkpoint(path, modified).config.data.sample_rate)


@st.cache_data(max_entries=32, show_spinner="Drawing from the model …")
def cached_sample(path: str, modified: float, steps: int, seed: int, prefix: np.ndarray | None) -> np.ndarray:
    """A piano roll drawn from the model, after its prefix if there is one."""
    checkpoint = cached_checkpoint(path, modified)
    primed = None if prefix is None else torch.as_tensor(prefix)[None]
    first_frame = checkpoint.config.evaluation.first_frame
    drawn = generate(checkpoint.model, steps, prefix=primed, first_frame=first_frame, seed=seed)[0].numpy()
    return drawn if prefix is None else np.concatenate([prefix, drawn])


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
    content: bytes
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


def sound_of(choice: Choice, signal: np.ndarray) -> tuple[np.ndarray, int]:
    """Samples and their number a second: of a waveform itself, of a piano roll as it is played."""
    data = choice.checkpoint.config.data
    if data.features != "roll":
        return signal, data.sample_rate
    if not signal.any():
        return np.zeros(1, np.float32), data.sample_rate
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(cached_music(signal, data.frames_per_quarter)[1]), always_2d=True)
    return samples.mean(1), rate


def time_unit(data: DataConfig) -> str:
    """The unit of the time axis."""
    return "quarter notes" if data.features == "roll" else "s"


def unit_seconds(data: DataConfig) -> float:
    """Seconds of sound in one unit of the time axis."""
    return 60 / QUARTERS_PER_MINUTE if data.features == "roll" else 1.0


def checkpoints() -> dict[str, Path]:
    """The bundled checkpoints and those of ``runs``, by name, the first page's first."""
    own = {str(path.parent): path for path in sorted(Path("runs").glob("*/best.safetensors"))}
    found = list_checkpoints() | own
    return {name: found[name] for name in sorted(found, key=lambda name: (name != FIRST, name in own, name))}


def choose() -> Choice:
    """The checkpoint and the clip that are chosen at the side, with what the clip's reader warned of.

    Raises:
        ValueError: The file is no such checkpoint or clip.
    """
    found = checkpoints()
    name = st.sidebar.selectbox("Checkpoint", list(found), key="checkpoint", bind="query-params")
    st.sidebar.caption(ABOUT.get(name, "A model of your own."))
    path, modified = str(found[name]), found[name].stat().st_mtime
    features = cached_checkpoint(path, modified).config.data.features
    content, file_name = choose_clip(features)
    choice = Choice(path, modified, content, file_name, choose_transposition() if features == "roll" else 0)
    for message in cached_signal(*choice)[1]:
        st.warning(message)
    return choice


def choose_clip(features: str) -> tuple[bytes, str]:
    """The bytes and the name of the chosen or uploaded file."""
    folder, clips = "chorales" if features == "roll" else "voice", bundled_clips(features)
    own = st.session_state.get(f"upload-{folder}") is not None
    key = "clip" if features == "roll" else "prompt"
    name = st.sidebar.selectbox("Clip", list(clips), key=key, bind="query-params", disabled=own)
    uploaded = st.sidebar.file_uploader("Or your own file", type=UPLOADS[features], key=f"upload-{folder}")
    if uploaded is not None:
        st.sidebar.caption("Remove your file to choose a clip again.")
        return uploaded.getvalue(), Path(uploaded.name).name[-100:]
    return clips[name].read_bytes(), clips[name].name


def choose_other(choice: Choice) -> tuple[bytes, str]:
    """The bytes and the name of another bundled clip of the same kind."""
    clips = bundled_clips(choice.checkpoint.config.data.features)
    names = [name for name, path in clips.items() if path.name != choice.name]
    music = choice.checkpoint.config.data.features == "roll"
    name = st.selectbox("Another clip", names, key="other-clip" if music else "other-prompt", bind="query-params")
    return clips[name].read_bytes(), clips[name].name


def reset_with(key: str, owner: object, value: object) -> None:
    """Set a widget back when ``owner`` is another than at the last run: times belong to one clip."""
    last = st.session_state.setdefault(f"{key} of", owner)
    if last != owner:
        st.session_state[f"{key} of"] = owner
        st.session_state[key] = value


def choose_transposition() -> int:
    """Semitones up."""
    semitones = st.sidebar.number_input("Transpose (semitones)", -24, 24, 0, key="transpose")
    st.sidebar.caption(
        "The chorales it was trained on stand in C, an octave above the written music; the clips do too."
    )
    return int(semitones)


def bundled_clips(features: str) -> dict[str, Path]:
    """The clips that models of such frames can take, by name."""
    return clip_names(ASSETS / "chorales", "*.mid") if features == "roll" else clip_names(ASSETS / "voice", "**/*.flac")


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
    st.plotly_chart(figure, theme=None, width="stretch", key=key, alt=alt)


def explain(text: str, equation: str) -> None:
    """How to read a panel, folded away: the equation, units, what to look for, where to read on."""
    with st.expander("How to read this"):
        st.latex(equation)
        st.markdown(text)
