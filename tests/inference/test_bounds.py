import itertools
import math

import numpy as np
import pytest
import torch
from linear_gaussian import LinearDKF, LinearSRNN

from srnn_lab.config import ModelConfig
from srnn_lab.data import Batch, make_batch
from srnn_lab.inference.bounds import SequenceBound, draw_noise, draw_uniforms, elbo, fivo, iwae
from srnn_lab.models import State, build_model

SEQUENCE = np.random.default_rng(0).normal(size=(12, 2))
SHORT = SEQUENCE[:3]
exact_models = pytest.mark.parametrize(
    "kind_of_model", [LinearDKF, LinearSRNN], ids=["dkf", "srnn"]
)


def estimates(kind, model, sequence, paths, copies, numbers=1, **options):
    """Independent values of a bound of one sequence."""
    batch, generator = make_batch([sequence] * copies), torch.Generator().manual_seed(paths)
    noise = draw_noise(model, batch, generator, paths=paths)
    if kind == "iwae":
        return iwae(model, batch, noise).value
    return fivo(
        model, batch, noise, draw_uniforms(batch, generator, numbers=numbers), **options
    ).value


@exact_models
def test_at_the_exact_posterior_every_path_gives_the_evidence_of_the_kalman_filter(kind_of_model):
    """log p(x, z) - log q(z | x) = log p(x) for any z: one path, many, particles not resampled."""
    model = kind_of_model()
    evidence = model.log_evidence(SEQUENCE)
    for found in (
        estimates("iwae", model, SEQUENCE, 1, 20),
        estimates("iwae", model, SEQUENCE, 7, 20),
        estimates("fivo", model, SEQUENCE, 7, 20, resampling_share=0.0),
    ):
        np.testing.assert_allclose(found, evidence, atol=1e-8, rtol=0)


@exact_models
def test_the_elbo_at_the_exact_posterior_is_the_evidence_of_the_kalman_filter(kind_of_model):
    """Its value is quadratic in the noise.

    The mean over points at +- sqrt(n) on each axis is the expectation.
    """
    model, n = kind_of_model(), SEQUENCE.size
    points = n**0.5 * torch.eye(n, dtype=torch.float64).view(n, *SEQUENCE.shape)
    values = elbo(model, make_batch([SEQUENCE]), noise=torch.cat([points, -points])).elbo.sum(1)
    assert values.std() > 0.1
    assert abs(float(values.mean()) - model.log_evidence(SEQUENCE)) < 1e-8


@exact_models
@pytest.mark.parametrize("posterior", ["prior", "filtering"])
def test_the_elbo_elsewhere_is_below_the_evidence(posterior, kind_of_model):
    model, batch = kind_of_model(posterior), make_batch([SEQUENCE] * 20_000)
    values = elbo(
        model, batch, noise=draw_noise(model, batch, torch.Generator().manual_seed(0))
    ).elbo.sum(1)
    assert (
        float(values.mean()) < model.log_evidence(SEQUENCE) - 6 * float(values.std()) / 20_000**0.5
    )


@pytest.mark.slow
@exact_models
@pytest.mark.parametrize(
    ("kind", "posterior", "options"),
    [
        ("iwae", "filtering", {}),
        ("iwae", "prior", {}),
        *itertools.product(
            ["fivo"],
            ["smoothing", "filtering", "prior"],
            [{"numbers": 1}, {"numbers": 4}, {"resampling_share": 1.0}],
        ),
    ],
    ids=str,
)
def test_the_mean_of_the_estimate_of_p_x_is_the_evidence_of_the_kalman_filter(
    kind, posterior, options, kind_of_model
):
    model = kind_of_model(posterior)
    ratios = (estimates(kind, model, SHORT, 4, 20_000, **options) - model.log_evidence(SHORT)).exp()
    error = float(ratios.std()) / 20_000**0.5
    assert 0 < error < 0.05
    assert abs(float(ratios.mean()) - 1) < 4 * error


@pytest.mark.slow
@exact_models
@pytest.mark.parametrize("kind", ["iwae", "fivo"])
def test_more_paths_raise_the_bound_towards_the_evidence_and_never_above_it(kind, kind_of_model):
    model = kind_of_model("filtering")
    values = [estimates(kind, model, SEQUENCE, paths, 2000) for paths in (1, 4, 16, 64)]
    means = [float(value.mean()) for value in values]
    errors = [float(value.std()) / 2000**0.5 for value in values]
    evidence = model.log_evidence(SEQUENCE)
    for i in range(3):
        assert means[i + 1] - means[i] > 3 * math.hypot(errors[i], errors[i + 1])
    assert means[-1] < evidence + 3 * errors[-1]
    assert evidence - means[-1] < 0.2 * (evidence - means[0])


@pytest.mark.slow
@exact_models
def test_a_bootstrap_particle_filter_rises_to_the_evidence(kind_of_model):
    """The prior is its proposal."""
    model = kind_of_model("prior")
    evidence = model.log_evidence(SEQUENCE)
    gaps = [
        evidence - float(estimates("fivo", model, SEQUENCE, k, 40).mean()) for k in (10, 100, 2000)
    ]
    assert gaps[0] > 3 * gaps[1] > 0.05
    assert abs(gaps[2]) < 0.05


