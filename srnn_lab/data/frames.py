"""Signals <-> the standardised frames that a model sees."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from srnn_lab.config import DataConfig
from srnn_lab.data.storage import on_disk, widen

FrameArray = Float[np.ndarray, "t x"]

FAR = 5
"""Standard deviations from a bin's mean beyond which a log-mel energy is not heard: the prompts'
reach from -2.1 to 5.9 (in half of the bins to 3.3 at most)."""


@dataclass(frozen=True)
class Frontend:
    """Signals <-> the frames a model sees; the mean and deviation come from the training set.

    Attributes:
        config: What a frame is.
        mean: Subtracted: one number for raw samples, one a bin for log-mel energies, 0 for piano
            rolls.
        std: Divided by afterwards; of the same shape.
        u_mean, u_std: The same of known inputs; None where there are none.
        low, high: Range of each bin of log-mel energies in the training set; None, as in older
            checkpoints: ``FAR`` deviations around the mean.
    """

    config: DataConfig
    mean: Float[np.ndarray, "*x"]
    std: Float[np.ndarray, "*x"]
    low: Float[np.ndarray, "*r"] | None = None
    high: Float[np.ndarray, "*r"] | None = None
    u_mean: Float[np.ndarray, "u"] | None = None
    u_std: Float[np.ndarray, "u"] | None = None

    @classmethod
    def plain(cls, config: DataConfig) -> "Frontend":
        """The front end that standardises nothing."""
        return cls(config, np.zeros((), np.float32), np.ones((), np.float32))

    @classmethod
    def fit(cls, config: DataConfig, x_dim: int, signals: Iterable[np.ndarray]) -> "Frontend":
        """The front end whose frames of ``signals`` have mean 0 and deviation 1.

        Args:
            config: What a frame is.
            x_dim: Values in one frame.
            signals: The training set.

        Returns:
            The front end with the mean and deviation of each value or of all, as the kind of frames
            wants it. Missing values (NaN) do not count.

        Raises:
            ValueError: A signal cannot be cut into frames, or a value is the same in all frames.
        """
        plain, kind, found = cls.plain(config), config.kind, {}
        if kind.input_names:
            signals = list(signals)  # which are gone through twice
            inputs = (kind.parts(widen(signal))[1] for signal in signals)
            found["u_mean"], found["u_std"], *_ = _moments_of(inputs, 0, kind.input_names)  # pyright: ignore[reportArgumentType] (it has inputs)
        if kind.standardised == "no":
            return replace(plain, **found)
        frames = (plain.frames(signal, x_dim) for signal in signals)
        axis = None if kind.standardised == "as a whole" else 0
        mean, std, low, high = _moments_of((own[:, :x_dim] for own in frames), axis, kind.names)
        return cls(config, mean, std, *((low, high) if kind.ranged else ()), **found)

    def frames(self, signal: np.ndarray, x_dim: int) -> FrameArray:
        """The frames of a signal, and after them the known inputs.

        A tail shorter than a frame is dropped.

        Returns:
            Frames (T, X), standardised if frames of this kind are, each followed by its known
            inputs.

        Raises:
            ValueError: The signal is of the wrong kind, or shorter than one frame.
        """
        kind = self.config.kind
        kind.check(signal)
        of_x, known = kind.parts(widen(signal))
        frames = kind.frames(of_x, x_dim)
        if kind.standardised != "no":
            frames = ((frames - self.mean) / self.std).astype(np.float32)
        return frames if known is None else np.concatenate([frames, self.inputs(known)], 1)

    def inputs(self, known: Float[np.ndarray, "t u"]) -> Float[np.ndarray, "t u"]:
        """Known inputs as a model sees them."""
        return (
            known
            if self.u_mean is None
            else ((known - self.u_mean) / self.u_std).astype(np.float32)
        )

    def sequences(
        self, signals: Iterable[np.ndarray], x_dim: int
    ) -> "list[FrameArray] | list[LazyFrames]":
        """Each signal's frames, made when a batch takes them; slow ones once, and kept on disk.

        Returns:
            One sequence of standardised frames (T, X) for each signal, in their order.

        Raises:
            ValueError: A signal is of the wrong kind, or shorter than one frame.
        """
        lazy = [LazyFrames(self, signal, x_dim) for signal in signals]
        return on_disk(lazy, lambda sequence: sequence[:]) if self.config.kind.costly else lazy

    def signal(self, frames: FrameArray) -> np.ndarray:
        """What frames sound like: a waveform, or notes (those whose p is above 1/2).

        Log-mel energies that the training set never had, as some draws have them, are brought into
        its range, and what exceeds full scale is limited.

        Returns:
            A waveform (N,) with full scale 1, a piano roll (T, 88), or rows in the units of their
            table.
        """
        values = frames * self.std + self.mean
        if self.config.kind.ranged:
            low = self.mean - FAR * self.std if self.low is None else self.low
            high = self.mean + FAR * self.std if self.high is None else self.high
            values = np.clip(values, low, high)
        return self.config.kind.signal(values)

    waveform = signal
    """The name that it had when all signals were waveforms."""

    def times(self, num_frames: int) -> Float[np.ndarray, "t"]:
        """Middle of each frame, in units of the time axis from the start of the signal."""
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
        self.frontend.config.kind.check(self.signal)

    def __len__(self) -> int:
        return 1 + (len(self.signal) - self.frontend.config.window) // self.frontend.config.hop

    def __getitem__(self, part: slice) -> FrameArray:
        start, stop, _ = part.indices(len(self))
        hop, window = self.frontend.config.hop, self.frontend.config.window
        return self.frontend.frames(
            self.signal[start * hop : (stop - 1) * hop + window], self.x_dim
        )


def _moments_of(
    sequences: Iterable[FrameArray], axis: int | None, names: Sequence[str] = ()
) -> tuple[Any, Any, Any, Any]:
    """Mean, deviation and range of all frames, of each column (axis 0) or of all together.

    Args:
        sequences: The frames of each signal.
        axis: 0, or None for all together.
        names: Of the columns, if they have any.

    Returns:
        Mean, deviation, lowest and highest value; numbers, or one of each for every column.

    Raises:
        ValueError: A value is the same in all frames.
    """
    count, mean, squares = 0, 0.0, 0.0
    low: Any = np.inf  # these two become arrays
    high: Any = -np.inf
    for frames in sequences:
        low, high = (
            np.fmin(low, np.fmin.reduce(frames, axis)),
            np.fmax(high, np.fmax.reduce(frames, axis)),
        )
        # Chan et al.: the mean and the squared deviations of the signals so far and of this one ->
        # of both.
        n, own_mean, own_variance = _moments(frames, axis)
        shift, total = own_mean - mean, np.maximum(count + n, 1)
        squares += n * own_variance + shift**2 * count * n / total
        mean, count = mean + shift * n / total, count + n
    same = np.flatnonzero((low == high) | (count == 0))
    if len(same) and len(names):
        raise ValueError(
            f"The column {names[same[0]]!r} has one value in all rows to train on, or none, so it "
            "cannot be standardised; leave it out, by naming the others in --columns."
        )
    if len(same):
        raise ValueError(
            "A value is the same in all training frames, so it cannot be standardised; give "
            "recordings with sound or, for log-mel frames, a smaller x_dim or a longer "
            "window_length."
        )
    return np.asarray(mean, np.float32), np.asarray(np.sqrt(squares / count), np.float32), low, high


def _moments(frames: FrameArray, axis: int | None) -> tuple[Any, Any, Any]:
    """How many values are known, their mean and variance: of each column (axis 0), or of all."""
    missing = np.isnan(frames)
    if not missing.any():
        return len(frames), frames.mean(axis, dtype=np.float64), frames.var(axis, dtype=np.float64)
    known = (~missing).sum(axis)
    mean = np.where(missing, 0, frames).sum(axis, dtype=np.float64) / np.maximum(known, 1)
    squares = np.where(missing, 0, (frames - mean) ** 2).sum(axis, dtype=np.float64)
    return known, mean, squares / np.maximum(known, 1)
