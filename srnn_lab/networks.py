"""The feed-forward and recurrent parts that every model is built from, initialised as in the authors' code."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from srnn_lab.distributions import DiagonalGaussian, floor_variance
from srnn_lab.recurrence import CLIP, SLOPE, Net, gru


class ClippedLeakyReLU(nn.Module):
    """Leaky rectifier of slope 1/3, clipped to [-3, 3] (appendix A.1)."""

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Element by element."""
        return F.hardtanh_(F.leaky_relu(x, SLOPE), -CLIP, CLIP)


def linear(in_dim: int, out_dim: int, *, bias: bool = True, fans: int | None = None) -> nn.Linear:
    """A linear layer with Glorot normal weights and zero biases.

    Args:
        in_dim: Inputs.
        out_dim: Outputs.
        bias: Whether there is a bias.
        fans: Inputs plus outputs that the initialisation counts, where this matrix is not a whole layer's.
    """
    layer = nn.Linear(in_dim, out_dim, bias=bias)
    nn.init.normal_(layer.weight, std=(2 / (fans or in_dim + out_dim)) ** 0.5)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def mlp(in_dim: int, hidden_dim: int, num_layers: int, out_dim: int | None = None) -> nn.Sequential:
    """``num_layers`` hidden layers with the clipped rectifier, then a linear one if ``out_dim`` is given."""
    layers: list[nn.Module] = []
    for i in range(num_layers):
        layers += [linear(hidden_dim if i else in_dim, hidden_dim), ClippedLeakyReLU()]
    if out_dim is not None:
        layers.append(linear(hidden_dim, out_dim))
    return nn.Sequential(*layers)


class GRU(nn.GRU):
    """d_t = GRU(d_{t-1}, input_t), batch-major, with an orthogonal matrix for each gate and zero biases.

    On a CPU the recursion is that of ``recurrence.gru``, elsewhere torch's own (cuDNN).
    """

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__(in_dim, out_dim, batch_first=True)
        for name, parameter in self.named_parameters():
            if name.startswith("weight"):
                for gate in parameter.data.chunk(3, 0):
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(parameter)

    def forward(self, inputs: Float[Tensor, "b t n"], d_0: Float[Tensor, "b d"]) -> Float[Tensor, "b t d"]:
        """States for all t, after ``d_0``."""
        if inputs.device.type == "cpu":
            return gru(inputs, d_0, *self.parameters())
        return super().forward(inputs, d_0[None])[0].to(d_0.dtype)


class BackwardGRU(nn.Module):
    """a_t = GRU(a_{t+1}, input_t) from a_{T+1} = 0, where T is each sequence's own length (Eq. 7).

    Each valid prefix is reversed in place, so that padding stays behind it and never enters a state.
    """

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__()
        self.gru = GRU(in_dim, out_dim)

    def forward(self, inputs: Float[Tensor, "b t n"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b t a"]:
        """States for all t; those past a sequence's length mean nothing."""
        a_0 = self.gru.weight_hh_l0.new_zeros(len(inputs), self.gru.hidden_size)
        return _reversed(self.gru(_reversed(inputs, lengths), a_0), lengths)


def _reversed(values: Float[Tensor, "b t n"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b t n"]:
    if (lengths == values.shape[1]).all():
        return values.flip(1)
    t = torch.arange(values.shape[1], device=values.device)
    index = torch.where(t < lengths[:, None], lengths[:, None] - 1 - t, t)[..., None]
    return torch.take_along_dim(values, index, 1)


class GaussianNetwork(nn.Module):
    """mu = NN_1(z, c) and log v = NN_2(z, c), two separate networks with the same inputs (Eq. 3 and 10).

    Their first layers are W_c c + b + W_z z, side by side in one matrix; ``project`` computes what does not depend on
    z, for all t at once.

    Args:
        z_dim: Dimensions of z_{t-1} and of the Gaussian.
        c_dim: Dimensions of the conditioning variable (d_t for the prior, a_t for the posterior).
        hidden_dim: Units in each hidden layer of each network.
        num_layers: Hidden layers of each network.
        variance_floor: Added to the variances.
    """

    def __init__(self, z_dim: int, c_dim: int, hidden_dim: int, num_layers: int, variance_floor: float):
        super().__init__()
        self.variance_floor = variance_floor
        fans = z_dim + c_dim + hidden_dim
        self.from_c = linear(c_dim, 2 * hidden_dim, fans=fans)
        self.from_z = linear(z_dim, 2 * hidden_dim, bias=False, fans=fans)
        self.activation = ClippedLeakyReLU()
        self.mu = mlp(hidden_dim, hidden_dim, num_layers - 1, z_dim)
        self.logvar = mlp(hidden_dim, hidden_dim, num_layers - 1, z_dim)

    def project(self, c: Float[Tensor, "b t c"]) -> Float[Tensor, "b t h"]:
        """W_c c + b of both networks, for all t."""
        return self.from_c(c)

    def forward(self, z: Float[Tensor, "*batch z"], projected: Float[Tensor, "*batch h"]) -> DiagonalGaussian:
        """The Gaussian given z_{t-1} and the projection of c_t, for one t or for all of them."""
        hidden = self.activation(projected + self.from_z(z))
        for_mu, for_logvar = hidden.chunk(2, -1)
        mu, logvar = self.mu(for_mu).to(z.dtype), self.logvar(for_logvar).to(z.dtype)
        return DiagonalGaussian(mu, floor_variance(logvar, self.variance_floor))

    def nets(self, projected: Float[Tensor, "b t h"]) -> tuple[Net, Net]:
        """NN_1 and NN_2, for the recursion by hand."""
        parts = zip((self.mu, self.logvar), projected.chunk(2, -1), self.from_z.weight.chunk(2), strict=True)
        return tuple(
            Net(c, w, [(layer.weight, layer.bias) for layer in further if isinstance(layer, nn.Linear)])
            for further, c, w in parts
        )
