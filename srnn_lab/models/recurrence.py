"""Recursions over time by hand: forward in place, backward with weight gradients once a sequence.

Autograd would record every operation of every frame, and add up a full-size gradient of each weight
frame by frame. ``torch.nn.GRU`` and the loop over ``SequenceModel.step`` define what is computed
here; the tests hold the two together. ``docs/gradients.md`` derives both backward passes, with each
step written out.

B is the batch, T the frames, g_v the derivative of the loss by v. In both loops backwards over
time, ``carry`` is what the derivative by a state has from the next frame.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from srnn_lab.models.distributions import floor_variance

SMALL = 2**23
"""Multiplications in one frame's product below which 16-bit operands cost more in conversions than
they save."""
LARGE = 2**20
"""Values of a matrix from which on it is worth to lay it out for MKL before a sequence."""
SLOPE, CLIP = 1 / 3, 3.0
"""Of the clipped leaky rectifier, appendix A.1."""
tanh_backward, sigmoid_backward = (
    torch.ops.aten.tanh_backward.grad_input,
    torch.ops.aten.sigmoid_backward.grad_input,
)
leaky_relu_backward = torch.ops.aten.leaky_relu_backward.grad_input
hardtanh_backward = torch.ops.aten.hardtanh_backward.grad_input


def clipped_leaky_relu(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Leaky rectifier of slope 1/3, clipped to [-3, 3]."""
    return F.hardtanh_(F.leaky_relu(x, SLOPE), -CLIP, CLIP)


def _dtypes(x: Tensor, products: int) -> tuple[torch.dtype, torch.dtype]:
    """Operand types of products over all frames and over one; states and sums keep ``x``'s type."""
    device = x.device.type
    if not torch.is_autocast_enabled(device):
        return x.dtype, x.dtype
    low = torch.get_autocast_dtype(device)
    return low, x.dtype if device == "cpu" and products < SMALL else low


