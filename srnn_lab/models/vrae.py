"""The variational recurrent autoencoder: one z for a sequence, in the first recurrent state."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import INPUTS, Context, SequenceModel, State
from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.networks import GRU, BackwardGRU, linear, mlp


class VRAE(SequenceModel):
    """One latent vector z_1 for a whole sequence (Fabius and van Amersfoort, 2014).

    Generative model:  p(x, z, d | u) = p(z_1) prod_t p(x_t | d_t) p(d_t | d_{t-1}, u_t), with d_0 =
    tanh(W z_1).

    Posterior: q(z_1 | x) = q(z_1 | a_1), with a_t = GRU(a_{t+1}, x_t), so that a_1 has read all
    frames. The z_t of later frames are standard normal a priori and a posteriori, and nothing reads
    them: their KL is 0.

    With GRUs for their plain RNNs, and u_t = x_{t-1} as an input of the decoder.

    Args:
        config: Sizes; ``smoothing``, ``residual`` and ``gated_transition`` do not apply.
    """

    reads = (*SequenceModel.reads, *INPUTS, "stand_in")

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        d, z, h, layers = config.d_dim, config.z_dim, config.hidden_dim, config.num_layers
        self.features_z, of_z = self.network_of_z()
        self.first_d = linear(of_z, d)
        self.gru_d = GRU(self.of_u_dim, d)
        self.a = BackwardGRU(h, d)
        self.posterior = mlp(d, h, layers, 2 * z, dropout=config.dropout_heads)
        self.emission = self.emission_network(d)

    @property
    def d_dim(self) -> int:
        """d_t, and a 1 once a sequence has begun."""
        return self.config.d_dim + 1

    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],
        state: State,
    ) -> Context:
        """Features of u; where a sequence begins; and all of the posterior."""
        context, of_x = self.read_for_d(u, x, nn.Identity())
        begins = torch.zeros_like(u[..., :1])
        begins[:, 0] = 1 - state.d[:, -1:]
        context["begins"] = begins
        if of_x is None:
            return context
        a = self.a(self.for_q(of_x), lengths)
        mu_q, logvar_q = self.posterior(self.read_d(a[:, :1])).to(begins.dtype).chunk(2, -1)
        logvar_q = floor_variance(logvar_q, self.config.variance_floor)
        return {**context, "mu_q": begins * mu_q, "logvar_q": begins * logvar_q}

    def step(
        self, state: State, context_t: Context, noise_t: Float[Tensor, "b z"]
    ) -> tuple[State, DiagonalGaussian, DiagonalGaussian]:
        """z_t, and d_t from d_{t-1}, which at the beginning is made of z_1."""
        prior_t = posterior_t = DiagonalGaussian.standard(noise_t)
        if "mu_q" in context_t:
            posterior_t = DiagonalGaussian(context_t["mu_q"], context_t["logvar_q"])
        z_t = self.draw(posterior_t, noise_t)
        made = torch.tanh(self.first_d(self.features_z(z_t))).to(z_t.dtype)
        d_tm1 = torch.where(context_t["begins"] > 0, made, state.d[:, :-1])
        of_u_t = self.for_d(context_t, state, nn.Identity())
        d_t = self.gru_d(of_u_t[:, None], d_tm1)[:, 0]
        return State(torch.cat([d_t, torch.ones_like(d_t[:, :1])], -1), z_t), prior_t, posterior_t

    def decode(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"]
    ) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | d_t)."""
        return self.emission(self.read_d(d[..., :-1])).to(z.dtype)
