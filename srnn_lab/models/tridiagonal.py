"""A posterior that is one Gaussian over all frames, with a block-tridiagonal precision."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.networks import mlp


class TridiagonalPosterior(nn.Module):
    """q(z_{1:T} | c) jointly Gaussian, where each dimension of z is a chain (Archer et al., 2015).

    Up to a constant, q is the product over t of

        exp(- p_t (z_t - g_t z_{t-1} - b_t)^2 / 2) exp(- r_t z_t^2 / 2 + h_t z_t),

    with g_t, b_t, h_t, p_t > 0 and r_t > 0 from a network of c_t, each frame's alone. Its precision
    has p_t + r_t + p_{t+1} g_{t+1}^2 on the diagonal and -p_{t+1} g_{t+1} beside it (diagonal
    blocks): positive definite whatever the network gives. Messages that run back over the frames,
    in time proportional to T, make of it

        q(z_t | z_{t-1}) = N((p_t (g_t z_{t-1} + b_t) + H_t) / (p_t + J_t), 1 / (p_t + J_t)),

    where J_t = r_t + p' g'^2 J' / (p' + J') and H_t = h_t + p' g' (H' - J' b') / (p' + J'), primes
    for t + 1: so q(z_t | z_{t-1}) knows the future, although no network looks ahead.

    Args:
        c_dim: Values of c_t.
        z_dim: Dimensions of z_t.
        hidden_dim: Units in each hidden layer.
        num_layers: Hidden layers.
        variance_floor: Added to the variances of q(z_t | z_{t-1}).
        dropout: Share of each hidden layer set to zero in training.
    """

    def __init__(
        self,
        c_dim: int,
        z_dim: int,
        hidden_dim: int,
        num_layers: int,
        variance_floor: float,
        *,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.variance_floor = variance_floor
        self.network = mlp(c_dim, hidden_dim, num_layers, 5 * z_dim, dropout=dropout)

    def project(
        self, c: Float[Tensor, "b t c"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b t p"]:
        """The chain's messages and precisions, for all t.

        Returns:
            p_t g_t, p_t b_t + H_t and p_t + J_t side by side. Those past a sequence's length mean
            nothing.
        """
        # In full precision, since the messages are sums over all frames that follow.
        with torch.autocast(c.device.type, enabled=False):
            g, b, h, log_p, log_r = self.network(c).chunk(5, -1)
        p, r = log_p.exp(), log_r.exp()
        j_ahead = h_ahead = torch.zeros_like(h[:, 0])
        messages = []
        frames = zip(*(values.unbind(1) for values in (g, b, h, p, r)), strict=True)
        for t, (g_t, b_t, h_t, p_t, r_t) in reversed([*enumerate(frames)]):
            more = (t + 1 < lengths)[:, None]
            j_t, h_t = r_t + torch.where(more, j_ahead, 0), h_t + torch.where(more, h_ahead, 0)
            precision, pull = p_t + j_t, p_t * g_t
            messages.append(torch.cat([pull, p_t * b_t + h_t, precision], -1))
            j_ahead, h_ahead = pull / precision * g_t * j_t, pull / precision * (h_t - j_t * b_t)
        return torch.stack(messages[::-1], 1)

    def forward(
        self, z_tm1: Float[Tensor, "*batch z"], projected: Float[Tensor, "*batch p"]
    ) -> DiagonalGaussian:
        """q(z_t | z_{t-1}), for one t or for all."""
        pull, h, precision = projected.chunk(3, -1)
        return DiagonalGaussian(
            (pull * z_tm1 + h) / precision, floor_variance(-precision.log(), self.variance_floor)
        )

    def path(
        self,
        z_0: Float[Tensor, "b z"],
        projected: Float[Tensor, "b t p"],
        noise: Float[Tensor, "b t z"],
    ) -> Float[Tensor, "b t z"]:
        """Draw z_{1:T}, which is linear in z_{t-1} and in the noise.

        Args:
            z_0: Where the chain starts.
            projected: What ``project`` gives.
            noise: Standard normal.

        Returns:
            z_t for all t.
        """
        pull, _, precision = projected.chunk(3, -1)
        drawn = self(torch.zeros_like(noise), projected).rsample(noise)
        z_t, z = z_0, []
        for drawn_t, slope_t in zip(drawn.unbind(1), (pull / precision).unbind(1), strict=True):
            z_t = torch.addcmul(drawn_t, slope_t, z_t)
            z.append(z_t)
        return torch.stack(z, 1)
