"""Frames of a waveform: consecutive samples, or log-mel energies; and what happens in a sound.

The command line reads it before anything else, so scipy is imported where it is used.
"""

from dataclasses import asdict, dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int

from srnn_lab.data.frame_kind import AUDIO, FrameKind
from srnn_lab.data.mel import griffin_lim, mel_filters, mel_to_power

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd",
    ".caf", ".w64", ".rf64", ".bw64", ".sph", ".nist", ".voc", ".g722", ".m4a", ".m4b", ".mp4",
    ".aac", ".webm", ".weba", ".mka", ".wma", ".spx", ".amr",
)  # fmt: skip
"""Endings of audio files: what libsndfile reads, and what FFmpeg reads besides."""
LOG_FLOOR = 1e-5
"""Added to mel energies before the logarithm: about 16-bit rounding noise, so that digital silence
stays finite."""
EVENTS = {
    "onset": lambda rise: np.maximum(rise, 0),
    "offset": lambda rise: np.maximum(-rise, 0),
    "change": np.abs,
}
"""What happens in a sound -> which part of the rise of its energies from one frame to the next
tells of it."""
EVENT_BANDS = 80
"""Log-mel bands whose energies the flux averages."""
LEAST_CHANGE = 0.3
"""Nats a band by which the flux exceeds what surrounds it, at least, where something happens: a
held vowel stays below 0.02, white noise with a few exceptions a minute; of the prompts' onsets 96 %
are above."""


@dataclass(frozen=True)
class Sound(FrameKind):
    """Frames of a waveform, full scale 1.

    Attributes:
        sample_rate: Samples a second.
        frame_length: Samples from one frame to the next.
        window_length: Samples of the window of a log-mel frame, and in which onsets are sought.
        dither: Whether noise is added to the samples of a data set.
    """

    sample_rate: int
    frame_length: int
    window_length: int
    dither: bool

    medium = AUDIO
    suffixes = AUDIO_SUFFIXES
    outputs = (".wav",)
    values = "real"
    likelihood = "gaussian"
    change = "onset"
    title = "Waveform"

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.frame_length

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.sample_rate

    def check(self, signal: np.ndarray) -> None:
        """A waveform has one axis, and a frame."""
        if signal.ndim != 1:
            self._refuse(signal)
        if len(signal) < self.window:
            raise ValueError(
                f"The recording has {len(signal)} samples at {self.sample_rate} Hz, fewer than "
                f"one frame ({self.window} samples); give a longer one."
            )

    def described(self, x_dim: int) -> str:
        """All that they are cut by."""
        cut = f"a window of {self.window} and a hop of {self.hop} samples"
        return f"{self.name} of {x_dim} values at {self.rate} Hz, {cut}"

    def windows(self, signal: Float[np.ndarray, "n"]) -> Float[np.ndarray, "t w"]:
        """The samples that each frame covers: a view."""
        return np.lib.stride_tricks.sliding_window_view(signal, self.window)[:: self.hop]

    def as_mel(self) -> "LogMel":
        """Log-mel frames at the same rate and hop."""
        return LogMel(**asdict(self))

    def active(self, signal: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "t"]:
        """Whether each frame is active: its RMS is above 1 % of the clip's largest."""
        rms = np.sqrt((self.windows(signal) ** 2).mean(1))
        return rms > 0.01 * rms.max()

    def changes(
        self, signal: Float[np.ndarray, "n"], frames: Float[np.ndarray, "t x"]
    ) -> tuple[Int[np.ndarray, "c"], Bool[np.ndarray, "t"]]:
        """Onsets of the sound, and where it is not silent."""
        return self.events(signal, len(frames)), self.active(signal)

    def events(
        self, signal: Float[np.ndarray, "n"], num_frames: int, kind: str = "onset"
    ) -> Int[np.ndarray, "c"]:
        """Where something happens in a sound: peaks of spectral flux, picked much as by librosa.

        The flux is the mean over 80 log-mel bands of the rise from one frame to the next (onsets),
        of the fall (offsets) or of either (changes); a peak is the largest within 30 ms and exceeds
        the mean of the 200 ms around it by 7 % of the flux's range, and by ``LEAST_CHANGE``.
        (librosa's own detector compiles for half a minute when it is first imported, and finds
        onsets in a sound without any, since it has no such floor.)

        Args:
            signal: The waveform.
            num_frames: Frames that the model sees of it.
            kind: A name in ``EVENTS``.

        Returns:
            Frame numbers from 0 to ``num_frames`` - 1, in ascending order; none for a sound shorter
            than a window.
        """
        from scipy.ndimage import uniform_filter1d
        from scipy.signal import find_peaks

        if len(signal) < self.window_length:
            return np.zeros(0, int)
        energies = self.as_mel().frames(signal, EVENT_BANDS).astype(np.float32)
        flux = EVENTS[kind](np.diff(energies, axis=0, prepend=energies[:1])).mean(1)
        hop = self.frame_length / self.sample_rate
        peaks, _ = find_peaks(flux, distance=max(1, round(0.03 / hop)))
        least = uniform_filter1d(flux, 2 * round(0.1 / hop) + 1) + max(
            0.07 * np.ptp(flux), LEAST_CHANGE
        )
        samples = peaks[flux[peaks] > least[peaks]] * self.frame_length + self.window_length / 2
        nearest = np.round((samples - self.window / 2) / self.frame_length).astype(int)
        return np.unique(nearest[nearest < num_frames])


