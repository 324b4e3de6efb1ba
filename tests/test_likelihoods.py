import itertools
import math

import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from srnn_lab.config import ModelConfig
from srnn_lab.likelihoods import LIKELIHOODS, NADE, Bernoulli, Gaussian, GaussianMixture

FLOOR = 1e-3
FRAMES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
"""All frames of six notes."""


def build(kind, x_dim, floor=FLOOR):
    """A likelihood whose own weights, if any, are far from 0."""
    torch.manual_seed(0)
    likelihood = kind(ModelConfig(x_dim=x_dim, variance_floor=floor, num_components=3, hidden_dim=7)).double()
    for parameter in likelihood.parameters():
        parameter.data.normal_(std=2)
    return likelihood


def params_of(likelihood, *batch):
    return torch.randn(*batch, likelihood.num_params, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def probabilities(likelihood):
    """Of all frames of six notes."""
    return likelihood.log_prob(params_of(likelihood).expand(64, -1), FRAMES).exp().detach()


@pytest.mark.parametrize("kind", [Bernoulli, NADE])
def test_probabilities_of_all_frames_sum_to_one(kind):
    total = probabilities(build(kind, 6)).sum()
    torch.testing.assert_close(total, torch.tensor(1.0, dtype=torch.float64))


def test_bernoulli_of_a_certain_note_is_finite():
    likelihood = build(Bernoulli, 2)
    logits = torch.tensor([[500.0, -500.0]], requires_grad=True)
    for x in (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])):
        value = likelihood.log_prob(logits, x).sum()
        value.backward()
        assert value.isfinite()
        assert logits.grad.isfinite().all()


def test_gaussian_log_density_is_scipys_with_the_variance_floor():
    likelihood = build(Gaussian, 4)
    params = params_of(likelihood, 3)
    x = torch.randn(3, 4, dtype=torch.float64)
    mu, logvar = params.chunk(2, -1)
    expected = stats.norm(mu, torch.sqrt(logvar.exp() + FLOOR)).logpdf(x).sum(-1)
    torch.testing.assert_close(likelihood.log_prob(params, x), torch.as_tensor(expected))


def test_the_mixture_is_torchs_with_the_variance_floor():
    likelihood = build(GaussianMixture, 4)
    params, x = params_of(likelihood, 2, 5), torch.randn(2, 5, 4, dtype=torch.float64)
    logits, mu, logvar = params.split([3, 12, 12], -1)
    mu, deviation = mu.view(2, 5, 3, 4), torch.sqrt(logvar.view(2, 5, 3, 4).exp() + FLOOR)
    components = Independent(Normal(mu, deviation), 1)
    expected = MixtureSameFamily(Categorical(logits=logits), components)
    torch.testing.assert_close(likelihood.log_prob(params, x), expected.log_prob(x))
    torch.testing.assert_close(likelihood.mean(params), expected.mean)
    torch.testing.assert_close(likelihood.variance(params), expected.variance)


def test_a_mixture_of_one_component_is_a_gaussian():
    config = ModelConfig(x_dim=4, variance_floor=FLOOR, num_components=1)
    mixture, gaussian = GaussianMixture(config), Gaussian(config)
    params, x = params_of(mixture, 3), torch.randn(3, 4, dtype=torch.float64)
    torch.testing.assert_close(mixture.log_prob(params, x), gaussian.log_prob(params[:, 1:], x))


def test_a_mixture_far_from_all_its_components_is_finite():
    likelihood = build(GaussianMixture, 2)
    params = torch.zeros(likelihood.num_params, requires_grad=True)
    value = likelihood.log_prob(params, torch.full((2,), 1e4))
    value.backward()
    assert value.isfinite()
    assert params.grad.isfinite().all()


def test_samples_of_a_mixture_come_whole_from_one_component():
    """Two values, two components at (0, 0) and (9, 9): never (0, 9)."""
    likelihood = GaussianMixture(ModelConfig(x_dim=2, num_components=2, variance_floor=0.0))
    params = torch.tensor([math.log(0.3), math.log(0.7), 0.0, 0.0, 9.0, 9.0, *[-10.0] * 4])
    high = likelihood.sample(params.expand(4000, -1), torch.Generator().manual_seed(0)) > 4.5
    assert torch.equal(high[:, 0], high[:, 1])
    assert abs(float(high[:, 0].double().mean()) - 0.7) < 6 * (0.3 * 0.7 / 4000) ** 0.5


