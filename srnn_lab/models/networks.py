"""The feed-forward and recurrent parts of every model, initialised as in the authors' code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.recurrence import Net, clipped_leaky_relu, gru


class ClippedLeakyReLU(nn.Module):
    """Leaky rectifier of slope 1/3, clipped to [-3, 3] (appendix A.1).

    Args:
        dropout: Share of the values set to zero in training.
    """

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Element by element."""
        return F.dropout(clipped_leaky_relu(x), self.dropout, self.training)


class CentredLinear(nn.Linear):
    """W (x - mean) + b, with a mean that is not trained."""

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__(in_dim, out_dim)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(in_dim))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        """The layer of the centred inputs."""
        return super().forward(x - self.mean)


class LogCounts(nn.Module):
    """log(1 + x): counts differ by orders of magnitude, and would saturate clipped rectifiers."""

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Element by element; padding may be anything."""
        return torch.log1p(x.clamp(min=0))


class Observed(nn.Module):
    """[x, m]: values with 0 for missing ones (NaN), and for each a 1 if it was observed, else 0."""

    def forward(
        self, x: Float[Tensor, "*batch n"], expected: Float[Tensor, "*batch n"] | None = None
    ) -> Float[Tensor, "*batch m"]:
        """Twice as many values; ``expected`` stands for missing ones instead of 0."""
        missing = x.isnan()
        filled = (
            x.masked_fill(missing, 0) if expected is None else torch.where(missing, expected, x)
        )
        return torch.cat([filled, (~missing).to(x.dtype)], -1)


def linear(
    in_dim: int, out_dim: int, *, bias: bool = True, fans: int | None = None, centred: bool = False
) -> nn.Linear:
    """A linear layer with Glorot normal weights and zero biases.

    Args:
        in_dim: Inputs.
        out_dim: Outputs.
        bias: Whether there is a bias.
        fans: Inputs plus outputs that the initialisation counts, where this matrix is not a whole
            layer's.
        centred: Whether a mean is subtracted from the inputs.

    Returns:
        The layer, with trainable weights.
    """
    layer = CentredLinear(in_dim, out_dim) if centred else nn.Linear(in_dim, out_dim, bias=bias)
    nn.init.normal_(layer.weight, std=(2 / (fans or in_dim + out_dim)) ** 0.5)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def mlp(
    in_dim: int,
    hidden_dim: int,
    num_layers: int,
    out_dim: int | None = None,
    *,
    dropout: float = 0.0,
    centred: bool = False,
) -> nn.Sequential:
    """``num_layers`` hidden layers (clipped rectifier), then a linear one if ``out_dim`` is given.

    Args:
        in_dim: Inputs.
        hidden_dim: Units of each hidden layer.
        num_layers: Hidden layers.
        out_dim: Outputs of the linear layer at the end.
        dropout: Share of each hidden layer set to zero in training.
        centred: Whether a mean is subtracted from the inputs.

    Returns:
        The layers in turn, ready for inputs (..., ``in_dim``).
    """
    layers: list[nn.Module] = []
    for i in range(num_layers):
        first = (
            linear(in_dim, hidden_dim, centred=centred)
            if i == 0
            else linear(hidden_dim, hidden_dim)
        )
        layers += [first, ClippedLeakyReLU(dropout)]
    if out_dim is not None:
        layers.append(linear(hidden_dim, out_dim))
    return nn.Sequential(*layers)


def features_of(
    network: nn.Module, u: Float[Tensor, "b t x"], x: Float[Tensor, "b t x"] | None
) -> tuple[Float[Tensor, "b t h"], Float[Tensor, "b t h"] | None]:
    """Features of u and of x by one network.

    Args:
        network: The network.
        u: Inputs. Where u_t = x_{t-1}, the frames that u and x share are read once.
        x: Observations, or None without any.

    Returns:
        The features of u, and those of x or None.
    """
    if x is None:
        return network(u), None
    if not _same(u[:, 1:], x[:, :-1]):
        return network(u), network(x)
    features = network(torch.cat([u[:, :1], x], 1))
    return features[:, :-1], features[:, 1:]


def _same(one: Float[Tensor, "b t x"], other: Float[Tensor, "b t x"]) -> bool:
    """Whether two tensors have the same values.

    Returns:
        True for those of one memory without a look at them, so that no GPU is waited for.
    """
    memory, others = ((values.data_ptr(), values.shape, values.stride()) for values in (one, other))
    return memory == others or torch.equal(one, other)


def possibly(mask: Bool[Tensor, "*batch"]) -> bool:
    """Whether any value is true, which on a GPU is always possible.

    Returns:
        True on a GPU, which is not asked, since its answer would have to be waited for.
    """
    return mask.device.type != "cpu" or bool(mask.any())


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Let cuDNN's GRU round its factors to TF32 (19 bits), torch's default, or forbid it."""
    of_rnn: Any = torch.backends.cudnn.rnn  # torch's types lack its setting
    before, of_rnn.fp32_precision = of_rnn.fp32_precision, "tf32" if allowed else "ieee"
    try:
        yield
    finally:
        of_rnn.fp32_precision = before


