"""The stochastic recurrent neural network: a state-space model stacked on a GRU (Section 3 of the paper)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.config import ModelConfig
from srnn_lab.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.base import Context, SequenceModel, State
from srnn_lab.networks import GRU, BackwardGRU, GaussianNetwork, mlp
from srnn_lab.recurrence import gaussian_chain


class SRNN(SequenceModel):
    """The SRNN with its four posteriors: ``config.smoothing`` or filtering, ``config.residual`` (Res_q) or not.

    Generative model, Eq. (1):  p(x, z, d | u) = prod_t p(x_t | z_t, d_t) p(z_t | z_{t-1}, d_t) p(d_t | d_{t-1}, u_t).
    Posterior, Eq. (7):  q(z | d, x) = prod_t q(z_t | z_{t-1}, a_t), with a_t = g(a_{t+1}, [d_t, x_t]) (smoothing)
    or a_t = NN(d_t, x_t) (filtering).

    Args:
        config: Sizes and variant.
    """

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        d, h, layers = config.d_dim, config.hidden_dim, config.num_layers
        self.features = mlp(config.x_dim, h, 2)
        self.gru_d = GRU(h, d)
        self.a = BackwardGRU(d + h, d) if config.smoothing else mlp(d + h, d, layers)
        self.prior = GaussianNetwork(config.z_dim, d, h, layers, config.variance_floor)
        self.posterior = GaussianNetwork(config.z_dim, d, h, layers, config.variance_floor)
        self.emission = mlp(d + config.z_dim, h, layers, self.likelihood.num_params)

    @property
    def z_dim(self) -> int:
        """Dimensions of z_t."""
        return self.config.z_dim

    def encode(
        self,
        u: Float[Tensor, "b t x"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],
        state: State,
    ) -> Context:
        """d_{1:T} from u, a_{1:T} from [d, x], and their shares of the first layers of Eq. (3) and (10)."""
        if x is not None and torch.equal(u[:, 1:], x[:, :-1]):  # the features that u and x share, once
            features = self.features(torch.cat([u[:, :1], x], 1))
            of_u, of_x = features[:, :-1], features[:, 1:]
        else:
            of_u, of_x = self.features(u), None if x is None else self.features(x)
        d = self.gru_d(of_u, state.d)
        d_low = d.to(of_u.dtype)  # converted once, where products are in 16 bits
        context = {"d": d, "for_prior": self.prior.project(d_low)}
        if of_x is None:
            return context
        inputs = torch.cat([d_low, of_x], -1)
        a = self.a(inputs, lengths) if self.config.smoothing else self.a(inputs)
        return {**context, "for_posterior": self.posterior.project(a)}

    def step(self, state: State, context_t: Context) -> tuple[Tensor, DiagonalGaussian, DiagonalGaussian]:
        """Lines 4 to 6 of Algorithm 1."""
        z_tm1 = state.z
        prior_t = self.prior(z_tm1, context_t["for_prior"])  # Eq. (3)
        if "for_posterior" not in context_t:
            return context_t["d"], prior_t, prior_t
        posterior_t = self.posterior(z_tm1, context_t["for_posterior"])  # Eq. (10)
        if self.config.residual:  # Eq. (12); the sample z_{t-1} stands for the integral in Eq. (11)
            posterior_t = DiagonalGaussian(prior_t.mu + posterior_t.mu, posterior_t.logvar)
        return context_t["d"], prior_t, posterior_t

    def path(
        self, context: Context, state: State, noise: Float[Tensor, "b t z"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t z"], DiagonalGaussian, DiagonalGaussian]:
        """The path with only what z needs inside the recursion, and the rest for all t at once."""
        if "for_posterior" not in context:
            return super().path(context, state, noise)
        floor = self.config.variance_floor
        mu_p, logvar_p = self.prior.nets(context["for_prior"])
        mu_q, logvar_q = self.posterior.nets(context["for_posterior"])
        inside = [mu_p, mu_q] if self.config.residual else [mu_q]
        z, mus, raw = gaussian_chain(inside, logvar_q, state.z, noise, floor)
        z_tm1 = torch.cat([state.z[:, None], z[:, :-1]], 1)
        prior_mu = mus[0] if self.config.residual else mu_p.output(z_tm1)
        prior = DiagonalGaussian(prior_mu, floor_variance(logvar_p.output(z_tm1), floor))
        return context["d"], z, prior, DiagonalGaussian(sum(mus), floor_variance(raw, floor))

    def decode(self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"]) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | z_t, d_t)."""
        return self.emission(torch.cat([d, z], -1)).to(z.dtype)
