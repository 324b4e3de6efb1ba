"""Speech: audio files -> waveforms, and the speech data sets."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from srnn_lab.config import DataConfig
from srnn_lab.data.decode import File, decode, open_audio
from srnn_lab.data.kinds import AUDIO_SUFFIXES
from srnn_lab.data.notices import collect_notices, notify
from srnn_lab.data.splits import files_below, read_split, split_of
from srnn_lab.data.storage import FULL_SCALE, read_files
from srnn_lab.system.extras import optional_packages

Waveform = Float[np.ndarray, "n"]

MAX_SECONDS = 7200
"""Longest file that is read: 0.5 GB in memory at 16 kHz."""
MAX_PEAK = 16
"""Largest sample that is read, where full scale is 1; more means that a file is damaged or not
scaled."""
SOUNDS = Path("/usr/share/asterisk/sounds")
VOICES = {
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}
"""Language -> where Debian's asterisk-core-sounds-LANGUAGE-g722 puts its prompts, below ``SOUNDS``.
"""
_TONES = {
    "ascending-2tone",
    "descending-2tone",
    "beep",
    "beeperr",
    "confbridge-join",
    "confbridge-leave",
}
_REPEATED = {
    "en": {"auth-thankyou"},
    "es": {
        "conf-lockednow",
        "dir-intro",
        "pbx-invalid",
        "queue-seconds",
        "vm-and",
        "vm-minutes",
        "vm-pls-try-again",
    },
    "fr": {"dir-intro", "pbx-invalid", "second-time", "vm-and", "vm-message"},
    "it": {"dir-intro", "spy-iax2"},
    "ru": {"is"},  # empty
}
"""Prompts that are the same recording as another one of that voice, or hold one that would be in
another split."""
_MONKEYS = "tt-monkeys"
"""A recording of animals among the prompts."""
_VOICE_SALT = "1/"
"""The first salt with which the test split holds eight prompts of 2 to 4 s."""
BUNDLED_VOICE = Path(__file__).parents[1] / "assets" / "voice"


def read_audio(path: str | Path, sample_rate: int, max_seconds: int = MAX_SECONDS) -> Waveform:
    """A file as one channel at ``sample_rate``, full scale 1: any format of libsndfile or FFmpeg.

    The offset of a sound card (the mean of each channel) is removed: a model of raw samples would
    take it for a sound that it has never heard.

    Args:
        path: A file, or a pipe; more than one channel are averaged, unless they cancel each other.
        sample_rate: Samples a second to resample to.
        max_seconds: Longest file that is read, in seconds. It may have no more samples than a file
            of this length with two channels at 96 kHz.

    Returns:
        The samples (N,) as float32.

    Raises:
        ValueError: The file is empty, no audio, silent, not finite, far beyond full scale, or too
            long.
        FileNotFoundError: There is no such file.
    """
    path = Path(path)
    with open_audio(path) as file:
        runs = _read_runs(path, file, max_seconds)
        if not runs:
            raise ValueError(f"{path} holds no samples; it may be truncated.")
        if all((run.low == run.high).all() for run in runs):
            raise ValueError(
                f"{path} is silent: every sample is the same; give a recording with sound."
            )
        if any(run.cancels for run in runs):
            loudest = [int(run.power.argmax()) if run.cancels else None for run in runs]
            notify(
                f"{path} has channels of opposite phase, which cancel each other when they are "
                "averaged; channel "
                f"{1 + next(channel for channel in loudest if channel is not None)} alone, the "
                "loudest, was read."
            )
            with collect_notices():  # said when it was read first
                runs = _read_runs(path, file, max_seconds, loudest)
    wave = np.concatenate([run.mono(sample_rate) for run in runs])
    if not len(wave):
        raise ValueError(
            f"{path} is shorter than one sample at {sample_rate} Hz; its own rate may be wrong."
        )
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
        self._count, self._sums, self._squares = (
            0,
            np.zeros(num_channels + 1),
            np.zeros(num_channels + 1),
        )

    def add(self, block: Float[np.ndarray, "n c"]) -> None:
        mono = block.mean(1)
        self.low, self.high = (
            np.minimum(self.low, block.min(0)),
            np.maximum(self.high, block.max(0)),
        )
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

        So 16-bit samples stay 16-bit samples, and training, which stores those, sees what an
        inspection sees. A high-pass would remove a slow drift as well, but change every sample of
        every recording.

        Returns:
            The samples (N,) as float32 with full scale 1.
        """
        with optional_packages():
            import soxr

        steps = np.round(self._sums[:-1] / self._count * FULL_SCALE)
        step = steps.mean() if self.channel is None else steps[self.channel]
        wave = np.concatenate(self._blocks)
        wave -= np.float32(step / FULL_SCALE)
        return wave if self.rate == sample_rate else soxr.resample(wave, self.rate, sample_rate)


