"""The nearest stretches of a set, against a search by hand."""

import time

import numpy as np
import pytest

from srnn_lab.analysis.similar import nearest_stretches, stretch_distances

RNG = np.random.default_rng(0)
VALUES = {
    "a": RNG.normal(size=(30, 4)),
    "b": RNG.normal(size=(12, 4)),
    "short": RNG.normal(size=(3, 4)),
}
QUERY = VALUES["a"][10:15]


def by_hand(query, values):
    """The distance of each stretch, one after another."""
    starts = range(len(values) - len(query) + 1)
    return np.array(
        [np.sqrt(((values[t : t + len(query)] - query) ** 2).sum(1).mean()) for t in starts]
    )


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("length", [1, 5, 12])
def test_the_distance_of_each_stretch_is_that_of_its_frames(name, length):
    query = RNG.normal(size=(length, 4)).astype(np.float32)
    np.testing.assert_allclose(
        stretch_distances(query, VALUES[name]), by_hand(query, VALUES[name]), rtol=1e-9
    )


def test_the_nearest_stretches_of_all_clips_come_first_and_do_not_overlap():
    found = nearest_stretches(QUERY, VALUES, ("a", 10), 4)
    far = {name: by_hand(QUERY, one) for name, one in VALUES.items()}
    far["a"][6:15] = np.inf  # stretches that hold a frame of the selection
    typical = np.median(np.concatenate([one[np.isfinite(one)] for one in far.values()]))
    for moment in found:
        name = min(far, key=lambda name: far[name].min(initial=np.inf))
        start = int(far[name].argmin())
        assert (moment.clip, moment.frame) == (name, start)
        assert moment.value == pytest.approx(far[name][start] / typical)
        far[name][max(0, start - 4) : start + 5] = np.inf
    assert len(found) == 4


def test_a_stretch_of_another_clip_is_found_where_it_is_repeated():
    repeated = {"a": VALUES["a"], "b": np.concatenate([VALUES["b"], QUERY, VALUES["b"]])}
    first = nearest_stretches(QUERY, repeated, ("a", 10), 1)[0]
    assert (first.clip, first.frame) == ("b", 12)
    assert first.value == pytest.approx(0, abs=1e-6)
    assert nearest_stretches(QUERY, repeated, None, 2)[0].value == pytest.approx(0, abs=1e-6)


def test_stretches_that_are_all_alike_are_at_distance_0_and_no_clips_have_none():
    alike = nearest_stretches(np.ones((2, 3)), {"a": np.ones((9, 3))}, None, 3)
    assert [(one.frame, one.value) for one in alike] == [(0, 0), (2, 0), (4, 0)]
    assert nearest_stretches(QUERY, {}, None, 3) == []
    assert nearest_stretches(QUERY, {"short": VALUES["short"]}, None, 3) == []


def test_half_an_hour_of_frames_is_searched_within_a_second_of_processor_time():
    values = {str(i): RNG.normal(size=(2000, 64)).astype(np.float32) for i in range(90)}
    start = time.process_time()
    nearest_stretches(values["3"][100:150], values, ("3", 100), 12)
    assert time.process_time() - start < 1
