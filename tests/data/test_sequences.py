from itertools import pairwise

import numpy as np
import pytest
import torch

from srnn_lab.config import DataConfig
from srnn_lab.data.frames import Frontend, LazyFrames
from srnn_lab.data.sequences import Streams, WholeSequences, by_length, make_batch


def numbered(*lengths, width=2):
    """Sequences of frames numbered from 1 throughout, the same number in each value of a frame."""
    ends = np.cumsum(lengths)
    return [
        np.repeat(np.arange(end - n + 1, end + 1, dtype=np.float32)[:, None], width, 1)
        for n, end in zip(lengths, ends, strict=True)
    ]


def test_input_is_the_frame_before_and_zero_before_a_scored_first_frame():
    batch = make_batch(numbered(3, 1), first_frame=True)
    assert batch.x[..., 0].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch.u[..., 0].tolist() == [[0, 1, 2], [0, 4, 0]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_unscored_first_frame_is_only_an_input():
    batch = make_batch(numbered(4, 2), first_frame=False)
    assert batch.x[..., 0].tolist() == [[2, 3, 4], [6, 0, 0]]
    assert batch.u[..., 0].tolist() == [[1, 2, 3], [5, 6, 0]]
    assert batch.lengths.tolist() == [3, 1]


def test_batch_moves_to_another_type_but_counts_stay_integers():
    batch = make_batch(numbered(2, 1)).to(torch.float64)
    assert (batch.x.dtype, batch.u.dtype, batch.mask.dtype) == (torch.float64,) * 3
    assert batch.lengths.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("lengths", "first_frame", "message"),
    [
        ([], True, "no sequence"),
        ([3, 0], True, "0 frames; at least 1 are needed"),
        ([3, 1], False, "1 frame; at least 2 are needed when the first frame is not scored"),
    ],
)
def test_batch_refuses_sequences_without_a_scored_frame(lengths, first_frame, message):
    with pytest.raises(ValueError, match=message):
        make_batch(numbered(*lengths), first_frame)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_groups_hold_each_sequence_once_and_get_longer(batch_size):
    lengths = (5, 2, 9, 3, 3, 8, 2)
    groups = by_length(numbered(*lengths), batch_size)
    assert {len(group) for group in groups[:-1]} <= {batch_size}
    assert 1 <= len(groups[-1]) <= batch_size
    positions = [i for group in groups for i in group]
    assert sorted(positions) == list(range(7))
    assert [lengths[i] for i in positions] == sorted(lengths)


@pytest.mark.parametrize("segments_per_reset", [0, 1, 2, 3])
@pytest.mark.parametrize(("batch_size", "segment_length"), [(1, 1), (2, 5), (3, 4)])
def test_epoch_scores_each_used_frame_once_and_carries_chunks_over_their_segments(
    segments_per_reset, batch_size, segment_length
):
    streams = Streams(numbered(40, 1, 37), batch_size, segment_length, segments_per_reset)
    epoch = list(streams.epoch(torch.Generator().manual_seed(3)))
    assert len(epoch) == len(streams)
    assert [reset.tolist() for reset, _, _ in epoch] == [
        [i % streams.segments == 0] * batch_size for i in range(len(streams))
    ]
    for (_, before, _), (reset, batch, frames) in pairwise(epoch):
        assert frames == batch_size * segment_length
        if not reset.any():
            torch.testing.assert_close(batch.u[:, 0], before.x[:, -1])
    x, u = (torch.stack([getattr(batch, name) for _, batch, _ in epoch]) for name in "xu")
    assert x.shape[1:] == (batch_size, segment_length, 2)
    torch.testing.assert_close(u, x - 1)
    scored = x[..., 0].flatten().sort().values
    used = len(streams) * batch_size * segment_length
    torch.testing.assert_close(scored, scored[0] + torch.arange(used, dtype=torch.float32))
    assert 0 <= 77 - used < batch_size * segment_length * (segments_per_reset or 1)
    assert all(batch.lengths.tolist() == [segment_length] * batch_size for _, batch, _ in epoch)


def test_each_part_of_a_batch_is_moved_once(monkeypatch):
    batch, moved, to = make_batch(numbered(2, 1)), [], torch.Tensor.to
    monkeypatch.setattr(
        torch.Tensor, "to", lambda values, *args: moved.append(values.shape) or to(values, *args)
    )
    batch.to(torch.float64)
    assert moved == [batch.x.shape, batch.u.shape, batch.lengths.shape]


def test_an_epoch_by_hand():
    """23 frames: two batches of two chunks of two segments of two, from one of the first 7."""
    streams = Streams(numbered(9, 1, 13), batch_size=2, segment_length=2, segments_per_reset=2)
    found = [
        (reset.tolist(), batch.u[..., 0].tolist())
        for reset, batch, _ in streams.epoch(torch.Generator().manual_seed(5))
    ]
    generator = torch.Generator().manual_seed(5)
    first = 1 + int(torch.randint(7, (), generator=generator))
    a, b, c, d = (first + 4 * chunk for chunk in torch.randperm(4, generator=generator).tolist())
    assert found == [
        ([True, True], [[a, a + 1], [b, b + 1]]),
        ([False, False], [[a + 2, a + 3], [b + 2, b + 3]]),
        ([True, True], [[c, c + 1], [d, d + 1]]),
        ([False, False], [[c + 2, c + 3], [d + 2, d + 3]]),
    ]