def _add_product(out: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Add a b to ``out`` in place, in the type of ``b``; a first dimension of three is a batch."""
    if b.dtype != out.dtype:
        return out.add_(a.to(b.dtype) @ b)
    return out.addmm_(a, b) if b.ndim == 2 else out.baddbmm_(a, b)


def _adding(weight: Float[Tensor, "m n"], rows: int) -> Callable[[Tensor, Tensor], Tensor]:
    """What adds a W^T to ``out`` in place, for ``rows`` rows a frame, with W laid out once for all.

    A library lays a matrix out anew at every product: in bf16 that is a quarter of oneDNN's time,
    and of MKL's for an fp32 matrix that no cache holds.

    Returns:
        A function of ``out`` (``rows``, M) and a (``rows``, N), which changes ``out``.
    """
    on_cpu = weight.device.type == "cpu"
    if on_cpu and weight.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        dnn, packed = (
            torch.ops.mkldnn,
            torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows),
        )
        return lambda out, a: out.add_(
            dnn._linear_pointwise(a.to(packed.dtype), packed, None, "none", [], "")
        )
    if (
        on_cpu
        and weight.dtype == torch.float32
        and weight.numel() >= LARGE
        and torch.backends.mkl.is_available()
    ):
        weight, mkl = weight.contiguous(), torch.ops.mkl
        laid_out = mkl._mkl_reorder_linear_weight(weight, rows)
        return lambda out, a: out.add_(mkl._mkl_linear(a, laid_out, weight, None, rows))
    transposed = weight.t().contiguous()
    return lambda out, a: _add_product(out, a, transposed)


def _frames(*values: Tensor) -> list[tuple[Tensor, ...]]:
    return list(zip(*(v.unbind(1) for v in values), strict=True))


class _GRU(torch.autograd.Function):
    """h_1 ... h_T of a GRU.

    Forward, where r and u are the gates, n the proposed state and m (``n_h``) the share of h_{t-1}
    in it::

        r_t = sigmoid(W_r x_t + b_r + V_r h_{t-1} + c_r)    u_t the same, with weights of its own
        m_t = V_n h_{t-1} + c_n
        n_t = tanh(W_n x_t + b_n + r_t m_t)
        h_t = (1 - u_t) n_t + u_t h_{t-1}

    Backward, given g_t = dL/dh_t without what comes through h_{t+1}, from carry_T = 0::

        g_h_t     = g_t + carry_t
        g_at_h_t  = g_h_t * to_gates_t              derivatives by what r, u and m are functions of
        carry_t-1 = g_h_t u_t + V^T g_at_h_t
        to_n = (1 - u) (1 - n^2)                    of dL/dh_t, what arrives inside the tanh
        to_gates = [to_n m r (1 - r), (h_{t-1} - n) u (1 - u), to_n r]

    Shapes: x (B, T, n); h, n, u (B, T, d); at_h (B, T, 3 d) holds r, u and m side by side, as W_hh
    has them, and so do to_gates and g_at_h; W, w_ih (3 d, n); V, w_hh (3 d, d). The share of x in n
    is not in at_h, since r_t scales m_t. ``backwards`` exchanges t - 1 and t + 1.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h_0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor,
        backwards: bool, low: Any, frame: Any,
    ) -> Tensor:  # fmt: skip
        (b, t), d = x.shape[:2], h_0.shape[1]
        # What comes from x, for all t at once: at_h begins as W x + b + c of the gates and as c of
        # m.
        x, w_ih, w_hh = x.to(low).flatten(0, 1), w_ih.to(low), w_hh.to(frame)
        b_ru, b_n = (b_ih[: 2 * d] + b_hh[: 2 * d]).to(low), b_ih[2 * d :].to(low)
        at_h, h, h_t = x.new_empty(b * t, 3 * d), h_0.new_empty(b, t, d), h_0
        torch.addmm(b_ru, x, w_ih[: 2 * d].t(), out=at_h[:, : 2 * d])
        at_h[:, 2 * d :] = b_hh[2 * d :]
        at_h = at_h.view(b, t, 3 * d).to(h.dtype)
        n = torch.addmm(b_n, x, w_ih[2 * d :].t()).view(b, t, d).to(h.dtype)
        # What comes from h_{t-1}, frame by frame; each value takes the place of what it is computed
        # from.
        add_from_h = _adding(w_hh, b)
        frames = _frames(at_h, at_h[..., : 2 * d], *at_h.chunk(3, -1), n, h)[
            :: -1 if backwards else 1
        ]
        for at_h_t, ru_t, r_t, u_t, n_h_t, n_t, out_t in frames:
            add_from_h(at_h_t, h_t)
            ru_t.sigmoid_()
            h_t = torch.lerp(n_t.addcmul_(r_t, n_h_t).tanh_(), h_t, u_t, out=out_t)
        ctx.save_for_backward(x, h_0, w_ih, w_hh, at_h, n, h)
        ctx.backwards = backwards
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, h_0, w_ih, w_hh, at_h, n, h = ctx.saved_tensors
        (b, t, d), dtype, low = h.shape, h.dtype, x.dtype
        before = torch.cat(
            [h[:, 1:], h_0[:, None]] if ctx.backwards else [h_0[:, None], h[:, :-1]], 1
        )
        # What dL/dh_t is multiplied by at n and at the gates, for all t at once.
        r, u, n_h = at_h.chunk(3, -1)
        to_n = torch.rsub(u, 1)
        tanh_backward(to_n, n, grad_input=to_n)
        to_gates, scratch = torch.empty_like(at_h), torch.mul(to_n, n_h)
        to_r, to_u, to_n_h = to_gates.chunk(3, -1)
        sigmoid_backward(scratch, r, grad_input=to_r)
        sigmoid_backward(torch.sub(before, n, out=scratch), u, grad_input=to_u)
        torch.mul(to_n, r, out=to_n_h)
        # The adjoint recursion.
        add_to_h = _adding(w_hh.t(), b)
        g_at_h, g_h, carry = (
            torch.empty_like(at_h, dtype=w_hh.dtype),
            scratch,
            torch.zeros_like(h_0),
        )
        by_gate = (values.view(b, t, 3, d) for values in (to_gates, g_at_h))
        frames = _frames(g, u, g_at_h, g_h, g_h[:, :, None], *by_gate)[
            :: 1 if ctx.backwards else -1
        ]
        for g_t, u_t, g_at_h_t, g_h_t, g_h_t_for_each, to_gates_t, g_gates_t in frames:
            torch.add(g_t, carry, out=g_h_t)
            torch.mul(g_h_t_for_each, to_gates_t, out=g_gates_t)
            torch.mul(g_h_t, u_t, out=carry)
            add_to_h(carry, g_at_h_t)
        # Each weight's gradient: one product over all frames of all sequences.
        g_at_h, g_n = g_at_h.to(low).flatten(0, 1), g_h.mul_(to_n).to(low).flatten(0, 1)
        g_ru, g_w_ih = g_at_h[:, : 2 * d], torch.empty_like(w_ih)
        torch.mm(g_ru.t(), x, out=g_w_ih[: 2 * d])
        torch.mm(g_n.t(), x, out=g_w_ih[2 * d :])
        g_x = (
            (g_ru @ w_ih[: 2 * d]).addmm_(g_n, w_ih[2 * d :]).view(b, t, -1)
            if ctx.needs_input_grad[0]
            else None
        )
        g_w_hh = g_at_h.t() @ before.to(low).flatten(0, 1)
        g_b_hh, g_b_n = g_at_h.sum(0).to(dtype), g_n.sum(0).to(dtype)
        g_b_ih = torch.cat([g_b_hh[: 2 * d], g_b_n])
        return g_x, carry, g_w_ih.to(dtype), g_w_hh.to(dtype), g_b_ih, g_b_hh, None, None, None


