"""The block-tridiagonal posterior against its dense precision, and against the Kalman filter."""

import numpy as np
import pytest
import torch
from linear_gaussian import A, B, C, D, LinearDKF, LinearSRNN, Q, R
from torch import nn

from srnn_lab.config import ModelConfig
from srnn_lab.data import make_batch
from srnn_lab.inference.bounds import draw_noise, elbo, iwae
from srnn_lab.models import build_model
from srnn_lab.models.tridiagonal import TridiagonalPosterior

SEQUENCE = np.random.default_rng(0).normal(size=(12, 2))


class Exact(nn.Module):
    """g, b, h, log p, log r of the linear-Gaussian posterior, each frame's by [d_t, x_t] alone."""

    def __init__(self, has_d):
        super().__init__()
        self.has_d = has_d

    def forward(self, c):
        d, x = (c[..., :1], c[..., 1:]) if self.has_d else (0 * c[..., :1], c)
        a, b, of_x, of_d, q, r = (torch.as_tensor(values) for values in (A, B, C, D, Q, R))
        constant = [values.expand_as(x) for values in (a, -q.log(), (of_x**2 / r).log())]
        return torch.cat([constant[0], b * d, of_x / r * (x - of_d * d), *constant[1:]], -1)


@pytest.mark.parametrize("kind", [LinearDKF, LinearSRNN])
def test_with_the_potentials_of_a_linear_gaussian_model_it_is_the_true_posterior(kind):
    """So that every path's weight is the evidence of the Kalman filter."""
    model = kind()
    model.config = ModelConfig(**{**vars(model.config), "posterior": "tridiagonal"})
    model.posterior = TridiagonalPosterior(3, 2, 1, 1, 0.0)
    model.posterior.network = Exact(model.has_d)
    batch = make_batch([SEQUENCE, SEQUENCE[:5]])
    weights = iwae(
        model, batch, draw_noise(model, batch, torch.Generator().manual_seed(0), paths=7)
    ).log_weights
    for found, sequence in zip(weights.T, (SEQUENCE, SEQUENCE[:5]), strict=True):
        np.testing.assert_allclose(found, model.log_evidence(sequence), atol=1e-8, rtol=0)


def test_its_factors_are_those_of_the_gaussian_with_that_precision():
    torch.manual_seed(0)
    posterior, length = TridiagonalPosterior(3, 2, 4, 1, 0.0).double(), 5
    c = torch.randn(1, length, 3).double()
    g, b, h, log_p, log_r = (values[0] for values in posterior.network(c).chunk(5, -1))
    p, r = log_p.exp(), log_r.exp()
    z_0 = torch.tensor([[0.3, -0.7]]).double()
    projected = posterior.project(c, torch.tensor([length]))
    for i in range(2):
        precision = torch.diag(p[:, i] + r[:, i])
        precision[:-1, :-1] += torch.diag(p[1:, i] * g[1:, i] ** 2)
        beside = -p[1:, i] * g[1:, i]
        precision += torch.diag(beside, 1) + torch.diag(beside, -1)
        linear = h[:, i] + p[:, i] * b[:, i]
        linear[:-1] -= p[1:, i] * g[1:, i] * b[1:, i]
        linear[0] += p[0, i] * g[0, i] * z_0[0, i]
        mean = torch.linalg.solve(precision, linear)
        dense = torch.distributions.MultivariateNormal(mean, precision_matrix=precision)
        z = posterior.path(z_0, projected, torch.randn(1, length, 2).double())
        factors = posterior(torch.cat([z_0[:, None], z[:, :-1]], 1), projected)
        one = type(factors)(factors.mu[..., [i]], factors.logvar[..., [i]])
        torch.testing.assert_close(one.log_prob(z[..., [i]]).sum(), dense.log_prob(z[0, :, i]))


@pytest.mark.parametrize(
    "options", [{"model": "srnn"}, {"model": "dkf"}, {"model": "dkf", "gated_transition": True}]
)
def test_the_path_is_that_of_the_steps_with_its_gradients(options):
    torch.manual_seed(0)
    model = build_model(
        ModelConfig(
            posterior="tridiagonal",
            features_z="on",
            x_dim=4,
            d_dim=5,
            z_dim=3,
            hidden_dim=6,
            **options,
        )
    )
    batch = make_batch(
        [
            np.random.default_rng(i).integers(0, 2, (n, 4)).astype(np.float32)
            for i, n in enumerate((6, 3))
        ]
    )
    noise, gradients = draw_noise(model, batch), []
    for path in (model.path, lambda *args: super(type(model).__mro__[1], model).path(*args)):
        model.path = path
        model.zero_grad()
        elbo(model, batch, noise=noise).elbo.sum().backward()
        gradients.append(
            {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
        )
    torch.testing.assert_close(*gradients)