def _read_runs(
    path: Path, file: File, max_seconds: int, channels: list[int | None] | None = None
) -> list[_Run]:
    runs: list[_Run] = []
    for block, rate in decode(path, file, max_seconds):
        if not len(block):
            continue
        if not np.isfinite(block).all():
            raise ValueError(
                f"{path} has samples that are not finite numbers (NaN or infinity); export it "
                "again."
            )
        if (peak := np.abs(block).max()) > MAX_PEAK:
            raise ValueError(
                f"{path} has samples up to {peak:.3g}, where full scale is 1; scale it down."
            )
        if not runs or (runs[-1].rate, len(runs[-1].low)) != (rate, block.shape[1]):
            runs.append(_Run(rate, block.shape[1], channels[len(runs)] if channels else None))
        runs[-1].add(block)
    return runs


def audio_files(folder: Path, suffixes: tuple[str, ...] = AUDIO_SUFFIXES) -> dict[str, Path]:
    """All audio files below a folder, by their path without the ending; of one name, the last."""
    return {
        p.relative_to(folder).with_suffix("").as_posix(): p for p in files_below(folder, suffixes)
    }


def voice(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """The English telephone prompts (one voice, about 25 minutes), split 90/5/5 by prompt name.

    The test split is bundled. The others come from ``data_dir``/voice or from the installed Debian
    package.

    Args:
        config: The sample rate, to which recordings are resampled.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files, if one was named.

    Returns:
        Waveforms (N,) at the sample rate of ``config``, by name.

    Raises:
        FileNotFoundError: The prompts are neither in ``data_dir`` nor installed.
    """
    return read_files(
        _prompts("en", "voice", split, data_dir), lambda path: read_audio(path, config.sample_rate)
    )


def voices(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """The telephone prompts in five languages, each about 25 minutes of one voice.

    The English ones are split as in ``voice``.

    Args:
        config: The sample rate, to which recordings are resampled.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files, if one was named.

    Returns:
        Waveforms (N,) at the sample rate of ``config``, by ``LANGUAGE/NAME``.

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
    folder = (
        SOUNDS / VOICES[language]
        if data_dir is None or not (data_dir / place).is_dir()
        else data_dir / place
    )
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The prompts of {place!r} are not on this machine. Install Debian's package "
            f"asterisk-core-sounds-{language}-g722, or put its .g722 files into the folder "
            f"{place} below --data-dir."
        )
    # Not the 8 kHz versions of other packages, which have another ending.
    files = {
        name: path
        for name, path in audio_files(folder, (".g722",)).items()
        if not name.startswith("silence/") and name not in _TONES | _REPEATED[language]
    }
    chosen = split_of(files, 0.05, 0.05, _VOICE_SALT)
    # Left out last, so that the split of the others does not depend on it. Of the published prompts
    # ``bundled`` leaves out none; of another collection, those that the bundled test split holds.
    left_out = {*bundled, _MONKEYS}
    return {
        name: path for name, path in files.items() if chosen[name] == split and name not in left_out
    }


def timit(config: DataConfig, split: str, data_dir: Path | None) -> dict[str, np.ndarray]:
    """TIMIT in its own layout, TRAIN|TEST/DR*/SPEAKER/*.WAV.

    The test set is the predefined one; the training speakers are split 95/5.

    Args:
        config: The sample rate, to which recordings are resampled.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files, if one was named.

    Returns:
        Waveforms (N,) at the sample rate of ``config``, by ``PART/NAME`` with the part ``train`` or
        ``test`` of the layout.

    Raises:
        FileNotFoundError: ``data_dir``/timit does not hold that layout.
    """
    return read_files(
        timit_files(split, data_dir), lambda path: read_audio(path, config.sample_rate)
    )


def timit_files(split: str, data_dir: Path | None) -> dict[str, Path]:
    """The recordings of one split.

    Returns:
        The path of each recording by ``PART/NAME``, with the part ``train`` or ``test`` of the
        layout.

    Raises:
        FileNotFoundError: ``data_dir``/timit does not hold that layout.
    """
    root = _corpus("timit", data_dir)
    files: dict[str, Path] = {}
    for part in ("train", "test"):
        folders = [p for p in sorted(root.rglob("*")) if p.is_dir() and p.name.lower() == part]
        if not folders:
            raise FileNotFoundError(
                f"{root} has no folder {part.upper()}; TIMIT has TRAIN and TEST, with DR1 to DR8 "
                "in each."
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
    """Blizzard 2013: every audio file below ``data_dir``/blizzard, split 90/5/5 by file.

    Args:
        config: The sample rate, to which recordings are resampled.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files, if one was named.

    Returns:
        Waveforms (N,) by name: whole files to train on, and chunks of 0.5 s to score (A.1).

    Raises:
        FileNotFoundError: There is no such folder.
    """
    recordings = read_split(
        audio_files(_corpus("blizzard", data_dir)),
        split,
        lambda path: read_audio(path, config.sample_rate),
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
            f"The data set {name!r} is licensed and not bundled: put it into the folder {name} "
            "below a folder of your own, and name that folder with --data-dir or SRNN_LAB_DATA."
        )
    return data_dir / name
