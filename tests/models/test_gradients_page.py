"""The backward passes of docs/gradients.md, run as they stand, and gradients by differences."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from srnn_lab.models.recurrence import Net, clipped_leaky_relu, gaussian_chain, gru

PAGE = Path(__file__).parents[2] / "docs" / "gradients.md"
FLOOR = 0.1


def on_the_page():
    """The functions that the page defines."""
    names = {"torch": torch}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(block, names)
    return names


def random(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def test_the_page_derives_the_gradients_of_the_gru():
    torch.manual_seed(0)
    x, h_0, g = random(6, 5), random(4), random(6, 4).detach()
    W, V, b, c = weights = random(12, 5), random(12, 4), random(12), random(12)  # noqa: N806
    states, before = [], h_0
    for x_t in x:
        (r_x, u_x, n_x), (r_h, u_h, m) = (W @ x_t + b).chunk(3), (V @ before + c).chunk(3)
        r, u = torch.sigmoid(r_x + r_h), torch.sigmoid(u_x + u_h)
        n = torch.tanh(n_x + r * m)
        before = (1 - u) * n + u * before
        states.append((before, r, u, m, n))
    h, r, u, m, n = (torch.stack(values) for values in zip(*states, strict=True))
    torch.testing.assert_close(gru(x[None], h_0[None], *weights)[0], h)
    expected = torch.autograd.grad(h, [x, h_0, *weights], g)
    with torch.no_grad():
        found = on_the_page()["gru_backward"](g, x, h_0, h, r, u, m, n, W, V)
    for values in zip(found, expected, strict=True):
        torch.testing.assert_close(*values)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_page_derives_the_gradients_of_the_chain(num_layers):
    torch.manual_seed(0)
    k, t, width, size = 3, 6, 5, 4
    z_0, noise, c, A = (  # noqa: N806
        random(size),
        random(t, size).detach(),
        random(k, t, width),
        random(k, width, size),
    )
    sizes = [width] * (num_layers - 1) + [size]
    W, b = [random(k, n, width) for n in sizes], [random(k, n) for n in sizes]  # noqa: N806
    path, z_t = [], z_0
    for c_t, noise_t in zip(c.unbind(1), noise, strict=True):
        layers = [clipped_leaky_relu(3 * c_t + torch.einsum("khz,z->kh", A, z_t))]
        for W_l, b_l in zip(W[:-1], b[:-1], strict=True):  # noqa: N806
            layers.append(clipped_leaky_relu(torch.einsum("koh,kh->ko", W_l, layers[-1]) + b_l))
        out = torch.einsum("koh,kh->ko", W[-1], layers[-1]) + b[-1]
        z_t = out[:-1].sum(0) + torch.sqrt(torch.exp(out[-1]) + FLOOR) * noise_t
        path.append((z_t, out, torch.stack(layers)))
    z, out, layers = (torch.stack(values) for values in zip(*path, strict=True))
    out, layers = out.transpose(0, 1), layers.movedim(0, 2)
    assert (layers.abs() == 3).any()
    g_z, g_out = random(t, size).detach(), random(k, t, size).detach()
    expected = torch.autograd.grad([z, out], [z_0, c, A, *W], [g_z, g_out])
    with torch.no_grad():
        found = on_the_page()["chain_backward"](g_z, g_out, noise, z_0, z, out, layers, A, W, FLOOR)
    g_z_0, g_c, g_A, g_W = found  # noqa: N806
    for values in zip([g_z_0, 3 * g_c, g_A, *g_W], expected, strict=True):
        torch.testing.assert_close(*values)


def test_gradients_of_the_gru_are_those_by_differences():
    torch.manual_seed(0)
    weights = list(nn.GRU(3, 2, dtype=torch.float64).parameters())
    torch.autograd.gradcheck(gru, [random(2, 3, 3), random(2, 2), *weights])


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("num_means", [1, 2])
def test_gradients_of_the_chain_are_those_by_differences(num_means, num_layers):
    torch.manual_seed(0)
    width, size, noise = 3, 2, random(2, 3, 2).detach()
    sizes = [width] * (num_layers - 1) + [size]
    inputs = [
        values
        for _ in range(num_means + 1)
        for values in (random(2, 3, width), random(width, size))
    ]
    inputs += [
        values
        for _ in range(num_means + 1)
        for n in sizes
        for values in (random(n, width), random(n))
    ]

    def path(z_0, *inputs):
        first, further = inputs[: 2 * (num_means + 1)], inputs[2 * (num_means + 1) :]
        pairs = list(zip(further[::2], further[1::2], strict=True))
        nets = [
            Net(c, from_z, pairs[i * num_layers : (i + 1) * num_layers])
            for i, (c, from_z) in enumerate(zip(first[::2], first[1::2], strict=True))
        ]
        z, mus, raw = gaussian_chain(nets[:-1], nets[-1], z_0, noise, FLOOR)
        return z, *mus, raw

    torch.autograd.gradcheck(path, [random(2, size), *inputs])
