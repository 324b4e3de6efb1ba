"""Sequences of frames -> batches.

They have inputs u_t, padding and masks, and segments for truncated back-propagation.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from srnn_lab.data.frames import LazyFrames
from srnn_lab.data.music import transposed

Frames = Float[np.ndarray, "_ x"] | LazyFrames
"""One sequence; sequences differ in length, so that has no name here."""


@dataclass(frozen=True)
class Batch:
    """Sequences side by side, padded with zeros at the end of x.

    Attributes:
        x: Frames that are scored.
        u: Inputs, u_t = x_{t-1}, in the padding too, so that features of both are computed once;
            after it what is known besides, if there is any.
        lengths: Valid frames of each sequence, at least 1.
    """

    x: Float[Tensor, "b t x"]
    u: Float[Tensor, "b t u"]
    lengths: Int[Tensor, "b"]

    @classmethod
    def of(
        cls, whole: Float[Tensor, "b s n"], lengths: Int[Tensor, "b"], u_dim: int = 0
    ) -> "Batch":
        """Rows that begin a frame before the first scored one; x and u are views of them.

        Args:
            whole: Frames, each followed by its known inputs.
            lengths: As of the batch.
            u_dim: Number of known inputs.

        Returns:
            A batch of S - 1 frames. Its u is x_{t-1} and after it the known inputs at t.
        """
        if not u_dim:
            return cls(whole[:, 1:], whole[:, :-1], lengths)
        x, known = whole[..., :-u_dim], whole[..., -u_dim:]
        return cls(x[:, 1:], torch.cat([x[:, :-1], known[:, 1:]], -1), lengths)

    @property
    def whole(self) -> Float[Tensor, "b s n"]:
        """The rows that ``of`` takes; the known inputs of the frame before the first are 0."""
        before, known = self.u.tensor_split([self.x.shape[-1]], -1)
        frames = torch.cat([before[:, :1], self.x], 1)
        return torch.cat([frames, F.pad(known, (0, 0, 1, 0))], -1) if known.shape[-1] else frames

    @property
    def mask(self) -> Float[Tensor, "b t"]:
        """1 where a frame is valid, 0 where it is padding."""
        t = torch.arange(self.x.shape[1], device=self.x.device)
        return (t < self.lengths[:, None]).to(self.x.dtype)

    def repeat(self, paths: int) -> "Batch":
        """The batch ``paths`` times over, one copy below the other."""
        if paths == 1:
            return self
        return Batch(
            self.x.repeat(paths, 1, 1), self.u.repeat(paths, 1, 1), self.lengths.repeat(paths)
        )

    def to(self, *args) -> "Batch":
        """The batch on a device or in a floating-point type; arguments as of ``Tensor.to``."""
        x = self.x.to(*args)
        return Batch(x, self.u.to(*args), self.lengths.to(x.device))


def make_batch(
    sequences: Sequence[Frames],
    first_frame: bool = True,
    *,
    missing: bool = False,
    u_dim: int = 0,
    missing_inputs: bool = False,
) -> Batch:
    """Whole sequences as one batch.

    Args:
        sequences: Their frames.
        first_frame: Score x_1 too, given u_1 = 0; otherwise x_1 is only the first input.
        missing: Whether the model takes values that are missing (NaN).
        u_dim: Known inputs, which stand after the values of each frame.
        missing_inputs: Whether the model takes known inputs that are missing.

    Returns:
        The sequences in their order, padded with zeros to the longest.

    Raises:
        ValueError: There is no sequence, one is too short to have a scored frame, or a value is
            missing.
    """
    need = 1 if first_frame else 2
    if not sequences:
        raise ValueError("There is no sequence to make a batch of; give at least one.")
    if (shortest := min(len(s) for s in sequences)) < need:
        why = "" if first_frame else " when the first frame is not scored"
        raise ValueError(
            f"A sequence has {shortest} frame{'s' * (shortest != 1)}; at least {need} are "
            f"needed{why}."
        )
    whole = [s[:] for s in sequences]
    for what, gaps, part in (
        ("value", missing, slice(0, whole[0].shape[1] - u_dim)),
        ("known input", missing_inputs, slice(whole[0].shape[1] - u_dim, None)),
    ):
        if not gaps and any(np.isnan(s[:, part]).any() for s in whole):
            raise ValueError(
                f"A {what} is missing (NaN), and the model was trained on data without such gaps: "
                "give data without, or train a model on data that have them."
            )
    if first_frame:
        whole = [np.concatenate([np.zeros_like(s[:1]), s]) for s in whole]
    return _shifted(whole, u_dim=u_dim)


def _shifted(
    frames: Sequence[Float[np.ndarray, "_ n"]], num_frames: int = 0, *, u_dim: int
) -> Batch:
    """Rows that begin a frame before the first scored one -> a batch of ``num_frames`` or more."""
    padded = torch.nn.utils.rnn.pad_sequence([torch.as_tensor(f) for f in frames], batch_first=True)
    padded = F.pad(padded, (0, 0, 0, max(0, num_frames + 1 - padded.shape[1])))
    return Batch.of(padded, torch.tensor([len(f) - 1 for f in frames]), u_dim)


def padded_length(num_frames: int, longest: int, lengths: int = 4) -> int:
    """Round a number of frames up to one of a few lengths.

    A GPU's kernels are recorded once for each of them.

    Args:
        num_frames: Frames of a batch.
        longest: The longest length, ``num_frames`` or more.
        lengths: How many lengths there are, evenly spaced.

    Returns:
        A number of frames from ``num_frames`` to ``longest``.
    """
    step = -(-longest // lengths)
    return min(longest, -(-num_frames // step) * step)


def by_length(sequences: Sequence[Frames], batch_size: int) -> list[list[int]]:
    """The positions of sequences, in groups of similar length; the last of each is the longest."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


