"""Speech: audio files <-> waveforms <-> standardised frames, and the speech data sets."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from srnn_lab.config import DataConfig
from srnn_lab.data.decode import AUDIO_SUFFIXES, File, decode, open_audio
from srnn_lab.data.limiter import limit
from srnn_lab.data.mel import griffin_lim, mel_filters, mel_to_power
from srnn_lab.data.notices import collect_notices, notify
from srnn_lab.data.splits import files_below, read_split, split_of
from srnn_lab.data.storage import FULL_SCALE, on_disk, read_files, widen

Waveform = Float[np.ndarray, "n"]
FrameArray = Float[np.ndarray, "t x"]

MAX_SECONDS = 7200
"""Longest file that is read: 0.5 GB in memory at 16 kHz."""
MAX_PEAK = 16
"""Largest sample that is read, where full scale is 1; more means that a file is damaged or not scaled."""
FAR = 5
"""Standard deviations from a bin's mean beyond which a log-mel energy is not heard: the prompts' reach from -2.1 to 5.9
(in half of the bins to 3.3 at most)."""
LOG_FLOOR = 1e-5
"""Added to mel energies before the logarithm: about 16-bit rounding noise, so that digital silence stays finite."""
SOUNDS = Path("/usr/share/asterisk/sounds")
VOICES = {
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}
"""Language -> where Debian's asterisk-core-sounds-LANGUAGE-g722 puts its prompts, below ``SOUNDS``."""
_TONES = {"ascending-2tone", "descending-2tone", "beep", "beeperr", "confbridge-join", "confbridge-leave"}
_REPEATED = {
    "en": {"auth-thankyou"},
    "es": {"conf-lockednow", "dir-intro", "pbx-invalid", "queue-seconds", "vm-and", "vm-minutes", "vm-pls-try-again"},
    "fr": {"dir-intro", "pbx-invalid", "second-time", "vm-and", "vm-message"},
    "it": {"dir-intro", "spy-iax2"},
    "ru": {"is"},  # empty
}
"""Prompts that are the same recording as another one of that voice, or hold one that would be in another split."""
_MONKEYS = "tt-monkeys"
"""A recording of animals among the prompts."""
_VOICE_SALT = "1/"
"""The first salt with which the test split holds eight prompts of 2 to 4 s."""
BUNDLED_VOICE = Path(__file__).parents[1] / "assets" / "voice"


def read_audio(path: str | Path, sample_rate: int, max_seconds: int = MAX_SECONDS) -> Waveform:
    """An audio file as one channel at ``sample_rate``, full scale 1: any format of libsndfile or FFmpeg.

    The offset of a sound card (the mean of each channel) is removed: a model of raw samples would take it for a sound
    that it has never heard.

    Args:
        path: A file, or a pipe; more than one channel are averaged, unless they cancel each other.
        sample_rate: Samples a second to resample to.
        max_seconds: Longest file that is read; of as many samples as that long a file of two channels at 96 kHz has.

    Raises:
        ValueError: The file is empty, no audio, silent, not finite, far beyond full scale, or too long.
    """
    path = Path(path)
    with open_audio(path) as file:
        runs = _read_runs(path, file, max_seconds)
        if not runs:
            raise ValueError(f"{path} holds no samples; it may be truncated.")
        if all((run.low == run.high).all() for run in runs):
            raise ValueError(f"{path} is silent: every sample is the same; give a recording with sound.")
        if any(run.cancels for run in runs):
            loudest = [int(run.power.argmax()) if run.cancels else None for run in runs]
            notify(
                f"{path} has channels of opposite phase, which cancel each other when they are averaged; channel "
                f"{1 + next(channel for channel in loudest if channel is not None)} alone, the loudest, was read."
            )
            with collect_notices():  # said when it was read first
                runs = _read_runs(path, file, max_seconds, loudest)
    wave = np.concatenate([run.mono(sample_rate) for run in runs])
    if not len(wave):
        raise ValueError(f"{path} is shorter than one sample at {sample_rate} Hz; its own rate may be wrong.")
    return wave


