"""Emission distributions p(x_t | z_t, d_t): what a network's outputs mean, frame by frame."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.linear_prediction import (
    LARGEST,
    prediction_error,
    predictor,
    step_up,
    synthesise,
    synthesised_variance,
)

QUIETEST = 1e-10
"""Variance that a predictor of the frame before never falls below, where the configuration has no floor."""


def sharpen(logits: Float[Tensor, "*batch"], temperature: float) -> Float[Tensor, "*batch"]:
    """Logits at a temperature: unchanged at 1; at 0 so far apart that the largest decides, where it is alone."""
    return logits / max(temperature, 1e-6)


class Likelihood(nn.Module, ABC):
    """A distribution over frames of ``config.x_dim`` values, given ``num_params`` network outputs a frame.

    Args:
        config: Sizes, and the floor of each variance, where there is one.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.x_dim = config.x_dim
        self.variance_floor = config.variance_floor

    @property
    @abstractmethod
    def num_params(self) -> int:
        """Network outputs a frame."""

    def given(
        self,
        params: Float[Tensor, "*batch p"],
        u: Float[Tensor, "*batch x"],  # noqa: ARG002
    ) -> Float[Tensor, "*batch q"]:
        """What the other methods are given: a network's outputs, and what they need of u_t = x_{t-1}."""
        return params

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
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Float[Tensor, "*batch x"]:
        """One draw of x.

        Args:
            params: What a network gave for each frame.
            generator: Where the random numbers come from.
            temperature: Multiplies standard deviations and divides logits; 1 leaves both as they are, and 0 gives the
                likeliest value.
        """

    @abstractmethod
    def params_of(self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]) -> Float[Tensor, "p"]:
        """Parameters with this mean and, where it is free, this variance, for a training to begin with."""


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
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Float[Tensor, "*batch x"]:
        """Zeros and ones."""
        return torch.bernoulli(torch.sigmoid(sharpen(params, temperature)), generator=generator)

    def params_of(self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]) -> Float[Tensor, "p"]:  # noqa: ARG002
        """Logits; a value that is never, or always, 1 gets a probability of 1e-4, or 1 - 1e-4."""
        return mean.clamp(1e-4, 1 - 1e-4).logit()


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
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Float[Tensor, "*batch x"]:
        """Real values."""
        dist = self.distribution(params)
        noise = torch.randn(dist.mu.shape, generator=generator, dtype=dist.mu.dtype, device=dist.mu.device)
        return dist.rsample(temperature * noise)

    def params_of(self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]) -> Float[Tensor, "p"]:
        """The mean, and the logarithm of the variance, or of 1e-6 if that is larger."""
        return torch.cat([mean, variance.clamp(min=1e-6).log()])


class StudentT(Likelihood):
    """Independent Student-t values, with heavier tails; the parameters are the locations, then the log squared scales.

    All have ``config.student_df`` degrees of freedom nu: x = mu + s t, whose variance is s^2 nu / (nu - 2).
    """

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

    def log_prob(self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        """Log density at x, in nats: sum of log c - log s - (nu + 1) / 2 log(1 + ((x - mu) / s)^2 / nu)."""
        mu, logvar = self.location(params)
        constant = math.lgamma((self.df + 1) / 2) - math.lgamma(self.df / 2) - 0.5 * math.log(self.df * math.pi)
        tails = torch.log1p((x - mu) ** 2 * torch.exp(-logvar) / self.df)
        return (constant - 0.5 * logvar - 0.5 * (self.df + 1) * tails).sum(-1)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """The locations."""
        return self.location(params)[0]

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x] = s^2 nu / (nu - 2)."""
        return self.location(params)[1].exp() * (self.df / (self.df - 2))

    def sample(
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Float[Tensor, "*batch x"]:
        """Real values, by Bailey's (1994) polar method: t = cos(2 pi V) sqrt(nu (U^(-2 / nu) - 1))."""
        mu, logvar = self.location(params)
        u, v = torch.rand((2, *mu.shape), generator=generator, dtype=mu.dtype, device=mu.device)
        # torch.rand has 0, but not 1
        t = torch.cos(2 * math.pi * v) * (self.df * torch.expm1(-2 / self.df * torch.log1p(-u))).sqrt()
        return mu + torch.exp(0.5 * logvar) * (temperature * t)

    def params_of(self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]) -> Float[Tensor, "p"]:
        """The mean, and the log squared scale with this variance, or with 1e-6 if that is larger."""
        return torch.cat([mean, (variance.clamp(min=1e-6) * (self.df - 2) / self.df).log()])