class Segment(NamedTuple):
    """One update's frames.

    Attributes:
        starts: Rows that start from zero states; the others carry on from the segment before.
        batch: The frames of these rows.
        frames: Scored frames of all rows, those of other processes included.
    """

    starts: Bool[Tensor, "b"]
    batch: Batch
    frames: int


class Segments(ABC):
    """The training set in rows side by side, segment by segment.

    Args:
        sequences: The training set.
        batch_size: Rows.
        segment_length: Frames of one update, at most.
        transposition: Semitones by which each sequence is transposed at random, up or down, again
            in each epoch.
        u_dim: Known inputs, which stand after the values of each frame.
    """

    def __init__(
        self,
        sequences: Sequence[Frames],
        batch_size: int,
        segment_length: int,
        *,
        transposition: int = 0,
        u_dim: int = 0,
    ):
        self.sequences, self.u_dim = sequences, u_dim
        self.batch_size = batch_size
        self.segment_length = segment_length
        self.transposition = transposition

    @abstractmethod
    def __len__(self) -> int:
        """Segments (updates) in one epoch."""

    @property
    @abstractmethod
    def frames(self) -> int:
        """Scored frames in one epoch, about."""

    @abstractmethod
    def epoch(
        self, generator: torch.Generator, *, rows: slice = slice(None), start: int = 0
    ) -> Iterator[Segment]:
        """One pass in random order.

        Args:
            generator: Source of all that is random in it.
            rows: Rows that are made, for one of several processes.
            start: Segments that are left out at the beginning, to go on where an epoch was
                interrupted.
        """

    def _transpositions(self, generator: torch.Generator) -> list[int]:
        """Semitones for each sequence, of this epoch."""
        if not self.transposition:
            return [0] * len(self.sequences)
        largest = self.transposition
        return torch.randint(
            -largest, largest + 1, (len(self.sequences),), generator=generator
        ).tolist()

    def _frames(self, i: int, part: slice, semitones: Sequence[int]) -> Float[np.ndarray, "_ x"]:
        frames = self.sequences[i][part]
        return transposed(frames, semitones[i]) if semitones[i] else frames


class Streams(Segments):
    """All sequences as one stream in chunks, which start from zero states that segments carry on.

    This is how the authors feed both music (one chunk a row, an epoch long) and speech (chunks of 2
    s).

    Args:
        sequences: The training set, joined end to end.
        batch_size: Chunks side by side.
        segment_length: Frames of one update.
        segments_per_reset: Segments of a chunk; 0: as many as the stream allows, with one batch of
            chunks.
        transposition: See ``Segments``.
        u_dim: See ``Segments``.

    Raises:
        ValueError: The stream is too short for one batch.
    """

    def __init__(
        self,
        sequences: Sequence[Frames],
        batch_size: int,
        segment_length: int,
        segments_per_reset: int,
        *,
        transposition: int = 0,
        u_dim: int = 0,
    ):
        super().__init__(
            sequences, batch_size, segment_length, transposition=transposition, u_dim=u_dim
        )
        self.ends = np.cumsum([len(s) for s in sequences])
        scored = int(self.ends[-1]) - 1
        self.segments = segments_per_reset or scored // (batch_size * segment_length)
        self.chunk = self.segments * segment_length
        self.num_batches = scored // (batch_size * self.chunk) if self.chunk else 0
        if not self.num_batches:
            raise ValueError(
                f"The training set has {scored} scored frames, fewer than one batch of "
                f"{batch_size} streams of {max(self.segments, 1)} segments of {segment_length} "
                "frames; lower batch_size or segment_length."
            )

    def __len__(self) -> int:
        """Segments (updates) in one epoch."""
        return self.num_batches * self.segments

    @property
    def frames(self) -> int:
        """Scored frames in one epoch."""
        return len(self) * self.batch_size * self.segment_length

    def epoch(
        self, generator: torch.Generator, *, rows: slice = slice(None), start: int = 0
    ) -> Iterator[Segment]:
        """One pass, with the chunks in random order.

        Where the chunks do not fill the stream, they begin at a random frame, so that their borders
        move.

        Args:
            generator: See ``Segments.epoch``.
            rows: See ``Segments.epoch``.
            start: See ``Segments.epoch``.

        Yields:
            The frames of the next update.
        """
        used = self.num_batches * self.batch_size * self.chunk
        first = torch.randint(int(self.ends[-1]) - used, (), generator=generator)
        chunks = torch.randperm(self.num_batches * self.batch_size, generator=generator).view(
            self.num_batches, -1
        )
        semitones = self._transpositions(generator)
        for i in range(start, len(self)):
            batch, segment = divmod(i, self.segments)
            begins = first + chunks[batch, rows] * self.chunk + segment * self.segment_length
            frames = [self._joined(begin, semitones) for begin in begins.tolist()]
            starts = torch.full(begins.shape, segment == 0)
            yield Segment(
                starts, _shifted(frames, u_dim=self.u_dim), self.batch_size * self.segment_length
            )

    def _joined(self, begin: int, semitones: Sequence[int]) -> Float[np.ndarray, "t x"]:
        """A segment of the stream and the frame before it, from the sequences in which they lie."""
        end = begin + self.segment_length + 1
        first, last = np.searchsorted(self.ends, [begin, end - 1], side="right")
        starts = {i: self.ends[i] - len(self.sequences[i]) for i in range(first, last + 1)}
        parts = [
            self._frames(i, slice(max(0, begin - at), end - at), semitones)
            for i, at in starts.items()
        ]
        return np.concatenate(parts)


