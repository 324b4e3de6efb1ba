import math

import pytest
import torch
from scipy import stats

from srnn_lab.models.distributions import DiagonalGaussian, floor_variance


def gaussian(*shape):
    generator = torch.Generator().manual_seed(len(shape))
    return DiagonalGaussian(*torch.randn(2, *shape, generator=generator, dtype=torch.float64))


def test_log_prob_is_scipys():
    dist, x = gaussian(4, 3), torch.randn(4, 3, dtype=torch.float64)
    expected = stats.norm(dist.mu, torch.exp(dist.logvar / 2)).logpdf(x).sum(-1)
    torch.testing.assert_close(dist.log_prob(x), torch.as_tensor(expected))


def test_kl_is_that_of_torch_distributions():
    q, p = gaussian(5, 3), gaussian(3)
    as_torch = [torch.distributions.Normal(g.mu, torch.exp(g.logvar / 2)) for g in (q, p)]
    torch.testing.assert_close(
        q.kl(DiagonalGaussian(*(v.expand(5, 3) for v in p))), torch.distributions.kl_divergence(*as_torch)
    )


def test_kl_is_the_mean_of_log_ratios_of_samples():
    q, p = gaussian(3), DiagonalGaussian(torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    n = 200_000
    many_q, many_p = (DiagonalGaussian(g.mu.expand(n, 3), g.logvar.expand(n, 3)) for g in (q, p))
    z = many_q.rsample(torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    ratios = many_q.log_prob(z) - many_p.log_prob(z)
    assert abs(float(ratios.mean() - q.kl(p).sum())) < 6 * float(ratios.std()) / math.sqrt(n)


def test_kl_does_not_depend_on_the_predicted_mean_under_res_q():
    """Section 3.3: with mu_q = mu_p + residual, only the residual is left in the KL."""
    residual, prior = gaussian(4, 3), gaussian(4, 3)
    kls = [
        DiagonalGaussian(mu_p + residual.mu, residual.logvar).kl(DiagonalGaussian(mu_p, prior.logvar))
        for mu_p in (prior.mu, prior.mu + 7)
    ]
    torch.testing.assert_close(*kls)


@pytest.mark.parametrize("floor", [0.0, 1e-6, 0.1])
def test_variance_floor_is_added_to_the_variance(floor):
    logvar = torch.linspace(-40, 5, 50, dtype=torch.float64)
    torch.testing.assert_close(floor_variance(logvar, floor).exp(), logvar.exp() + floor)
