"""What every model, likelihood and variant must do: a new line in MODELS is tested at once."""

import itertools
from dataclasses import replace
from functools import cache

import pytest
import torch
from crossed import is_crossed

from srnn_lab.config import ModelConfig
from srnn_lab.data import Batch
from srnn_lab.inference.bounds import draw_noise, draw_uniforms, elbo, fivo, iwae
from srnn_lab.models import MODELS, build_model
from srnn_lab.models.base import INPUTS
from srnn_lab.models.likelihoods import LIKELIHOODS

POSTERIORS = [
    {"smoothing": s, "residual": r} for s, r in itertools.product([True, False], repeat=2)
]
GATED = [{**options, "gated_transition": True} for options in POSTERIORS]
TRIDIAGONAL = [{"posterior": "tridiagonal"}]
VARIANTS = {"srnn": POSTERIORS + TRIDIAGONAL, "dkf": POSTERIORS + GATED + TRIDIAGONAL}
"""The options of the models that have any; a posterior that can look ahead is among them."""
PREDICTED = (
    "student-t",
    "gaussian-ar",
    "student-t-ar",
    "conv-ar",
    "poisson",
    "negative-binomial",
    "categorical",
)
"""Likelihoods that run with the first variant of each model alone, to save time; they know nothing
of the posterior."""
PLAIN = ("tsbn", "vrae")
"""Models that run without these likelihoods, to save time: their emission reads what that of other
models reads."""
CASES = [
    pytest.param(
        ModelConfig(
            model=model, likelihood=likelihood, x_dim=4, d_dim=5, z_dim=3, hidden_dim=6,
            num_components=3, **options
        ),
        id="-".join([model, likelihood, *(name if on else (
            f"no_{name}"
        ) for name, on in options.items())]),
    )
    for model, likelihood in itertools.product(MODELS, LIKELIHOODS)
    for options in VARIANTS.get(model, [{}])[
        : (model not in PLAIN) if likelihood in PREDICTED else None
    ]
]  # fmt: skip
CASES += [
    pytest.param(
        ModelConfig(
            model=model, likelihood=(
                "student-t-ar"
            ), x_dim=4, d_dim=5, z_dim=3, hidden_dim=6, ar_order=2,
            ar_past="predictor", ar_adaptive=True,
        ),
        id=f"{model}-student-t-ar-predictor",
    )
    for model in MODELS
]  # fmt: skip
"""Likelihoods that know the frame before."""
CASES += [
    pytest.param(
        ModelConfig(
            model=model, x_dim=4, d_dim=5, z_dim=3, hidden_dim=6, emission_layers=2,
            features_z="off" if model.startswith("vrnn") else "on",
        ),
        id=f"{model}-other_features_z",
    )
    for model in MODELS
    if "features_z" in MODELS[model].reads
]  # fmt: skip
CASES += [
    pytest.param(
        ModelConfig(model=model, x_dim=4, d_dim=5, z_dim=3, hidden_dim=6, u_dim=2),
        id=f"{model}-known_inputs",
    )
    for model in MODELS
    if set(INPUTS) <= set(MODELS[model].reads)
]
CASES += [
    pytest.param(
        ModelConfig(
            model=model, x_dim=4, d_dim=5, z_dim=3, hidden_dim=6, missing=True, stand_in="mean"
        ),
        id=f"{model}-stand_in",
    )
    for model in MODELS
    if "stand_in" in MODELS[model].reads
]
contract = pytest.mark.parametrize("config", CASES)
each_once = pytest.mark.parametrize(
    "config", [case for case in CASES if not is_crossed(**vars(case.values[0]))]
)
PATHS = 4


def particles(model, batch):
    """FIVO with a resampling at nearly every frame."""
    noise, uniforms = (
        draw_noise(model, batch, generator(), paths=PATHS),
        draw_uniforms(batch, generator()),
    )
    return fivo(model, batch, noise, uniforms, resampling_share=0.99).value


def generator():
    return torch.Generator().manual_seed(3)


