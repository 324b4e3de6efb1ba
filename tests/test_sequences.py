from itertools import pairwise

import numpy as np
import pytest
import torch

from srnn_lab.data.sequences import Streams, batches, make_batch


def numbered(*lengths, width=2):
    """Sequences whose frames are numbered from 1 throughout, the same number in each value of a frame."""
    ends = np.cumsum(lengths)
    return [
        np.repeat(np.arange(end - n + 1, end + 1, dtype=np.float32)[:, None], width, 1)
        for n, end in zip(lengths, ends, strict=True)
    ]


def test_input_is_the_frame_before_and_zero_before_a_scored_first_frame():
    batch = make_batch(numbered(3, 1), first_frame=True)
    assert batch.x[..., 0].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch.u[..., 0].tolist() == [[0, 1, 2], [0, 0, 0]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_unscored_first_frame_is_only_an_input():
    batch = make_batch(numbered(4, 2), first_frame=False)
    assert batch.x[..., 0].tolist() == [[2, 3, 4], [6, 0, 0]]
    assert batch.u[..., 0].tolist() == [[1, 2, 3], [5, 0, 0]]
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
        ([3, 1], False, "1 frames; at least 2 are needed when the first frame is not scored"),
    ],
)
def test_batch_refuses_sequences_without_a_scored_frame(lengths, first_frame, message):
    with pytest.raises(ValueError, match=message):
        make_batch(numbered(*lengths), first_frame)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batches_hold_each_sequence_exactly_once(batch_size):
    sequences = numbered(5, 2, 9, 3, 3, 8, 2)
    seen = []
    for chosen, batch in batches(sequences, batch_size, first_frame=True):
        assert len(chosen) <= batch_size
        for i, x, n in zip(chosen, batch.x, batch.lengths, strict=True):
            np.testing.assert_array_equal(x[:n], sequences[i])
        seen += chosen
    assert sorted(seen) == list(range(7))


@pytest.mark.parametrize("segments_per_reset", [0, 1, 2, 3])
@pytest.mark.parametrize(("batch_size", "segment_length"), [(1, 1), (2, 5), (3, 4)])
def test_epoch_scores_each_used_frame_once_and_carries_chunks_over_their_segments(
    segments_per_reset, batch_size, segment_length
):
    streams = Streams(numbered(40, 1, 37), batch_size, segment_length, segments_per_reset)
    epoch = list(streams.epoch(torch.Generator().manual_seed(3)))
    assert len(epoch) == len(streams)
    assert [reset for reset, _ in epoch] == [i % streams.segments == 0 for i in range(len(streams))]
    for (_, before), (reset, batch) in pairwise(epoch):
        if not reset:
            torch.testing.assert_close(batch.u[:, 0], before.x[:, -1])
    x, u = (torch.stack([getattr(batch, name) for _, batch in epoch]) for name in "xu")
    assert x.shape[1:] == (batch_size, segment_length, 2)
    torch.testing.assert_close(u, x - 1)
    scored = x[..., 0].flatten().sort().values
    used = len(streams) * batch_size * segment_length
    torch.testing.assert_close(scored, scored[0] + torch.arange(used, dtype=torch.float32))
    assert 0 <= 77 - used < batch_size * segment_length * (segments_per_reset or 1)
    assert all(batch.lengths.tolist() == [segment_length] * batch_size for _, batch in epoch)


def test_without_resets_an_epoch_is_one_batch_of_the_longest_chunks():
    streams = Streams(numbered(82), batch_size=4, segment_length=5, segments_per_reset=0)
    resets = [reset for reset, _ in streams.epoch(torch.Generator())]
    assert resets == [True, False, False, False]


def test_order_depends_on_the_generator_alone():
    streams = Streams(numbered(101), batch_size=2, segment_length=5, segments_per_reset=1)

    def order(seed):
        return torch.stack([batch.x for _, batch in streams.epoch(torch.Generator().manual_seed(seed))])

    torch.testing.assert_close(order(1), order(1))
    assert not torch.equal(order(1), order(2))


def test_chunks_begin_at_every_possible_frame():
    streams = Streams(numbered(24), batch_size=2, segment_length=5, segments_per_reset=1)
    generator = torch.Generator().manual_seed(0)
    starts = {min(batch.u.min().item() for _, batch in streams.epoch(generator)) for _ in range(50)}
    assert starts == {1, 2, 3, 4}


@pytest.mark.parametrize("segments_per_reset", [0, 2])
def test_streams_need_one_full_batch(segments_per_reset):
    enough = 1 + 3 * 5 * max(segments_per_reset, 1)
    Streams(numbered(enough), 3, 5, segments_per_reset)
    with pytest.raises(ValueError, match=f"has {enough - 2} scored frames, fewer than one batch of 3 streams"):
        Streams(numbered(enough - 1), 3, 5, segments_per_reset)
