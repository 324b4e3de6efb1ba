"""The variational recurrent neural network: a GRU fed what was drawn (Figure 4b), and VRNN-I."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import INPUTS, Context, SequenceModel, State
from srnn_lab.models.distributions import DiagonalGaussian
from srnn_lab.models.networks import GaussianNetwork, GRUCell


class VariationalRNN(SequenceModel):
    """d_t = GRU(d_{t-1}, [phi(u_t), phi_z(z_{t-1})]), q(z_t | d_t, phi(x_t)); the prior is open.

    Chung et al., "A recurrent latent variable model for sequential data" (2015), in the SRNN
    paper's notation: d_t is their h_{t-1}. The posterior is always a filtering one, without Res_q:
    given d_{1:T}, the z_t are independent, so that, the paper argues (Section 5), looking ahead
    would not improve it.
    """

    reads = (*SequenceModel.reads, *INPUTS, "stand_in")

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        d, z, h, layers = config.d_dim, config.z_dim, config.hidden_dim, config.num_layers
        self.features_z, of_z = self.network_of_z(automatic=True)
        self.gru_d = GRUCell(self.of_u_dim, of_z, d)
        self.posterior = GaussianNetwork(
            z, h, h, layers, config.variance_floor, in_dim=d, dropout=config.dropout_heads
        )
        self.emission = self.emission_network(d + of_z)

    @abstractmethod
    def prior_of(self, d_t: Float[Tensor, "b d"], like: Float[Tensor, "b z"]) -> DiagonalGaussian:
        """The prior of z_t, whose shape is that of ``like``."""

    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],  # noqa: ARG002
        state: State,  # noqa: ARG002
    ) -> Context:
        """The shares of u in the gates of d, and of x in the posterior's first layer."""
        context, of_x = self.read_for_d(u, x, self.gru_d.project)
        return (
            context
            if of_x is None
            else {**context, "for_posterior": self.posterior.project(self.for_q(of_x))}
        )

    def step(
        self, state: State, context_t: Context, noise_t: Float[Tensor, "b z"]
    ) -> tuple[State, DiagonalGaussian, DiagonalGaussian]:
        """d_t from d_{t-1}, u_t and z_{t-1}; then z_t from d_t and x_t."""
        of_u_t = self.for_d(context_t, state, self.gru_d.project)
        d_t = self.gru_d(state.d, self.features_z(state.z), of_u_t)
        read_t = self.read_d(d_t)
        prior_t = posterior_t = self.prior_of(read_t, noise_t)
        if "for_posterior" in context_t:
            posterior_t = self.posterior(self.for_q(read_t), context_t["for_posterior"])
        return State(d_t, self.draw(posterior_t, noise_t)), prior_t, posterior_t

    def decode(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"]
    ) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | z_t, d_t)."""
        return self.emission(torch.cat([self.read_d(d), self.read_z(self.features_z(z))], -1)).to(
            z.dtype
        )


class VRNN(VariationalRNN):
    """The VRNN: a prior that follows d, and a recurrence through z (Figure 4b).

    Generative model:  p(x, z, d | u) = prod_t p(x_t | z_t, d_t) p(z_t | d_t) p(d_t | d_{t-1},
    z_{t-1}, u_t).

    Posterior: q(z | x, u) = prod_t q(z_t | d_t, x_t), where d_t holds z_{1:t-1}.

    Args:
        config: Sizes; ``smoothing``, ``residual`` and ``gated_transition`` do not apply.
    """

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        h, layers, dropout = config.hidden_dim, config.num_layers, config.dropout_heads
        self.prior = GaussianNetwork(
            config.z_dim, 0, h, layers, config.variance_floor, in_dim=config.d_dim, dropout=dropout
        )

    def prior_of(self, d_t: Float[Tensor, "b d"], like: Float[Tensor, "b z"]) -> DiagonalGaussian:  # noqa: ARG002
        """p(z_t | d_t)."""
        return self.prior(d_t, self.prior.project(d_t[..., :0]))


class VRNNI(VariationalRNN):
    """VRNN-I: the VRNN with a prior that is independent across time, N(0, I) (Chung et al., 2015).

    Generative model:  p(x, z, d | u) = prod_t p(x_t | z_t, d_t) p(z_t) p(d_t | d_{t-1}, z_{t-1},
    u_t).

    Posterior: q(z | x, u) = prod_t q(z_t | d_t, x_t), where d_t holds z_{1:t-1}.

    Args:
        config: Sizes; ``smoothing``, ``residual`` and ``gated_transition`` do not apply.
    """

    def prior_of(self, d_t: Float[Tensor, "b d"], like: Float[Tensor, "b z"]) -> DiagonalGaussian:  # noqa: ARG002
        """p(z_t) = N(0, I)."""
        return DiagonalGaussian.standard(like)