OBJECTIVES = {
    "elbo": lambda model, batch: elbo(
        model, batch, noise=draw_noise(model, batch, generator())
    ).elbo.sum(1),
    "iwae": lambda model, batch: (
        iwae(model, batch, draw_noise(model, batch, generator(), paths=PATHS)).value
    ),
    "fivo": particles,
}
"""The bound of each sequence, with always the same noise."""
objectives = pytest.mark.parametrize("objective", OBJECTIVES)


def bounded(model):
    """The parameters that a bound depends on: not those of a baseline.

    A baseline only helps to estimate its gradient.
    """
    return [
        (name, values)
        for name, values in model.named_parameters()
        if not name.startswith("baseline")
    ]


def case(config, lengths=(8, 8, 8)):
    torch.manual_seed(1)
    model = build_model(config).double()
    x = torch.rand(len(lengths), max(lengths), config.x_dim, dtype=torch.float64).round()
    u = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
    u = torch.cat([u, torch.ones(*u.shape[:2], config.u_dim).double().cumsum(1)], -1)
    batch = Batch(x, u, torch.tensor(lengths))
    return model, batch, draw_noise(model, batch)


@contract
def test_shapes_and_nonnegative_kl(config):
    model, batch, noise = case(config)
    bound = elbo(model, batch, noise=noise)
    assert bound.elbo.shape == bound.kl.shape == (3, 8)
    assert bound.trace.z.shape == (3, 8, model.z_dim)
    assert (bound.kl >= 0).all()


@contract
def test_padding_changes_nothing(config):
    model, batch, noise = case(config, (8, 5, 1))
    scrambled = torch.where(batch.mask[..., None] == 1, batch.x, 9.0)
    inputs = torch.where(batch.mask[..., None] == 1, batch.u, -9.0)
    padded = elbo(model, Batch(scrambled, inputs, batch.lengths), noise=noise)
    for i, n in enumerate([8, 5, 1]):
        alone = Batch(batch.x[i : i + 1, :n], batch.u[i : i + 1, :n], torch.tensor([n]))
        single = elbo(model, alone, noise=noise[i : i + 1, :n])
        torch.testing.assert_close(single.elbo[0], padded.elbo[i, :n])
        torch.testing.assert_close(single.kl[0], padded.kl[i, :n])
        torch.testing.assert_close(single.trace.state.z[0], padded.trace.state.z[i])
        torch.testing.assert_close(single.trace.state.d[0], padded.trace.state.d[i])
        assert (padded.elbo[i, n:] == 0).all()


@contract
def test_padding_changes_neither_importance_weights_nor_particles(config):
    model, batch, _ = case(config, (8, 5, 1))
    noise, uniforms = draw_noise(model, batch, paths=4), draw_uniforms(batch)
    scrambled = torch.where(batch.mask[..., None] == 1, batch.x, 9.0)
    inputs = torch.where(batch.mask[..., None] == 1, batch.u, -9.0)
    padded = Batch(scrambled, inputs, batch.lengths)
    many = iwae(model, padded, noise), fivo(model, padded, noise, uniforms, resampling_share=0.99)
    for i, n in enumerate([8, 5, 1]):
        alone = Batch(batch.x[i : i + 1, :n], batch.u[i : i + 1, :n], torch.tensor([n]))
        own = noise[i::3, :n]
        single = (
            iwae(model, alone, own),
            fivo(model, alone, own, uniforms[[i], :n], resampling_share=0.99),
        )
        for expected, found in zip(single, many, strict=True):
            torch.testing.assert_close(expected.value[0], found.value[i])
            torch.testing.assert_close(expected.kl[0], found.kl[i])
            torch.testing.assert_close(expected.state.z, found.state.z[i::3])
            torch.testing.assert_close(expected.state.d, found.state.d[i::3])


@objectives
@contract
def test_padding_gets_no_gradient(config, objective):
    model, batch, _ = case(config, (8, 3))
    x, u = batch.x.clone().requires_grad_(), batch.u.clone().requires_grad_()
    OBJECTIVES[objective](model, Batch(x, u, batch.lengths)).sum().backward()
    assert (x.grad[1, 3:] == 0).all()
    assert (u.grad[1, 3:] == 0).all()


