"""How far the axis of nats per frame reaches."""

import numpy as np
import pytest

from srnn_lab.pictures.limits import beyond, robust_limits, symmetric_limits


@pytest.mark.parametrize("spread", [0, 1, 30])
def test_ordinary_spikes_stay_on_the_axis_and_giants_do_not(spread):
    rng = np.random.default_rng(0)
    kl = 60 + spread * rng.uniform(-1, 1, 260)
    kl[[40, 90]] = 5 * np.median(kl)
    assert robust_limits([kl]) == (0, pytest.approx(1.05 * kl.max()))
    kl[200] = 3123
    assert robust_limits([kl]) == (0, pytest.approx(1.05 * kl[40]))
    assert (
        beyond([(np.arange(260.0), kl)], robust_limits([kl]), "nats")
        == "1 of 260 frames above the axis, up to 3123 nats"
    )


def test_rare_frames_far_below_do_not_set_the_axis_and_others_do():
    lines = np.zeros((2, 50))
    lines[1] = np.linspace(-3, -1, 50)
    low, high = robust_limits(lines)
    assert low < -3 and 0 < high < 1
    lines[0, 7] = -1e6
    assert robust_limits(lines) == (low, high)
    assert robust_limits(np.zeros((1, 3)))[1] > 0


def test_half_of_each_line_is_on_the_axis():
    lines = np.stack(
        [np.linspace(0, 1, 101), np.linspace(0, 1, 101), np.linspace(-2000, -1000, 101)]
    )
    assert robust_limits(lines)[0] < -1500


def test_a_gap_in_a_line_does_not_count():
    line = np.array([1.0, np.nan, 2.0, 3.0])
    assert robust_limits([line]) == (0, pytest.approx(3.15))
    assert beyond([(np.arange(4.0), line)], (0.0, 4.0), "nats") == ""


def test_differences_have_0_in_the_middle():
    line = np.random.default_rng(0).normal(size=200)
    low, high = symmetric_limits([line])
    assert low == -high
    assert high == pytest.approx(1.05 * np.abs(line).max(), rel=1e-6)
    low, high = symmetric_limits([np.zeros(9)])
    assert low == -high < 0
    assert symmetric_limits([line, line, line - 60])[0] < -59


def test_constant_lines_do_not_decide_the_axis_of_others():
    kl = 50 + 10 * np.sin(np.arange(200.0))
    assert robust_limits([np.zeros(200), np.zeros(200), kl]) == (0, pytest.approx(1.05 * kl.max()))
    rare = np.where(np.arange(100) % 25, 0.0, 3.0)
    assert robust_limits([rare]) == (0, pytest.approx(3.15))
    assert robust_limits([np.array([-1e-7, 1e-7, 0])])[0] == 0


def test_large_numbers_are_written_out():
    times, values = np.arange(2.0), np.array([0, -2.588e9])
    assert (
        beyond([(times, values)], (-1.0, 1.0), "nats")
        == "1 of 2 frames below the axis, down to −2,588,000,000 nats"
    )


def test_a_frame_counts_once_however_many_lines_leave_the_axis():
    times = np.arange(3.0)
    lines = [(times, np.array([9.0, 0, 0])), (times, np.array([8.0, 7, -5]))]
    assert beyond(lines, (-1.0, 5.0), "nats") == (
        "2 of 3 frames above the axis, up to 9 nats; 1 of 3 frames below the axis, down to −5 nats"
    )