@final
@dataclass(frozen=True)
class Raw(Sound):
    """Consecutive samples of the waveform."""

    name = "raw"
    standardised = "as a whole"

    @property
    def window(self) -> int:
        """The frame itself."""
        return self.frame_length

    def check_size(self, x_dim: int) -> None:
        """A frame has the samples up to the next."""
        if x_dim != self.frame_length:
            raise ValueError(
                f"ModelConfig.x_dim is {x_dim}; frames of {self.name!r} have {self.frame_length} "
                "values."
            )

    def called(self, x_dim: int) -> str:
        """What a title calls them."""
        return f"{x_dim} raw samples"

    def frames(self, signal: Float[np.ndarray, "n"], x_dim: int) -> Float[np.ndarray, "t x"]:  # noqa: ARG002
        """The samples: a view."""
        return self.windows(signal)

    def signal(self, frames: Float[np.ndarray, "t x"]) -> Float[np.ndarray, "n"]:
        """The samples one after the other, those beyond full scale limited."""
        from srnn_lab.data.limiter import limit

        return limit(frames.reshape(-1).astype(np.float32), self.sample_rate)


@final
@dataclass(frozen=True)
class LogMel(Sound):
    """Log-mel energies of Hann windows."""

    name = "log-mel"
    standardised = "by value"
    ranged = True
    costly = True

    @property
    def window(self) -> int:
        """Samples of the Hann window."""
        return self.window_length

    def check_size(self, x_dim: int) -> None:
        """There are no more bins than samples in a window, and windows overlap or touch."""
        if x_dim > self.window_length:
            raise ValueError(
                f"ModelConfig.x_dim is {x_dim}; log-mel frames have no more bins than their "
                f"window has samples, {self.window_length}."
            )
        if self.frame_length > self.window_length:
            raise ValueError(
                f"DataConfig.frame_length is {self.frame_length}; from one log-mel frame to the "
                f"next are no more samples than in its window, {self.window_length}."
            )

    def called(self, x_dim: int) -> str:
        """What a title calls them."""
        return f"{x_dim} log-mel bins"

    def _filters(self, x_dim: int) -> Float[np.ndarray, "x f"]:
        return mel_filters(self.sample_rate, self.window_length, x_dim)

    def frames(self, signal: Float[np.ndarray, "n"], x_dim: int) -> Float[np.ndarray, "t x"]:
        """The energies, ten thousand windows at a time."""
        windows, mel = self.windows(signal), self._filters(x_dim).T
        parts = np.array_split(windows, 1 + len(windows) // 10_000)
        return np.concatenate([np.log(_power(part) @ mel + LOG_FLOOR) for part in parts])

    def signal(self, frames: Float[np.ndarray, "t x"]) -> Float[np.ndarray, "n"]:
        """A waveform with these energies (Griffin-Lim phases); beyond full scale it is limited."""
        from srnn_lab.data.limiter import limit

        hop, width = self.frame_length, self.window_length
        values = np.minimum(frames, 2 * np.log(width / 2))  # a full-scale signal has no more
        # The first and last samples lie under the edge of one window, where inversion divides by
        # almost 0: the frames are continued on both sides so that other windows cover them too.
        margin = -(-width // hop)
        energies = np.pad(
            np.maximum(np.exp(values) - LOG_FLOOR, 0), ((margin, margin), (0, 0)), mode="edge"
        )
        powers = mel_to_power(energies.astype(np.float32), self._filters(frames.shape[1]))
        wave = griffin_lim(np.sqrt(powers), hop, width)[margin * hop : -margin * hop]
        return limit(wave, self.sample_rate)


def _power(windows: Float[np.ndarray, "t n"]) -> Float[np.ndarray, "t f"]:
    return np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1] + 1)[:-1])) ** 2