@objectives
@contract
def test_every_parameter_gets_a_gradient(config, objective):
    model, batch, _ = case(config)
    OBJECTIVES[objective](model, batch).sum().backward()
    for name, parameter in bounded(model):
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@contract
def test_a_frame_is_scored_by_a_model_that_has_not_seen_it(config):
    """Given z_{t-1}, prior and d_t depend on x_{<t} alone: changes from x_t on leave them."""
    model, batch, noise = case(config)
    state = model.initial_state(3)
    for t in range(1, 8):
        u = batch.u.clone()
        u[:, t + 1 :] = 5.0
        seen, changed = (model.unroll(v, None, batch.lengths, state, noise) for v in (batch.u, u))
        torch.testing.assert_close(seen.d[:, : t + 1], changed.d[:, : t + 1])
        torch.testing.assert_close(seen.prior.mu[:, : t + 1], changed.prior.mu[:, : t + 1])


@contract
def test_a_filtering_posterior_is_causal_and_a_smoothing_one_looks_ahead(config):
    model, batch, noise = case(config)
    x = batch.x.clone().requires_grad_()
    posterior = elbo(model, Batch(x, batch.u, batch.lengths), noise=noise).trace.posterior
    at_3 = posterior.mu[:, 3].sum() + posterior.logvar[:, 3].sum() + 0 * x.sum()
    future = torch.autograd.grad(at_3, x)[0][:, 4:]
    assert bool(future.any()) == (config.smoothing and config.model in VARIANTS)


@contract
def test_segments_with_carried_state_equal_one_pass(config):
    """Exactly so for filtering: what looks ahead sees no further than the end of its segment."""
    if config.posterior == "tridiagonal" or config.model == "vrae":
        pytest.skip("It always looks ahead.")
    model, batch, noise = case(replace(config, smoothing=False))
    whole, state = elbo(model, batch, noise=noise), None
    for start, end in ((0, 3), (3, 4), (4, 8)):
        part = Batch(batch.x[:, start:end], batch.u[:, start:end], torch.full((3,), end - start))
        bound = elbo(model, part, state, noise[:, start:end])
        state = bound.trace.state
        torch.testing.assert_close(bound.elbo, whole.elbo[:, start:end])
    torch.testing.assert_close(state.z, whole.trace.state.z)


@contract
def test_several_paths_are_the_single_ones_below_each_other(config):
    model, batch, _ = case(config, (8, 5, 1))
    noise = draw_noise(model, batch, torch.Generator().manual_seed(3), paths=2)
    both = elbo(model, batch, noise=noise)
    singles = [elbo(model, batch, noise=part) for part in noise.split(3)]
    torch.testing.assert_close(both.elbo, torch.cat([single.elbo for single in singles]))
    torch.testing.assert_close(
        both.trace.state.z, torch.cat([single.trace.state.z for single in singles])
    )


@contract
def test_products_in_16_bits_leave_states_and_bound_in_32_and_the_bound_close(config):
    model, batch, noise = case(config)
    model, batch, noise = model.float(), batch.to("cpu", torch.float32), noise.float()
    expected = elbo(model, batch, noise=noise)
    with torch.autocast("cpu", torch.bfloat16):
        bound = elbo(model, batch, noise=noise)
    bound.elbo.sum().backward()
    for values in (bound.elbo, *bound.trace.state, *bound.trace.prior, *bound.trace.posterior):
        assert values.dtype == torch.float32
    assert (bound.elbo.mean() - expected.elbo.mean()).abs() < 0.1 * expected.elbo.mean().abs()
    assert all(parameter.grad.isfinite().all() for _, parameter in bounded(model))