def gru(
    x: Float[Tensor, "b t n"],
    h_0: Float[Tensor, "b d"],
    w_ih: Float[Tensor, "g n"],
    w_hh: Float[Tensor, "g d"],
    b_ih: Float[Tensor, "g"],
    b_hh: Float[Tensor, "g"],
    *,
    backwards: bool = False,
) -> Float[Tensor, "b t d"]:
    """The states of ``torch.nn.GRU``, with the weights in its layout.

    Args:
        x: Inputs.
        h_0: The state before the first frame.
        w_ih: Weights on the inputs: those of r, u and n, one below the other (G = 3 D).
        w_hh: Weights on the state, likewise.
        b_ih: Biases beside the inputs.
        b_hh: Biases beside the state.
        backwards: From the last frame to the first; ``h_0`` is then the state after the last.

    Returns:
        The state of each frame.
    """
    low, frame = _dtypes(h_0, len(h_0) * w_hh.numel())
    with torch.autocast(h_0.device.type, enabled=False):
        return _GRU.apply(x, h_0, w_ih, w_hh, b_ih, b_hh, backwards, low, frame)


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
    """The path z_1 ... z_T that K networks of z_{t-1} draw, and their outputs.

    Forward, where k counts the networks, f is the clipped rectifier, A_k is ``from_z`` and W, b are
    ``layers``::

        y1_k,t  = f(c_k,t + A_k z_{t-1})                        y2_k,t = f(W_k y1_k,t + b_k), ...
        out_k,t = W_k y_k,t + b_k                               of the last hidden layer
        std_t   = sqrt(exp(out_K,t) + floor)
        z_t     = out_1,t + ... + out_K-1,t + std_t noise_t

    Backward, given g_z_t without what comes through z_{t+1}, and g_out_t without z_t's share, from
    carry_T = 0::

        at_out_t  = g_out_t + (g_z_t + carry_t) * to_out_t
        g_y_t     = f' W^T at_out_t                             layer by layer down to g_first_t
        carry_t-1 = sum over k of A_k^T g_first_k,t
        to_out    = 1 at the means, exp(out_K) / (2 std) noise at the log-variance

    Shapes: noise, z (T, B, Z); ``first``, y1 of all k side by side, since all of them read z, (T,
    B, K H), and w_z (K H, Z); ``hidden``, y2 and further, (K, T, B, H); out (K, T, B, Z); f' is
    read from the value of f.
    """

    @staticmethod
    def forward(
        ctx: Any,
        noise: Tensor,
        z_0: Tensor,
        floor: float,
        k: int,
        keep: bool,
        low: Any,
        frame: Any,
        *rest: Tensor,
    ) -> tuple[Tensor, Tensor]:
        projected, w_z, weights, biases = (
            rest[:k],
            rest[k].to(frame).flatten(0, 1),
            rest[k + 1 :: 2],
            rest[k + 2 :: 2],
        )
        noise = noise.transpose(0, 1).contiguous()
        t, b, _ = noise.shape
        weights, biases = [w.to(frame) for w in weights], [bias[:, None] for bias in biases]
        # Transposed once, not at each frame.
        from_z, products = w_z.t().contiguous(), [w.transpose(1, 2).contiguous() for w in weights]
        # Hidden layers of all frames only for ``backward``; else each frame writes over the one
        # before.
        kept = t if keep else 1
        first = z_0.new_empty(kept, b, len(w_z), dtype=frame).expand(t, -1, -1)
        hidden = [
            z_0.new_empty(k, kept, b, w.shape[1], dtype=frame).expand(-1, t, -1, -1)
            for w in weights[:-1]
        ]
        out = biases[-1][:, None].repeat(1, t, b, 1)
        z, z_t, floor_std = torch.empty_like(noise), z_0, z_0.new_full((), floor**0.5)
        c = zip(*(values.transpose(0, 1).unbind(0) for values in projected), strict=True)
        if keep:
            for part, values in zip(first.chunk(k, -1), projected, strict=True):
                part.copy_(values.transpose(0, 1))
        for c_t, noise_t, next_t, out_t, first_t, values, *hidden_t in zip(
            c, noise.unbind(0), z.unbind(0), *_by_frame(k, out, first, hidden), strict=True
        ):
            if not keep:
                first_t.copy_(torch.cat(c_t, 1))
            F.leaky_relu_(first_t.addmm_(z_t.to(frame), from_z), SLOPE).clamp_(-CLIP, CLIP)
            for h_t, bias, product in zip(hidden_t, biases, products, strict=False):
                values = F.leaky_relu_(h_t.copy_(bias).baddbmm_(values, product), SLOPE).clamp_(
                    -CLIP, CLIP
                )
            *mu_t, raw_t = _add_product(out_t, values, products[-1]).unbind(0)
            std_t = torch.hypot(raw_t.mul(0.5).exp_(), floor_std)
            z_t = torch.addcmul(sum(mu_t[1:], mu_t[0]), std_t, noise_t, out=next_t)
        ctx.save_for_backward(noise, z_0, z, w_z, out, first, *weights, *hidden)
        ctx.constants = k, floor, low, projected[0].dtype
        return z.transpose(0, 1), out.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_z: Tensor, g_out: Tensor) -> tuple[Tensor | None, ...]:
        noise, z_0, z, w_z, out, first, *saved = ctx.saved_tensors
        k, floor, low, c_dtype = ctx.constants
        weights, hidden = saved[: (len(saved) + 1) // 2], saved[(len(saved) + 1) // 2 :]
        # What dL/dz_t is multiplied by at each output, for all t at once; finite for any
        # log-variance.
        to_out = torch.ones_like(out)
        to_out[-1] = 0.5 * torch.exp(out[-1] - 0.5 * floor_variance(out[-1], floor)) * noise
        g_first, g_hidden = torch.empty_like(first), [torch.empty_like(h) for h in hidden]
        at_out = torch.empty_like(out, dtype=first.dtype)  # dL/dout with what comes through z
        g_z, g_out = g_z.transpose(0, 1).contiguous(), g_out.transpose(1, 2).contiguous()
        # The adjoint recursion.
        carry = torch.zeros_like(z_0)
        layers, grads_of = (
            zip(*_by_frame(k, *values), strict=True)
            for values in ((at_out, first, hidden), (g_out, g_first, g_hidden))
        )
        for g_z_t, to_out_t, (above, _, *hidden_t), (g_out_t, g_first_t, *g_hidden_t) in reversed(
            list(zip(g_z.unbind(0), to_out.unbind(1), layers, grads_of, strict=True))
        ):
            above.copy_(torch.addcmul(g_out_t, g_z_t + carry, to_out_t))
            for weight, values, g in reversed(
                list(zip(weights, hidden_t, g_hidden_t, strict=True))
            ):
                below = above @ weight
                hardtanh_backward(below, values, -CLIP, CLIP, grad_input=below)
                above = leaky_relu_backward(below, values, SLOPE, True, grad_input=g)
            carry = (g_first_t @ w_z).to(z.dtype)
        # Each weight's gradient: one product for all networks and frames, or one for each network.
        z_before = torch.cat([z_0[None], z[:-1]]).to(low).flatten(0, 1)
        g_first = g_first.to(low)
        g_weights = [(g_first.flatten(0, 1).t() @ z_before).view(k, -1, z.shape[-1])]
        below = [first.view(*first.shape[:2], k, -1).movedim(2, 0), *hidden]
        for g, values in zip([*g_hidden, at_out], below, strict=True):
            g = g.to(low).flatten(1, 2)
            g_weights += [g.transpose(1, 2) @ values.to(low).flatten(1, 2), g.sum(1)]
        g_projected = g_first.to(c_dtype).transpose(0, 1).chunk(k, -1)
        return (
            None,
            carry,
            None,
            None,
            None,
            None,
            None,
            *g_projected,
            *(v.to(z.dtype) for v in g_weights),
        )


def _by_frame(
    k: int, out: Tensor, first: Tensor, hidden: Sequence[Tensor]
) -> list[tuple[Tensor, ...]]:
    """What K networks give, by frame.

    Returns:
        Their outputs, those of their first layers side by side, then as K blocks, and those of the
        further layers.
    """
    blocks = first.view(*first.shape[:2], k, -1).movedim(2, 1)
    return [out.unbind(1), first.unbind(0), blocks.unbind(0), *(h.unbind(1) for h in hidden)]


def gaussian_chain(
    means: Sequence[Net],
    logvar: Net,
    z_0: Float[Tensor, "b z"],
    noise: Float[Tensor, "b t z"],
    variance_floor: float,
) -> tuple[Float[Tensor, "b t z"], list[Float[Tensor, "b t z"]], Float[Tensor, "b t z"]]:
    """z_t = sum of the means + deviation x noise_t.

    All of them are networks of z_{t-1} and c_t with layers of equal sizes.

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
    layers = [
        torch.stack(v)
        for pairs in zip(*(n.layers for n in nets), strict=True)
        for v in zip(*pairs, strict=True)
    ]
    low, frame = _dtypes(z_0, len(z_0) * w_z.numel())
    projected, keep = (net.projected for net in nets), torch.is_grad_enabled()
    with torch.autocast(z_0.device.type, enabled=False):
        z, out = _Chain.apply(
            noise, z_0, variance_floor, len(nets), keep, low, frame, *projected, w_z, *layers
        )
    *mu, raw = out.unbind(0)
    return z, mu, raw
