"""What a likelihood is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.data.frame_kind import Values


def sharpen(logits: Float[Tensor, "*batch"], temperature: float) -> Float[Tensor, "*batch"]:
    """Logits at a temperature: unchanged at 1; at 0 so far apart that a single largest decides."""
    return logits / max(temperature, 1e-6)


class Likelihood(nn.Module, ABC):
    """A distribution over frames of ``config.x_dim`` values, given ``num_params`` outputs a frame.

    Args:
        config: Sizes, and the floor of each variance, where there is one.

    Attributes:
        values: What it is a distribution of.
        reads: Settings of ``ModelConfig`` that it reads and not every likelihood does.
    """

    values: ClassVar[Values]
    reads: ClassVar[tuple[str, ...]] = ()
    takes_gaps: ClassVar[bool] = False
    """Whether p of some of a frame's values alone is known, so that others may be missing (NaN)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.x_dim = config.x_dim
        self.variance_floor = config.variance_floor
        self.missing = config.missing
        if self.missing and not self.takes_gaps:
            raise ValueError(
                f"ModelConfig.missing is True; {config.likelihood!r} needs all values of a frame: "
                "choose another likelihood, or give data without gaps."
            )

    def observed_sum(
        self, each: Float[Tensor, "*batch x"], missing: Bool[Tensor, "*batch x"] | None
    ) -> Float[Tensor, "*batch"]:
        """The sum over a frame of what was observed; ``missing`` is what ``fill`` gave."""
        return each.sum(-1) if missing is None else each.masked_fill(missing, 0).sum(-1)

    def fill(
        self, x: Float[Tensor, "*batch x"]
    ) -> tuple[Float[Tensor, "*batch x"], Bool[Tensor, "*batch x"] | None]:
        """The frames with 0 where values are missing, and where that is.

        Returns:
            Both; the frames as they are, and None, in a model that expects no gaps.
        """
        if not self.missing:
            return x, None
        missing = x.isnan()
        return x.masked_fill(missing, 0), missing

    @property
    @abstractmethod
    def num_params(self) -> int:
        """Network outputs a frame."""

    def given(
        self,
        params: Float[Tensor, "*batch p"],
        u: Float[Tensor, "*batch x"],  # noqa: ARG002
    ) -> Float[Tensor, "*batch q"]:
        """What other methods are given: network outputs, and what they need of u_t = x_{t-1}."""
        return params

    @abstractmethod
    def log_prob(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        """Log p(x) in nats, one number a frame."""

    @abstractmethod
    def mean(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """E[x]."""

    @abstractmethod
    def variance(self, params: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch x"]:
        """Var[x]."""

    @abstractmethod
    def sample(
        self,
        params: Float[Tensor, "*batch p"],
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Float[Tensor, "*batch x"]:
        """One draw of x.

        Args:
            params: What a network gave for each frame.
            generator: Where the random numbers come from.
            temperature: Multiplies standard deviations and divides logits; 1 leaves both as they
                are, and 0 gives the likeliest value.
        """

    @abstractmethod
    def params_of(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"]
    ) -> Float[Tensor, "p"]:
        """Parameters with this mean and, if free, this variance, for a training to begin with."""


class Independent(Likelihood):
    """Values independent within a frame: its log p is the sum of theirs, as far as known."""

    takes_gaps = True

    @abstractmethod
    def each(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch x"]:
        """Log p of each value, in nats."""

    def log_prob(
        self, params: Float[Tensor, "*batch p"], x: Float[Tensor, "*batch x"]
    ) -> Float[Tensor, "*batch"]:
        """The sum of log p over the values that are observed."""
        x, missing = self.fill(x)
        return self.observed_sum(self.each(params, x), missing)