def tiny_case(smoothing=True, lengths=(6, 6), paths=3):
    torch.manual_seed(0)
    config = ModelConfig(
        likelihood="gaussian", x_dim=3, d_dim=4, z_dim=2, hidden_dim=5, smoothing=smoothing
    )
    model = build_model(config).double()
    u, x = torch.randn(2, len(lengths), max(lengths), 3, dtype=torch.float64)
    batch = Batch(x, u, torch.tensor(lengths))
    return model, batch, draw_noise(model, batch, paths=paths)


@pytest.mark.parametrize("smoothing", [True, False])
def test_with_one_path_fivo_is_iwae_is_the_elbo_with_a_sampled_kl(smoothing):
    model, batch, noise = tiny_case(smoothing, (6, 4), paths=1)
    bound = elbo(model, batch, noise=noise)
    trace = bound.trace
    sampled = (trace.posterior.log_prob(trace.z) - trace.prior.log_prob(trace.z)) * batch.mask
    for found in (iwae(model, batch, noise), fivo(model, batch, noise, draw_uniforms(batch))):
        torch.testing.assert_close(found.value, (bound.log_px - sampled).sum(1))
        torch.testing.assert_close(found.kl, sampled.sum(1))
        for values in zip(found.state, trace.state, strict=True):
            torch.testing.assert_close(*values)


def test_fivo_that_never_resamples_is_iwae():
    model, batch, noise = tiny_case(lengths=(6, 4), paths=5)
    never = fivo(model, batch, noise, draw_uniforms(batch), resampling_share=0.0)
    expected = iwae(model, batch, noise)
    for name in ("value", "kl", "log_weights"):
        torch.testing.assert_close(getattr(never, name), getattr(expected, name))
    torch.testing.assert_close(never.state.z, expected.state.z)


@pytest.mark.parametrize(("share", "numbers"), [(0.9, 1), (0.9, 5), (1.0, 1), (1.0, 5)])
def test_fivo_is_the_algorithm_of_its_paper_with_its_gradient_by_hand(share, numbers):
    """One sequence and one particle after another; the gradient takes ancestors as constants."""
    model, batch, noise = tiny_case(paths=5)
    uniforms = draw_uniforms(batch, numbers=numbers)
    by_hand, times = [], 0
    for i in range(2):
        context = model.encode(
            batch.u[[i]], batch.x[[i]], batch.lengths[[i]], model.initial_state(1)
        )
        states, log_w, log_p = [model.initial_state(1)] * 5, [math.log(1 / 5)] * 5, 0.0
        for t in range(6):
            for k in range(5):
                context_t = {name: values[:, t] for name, values in context.items()}
                states[k], p, q = model.step(states[k], context_t, noise[2 * k + i, None, t])
                d, z = states[k]
                log_px = model.likelihood.log_prob(
                    model.decode(d[None], z[None]), batch.x[[i], t][None]
                )[0]
                log_w[k] = log_w[k] + log_px + p.log_prob(z) - q.log_prob(z)
            step = torch.logsumexp(torch.stack(log_w), 0)  # log of p-hat_t
            log_p, log_w = log_p + step, [w - step for w in log_w]
            shares = [float(w.detach().exp()) for w in log_w]
            if t < 5 and 1 / sum(w**2 for w in shares) < share * 5:
                times += 1
                positions = (
                    [float(u) for u in uniforms[i, t]]
                    if numbers == 5
                    else [(k + float(uniforms[i, t, 0])) / 5 for k in range(5)]
                )
                ends = list(itertools.accumulate(shares))
                chosen = [next(k for k in range(5) if position < ends[k]) for position in positions]
                states, log_w = [states[k] for k in chosen], [math.log(1 / 5)] * 5
        by_hand.append(log_p)
    assert times > 3
    expected = torch.cat(by_hand)
    found = fivo(model, batch, noise, uniforms, resampling_share=share).value
    torch.testing.assert_close(found, expected)
    parameters = list(model.parameters())
    grads = (torch.autograd.grad(values.sum(), parameters) for values in (found, expected))
    for pair in zip(*grads, strict=True):
        torch.testing.assert_close(*pair)


def test_the_kl_weight_is_a_factor_in_the_log_weights():
    model, batch, noise = tiny_case(paths=1)
    uniforms = draw_uniforms(batch)
    for bound in (
        lambda w: iwae(model, batch, noise, kl_weight=w),
        lambda w: fivo(model, batch, noise, uniforms, kl_weight=w),
    ):
        torch.testing.assert_close(bound(0.25).value, bound(1.0).value + 0.75 * bound(1.0).kl)


def test_a_path_is_drawn_by_its_weight():
    weights = torch.tensor([[0.1, 0.7], [0.6, 0.3], [0.3, 0.0]])
    states = State(torch.zeros(6, 1), torch.arange(6.0)[:, None])
    bound = SequenceBound(torch.zeros(2), torch.zeros(2), weights.log() + 5, states)
    drawn = [
        bound.draw_state(torch.full((2,), (i + 0.5) / 100)).z[:, 0].tolist() for i in range(100)
    ]
    first, second = (list(values) for values in zip(*drawn, strict=True))
    assert [first.count(row) for row in (0, 2, 4)] == [10, 60, 30]
    assert [second.count(row) for row in (1, 3, 5)] == [70, 30, 0]
