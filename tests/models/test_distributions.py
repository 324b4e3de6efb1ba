import math

import pytest
import torch
from scipy import stats

from srnn_lab.models.distributions import BinaryUnits, DiagonalGaussian, floor_variance


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
        q.kl(DiagonalGaussian(*(v.expand(5, 3) for v in p))),
        torch.distributions.kl_divergence(*as_torch),
    )


def test_kl_is_the_mean_of_log_ratios_of_samples():
    q, p = (
        gaussian(3),
        DiagonalGaussian(torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)),
    )
    n = 200_000
    many_q, many_p = (DiagonalGaussian(g.mu.expand(n, 3), g.logvar.expand(n, 3)) for g in (q, p))
    z = many_q.rsample(
        torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    )
    ratios = many_q.log_prob(z) - many_p.log_prob(z)
    assert abs(float(ratios.mean() - q.kl(p).sum())) < 6 * float(ratios.std()) / math.sqrt(n)


def test_kl_does_not_depend_on_the_predicted_mean_under_res_q():
    """Section 3.3: with mu_q = mu_p + residual, only the residual is left in the KL."""
    residual, prior = gaussian(4, 3), gaussian(4, 3)
    kls = [
        DiagonalGaussian(mu_p + residual.mu, residual.logvar).kl(
            DiagonalGaussian(mu_p, prior.logvar)
        )
        for mu_p in (prior.mu, prior.mu + 7)
    ]
    torch.testing.assert_close(*kls)


@pytest.mark.parametrize("floor", [0.0, 1e-6, 0.1])
def test_variance_floor_is_added_to_the_variance(floor):
    logvar = torch.linspace(-40, 5, 50, dtype=torch.float64)
    torch.testing.assert_close(floor_variance(logvar, floor).exp(), logvar.exp() + floor)


def units(*shape):
    return BinaryUnits(
        3 * torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )


def test_binary_units_are_torchs():
    q, p = units(4, 3), units(3)
    p = BinaryUnits(p.logits.expand(4, 3))
    of_q, of_p = (torch.distributions.Bernoulli(logits=dist.logits) for dist in (q, p))
    x = of_q.sample()
    torch.testing.assert_close(q.log_prob(x), of_q.log_prob(x).sum(-1))
    torch.testing.assert_close(q.kl(p), torch.distributions.kl_divergence(of_q, of_p))
    torch.testing.assert_close(q.mu, of_q.mean)
    torch.testing.assert_close(q.logvar, of_q.variance.log())


def test_binary_units_are_drawn_with_their_probability_and_at_no_noise_the_likelier():
    q = BinaryUnits(torch.tensor([-2.0, 0.5, 3.0], dtype=torch.float64))
    noise = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = BinaryUnits(q.logits.expand_as(noise)).rsample(noise).mean(0)
    assert ((found - q.mu).abs() < 5 * (q.logvar / 2).exp() / 200_000**0.5).all()
    assert q.rsample(torch.zeros(3, dtype=torch.float64)).tolist() == [0, 1, 1]


def test_the_standardised_value_of_a_binary_unit_draws_it():
    """By Cantelli's inequality normal numbers exceed (1 - mu) / sigma with probability below mu."""
    q = BinaryUnits(torch.linspace(-30, 30, 121, dtype=torch.float64))
    for z in (torch.zeros_like(q.logits), torch.ones_like(q.logits)):
        assert torch.equal(q.rsample((z - q.mu) * torch.exp(-0.5 * q.logvar)), z)
