"""Every equation of the paper, written out with plain tensors and held against the library (float64)."""

import itertools
import math

import pytest
import torch
from torch import sigmoid, tanh

from srnn_lab.bounds import elbo
from srnn_lab.config import ModelConfig
from srnn_lab.data import Batch
from srnn_lab.models import SRNN, State

FLOOR = 1e-2
VARIANTS = list(itertools.product([True, False], [True, False], [1, 2], ["bernoulli", "gaussian"]))


def case(smoothing, residual, num_layers, likelihood):
    torch.manual_seed(0)
    config = ModelConfig(
        likelihood=likelihood, x_dim=4, d_dim=5, z_dim=3, hidden_dim=6, num_layers=num_layers,
        smoothing=smoothing, residual=residual, variance_floor=FLOOR,
    )  # fmt: skip
    model = SRNN(config).double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # biases that are not zero
    u, x = torch.randn(2, 2, 7, 4, dtype=torch.float64)
    x = (x > 0).double() if likelihood == "bernoulli" else x
    state = State(torch.randn(2, 5, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64))
    return model, Batch(x, u, torch.tensor([7, 7])), state, torch.randn(2, 7, 3, dtype=torch.float64)


def f(v):
    """Appendix A.1: leaky rectifier, slope 1/3, clipped at 3."""
    return torch.where(v > 0, v, v / 3).clamp(-3, 3)


def affine(layer, v):
    return v @ layer.weight.T + layer.bias


def network(layers, v):
    """Hidden layers with f, then a linear one if there is one."""
    for layer in layers:
        v = affine(layer, v) if isinstance(layer, torch.nn.Linear) else f(v)
    return v


def gru_step(gru, h, v):
    i_r, i_z, i_n = (v @ gru.weight_ih_l0.T + gru.bias_ih_l0).chunk(3, -1)
    h_r, h_z, h_n = (h @ gru.weight_hh_l0.T + gru.bias_hh_l0).chunk(3, -1)
    update = sigmoid(i_z + h_z)
    return (1 - update) * tanh(i_n + sigmoid(i_r + h_r) * h_n) + update * h


def gaussian_networks(part, z, c):
    """NN_1([z, c]) and log(exp(NN_2([z, c])) + floor), each network with its own first layer."""
    first_mu, first_logvar = (
        torch.cat([z, c], -1) @ torch.cat([w_z, w_c], 1).T + b
        for w_z, w_c, b in zip(
            part.from_z.weight.chunk(2), part.from_c.weight.chunk(2), part.from_c.bias.chunk(2), strict=True
        )
    )
    mu, logvar = network(part.mu, f(first_mu)), network(part.logvar, f(first_logvar))
    return mu, torch.log(torch.exp(logvar) + FLOOR)


@pytest.mark.parametrize(("smoothing", "residual", "num_layers", "likelihood"), VARIANTS)
def test_equations_1_to_12_and_algorithm_1_by_hand(smoothing, residual, num_layers, likelihood):
    model, batch, state, noise = case(smoothing, residual, num_layers, likelihood)
    bound = elbo(model, batch, state, noise)
    T = 7  # noqa: N806
    e_u, e_x = network(model.features, batch.u), network(model.features, batch.x)  # one extractor for both

    d, d_t = [], state.d
    for t in range(T):  # d_t = GRU(d_{t-1}, u_t)
        d_t = gru_step(model.gru_d, d_t, e_u[:, t])
        d.append(d_t)

    a = [None] * T
    a_t = torch.zeros(2, 5, dtype=torch.float64)  # a_{T+1} = 0
    for t in reversed(range(T)):  # Eq. (7)
        inputs = torch.cat([d[t], e_x[:, t]], -1)
        a_t = gru_step(model.a.gru, a_t, inputs) if smoothing else network(model.a, inputs)
        a[t] = a_t

    z_t = state.z
    for t in range(T):
        z_tm1 = z_t
        mu_p, logvar_p = gaussian_networks(model.prior, z_tm1, d[t])  # Eq. (3)
        mu_q, logvar_q = gaussian_networks(model.posterior, z_tm1, a[t])  # Eq. (10)
        if residual:
            mu_q = mu_p + mu_q  # Eq. (12)
        z_t = mu_q + torch.exp(logvar_q / 2) * noise[:, t]

        outputs = network(model.emission, torch.cat([d[t], z_t], -1))
        if likelihood == "bernoulli":
            p = sigmoid(outputs)
            log_px = torch.log(torch.where(batch.x[:, t] == 1, p, 1 - p)).sum(-1)
        else:
            mean, v = outputs[:, :4], torch.exp(outputs[:, 4:]) + FLOOR
            log_px = (-0.5 * torch.log(2 * math.pi * v) - (batch.x[:, t] - mean) ** 2 / (2 * v)).sum(-1)
        v_p, v_q = torch.exp(logvar_p), torch.exp(logvar_q)
        kl = 0.5 * (torch.log(v_p / v_q) + (v_q + (mu_q - mu_p) ** 2) / v_p - 1).sum(-1)

        for by_hand, library in [
            (d[t], bound.trace.d[:, t]),
            (mu_p, bound.trace.prior.mu[:, t]),
            (logvar_p, bound.trace.prior.logvar[:, t]),
            (mu_q, bound.trace.posterior.mu[:, t]),
            (logvar_q, bound.trace.posterior.logvar[:, t]),
            (z_t, bound.trace.z[:, t]),
            (log_px, bound.log_px[:, t]),
            (kl, bound.kl[:, t]),
            (log_px - kl, bound.elbo[:, t]),  # Eq. (8)
        ]:
            torch.testing.assert_close(by_hand, library)
    torch.testing.assert_close(bound.trace.state.z, z_t)
    torch.testing.assert_close(bound.trace.state.d, d[-1])


def test_weights_begin_orthogonal_or_glorot_normal_and_biases_zero():
    torch.manual_seed(0)
    model = SRNN(ModelConfig(x_dim=88))
    for gate in model.gru_d.weight_hh_l0.data.chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(300), atol=1e-5, rtol=0)
    for gate in model.gru_d.weight_ih_l0.data.chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(300), atol=1e-5, rtol=0)
    network_1 = torch.cat([w.weight.chunk(2)[0] for w in (model.prior.from_z, model.prior.from_c)], 1)
    for weight in (network_1, model.features[0].weight, model.emission[-1].weight, model.prior.mu[0].weight):
        glorot = (2 / sum(weight.shape)) ** 0.5
        assert float(weight.detach().std()) == pytest.approx(glorot, rel=0.02)
    assert all((p == 0).all() for name, p in model.named_parameters() if "bias" in name)
