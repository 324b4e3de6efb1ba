"""Scores of forecasts and what they are compared with: exact answers."""

from dataclasses import replace

import linear_gaussian
import numpy as np
import pytest
from linear_gaussian import LinearDKF
from scipy import stats
from scipy.integrate import quad

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import PRESETS
from srnn_lab.data import Frontend
from srnn_lab.inference import baselines
from srnn_lab.inference.baselines import BASELINES
from srnn_lab.inference.forecasting import Forecast, forecast
from srnn_lab.inference.scores import GaussianForecast

MEAN, DEVIATION, CAME = np.array([[0.3, -2.0]]), np.array([[1.5, 0.2]]), np.array([[1.1, -2.3]])


def test_the_crps_of_a_gaussian_is_the_integral_that_defines_it():
    found = GaussianForecast(MEAN, DEVIATION).crps(CAME)
    for i in range(2):
        z = (CAME[0, i] - MEAN[0, i]) / DEVIATION[0, i]
        below, _ = quad(lambda x: stats.norm.cdf(x) ** 2, -12, z)
        above, _ = quad(lambda x: stats.norm.sf(x) ** 2, z, 12)
        assert found[0, i] == pytest.approx(DEVIATION[0, i] * (below + above), rel=1e-7)
    draws = Forecast(
        MEAN + DEVIATION * np.random.default_rng(0).standard_normal((100_000, 1, 2)), np.zeros(1)
    )
    np.testing.assert_allclose(draws.crps(CAME), found, rtol=0.02)


def test_the_log_score_and_the_interval_of_a_gaussian_by_hand():
    found = GaussianForecast(MEAN, DEVIATION)
    squares = ((CAME - MEAN) / DEVIATION) ** 2
    by_hand = 0.5 * (np.log(2 * np.pi * DEVIATION**2) + squares).sum(1)
    np.testing.assert_allclose(found.log_score(CAME), by_hand)
    np.testing.assert_allclose(found.quantile(0.95) - MEAN, 1.6448536 * DEVIATION, rtol=1e-6)
    assert found.coverage(MEAN + np.array([[1.6, 1.7]]) * DEVIATION, 0.9) == 0.5


def test_the_log_score_of_draws_is_the_kalman_filters_and_counts_in_the_units_of_the_table():
    model, past, came = (
        LinearDKF(),
        *np.split(np.random.default_rng(0).standard_normal((15, 2)), [12]),
    )
    run = PRESETS["series"]
    config = replace(
        run, model=replace(model.config, missing=False), data=replace(run.data, columns="a,b")
    )
    found = forecast(
        Checkpoint(config, model, Frontend.plain(config.data)),
        past.astype(np.float32),
        3,
        paths=20_000,
    )
    a, c, q, r = (getattr(linear_gaussian, name) for name in "ACQR")
    mean, variance = np.zeros(2), np.zeros(2)
    for x_t in past:
        mean, variance = a * mean, a**2 * variance + q
        gain = variance * c / (c**2 * variance + r)
        mean, variance = mean + gain * (x_t - c * mean), (1 - gain * c) * variance
    expected = []
    for x_t in came:
        mean, variance = a * mean, a**2 * variance + q
        expected.append(-stats.norm.logpdf(x_t, c * mean, np.sqrt(c**2 * variance + r)).sum())
    np.testing.assert_allclose(found.log_score(came), expected, atol=0.03)
    scaled = Frontend(config.data, np.array([5.0, -7.0]), np.array([10.0, 0.1]))
    table, later = (rows * scaled.std + scaled.mean for rows in (past, came))
    other = forecast(Checkpoint(config, model, scaled), table.astype(np.float32), 3, paths=20_000)
    np.testing.assert_allclose(
        other.log_score(later), found.log_score(came) + np.log(10 * 0.1), atol=1e-4
    )
    with pytest.raises(ValueError, match="have no density"):
        Forecast(found.samples, found.times).log_score(came)


def test_naive_forecasts_by_hand():
    train, past = np.array([1.0, 4.0, 2.0, 6.0, 1.0, 5.0]), np.array([0.0, 7.0, 3.0])
    last = BASELINES["last value"](train, 2)(past, 2)
    assert last.mean[:, 0].tolist() == [3.0, 3.0]
    by_one, by_two = np.array([3, -2, 4, -5, 4.0]), np.array([1, 2, -1, -1.0])
    np.testing.assert_allclose(last.deviation[:, 0] ** 2, [np.mean(by_one**2), np.mean(by_two**2)])
    season = BASELINES["seasonal naive"](train, 2)(past, 3)
    assert season.mean[:, 0].tolist() == [7.0, 3.0, 7.0]
    np.testing.assert_allclose(season.deviation[:2, 0] ** 2, np.mean(by_two**2))
    np.testing.assert_allclose(season.deviation[2, 0] ** 2, np.mean(np.array([0.0, 1.0]) ** 2))


def test_arima_and_exponential_smoothing_forecast_by_their_equations(monkeypatch):
    monkeypatch.setattr(baselines, "ORDERS", [(1, 0, 0)])
    kept, of_statsmodels = [], baselines._of_statsmodels
    monkeypatch.setattr(
        baselines, "_of_statsmodels", lambda fit: kept.append(fit) or of_statsmodels(fit)
    )
    noise, x = np.random.default_rng(0).standard_normal(300), np.zeros(300)
    for t in range(1, 300):
        x[t] = 2 + 0.8 * (x[t - 1] - 2) + noise[t]
    h = np.arange(1, 6)
    found = BASELINES["ARIMA"](x[:200], 1)(x[:250], 5)
    mean, phi, variance = kept[0].params
    np.testing.assert_allclose(found.mean[:, 0], mean + phi**h * (x[249] - mean), rtol=1e-6)
    np.testing.assert_allclose(
        found.deviation[:, 0] ** 2, variance * (1 - phi ** (2 * h)) / (1 - phi**2), rtol=1e-6
    )
    assert 0.6 < phi < 0.95
    found = BASELINES["ETS"](x[:200], 1)(x[:250], 5)
    alpha, level = kept[1].params[0], 0.0  # of which nothing is left after so many rows
    for x_t in x[:250]:
        level += alpha * (x_t - level)
    np.testing.assert_allclose(found.mean[:, 0], level, rtol=1e-6)
    ratio = found.deviation[:, 0] ** 2 / found.deviation[0, 0] ** 2
    np.testing.assert_allclose(ratio, 1 + (h - 1) * alpha**2, rtol=1e-6)