class GRU(nn.GRU):
    """d_t = GRU(d_{t-1}, input_t), batch-major, with an orthogonal matrix a gate and zero biases.

    On a CPU the recursion is that of ``recurrence.gru``, elsewhere torch's own (cuDNN) but for
    sizes that are no multiple of 4, of which cuDNN's backward pass may fail (pytorch #54307).
    """

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__(in_dim, out_dim, batch_first=True)
        for name, parameter in self.named_parameters():
            if name.startswith("weight"):
                for gate in parameter.data.chunk(3, 0):
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(parameter)

    def forward(
        self, inputs: Float[Tensor, "b t n"], d_0: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b t d"]:
        """States for all t, after ``d_0``."""
        device = inputs.device.type
        if device == "cpu" or (device == "cuda" and self.hidden_size % 4):
            return gru(inputs, d_0, *self.parameters())
        # Autocast to whichever type hands cuDNN's recursion fp16 (AutocastRNN), in which small
        # gradients vanish.
        with torch.autocast(device, enabled=False):
            # cuDNN refuses a part of a row.
            return super().forward(inputs.to(d_0.dtype), d_0[None].contiguous())[0]

    def step(
        self, inputs_t: Float[Tensor, "b n"], d_tm1: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b d"]:
        """d_t alone, in one call, and equal to that of ``forward`` but for rounding."""
        return torch.gru_cell(inputs_t, d_tm1, *self.parameters())


class GRUCell(nn.Module):
    """d_t = GRU(d_{t-1}, [c_t, z]), frame by frame, for a z that is drawn on the way.

    Weights and gates are as in ``GRU``.

    ``project`` computes what depends on c alone, for all t at once.

    Args:
        c_dim: Values of c.
        z_dim: Values of z.
        out_dim: Units.
    """

    def __init__(self, c_dim: int, z_dim: int, out_dim: int):
        super().__init__()
        whole: Any = GRU(c_dim + z_dim, out_dim)
        self.from_c, self.from_z = (
            linear(c_dim, 3 * out_dim),
            linear(z_dim, 3 * out_dim, bias=False),
        )
        self.from_d = linear(out_dim, 3 * out_dim)
        initial = (*whole.weight_ih_l0.data.split([c_dim, z_dim], 1), whole.weight_hh_l0.data)
        for layer, weight in zip((self.from_c, self.from_z, self.from_d), initial, strict=True):
            layer.weight.data.copy_(weight)

    def project(self, c: Float[Tensor, "b t c"]) -> Float[Tensor, "b t g"]:
        """W_c c + b of the three gates, for all t."""
        return self.from_c(c)

    def forward(
        self,
        d_tm1: Float[Tensor, "b d"],
        z: Float[Tensor, "b z"],
        projected_t: Float[Tensor, "b g"],
    ) -> Float[Tensor, "b d"]:
        """d_t, given d_{t-1}, z and the projection of c_t."""
        r_in, u_in, n_in = (projected_t + self.from_z(z)).to(d_tm1.dtype).chunk(3, -1)
        r_d, u_d, n_d = self.from_d(d_tm1).to(d_tm1.dtype).chunk(3, -1)
        n = torch.tanh(n_in + torch.sigmoid(r_in + r_d) * n_d)
        return torch.lerp(n, d_tm1, torch.sigmoid(u_in + u_d))


class BackwardGRU(nn.Module):
    """a_t = GRU(a_{t+1}, input_t) from a_{T+1} = 0, where T is each sequence's own length (Eq. 7).

    Where there is padding, each valid prefix is reversed in place, so that padding stays behind it
    and never enters a state; elsewhere the recursion itself runs backwards.
    """

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__()
        self.gru = GRU(in_dim, out_dim)

    def forward(
        self, inputs: Float[Tensor, "b t n"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b t a"]:
        """States for all t; those past a sequence's length mean nothing."""
        weight: Any = self.gru.weight_hh_l0
        a_0 = weight.new_zeros(len(inputs), self.gru.hidden_size)
        if possibly(lengths != inputs.shape[1]):
            return _reversed(self.gru(_reversed(inputs, lengths), a_0), lengths)
        return gru(inputs, a_0, *self.gru.parameters(), backwards=True)


def _reversed(values: Float[Tensor, "b t n"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b t n"]:
    t = torch.arange(values.shape[1], device=values.device)
    index = torch.where(t < lengths[:, None], lengths[:, None] - 1 - t, t)[..., None]
    return torch.take_along_dim(values, index, 1)


class Bias(nn.Module):
    """A linear layer without inputs: its bias alone."""

    def __init__(self, out_dim: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(out_dim))

    def forward(self, nothing: Float[Tensor, "*batch 0"]) -> Float[Tensor, "*batch n"]:
        """The bias, once for each of ``nothing``."""
        # On MPS, a layer without inputs ends the process (pytorch #190050).
        if nothing.device.type == "mps":
            return self.bias.expand(*nothing.shape[:-1], -1)
        return F.linear(nothing, self.bias.new_empty(len(self.bias), 0), self.bias)


class GaussianNetwork(nn.Module):
    """mu = NN_1(z, c) and log v = NN_2(z, c), two networks with the same inputs (Eq. 3 and 10).

    Their first layers are W_c c + b + W_z z, side by side in one matrix; ``project`` computes what
    does not depend on z, for all t at once.

    Args:
        z_dim: Dimensions of the Gaussian.
        c_dim: Dimensions of the conditioning variable (d_t for the prior, a_t for the posterior); 0
            if there is none.
        hidden_dim: Units in each hidden layer of each network.
        num_layers: Hidden layers of each network.
        variance_floor: Added to the variances.
        in_dim: Dimensions of the input inside the recursion, if it is not z_{t-1} (d_t, in the
            VRNN).
        dropout: Share of each hidden layer set to zero in training.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        hidden_dim: int,
        num_layers: int,
        variance_floor: float,
        *,
        in_dim: int | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.variance_floor = variance_floor
        in_dim = in_dim or z_dim
        fans = in_dim + c_dim + hidden_dim
        self.from_c = linear(c_dim, 2 * hidden_dim, fans=fans) if c_dim else Bias(2 * hidden_dim)
        self.from_z = linear(in_dim, 2 * hidden_dim, bias=False, fans=fans)
        self.activation = ClippedLeakyReLU(dropout)
        self.mu = mlp(hidden_dim, hidden_dim, num_layers - 1, z_dim, dropout=dropout)
        self.logvar = mlp(hidden_dim, hidden_dim, num_layers - 1, z_dim, dropout=dropout)

    def project(self, c: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch h"]:
        """W_c c + b of both networks, for one t or for all."""
        return self.from_c(c)

    def forward(
        self, z: Float[Tensor, "*batch i"], projected: Float[Tensor, "*batch h"]
    ) -> DiagonalGaussian:
        """The Gaussian given z_{t-1} (or a stand-in) and c_t's projection, for one t or all."""
        hidden = self.activation(projected + self.from_z(z))
        for_mu, for_logvar = hidden.chunk(2, -1)
        mu, logvar = self.mu(for_mu).to(z.dtype), self.logvar(for_logvar).to(z.dtype)
        return DiagonalGaussian(mu, floor_variance(logvar, self.variance_floor))

    def nets(self, projected: Float[Tensor, "b t h"]) -> tuple[Net, Net]:
        """NN_1 and NN_2, for the recursion by hand."""
        parts = zip(
            (self.mu, self.logvar), projected.chunk(2, -1), self.from_z.weight.chunk(2), strict=True
        )
        for_mu, for_logvar = (
            Net(
                c,
                w,
                [(layer.weight, layer.bias) for layer in further if isinstance(layer, nn.Linear)],
            )
            for further, c, w in parts
        )
        return for_mu, for_logvar


class GatedTransition(nn.Module):
    """p(z_t | z_{t-1}) of Krishnan et al. (2017): a gate between linear and nonlinear transitions.

    g = sigmoid(NN(z)), h = NN(z), mu = (1 - g) (W z + b) + g h, log v = W_v f(h) + b_v, with W = I
    and b = 0 at first.

    Args:
        z_dim: Dimensions of z.
        hidden_dim: Units in each hidden layer of each network.
        num_layers: Hidden layers of each network.
        variance_floor: Added to the variances.
        dropout: Share of each hidden layer set to zero in training.
    """

    def __init__(
        self,
        z_dim: int,
        hidden_dim: int,
        num_layers: int,
        variance_floor: float,
        *,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.variance_floor = variance_floor
        self.gate = mlp(z_dim, hidden_dim, num_layers, z_dim, dropout=dropout)
        self.proposed = mlp(z_dim, hidden_dim, num_layers, z_dim, dropout=dropout)
        self.linear = linear(z_dim, z_dim)
        nn.init.eye_(self.linear.weight)
        self.logvar = nn.Sequential(ClippedLeakyReLU(), linear(z_dim, z_dim))

    def project(self, nothing: Float[Tensor, "b t 0"]) -> Float[Tensor, "b t 0"]:
        """Nothing: z_{t-1} is the only input."""
        return nothing

    def forward(
        self,
        z: Float[Tensor, "*batch z"],
        nothing: Float[Tensor, "*batch 0"],  # noqa: ARG002
    ) -> DiagonalGaussian:
        """The Gaussian given z_{t-1}."""
        gate, proposed = torch.sigmoid(self.gate(z)), self.proposed(z)
        mu = torch.lerp(self.linear(z), proposed, gate).to(z.dtype)
        return DiagonalGaussian(
            mu, floor_variance(self.logvar(proposed).to(z.dtype), self.variance_floor)
        )
