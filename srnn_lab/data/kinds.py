"""The kinds of frames: notes, samples, log-mel energies, and rows of a table.

Notes are here; the others are in modules of their own, and can be imported from here as well. The
command line reads this before anything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int

from srnn_lab.data.frame_kind import MIDI, NUM_PITCHES, Framed
from srnn_lab.data.series_kind import SERIES_SUFFIXES, Series, name_and_unit
from srnn_lab.data.sound_kinds import (
    AUDIO_SUFFIXES,
    EVENT_BANDS,
    EVENTS,
    LEAST_CHANGE,
    LOG_FLOOR,
    LogMel,
    Raw,
    Sound,
)

__all__ = [
    "AUDIO_SUFFIXES",
    "EVENTS",
    "EVENT_BANDS",
    "FRAMES_PER_QUARTER",
    "KINDS",
    "LEAST_CHANGE",
    "LOG_FLOOR",
    "MIDI_SUFFIXES",
    "NUM_PITCHES",
    "QUARTERS_PER_MINUTE",
    "SERIES_SUFFIXES",
    "LogMel",
    "Raw",
    "Roll",
    "Series",
    "Sound",
    "name_and_unit",
]

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".smf", ".rmi")
QUARTERS_PER_MINUTE = 90.0
"""Tempo at which piano rolls are played that come from no file."""
FRAMES_PER_QUARTER = {
    f"{version}/{name}": 1 if (version, name) == ("bl", "jsb") else 2
    for version in ("fraccaro", "bl")
    for name in ("jsb", "nottingham", "muse", "piano")
}
"""Data set of published rolls -> frames in a quarter note, which are what they are."""


@final
@dataclass(frozen=True)
class Roll(Framed):
    """88 notes, on or off: the frames of a piano roll, which is its own signal.

    Attributes:
        frames_per_quarter: Frames in a quarter note.
    """

    frames_per_quarter: int

    name = "roll"
    medium = MIDI
    suffixes = MIDI_SUFFIXES
    outputs = (".mid", ".wav")
    values = "binary"
    likelihood = "bernoulli"
    time_unit = "quarter notes"
    unit_seconds = 60 / QUARTERS_PER_MINUTE
    change = "chord change"
    title = "Piano roll"
    standardised = "no"
    notes = True

    @property
    def rate(self) -> int:
        """Frames in a quarter note."""
        return self.frames_per_quarter

    def check_size(self, x_dim: int) -> None:
        """There are 88 notes."""
        if x_dim != NUM_PITCHES:
            raise ValueError(
                f"ModelConfig.x_dim is {x_dim}; frames of {self.name!r} have {NUM_PITCHES} values."
            )

    def check(self, signal: np.ndarray) -> None:
        """A roll has two axes, and a frame."""
        if signal.shape[1:] != (NUM_PITCHES,):
            self._refuse(signal)
        if not len(signal):
            raise ValueError("The piano roll has no frame; give a longer one.")

    def frames(self, signal: np.ndarray, x_dim: int) -> Float[np.ndarray, "t x"]:  # noqa: ARG002
        """The roll itself."""
        return signal

    def signal(self, frames: Float[np.ndarray, "t x"]) -> Float[np.ndarray, "t x"]:
        """The notes whose p is above 1/2."""
        return (frames > 0.5).astype(np.float32)

    def changes(
        self,
        signal: np.ndarray,  # noqa: ARG002
        frames: Float[np.ndarray, "t x"],
    ) -> tuple[Int[np.ndarray, "c"], Bool[np.ndarray, "t"]]:
        """A chord differs from the one before; every frame is active."""
        return 1 + np.flatnonzero((frames[1:] != frames[:-1]).any(1)), np.ones(len(frames), bool)

    def called(self, x_dim: int) -> str:  # noqa: ARG002
        """What a title calls them."""
        return "piano rolls"

    def described(self, x_dim: int) -> str:  # noqa: ARG002
        """Their number in a quarter note."""
        return f"{self.rate} frames in a quarter note"


KINDS: Mapping[str, type[Roll] | type[Raw] | type[LogMel] | type[Series]] = {
    kind.name: kind for kind in (Roll, Raw, LogMel, Series)
}
"""Name in a configuration -> class; the only list of kinds of frames."""