@objectives
@contract
def test_the_same_seed_gives_the_same_bound(config, objective):
    model, batch, _ = case(config)
    first, second = (OBJECTIVES[objective](model, batch) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@objectives
@contract
def test_dropout_acts_in_training_alone_and_leaves_the_model_as_it_is(config, objective):
    plain, batch, _ = case(config)
    rates = {
        "dropout_features": 0.2,
        "dropout_d": 0.3,
        "dropout_heads": 0.1,
        "dropout_emission": 0.4,
    }
    model = build_model(replace(config, **rates)).double()
    model.load_state_dict(plain.state_dict())
    expected = OBJECTIVES[objective](plain, batch)
    torch.testing.assert_close(OBJECTIVES[objective](model.eval(), batch), expected, rtol=0, atol=0)
    drawn = [OBJECTIVES[objective](model.train(), batch) for _ in range(2)]
    assert drawn[0].isfinite().all()
    assert (drawn[0] != drawn[1]).all()


@contract
def test_dropout_of_prior_and_posterior_alone_acts_in_training_alone(config):
    plain, batch, noise = case(config)
    model, *_ = case(replace(config, dropout_heads=0.5))
    torch.testing.assert_close(
        elbo(model.eval(), batch, noise=noise).kl, elbo(plain, batch, noise=noise).kl
    )
    drawn = [elbo(model.train(), batch, noise=noise).kl for _ in range(2)]
    assert torch.equal(*drawn) == ("dropout_heads" not in MODELS[config.model].reads)


@contract
def test_dropout_of_what_is_read_leaves_the_states_that_are_carried(config):
    """A GRU that forgot a share of units at every frame would have another memory in training."""
    model, batch, noise = case(replace(config, dropout_d=0.5))
    inputs = model.train().encode(batch.u, batch.x, batch.lengths, model.initial_state(3))
    if "d" in inputs:
        expected = model.eval().encode(batch.u, batch.x, batch.lengths, model.initial_state(3))
        torch.testing.assert_close(inputs["d"], expected["d"])
    trained, evaluated = (
        elbo(model.train(on), batch, noise=noise).trace.state.d for on in (True, False)
    )
    # A unit may be 0 by itself: TSBN's d is u, and a prior that reads z alone begins with mean 0.
    assert torch.equal(trained == 0, evaluated == 0)


@contract
def test_centred_inputs_are_those_less_the_mean(config):
    """As with another bias of the first layer: b - W mean."""
    if config.model == "tsbn" or config.missing:
        pytest.skip("It reads no features, or a 0 where a value is missing.")
    plain, batch, noise = case(config)
    model, mean = (
        build_model(replace(config, centred_inputs=True)).double(),
        torch.linspace(0.1, 0.9, config.x_dim),
    )
    model.load_state_dict(plain.state_dict(), strict=False)
    model.start_from(mean, torch.ones_like(mean), emission=False)
    first = next(layer for layer in plain.features if isinstance(layer, torch.nn.Linear))
    seen = torch.log1p(mean) if plain.likelihood.values == "count" else mean
    first.bias.data -= first.weight.data @ seen.double()
    torch.testing.assert_close(
        elbo(model, batch, noise=noise).elbo, elbo(plain, batch, noise=noise).elbo
    )


@contract
def test_an_emission_that_starts_from_the_mean_says_it(config):
    if config.ar_past == "predictor" or config.likelihood == "conv-ar":
        pytest.skip("Its means are relative to the frame before.")
    model, batch, noise = case(config)
    mean, variance = (
        torch.linspace(0.1, 0.9, config.x_dim).double(),
        torch.linspace(0.5, 2, config.x_dim).double(),
    )
    model.emission[-1].weight.data.zero_()
    if config.likelihood == "nade":
        model.likelihood.to_value.data.zero_()
    model.start_from(mean, variance, emission=True)
    trace = elbo(model, batch, noise=noise).trace
    params = model.decode(trace.d, trace.z)
    if config.likelihood == "categorical":
        mean = mean / mean.sum()
    torch.testing.assert_close(model.likelihood.mean(params), mean.expand(3, 8, -1))
    expected = variance + 1e-6
    if config.likelihood.startswith(
        "student-t"
    ):  # the floor is that of the squared scale, half the variance
        expected = variance + 2e-6
    elif config.likelihood in ("bernoulli", "nade", "categorical"):
        expected = mean * (1 - mean)
    elif model.likelihood.values == "count":
        expected = mean if config.likelihood == "poisson" else variance
    torch.testing.assert_close(model.likelihood.variance(params), expected.expand(3, 8, -1))


@pytest.mark.parametrize(
    "config", [case for case in CASES if case.values[0].likelihood == "bernoulli"]
)
def test_nasmc_teaches_the_posterior_by_log_q_alone_and_the_generative_model_by_the_rest(config):
    model, batch, _ = case(config, (8, 3))
    noise, uniforms, seen = draw_noise(model, batch, paths=PATHS), draw_uniforms(batch), []
    with model.posterior_apart():
        fivo(model, batch, noise, uniforms, see=seen.append)
    total = {
        name: sum(getattr(frame, name).sum() for frame in seen)
        for name in ("log_px", "log_p", "log_q")
    }
    names, parameters = zip(*bounded(model), strict=True)

    def learning(value):
        if not value.requires_grad:
            return set()
        gradients = torch.autograd.grad(value, parameters, allow_unused=True, retain_graph=True)
        return {
            name
            for name, values in zip(names, gradients, strict=True)
            if values is not None and values.any()
        }

    posterior, generative = learning(total["log_q"]), learning(total["log_px"] + total["log_p"])
    assert posterior.isdisjoint(generative)
    assert posterior | generative == set(names)
    assert bool(posterior) == ("z_dim" in MODELS[config.model].reads)


def test_unknown_models_and_likelihoods_are_refused():
    with pytest.raises(ValueError, match="choose one of srnn"):
        build_model(ModelConfig(model="unknown"))
    with pytest.raises(ValueError, match="choose one of bernoulli"):
        build_model(ModelConfig(likelihood="unknown"))


@contract
def test_a_model_says_whether_its_posterior_corrects_the_prior(config):
    corrects = config.residual and config.posterior == "networks"
    assert build_model(config).residual == (config.model in VARIANTS and corrects)


@cache
def looks(config):
    """The shapes of a model's weights, and its bound."""
    built, batch, noise = case(config)
    shapes = {key: values.shape for key, values in built.state_dict().items()}
    return shapes, elbo(built, batch, noise=noise).elbo.tolist() if noise.shape[
        -1
    ] == built.z_dim else None


@pytest.mark.parametrize(
    "name",
    # ``stand_in`` counts where something is missing: see ``test_missing.py``.
    sorted({n for c in (*MODELS.values(), *LIKELIHOODS.values()) for n in c.reads} - {"stand_in"}),
)
@pytest.mark.parametrize(
    ("model", "likelihood"),
    [pair for pair in itertools.product(MODELS, LIKELIHOODS) if not is_crossed(*pair)],
)
def test_a_setting_is_said_to_count_exactly_where_it_changes_the_model(name, model, likelihood):
    changed = {
        "posterior": "tridiagonal",
        "smoothing": False, "residual": False, "gated_transition": True, "z_dim": 2,
        "num_components": 2,
        "dropout_heads": 0.5, "ar_order": 2, "ar_past": "taps", "ar_adaptive": True,
        "u_dim": 2, "feedback": False,
        "student_df": 9.0, "conv_channels": 3, "features_z": "off" if model.startswith(
            "vrnn"
        ) else (
            "on"
        ),
    }[name]  # fmt: skip
    config = ModelConfig(
        model=model,
        likelihood=likelihood,
        x_dim=4,
        d_dim=5,
        z_dim=3,
        hidden_dim=6,
        num_components=3,
    )
    read = name in (*MODELS[model].reads, *LIKELIHOODS[likelihood].reads)
    if name in INPUTS and not read:
        with pytest.raises(ValueError, match="has no input but"):
            looks(replace(config, **{name: changed}))
    else:
        assert (looks(config) != looks(replace(config, **{name: changed}))) == read
