import itertools
import math

import pytest
import torch
from scipy import stats

from srnn_lab.likelihoods import LIKELIHOODS, Bernoulli, Gaussian

FLOOR = 1e-3


def params_of(likelihood, *batch):
    return torch.randn(*batch, likelihood.num_params, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_bernoulli_probabilities_of_all_frames_sum_to_one():
    likelihood = Bernoulli(6, FLOOR)
    frames = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    params = params_of(likelihood).expand(64, -1)
    torch.testing.assert_close(likelihood.log_prob(params, frames).exp().sum(), torch.tensor(1.0, dtype=torch.float64))


def test_bernoulli_of_a_certain_note_is_finite():
    likelihood = Bernoulli(2, FLOOR)
    logits = torch.tensor([[500.0, -500.0]], requires_grad=True)
    for x in (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])):
        value = likelihood.log_prob(logits, x).sum()
        value.backward()
        assert value.isfinite()
        assert logits.grad.isfinite().all()


def test_gaussian_log_density_is_scipys_with_the_variance_floor():
    likelihood = Gaussian(4, FLOOR)
    params = params_of(likelihood, 3)
    x = torch.randn(3, 4, dtype=torch.float64)
    mu, logvar = params.chunk(2, -1)
    expected = stats.norm(mu, torch.sqrt(logvar.exp() + FLOOR)).logpdf(x).sum(-1)
    torch.testing.assert_close(likelihood.log_prob(params, x), torch.as_tensor(expected))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_mean_and_variance_are_those_of_samples(name):
    likelihood, n = LIKELIHOODS[name](5, FLOOR), 100_000
    params = params_of(likelihood)
    samples = likelihood.sample(params.expand(n, -1), torch.Generator().manual_seed(1))
    mean, variance = likelihood.mean(params), likelihood.variance(params)
    assert ((samples.mean(0) - mean).abs() < 6 * (variance / n).sqrt()).all()
    fourth = ((samples - mean) ** 4).mean(0)
    assert ((samples.var(0) - variance).abs() < 6 * ((fourth - variance**2).clamp_min(0) / n).sqrt() + 1e-4).all()


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_prob_is_below_that_of_the_mode_and_in_nats(name):
    likelihood = LIKELIHOODS[name](1, 0.0)
    params = torch.zeros(1, likelihood.num_params)
    expected = {"bernoulli": -math.log(2), "gaussian": -0.5 * math.log(2 * math.pi)}[name]
    assert float(likelihood.log_prob(params, torch.zeros(1, 1))) == pytest.approx(expected)
