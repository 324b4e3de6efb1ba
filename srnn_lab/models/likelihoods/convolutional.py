"""Real values, each given those before it by causal dilated convolutions: nonlinear, and exact."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.likelihoods.autoregressive import StudentTAR
from srnn_lab.models.likelihoods.base import Likelihood
from srnn_lab.models.linear_prediction import prediction_error

DILATIONS = (1, 3, 9, 27)
WIDTH = 3
"""Values that one convolution reads, a dilation apart."""
CONTEXT = (WIDTH - 1) * sum(DILATIONS)
"""Values before it that an output depends on, besides the one at its place."""
BOUND = 4.0
"""Largest size of a location in units of its scale, and of the logarithm of a squared scale."""
LEVEL_SHARE = 0.25
"""Factor on the logarithm of the level, as an input of the convolutions."""
FRAMES_AT_ONCE = 128
"""Frames that are convolved at a time: what they take fits into a cache."""


class CausalStack(nn.Module):
    """Dilated convolutions with residual connections, as in WaveNet, but without its gates.

    WaveNet is that of van den Oord et al. (2016).

    h <- h + R f(W [h_{i-2d}, h_{i-d}, h_i] + b), layer by layer, where b comes from outside.

    Args:
        inputs: Channels that come in.
        channels: Channels of h.
        outputs: Channels that go out.
    """

    def __init__(self, inputs: int, channels: int, outputs: int):
        super().__init__()
        self.enter = nn.Linear(inputs, channels)
        self.read = nn.ModuleList(
            nn.Linear(WIDTH * channels, channels, bias=False) for _ in DILATIONS
        )
        self.add = nn.ModuleList(nn.Linear(channels, channels) for _ in DILATIONS)
        self.leave = nn.Linear(channels, outputs)
        # So that training begins near the linear predictor.
        nn.init.normal_(self.leave.weight, std=1e-2)
        nn.init.zeros_(self.leave.bias)

    def layer(
        self, number: int, read: list[Float[Tensor, "*batch c"]], bias: Float[Tensor, "*batch2 c"]
    ) -> Float[Tensor, "*batch c"]:
        """One layer: h + R f(W [h_{i-2d}, h_{i-d}, h_i] + b).

        Args:
            number: Of the layer, from 0.
            read: h at the places that it reads, the latest last.
            bias: b, for each frame.

        Returns:
            h after the layer, of the shape of each that it reads.
        """
        return read[-1] + self.add[number](
            F.leaky_relu(self.read[number](torch.cat(read, -1)) + bias, 1 / 3)
        )

    def hidden(
        self, v: Float[Tensor, "b n i"], biases: Float[Tensor, "b l c"]
    ) -> list[Float[Tensor, "b _ c"]]:
        """The channels h before the first layer and after each; every layer shortens them.

        It needs values further back, of which the first of a frame have none.

        Returns:
            One tensor more than there are layers.
        """
        h = [self.enter(v)]
        for number, dilation in enumerate(DILATIONS):
            n = h[-1].shape[1] - (WIDTH - 1) * dilation
            read = [h[-1][:, k * dilation : k * dilation + n] for k in range(WIDTH)]
            h.append(self.layer(number, read, biases[:, number, None]))
        return h

    def outputs(self, h: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch o"]:
        """The outputs, from h after the last layer; bounded, so that no draw is led far astray."""
        return BOUND * torch.tanh(self.leave(F.leaky_relu(h, 1 / 3)) / BOUND)

    def advance(
        self,
        past: list[list[Float[Tensor, "b c"]]],
        v_i: Float[Tensor, "b i"],
        biases: Float[Tensor, "b l c"],
    ) -> Float[Tensor, "b o"]:
        """Outputs for one more value, when values are drawn one after the other.

        Args:
            past: The inputs of each layer so far; this value's are appended.
            v_i: What the stack reads of the value.
            biases: b of each layer, for each frame.

        Returns:
            What ``outputs`` gives.
        """
        h = self.enter(v_i)
        for number, (dilation, before) in enumerate(zip(DILATIONS, past, strict=True)):
            before.append(h)
            h = self.layer(
                number,
                [before[-1 - k * dilation] for k in reversed(range(WIDTH))],
                biases[:, number],
            )
        return self.outputs(h)


class ConvAR(Likelihood):
    """Student-t residuals of a linear prediction.

    Their location and scale follow those before them, nonlinearly.

    ``linear`` is ``student-t-ar`` with the taps and the unit of the frame before and a scale s_i
    that follows the residuals (``ar_past`` predictor, ``ar_adaptive``); with it as a base, e_i =
    s_i (f_i + exp(g_i / 2) t_i), where (f_i, g_i) is what a stack of causal convolutions says of
    e_{i-1} / sqrt(m_{i-1}), e_{i-2} / sqrt(m_{i-2}), ... and of the level m_i, back into the frame
    before. The stack is shared by all frames; the parameters of a frame are the biases of its
    layers, then those of ``linear``. All of it depends on x_{<i} alone, so the density is exact.
    """

    values = "real"
    reads = ("ar_order", "student_df", "conv_channels")

    NUM_DRAWS = 16
    """Draws behind ``mean`` and ``variance``."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.linear = StudentTAR(replace(config, ar_past="predictor", ar_adaptive=True))
        self.stack = CausalStack(2, config.conv_channels, 2)
        self.num_biases = len(DILATIONS) * config.conv_channels

    @property
    def num_params(self) -> int:
        """Biases of the layers, and the parameters of the linear prediction."""
        return self.num_biases + self.linear.num_params

    def given(
        self, params: Float[Tensor, "*batch p"], u: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch q"]:
        """As ``linear`` is given it."""
        biases, rest = params.split([self.num_biases, self.linear.num_params], -1)
        return torch.cat([biases, self.linear.given(rest, u)], -1)

    def _parts(self, params: Float[Tensor, "b p"]) -> tuple[Tensor, ...]:
        """Biases by layer, then ``linear``'s parts; a frame before is long enough for the stack."""
        biases, rest = params.split([self.num_biases, params.shape[-1] - self.num_biases], -1)
        *said, u = self.linear.parts(rest)
        return (
            biases.unflatten(-1, (len(DILATIONS), -1)),
            *said,
            F.pad(u, (max(0, CONTEXT - u.shape[-1]), 0)),
        )

    def log_prob(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        """Log density of the residuals, for all values at once."""
        flat = (
            values.reshape(-1, values.shape[-1]).split(FRAMES_AT_ONCE) for values in (params, x)
        )
        with torch.autocast(params.device.type, enabled=False):
            return torch.cat([self._log_prob(*frames) for frames in zip(*flat, strict=True)]).view(
                params.shape[:-1]
            )

    def _log_prob(
        self, params: Float[Tensor, "b p"], x: Float[Tensor, "b x"]
    ) -> Float[Tensor, "b"]:
        biases, mu, logvar, taps, weights, u = self._parts(params)
        e = prediction_error(torch.cat([u, x - mu], -1), taps)
        m = self.linear.running_mean(e, weights, u.shape[-1] - CONTEXT)
        f, g = self.stack.outputs(self.stack.hidden(self._inputs(e, m), biases)[-1]).unbind(-1)
        log_scale = self.linear.log_scale(logvar + m[:, CONTEXT:].log())
        of_e = torch.cat([f * torch.exp(0.5 * log_scale), log_scale + g], -1)
        return self.linear.residual.log_prob(of_e, e[:, u.shape[-1] :])

    def _inputs(self, e: Float[Tensor, "b n"], m: Float[Tensor, "b m"]) -> Float[Tensor, "b m 2"]:
        """What is read for each m_i.

        Returns:
            The compressed residual before it over its scale, and its level against that at the
            start.
        """
        before = F.pad(torch.asinh(e[:, e.shape[1] - m.shape[1] : -1] * m[:, :-1].rsqrt()), (1, 0))
        return torch.stack([before, LEVEL_SHARE * (m / m[:, CONTEXT, None]).log()], -1)

    def _walk(
        self, params: Float[Tensor, "b p"], generator: torch.Generator | None, temperature: float
    ) -> tuple[Float[Tensor, "b x"], Float[Tensor, "b x"], Float[Tensor, "b x"]]:
        """A draw of x, and means and variances of x_i given x_{<i} along it."""
        biases, mu, logvar, taps, weights, u = self._parts(params)
        e_u = prediction_error(u, taps)
        m = self.linear.running_mean(F.pad(e_u, (0, 1)), weights, u.shape[-1] - CONTEXT)
        v = self._inputs(F.pad(e_u, (0, 1)), m)
        past = [list(h.unbind(1)) for h in self.stack.hidden(v[:, :-1], biases)[:-1]]
        memory, first, v_i = self.linear.remembered(e_u), m[:, CONTEXT, None], v[:, -1]
        latest = u[:, -taps.shape[-1] :].flip(-1)
        latest = F.pad(latest, (0, taps.shape[-1] - latest.shape[-1]))
        drawn = []
        for mu_i, logvar_i in zip(mu.split(1, -1), logvar.split(1, -1), strict=True):
            m_i = (weights[:, :-1] * memory).sum(-1, keepdim=True) + weights[:, -1:]
            v_i = torch.cat([v_i[:, :1], LEVEL_SHARE * (m_i / first).log()], -1)
            f, g = self.stack.advance(past, v_i, biases).split(1, -1)
            log_scale = self.linear.log_scale(logvar_i + m_i.log())
            of_e = torch.cat([f * torch.exp(0.5 * log_scale), log_scale + g], -1)
            e_i = self.linear.residual.sample(of_e, generator, temperature)
            predicted = mu_i + (taps * latest).sum(-1, keepdim=True)
            location, variance = (
                self.linear.residual.mean(of_e),
                self.linear.residual.variance(of_e),
            )
            drawn.append((predicted + e_i, predicted + location, variance))
            latest = torch.cat([drawn[-1][0] - mu_i, latest[:, :-1]], -1)
            memory, v_i = self.linear.remember(memory, e_i), torch.asinh(e_i * m_i.rsqrt())
        x, means, variances = (torch.cat(values, -1) for values in zip(*drawn, strict=True))
        return x, means, variances

    def _moments(
        self, params: Float[Tensor, "*batch p"]
    ) -> tuple[Float[Tensor, "*batch x"], Float[Tensor, "*batch x"]]:
        """Estimates by the law of total variance, over ``NUM_DRAWS`` draws of x_{<i}.

        Returns:
            Mean and variance.
        """
        generator = torch.Generator(params.device).manual_seed(0)
        flat = params.reshape(-1, params.shape[-1])
        draws = [self._walk(flat, generator, 1.0)[1:] for _ in range(self.NUM_DRAWS)]
        means, variances = (torch.stack(values) for values in zip(*draws, strict=True))
        moments = means.mean(0), variances.mean(0) + means.var(0)
        mean, variance = (values.view(*params.shape[:-1], self.x_dim) for values in moments)
        return mean, variance

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """E[x_i] estimated: the mean of E[x_i | x_{<i}] over ``NUM_DRAWS`` draws.

        It has no closed form.

        Unbiased, and always the same for the same parameters.

        Returns:
            The estimate for each value of the frame, in the units that the model sees.
        """
        return self._moments(params)[0]

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x_i] estimated: the mean of Var[x_i | x_{<i}] and the variance of E[x_i | x_{<i}]."""
        return self._moments(params)[1]

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Real values, one by one; at temperature 0, each the likeliest given those before it."""
        drawn = self._walk(params.reshape(-1, params.shape[-1]), generator, temperature)[0]
        return drawn.view(*params.shape[:-1], self.x_dim)

    def params_of(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]
    ) -> Float[Tensor, "p"]:
        """Zeros: all parameters are relative to the frame before."""
        return torch.cat([mean.new_zeros(self.num_biases), self.linear.params_of(mean, variance)])
