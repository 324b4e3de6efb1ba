"""The diagonal Gaussian of the prior, the posterior and the emission."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class DiagonalGaussian(NamedTuple):
    """N(mu, diag(exp(logvar))) over the last axis; any leading axes.

    Attributes:
        mu: Mean.
        logvar: Natural logarithm of the variance.
    """

    mu: Float[Tensor, "*batch n"]
    logvar: Float[Tensor, "*batch n"]

    @classmethod
    def standard(cls, like: Float[Tensor, "*batch n"]) -> "DiagonalGaussian":
        """N(0, I), with the shape and type of ``like``."""
        return cls(torch.zeros_like(like), torch.zeros_like(like))

    def rsample(self, noise: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """The reparameterised sample mu + sigma * noise, with standard normal noise."""
        return self.mu + torch.exp(0.5 * self.logvar) * noise

    def log_prob(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """Log N(x; mu, v) in nats, summed over the last axis."""
        squares = (x - self.mu) ** 2 * torch.exp(-self.logvar)
        return -0.5 * (math.log(2 * math.pi) + self.logvar + squares).sum(-1)

    def kl(self, other: "DiagonalGaussian") -> Float[Tensor, "*batch n"]:
        """KL(self || other) in nats, dimension by dimension: the closed form behind Eq. (8)."""
        ratio = torch.exp(self.logvar - other.logvar)
        squares = (self.mu - other.mu) ** 2 * torch.exp(-other.logvar)
        return 0.5 * (other.logvar - self.logvar + ratio + squares - 1)


def floor_variance(logvar: Float[Tensor, "*batch n"], floor: float) -> Float[Tensor, "*batch n"]:
    """log(exp(logvar) + floor): keeps a variance off zero (the authors' code, ``cons``)."""
    if floor == 0:
        return logvar
    return torch.logaddexp(logvar, logvar.new_full((), math.log(floor)))
