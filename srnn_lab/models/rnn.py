"""The deterministic counterpart of the SRNN: the same GRU without z, to measure the gain from z."""

from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import INPUTS, Context, SequenceModel, State
from srnn_lab.models.distributions import DiagonalGaussian
from srnn_lab.models.networks import GRU


class RNN(SequenceModel):
    """p(x | u) = prod_t p(x_t | d_t), d_t = GRU(d_{t-1}, u_t) (Figure 1a).

    There is no latent variable, so the bound is exact.

    Args:
        config: Sizes; ``z_dim``, ``smoothing`` and ``residual`` do not apply.
    """

    reads = (*INPUTS, "stand_in")

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.gru_d = GRU(self.of_u_dim, config.d_dim)
        self.emission = self.emission_network(config.d_dim)

    @property
    def z_dim(self) -> int:
        """There is no z."""
        return 0

    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,  # noqa: ARG002
        lengths: Int[Tensor, "b"],  # noqa: ARG002
        state: State,
    ) -> Context:
        """d_{1:T} from u."""
        of_u, _ = self.read(u, None, self.expected_past(u, state))
        return {"d": self.gru_d(of_u, state.d)}

    def follow(self, state: State, of_u_t: Float[Tensor, "b 1 v"]) -> State:
        """d_t."""
        return State(self.gru_d.step(of_u_t[:, 0], state.d), state.z)

    def step(
        self,
        state: State,
        context_t: Context,
        noise_t: Float[Tensor, "b z"],  # noqa: ARG002
    ) -> tuple[State, DiagonalGaussian, DiagonalGaussian]:
        """d_t, and Gaussians of no dimension."""
        empty = DiagonalGaussian(state.z, state.z)
        return State(context_t["d"], state.z), empty, empty

    def decode(
        self,
        d: Float[Tensor, "b t d"],
        z: Float[Tensor, "b t z"],  # noqa: ARG002
    ) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | d_t)."""
        return self.emission(self.read_d(d)).to(d.dtype)