class _Run:
    """What was read at one sample rate and number of channels, mixed to one channel.

    Attributes:
        rate: Samples a second.
        channel: The channel that is kept; None: their average.
        low, high: Smallest and largest sample of each channel.
    """

    def __init__(self, rate: int, num_channels: int, channel: int | None):
        self.rate, self.channel = rate, channel
        self.low, self.high = np.full(num_channels, np.inf), np.full(num_channels, -np.inf)
        self._blocks: list[np.ndarray] = []
        # Of each channel, and of their average.
        self._count, self._sums, self._squares = 0, np.zeros(num_channels + 1), np.zeros(num_channels + 1)

    def add(self, block: Float[np.ndarray, "n c"]) -> None:
        mono = block.mean(1)
        self.low, self.high = np.minimum(self.low, block.min(0)), np.maximum(self.high, block.max(0))
        wide = np.column_stack([block, mono]).astype(np.float64)
        self._count, self._sums, self._squares = (
            self._count + len(block),
            self._sums + wide.sum(0),
            self._squares + (wide**2).sum(0),
        )
        self._blocks.append(mono if self.channel is None else block[:, self.channel])

    @property
    def power(self) -> Float[np.ndarray, "c"]:
        """The variance of each channel."""
        return self._variances[:-1]

    @property
    def cancels(self) -> bool:
        """Whether the average of the channels has less than 1 % of their power."""
        return bool(self._variances[-1] < 0.01 * self.power.mean())

    @property
    def _variances(self) -> Float[np.ndarray, "m"]:
        return np.maximum(self._squares / self._count - (self._sums / self._count) ** 2, 0)

    def mono(self, sample_rate: int) -> Waveform:
        """The samples without their offset, rounded to steps of 16 bits, at ``sample_rate``.

        So 16-bit samples stay 16-bit samples, and training, which stores those, sees what an inspection sees. A
        high-pass would remove a slow drift as well, but change every sample of every recording.
        """
        import soxr

        steps = np.round(self._sums[:-1] / self._count * FULL_SCALE)
        step = steps.mean() if self.channel is None else steps[self.channel]
        wave = np.concatenate(self._blocks)
        wave -= np.float32(step / FULL_SCALE)
        return wave if self.rate == sample_rate else soxr.resample(wave, self.rate, sample_rate)


def _read_runs(path: Path, file: File, max_seconds: int, channels: list[int | None] | None = None) -> list[_Run]:
    runs: list[_Run] = []
    for block, rate in decode(path, file, max_seconds):
        if not len(block):
            continue
        if not np.isfinite(block).all():
            raise ValueError(f"{path} has samples that are not finite numbers (NaN or infinity); export it again.")
        if (peak := np.abs(block).max()) > MAX_PEAK:
            raise ValueError(f"{path} has samples up to {peak:.3g}, where full scale is 1; scale it down.")
        if not runs or (runs[-1].rate, len(runs[-1].low)) != (rate, block.shape[1]):
            runs.append(_Run(rate, block.shape[1], channels[len(runs)] if channels else None))
        runs[-1].add(block)
    return runs


