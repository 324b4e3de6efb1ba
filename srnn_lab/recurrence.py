"""The recursions over time by hand: forward in place, backward with each weight's gradient formed once a sequence.

Autograd would record every operation of every frame, and add up a full-size gradient of each weight frame by frame.
``torch.nn.GRU`` and the loop over ``SequenceModel.step`` define what is computed here; the tests hold the two together.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from srnn_lab.distributions import floor_variance

SMALL = 2**23
"""Multiplications in one frame's product below which 16-bit operands cost more in conversions than they save."""
SLOPE, CLIP = 1 / 3, 3.0
"""Of the clipped leaky rectifier, appendix A.1."""
tanh_backward, sigmoid_backward = torch.ops.aten.tanh_backward.grad_input, torch.ops.aten.sigmoid_backward.grad_input
leaky_relu_backward = torch.ops.aten.leaky_relu_backward.grad_input
hardtanh_backward = torch.ops.aten.hardtanh_backward.grad_input


def clipped_leaky_relu(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Leaky rectifier of slope 1/3, clipped to [-3, 3]."""
    return F.hardtanh_(F.leaky_relu(x, SLOPE), -CLIP, CLIP)


def _dtypes(x: Tensor, products: int) -> tuple[torch.dtype, torch.dtype]:
    """Operand types of products over all frames and over one frame; states and sums keep the type of ``x``."""
    device = x.device.type
    if not torch.is_autocast_enabled(device):
        return x.dtype, x.dtype
    low = torch.get_autocast_dtype(device)
    return low, x.dtype if device == "cpu" and products < SMALL else low


def _add_product(out: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Add a b to ``out`` in place, with the operands in the type of ``b``; a first dimension of three is a batch."""
    if b.dtype != out.dtype:
        return out.add_(a.to(b.dtype) @ b)
    return out.addmm_(a.to(b.dtype), b) if b.ndim == 2 else out.baddbmm_(a, b)


def _frames(*values: Tensor) -> list[tuple[Tensor, ...]]:
    return list(zip(*(v.unbind(1) for v in values), strict=True))


class _GRU(torch.autograd.Function):
    """Reset, update and the share of h in the new state lie side by side, as in W_hh; the share of x apart."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h_0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, low: Any, frame: Any
    ) -> Tensor:
        (b, t), d = x.shape[:2], h_0.shape[1]
        x, w_ih, w_hh = x.to(low).flatten(0, 1), w_ih.to(low), w_hh.to(frame)
        b_ru, b_n = (b_ih[: 2 * d] + b_hh[: 2 * d]).to(low), b_ih[2 * d :].to(low)
        at_h, h, h_t = x.new_empty(b * t, 3 * d), h_0.new_empty(b, t, d), h_0
        torch.addmm(b_ru, x, w_ih[: 2 * d].t(), out=at_h[:, : 2 * d])
        at_h[:, 2 * d :] = b_hh[2 * d :]
        at_h = at_h.view(b, t, 3 * d).to(h.dtype)
        n = torch.addmm(b_n, x, w_ih[2 * d :].t()).view(b, t, d).to(h.dtype)
        from_h = w_hh.t()
        for at_h_t, ru_t, r_t, u_t, n_h_t, n_t, out_t in _frames(at_h, at_h[..., : 2 * d], *at_h.chunk(3, -1), n, h):
            _add_product(at_h_t, h_t, from_h)
            ru_t.sigmoid_()
            h_t = torch.lerp(n_t.addcmul_(r_t, n_h_t).tanh_(), h_t, u_t, out=out_t)
        ctx.save_for_backward(x, h_0, w_ih, w_hh, at_h, n, h)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, h_0, w_ih, w_hh, at_h, n, h = ctx.saved_tensors
        (b, t, d), dtype, low = h.shape, h.dtype, x.dtype
        g_at_h, g_n = torch.empty_like(at_h, dtype=w_hh.dtype), torch.empty_like(n, dtype=low)
        g_h_t, g_n_t = h.new_empty(b, 3 * d), h.new_empty(b, d)
        g_r_t, g_u_t, g_n_h_t = g_h_t.chunk(3, 1)
        carry = torch.zeros_like(h_0)
        frames = _frames(g, *at_h.chunk(3, -1), n, g_at_h, g_n)
        for before_t, (g_t, r_t, u_t, n_h_t, n_t, g_at_h_t, out_t) in zip(
            reversed([h_0, *h.unbind(1)[:-1]]), reversed(frames), strict=True
        ):
            g_t = g_t + carry
            carry = g_t * u_t
            tanh_backward(g_t - carry, n_t, grad_input=g_n_t)
            torch.mul(g_n_t, r_t, out=g_n_h_t)
            sigmoid_backward(g_n_t * n_h_t, r_t, grad_input=g_r_t)
            sigmoid_backward(g_t.mul_(before_t - n_t), u_t, grad_input=g_u_t)
            out_t.copy_(g_n_t)
            _add_product(carry, g_at_h_t.copy_(g_h_t), w_hh)
        g_at_h, g_n = g_at_h.to(low).flatten(0, 1), g_n.flatten(0, 1)
        g_ru, g_w_ih = g_at_h[:, : 2 * d], torch.empty_like(w_ih)
        torch.mm(g_ru.t(), x, out=g_w_ih[: 2 * d])
        torch.mm(g_n.t(), x, out=g_w_ih[2 * d :])
        g_x = (g_ru @ w_ih[: 2 * d]).addmm_(g_n, w_ih[2 * d :]).view(b, t, -1) if ctx.needs_input_grad[0] else None
        g_w_hh = g_at_h.t() @ torch.cat([h_0[:, None].to(low), h[:, :-1].to(low)], 1).flatten(0, 1)
        g_b_hh, g_b_n = g_at_h.sum(0).to(dtype), g_n.sum(0).to(dtype)
        g_b_ih = torch.cat([g_b_hh[: 2 * d], g_b_n])
        return g_x, carry, g_w_ih.to(dtype), g_w_hh.to(dtype), g_b_ih, g_b_hh, None, None


def gru(
    x: Float[Tensor, "b t n"],
    h_0: Float[Tensor, "b d"],
    w_ih: Float[Tensor, "g n"],
    w_hh: Float[Tensor, "g d"],
    b_ih: Float[Tensor, "g"],
    b_hh: Float[Tensor, "g"],
) -> Float[Tensor, "b t d"]:
    """The states of ``torch.nn.GRU``, with its weights."""
    low, frame = _dtypes(h_0, len(h_0) * w_hh.numel())
    with torch.autocast(h_0.device.type, enabled=False):
        return _GRU.apply(x, h_0, w_ih, w_hh, b_ih, b_hh, low, frame)


class Net(NamedTuple):
    """A network with inputs z_{t-1} and c_t, as the chain needs it.

    Attributes:
        projected: W_c c_t + b of the first layer, for all t.
        from_z: W_z of the first layer.
        layers: Weight and bias of each further layer; the last one is linear.
    """

    projected: Float[Tensor, "b t h"]
    from_z: Float[Tensor, "h z"]
    layers: Sequence[tuple[Tensor, Tensor]]

    def output(self, z: Float[Tensor, "b t z"]) -> Float[Tensor, "b t z"]:
        """What the network says given z_{t-1}, for all t at once."""
        values = self.projected + F.linear(z, self.from_z)
        for weight, bias in self.layers:
            values = F.linear(clipped_leaky_relu(values), weight, bias)
        return values.to(z.dtype)


class _Chain(torch.autograd.Function):
    """For K networks side by side: hidden layers (K, T, B, H), outputs (K, T, B, Z), so that a frame is K blocks."""

    @staticmethod
    def forward(
        ctx: Any, noise: Tensor, z_0: Tensor, floor: float, k: int, keep: bool, low: Any, frame: Any, *rest: Tensor
    ) -> tuple[Tensor, Tensor]:
        projected, w_z, weights, biases = rest[:k], rest[k], rest[k + 1 :: 2], rest[k + 2 :: 2]
        noise = noise.transpose(0, 1).contiguous()
        t, b, _ = noise.shape
        weights, biases = [w.to(frame) for w in (w_z, *weights)], [bias[:, None] for bias in biases]
        products = [w.transpose(1, 2).contiguous() for w in weights]
        # Hidden layers of all frames only for ``backward``; else each frame writes over the one before.
        hidden = [
            z_0.new_empty(k, t if keep else 1, b, w.shape[1], dtype=frame).expand(-1, t, -1, -1) for w in weights[:-1]
        ]
        out = biases[-1][:, None].repeat(1, t, b, 1)
        z, z_t, floor_std = torch.empty_like(noise), z_0, z_0.new_tensor(floor**0.5)
        c = zip(*(values.to(frame).unbind(1) for values in projected), strict=True)
        for c_t, noise_t, next_t, out_t, *hidden_t in zip(
            c, noise, z.unbind(0), out.unbind(1), *(h.unbind(1) for h in hidden), strict=True
        ):
            values = z_t.to(frame).expand(k, -1, -1)
            torch.stack(c_t, out=hidden_t[0])
            for i, h_t in enumerate(hidden_t):
                if i:
                    h_t.copy_(biases[i - 1])
                values = F.leaky_relu_(h_t.baddbmm_(values, products[i]), SLOPE).clamp_(-CLIP, CLIP)
            *mu_t, raw_t = _add_product(out_t, values, products[-1]).unbind(0)
            std_t = torch.hypot(raw_t.mul(0.5).exp_(), floor_std)
            z_t = torch.addcmul(sum(mu_t[1:], mu_t[0]), std_t, noise_t, out=next_t)
        ctx.save_for_backward(noise, z_0, z, *weights, *hidden, out)
        ctx.constants = floor, low, frame, projected[0].dtype
        return z.transpose(0, 1), out.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_z: Tensor, g_out: Tensor) -> tuple[Tensor | None, ...]:
        noise, z_0, z, *saved = ctx.saved_tensors
        floor, low, frame, c_dtype = ctx.constants
        weights, (*hidden, out) = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        logvar = floor_variance(out[-1], floor)
        to_out = torch.ones_like(out)  # what a unit of dL/dz_t is at each output: the means, the log-variance
        to_out[-1] = 0.5 * torch.exp(out[-1] - 0.5 * logvar) * noise
        grads = [torch.empty_like(layer, dtype=frame) for layer in (*hidden, out)]
        g_z, g_out = g_z.transpose(0, 1).contiguous(), g_out.transpose(1, 2).contiguous()
        carry = torch.zeros_like(z_0)
        for g_z_t, g_out_t, to_out_t, *rest_t in reversed(
            list(zip(g_z.unbind(0), *(v.unbind(1) for v in (g_out, to_out, *hidden, *grads)), strict=True))
        ):
            hidden_t, grads_t = rest_t[: len(hidden)], rest_t[len(hidden) :]
            above = grads_t[-1].copy_(torch.addcmul(g_out_t, g_z_t + carry, to_out_t))
            for i in reversed(range(len(hidden))):
                below = above @ weights[i + 1]
                hardtanh_backward(below, hidden_t[i], -CLIP, CLIP, grad_input=below)
                leaky_relu_backward(below, hidden_t[i], SLOPE, True, grad_input=grads_t[i])
                above = grads_t[i]
            carry = (above @ weights[0]).sum(0, dtype=z.dtype)
        by_net = [g.to(low).flatten(1, 2) for g in grads]
        z_before = torch.cat([z_0[None], z[:-1]]).to(low).flatten(0, 1)
        g_weights = [by_net[0].transpose(1, 2) @ z_before]
        for g, below in zip(by_net[1:], hidden, strict=True):
            g_weights += [g.transpose(1, 2) @ below.to(low).flatten(1, 2), g.sum(1)]
        g_projected = grads[0].to(c_dtype).transpose(1, 2).unbind(0)
        return None, carry, None, None, None, None, None, *g_projected, *(v.to(z.dtype) for v in g_weights)


def gaussian_chain(
    means: Sequence[Net],
    logvar: Net,
    z_0: Float[Tensor, "b z"],
    noise: Float[Tensor, "b t z"],
    variance_floor: float,
) -> tuple[Float[Tensor, "b t z"], list[Float[Tensor, "b t z"]], Float[Tensor, "b t z"]]:
    """z_t = sum of the means + deviation x noise_t, all of them networks of z_{t-1} and c_t with layers of equal sizes.

    Args:
        means: Networks whose outputs are added.
        logvar: Network of the log-variance, before its floor.
        z_0: Where the chain starts.
        noise: Standard normal; it gets no gradient.
        variance_floor: Added to the variance.

    Returns:
        The path z, and the outputs of the networks for all t.
    """
    nets = (*means, logvar)
    w_z = torch.stack([net.from_z for net in nets])
    layers = [torch.stack(v) for pairs in zip(*(n.layers for n in nets), strict=True) for v in zip(*pairs, strict=True)]
    low, frame = _dtypes(z_0, len(z_0) * w_z.numel())
    projected, keep = (net.projected for net in nets), torch.is_grad_enabled()
    with torch.autocast(z_0.device.type, enabled=False):
        z, out = _Chain.apply(noise, z_0, variance_floor, len(nets), keep, low, frame, *projected, w_z, *layers)
    *mu, raw = out.unbind(0)
    return z, mu, raw
