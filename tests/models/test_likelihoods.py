import itertools
import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import distributions
from torch.distributions import Independent, MixtureSameFamily, Normal

from srnn_lab.config import ModelConfig
from srnn_lab.models.likelihoods import (
    LIKELIHOODS,
    NADE,
    Bernoulli,
    Categorical,
    ConvAR,
    Gaussian,
    GaussianAR,
    GaussianMixture,
    NegativeBinomial,
    Poisson,
    StudentT,
    StudentTAR,
)
from srnn_lab.models.linear_prediction import LARGEST, predictor, step_up

FLOOR = 1e-3
FRAMES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
"""All frames of six notes."""


def build(kind, x_dim, floor=FLOOR):
    """A likelihood whose own weights, if any, are far from 0."""
    torch.manual_seed(0)
    config = ModelConfig(
        x_dim=x_dim,
        variance_floor=floor,
        num_components=3,
        hidden_dim=7,
        ar_order=3,
        student_df=10.0,
    )
    likelihood = kind(config).double()
    for parameter in likelihood.parameters():
        parameter.data.normal_(std=2)
    return likelihood


def params_of(likelihood, *batch):
    return torch.randn(
        *batch,
        likelihood.num_params,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )


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
    expected = MixtureSameFamily(distributions.Categorical(logits=logits), components)
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


def test_student_t_log_density_is_scipys_with_the_variance_floor():
    likelihood = build(StudentT, 4)
    params, x = params_of(likelihood, 3), torch.randn(3, 4, dtype=torch.float64)
    mu, logvar = params.chunk(2, -1)
    expected = stats.t(10, mu, torch.sqrt(logvar.exp() + FLOOR))
    torch.testing.assert_close(
        likelihood.log_prob(params, x), torch.as_tensor(expected.logpdf(x).sum(-1))
    )
    torch.testing.assert_close(likelihood.mean(params), torch.as_tensor(expected.mean()))
    torch.testing.assert_close(likelihood.variance(params), torch.as_tensor(expected.var()))


def test_draws_of_student_t_are_distributed_as_scipys():
    likelihood = build(StudentT, 2)
    params = params_of(likelihood)
    drawn = likelihood.sample(params.expand(20_000, -1), torch.Generator().manual_seed(1))
    mu, logvar = params.chunk(2, -1)
    for values, *at in zip(drawn.T, mu, torch.sqrt(logvar.exp() + FLOOR), strict=True):
        assert stats.kstest(values, stats.t(10, *at).cdf).pvalue > 1e-4


def dense(params, x_dim=6, order=3):
    """L, whose rows say x - mu -> e; mu and the squared scales of e.

    The taps are of order 3, and all is written out.
    """
    mu, logvar, raw = params.split([x_dim, x_dim, order])
    k1, k2, k3 = torch.tanh(raw) * 0.999
    taps = [k1 * (1 - k2) - k3 * k2, k2 - k3 * k1 * (1 - k2), k3]
    lower = torch.eye(x_dim, dtype=torch.float64)
    for k, a_k in enumerate(taps, 1):
        lower -= a_k * torch.diag(torch.ones(x_dim - k, dtype=torch.float64), -k)
    return lower, mu, logvar.exp() + FLOOR


def test_the_autoregressive_gaussian_is_the_dense_one():
    """N(mu, L^-1 V L^-T), at once for all values of the frame."""
    likelihood = build(GaussianAR, 6)
    params = params_of(likelihood)
    lower, mu, v = dense(params)
    covariance = torch.linalg.inv(lower) @ torch.diag(v) @ torch.linalg.inv(lower).T
    x = torch.randn(5, 6, dtype=torch.float64)
    expected = torch.distributions.MultivariateNormal(mu, covariance)
    torch.testing.assert_close(likelihood.log_prob(params.expand(5, -1), x), expected.log_prob(x))
    torch.testing.assert_close(likelihood.mean(params), mu)
    torch.testing.assert_close(likelihood.variance(params), covariance.diagonal())


def test_the_autoregressive_student_t_is_the_dense_one():
    """The density of e = L (x - mu); the determinant of L is 1."""
    likelihood = build(StudentTAR, 6)
    params = params_of(likelihood)
    lower, mu, v = dense(params)
    x = torch.randn(5, 6, dtype=torch.float64)
    expected = stats.t(10, 0, v.sqrt()).logpdf((x - mu) @ lower.T).sum(-1)
    torch.testing.assert_close(
        likelihood.log_prob(params.expand(5, -1), x), torch.as_tensor(expected)
    )
    inverse = torch.linalg.inv(lower)
    torch.testing.assert_close(likelihood.variance(params), inverse**2 @ v * (10 / 8))


