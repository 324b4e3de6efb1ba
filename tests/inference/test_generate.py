from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import SIZES, music_run, roll, untrained
from torch import nn

from srnn_lab.config import EvaluationConfig, ModelConfig
from srnn_lab.inference.sampling import continue_frames, draw, generate
from srnn_lab.models import MODELS, build_model
from srnn_lab.models.likelihoods import LIKELIHOODS


def tiny_model(likelihood="gaussian", name="srnn"):
    torch.manual_seed(0)
    return build_model(ModelConfig(model=name, likelihood=likelihood, x_dim=5, **SIZES)).eval()


def drawn_by_hand(model, prefix, num_frames, generator, temperature=1.0):
    """Algorithm 1 over the prefix, then the generative model of Eq. (1), written out by frame."""
    batch, length, x_dim = prefix.shape
    z_t, h = torch.zeros(batch, model.z_dim), torch.zeros(1, batch, model.config.d_dim)
    u_t = torch.zeros(batch, 1, x_dim)
    if length:
        noise = temperature * torch.randn(batch, length, model.z_dim, generator=generator)
        u = torch.cat([u_t, prefix[:, :-1]], 1)
        d, h = nn.GRU.forward(model.gru_d, model.features(u), h)
        backwards, _ = nn.GRU.forward(
            model.a.gru, torch.cat([d, model.features(prefix)], -1).flip(1)
        )
        a = backwards.flip(1)
        for t in range(length):
            prior = model.prior(z_t, model.prior.project(d[:, t : t + 1])[:, 0])
            correction, logvar_q = model.posterior(
                z_t, model.posterior.project(a[:, t : t + 1])[:, 0]
            )
            z_t = prior.mu + correction + torch.exp(logvar_q / 2) * noise[:, t]
        u_t = prefix[:, -1:]
    drawn = []
    for _ in range(num_frames):
        d_t, h = nn.GRU.forward(model.gru_d, model.features(u_t), h)
        mu_p, logvar_p = model.prior(z_t, model.prior.project(d_t)[:, 0])
        sigma_p = temperature * torch.exp(logvar_p / 2)
        z_t = mu_p + sigma_p * torch.randn(batch, 1, model.z_dim, generator=generator)[:, 0]
        params = model.emission(torch.cat([d_t[:, 0], z_t], -1))[:, None]
        if params.shape[-1] == x_dim:
            u_t = torch.bernoulli(torch.sigmoid(params / temperature), generator=generator)
        else:
            mu, logvar = params.chunk(2, -1)
            deviation = torch.sqrt(torch.exp(logvar) + model.config.variance_floor)
            u_t = mu + temperature * deviation * torch.randn(batch, 1, x_dim, generator=generator)
        drawn.append(u_t)
    return torch.cat(drawn, 1)


@pytest.mark.parametrize("first_frame", [True, False])
@pytest.mark.parametrize("length", [0, 5])
def test_a_continuation_is_what_was_given_and_then_what_is_drawn_after_it(first_frame, length):
    config = music_run()
    checkpoint = untrained(replace(config, evaluation=EvaluationConfig(first_frame=first_frame)))
    given = roll(length) if length else None
    prefix = torch.as_tensor(given)[None] if length else None
    drawn = draw(
        checkpoint.model, 4, prefix=prefix, first_frame=first_frame, temperature=0.5, seed=3
    )
    found = continue_frames(checkpoint, given, 4, temperature=0.5, seed=3)
    expected = np.concatenate([roll(length), drawn.frames[0].numpy()])
    np.testing.assert_array_equal(found.frames, expected)
    p = torch.sigmoid(drawn.params[0]).numpy()
    np.testing.assert_allclose(found.mean, np.concatenate([roll(length), p]), rtol=1e-6)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("length", [0, 1, 7])
@pytest.mark.parametrize("temperature", [1.0, 0.3, 2.0])
@torch.no_grad()
def test_frames_are_drawn_from_the_prediction_given_all_that_came_before(
    likelihood, length, temperature
):
    model = tiny_model(likelihood)
    prefix = torch.rand(2, length, 5).round()
    expected = drawn_by_hand(model, prefix, 4, torch.Generator().manual_seed(3), temperature)
    given = prefix if length else None
    found = generate(model, 4, prefix=given, batch_size=2, temperature=temperature, seed=3)
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_the_first_frame_after_a_prefix_follows_the_predicted_distribution():
    model = tiny_model()
    prefix = torch.randn(1, 6, 5).expand(4000, 6, 5)
    drawn = generate(model, 1, prefix=prefix, seed=1)[:, 0]
    expected = drawn_by_hand(model, prefix, 1, torch.Generator().manual_seed(2))[:, 0]
    error = (drawn.var(0) / 4000 + expected.var(0) / 4000).sqrt()
    assert ((drawn.mean(0) - expected.mean(0)).abs() < 6 * error).all()
    torch.testing.assert_close(drawn.std(0), expected.std(0), rtol=0.1, atol=0)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_draws_batches_of_frames_of_its_size(name, likelihood):
    model = tiny_model(likelihood, name)
    assert generate(model, 3, batch_size=4).shape == (4, 3, 5)
    assert generate(model, 3, prefix=torch.zeros(2, 6, 5)).shape == (2, 3, 5)
    assert not generate(model, 3).requires_grad


