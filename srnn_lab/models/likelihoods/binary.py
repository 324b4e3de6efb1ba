"""Binary values: notes."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.likelihoods.base import Independent, Likelihood, sharpen


class Bernoulli(Independent):
    """Independent binary values by their logits: no probability is ever rounded to 0 or 1."""

    values = "binary"

    @property
    def num_params(self) -> int:
        """One logit a value."""
        return self.x_dim

    def each(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch x"]:
        """Log p of each value, in nats: x log p + (1 - x) log(1 - p)."""
        return -F.binary_cross_entropy_with_logits(params, x, reduction="none")

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """P(x = 1)."""
        return torch.sigmoid(params)

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x] = p (1 - p)."""
        return torch.sigmoid(params) * torch.sigmoid(-params)  # 1 - p would be rounded to 0

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Zeros and ones."""
        return torch.bernoulli(torch.sigmoid(sharpen(params, temperature)), generator=generator)

    def params_of(
        self,
        mean: Float[Tensor, "x"],
        variance: Float[Tensor, "x"],  # noqa: ARG002
    ) -> Float[Tensor, "p"]:
        """Logits; a value that is never, or always, 1 gets a probability of 1e-4, or 1 - 1e-4."""
        return mean.clamp(1e-4, 1 - 1e-4).logit()


class NADE(Likelihood):
    """Binary values, each given those before it in a frame: exactly p(x) = prod_i p(x_i | x_{<i}).

    p(x_i = 1 | x_{<i}) = sigmoid(b_i + V_i sigmoid(c + sum_{j<i} W_j x_j)), the neural
    autoregressive distribution estimator of Larochelle and Murray (2011), as RNN-NADE has it
    (Boulanger-Lewandowski et al., 2012): the parameters of a frame are the biases c of
    ``config.hidden_dim`` hidden units, then b; W and V are shared by all frames.
    """

    values = "binary"

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

        The sums over j < i are carried along, so that memory grows with ``hidden_dim`` times the
        frames (with gradients, times ``x_dim`` too).

        Returns:
            The values, and their logits.
        """
        hidden, biases = params.split([self.hidden_dim, self.x_dim], -1)
        values, logits = [], []
        with torch.autocast(params.device.type, enabled=False):
            for i, (b_i, w_i, v_i) in enumerate(
                zip(biases.unbind(-1), self.from_value, self.to_value, strict=True)
            ):
                logits.append(b_i + torch.sigmoid(hidden) @ v_i)
                values.append(value(i, logits[-1]))
                hidden = torch.addcmul(hidden, values[-1][..., None], w_i)
        return torch.stack(values, -1), torch.stack(logits, -1)

    def log_prob(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        """Sum over i of log p(x_i | x_{<i})."""
        _, logits = self._walk(params, lambda i, _: x[..., i])
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)

    def _draw(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None,
        temperature: float = 1.0,
    ) -> tuple[Tensor, Tensor]:
        return self._walk(
            params,
            lambda _, logit: torch.bernoulli(
                torch.sigmoid(sharpen(logit, temperature)), generator=generator
            ),
        )

    def _marginals(self, params: Float[Tensor, "*batch p"]) -> tuple[Tensor, Tensor]:
        """Estimates of P(x_i = 1) and P(x_i = 0)."""
        generator = torch.Generator(params.device).manual_seed(0)
        ones, zeros = 0.0, 0.0
        for _ in range(self.NUM_DRAWS):
            _, logits = self._draw(params, generator)
            ones, zeros = ones + torch.sigmoid(logits), zeros + torch.sigmoid(-logits)
        return torch.as_tensor(ones / self.NUM_DRAWS), torch.as_tensor(zeros / self.NUM_DRAWS)

    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """P(x_i = 1) estimated: the mean of p(x_i = 1 | x_{<i}) over ``NUM_DRAWS`` draws.

        It has no closed form.

        Unbiased, always the same for the same parameters; the standard error is at most 0.5 /
        sqrt(``NUM_DRAWS``).

        Returns:
            The estimate for each note, from 0 to 1.
        """
        return self._marginals(params)[0]

    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x_i] = p (1 - p), at the probability that ``mean`` estimates."""
        ones, zeros = self._marginals(params)
        return ones * zeros

    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """Zeros and ones, one by one; at temperature 0, each the likelier given those before."""
        return self._draw(params, generator, temperature)[0]

    def params_of(
        self,
        mean: Float[Tensor, "x"],
        variance: Float[Tensor, "x"],  # noqa: ARG002
    ) -> Float[Tensor, "p"]:
        """Logits as of ``Bernoulli``, and hidden biases of 0; hidden units add little at first."""
        return torch.cat([mean.new_zeros(self.hidden_dim), mean.clamp(1e-4, 1 - 1e-4).logit()])
