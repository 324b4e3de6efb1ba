import numpy as np
import torch
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from srnn_lab.models.linear_prediction import (
    prediction_error,
    predictor,
    step_up,
    synthesise,
    synthesised_variance,
)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_taps_are_those_whose_partial_autocorrelations_are_the_reflection_coefficients():
    """With the sign: the last tap of the best predictor of each order.

    It is solved from the autocovariance of the filter.
    """
    kappa = torch.tanh(draw(5))
    taps = step_up(kappa).numpy()
    response = lfilter([1.0], np.r_[1.0, -taps], np.eye(1, 20_000)[0])
    covariance = np.array([response[: len(response) - k] @ response[k:] for k in range(6)])
    solved = [solve_toeplitz(covariance[:m], covariance[1 : m + 1]) for m in range(1, 6)]
    np.testing.assert_allclose([best[-1] for best in solved], kappa, atol=1e-8)
    np.testing.assert_allclose(solved[-1], taps, atol=1e-8)
    assert step_up(torch.tensor([0.5])).tolist() == [0.5]


def test_poles_lie_inside_the_circle_and_only_there():
    for scale, order in (
        (0.3, 16),
        (1.0, 16),
        (1.5, 4),
    ):  # roots that nearly meet are lost to rounding
        for taps in step_up(torch.tanh(scale * draw(200, order))).numpy():
            assert np.abs(np.roots(np.r_[1.0, -taps])).max() < 1
    assert (
        np.abs(
            np.roots(np.r_[1.0, -step_up(torch.tensor([0.3, 1.01], dtype=torch.float64)).numpy()])
        ).max()
        > 1
    )


def test_the_filters_are_scipys_and_each_others_inverse():
    y, taps = draw(3, 50), step_up(torch.tanh(draw(3, 4, seed=1)))
    e = prediction_error(y, taps)
    for row, a, found in zip(y.numpy(), taps.numpy(), e.numpy(), strict=True):
        np.testing.assert_allclose(found, lfilter(np.r_[1.0, -a], [1.0], row), atol=1e-12)
        np.testing.assert_allclose(row, lfilter([1.0], np.r_[1.0, -a], found), atol=1e-10)
    torch.testing.assert_close(synthesise(e, taps), y)


def test_a_filter_runs_on_over_the_border_of_two_frames():
    whole, taps = draw(2, 60), step_up(torch.tanh(draw(2, 7, seed=1)))
    past, y = whole.split([40, 20], -1)
    expected = prediction_error(whole, taps)[:, 40:]
    torch.testing.assert_close(prediction_error(y, taps, past), expected)
    torch.testing.assert_close(prediction_error(y, taps, past[:, -7:]), expected)
    torch.testing.assert_close(synthesise(expected, taps, past[:, -7:]), y)
    short = torch.cat([torch.zeros(2, 4, dtype=torch.float64), past[:, -3:]], -1)
    torch.testing.assert_close(
        prediction_error(y, taps, past[:, -3:]), prediction_error(y, taps, short)
    )
    torch.testing.assert_close(
        synthesise(expected, taps, past[:, -3:]), synthesise(expected, taps, short)
    )


def test_a_frame_may_be_shorter_than_the_filter():
    y, taps = draw(2, 3), step_up(torch.tanh(draw(2, 16, seed=1)))
    torch.testing.assert_close(synthesise(prediction_error(y, taps), taps), y)


def test_the_variance_is_the_diagonal_of_the_dense_covariance():
    variance, taps = draw(2, 12).exp(), step_up(torch.tanh(draw(2, 4, seed=1)))
    for v, a, found in zip(variance, taps, synthesised_variance(variance, taps), strict=True):
        inverse = torch.linalg.inv(
            prediction_error(torch.eye(12, dtype=torch.float64), a.expand(12, -1)).T
        )
        torch.testing.assert_close(found, torch.diagonal(inverse @ torch.diag(v) @ inverse.T))


def test_gradients_are_those_of_finite_differences():
    kappa, y, past = (
        value.requires_grad_() for value in (torch.tanh(draw(2, 3)), draw(2, 6), draw(2, 3, seed=2))
    )
    assert torch.autograd.gradcheck(
        lambda k, y, past: prediction_error(y, step_up(k), past), (kappa, y, past)
    )


def test_the_predictor_solves_the_normal_equations_of_the_windowed_frame():
    y, floor = draw(3, 40), 1e-3
    kappa, error = predictor(y, 5, floor)
    rise, fall = (np.arange(n) + 0.5 for n in (32, 8))
    window = np.concatenate([np.sin(np.pi * rise / 64) ** 2, np.cos(np.pi * fall / 16)])
    for row, k, found in zip(y.numpy() * window, kappa, error, strict=True):
        lags = np.array([row[m:] @ row[: 40 - m] for m in range(6)]) / (window @ window)
        lags[0] = lags[0] * (1 + 1e-5) + floor
        taps = solve_toeplitz(lags[:5], lags[1:])
        np.testing.assert_allclose(step_up(k), taps, rtol=1e-6)
        np.testing.assert_allclose(found, lags[0] - taps @ lags[1:], rtol=1e-6)


def test_the_predictor_of_a_filtered_noise_finds_the_filter():
    kappa = torch.tensor([[0.9, -0.7, 0.2]], dtype=torch.float64)
    y = synthesise(0.1 * draw(1, 20_000), step_up(kappa))
    found, error = predictor(y, 3, 0.0)
    torch.testing.assert_close(found, kappa, rtol=0, atol=0.03)
    torch.testing.assert_close(error, torch.full_like(error, 0.01), rtol=0.05, atol=0)


def test_the_predictor_of_silence_predicts_nothing_and_scales_with_the_sound():
    kappa, error = predictor(torch.zeros(2, 50), 4, 1e-6)
    assert (kappa == 0).all()
    torch.testing.assert_close(error, torch.full((2, 1), 1e-6))
    y = draw(2, 50)
    (k_1, error_1), (k_2, error_2) = predictor(y, 4, 0.0), predictor(1e-3 * y, 4, 0.0)
    torch.testing.assert_close(k_1, k_2)
    torch.testing.assert_close(error_1, 1e6 * error_2)
    assert all(value.isfinite().all() for value in predictor(torch.full((1, 3), -9.0), 16, 0.0))