@dataclass(frozen=True)
class Frontend:
    """Signals <-> the frames a model sees; the mean and deviation come from the training set.

    Attributes:
        config: What a frame is.
        mean: Subtracted: one number for raw samples, one a bin for log-mel energies, 0 for piano rolls.
        std: Divided by afterwards; of the same shape.
        low, high: Range of each bin of log-mel energies in the training set; None, as in older checkpoints: ``FAR``
            deviations around the mean.
    """

    config: DataConfig
    mean: Float[np.ndarray, "*x"]
    std: Float[np.ndarray, "*x"]
    low: Float[np.ndarray, "*r"] | None = None
    high: Float[np.ndarray, "*r"] | None = None

    @classmethod
    def fit(cls, config: DataConfig, x_dim: int, signals: Iterable[np.ndarray]) -> "Frontend":
        """The front end whose frames of ``signals`` have mean 0 and deviation 1.

        Raises:
            ValueError: A signal cannot be cut into frames, or a value is the same in all frames.
        """
        plain = cls(config, np.zeros((), np.float32), np.ones((), np.float32))
        if config.features == "roll":
            return plain
        axis = None if config.features == "raw" else 0
        count, mean, squares, low, high = 0, 0.0, 0.0, np.inf, -np.inf
        for signal in signals:
            frames = plain.frames(signal, x_dim)
            low, high = np.minimum(low, frames.min(axis)), np.maximum(high, frames.max(axis))
            # Chan et al.: the mean and the squared deviations of the signals so far and of this one -> of both.
            n, shift = len(frames), frames.mean(axis, dtype=np.float64) - mean
            squares += n * frames.var(axis, dtype=np.float64) + shift**2 * count * n / (count + n)
            mean, count = mean + shift * n / (count + n), count + n
        if (low == high).any():
            raise ValueError(
                "A value is the same in all training frames, so it cannot be standardised; give recordings with sound "
                "or, for log-mel frames, a smaller x_dim or a longer window_length."
            )
        extremes = (low, high) if config.features == "log-mel" else ()
        return cls(config, np.asarray(mean, np.float32), np.asarray(np.sqrt(squares / count), np.float32), *extremes)

    def check(self, signal: np.ndarray) -> None:
        """Whether ``signal`` can be cut into frames.

        Raises:
            ValueError: It is of the wrong kind, or shorter than one frame.
        """
        if (signal.ndim == 2) != (self.config.features == "roll"):
            takes, given = ("MIDI", "audio") if self.config.features == "roll" else ("audio", "MIDI")
            raise ValueError(
                f"The model was trained on {takes} and was given {given}; choose a file or model to match."
            )
        if len(signal) < self.config.window:
            raise ValueError(
                f"The recording has {len(signal)} samples at {self.config.sample_rate} Hz, fewer than one frame "
                f"({self.config.window} samples); give a longer one."
            )

    def frames(self, signal: np.ndarray, x_dim: int) -> FrameArray:
        """The frames of a piano roll or of a waveform; a tail shorter than a frame is dropped.

        Raises:
            ValueError: The signal is of the wrong kind, or shorter than one frame.
        """
        self.check(signal)
        signal = widen(signal)
        if self.config.features == "roll":
            return signal
        windows = np.lib.stride_tricks.sliding_window_view(signal, self.config.window)[:: self.config.frame_length]
        if self.config.features == "log-mel":
            mel, parts = self._mel(x_dim).T, np.array_split(windows, 1 + len(windows) // 10_000)
            windows = np.concatenate([np.log(_power(part) @ mel + LOG_FLOOR) for part in parts])
        return ((windows - self.mean) / self.std).astype(np.float32)

    def sequences(self, signals: Iterable[np.ndarray], x_dim: int) -> "list[FrameArray] | list[LazyFrames]":
        """The frames of each signal, made when a batch takes them.

        Log-mel frames take longer to make and no more room than their signals, so they are made once, and kept on disk.

        Raises:
            ValueError: A signal is of the wrong kind, or shorter than one frame.
        """
        lazy = [LazyFrames(self, signal, x_dim) for signal in signals]
        return on_disk(lazy, lambda sequence: sequence[:]) if self.config.features == "log-mel" else lazy

    def _mel(self, x_dim: int) -> Float[np.ndarray, "x f"]:
        return mel_filters(self.config.sample_rate, self.config.window_length, x_dim)

    def waveform(self, frames: FrameArray) -> Waveform:
        """The waveform of raw frames; of log-mel frames, one with these energies (Griffin-Lim phases).

        Energies that the training set never had, as some draws have them, are brought into its range, and what exceeds
        full scale is limited.
        """
        values = frames * self.std + self.mean
        if self.config.features == "raw":
            return limit(values.reshape(-1).astype(np.float32), self.config.sample_rate)
        hop, width = self.config.frame_length, self.config.window_length
        low = self.mean - FAR * self.std if self.low is None else self.low
        high = self.mean + FAR * self.std if self.high is None else self.high
        values = np.clip(values, low, np.minimum(high, 2 * np.log(width / 2)))  # a full-scale signal has no more
        # The first and last samples lie under the edge of one window, where inversion divides by almost 0: the frames
        # are continued on both sides so that other windows cover them too.
        margin = -(-width // hop)
        energies = np.pad(np.maximum(np.exp(values) - LOG_FLOOR, 0), ((margin, margin), (0, 0)), mode="edge")
        powers = mel_to_power(energies.astype(np.float32), self._mel(frames.shape[1]))
        wave = griffin_lim(np.sqrt(powers), hop, width)[margin * hop : -margin * hop]
        return limit(wave, self.config.sample_rate)

    def times(self, num_frames: int) -> Float[np.ndarray, "t"]:
        """Middle of each frame: seconds from the start of a waveform, quarter notes from the start of a piano roll."""
        return (np.arange(num_frames) * self.config.hop + self.config.window / 2) / self.config.rate


@dataclass(frozen=True)
class LazyFrames:
    """The frames of one signal, made when they are sliced.

    Attributes:
        frontend: What makes them.
        signal: A piano roll or a waveform, in any type.
        x_dim: Values in one frame.
    """

    frontend: Frontend
    signal: np.ndarray
    x_dim: int

    def __post_init__(self):
        self.frontend.check(self.signal)

    def __len__(self) -> int:
        return 1 + (len(self.signal) - self.frontend.config.window) // self.frontend.config.hop

    def __getitem__(self, part: slice) -> FrameArray:
        start, stop, _ = part.indices(len(self))
        hop, window = self.frontend.config.hop, self.frontend.config.window
        return self.frontend.frames(self.signal[start * hop : (stop - 1) * hop + window], self.x_dim)


def _power(windows: Float[np.ndarray, "t n"]) -> Float[np.ndarray, "t f"]:
    return np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1] + 1)[:-1])) ** 2


