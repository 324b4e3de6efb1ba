"""Neural adaptive sequential Monte Carlo against closed forms of linear-Gaussian models."""

import numpy as np
import pytest
import torch
from linear_gaussian import A, C, LinearDKF, LinearSRNN, Q, R
from torch import nn

from srnn_lab.config import EvaluationConfig
from srnn_lab.data import make_batch
from srnn_lab.inference.bounds import (
    Particles,
    draw_noise,
    draw_uniforms,
    fivo,
    nasmc,
    proposal_share,
)
from srnn_lab.inference.evaluation import evaluate
from srnn_lab.models.distributions import DiagonalGaussian

SEQUENCE = np.random.default_rng(0).normal(size=(6, 2))


def particles(model, copies, paths, seed, **options):
    batch, generator = make_batch([SEQUENCE] * copies), torch.Generator().manual_seed(seed)
    noise, uniforms = (
        draw_noise(model, batch, generator, paths=paths),
        draw_uniforms(batch, generator),
    )
    return model, batch, noise, uniforms


def effective_sample_size(model, seed=9):
    """Of the weights of one frame, as a share of the particles."""
    return evaluate(
        model, [SEQUENCE] * 100, EvaluationConfig(), bounds=["ess:64"], seed=seed
    ).others["ess:64"]


class LearntProposal(nn.Module):
    """q(z_t | z_{t-1}, x_t), linear and Gaussian, that begins as N(0, 1)."""

    def __init__(self):
        super().__init__()
        self.of_z, self.of_x, self.logvar = (
            nn.Parameter(torch.zeros(2).double()) for _ in range(3)
        )

    def project(self, x):
        return x

    def forward(self, z_tm1, x_t):
        return DiagonalGaussian(self.of_z * z_tm1 + self.of_x * x_t, self.logvar.expand_as(z_tm1))


class Inputs(nn.Module):
    """x itself in the place of a."""

    def forward(self, x, lengths):
        return x


@pytest.mark.slow
def test_the_proposal_becomes_the_optimal_one_and_so_does_its_effective_sample_size():
    """p(z_t | z_{t-1}, x_t), whose precision is 1/Q + C^2/R."""
    model = LinearDKF()
    model.a, model.posterior = Inputs(), LearntProposal()
    before = effective_sample_size(model)
    adam = torch.optim.Adam(model.posterior.parameters(), lr=0.05)
    for update in range(200):
        adam.param_groups[0]["lr"] = 0.1 * 0.97**update
        loss, _ = nasmc(*particles(model, 4, 128, update))
        adam.zero_grad()
        loss.mean().backward()
        adam.step()
    v = 1 / (1 / Q + C**2 / R)
    with torch.no_grad():
        np.testing.assert_allclose(model.posterior.of_z, v * A / Q, atol=0.02)
        np.testing.assert_allclose(model.posterior.of_x, v * C / R, atol=0.02)
        np.testing.assert_allclose(model.posterior.logvar.exp(), v, rtol=0.04)
    optimal = effective_sample_size(LinearDKF("filtering"))
    assert before < 0.7 * optimal
    assert effective_sample_size(model) == pytest.approx(optimal, rel=0.01)


def filtered_pairs():
    """Mean and covariance of (z_{t-1}, z_t) given x_{1:t}, by the Kalman filter of each chain."""
    means, covariances, m, v = [], [], np.zeros(2), np.zeros(2)
    for x in SEQUENCE:
        # Before x_t is seen.
        mean, covariance = np.stack([m, A * m], -1), np.zeros((2, 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = v, A**2 * v + Q
        covariance[:, 0, 1] = covariance[:, 1, 0] = A * v
        gain = C[:, None] * covariance[:, :, 1] / (C**2 * covariance[:, 1, 1] + R)[:, None]
        mean = mean + gain * (x - C * mean[:, 1])[:, None]
        covariance = covariance - gain[:, :, None] * (C[:, None] * covariance[:, 1])[:, None, :]
        m, v = mean[:, 1], covariance[:, 1, 1]
        means.append(mean)
        covariances.append(covariance)
    return np.array(means), np.array(covariances)


def expected_gradient(model, parameters):
    """Of the sum over t of E[log p(x_t | z_t) + log p(z_t | z_{t-1})] over the filtered pairs.

    Quadratic in the pairs, so that points at +- sqrt(4) on the axes of their covariance give the
    expectation."""
    means, covariances = filtered_pairs()
    total = 0
    for t, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        # The first z_{t-1} is known, 0, so that its covariance is singular by a hair.
        roots = np.linalg.cholesky(covariance + 1e-14 * np.eye(2))
        steps = np.zeros((4, 2, 2))
        for chain in range(2):
            steps[2 * chain : 2 * chain + 2, chain] = 2 * roots[chain].T
        pairs = torch.as_tensor(np.concatenate([mean + steps, mean - steps]))
        z_tm1, z_t = pairs.unbind(-1)
        prior = model.prior(z_tm1, model.prior.project(z_t[:, :0]))
        params = model.decode(z_t[:, None, :0], z_t[:, None])[:, 0]
        log_px = model.likelihood.log_prob(params, torch.as_tensor(SEQUENCE[t]).expand(8, -1))
        total = total + (prior.log_prob(z_t) + log_px).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(total, parameters)])


def test_the_gradient_of_the_generative_model_goes_to_that_of_the_kalman_filter():
    model = LinearDKF("filtering")
    parameters = [model.prior.mu[-1].bias, model.prior.logvar[-1].bias, model.emission[-1].bias]
    for parameter in parameters:
        parameter.requires_grad_()
    expected = expected_gradient(model, parameters)
    errors = []
    for paths, copies in ((2, 20_000), (512, 500)):
        loss, _ = nasmc(*particles(model, copies, paths, 0))
        found = torch.autograd.grad(-loss.mean(), parameters)
        errors.append(
            float((torch.cat([g.flatten() for g in found]) - expected).norm() / expected.norm())
        )
    assert errors[1] < 0.015 < 0.1 < errors[0], errors


def test_its_estimate_is_that_of_fivo():
    inputs = particles(LinearSRNN("filtering"), 3, 5, 0)
    _, bound = nasmc(*inputs)
    torch.testing.assert_close(bound.value, fivo(*inputs).value, rtol=0, atol=0)


def test_the_share_of_effective_particles_by_hand():
    """Weights 1, 3 and 0 of three particles, and equal ones: (1 + 3)^2 / (1 + 9) = 1.6, and 3."""
    w = torch.tensor([[1.0, 2.0], [3.0, 2.0], [0.0, 2.0]]).log()
    share = proposal_share(Particles(w, torch.ones(3, 2), torch.ones(3, 2), torch.zeros(3, 2)))
    torch.testing.assert_close(share, torch.tensor([1.6 / 3, 1.0]))