@torch.no_grad()
@pytest.mark.parametrize("kind", [GaussianAR, StudentTAR])
def test_draws_of_an_autoregressive_frame_have_its_covariance(kind):
    likelihood, n = build(kind, 6), 200_000
    params = params_of(likelihood)
    drawn = likelihood.sample(params.expand(n, -1), torch.Generator().manual_seed(1))
    lower, mu, v = dense(params)
    e = (drawn - mu) @ lower.T
    scale = (v * (10 / 8 if kind is StudentTAR else 1)).sqrt()
    found = torch.corrcoef((e / scale).T)
    assert (found - torch.eye(6, dtype=torch.float64)).abs().max() < 6 / n**0.5
    torch.testing.assert_close(e.var(0), scale**2, rtol=0.03, atol=0)


@pytest.mark.parametrize("kind", [GaussianAR, StudentTAR])
def test_whatever_a_network_says_the_filter_of_a_frame_is_stable(kind):
    likelihood = kind(ModelConfig(x_dim=6))
    for said in (-1e4, -50.0, 0.0, 50.0, 1e4):
        params = torch.full((likelihood.num_params,), said)
        kappa = LARGEST * torch.tanh(params[-16:])
        assert (kappa.abs() < 1).all()
    params = params_of(likelihood.double(), 200)
    for taps in likelihood.parts(params)[2].numpy():
        assert np.abs(np.roots(np.r_[1.0, -taps])).max() < 1


