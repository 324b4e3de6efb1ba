"""Emission distributions p(x_t | z_t, d_t): what a network's outputs mean, frame by frame."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from srnn_lab.distributions import DiagonalGaussian, floor_variance


class Likelihood(ABC):
    """A distribution over frames of ``x_dim`` values, given ``num_params`` network outputs a frame.

    Args:
        x_dim: Values in one frame.
        variance_floor: Added to each variance, where there is one.
    """

    def __init__(self, x_dim: int, variance_floor: float):
        self.x_dim = x_dim
        self.variance_floor = variance_floor

    @property
    @abstractmethod
    def num_params(self) -> int:
        """Network outputs a frame."""

    @abstractmethod
    def log_prob(self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        """Log p(x) in nats, one number a frame."""

    @abstractmethod
    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """E[x]."""

    @abstractmethod
    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x]."""

    @abstractmethod
    def sample(
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch x"]:
        """One draw of x."""


class Bernoulli(Likelihood):
    """Independent binary values; the parameters are logits, so that no probability is ever rounded to 0 or 1."""

    @property
    def num_params(self) -> int:
        """One logit a value."""
        return self.x_dim

    def log_prob(self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        """Sum over values of x log p + (1 - x) log(1 - p)."""
        return -F.binary_cross_entropy_with_logits(params, x, reduction="none").sum(-1)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """P(x = 1)."""
        return torch.sigmoid(params)

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x] = p (1 - p)."""
        return torch.sigmoid(params) * torch.sigmoid(-params)  # 1 - p would be rounded to 0

    def sample(
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch x"]:
        """Zeros and ones."""
        return torch.bernoulli(torch.sigmoid(params), generator=generator)


class Gaussian(Likelihood):
    """Independent Gaussians; the parameters are the means, then the log-variances."""

    @property
    def num_params(self) -> int:
        """A mean and a log-variance a value."""
        return 2 * self.x_dim

    def distribution(self, params: Float[Tensor, "*batch p"]) -> DiagonalGaussian:
        """The Gaussian that the parameters stand for."""
        mu, logvar = params.chunk(2, -1)
        return DiagonalGaussian(mu, floor_variance(logvar, self.variance_floor))

    def log_prob(self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        """Log density at x, in nats of the standardised values."""
        return self.distribution(params).log_prob(x)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The means."""
        return self.distribution(params).mu

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The variances."""
        return self.distribution(params).logvar.exp()

    def sample(
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch x"]:
        """Real values."""
        dist = self.distribution(params)
        noise = torch.randn(dist.mu.shape, generator=generator, dtype=dist.mu.dtype, device=dist.mu.device)
        return dist.rsample(noise)


LIKELIHOODS: dict[str, type[Likelihood]] = {"bernoulli": Bernoulli, "gaussian": Gaussian}
"""Name in a configuration -> class; the only list of likelihoods."""
