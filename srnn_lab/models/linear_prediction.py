"""Linear prediction inside a frame: y_i = a_1 y_{i-1} + ... + a_p y_{i-p} + e_i.

Sign convention: a reflection coefficient kappa_m is the partial autocorrelation at lag m, so that
order 1 has a_1 = kappa_1, and a tap multiplies what is added to the prediction. (Other texts have
both with the other sign.)
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LARGEST = 0.999
"""Largest size of a reflection coefficient: nearer to 1, rounding may put a pole on the unit
circle."""
WHITE_NOISE = 1 + 1e-5
"""Factor on a frame's power that keeps Levinson's recursion stable, as in speech coders."""


def step_up(kappa: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch p"]:
    """Taps a_1..a_p from reflection coefficients, by the step-up recursion (Levinson).

    a_m^(m) = kappa_m and a_k^(m) = a_k^(m-1) - kappa_m a_{m-k}^(m-1). The roots of 1 - sum_k a_k
    z^{-k} lie inside the unit circle exactly if all |kappa_m| < 1.

    Returns:
        a_1 to a_p, as many as there are coefficients.
    """
    taps = kappa[..., :1]
    for kappa_m in kappa.split(1, -1)[1:]:
        taps = torch.cat([taps - kappa_m * taps.flip(-1), kappa_m], -1)
    return taps


def prediction_error(
    y: Float[Tensor, "*batch n"],
    taps: Float[Tensor, "*batch p"],
    past: Float[Tensor, "*batch m"] | None = None,
) -> Float[Tensor, "*batch n"]:
    """e_i = y_i - sum_k a_k y_{i-k}: p shifted sums, and no loop over i.

    Args:
        y: A frame.
        taps: a_1..a_p of each frame.
        past: What comes before it, oldest first; zeros by default, and where it is shorter than p.

    Returns:
        The error of each value of the frame, in its units.
    """
    p, m = taps.shape[-1], 0 if past is None else past.shape[-1]
    known = y if past is None else torch.cat([past[..., max(0, m - p) :], y], -1)
    known = F.pad(known, (p - min(m, p), 0))
    return _PredictionError.apply(known, taps.expand(*known.shape[:-1], p))


class _PredictionError(torch.autograd.Function):
    """e_i = y_i - sum_k a_k y_{i-k}, and its gradient, for n values after the first p of ``known``.

    With g_i = dL/de_i: dL/da_k = -sum_i g_i y_{i-k}, and dL/dy_i = g_i - sum_k a_k g_{i+k}. By
    hand, since autograd would write a frame of zeros for each of the p shifted parts.
    """

    @staticmethod
    def forward(ctx: Any, known: Tensor, taps: Tensor) -> Tensor:
        ctx.save_for_backward(known, taps)
        p = taps.shape[-1]
        e = known[..., p:].clone()
        for k, a_k in enumerate(taps.split(1, -1), 1):
            e.addcmul_(a_k, known[..., p - k : known.shape[-1] - k], value=-1)
        return e

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        known, taps = ctx.saved_tensors
        p, n = taps.shape[-1], known.shape[-1]
        of_known, of_taps = F.pad(g, (p, 0)), []
        for k, a_k in enumerate(taps.split(1, -1), 1):
            of_known[..., p - k : n - k].addcmul_(a_k, g, value=-1)
            of_taps.append(-(g * known[..., p - k : n - k]).sum(-1))
        return of_known, torch.stack(of_taps, -1)


def synthesise(
    e: Float[Tensor, "*batch n"],
    taps: Float[Tensor, "*batch p"],
    past: Float[Tensor, "*batch m"] | None = None,
) -> Float[Tensor, "*batch n"]:
    """y_i = e_i + sum_k a_k y_{i-k}, sample after sample: the inverse of ``prediction_error``.

    Args:
        e: The errors of a frame.
        taps: a_1..a_p of each frame.
        past: What comes before the frame, oldest first; zeros by default.

    Returns:
        The values of the frame, in the units of ``e``.
    """
    latest = (
        torch.zeros_like(taps)
        if past is None
        else F.pad(past, (taps.shape[-1] - past.shape[-1], 0)).flip(-1)
    )
    y = []
    for e_i in e.split(1, -1):
        y.append(e_i + (taps * latest).sum(-1, keepdim=True))
        latest = torch.cat([y[-1], latest[..., :-1]], -1)
    return torch.cat(y, -1)


def synthesised_variance(
    variance: Float[Tensor, "*batch n"], taps: Float[Tensor, "*batch p"]
) -> Float[Tensor, "*batch n"]:
    """Var[y_i] = sum_j h_j^2 Var[e_{i-j}] for uncorrelated e.

    Returns:
        The variance of each y_i; h is the impulse response of ``synthesise``.
    """
    impulse = F.pad(torch.ones_like(variance[..., :1]), (0, variance.shape[-1] - 1))
    powers = synthesise(impulse, taps).square()
    total = torch.zeros_like(variance)
    for j, power_j in enumerate(powers.split(1, -1)):
        total[..., j:] += power_j * variance[..., : variance.shape[-1] - j]
    return total


def predictor(
    y: Float[Tensor, "*batch n"], order: int, floor: float
) -> tuple[Float[Tensor, "*batch p"], Float[Tensor, "*batch 1"]]:
    """Reflection coefficients and error variance of the best predictor of a frame.

    They are found by the autocorrelation method, after Levinson.

    The frame is seen through a window that rises over its first 80 % and falls over the rest, as in
    speech coders: the newest values tell most of what comes next, and a window must fall to 0.

    Args:
        y: A frame.
        order: p, which may be larger than n.
        floor: Variance of the white noise that is added to the frame; it also bounds the error from
            below.

    Returns:
        The coefficients, from -``LARGEST`` to ``LARGEST``, and the error variance in the squared
        units of the frame.
    """
    n = y.shape[-1]
    window = _window(n, y)
    seen = y * window
    lags = [
        (seen[..., k:] * seen[..., : max(0, n - k)]).sum(-1, keepdim=True) for k in range(order + 1)
    ]
    r_0, *r = (r_k / window.square().sum() for r_k in lags)
    error = r_0 * WHITE_NOISE + floor
    kappa, taps = [], error[..., :0]
    for m in range(order):
        rest = r[m] - (taps * torch.cat([*r[:m][::-1], error[..., :0]], -1)).sum(-1, keepdim=True)
        kappa.append((rest / error).clamp(-LARGEST, LARGEST))
        taps = torch.cat([taps - kappa[m] * taps.flip(-1), kappa[m]], -1)
        error = error * (1 - kappa[m].square())
    return torch.cat(kappa, -1), error


def _window(n: int, like: Tensor) -> Float[Tensor, "n"]:
    rise = max(1, round(0.8 * n))
    i = torch.arange(n, device=like.device)
    up = torch.sin((i[:rise] + 0.5) * (math.pi / (2 * rise))) ** 2
    down = torch.cos((i[: n - rise] + 0.5) * (math.pi / (2 * max(1, n - rise))))
    return torch.cat([up, down]).to(like.dtype)