def test_the_seed_alone_decides_what_is_drawn():
    model = tiny_model()
    torch.manual_seed(1)
    first = generate(model, 6, seed=4)
    torch.manual_seed(2)
    assert torch.equal(generate(model, 6, seed=4), first)
    assert torch.equal(generate(model, 3, seed=4), first[:, :3])
    assert not torch.equal(generate(model, 6, seed=5), first)


def test_drawing_leaves_the_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    model = tiny_model()
    torch.manual_seed(1)
    generate(model, 2, prefix=torch.zeros(1, 2, 5))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("num_frames", [0, -3])
def test_at_least_one_frame_is_drawn(num_frames):
    with pytest.raises(ValueError, match=f"num_frames is {num_frames}; at least 1"):
        generate(tiny_model(), num_frames)


def test_a_prefix_without_a_frame_is_refused():
    with pytest.raises(ValueError, match="A sequence has 0 frames; at least 1"):
        generate(tiny_model(), 2, prefix=torch.zeros(1, 0, 5))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", MODELS)
def test_at_temperature_0_the_seed_decides_nothing(name, likelihood):
    model, prefix = tiny_model(likelihood, name), torch.rand(1, 6, 5).round()
    found = [generate(model, 5, prefix=prefix, temperature=0.0, seed=seed) for seed in (1, 2)]
    assert torch.equal(*found)
    assert not torch.equal(
        *(generate(model, 5, prefix=prefix, temperature=2.0, seed=seed) for seed in (1, 2))
    )


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@torch.no_grad()
def test_at_temperature_0_z_is_its_mean_and_x_the_likeliest_value(likelihood):
    model = tiny_model(likelihood)
    for parameter in model.parameters():
        # New biases are 0, so that no value would be likelier.
        parameter.add_(torch.randn_like(parameter), alpha=0.1)
    state, u_t = model.initial_state(1), torch.zeros(1, 1, 5)
    for x_t in generate(model, 4, temperature=0.0)[0]:
        context = model.encode(u_t, None, torch.ones(1, dtype=torch.int64), state)
        state, prior, _ = model.step(
            state, {name: values[:, 0] for name, values in context.items()}, torch.zeros(1, 3)
        )
        assert torch.equal(state.z, prior.mu)
        expected = model.likelihood.mean(model.decode(state.d[:, None], state.z[:, None]))
        expected = expected if likelihood == "gaussian" else (expected > 0.5).float()
        torch.testing.assert_close(x_t, expected[0, 0])
        u_t = x_t[None, None]


@torch.no_grad()
def test_what_is_returned_beside_the_frames_is_what_they_were_drawn_from():
    model = tiny_model("bernoulli")
    prefix = torch.rand(1, 6, 5).round().expand(4000, 6, 5)
    drawn = draw(model, 1, prefix=prefix, seed=1)
    p = model.likelihood.mean(drawn.params)
    error = (p * (1 - p)).mean(0).div(4000).sqrt()
    assert ((drawn.frames.mean(0) - p.mean(0)).abs() < 6 * error).all()
    assert torch.equal(generate(model, 1, prefix=prefix, seed=1), drawn.frames)


@pytest.mark.parametrize("temperature", [-0.1, 10.5, float("nan")])
def test_a_temperature_out_of_range_is_refused(temperature):
    with pytest.raises(
        ValueError, match=f"temperature is {temperature}; expected a number from 0 to 10"
    ):
        generate(tiny_model(), 2, temperature=temperature)


def test_a_model_that_gives_no_finite_numbers_is_named():
    model = tiny_model("bernoulli")
    model.emission[-1].bias.data[2] = float("inf")
    with pytest.raises(FloatingPointError, match="Frame 1 is not of finite numbers"):
        generate(model, 3)


def test_frames_are_drawn_without_dropout_in_whichever_mode_the_model_comes():
    rates = dict.fromkeys(
        ("dropout_features", "dropout_d", "dropout_heads", "dropout_emission"), 0.5
    )
    model = build_model(ModelConfig(x_dim=5, **SIZES, **rates))
    for prefix in (None, torch.zeros(1, 3, 5)):
        expected = draw(model.eval(), 4, prefix=prefix)
        found = draw(model.train(), 4, prefix=prefix)
        assert torch.equal(found.params, expected.params)
        assert model.training
