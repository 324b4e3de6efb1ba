"""The stochastic recurrent neural network: a state-space model on a GRU (the paper's Section 3)."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import INPUTS, Context, State
from srnn_lab.models.networks import GRU, BackwardGRU, GaussianNetwork, mlp
from srnn_lab.models.state_space import StateSpaceModel
from srnn_lab.models.tridiagonal import TridiagonalPosterior


class SRNN(StateSpaceModel):
    """The SRNN with its four posteriors, by ``config.smoothing`` and ``config.residual`` (Res_q).

    Generative model, Eq. (1): p(x, z, d | u) = prod_t p(x_t | z_t, d_t) p(z_t | z_{t-1}, d_t) p(d_t
    | d_{t-1}, u_t).

    Posterior, Eq. (7): q(z | d, x) = prod_t q(z_t | z_{t-1}, a_t), with a_t = g(a_{t+1}, [d_t,
    x_t]) (smoothing) or a_t = NN(d_t, x_t) (filtering). Or ``config.posterior``: one Gaussian
    (``TridiagonalPosterior``).

    Args:
        config: Sizes and variant.
    """

    a: nn.Module
    reads = (*StateSpaceModel.reads, *INPUTS, "stand_in", "posterior", "smoothing", "residual")

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        d, h, layers = config.d_dim, config.hidden_dim, config.num_layers
        self.gru_d = GRU(self.of_u_dim, d)
        networks = config.posterior == "networks"
        if networks:
            self.a = (
                BackwardGRU(d + h, d) if config.smoothing else mlp(d + h, d, self.emission_layers)
            )
        self.features_z, of_z = self.network_of_z()
        heads = (config.z_dim, d, h, layers, config.variance_floor)
        self.prior = GaussianNetwork(*heads, in_dim=of_z, dropout=config.dropout_heads)
        if networks:
            self.posterior = GaussianNetwork(*heads, in_dim=of_z, dropout=config.dropout_heads)
        else:
            sizes = (d + h, config.z_dim, h, layers, config.variance_floor)
            self.posterior = TridiagonalPosterior(*sizes, dropout=config.dropout_heads)
        self.emission = self.emission_network(d + of_z)

    @property
    def d_dim(self) -> int:
        """d_t, and what z_t was expected to be if missing values of u are filled by their mean."""
        return self.config.d_dim + self.fills * self.config.z_dim

    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],
        state: State,
    ) -> Context:
        """d_{1:T} from u, a_{1:T} from [d, x]; their shares of first layers of Eq. (3) and (10)."""
        d_0, mean_0 = state.d.tensor_split([self.config.d_dim], -1)
        of_u, of_x = self.read(u, x, self.expected_past(u, State(d_0, mean_0)))
        d = self.gru_d(of_u, d_0)
        d_low = self.read_d(d.to(of_u.dtype))  # converted once, where products are in 16 bits
        context = {"d": d, "for_prior": self.prior.project(d_low)}
        if self.fills:
            with self.expecting():
                means = self._prior_means(d, mean_0)
            context["d"] = torch.cat([d, means], -1)
        if of_x is None:
            return context
        inputs = self.for_q(torch.cat([d_low, of_x], -1))
        if isinstance(self.posterior, TridiagonalPosterior):
            return {**context, "for_posterior": self.posterior.project(inputs.to(d.dtype), lengths)}
        a = self.a(inputs, lengths) if self.config.smoothing else self.a(inputs)
        return {**context, "for_posterior": self.posterior.project(self.read_d(a))}

    def follow(self, state: State, of_u_t: Float[Tensor, "b 1 v"]) -> State:
        """d_t, and the mean of p(z_t | z_{t-1}, d_t)."""
        d_t = self.gru_d.step(of_u_t[:, 0], state.d)
        return State(d_t, self._prior_means(d_t[:, None], state.z)[:, 0])

    def _prior_means(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b t z"]:
        """The path from ``z`` on which each z_t is the mean of its prior, without dropout."""
        prior: Any = self.prior  # one of networks, without a gate
        network, _ = prior.nets(prior.project(d))
        means = [z[:, None]]
        for projected_t in network.projected.split(1, 1):
            z_tm1 = self.features_z(means[-1]).to(z.dtype)
            means.append(network._replace(projected=projected_t).output(z_tm1))
        return torch.cat(means[1:], 1)