def audio_files(folder: Path, suffixes: tuple[str, ...] = AUDIO_SUFFIXES) -> dict[str, Path]:
    """All audio files below a folder, by their path without the ending; of files with one name, the last."""
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in files_below(folder, suffixes)}


def voice(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """The English telephone prompts (one voice, about 25 minutes), split 90/5/5 by prompt name.

    The test split is bundled. The others come from ``data_dir``/voice or from the installed Debian package.

    Raises:
        FileNotFoundError: The prompts are neither in ``data_dir`` nor installed.
    """
    return read_files(_prompts("en", "voice", split, data_dir), lambda path: read_audio(path, config.sample_rate))


def voices(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """The telephone prompts in five languages, each about 25 minutes of one voice; the English ones split as ``voice``.

    Raises:
        FileNotFoundError: A language is neither in ``data_dir``/voices nor installed.
    """
    files = {
        f"{language}/{name}": path
        for language in VOICES
        for name, path in _prompts(language, f"voices/{language}", split, data_dir).items()
    }
    return read_files(files, lambda path: read_audio(path, config.sample_rate))


def _prompts(language: str, place: str, split: str, data_dir: Path | None) -> dict[str, Path]:
    bundled = audio_files(BUNDLED_VOICE) if language == "en" and BUNDLED_VOICE.is_dir() else {}
    if split == "test" and bundled:
        return bundled
    folder = SOUNDS / VOICES[language] if data_dir is None or not (data_dir / place).is_dir() else data_dir / place
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The prompts of {place!r} are not on this machine. Install Debian's package "
            f"asterisk-core-sounds-{language}-g722, or put its .g722 files into the folder {place} below --data-dir."
        )
    files = {
        name: path
        for name, path in audio_files(folder, (".g722",)).items()  # not the 8 kHz versions of other packages
        if not name.startswith("silence/") and name not in _TONES | _REPEATED[language]
    }
    chosen = split_of(files, 0.05, 0.05, _VOICE_SALT)
    # Left out last, so that the split of the others does not depend on it. Of the published prompts ``bundled`` leaves
    # out none; of another collection, those that the bundled test split holds.
    left_out = {*bundled, _MONKEYS}
    return {name: path for name, path in files.items() if chosen[name] == split and name not in left_out}


def timit(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """TIMIT in its own layout, TRAIN|TEST/DR*/SPEAKER/*.WAV: the predefined test set, 95/5 of the training speakers.

    Raises:
        FileNotFoundError: ``data_dir``/timit does not hold that layout.
    """
    return read_files(timit_files(split, data_dir), lambda path: read_audio(path, config.sample_rate))


def timit_files(split: str, data_dir: Path | None) -> dict[str, Path]:
    """The recordings of one split, by name.

    Raises:
        FileNotFoundError: ``data_dir``/timit does not hold that layout.
    """
    root = _corpus("timit", data_dir)
    files: dict[str, Path] = {}
    for part in ("train", "test"):
        folders = [p for p in sorted(root.rglob("*")) if p.is_dir() and p.name.lower() == part]
        if not folders:
            raise FileNotFoundError(
                f"{root} has no folder {part.upper()}; TIMIT has TRAIN and TEST, with DR1 to DR8 in each."
            )
        files |= {f"{part}/{name}": path for name, path in audio_files(folders[0]).items()}
    # Some copies hold each SPHERE file a second time, as NAME.WAV.wav.
    files = {name: path for name, path in files.items() if not name.lower().endswith(".wav")}
    speakers = split_of({_speaker(name) for name in files if name.startswith("train/")}, 0.05, 0.0)
    return {
        name: path
        for name, path in files.items()
        if (speakers[_speaker(name)] if name.startswith("train/") else "test") == split
    }


def _speaker(name: str) -> str:
    return name.split("/")[-2].upper()  # some copies of TIMIT are in lower case


def blizzard(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """Blizzard 2013: every audio file below ``data_dir``/blizzard, 90/5/5 by file; scored in chunks of 0.5 s (A.1)."""
    recordings = read_split(
        audio_files(_corpus("blizzard", data_dir)), split, lambda path: read_audio(path, config.sample_rate)
    )
    if split == "train":
        return recordings
    half = config.sample_rate // 2
    return {
        f"{name}-{i:05d}": wave[i * half : (i + 1) * half]
        for name, wave in recordings.items()
        for i in range(len(wave) // half)
    }


def _corpus(name: str, data_dir: Path | None) -> Path:
    if data_dir is None or not (data_dir / name).is_dir():
        raise FileNotFoundError(
            f"The data set {name!r} is licensed and not bundled: put it into the folder {name} below a folder of your "
            f"own, and name that folder with --data-dir or SRNN_LAB_DATA."
        )
    return data_dir / name
