"""Sequences of frames -> batches: inputs u_t = x_{t-1}, padding and masks, streams for truncated back-propagation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.data.speech import LazyFrames

Frames = Float[np.ndarray, "_ x"] | LazyFrames
"""One sequence; sequences differ in length, so that has no name here."""


@dataclass(frozen=True)
class Batch:
    """Sequences side by side, padded with zeros at the end of x.

    Attributes:
        x: Frames that are scored.
        u: Inputs, u_t = x_{t-1}, in the padding too, so that features of both are computed once.
        lengths: Valid frames of each sequence, at least 1.
    """

    x: Float[Tensor, "b t x"]
    u: Float[Tensor, "b t x"]
    lengths: Int[Tensor, "b"]

    @property
    def mask(self) -> Float[Tensor, "b t"]:
        """1 where a frame is valid, 0 where it is padding."""
        t = torch.arange(self.x.shape[1], device=self.x.device)
        return (t < self.lengths[:, None]).to(self.x.dtype)

    def repeat(self, paths: int) -> "Batch":
        """The batch ``paths`` times over, one copy below the other."""
        if paths == 1:
            return self
        return Batch(self.x.repeat(paths, 1, 1), self.u.repeat(paths, 1, 1), self.lengths.repeat(paths))

    def to(self, *args) -> "Batch":
        """The batch on another device or with another floating-point type; arguments as of ``Tensor.to``."""
        return Batch(self.x.to(*args), self.u.to(*args), self.lengths.to(self.x.to(*args).device))


def make_batch(sequences: Sequence[Frames], first_frame: bool = True) -> Batch:
    """Whole sequences as one batch.

    Args:
        sequences: Their frames.
        first_frame: Score x_1 too, given u_1 = 0; otherwise x_1 is only the first input.

    Raises:
        ValueError: There is no sequence, or one is too short to have a scored frame.
    """
    need = 1 if first_frame else 2
    if not sequences:
        raise ValueError("There is no sequence to make a batch of; give at least one.")
    if min(len(s) for s in sequences) < need:
        raise ValueError(
            f"A sequence has {min(len(s) for s in sequences)} frames; at least {need} are needed "
            f"{'' if first_frame else 'when the first frame is not scored'}".rstrip()
            + "."
        )
    whole = [torch.as_tensor(s[:]) for s in sequences]
    if first_frame:
        whole = [torch.cat([torch.zeros_like(s[:1]), s]) for s in whole]
    padded = torch.nn.utils.rnn.pad_sequence(whole, batch_first=True)
    lengths = torch.tensor([len(s) - 1 for s in whole])
    return Batch(padded[:, 1:], padded[:, :-1], lengths)


def by_length(sequences: Sequence[Frames], batch_size: int) -> list[list[int]]:
    """The positions of all sequences, in groups of similar length for batches; the last of a group is the longest."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


class Streams:
    """The training set as one long stream, cut into chunks that are trained on side by side, segment by segment.

    A chunk starts from zero states, which are carried over its segments. This is how the authors feed both music
    (one chunk a row, an epoch long) and speech (chunks of 2 s).

    Args:
        sequences: The training set, joined end to end.
        batch_size: Chunks side by side.
        segment_length: Frames of one update.
        segments_per_reset: Segments of a chunk; 0: as many as the stream allows, with one batch of chunks.

    Raises:
        ValueError: The stream is too short for one batch.
    """

    def __init__(self, sequences: Sequence[Frames], batch_size: int, segment_length: int, segments_per_reset: int):
        self.sequences = sequences
        self.ends = np.cumsum([len(s) for s in sequences])
        self.batch_size = batch_size
        self.segment_length = segment_length
        scored = int(self.ends[-1]) - 1
        self.segments = segments_per_reset or scored // (batch_size * segment_length)
        self.chunk = self.segments * segment_length
        self.num_batches = scored // (batch_size * self.chunk) if self.chunk else 0
        if not self.num_batches:
            raise ValueError(
                f"The training set has {scored} scored frames, fewer than one batch of {batch_size} streams of "
                f"{max(self.segments, 1)} segments of {segment_length} frames; lower batch_size or segment_length."
            )

    def __len__(self) -> int:
        """Segments (updates) in one epoch."""
        return self.num_batches * self.segments

    def epoch(
        self, generator: torch.Generator, *, rows: slice = slice(None), start: int = 0
    ) -> Iterator[tuple[bool, Batch]]:
        """One pass: pairs of (states start from zero, segment), with the chunks in random order.

        Where the chunks do not fill the stream, they begin at a random frame, so that their borders move.

        Args:
            generator: Source of that frame and of the order.
            rows: Chunks of each batch that are made, for one of several processes.
            start: Segments that are left out at the beginning, to go on where an epoch was interrupted.
        """
        used = self.num_batches * self.batch_size * self.chunk
        first = torch.randint(int(self.ends[-1]) - used, (), generator=generator)
        chunks = torch.randperm(self.num_batches * self.batch_size, generator=generator).view(self.num_batches, -1)
        for i in range(start, len(self)):
            batch, segment = divmod(i, self.segments)
            begins = first + chunks[batch, rows] * self.chunk + segment * self.segment_length
            frames = torch.as_tensor(np.stack([self._joined(begin) for begin in begins.tolist()]))
            yield segment == 0, Batch(frames[:, 1:], frames[:, :-1], torch.full(begins.shape, self.segment_length))

    def _joined(self, begin: int) -> Float[np.ndarray, "t x"]:
        """A segment of the stream and the frame before it, from the sequences in which they lie."""
        end = begin + self.segment_length + 1
        first, last = np.searchsorted(self.ends, [begin, end - 1], side="right")
        lie_in = [(self.sequences[i], self.ends[i]) for i in range(first, last + 1)]
        return np.concatenate([s[max(0, begin - stop + len(s)) : end - stop + len(s)] for s, stop in lie_in])