@torch.no_grad()
@pytest.mark.parametrize("kind", [GaussianAR, StudentTAR, ConvAR])
def test_prediction_is_in_full_precision_where_products_are_in_16_bits(kind):
    likelihood = build(kind, 6).float()
    params, x = params_of(likelihood, 64).float(), FRAMES.float()
    expected = likelihood.log_prob(params, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(likelihood.log_prob(params, x), expected)


def with_past(kind, past, adaptive, rows=1, x_dim=6):
    """A likelihood, what it is given for frames after known ones, and these."""
    torch.manual_seed(0)
    config = ModelConfig(
        x_dim=x_dim,
        variance_floor=0.0,
        ar_order=3,
        student_df=10.0,
        ar_past=past,
        ar_adaptive=adaptive,
    )
    likelihood = kind(config)
    u = torch.randn(rows, x_dim, dtype=torch.float64)
    outputs = torch.randn(rows, likelihood.num_params, dtype=torch.float64)
    return likelihood, outputs, u


AR = pytest.mark.parametrize("kind", [GaussianAR, StudentTAR])
PASTS = pytest.mark.parametrize(
    ("past", "adaptive"), [(p, a) for p in ("none", "taps", "predictor") for a in (False, True)][1:]
)


@AR
@PASTS
def test_the_density_after_a_known_frame_value_by_value(kind, past, adaptive):
    """By hand: unit and taps of u's predictor, residuals one after the other, means of squares."""
    likelihood, outputs, u = with_past(kind, past, adaptive)
    x = torch.randn(1, 6, dtype=torch.float64)
    mu, logvar, raw, weights = (part[0] for part in outputs.split(likelihood.sizes, -1))
    kappa, error = predictor(u, 3, 1e-10)
    if past == "predictor":
        mu, raw = mu * error[0].sqrt(), raw + torch.atanh(kappa[0])
        logvar = logvar if adaptive else logvar + error[0].log()
    taps = step_up(0.999 * torch.tanh(raw))
    known = torch.zeros(6, dtype=torch.float64) if past == "none" else u[0]
    y, e, total = torch.cat([known, x[0] - mu]), [], 0.0
    shares = [*torch.softmax(weights[:3], 0), torch.exp(weights[3] - 16)] if adaptive else []
    for i in range(12):
        e.append(y[i] - sum(taps[k - 1] * y[i - k] for k in (1, 2, 3) if k <= i))
        if i < 6:
            continue
        v = logvar[i - 6].exp()
        if adaptive:
            means = [
                sum(
                    (1 - math.exp(-1 / t)) * math.exp(-(i - j - 1) / t) * e[j] ** 2
                    for j in range(i)
                )
                for t in (10, 30, 100)
            ]
            v = v * (sum(share * m for share, m in zip(shares, means, strict=False)) + shares[-1])
        v = v if past == "taps" and not adaptive else v / (1 + 10 * v)
        of_e = torch.stack([torch.zeros_like(v), v.log()])
        total = total + likelihood.residual.log_prob(of_e, e[-1][None])
    torch.testing.assert_close(likelihood.log_prob(likelihood.given(outputs, u), x)[0], total)


@torch.no_grad()
@AR
@PASTS
def test_mean_and_variance_after_a_known_frame_are_those_of_samples(kind, past, adaptive):
    likelihood, outputs, u = with_past(kind, past, adaptive)
    # Scales that do not grow from value to value.
    outputs[..., 6:12] = 0.2 * outputs[..., 6:12] - 0.4
    params, n = likelihood.given(outputs, u), 40_000
    samples = likelihood.sample(params.expand(n, -1), torch.Generator().manual_seed(1))
    mean, variance = likelihood.mean(params)[0], likelihood.variance(params.expand(500, -1)).mean(0)
    assert ((samples.mean(0) - mean).abs() < 6 * (variance / n).sqrt()).all()
    torch.testing.assert_close(samples.var(0), variance, rtol=0.08, atol=0)


@AR
@PASTS
def test_the_density_after_a_known_frame_integrates_to_one(kind, past, adaptive):
    """Over frames of two values, on a grid."""
    likelihood, outputs, u = with_past(kind, past, adaptive, x_dim=2)
    params = likelihood.given(outputs, u)
    centre, width = likelihood.mean(params), likelihood.variance(params).sqrt()
    steps = torch.linspace(-30, 30, 601, dtype=torch.float64)
    grid = centre + width * torch.cartesian_prod(steps, steps)
    density = likelihood.log_prob(params.expand(len(grid), -1), grid).exp().sum()
    torch.testing.assert_close(
        density * width.prod() * 0.1**2, torch.ones_like(density), rtol=2e-3, atol=0
    )


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("kind", [GaussianAR, StudentTAR, ConvAR])
def test_a_model_that_goes_on_by_itself_does_not_run_away(kind):
    """Frame after frame, each given the one before, where outputs say to grow without end."""
    config = ModelConfig(
        x_dim=50, ar_order=3, ar_past="predictor", ar_adaptive=True, conv_channels=4
    )
    likelihood = kind(config).double()
    outputs, u = torch.zeros(4, likelihood.num_params).double(), torch.randn(4, 50).double()
    (outputs[:, likelihood.num_biases :] if kind is ConvAR else outputs)[:, 50:100] = 3.0
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        u = likelihood.sample(likelihood.given(outputs, u), generator)
    assert 0.1 < u.abs().max() < 1e4


@AR
def test_a_sound_at_another_level_has_the_same_density_but_for_the_unit(kind):
    """Where the predictor is corrected, in units of its error; but for the loudest."""
    likelihood, outputs, u = with_past(kind, "predictor", False, rows=5)
    likelihood.LOUDEST = 1e9
    x = torch.randn(5, 6, dtype=torch.float64)
    loud, quiet = (
        likelihood.log_prob(likelihood.given(outputs, level * u), level * x)
        for level in (1.0, 1e-2)
    )
    torch.testing.assert_close(quiet, loud + 6 * math.log(100), rtol=1e-4, atol=1e-3)


def conv_case(x_dim, rows=3):
    """A conv-ar with weights far from 0, what it is given for some frames, and draws of them."""
    torch.manual_seed(0)
    likelihood = ConvAR(
        ModelConfig(x_dim=x_dim, ar_order=3, conv_channels=4, variance_floor=0.0, student_df=10.0)
    )
    for parameter in likelihood.parameters():
        parameter.data.normal_(std=0.3)
    u = torch.randn(rows, x_dim)
    params = likelihood.double().given(
        0.3 * torch.randn(rows, likelihood.num_params).double(), u.double()
    )
    with torch.no_grad():
        return likelihood, params, likelihood._walk(params, torch.Generator().manual_seed(1), 1.0)


@torch.no_grad()
@pytest.mark.parametrize("x_dim", [6, 100])
def test_conv_ar_is_the_product_of_the_densities_that_its_draws_come_from(x_dim):
    likelihood, params, (x, means, variances) = conv_case(x_dim)
    expected = stats.t(10, means, (variances * 0.8).sqrt()).logpdf(x).sum(-1)
    torch.testing.assert_close(likelihood.log_prob(params, x), torch.as_tensor(expected))


@pytest.mark.slow
@torch.no_grad()
def test_conv_ar_by_hand():
    """Value by value, each hidden unit by its recursion, called anew wherever it is needed."""
    likelihood, params, (x, *_) = conv_case(6, rows=1)
    stack = likelihood.stack
    biases, (mu, logvar, taps, weights, u) = (
        params[0, :16].view(4, 4),
        [part[0] for part in likelihood.linear.parts(params[:, 16:])],
    )
    y = torch.cat([torch.zeros(74, dtype=torch.float64), u, x[0] - mu])
    e = [y[i] - sum(taps[k - 1] * y[i - k] for k in (1, 2, 3) if k <= i) for i in range(86)]

    def m(i):
        means = [
            sum((1 - math.exp(-1 / t)) * math.exp(-(i - j - 1) / t) * e[j] ** 2 for j in range(i))
            for t in (10, 30, 100)
        ]
        return (
            sum(weight * mean for weight, mean in zip(weights, means, strict=False)) + weights[-1]
        )

    def hidden(layer, i):
        if layer == 0:
            before = (
                torch.asinh(e[i - 1] / m(i - 1).sqrt())
                if i > 0
                else torch.zeros((), dtype=torch.float64)
            )
            return stack.enter(torch.stack([before, 0.25 * torch.log(m(i) / m(80))]))
        d = 3 ** (layer - 1)
        read = torch.cat([hidden(layer - 1, i - k * d) for k in (2, 1, 0)])
        inner = stack.read[layer - 1](read) + biases[layer - 1]
        return hidden(layer - 1, i) + stack.add[layer - 1](torch.where(inner > 0, inner, inner / 3))

    total = 0.0
    for i in range(80, 86):
        h = hidden(4, i)
        f, g = 4 * torch.tanh(stack.leave(torch.where(h > 0, h, h / 3)) / 4)
        scale = (logvar[i - 80].exp() * m(i)).sqrt()
        scale = scale / (1 + 10 * scale**2).sqrt()
        total += stats.t(10, f * scale, scale * (g / 2).exp()).logpdf(e[i])
    torch.testing.assert_close(likelihood.log_prob(params, x)[0], torch.as_tensor(total))


@torch.no_grad()
def test_conv_ar_without_its_convolutions_is_the_adaptive_predictor():
    likelihood, params, (x, *_) = conv_case(6)
    likelihood.stack.leave.weight.zero_()
    likelihood.stack.leave.bias.zero_()
    expected = likelihood.linear.log_prob(params[:, likelihood.num_biases :], x)
    torch.testing.assert_close(likelihood.log_prob(params, x), expected)


@torch.no_grad()
def test_conv_ar_takes_many_frames_as_it_takes_one():
    likelihood, params, (x, *_) = conv_case(6, rows=300)
    alone = torch.cat(
        [likelihood.log_prob(*frame) for frame in zip(params.split(1), x.split(1), strict=True)]
    )
    torch.testing.assert_close(likelihood.log_prob(params, x), alone)


@pytest.mark.slow
@torch.no_grad()
def test_moments_of_conv_ar_are_unbiased_estimates():
    likelihood, params, _ = conv_case(4, rows=1)
    samples = likelihood.sample(params.expand(40_000, -1), torch.Generator().manual_seed(2))
    estimates = likelihood.mean(params.expand(500, -1)), likelihood.variance(params.expand(500, -1))
    for estimate, expected in zip(estimates, (samples.mean(0), samples.var(0)), strict=True):
        assert (
            (estimate.mean(0) - expected).abs()
            < 6 * estimate.std(0) / 500**0.5 + 0.05 * samples.std(0)
        ).all()
    assert torch.equal(likelihood.mean(params), likelihood.mean(params))


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
@pytest.mark.parametrize("name", [name for name in LIKELIHOODS if name not in ("nade", "conv-ar")])
def test_mean_and_variance_are_those_of_samples(name):
    likelihood, n = build(LIKELIHOODS[name], 5), 100_000
    params = params_of(likelihood)
    samples = likelihood.sample(params.expand(n, -1), torch.Generator().manual_seed(1))
    mean, variance = likelihood.mean(params), likelihood.variance(params)
    assert ((samples.mean(0) - mean).abs() < 6 * (variance / n).sqrt()).all()
    fourth = ((samples - mean) ** 4).mean(0)
    assert (
        (samples.var(0) - variance).abs()
        < 6 * ((fourth - variance**2).clamp_min(0) / n).sqrt() + 1e-4
    ).all()


@torch.no_grad()
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_prob_is_below_that_of_the_mode_and_in_nats(name):
    likelihood = build(LIKELIHOODS[name], 1, floor=0.0)
    for parameter in likelihood.parameters():
        parameter.data.zero_()
    params = torch.zeros(1, likelihood.num_params, dtype=torch.float64)
    expected = -0.5 * math.log(2 * math.pi)
    if name in ("bernoulli", "nade"):
        expected = -math.log(2)
    elif name.startswith("student-t") or name == "conv-ar":
        expected = -math.log(10**0.5 * special.beta(0.5, 5))
    if name == "conv-ar":  # no residual is known, so the scale is the smallest
        expected += 8
    expected = {"poisson": -1.0, "negative-binomial": -math.log(2), "categorical": 0.0}.get(
        name, expected
    )
    assert float(
        likelihood.log_prob(params, torch.zeros(1, 1, dtype=torch.float64))
    ) == pytest.approx(expected)


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
            likelihood.log_prob(params, coldest).mean()
            > likelihood.log_prob(params, sample(temperature)).mean()
        ).all()
    if name == "gaussian-mixture":
        log_weights, mu, _ = likelihood.mixture(params)
        expected = torch.take_along_dim(mu, log_weights.argmax(-1)[..., None, None], -2).squeeze(-2)
        torch.testing.assert_close(coldest, expected)


