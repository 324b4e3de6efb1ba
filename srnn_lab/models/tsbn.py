"""The temporal sigmoid belief network: a binary latent Markov chain that reads the last frame."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import Context, SequenceModel, State
from srnn_lab.models.distributions import BinaryUnits, Latent, threshold
from srnn_lab.models.networks import linear


class TSBN(SequenceModel):
    """One layer of ``config.z_dim`` binary units of order 1, no hidden layers (Gan et al., 2015).

    Generative model:  p(x, z | u) = prod_t p(x_t | z_t, d_t) p(z_t | z_{t-1}, d_t), where d_t = u_t
    = x_{t-1} alone: p(z_t = 1 | z_{t-1}, d_t) = sigmoid(W_1 z_{t-1} + W_3 d_t) and the emission's
    outputs are W_2 z_t + W_4 d_t.

    Posterior: q(z_t = 1 | z_{t-1}, x_t, u_t) = sigmoid(U_1 z_{t-1} + U_2 x_t + U_3 d_t), which
    knows the past alone. Beside u_t, d_t says whether t is the first frame, which has biases of its
    own.

    Zeros and ones are not reparameterised: ``inference.score_function`` trains q.

    Args:
        config: Sizes; ``d_dim``, what shapes networks with hidden layers, and variants of q do not
            apply.

    Raises:
        ValueError: The configuration asks for centred inputs, of which there are none, or values
            are missing.
    """

    reparameterised = False
    reads = ("z_dim",)

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        if config.centred_inputs:
            raise ValueError(
                "ModelConfig.centred_inputs is True; 'tsbn' has no feature extractor, whose "
                "inputs they are: leave it out."
            )
        if config.missing:
            raise ValueError(
                "ModelConfig.missing is True; 'tsbn' needs all values of a frame: choose another "
                "model."
            )
        x, z, d = config.x_dim, config.z_dim, self.d_dim
        self.features = nn.Identity()
        self.prior_d, self.prior_z = linear(d, z, bias=False), linear(z, z, bias=False)
        self.posterior_d, self.posterior_z = linear(d, z, bias=False), linear(z, z, bias=False)
        self.posterior_x = linear(x, z, bias=False)
        emission = linear(d + z, self.likelihood.num_params)
        # As theirs: what an untrained model says hardly feeds back.
        nn.init.normal_(emission.weight, std=1e-3)
        self.emission = nn.Sequential(emission)
        self.baseline = Baseline(x, config.hidden_dim)

    @property
    def d_dim(self) -> int:
        """d_t is u_t, whether t is the first frame, and whether it is a later one."""
        return self.config.x_dim + 2

    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],  # noqa: ARG002
        state: State,
    ) -> Context:
        """d, and all of prior and posterior but for the share of z_{t-1}."""
        later = torch.ones_like(u[..., :1])
        later[:, 0] = state.d[:, -2:].sum(-1, keepdim=True)  # d_0 = 0 has neither
        d = torch.cat([u, 1 - later, later], -1)
        read = self.read_d(d)
        context = {"d": d, "for_prior": self.prior_d(read).to(d.dtype)}
        if x is None:
            return context
        return {
            **context,
            "for_posterior": (self.posterior_d(read) + self.posterior_x(x)).to(d.dtype),
        }

    def step(
        self, state: State, context_t: Context, noise_t: Float[Tensor, "b z"]
    ) -> tuple[State, BinaryUnits, BinaryUnits]:
        """z_t, given z_{t-1}."""
        prior_t = posterior_t = BinaryUnits(
            context_t["for_prior"] + self.prior_z(state.z).to(state.z.dtype)
        )
        if "for_posterior" in context_t:
            posterior_t = BinaryUnits(
                context_t["for_posterior"] + self.posterior_z(state.z).to(state.z.dtype)
            )
        return State(context_t["d"], self.draw(posterior_t, noise_t)), prior_t, posterior_t

    def path(
        self, context: Context, state: State, noise: Float[Tensor, "b t z"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t z"], Latent, Latent]:
        """The path with only the draws inside the recursion, through which no gradient passes."""
        if "for_posterior" not in context:
            return super().path(context, state, noise)
        with torch.no_grad(), torch.autocast(noise.device.type, enabled=False):
            z_t, z, weight = state.z, [], self.posterior_z.weight.T.contiguous()
            for above_t in (context["for_posterior"] - threshold(noise)).unbind(1):
                z_t = torch.addmm(above_t, z_t, weight).gt(0).to(noise.dtype)
                z.append(z_t)
            z = torch.stack(z, 1)
        z_tm1 = torch.cat([state.z[:, None], z[:, :-1]], 1)
        prior = BinaryUnits(context["for_prior"] + self.prior_z(z_tm1).to(z.dtype))
        return (
            context["d"],
            z,
            prior,
            BinaryUnits(context["for_posterior"] + self.posterior_z(z_tm1).to(z.dtype)),
        )

    def decode(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"]
    ) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | z_t, d_t)."""
        return self.emission(torch.cat([self.read_d(d), self.read_z(z)], -1)).to(z.dtype)


class Baseline(nn.Module):
    """An estimate of log p(x_t | z_t, d_t) that does not know z_t.

    It is a network of x_t, to which the running mean of its error is added.

    Args:
        x_dim: Values of a frame.
        hidden_dim: Units of its hidden layer.
    """

    mean: Tensor

    def __init__(self, x_dim: int, hidden_dim: int):
        super().__init__()
        self.network = nn.Sequential(linear(x_dim, hidden_dim), nn.Tanh(), linear(hidden_dim, 1))
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Float[Tensor, "b t x"]) -> Float[Tensor, "b t"]:
        """The estimate, in nats."""
        return self.network(x)[..., 0] + self.mean
