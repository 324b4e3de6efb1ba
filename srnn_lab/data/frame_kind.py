"""What a kind of frame is: how signals are cut, values, units and files, and what a change is.

The command line reads it before anything else.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NoReturn

import numpy as np
from jaxtyping import Bool, Float, Int

KindName = Literal["roll", "raw", "log-mel", "series"]
"""The names in ``KINDS``."""
Values = Literal["binary", "real", "count", "category"]
VALUES: dict[Values, str] = {
    "binary": "values of 0 and 1",
    "real": "real values",
    "count": "whole numbers from 0 on",
    "category": "one 1 among zeros",
}
"""What a likelihood is a distribution of, and what the frames of a kind are -> what a reader calls
it."""

AUDIO, MIDI, TABLE = "audio", "MIDI", "a table"
"""The files that signals come from, in a word or two."""
NUM_PITCHES = 88


class FrameKind(ABC):
    """One kind of frame; the fields of a kind are the settings of ``DataConfig`` that it reads.

    A signal is an array whose first axis is time: samples of a waveform (N,), frames of notes (T,
    88), rows of a table (T, columns).

    Attributes:
        name: What a configuration calls it.
        medium: The files that a signal comes from, in a word or two.
        suffixes: Their endings.
        outputs: Endings of the files that signals are written to.
        values: What the values of a frame are.
        likelihood: The likelihood that is taken where none is named.
        time_unit: Unit of the time axis.
        unit_seconds: Seconds that one unit of the time axis lasts when it is heard.
        change: What a change of the signal is called.
        title: What the picture of a signal is called.
        standardised: How mean and deviation are taken out: not at all, one of all values, or one
            for each value.
        ranged: Whether the range of each value in the training set is stored. Frames are clipped to
            it before they become a signal.
        costly: Whether frames take longer to compute than to read from disk, and no more room there
            than their signals, so that they are stored.
        notes: Whether a frame is of notes, which can be transposed, and are played rather than
            heard as they are.
        heard: Whether a signal is something to hear.
    """

    name: ClassVar[KindName]
    medium: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]
    values: Values
    likelihood: str
    time_unit: str = "s"
    unit_seconds: ClassVar[float] = 1.0
    change: ClassVar[str]
    title: ClassVar[str]
    standardised: Literal["no", "as a whole", "by value"]
    ranged: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    notes: ClassVar[bool] = False
    heard: ClassVar[bool] = True

    @property
    @abstractmethod
    def window(self) -> int:
        """Samples that one frame covers; 1 for a signal that comes in frames."""

    @property
    @abstractmethod
    def hop(self) -> int:
        """Samples from one frame to the next; 1 for a signal that comes in frames."""

    @property
    @abstractmethod
    def rate(self) -> int | float:
        """Samples in one unit of the time axis."""

    @property
    def names(self) -> list[str]:
        """Names of a frame's values; none where they have no names."""
        return []

    def column_names(self, columns: np.ndarray) -> list[str]:
        """The names of a table's columns; their numbers where they have none."""
        return self.names or [str(i) for i in range(columns.shape[1])]

    @property
    def input_names(self) -> list[str]:
        """Names of the known inputs u_t that a signal holds besides its frames."""
        return []

    def parts(self, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """What frames are made of, and the known inputs u_t of each, if there are any."""
        return signal, None

    @abstractmethod
    def check_size(self, x_dim: int) -> None:
        """Whether a frame can have so many values.

        Raises:
            ValueError: It cannot, or the settings contradict each other.
        """

    @abstractmethod
    def check(self, signal: np.ndarray) -> None:
        """Whether a signal can be cut into frames.

        Raises:
            ValueError: It is of the wrong kind, or shorter than one frame.
        """

    @abstractmethod
    def frames(self, signal: np.ndarray, x_dim: int) -> Float[np.ndarray, "t x"]:
        """The frames of a signal, not standardised; a tail shorter than a frame is dropped.

        Args:
            signal: A signal that ``check`` lets pass.
            x_dim: Values in one frame.
        """

    @abstractmethod
    def signal(self, frames: Float[np.ndarray, "t x"]) -> np.ndarray:
        """A signal with these frames, not standardised, or one that is near to it."""

    @abstractmethod
    def changes(
        self, signal: np.ndarray, frames: Float[np.ndarray, "t x"]
    ) -> tuple[Int[np.ndarray, "c"], Bool[np.ndarray, "t"]]:
        """Frames in which a signal changes, and whether each frame is active.

        Args:
            signal: The signal.
            frames: Its frames.
        """

    @abstractmethod
    def called(self, x_dim: int) -> str:
        """What a title calls these frames."""

    @abstractmethod
    def described(self, x_dim: int) -> str:
        """What distinguishes these frames from others, in words."""

    def _refuse(self, signal: np.ndarray) -> NoReturn:
        given = AUDIO if signal.ndim == 1 else MIDI if signal.shape[1:] == (NUM_PITCHES,) else TABLE
        raise ValueError(
            f"The model was trained on {self.medium} and was given {given}; choose a file or "
            "model to match."
        )


class Framed(FrameKind):
    """Signals that come in frames."""

    @property
    def window(self) -> int:
        """1: the signal comes in frames."""
        return 1

    @property
    def hop(self) -> int:
        """1: the signal comes in frames."""
        return 1
