"""The stochastic recurrent network STORN: independent latent variables as GRU input (Figure 4a)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import INPUTS, Context, SequenceModel, State
from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.networks import GRU, GRUCell, mlp


class STORN(SequenceModel):
    """STORN: z_t ~ N(0, I), independent between frames, reaches x_t through d_t alone (Figure 4a).

    Generative model:  p(x, z, d | u) = prod_t p(x_t | d_t) p(d_t | d_{t-1}, z_t, u_t) p(z_t).

    Posterior: q(z | x) = prod_t q(z_t | a_t), with a_t = GRU(a_{t-1}, x_t): a recognition network
    of its own, which knows x_{1:t} but neither z_{1:t-1} nor the future.

    Bayer and Osendorfer, "Learning stochastic recurrent networks" (2015), with GRUs for their plain
    RNNs and the SRNN's feature extractor before both.

    Args:
        config: Sizes; ``smoothing``, ``residual`` and ``gated_transition`` do not apply.
    """

    reads = (*SequenceModel.reads, *INPUTS, "stand_in")

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        d, z, h, layers = config.d_dim, config.z_dim, config.hidden_dim, config.num_layers
        self.features_z, of_z = self.network_of_z()
        self.gru_d = GRUCell(self.of_u_dim, of_z, d)
        self.gru_a = GRU(h, d)
        self.posterior = mlp(d, h, layers, 2 * z, dropout=config.dropout_heads)
        self.emission = self.emission_network(d)

    @property
    def d_dim(self) -> int:
        """Both GRUs carry on from segment to segment, so what is handed on as d is [d_t, a_t]."""
        return 2 * self.config.d_dim

    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],  # noqa: ARG002
        state: State,
    ) -> Context:
        """The share of u in the gates of d; a_{1:T} from x, and all of the posterior."""
        context, of_x = self.read_for_d(u, x, self.gru_d.project)
        if of_x is None:
            return context
        a = self.gru_a(self.for_q(of_x), state.d.chunk(2, -1)[1])
        mu_q, logvar_q = self.posterior(self.read_d(a)).to(a.dtype).chunk(2, -1)
        return {
            **context,
            "a": a,
            "mu_q": mu_q,
            "logvar_q": floor_variance(logvar_q, self.config.variance_floor),
        }

    def step(
        self, state: State, context_t: Context, noise_t: Float[Tensor, "b z"]
    ) -> tuple[State, DiagonalGaussian, DiagonalGaussian]:
        """z_t, then d_t from d_{t-1}, u_t and z_t."""
        d_tm1, a_t = state.d.chunk(2, -1)
        prior_t = posterior_t = DiagonalGaussian.standard(noise_t)
        if "a" in context_t:
            a_t, posterior_t = (
                context_t["a"],
                DiagonalGaussian(context_t["mu_q"], context_t["logvar_q"]),
            )
        z_t = self.draw(posterior_t, noise_t)
        of_u_t = self.for_d(context_t, state, self.gru_d.project)
        d_t = self.gru_d(d_tm1, self.features_z(z_t), of_u_t)
        return State(torch.cat([d_t, a_t], -1), z_t), prior_t, posterior_t

    def decode(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"]
    ) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | d_t)."""
        return self.emission(self.read_d(d.chunk(2, -1)[0])).to(z.dtype)
