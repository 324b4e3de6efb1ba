"""What the SRNN and deep Kalman filter share: latent Markov chains, a priori and a posteriori."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srnn_lab.models.base import Context, SequenceModel, State
from srnn_lab.models.distributions import DiagonalGaussian, Latent, floor_variance
from srnn_lab.models.networks import GatedTransition, GaussianNetwork
from srnn_lab.models.recurrence import gaussian_chain
from srnn_lab.models.tridiagonal import TridiagonalPosterior


class StateSpaceModel(SequenceModel):
    """p(z_t | z_{t-1}, d_t) and q(z_t | z_{t-1}, a_t), where neither d nor a depends on z.

    ``encode`` gives ``d``, ``for_prior`` and, given x, ``for_posterior``: the shares of d_t and of
    a_t in the first layers of the two networks.
    """

    prior: GaussianNetwork | GatedTransition
    posterior: GaussianNetwork | TridiagonalPosterior
    features_z: nn.Module

    @property
    def residual(self) -> bool:
        """As configured, where the posterior is one of networks."""
        return self.config.residual and self.config.posterior == "networks"

    def step(
        self, state: State, context_t: Context, noise_t: Float[Tensor, "b z"]
    ) -> tuple[State, DiagonalGaussian, DiagonalGaussian]:
        """Lines 4 to 7 of Algorithm 1."""
        z_tm1 = self.features_z(state.z).to(state.z.dtype)  # z_{t-1} itself, or phi_z of it
        gated = isinstance(self.prior, GatedTransition)
        # Eq. (3).
        prior_t = posterior_t = self.prior(state.z if gated else z_tm1, context_t["for_prior"])
        if "for_posterior" in context_t:
            one_gaussian = isinstance(self.posterior, TridiagonalPosterior)
            z_of_q = state.z if one_gaussian else self.for_q(z_tm1)
            posterior_t = self.posterior(z_of_q, context_t["for_posterior"])  # Eq. (10)
            if self.residual:  # Eq. (12); the sample z_{t-1} stands for the integral in Eq. (11)
                posterior_t = DiagonalGaussian(
                    self.for_q(prior_t.mu) + posterior_t.mu, posterior_t.logvar
                )
        return State(context_t["d"], self.draw(posterior_t, noise_t)), prior_t, posterior_t

    def path(
        self, context: Context, state: State, noise: Float[Tensor, "b t z"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t z"], Latent, Latent]:
        """The path with only what z needs inside the recursion, and the rest for all t at once."""
        if "for_posterior" not in context:
            return super().path(context, state, noise)
        if isinstance(self.posterior, TridiagonalPosterior):
            z = self.posterior.path(state.z, context["for_posterior"], noise)
            z_tm1 = torch.cat([state.z[:, None], z[:, :-1]], 1)
            gated = isinstance(self.prior, GatedTransition)
            prior = self.prior(
                z_tm1 if gated else self.features_z(z_tm1).to(z.dtype), context["for_prior"]
            )
            return context["d"], z, prior, self.posterior(z_tm1, context["for_posterior"])
        # Before macOS 15, torch's MPS loses products that are written into a part of a tensor
        # (pytorch #193385).
        mps = state.z.device.type == "mps"
        dropped = self.training and self.config.dropout_heads > 0
        gate_inside = self.residual and isinstance(self.prior, GatedTransition)
        read_through = not isinstance(self.features_z, nn.Identity)
        if mps or dropped or gate_inside or read_through:
            return super().path(context, state, noise)
        floor = self.config.variance_floor
        mu_q, logvar_q = self.posterior.nets(context["for_posterior"])
        if self.residual:
            networks: Any = self.prior  # no gate, as was asked above
            mu_p, logvar_p = networks.nets(context["for_prior"])
            z, mus, raw = gaussian_chain([mu_p, mu_q], logvar_q, state.z, noise, floor)
        else:
            z, mus, raw = gaussian_chain([mu_q], logvar_q, state.z, noise, floor)
        z_tm1 = torch.cat([state.z[:, None], z[:, :-1]], 1)
        if self.residual:
            prior = DiagonalGaussian(mus[0], floor_variance(logvar_p.output(z_tm1), floor))
        else:
            prior = self.prior(z_tm1, context["for_prior"])
        return (
            context["d"],
            z,
            prior,
            DiagonalGaussian(sum(mus[1:], mus[0]), floor_variance(raw, floor)),
        )

    def decode(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"]
    ) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | z_t, d_t)."""
        read = [self.read_d(d[..., : self.config.d_dim]), self.read_z(self.features_z(z))]
        return self.emission(torch.cat(read, -1)).to(z.dtype)
