"""What a forecast by a neural network has to beat.

That is naive forecasts, exponential smoothing and ARIMA, of one column. Each is fitted to a
training part, and then makes a ``GaussianForecast`` of what comes after any past.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from srnn_lab.inference.scores import GaussianForecast
from srnn_lab.system.extras import optional_packages

Forecaster = Callable[[Float[np.ndarray, "_"], int], GaussianForecast]
"""A past and a number of steps -> what comes next."""
ORDERS = [(1, 0, 0), (2, 0, 0), (3, 0, 0), (1, 0, 1), (2, 0, 1), (2, 0, 2), (9, 0, 0)]
"""Orders (p, d, q) of ARIMA, among which AIC chooses; the last is classic for the sunspots."""


def seasonal_naive(train: Float[np.ndarray, "n"], period: int) -> Forecaster:
    """The value of one period ago, or the last one with a period of 1.

    The error grows as it did in the training part.

    Args:
        train: What the errors are taken from: with each lead, the root mean square.
        period: Rows after which it is repeated.

    Returns:
        What makes a forecast of any past.
    """

    def forecaster(past: Float[np.ndarray, "_"], steps: int) -> GaussianForecast:
        # From each row back to the latest one of its season.
        lags = period * (1 + np.arange(steps) // period)
        mean = past[len(past) + np.arange(steps) - lags]
        errors = [np.sqrt(np.mean((train[lag:] - train[:-lag]) ** 2)) for lag in lags]
        return GaussianForecast(mean[:, None], np.array(errors)[:, None])

    return forecaster


def arima(train: Float[np.ndarray, "n"], period: int) -> Forecaster:
    """The best of ``ORDERS`` by AIC.

    Where there is a season, it is of seasonal differences with a moving average.

    Returns:
        What makes a forecast of any past.
    """
    with optional_packages():
        from statsmodels.tsa.arima.model import ARIMA
    seasonal: dict[str, Any] = (
        {"seasonal_order": (0, 1, 1, period), "trend": "n"} if period > 1 else {"trend": "c"}
    )
    fits = [_fitted(ARIMA(train, order=order, **seasonal)) for order in ORDERS]
    return _of_statsmodels(min(fits, key=lambda fit: fit.aic))


def ets(train: Float[np.ndarray, "n"], period: int) -> Forecaster:
    """Exponential smoothing with additive errors: a level, and a season where there is one."""
    with optional_packages():
        from statsmodels.tsa.statespace.exponential_smoothing import ExponentialSmoothing
    model = ExponentialSmoothing(train, seasonal=period if period > 1 else None)
    return _of_statsmodels(_fitted(model, disp=False))


def _fitted(model: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        # It warns that it starts from other values, or stops before it has converged.
        warnings.simplefilter("ignore")
        return model.fit(**options)


def _of_statsmodels(fit: Any) -> Forecaster:
    """The parameters of a fit, applied to another past."""

    def forecaster(past: Float[np.ndarray, "_"], steps: int) -> GaussianForecast:
        found = fit.apply(past).get_forecast(steps)
        return GaussianForecast(
            np.asarray(found.predicted_mean)[:, None], np.asarray(found.se_mean)[:, None]
        )

    return forecaster


BASELINES: dict[str, Callable[[Float[np.ndarray, "n"], int], Forecaster]] = {
    "last value": lambda train, _: seasonal_naive(train, 1),
    "seasonal naive": seasonal_naive,
    "ETS": ets,
    "ARIMA": arima,
}
"""Name -> what fits it to a training part with a period; the only list."""
