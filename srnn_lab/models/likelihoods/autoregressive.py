"""Real values of which each is predicted from those before it: the samples of a waveform."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from srnn_lab.config import ModelConfig
from srnn_lab.models.likelihoods.base import Likelihood
from srnn_lab.models.likelihoods.real import Gaussian, StudentT
from srnn_lab.models.linear_prediction import (
    LARGEST,
    prediction_error,
    predictor,
    step_up,
    synthesise,
    synthesised_variance,
)

QUIETEST = 1e-10
"""Variance that a predictor of the frame before never falls below, where the configuration has no
floor."""


class Autoregressive(Likelihood):
    """Values of which each is predicted from the p = ``config.ar_order`` before it, linearly.

    (x_i - mu_i) = sum_k a_k (x_{i-k} - mu_{i-k}) + e_i, where e_i is drawn as a value of
    ``residual`` around 0. From x to e leads a triangular matrix with a diagonal of ones, so that
    the density of x is that of e, exactly.

    A network gives the parameters of ``residual``, then p numbers whose tanh are the frame's
    reflection coefficients (partial autocorrelations): whatever it says, the filter that makes x
    from e is stable.

    ``config.ar_past`` says what is known of the frame before, u_t, whose own mean counts as 0.
    ``none``: the sum has k < i alone. ``taps``: it runs on over the border. ``predictor``: besides,
    the network corrects the best linear predictor of u_t, with means and scales in units of its
    error, so that it says the same of a sound at any level.

    With ``config.ar_adaptive`` the scale follows the residuals before: s_i^2 = exp(logvar_i) m_i,
    where m_i is the sum of running means of e_{<i}^2 (with u_t's) over ``MEMORIES`` values,
    weighted by the softmax of as many further outputs, and of the exponential of the last output
    (ARCH, Engle, 1982).

    A scale that is relative to what was drawn before may run away when a model goes on by itself.
    In both cases s_i^2 is therefore kept below ``LOUDEST``, smoothly: 1 / s_i^2 = 1 / LOUDEST + 1 /
    (exp(logvar_i) m_i).
    """

    residual_kind: type[Likelihood]
    values = "real"
    reads = ("ar_order", "ar_past", "ar_adaptive")
    MEMORIES = (10.0, 30.0, 100.0)
    """Values after which a residual counts 1/e times as much."""
    QUIET = -16.0
    """Added to the output whose exponential is the part of m_i that knows no residual."""
    LOUDEST = 0.1
    """Largest s_i^2, where 1 is the variance of all samples: that of the loudest speech, about."""
    NUM_DRAWS = 16
    """Draws behind ``variance`` where the scale follows the residuals."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.order, self.past, self.adaptive = config.ar_order, config.ar_past, config.ar_adaptive
        self.relative = self.adaptive or self.past == "predictor"
        self.residual = self.residual_kind(config)
        self.sizes = [
            self.x_dim,
            self.x_dim,
            self.order,
            len(self.MEMORIES) + 1 if self.adaptive else 0,
        ]

    @property
    def num_params(self) -> int:
        """Those of the residual, a reflection coefficient for each tap, and the weights of m_i."""
        return sum(self.sizes)

    def given(
        self, params: Float[Tensor, "*batch p"], u: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch q"]:
        """Append u, and apply what corrects the best linear predictor of u."""
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
        """What the parameters stand for.

        Returns:
            mu, log v, taps, the weights of m_i, and the frame before (or nothing). The weights of
            m_i are those of each memory, and what is added.
        """
        mu, logvar, raw, weights, u = params.split(
            [*self.sizes, params.shape[-1] - self.num_params], -1
        )
        if self.adaptive:
            weights = torch.cat(
                [weights[..., :-1].softmax(-1), (weights[..., -1:] + self.QUIET).exp()], -1
            )
        return mu, logvar, step_up(LARGEST * torch.tanh(raw)), weights, u

    def log_prob(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        """Log density of the residuals."""
        mu, logvar, taps, weights, u = self.parts(params)
        if not self.adaptive:
            return self._log_density(prediction_error(x - mu, taps, u), self.log_scale(logvar))
        e = prediction_error(torch.cat([u, x - mu], -1), taps)
        m = self.running_mean(e, weights, u.shape[-1])
        return self._log_density(e[..., u.shape[-1] :], self.log_scale(logvar + m.log()))

    def log_scale(self, said: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch i"]:
        """Log s_i^2 from what network and residuals say, below ``LOUDEST`` if it is relative."""
        loudest = math.log(self.LOUDEST)
        return loudest - F.softplus(loudest - said) if self.relative else said

    def running_mean(
        self, e: Float[Tensor, "*batch n"], weights: Float[Tensor, "*batch w"], start: int
    ) -> Float[Tensor, "*batch m"]:
        """m_i for all i from ``start`` on, as products of e_j^2 with matrices of shares.

        Args:
            e: Residuals, with those of the frame before.
            weights: Of each memory, and what is added.
            start: The first i.

        Returns:
            N - ``start`` values; that of i depends on the residuals before it alone.
        """
        powers, of = e.square(), torch.arange(e.shape[-1], device=e.device)
        age = (of[start:] - of[:, None] - 1).to(e)
        m = weights[..., -1:]
        with torch.autocast(e.device.type, enabled=False):
            for weight, memory in zip(weights[..., :-1].split(1, -1), self.MEMORIES, strict=True):
                share = torch.where(age >= 0, torch.exp(-age.clamp(min=0) / memory), 0) * (
                    1 - math.exp(-1 / memory)
                )
                m = m + weight * (powers @ share)
        return m

    def remembered(self, e: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch w"]:
        """The running mean of e^2 over each of ``MEMORIES``, after all of e."""
        memory = e.new_zeros(*e.shape[:-1], len(self.MEMORIES))
        for e_i in e.unbind(-1):
            memory = self.remember(memory, e_i[..., None])
        return memory

    def remember(
        self, memory: Float[Tensor, "*batch w"], e_i: Float[Tensor, "*batch 1"]
    ) -> Float[Tensor, "*batch w"]:
        """The running means after one more residual."""
        decay = torch.tensor(
            [math.exp(-1 / length) for length in self.MEMORIES], dtype=e_i.dtype, device=e_i.device
        )
        return torch.lerp(e_i.square(), memory, decay)

    def _log_density(
        self, e: Float[Tensor, "*batch x"], logvar: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        return self.residual.log_prob(torch.cat([torch.zeros_like(e), logvar], -1), e)

    def _residuals(
        self,
        params: Float[Tensor, "*batch p"],
        draw: Callable[[Float[Tensor, "*batch q"]], Float[Tensor, "*batch i"]],
    ) -> Float[Tensor, "*batch x"]:
        """e, where ``draw`` makes values of the residual's parameters."""
        _, logvar, taps, weights, u = self.parts(params)
        if not self.adaptive:
            return draw(torch.cat([torch.zeros_like(logvar), self.log_scale(logvar)], -1))
        memory, e = self.remembered(prediction_error(u, taps)), []
        for logvar_i in logvar.split(1, -1):
            m_i = (weights[..., :-1] * memory).sum(-1, keepdim=True) + weights[..., -1:]
            e.append(
                draw(torch.cat([torch.zeros_like(m_i), self.log_scale(logvar_i + m_i.log())], -1))
            )
            memory = self.remember(memory, e[-1])
        return torch.cat(e, -1)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """mu, and what the filter carries on from the frame before: residuals have mean 0."""
        mu, _, taps, _, u = self.parts(params)
        return mu + synthesise(torch.zeros_like(mu), taps, u) if u.shape[-1] else mu

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x_i] = sum_j h_j^2 Var[e_{i-j}], where h is the impulse response of the filter.

        Where the scale follows the residuals, Var[e_i] is the mean of Var[e_i | e_{<i}] over
        ``NUM_DRAWS`` draws: an unbiased estimate, and always the same for the same parameters.

        Returns:
            The variance of each value of the frame, given all parameters.
        """
        generator = torch.Generator(params.device).manual_seed(0)
        found = []

        def draw(of_e: Tensor) -> Tensor:
            found.append(self.residual.variance(of_e))
            return self.residual.sample(of_e, generator)

        num_draws = self.NUM_DRAWS if self.adaptive else 1
        for _ in range(num_draws):
            self._residuals(params, draw)
        of_e = torch.cat(found, -1).unflatten(-1, (num_draws, self.x_dim)).mean(-2)
        return synthesised_variance(of_e, self.parts(params)[2])

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Real values: residuals through the filter, one value after the other."""
        mu, _, taps, _, u = self.parts(params)
        e = self._residuals(params, lambda of_e: self.residual.sample(of_e, generator, temperature))
        return mu + synthesise(e, taps, u)

    def params_of(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]
    ) -> Float[Tensor, "p"]:
        """The residual's, without any prediction; all 0 where relative to what came before."""
        rest = mean.new_zeros(self.num_params - 2 * self.x_dim)
        of_residual = self.residual.params_of(mean, variance)
        return torch.cat([torch.zeros_like(of_residual) if self.relative else of_residual, rest])


class GaussianAR(Autoregressive):
    """``Autoregressive`` with Gaussian residuals, so that a frame is Gaussian.

    Its covariance is L^-1 V L^-T, where L_{i,i-k} = -a_k.
    """

    residual_kind = Gaussian


class StudentTAR(Autoregressive):
    """``Autoregressive`` with Student-t residuals."""

    residual_kind = StudentT
    reads = (*Autoregressive.reads, *StudentT.reads)