class Counted(LazyFrames):
    """Frames that count how many of them are made."""

    made = 0

    def __getitem__(self, part):
        frames = super().__getitem__(part)
        Counted.made += len(frames)
        return frames


def counted_streams():
    frontend = Frontend(DataConfig(), np.zeros((), np.float32), np.ones((), np.float32))
    rolls = [np.random.default_rng(i).random((50, 88)) < 0.1 for i in range(3)]
    return Streams([Counted(frontend, roll, 88) for roll in rolls], 4, 5, 3)


def assert_same(found, expected):
    for (reset, batch, frames), (same_reset, same, same_frames) in zip(
        found, expected, strict=True
    ):
        assert torch.equal(reset, same_reset)
        assert frames == same_frames
        assert torch.equal(batch.x, same.x)
        assert torch.equal(batch.u, same.u)
        assert torch.equal(batch.lengths, same.lengths)


def test_a_process_makes_only_its_rows_of_each_batch(monkeypatch):
    streams = counted_streams()
    whole = list(streams.epoch(torch.Generator().manual_seed(1)))
    for rows in (slice(0, 1), slice(1, 4), slice(3, None)):
        monkeypatch.setattr(Counted, "made", 0)
        part = list(streams.epoch(torch.Generator().manual_seed(1), rows=rows))
        assert_same(
            part,
            [
                (reset[rows], type(b)(b.x[rows], b.u[rows], b.lengths[rows]), n)
                for reset, b, n in whole
            ],
        )
        assert Counted.made == len(streams) * len(range(4)[rows]) * (5 + 1)


@pytest.mark.parametrize("start", [1, 3, 5, 6])
def test_an_epoch_goes_on_at_a_segment_without_making_those_before(start, monkeypatch):
    streams = counted_streams()
    whole = list(streams.epoch(torch.Generator().manual_seed(1)))
    assert len(whole) == 6
    monkeypatch.setattr(Counted, "made", 0)
    assert_same(streams.epoch(torch.Generator().manual_seed(1), start=start), whole[start:])
    assert Counted.made == (6 - start) * 4 * (5 + 1)


