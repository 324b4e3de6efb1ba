"""A path of z that is moved, by hand."""

import numpy as np
import pytest

from srnn_lab.analysis.steering import along_dimension, steer, towards

Z = np.arange(8.0, dtype=np.float32).reshape(4, 2)
INSIDE = np.array([False, True, True, True])


def test_the_direction_is_added_alpha_times_in_the_stretch_alone():
    found = steer(Z, np.array([1.0, -2.0]), 1.5, INSIDE)
    np.testing.assert_allclose(found, Z + np.outer([0, 1, 1, 1], [1.5, -3]))
    assert found.dtype == Z.dtype


def test_it_can_grow_from_nothing_to_alpha():
    found = steer(Z, np.array([1.0, -2.0]), 2.0, INSIDE, growing=True)
    np.testing.assert_allclose(found, Z + np.outer([0, 0, 1, 2], [1, -2]))
    np.testing.assert_array_equal(steer(Z, np.ones(2), 2.0, np.zeros(4, bool), growing=True), Z)


def test_one_dimension_is_moved_by_its_standard_deviation():
    np.testing.assert_allclose(along_dimension(Z, 1), [0, np.std([1, 3, 5, 7])])


@pytest.mark.parametrize(("alpha", "share"), [(0.0, 0), (1.0, 1), (0.25, 0.25)])
def test_a_morph_is_the_line_to_the_other_path_over_and_over(alpha, share):
    other = np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]], np.float32)
    repeated = other[[0, 1, 2, 0]]
    found = steer(Z, towards(Z, other), alpha, np.ones(4, bool))
    np.testing.assert_allclose(found, (1 - share) * Z + share * repeated)