class WholeSequences(Segments):
    """Each sequence from zero states, as it is evaluated; a row that is done goes on with another.

    A sequence longer than a segment is cut into pieces of nearly equal length, over which its
    states are carried on.

    Args:
        sequences: The training set.
        batch_size: Sequences side by side.
        segment_length: Frames of one update, at most.
        first_frame: Score x_1 too, given u_1 = 0; otherwise x_1 is only the first input.
        transposition: See ``Segments``.
        u_dim: See ``Segments``.

    Raises:
        ValueError: There are fewer pieces than rows, or a sequence has no frame to score.
    """

    def __init__(
        self,
        sequences: Sequence[Frames],
        batch_size: int,
        segment_length: int,
        first_frame: bool,
        *,
        transposition: int = 0,
        u_dim: int = 0,
    ):
        super().__init__(
            sequences, batch_size, segment_length, transposition=transposition, u_dim=u_dim
        )
        self.first_frame = first_frame
        self.scored = [len(s) - (not first_frame) for s in sequences]
        if min(self.scored) < 1:
            raise ValueError(
                "A sequence has one frame; two are needed when the first frame is not scored."
            )
        self.pieces = [-(-n // segment_length) for n in self.scored]
        if sum(self.pieces) < batch_size:
            raise ValueError(
                f"The training set has {sum(self.pieces)} segments of at most {segment_length} "
                f"frames, fewer than one batch of {batch_size}; lower batch_size or "
                "segment_length."
            )

    def __len__(self) -> int:
        """Segments (updates) in an epoch; what would not fill another is left out, at random."""
        return sum(self.pieces) // self.batch_size

    @property
    def frames(self) -> int:
        """Scored frames in one epoch, those included that do not fill the last segment."""
        return sum(self.scored)

    def epoch(
        self, generator: torch.Generator, *, rows: slice = slice(None), start: int = 0
    ) -> Iterator[Segment]:
        """One pass in random order; a row's first sequence may begin midway, from zero states."""
        order = torch.randperm(len(self.sequences), generator=generator).tolist()
        semitones = self._transpositions(generator)
        pieces = [(i, piece) for i in order for piece in range(self.pieces[i])]
        for update in range(start, len(self)):
            side_by_side = pieces[update : self.batch_size * len(self) : len(self)]
            bounds = [self._bounds(i, piece) for i, piece in side_by_side]
            longest = max(end - begin for begin, end in bounds)
            mine = list(zip(side_by_side, bounds, strict=True))[rows]
            frames = [self._piece(i, begin, end, semitones) for (i, _), (begin, end) in mine]
            starts = torch.tensor([update == 0 or piece == 0 for (_, piece), _ in mine])
            yield Segment(
                starts,
                _shifted(frames, longest, u_dim=self.u_dim),
                sum(end - begin for begin, end in bounds),
            )

    def _bounds(self, i: int, piece: int) -> tuple[int, int]:
        """A piece's first scored frame and that after its last, counted from the first scored."""
        n, pieces = self.scored[i], self.pieces[i]
        return n * piece // pieces, n * (piece + 1) // pieces

    def _piece(
        self, i: int, begin: int, end: int, semitones: Sequence[int]
    ) -> Float[np.ndarray, "_ x"]:
        if not self.first_frame:
            return self._frames(i, slice(begin, end + 1), semitones)
        frames = self._frames(i, slice(max(0, begin - 1), end), semitones)
        return frames if begin else np.concatenate([np.zeros_like(frames[:1]), frames])