def test_the_counts_of_poisson_and_of_the_negative_binomial_are_scipys():
    x = torch.tensor([[0.0, 1.0, 7.0, 400.0]], dtype=torch.float64)
    poisson, negative = build(Poisson, 4), build(NegativeBinomial, 4)
    params = 2 * params_of(poisson, 1)
    expected = stats.poisson(params.exp()).logpmf(x).sum(-1)
    torch.testing.assert_close(poisson.log_prob(params, x), torch.as_tensor(expected))
    params = 2 * params_of(negative, 1)
    mean, dispersion = params.exp().chunk(2, -1)
    expected = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean)).logpmf(x).sum(-1)
    torch.testing.assert_close(negative.log_prob(params, x), torch.as_tensor(expected))
    torch.testing.assert_close(negative.variance(params), mean + dispersion * mean**2)


@pytest.mark.parametrize("kind", [Poisson, NegativeBinomial])
def test_the_probabilities_of_all_counts_sum_to_one(kind):
    likelihood = build(kind, 1)
    params = params_of(likelihood).expand(5000, -1)
    total = (
        likelihood.log_prob(params, torch.arange(5000.0, dtype=torch.float64)[:, None]).exp().sum()
    )
    torch.testing.assert_close(total, torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.parametrize(("kind", "said"), [(Poisson, 13.8), (NegativeBinomial, [13.8, -20.0])])
def test_a_million_counts_are_as_exact_in_32_bits(kind, said):
    """lgamma(10^6) in 32 bits is off by 1."""
    likelihood, x = build(kind, 1), torch.tensor([[1e6]])
    params = torch.tensor(said).reshape(1, -1)
    torch.testing.assert_close(
        likelihood.log_prob(params, x).double(),
        likelihood.log_prob(params.double(), x.double()),
        rtol=1e-6,
        atol=0,
    )


def test_a_negative_binomial_without_dispersion_is_nearly_poisson():
    x, log_mean = (
        torch.arange(6.0, dtype=torch.float64)[:, None],
        torch.tensor([[0.7]], dtype=torch.float64),
    )
    found = build(NegativeBinomial, 1).log_prob(
        torch.cat([log_mean, torch.full((1, 1), -99.0)], -1).expand(6, -1), x
    )
    torch.testing.assert_close(
        found, build(Poisson, 1).log_prob(log_mean.expand(6, -1), x), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("kind", [Poisson, NegativeBinomial])
def test_whatever_a_network_says_of_counts_is_finite(kind):
    likelihood = build(kind, 1)
    for said in (-500.0, 500.0):
        params = torch.full((1, likelihood.num_params), said, requires_grad=True)
        value = likelihood.log_prob(params, torch.tensor([[3.0]])).sum()
        value.backward()
        assert value.isfinite()
        assert params.grad.isfinite().all()
        assert likelihood.variance(params).isfinite().all()
        assert likelihood.sample(params.detach(), torch.Generator().manual_seed(0)).isfinite().all()


def test_the_categories_are_those_of_torch():
    likelihood = build(Categorical, 5)
    params = params_of(likelihood, 7)
    chosen = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    expected = distributions.Categorical(logits=params).log_prob(chosen)
    torch.testing.assert_close(
        likelihood.log_prob(params, torch.eye(5, dtype=torch.float64)[chosen]), expected
    )
    drawn = likelihood.sample(params, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.sum(-1), torch.ones(7, dtype=torch.float64))
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    "name", ["bernoulli", "gaussian", "student-t", "poisson", "negative-binomial", "categorical"]
)
def test_a_training_begins_with_the_moments_of_the_data(name):
    likelihood = build(LIKELIHOODS[name], 3)
    mean = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    params = likelihood.params_of(mean, mean + 3 * mean**2)
    torch.testing.assert_close(likelihood.mean(params), mean)
    if name == "negative-binomial":
        torch.testing.assert_close(likelihood.variance(params), mean + 3 * mean**2)
