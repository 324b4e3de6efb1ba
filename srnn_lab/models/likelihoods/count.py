"""Whole numbers: counts, and one of several categories."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from srnn_lab.models.likelihoods.base import Independent, Likelihood, sharpen

LARGEST = 20.0
"""Largest logarithm of a mean, 5e8: a 32-bit float holds the square of that."""
DISPERSIONS = (-10.0, 5.0)
"""Range of log alpha, the dispersion: from nearly Poisson to nearly always 0."""


def _exactly(values: Tensor) -> Tensor:
    """In 64 bits, where the device has them: large log-factorials cancel."""
    return values if values.device.type == "mps" else values.double()


def _towards(mode: Tensor, draw: Tensor, temperature: float) -> Tensor:
    """A draw brought closer to the likeliest value, or away from it; itself at temperature 1."""
    return (
        draw if temperature == 1 else (mode + torch.round(temperature * (draw - mode))).clamp(min=0)
    )


class Poisson(Independent):
    """Independent counts, p(x) = lambda^x exp(-lambda) / x!; the parameters are the log lambda."""

    values = "count"

    @property
    def num_params(self) -> int:
        """A log mean a value."""
        return self.x_dim

    def each(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch x"]:
        """Log p of each value, in nats: x log lambda - lambda - log x!."""
        log_mean, count = _exactly(params.clamp(max=LARGEST)), _exactly(x)
        return (count * log_mean - log_mean.exp() - torch.lgamma(count + 1)).to(params.dtype)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The mean lambda."""
        return params.clamp(max=LARGEST).exp()

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The variance lambda, which is the mean."""
        return self.mean(params)

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Whole numbers; a temperature multiplies their distance from the likeliest."""
        mean = self.mean(params)
        return _towards(mean.floor(), torch.poisson(mean, generator), temperature)

    def params_of(
        self,
        mean: Float[Tensor, "x"],
        variance: Float[Tensor, "x"],  # noqa: ARG002
    ) -> Float[Tensor, "p"]:
        """The logarithm of the mean, or of 1e-4 if that is larger."""
        return mean.clamp(min=1e-4).log()


class NegativeBinomial(Independent):
    """Independent counts with mean mu and variance mu + alpha mu^2.

    They are Poisson with a Gamma-distributed lambda.

    p(x) = Gamma(x + r) / (Gamma(r) x!) (r / (r + mu))^r (mu / (r + mu))^x with r = 1 / alpha
    (Cameron and Trivedi's NB2). The parameters are the log mu, then the log alpha, these brought
    between ``DISPERSIONS``.
    """

    values = "count"

    @property
    def num_params(self) -> int:
        """A log mean and a log dispersion a value."""
        return 2 * self.x_dim

    def parts(
        self, params: Float[Tensor, "*batch p"]
    ) -> tuple[Float[Tensor, "*batch x"], Float[Tensor, "*batch x"]]:
        """Log mu and log r."""
        log_mean, dispersion = params.chunk(2, -1)
        return log_mean.clamp(max=LARGEST), -dispersion.clamp(*DISPERSIONS)

    def each(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch x"]:
        """Log p of each value."""
        log_mean, log_r = (_exactly(part) for part in self.parts(params))
        r, count, log_sum = log_r.exp(), _exactly(x), torch.logaddexp(log_r, log_mean)
        ways = torch.lgamma(count + r) - torch.lgamma(r) - torch.lgamma(count + 1)
        return (ways + r * (log_r - log_sum) + count * (log_mean - log_sum)).to(params.dtype)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The mean mu."""
        return self.parts(params)[0].exp()

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The variance mu + alpha mu^2."""
        log_mean, log_r = self.parts(params)
        return log_mean.exp() + (2 * log_mean - log_r).exp()

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Draw by lambda ~ Gamma(r) mu / r.

        Returns:
            Whole numbers. A temperature multiplies their distance from the likeliest.
        """
        log_mean, log_r = self.parts(params)
        gamma = torch._standard_gamma(log_r.exp(), generator)  # pyright: ignore[reportPrivateImportUsage]
        rate = gamma * (log_mean - log_r).exp()
        mode = (log_mean.exp() * (1 - (-log_r).exp())).clamp(min=0).floor()
        return _towards(mode, torch.poisson(rate, generator), temperature)

    def params_of(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]
    ) -> Float[Tensor, "p"]:
        """The log mean, and log dispersion for the variance, as far as ``DISPERSIONS`` let it."""
        mean = mean.clamp(min=1e-4)
        dispersion = ((variance - mean) / mean**2).clamp(min=math.exp(DISPERSIONS[0])).log()
        return torch.cat([mean.log(), dispersion.clamp(*DISPERSIONS)])


class Categorical(Likelihood):
    """One of K = ``config.x_dim`` categories, by K logits: a frame has a 1 at its place."""

    values = "category"

    @property
    def num_params(self) -> int:
        """A logit a category."""
        return self.x_dim

    def log_prob(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        """Log p of the category."""
        return (params.log_softmax(-1) * x).sum(-1)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The probabilities."""
        return params.softmax(-1)

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x_k] = p_k (1 - p_k)."""
        p = params.softmax(-1)
        return p * (1 - p)

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """A 1 at the place of a category."""
        p = sharpen(params, temperature).softmax(-1)
        drawn = torch.multinomial(p.reshape(-1, self.x_dim), 1, generator=generator)
        return torch.zeros_like(p).reshape(-1, self.x_dim).scatter(-1, drawn, 1.0).view_as(p)

    def params_of(
        self,
        mean: Float[Tensor, "x"],
        variance: Float[Tensor, "x"],  # noqa: ARG002
    ) -> Float[Tensor, "p"]:
        """The logarithms of the shares, or of 1e-4 if that is larger."""
        return mean.clamp(min=1e-4).log()