def test_nade_by_hand():
    likelihood = build(NADE, 6)
    params = params_of(likelihood, 64)
    c, b = params.split([7, 6], -1)
    log_px = torch.zeros(64, dtype=torch.float64)
    for i in range(6):
        hidden = torch.sigmoid(c + FRAMES[:, :i] @ likelihood.from_value[:i])
        p = torch.sigmoid(b[:, i] + (hidden * likelihood.to_value[i]).sum(-1))
        log_px = log_px + torch.log(torch.where(FRAMES[:, i] == 1, p, 1 - p))
    torch.testing.assert_close(likelihood.log_prob(params, FRAMES), log_px)


@torch.no_grad()
def test_samples_of_nade_have_its_probabilities():
    likelihood, n = build(NADE, 6), 100_000
    drawn = likelihood.sample(params_of(likelihood).expand(n, -1), torch.Generator().manual_seed(1))
    places = 2.0 ** torch.arange(5, -1, -1, dtype=torch.float64)
    counts = torch.bincount((drawn @ places).long(), minlength=64)
    p = probabilities(likelihood)
    assert ((counts / n - p).abs() < 6 * (p * (1 - p) / n).sqrt() + 1e-5).all()


@torch.no_grad()
def test_the_mean_of_nade_is_an_unbiased_estimate_with_the_error_it_says():
    likelihood, rows = build(NADE, 6), 2000
    params = params_of(likelihood).expand(rows, -1)
    marginal = probabilities(likelihood) @ FRAMES
    estimates = likelihood.mean(params)
    spread = estimates.std(0)
    assert (spread <= 0.5 / NADE.NUM_DRAWS**0.5).all()
    assert spread[-1] > 0
    assert ((estimates.mean(0) - marginal).abs() <= 6 * spread / rows**0.5 + 1e-12).all()
    torch.testing.assert_close(likelihood.variance(params), estimates * (1 - estimates))
    assert torch.equal(likelihood.mean(params), estimates)


@torch.no_grad()
def test_nade_is_in_full_precision_where_products_are_in_16_bits():
    likelihood = build(NADE, 6).float()
    params, x = params_of(likelihood, 64).float(), FRAMES.float()
    expected = likelihood.log_prob(params, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(likelihood.log_prob(params, x), expected)


@torch.no_grad()
@pytest.mark.parametrize("name", [name for name in LIKELIHOODS if name != "nade"])
def test_mean_and_variance_are_those_of_samples(name):
    likelihood, n = build(LIKELIHOODS[name], 5), 100_000
    params = params_of(likelihood)
    samples = likelihood.sample(params.expand(n, -1), torch.Generator().manual_seed(1))
    mean, variance = likelihood.mean(params), likelihood.variance(params)
    assert ((samples.mean(0) - mean).abs() < 6 * (variance / n).sqrt()).all()
    fourth = ((samples - mean) ** 4).mean(0)
    assert ((samples.var(0) - variance).abs() < 6 * ((fourth - variance**2).clamp_min(0) / n).sqrt() + 1e-4).all()


@torch.no_grad()
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_prob_is_below_that_of_the_mode_and_in_nats(name):
    likelihood = build(LIKELIHOODS[name], 1, floor=0.0)
    for parameter in likelihood.parameters():
        parameter.data.zero_()
    params = torch.zeros(1, likelihood.num_params, dtype=torch.float64)
    expected = -math.log(2) if name in ("bernoulli", "nade") else -0.5 * math.log(2 * math.pi)
    assert float(likelihood.log_prob(params, torch.zeros(1, 1, dtype=torch.float64))) == pytest.approx(expected)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_temperature_1_changes_no_bit_and_0_gives_the_likeliest_value(name):
    likelihood = build(LIKELIHOODS[name], 6)
    params = params_of(likelihood, 50, 4)

    def sample(*temperature):
        return likelihood.sample(params, torch.Generator().manual_seed(1), *temperature)

    plain = {
        "bernoulli": lambda g: torch.bernoulli(torch.sigmoid(params), generator=g),
        "gaussian": lambda g: likelihood.distribution(params).rsample(
            torch.randn(50, 4, 6, generator=g, dtype=torch.float64)
        ),
    }
    assert torch.equal(sample(1.0), sample())
    if name in plain:
        assert torch.equal(sample(1.0), plain[name](torch.Generator().manual_seed(1)))
    coldest = sample(0.0)
    for temperature in (0.5, 1.0, 3.0):
        assert (
            likelihood.log_prob(params, coldest).mean() > likelihood.log_prob(params, sample(temperature)).mean()
        ).all()
    if name == "gaussian-mixture":
        log_weights, mu, _ = likelihood.mixture(params)
        expected = torch.take_along_dim(mu, log_weights.argmax(-1)[..., None, None], -2).squeeze(-2)
        torch.testing.assert_close(coldest, expected)
