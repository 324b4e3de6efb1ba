"""Principal components against scikit-learn and a case by hand; frames of a set as points."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from tiny import music_run, roll, untrained

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.latent_map import evenly, gather, principal_components
from srnn_lab.analysis.moments import summarise

RNG = np.random.default_rng(0)


def test_the_components_of_points_on_a_line_are_that_line():
    line = np.array([[3.0, -4.0]]) * np.linspace(-1, 1, 9)[:, None] + [10.0, 20.0]
    found = principal_components(line)
    np.testing.assert_allclose(found.mean, [10, 20])
    np.testing.assert_allclose(found.directions[0], [-0.6, 0.8])  # the largest weight is positive
    np.testing.assert_allclose(found.shares, [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.along(line, 0), np.linspace(5, -5, 9), atol=1e-12)


@pytest.mark.parametrize("shape", [(200, 5), (4, 5)])
def test_the_components_are_those_of_another_library(shape):
    values = RNG.normal(size=shape) * [5, 4, 3, 2, 1] + RNG.normal(size=5)
    found, expected = principal_components(values), PCA(svd_solver="full").fit(values)
    kept = min(shape[0] - 1, shape[1])
    np.testing.assert_allclose(
        found.shares[:kept], expected.explained_variance_ratio_[:kept], rtol=1e-9
    )
    assert found.shares.sum() == pytest.approx(1)
    for i in range(kept):
        coordinates = expected.transform(values)[:, i]
        np.testing.assert_allclose(
            np.abs(found.along(values, i)), np.abs(coordinates), rtol=1e-6, atol=1e-9
        )


def test_points_that_are_all_the_same_have_no_variance():
    found = principal_components(np.ones((6, 3), np.float32))
    np.testing.assert_array_equal(found.shares, 0)


def test_the_frames_of_all_clips_are_points_that_know_their_clip():
    tested = untrained(music_run())
    clips = {
        name: summarise(inspect_signal(tested, roll(n)), 0)
        for name, n in {"a": 12, "b": 20}.items()
    }
    cloud = gather(clips)
    assert len(cloud.kl) == sum(len(one.kl) for one in clips.values())
    some = cloud.take(np.array([3, len(clips["a"].kl) + 5]))
    assert [cloud.names[i] for i in some.clip] == ["a", "b"]
    assert some.frame.tolist() == [3, 5]
    np.testing.assert_array_equal(some.z[1], clips["b"].z[5])
    assert some.kl[0] == clips["a"].kl[3]


def test_points_are_thinned_out_evenly():
    np.testing.assert_array_equal(evenly(5, 9), np.arange(5))
    np.testing.assert_array_equal(evenly(9, 3), [0, 4, 8])
    assert len(evenly(123_457, 50_000)) == 50_000
