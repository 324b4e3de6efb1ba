"""What states and real values are drawn from: diagonal Gaussians, and independent binary units."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus


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
        return self.log_prob_each(x).sum(-1)

    def log_prob_each(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Log N(x; mu, v) in nats, value by value."""
        squares = (x - self.mu) ** 2 * torch.exp(-self.logvar)
        return -0.5 * (math.log(2 * math.pi) + self.logvar + squares)

    def kl(self, other: "DiagonalGaussian") -> Float[Tensor, "*batch n"]:
        """KL(self || other) in nats, dimension by dimension: the closed form behind Eq. (8)."""
        ratio = torch.exp(self.logvar - other.logvar)
        squares = (self.mu - other.mu) ** 2 * torch.exp(-other.logvar)
        return 0.5 * (other.logvar - self.logvar + ratio + squares - 1)


class BinaryUnits(NamedTuple):
    """Independent units that are 1 with probability sigmoid(logits), else 0; any leading axes.

    Attributes:
        logits: log p - log(1 - p).
    """

    logits: Float[Tensor, "*batch n"]

    @property
    def mu(self) -> Float[Tensor, "*batch n"]:
        """Mean, P(unit = 1)."""
        return self.logits.sigmoid()

    @property
    def logvar(self) -> Float[Tensor, "*batch n"]:
        """Logarithm of the variance p (1 - p)."""
        return logsigmoid(self.logits) + logsigmoid(-self.logits)

    def rsample(self, noise: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """1 where standard normal noise lies among its largest share p; no gradient passes a step.

        As with a Gaussian, more noise never makes a unit smaller, and none (0) gives the likelier
        value. The noise (z - mu) / sigma draws z, by Cantelli's inequality.

        Returns:
            z, of zeros and ones.
        """
        return (self.logits > threshold(noise)).to(noise.dtype)

    def log_prob(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """Log p(x) in nats, summed over the last axis."""
        return -binary_cross_entropy_with_logits(self.logits, x, reduction="none").sum(-1)

    def kl(self, other: "BinaryUnits") -> Float[Tensor, "*batch n"]:
        """KL(self || other) in nats, unit by unit."""
        return (
            self.mu * (self.logits - other.logits) - softplus(self.logits) + softplus(other.logits)
        )


Latent = DiagonalGaussian | BinaryUnits
"""What z_t is drawn from."""


def threshold(noise: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """The logits above which units are 1: of the share of normal numbers larger than ``noise``."""
    return noise.sign() * torch.special.ndtr(-noise.abs()).logit()


def floor_variance(logvar: Float[Tensor, "*batch n"], floor: float) -> Float[Tensor, "*batch n"]:
    """log(exp(logvar) + floor): keeps a variance off zero (the authors' code, ``cons``)."""
    if floor == 0:
        return logvar
    return torch.logaddexp(logvar, logvar.new_full((), math.log(floor)))
