"""Linear prediction inside a frame: y_i = a_1 y_{i-1} + ... + a_p y_{i-p} + e_i.

Sign convention: a reflection coefficient kappa_m is the partial autocorrelation at lag m, so that order 1 has
a_1 = kappa_1, and a tap multiplies what is added to the prediction. (Other texts have both with the other sign.)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def step_up(kappa: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch p"]:
    """Taps a_1..a_p from reflection coefficients, by the step-up recursion (Levinson).

    a_m^(m) = kappa_m and a_k^(m) = a_k^(m-1) - kappa_m a_{m-k}^(m-1). The roots of 1 - sum_k a_k z^{-k} lie inside the
    unit circle exactly if all |kappa_m| < 1.
    """
    taps = kappa[..., :1]
    for kappa_m in kappa.split(1, -1)[1:]:
        taps = torch.cat([taps - kappa_m * taps.flip(-1), kappa_m], -1)
    return taps


def prediction_error(
    y: Float[Tensor, "*batch n"], taps: Float[Tensor, "*batch p"], past: Float[Tensor, "*batch m"] | None = None
) -> Float[Tensor, "*batch n"]:
    """e_i = y_i - sum_k a_k y_{i-k}: p shifted sums, and no loop over i.

    Args:
        y: A frame.
        taps: a_1..a_p of each frame.
        past: What comes before it, oldest first; zeros by default, and where it is shorter than p.
    """
    (n, p), m = (y.shape[-1], taps.shape[-1]), 0 if past is None else past.shape[-1]
    known = y if past is None else torch.cat([past[..., max(0, m - p) :], y], -1)
    known = F.pad(known, (p - min(m, p), 0))
    return y - sum(a_k * known[..., p - k : p - k + n] for k, a_k in enumerate(taps.split(1, -1), 1))


def synthesise(
    e: Float[Tensor, "*batch n"], taps: Float[Tensor, "*batch p"], past: Float[Tensor, "*batch m"] | None = None
) -> Float[Tensor, "*batch n"]:
    """y_i = e_i + sum_k a_k y_{i-k}, sample after sample: the inverse of ``prediction_error``."""
    latest = torch.zeros_like(taps) if past is None else F.pad(past, (taps.shape[-1] - past.shape[-1], 0)).flip(-1)
    y = []
    for e_i in e.split(1, -1):
        y.append(e_i + (taps * latest).sum(-1, keepdim=True))
        latest = torch.cat([y[-1], latest[..., :-1]], -1)
    return torch.cat(y, -1)


def synthesised_variance(
    variance: Float[Tensor, "*batch n"], taps: Float[Tensor, "*batch p"]
) -> Float[Tensor, "*batch n"]:
    """Var[y_i] = sum_j h_j^2 Var[e_{i-j}] for uncorrelated e, where h is the impulse response of ``synthesise``."""
    impulse = F.pad(torch.ones_like(variance[..., :1]), (0, variance.shape[-1] - 1))
    powers = synthesise(impulse, taps).square()
    total = torch.zeros_like(variance)
    for j, power_j in enumerate(powers.split(1, -1)):
        total[..., j:] += power_j * variance[..., : variance.shape[-1] - j]
    return total
