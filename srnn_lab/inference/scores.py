"""Proper scores of forecasts (Gneiting and Raftery, 2007).

They are in closed form of Gaussians, or of draws; 0 is perfect CRPS. Log scores are negative log
densities in nats: the lower, the better.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm


class Predicted(ABC):
    """What a forecast says of each value to come."""

    @abstractmethod
    def quantile(self, share: float) -> Float[np.ndarray, "t c"]:
        """The value that ``share`` of the probability lies below; in [0, 1]."""

    @abstractmethod
    def crps(self, came: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
        """The continuous ranked probability score of each value that came."""

    @abstractmethod
    def log_score(self, came: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t"]:
        """Minus the log density of each row that came, whatever came before it."""

    def coverage(self, came: Float[np.ndarray, "t c"], share: float) -> float:
        """Share of what came that lies in the central interval of ``share`` of the probability.

        Returns:
            From 0 to 1; missing values (NaN) do not count, and of nothing else it is NaN.
        """
        low, high = self.quantile((1 - share) / 2), self.quantile((1 + share) / 2)
        inside = ((low <= came) & (came <= high))[~np.isnan(came)]
        return float(inside.mean()) if inside.size else float("nan")


@dataclass(frozen=True)
class GaussianForecast(Predicted):
    """A Gaussian for each value, independent of the others.

    Attributes:
        mean: Its mean.
        deviation: Its standard deviation, above 0.
    """

    mean: Float[np.ndarray, "t c"]
    deviation: Float[np.ndarray, "t c"]

    def quantile(self, share: float) -> Float[np.ndarray, "t c"]:
        """By the inverse of the normal distribution function."""
        return self.mean + self.deviation * norm.ppf(share)

    def crps(self, came: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
        """Sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), with z = (y - mu) / sigma."""
        z = (came - self.mean) / self.deviation
        return self.deviation * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))

    def log_score(self, came: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t"]:
        """Summed over the values of a row."""
        return -norm.logpdf(came, self.mean, self.deviation).sum(-1)