def test_frames_exist_as_float32_only_in_batches(monkeypatch):
    monkeypatch.setattr(Counted, "made", 0)
    streams = counted_streams()
    assert Counted.made == 0
    _, batch, _ = next(streams.epoch(torch.Generator()))
    assert Counted.made == 4 * (5 + 1)
    assert (batch.x.dtype, batch.u.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize(
    ("config", "x_dim"),
    [
        (DataConfig(), 88),
        (DataConfig(features="raw", frame_length=20), 20),
        (DataConfig(features="log-mel", frame_length=16, window_length=64), 6),
    ],
    ids=["roll", "raw", "log-mel"],
)
def test_batches_of_signals_are_those_of_their_frames_bit_for_bit(config, x_dim):
    generator = np.random.default_rng(0)
    if config.features == "roll":
        signals = [generator.random((n, 88)) < 0.1 for n in (40, 2, 55)]
    else:
        signals = [generator.integers(-9999, 9999, n).astype(np.int16) for n in (1600, 145, 2231)]
    frontend = Frontend.fit(config, x_dim, signals)
    made, lazy = (
        [frontend.frames(signal, x_dim) for signal in signals],
        frontend.sequences(signals, x_dim),
    )
    assert [len(sequence) for sequence in lazy] == [len(frames) for frames in made]
    epochs = [
        Streams(frames, 3, 4, 2).epoch(torch.Generator().manual_seed(2)) for frames in (lazy, made)
    ]
    assert_same(*epochs)
    whole, same = (make_batch(frames, first_frame=False) for frames in (lazy, made))
    assert whole.x.dtype == torch.float32
    assert all(
        torch.equal(getattr(whole, name), getattr(same, name)) for name in ("x", "u", "lengths")
    )


def test_without_resets_an_epoch_is_one_batch_of_the_longest_chunks():
    streams = Streams(numbered(82), batch_size=4, segment_length=5, segments_per_reset=0)
    resets = [reset.all() for reset, _, _ in streams.epoch(torch.Generator())]
    assert resets == [True, False, False, False]


def test_order_depends_on_the_generator_alone():
    streams = Streams(numbered(101), batch_size=2, segment_length=5, segments_per_reset=1)

    def order(seed):
        return torch.stack(
            [batch.x for _, batch, _ in streams.epoch(torch.Generator().manual_seed(seed))]
        )

    torch.testing.assert_close(order(1), order(1))
    assert not torch.equal(order(1), order(2))


def test_chunks_begin_at_every_possible_frame():
    streams = Streams(numbered(24), batch_size=2, segment_length=5, segments_per_reset=1)
    generator = torch.Generator().manual_seed(0)
    starts = {
        min(batch.u.min().item() for _, batch, _ in streams.epoch(generator)) for _ in range(50)
    }
    assert starts == {1, 2, 3, 4}


@pytest.mark.parametrize("segments_per_reset", [0, 2])
def test_streams_need_one_full_batch(segments_per_reset):
    enough = 1 + 3 * 5 * max(segments_per_reset, 1)
    Streams(numbered(enough), 3, 5, segments_per_reset)
    with pytest.raises(
        ValueError, match=f"has {enough - 2} scored frames, fewer than one batch of 3 streams"
    ):
        Streams(numbered(enough - 1), 3, 5, segments_per_reset)


def test_whole_sequences_by_hand():
    """5, 2, 9 frames in segments of 4 at most: pieces 2 + 3, 2, 3 + 3 + 3; two rows of three."""
    sequences = numbered(5, 2, 9)
    segments = WholeSequences(sequences, 2, 4, first_frame=True)
    assert (len(segments), segments.frames) == (3, 16)
    pieces = [[([0], [1, 2], True), ([2], [3, 4, 5], False)], [([0], [6, 7], True)]]
    pieces.append(
        [([0], [8, 9, 10], True), ([10], [11, 12, 13], False), ([13], [14, 15, 16], False)]
    )
    order = torch.randperm(3, generator=torch.Generator().manual_seed(4)).tolist()
    flat = [piece for i in order for piece in pieces[i]]
    for update, (starts, batch, frames) in enumerate(
        segments.epoch(torch.Generator().manual_seed(4))
    ):
        side_by_side = flat[update], flat[update + 3]
        assert starts.tolist() == [first or update == 0 for _, _, first in side_by_side]
        assert frames == sum(len(x) for _, x, _ in side_by_side) == batch.lengths.sum()
        for row, (before, x, _) in enumerate(side_by_side):
            n = len(x)
            assert batch.x[row, :n, 0].tolist() == x
            assert batch.u[row, :n, 0].tolist() == before + x[:-1]
            assert (batch.x[row, n:] == 0).all()


@pytest.mark.parametrize("first_frame", [True, False])
def test_whole_sequences_carry_each_sequence_over_its_pieces(first_frame):
    segments = WholeSequences(numbered(7, 3, 12, 5, 5, 20, 2), 3, 4, first_frame)
    epoch = list(segments.epoch(torch.Generator().manual_seed(2)))
    assert len(epoch) == len(segments)
    scored = []
    for (_, before, _), (starts, batch, _) in pairwise(epoch):
        for row in (~starts).nonzero().flatten().tolist():
            assert batch.u[row, 0, 0] == before.x[row, before.lengths[row] - 1, 0]
    for starts, batch, _ in epoch[1:]:
        firsts = {0} if first_frame else {1, 8, 11, 23, 28, 33, 53}
        assert all(
            batch.u[row, 0, 0].item() in firsts for row in starts.nonzero().flatten().tolist()
        )
    for _, batch, _ in epoch:
        scored += batch.x[..., 0][batch.mask == 1].tolist()
    assert len(scored) == len(set(scored))


@pytest.mark.parametrize("start", [0, 2])
def test_a_process_makes_its_rows_of_whole_sequences_with_the_length_of_all_rows(start):
    segments = WholeSequences(numbered(7, 3, 12, 5, 5, 20, 2), 4, 4, True, transposition=1)
    whole = list(segments.epoch(torch.Generator().manual_seed(2)))[start:]
    for rows in (slice(0, 1), slice(1, 4)):
        part = segments.epoch(torch.Generator().manual_seed(2), rows=rows, start=start)
        assert_same(
            part,
            [(s[rows], type(b)(b.x[rows], b.u[rows], b.lengths[rows]), n) for s, b, n in whole],
        )


def test_whole_sequences_need_one_batch_of_segments_and_a_frame_to_score():
    with pytest.raises(
        ValueError, match="has 5 segments of at most 4 frames, fewer than one batch of 6"
    ):
        WholeSequences(numbered(5, 2, 8), 6, 4, first_frame=True)
    with pytest.raises(ValueError, match="one frame; two are needed"):
        WholeSequences(numbered(5, 1), 1, 4, first_frame=False)


@pytest.mark.parametrize("whole", [True, False])
def test_transposition_moves_whole_sequences_anew_in_each_epoch(whole):
    """One note, 5, in all frames: it is found in all places from 3 to 7 over many epochs."""
    songs = [np.eye(12, dtype=np.float32)[[5] * n] for n in (6, 6, 6)]
    segments = (
        WholeSequences(songs, 3, 6, True, transposition=2)
        if whole
        else Streams(songs, 1, 17, 0, transposition=2)
    )
    found, generator = set(), torch.Generator().manual_seed(1)
    for _ in range(30):
        (_, batch, _), *_ = segments.epoch(generator)
        assert (batch.x.sum(-1) == 1).all()
        notes = batch.x.argmax(-1).reshape(-1).tolist()
        found |= set(notes)
        moves = sum(a != b for a, b in pairwise(notes))
        assert moves <= 2  # within a song the note stays
    assert found == {3, 4, 5, 6, 7}
