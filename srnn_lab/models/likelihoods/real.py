"""Real values that are independent within a frame, or within a component of it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from srnn_lab.config import ModelConfig
from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.likelihoods.base import Independent, Likelihood, sharpen


class Gaussian(Independent):
    """Independent Gaussians; the parameters are the means, then the log-variances."""

    values = "real"

    @property
    def num_params(self) -> int:
        """A mean and a log-variance a value."""
        return 2 * self.x_dim

    def distribution(self, params: Float[Tensor, "*batch p"]) -> DiagonalGaussian:
        """The Gaussian that the parameters stand for."""
        mu, logvar = params.chunk(2, -1)
        return DiagonalGaussian(mu, floor_variance(logvar, self.variance_floor))

    def each(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch x"]:
        """Log density at each value, in nats of the standardised values."""
        return self.distribution(params).log_prob_each(x)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The means."""
        return self.distribution(params).mu

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The variances."""
        return self.distribution(params).logvar.exp()

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Real values."""
        dist = self.distribution(params)
        noise = torch.randn(
            dist.mu.shape, generator=generator, dtype=dist.mu.dtype, device=dist.mu.device
        )
        return dist.rsample(temperature * noise)

    def params_of(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]
    ) -> Float[Tensor, "p"]:
        """The mean, and the logarithm of the variance, or of 1e-6 if that is larger."""
        return torch.cat([mean, variance.clamp(min=1e-6).log()])


class StudentT(Independent):
    """Independent Student-t values, with heavier tails; by locations, then log squared scales.

    All have ``config.student_df`` degrees of freedom nu: x = mu + s t, whose variance is s^2 nu /
    (nu - 2).
    """

    values = "real"
    reads = ("student_df",)

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.df = config.student_df

    @property
    def num_params(self) -> int:
        """A location and a log squared scale a value."""
        return 2 * self.x_dim

    def location(
        self, params: Float[Tensor, "*batch p"]
    ) -> tuple[Float[Tensor, "*batch x"], Float[Tensor, "*batch x"]]:
        """Locations mu and log squared scales log s^2, these with their floor."""
        mu, logvar = params.chunk(2, -1)
        return mu, floor_variance(logvar, self.variance_floor)

    def each(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch x"]:
        """Log density: log c - log s - (nu + 1) / 2 log(1 + ((x - mu) / s)^2 / nu), in nats."""
        mu, logvar = self.location(params)
        constant = (
            math.lgamma((self.df + 1) / 2)
            - math.lgamma(self.df / 2)
            - 0.5 * math.log(self.df * math.pi)
        )
        tails = torch.log1p((x - mu) ** 2 * torch.exp(-logvar) / self.df)
        return constant - 0.5 * logvar - 0.5 * (self.df + 1) * tails

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The locations."""
        return self.location(params)[0]

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x] = s^2 nu / (nu - 2)."""
        return self.location(params)[1].exp() * (self.df / (self.df - 2))

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Real values, by Bailey's (1994) polar method: cos(2 pi V) sqrt(nu (U^(-2 / nu) - 1))."""
        mu, logvar = self.location(params)
        u, v = torch.rand((2, *mu.shape), generator=generator, dtype=mu.dtype, device=mu.device)
        # torch.rand has 0, but not 1
        t = (
            torch.cos(2 * math.pi * v)
            * (self.df * torch.expm1(-2 / self.df * torch.log1p(-u))).sqrt()
        )
        return mu + torch.exp(0.5 * logvar) * (temperature * t)

    def params_of(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]
    ) -> Float[Tensor, "p"]:
        """The mean, and the log squared scale of this variance, or of 1e-6 if that is larger."""
        return torch.cat([mean, (variance.clamp(min=1e-6) * (self.df - 2) / self.df).log()])


class GaussianMixture(Likelihood):
    """A mixture of diagonal Gaussians over whole frames, as in the VRNN's RNN-GMM and VRNN-GMM.

    The parameters are the logits of the K = ``config.num_components`` components, their K means,
    their K log-variances.
    """

    values = "real"
    reads = ("num_components",)
    takes_gaps = True

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.num_components = config.num_components

    @property
    def num_params(self) -> int:
        """For each component a logit, and a mean and a log-variance a value."""
        return self.num_components * (1 + 2 * self.x_dim)

    def mixture(
        self, params: Float[Tensor, "*batch p"]
    ) -> tuple[Float[Tensor, "*batch k"], Float[Tensor, "*batch k x"], Float[Tensor, "*batch k x"]]:
        """Logarithms of the weights; means and log-variances of the components."""
        logits, values = params.split(
            [self.num_components, 2 * self.num_components * self.x_dim], -1
        )
        mu, logvar = values.unflatten(-1, (2, self.num_components, self.x_dim)).unbind(-3)
        return logits.log_softmax(-1), mu, floor_variance(logvar, self.variance_floor)

    def log_prob(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        """Log density at x: log sum_k w_k N(x; mu_k, v_k)."""
        log_weights, mu, logvar = self.mixture(params)
        x, missing = self.fill(x[..., None, :].expand_as(mu))
        by_component = self.observed_sum(DiagonalGaussian(mu, logvar).log_prob_each(x), missing)
        return torch.logsumexp(log_weights + by_component, -1)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Sum of w_k mu_k."""
        log_weights, mu, _ = self.mixture(params)
        return (log_weights.exp()[..., None] * mu).sum(-2)

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Law of total variance: sum of w_k (v_k + (mu_k - E[x])^2)."""
        log_weights, mu, logvar = self.mixture(params)
        around = logvar.exp() + (mu - self.mean(params)[..., None, :]) ** 2
        return (log_weights.exp()[..., None] * around).sum(-2)

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Real values: one component a frame, with its weight as a logit, then its Gaussian."""
        log_weights, mu, logvar = self.mixture(params)
        below = log_weights - log_weights.amax(-1, keepdim=True)
        weights = (
            log_weights + (sharpen(below, temperature) - below)
        ).exp()  # to the bit the same at temperature 1
        chosen = torch.multinomial(weights.flatten(0, -2), 1, generator=generator)
        index = chosen.view(*log_weights.shape[:-1], 1, 1)
        dist = DiagonalGaussian(
            *(torch.take_along_dim(values, index, -2).squeeze(-2) for values in (mu, logvar))
        )
        noise = torch.randn(
            dist.mu.shape, generator=generator, dtype=dist.mu.dtype, device=dist.mu.device
        )
        return dist.rsample(temperature * noise)

    def params_of(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]
    ) -> Float[Tensor, "p"]:
        """Equal weights; in each component the mean and the log variance, of 1e-6 at least."""
        means, logvars = (
            v.repeat(self.num_components) for v in (mean, variance.clamp(min=1e-6).log())
        )
        return torch.cat([mean.new_zeros(self.num_components), means, logvars])