class Autoregressive(Likelihood):
    """Values of which each is predicted from the p = ``config.ar_order`` before it, linearly.

    (x_i - mu_i) = sum_k a_k (x_{i-k} - mu_{i-k}) + e_i, where e_i is drawn as a value of ``residual`` around 0. From x
    to e leads a triangular matrix with a diagonal of ones, so that the density of x is that of e, exactly.

    A network gives the parameters of ``residual``, then p numbers whose tanh are the frame's reflection coefficients
    (partial autocorrelations): whatever it says, the filter that makes x from e is stable.

    ``config.ar_past`` says what is known of the frame before, u_t, whose own mean counts as 0. ``none``: the sum has
    k < i alone. ``taps``: it runs on over the border. ``predictor``: besides, the network corrects the best linear
    predictor of u_t, with means and scales in units of its error, so that it says the same of a sound at any level.

    With ``config.ar_adaptive`` the scale follows the residuals before: s_i^2 = exp(logvar_i) m_i, where m_i is the sum
    of running means of e_{<i}^2 (with u_t's) over ``MEMORIES`` values, weighted by the softmax of as many further
    outputs, and of the exponential of the last output (ARCH, Engle, 1982).
    """

    residual_kind: type[Likelihood]
    MEMORIES = (10.0, 30.0, 100.0)
    """Values after which a residual counts 1/e times as much."""
    QUIET = -16.0
    """Added to the output whose exponential is the part of m_i that knows no residual."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.order, self.past, self.adaptive = config.ar_order, config.ar_past, config.ar_adaptive
        self.residual = self.residual_kind(config)
        self.sizes = [self.x_dim, self.x_dim, self.order, len(self.MEMORIES) + 1 if self.adaptive else 0]

    @property
    def num_params(self) -> int:
        """Those of the residual, a reflection coefficient for each tap, and the weights of m_i."""
        return sum(self.sizes)

    def given(self, params: Float[Tensor, "*batch p"], u: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch q"]:
        """With u itself at the end; what corrects the predictor of u is turned into what it says."""
        if self.past == "none":
            return params
        if self.past == "predictor":
            mu, logvar, raw, weights = params.split(self.sizes, -1)
            with torch.autocast(params.device.type, enabled=False):
                kappa, error = predictor(u, self.order, self.variance_floor or QUIETEST)
            logvar = logvar if self.adaptive else logvar + error.log()
            params = torch.cat([mu * error.sqrt(), logvar, raw + torch.atanh(kappa), weights], -1)
        return torch.cat([params, u], -1)

    def parts(
        self, params: Float[Tensor, "*batch p"]
    ) -> tuple[
        Float[Tensor, "*batch x"],
        Float[Tensor, "*batch x"],
        Float[Tensor, "*batch k"],
        Float[Tensor, "*batch w"],
        Float[Tensor, "*batch u"],
    ]:
        """mu, log v, taps, weights of m_i (of each memory, and what is added), and the frame before (or nothing)."""
        mu, logvar, raw, weights, u = params.split([*self.sizes, params.shape[-1] - self.num_params], -1)
        if self.adaptive:
            weights = torch.cat([weights[..., :-1].softmax(-1), (weights[..., -1:] + self.QUIET).exp()], -1)
        return mu, logvar, step_up(LARGEST * torch.tanh(raw)), weights, u

    def log_prob(self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        """Log density of the residuals."""
        mu, logvar, taps, weights, u = self.parts(params)
        if not self.adaptive:
            return self._log_density(prediction_error(x - mu, taps, u), logvar)
        e = prediction_error(torch.cat([u, x - mu], -1), taps)
        powers, n = e.square(), self.x_dim
        at, of = torch.arange(u.shape[-1], e.shape[-1], device=e.device), torch.arange(e.shape[-1], device=e.device)
        age = (at - of[:, None] - 1).to(e)
        m = weights[..., -1:]
        with torch.autocast(params.device.type, enabled=False):
            for weight, memory in zip(weights[..., :-1].split(1, -1), self.MEMORIES, strict=True):
                share = torch.where(age >= 0, torch.exp(-age.clamp(min=0) / memory), 0) * (1 - math.exp(-1 / memory))
                m = m + weight * (powers @ share)
        return self._log_density(e[..., -n:], logvar + m.log())

    def _log_density(self, e: Float[Tensor, "*batch x"], logvar: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        return self.residual.log_prob(torch.cat([torch.zeros_like(e), logvar], -1), e)

    def _residuals(
        self,
        params: Float[Tensor, "*batch p"],
        draw: Callable[[Float[Tensor, "*batch q"]], Float[Tensor, "*batch i"]],
    ) -> Float[Tensor, "*batch x"]:
        """e, where ``draw`` makes values of the residual's parameters; where it gives deviations, e are deviations."""
        _, logvar, taps, weights, u = self.parts(params)
        if not self.adaptive:
            return draw(torch.cat([torch.zeros_like(logvar), logvar], -1))
        decay = torch.exp(-1 / torch.tensor(self.MEMORIES)).to(logvar)
        memory = logvar.new_zeros(*logvar.shape[:-1], len(decay))
        for e_i in prediction_error(u, taps).unbind(-1):
            memory = torch.lerp(e_i[..., None].square(), memory, decay)
        e = []
        for logvar_i in logvar.split(1, -1):
            m_i = (weights[..., :-1] * memory).sum(-1, keepdim=True) + weights[..., -1:]
            e.append(draw(torch.cat([torch.zeros_like(logvar_i), logvar_i + m_i.log()], -1)))
            memory = torch.lerp(e[-1].square(), memory, decay)
        return torch.cat(e, -1)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """mu, and how the filter rings on after the frame before, since the residuals have mean 0."""
        mu, _, taps, _, u = self.parts(params)
        return mu + synthesise(torch.zeros_like(mu), taps, u) if u.shape[-1] else mu

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x_i] = sum_j h_j^2 Var[e_{i-j}], where h is the impulse response of the filter.

        Var[e_i] = E[s_i^2] times that of the residual at scale 1, and E[m_i] is the same sum of E[e_{<i}^2].
        """
        deviations = self._residuals(params, lambda of_e: self.residual.variance(of_e).sqrt())
        return synthesised_variance(deviations.square(), self.parts(params)[2])

    def sample(
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Float[Tensor, "*batch x"]:
        """Real values: residuals through the filter, one value after the other."""
        mu, _, taps, _, u = self.parts(params)
        e = self._residuals(params, lambda of_e: self.residual.sample(of_e, generator, temperature))
        return mu + synthesise(e, taps, u)

    def params_of(self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]) -> Float[Tensor, "p"]:
        """Those of the residual, without any prediction; all 0 where they are relative to what came before."""
        rest = mean.new_zeros(self.num_params - 2 * self.x_dim)
        of_residual = self.residual.params_of(mean, variance)
        relative = self.adaptive or self.past == "predictor"
        return torch.cat([torch.zeros_like(of_residual) if relative else of_residual, rest])


class GaussianAR(Autoregressive):
    """``Autoregressive`` with Gaussian residuals: a frame is Gaussian with covariance L^-1 V L^-T, L_{i,i-k} = -a_k."""

    residual_kind = Gaussian


class StudentTAR(Autoregressive):
    """``Autoregressive`` with Student-t residuals."""

    residual_kind = StudentT


class GaussianMixture(Likelihood):
    """A mixture of Gaussians over whole frames, each with a diagonal covariance, as in the VRNN's RNN-GMM and VRNN-GMM.

    The parameters are the logits of the K = ``config.num_components`` components, their K means, their K log-variances.
    """

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
        logits, values = params.split([self.num_components, 2 * self.num_components * self.x_dim], -1)
        mu, logvar = values.unflatten(-1, (2, self.num_components, self.x_dim)).unbind(-3)
        return logits.log_softmax(-1), mu, floor_variance(logvar, self.variance_floor)

    def log_prob(self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        """Log density at x: log sum_k w_k N(x; mu_k, v_k)."""
        log_weights, mu, logvar = self.mixture(params)
        by_component = DiagonalGaussian(mu, logvar).log_prob(x[..., None, :].expand_as(mu))
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
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Float[Tensor, "*batch x"]:
        """Real values: one component for the whole frame, with its weight as a logit, then its Gaussian."""
        log_weights, mu, logvar = self.mixture(params)
        below = log_weights - log_weights.amax(-1, keepdim=True)
        weights = (log_weights + (sharpen(below, temperature) - below)).exp()  # to the bit the same at temperature 1
        chosen = torch.multinomial(weights.flatten(0, -2), 1, generator=generator)
        index = chosen.view(*log_weights.shape[:-1], 1, 1)
        dist = DiagonalGaussian(*(torch.take_along_dim(values, index, -2).squeeze(-2) for values in (mu, logvar)))
        noise = torch.randn(dist.mu.shape, generator=generator, dtype=dist.mu.dtype, device=dist.mu.device)
        return dist.rsample(temperature * noise)

    def params_of(self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]) -> Float[Tensor, "p"]:
        """Equal weights; in each component the mean and the logarithm of the variance, or of 1e-6 if that is larger."""
        means, logvars = (v.repeat(self.num_components) for v in (mean, variance.clamp(min=1e-6).log()))
        return torch.cat([mean.new_zeros(self.num_components), means, logvars])


class NADE(Likelihood):
    """Binary values of which each depends on those before it in the frame: p(x) = prod_i p(x_i | x_{<i}), exactly.

    p(x_i = 1 | x_{<i}) = sigmoid(b_i + V_i sigmoid(c + sum_{j<i} W_j x_j)), the neural autoregressive distribution
    estimator of Larochelle and Murray (2011), as RNN-NADE has it (Boulanger-Lewandowski et al., 2012): the parameters
    of a frame are the biases c of ``config.hidden_dim`` hidden units, then b; W and V are shared by all frames.
    """

    NUM_DRAWS = 16
    """Draws behind ``mean`` and ``variance``."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.hidden_dim = config.hidden_dim
        std = (2 / (self.x_dim + self.hidden_dim)) ** 0.5  # Glorot normal, as in all networks
        self.from_value = nn.Parameter(std * torch.randn(self.x_dim, self.hidden_dim))
        self.to_value = nn.Parameter(std * torch.randn(self.x_dim, self.hidden_dim))

    @property
    def num_params(self) -> int:
        """A bias for each hidden unit, and one a value."""
        return self.hidden_dim + self.x_dim

    def _walk(
        self, params: Float[Tensor, "*batch p"], value: Callable[[int, Tensor], Tensor]
    ) -> tuple[Float[Tensor, "*batch x"], Float[Tensor, "*batch x"]]:
        """Values and their logits, value by value, where ``value`` gives x_i from i and its logit.

        The sums over j < i are carried along, so that memory grows with ``hidden_dim`` times the frames (with
        gradients, times ``x_dim`` too).
        """
        hidden, biases = params.split([self.hidden_dim, self.x_dim], -1)
        values, logits = [], []
        with torch.autocast(params.device.type, enabled=False):
            for i, (b_i, w_i, v_i) in enumerate(zip(biases.unbind(-1), self.from_value, self.to_value, strict=True)):
                logits.append(b_i + torch.sigmoid(hidden) @ v_i)
                values.append(value(i, logits[-1]))
                hidden = torch.addcmul(hidden, values[-1][..., None], w_i)
        return torch.stack(values, -1), torch.stack(logits, -1)

    def log_prob(self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]) -> Float[Tensor, "*batch"]:
        """Sum over i of log p(x_i | x_{<i})."""
        _, logits = self._walk(params, lambda i, _: x[..., i])
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)

    def _draw(
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        return self._walk(
            params, lambda _, logit: torch.bernoulli(torch.sigmoid(sharpen(logit, temperature)), generator=generator)
        )

    def _marginals(self, params: Float[Tensor, "*batch p"]) -> tuple[Tensor, Tensor]:
        """Estimates of P(x_i = 1) and P(x_i = 0)."""
        generator = torch.Generator(params.device).manual_seed(0)
        ones, zeros = 0.0, 0.0
        for _ in range(self.NUM_DRAWS):
            _, logits = self._draw(params, generator)
            ones, zeros = ones + torch.sigmoid(logits), zeros + torch.sigmoid(-logits)
        return ones / self.NUM_DRAWS, zeros / self.NUM_DRAWS

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """P(x_i = 1) estimated, since it has no closed form: the mean of p(x_i = 1 | x_{<i}) over ``NUM_DRAWS`` draws.

        Unbiased, always the same for the same parameters; the standard error is at most 0.5 / sqrt(``NUM_DRAWS``).
        """
        return self._marginals(params)[0]

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x_i] = p (1 - p), at the probability that ``mean`` estimates."""
        ones, zeros = self._marginals(params)
        return ones * zeros

    def sample(
        self, params: Float[Tensor, "*batch p"], generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Float[Tensor, "*batch x"]:
        """Zeros and ones, drawn one after the other; at temperature 0, each the likelier given those before it."""
        return self._draw(params, generator, temperature)[0]

    def params_of(self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]) -> Float[Tensor, "p"]:  # noqa: ARG002
        """Logits as of ``Bernoulli``, to which the hidden units add little at first, and hidden biases of 0."""
        return torch.cat([mean.new_zeros(self.hidden_dim), mean.clamp(1e-4, 1 - 1e-4).logit()])


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "gaussian-mixture": GaussianMixture,
    "student-t": StudentT,
    "gaussian-ar": GaussianAR,
    "student-t-ar": StudentTAR,
    "nade": NADE,
}
"""Name in a configuration -> class; the only list of likelihoods."""
