from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import SIZES, music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.inspection import clip_batch
from srnn_lab.analysis.interventions import SOURCES, decode_path, posterior_path, replace_latents
from srnn_lab.config import EvaluationConfig, ModelConfig
from srnn_lab.inference.bounds import draw_noise, elbo
from srnn_lab.models import MODELS

LATENT = [name for name in MODELS if "z_dim" in MODELS[name].reads]
SEED = 3


def checkpoint(name="srnn", features="roll", first_frame=False, **variant):
    """A model of random weights, large enough that its z moves its frames."""
    run = music_run() if features == "roll" else speech_run(features=features)
    model = ModelConfig(
        model=name, x_dim=run.model.x_dim, likelihood=run.model.likelihood, **SIZES, **variant
    )
    tested = untrained(
        replace(run, model=model, evaluation=EvaluationConfig(first_frame=first_frame))
    )
    with torch.no_grad():
        for weight in tested.model.double().parameters():
            weight.mul_(1.5)
    return tested


@pytest.fixture(autouse=True)
def in_double_precision(monkeypatch):
    """Such a model enlarges a rounding error: in single precision two right paths part by 1e-3."""
    monkeypatch.setattr("srnn_lab.analysis.interventions.clip_batch", batch_of)


def batch_of(tested, signal):
    frames, batch = clip_batch(tested, signal)
    return frames, batch.to(torch.float64)


def clip_of(features="roll"):
    return roll(14) if features == "roll" else wave(0.25)


def parts(tested, signal):
    """The model, its batch of the clip, its initial state, and the noise of ``SEED``."""
    _, batch = batch_of(tested, signal)
    noise = draw_noise(tested.model, batch, torch.Generator().manual_seed(SEED))
    return tested.model, batch, tested.model.initial_state(1), noise


def assert_is(found, model, batch, d, z):
    """A reconstruction is that of the path d, z."""
    params = model.decode(d, z)
    for values, expected in (
        (found.z, z),
        (found.log_px, model.likelihood.log_prob(params, batch.x)),
        (found.mean, model.likelihood.mean(params)),
    ):
        np.testing.assert_allclose(values, expected[0].numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("features", ["roll", "raw", "log-mel"])
@pytest.mark.parametrize("name", LATENT)
@torch.no_grad()
def test_a_posterior_sample_and_mean_are_the_paths_of_the_elbo(name, features):
    tested = checkpoint(name, features)
    model, batch, _, noise = parts(tested, clip_of(features))
    found = replace_latents(tested, clip_of(features), seed=SEED)
    assert list(found) == [source for source in SOURCES if source != "another clip"]
    for source, of_path in (
        ("posterior sample", noise),
        ("posterior mean", torch.zeros_like(noise)),
    ):
        trace = elbo(model, batch, noise=of_path).trace
        assert_is(found[source], model, batch, trace.d, trace.z)


@pytest.mark.parametrize("name", LATENT)
@torch.no_grad()
def test_a_prior_sample_is_generation_that_is_fed_the_clips_own_past(name):
    """Frame by frame as ``generate``, with the observed frame as next input, not the drawn one."""
    tested = checkpoint(name)
    model, batch, state, noise = parts(tested, clip_of())
    d, z = [], []
    for u_t, noise_t in zip(batch.u.split(1, 1), noise.split(1, 1), strict=True):
        trace = model.unroll(u_t, None, torch.ones(1, dtype=torch.int64), state, noise_t)
        state = trace.state
        d.append(trace.d)
        z.append(trace.z)
    found = replace_latents(tested, clip_of(), seed=SEED)["prior sample"]
    assert_is(found, model, batch, torch.cat(d, 1), torch.cat(z, 1))


def d_along(model, batch, z):
    """d_{1:T} given z_{1:T}, by the equation of each model's recurrence."""
    state = model.initial_state(1)
    context = model.encode(batch.u, batch.x, batch.lengths, state)
    if "d" in context:  # srnn, dkf: d does not know z
        return context["d"]
    if "begins" in context:  # vrae: d_0 is made of z_1
        d = model.gru_d(context["for_d"], torch.tanh(model.first_d(model.features_z(z[:, 0]))))
        return torch.cat([d, torch.ones_like(d[..., :1])], -1)
    d_t, z_tm1, d = state.d, state.z, []
    for t, for_d in enumerate(context["for_d"].unbind(1)):
        if "a" in context:  # storn: d_t = GRU(d_{t-1}, z_t, u_t)
            d_t = model.gru_d(d_t.chunk(2, -1)[0], z[:, t], for_d)
            d_t = torch.cat([d_t, context["a"][:, t]], -1)
        else:  # vrnn: d_t = GRU(d_{t-1}, z_{t-1}, u_t)
            d_t = model.gru_d(d_t, model.features_z(z_tm1), for_d)
        z_tm1 = z[:, t]
        d.append(d_t)
    return torch.stack(d, 1)


@pytest.mark.parametrize("first_frame", [True, False])
@pytest.mark.parametrize("name", LATENT)
@torch.no_grad()
def test_zero_is_decoded_with_the_d_that_goes_with_it(name, first_frame):
    tested = checkpoint(name, first_frame=first_frame)
    model, batch, _, noise = parts(tested, clip_of())
    zero = torch.zeros_like(noise)
    found = replace_latents(tested, clip_of(), seed=SEED)["zero"]
    assert_is(found, model, batch, d_along(model, batch, zero), zero)


@pytest.mark.parametrize("name", LATENT)
@torch.no_grad()
def test_another_clips_z_is_put_in_over_and_over(name):
    tested = checkpoint(name)
    model, batch, _, _ = parts(tested, clip_of())
    _, batch_other, _, noise_other = parts(tested, roll(6, first=50))
    z_other = elbo(model, batch_other, noise=noise_other).trace.z
    z = z_other.repeat(1, 3, 1)[:, : batch.x.shape[1]]
    other = posterior_path(tested, roll(6, first=50), seed=SEED)
    found = replace_latents(tested, clip_of(), other=other, seed=SEED)["another clip"]
    assert_is(found, model, batch, d_along(model, batch, z), z)


@pytest.mark.parametrize("name", LATENT)
def test_a_clips_own_z_in_its_place_changes_nothing(name):
    tested = checkpoint(name)
    found = replace_latents(
        tested, clip_of(), other=posterior_path(tested, clip_of(), seed=SEED), seed=SEED
    )
    own, sample = found["another clip"], found["posterior sample"]
    np.testing.assert_allclose(own.mean, sample.mean, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(own.log_px, sample.log_px, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", LATENT)
def test_a_stretch_is_replaced_and_nothing_before_it(name):
    tested = checkpoint(name)
    times = tested.frontend.times(14)[1:]
    start, stop = times[4] - 0.1, times[8] - 0.1
    found = replace_latents(tested, clip_of(), start=start, stop=stop, seed=SEED)
    zero, sample = found["zero"], found["posterior sample"]
    np.testing.assert_array_equal(~zero.z.any(1), (times >= start) & (times < stop))
    np.testing.assert_allclose(zero.log_px[:4], sample.log_px[:4], rtol=1e-5)
    moved = np.abs(zero.log_px[4:8] - sample.log_px[4:8]).max()
    # VRAE reads z_1 alone. Some CPUs round a product of matrices differently in each row.
    assert moved < 1e-13 if name == "vrae" else moved > 1e-3


def test_the_same_seed_gives_the_same_paths_and_another_gives_others():
    first, again, other = (
        replace_latents(checkpoint(), clip_of(), seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first["prior sample"].z, again["prior sample"].z)
    assert (first["prior sample"].z != other["prior sample"].z).any()
    np.testing.assert_allclose(first["zero"].mean, other["zero"].mean, atol=1e-6)


def test_a_clip_of_the_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="trained on MIDI and was given audio"):
        replace_latents(checkpoint(), wave())
    with pytest.raises(ValueError, match="trained on MIDI and was given audio"):
        posterior_path(checkpoint(), wave())


@pytest.mark.parametrize("name", LATENT)
@torch.no_grad()
def test_a_given_path_is_decoded_with_d_along_it(name):
    tested = checkpoint(name)
    model, batch, _, _ = parts(tested, clip_of())
    z = torch.randn(
        1, batch.x.shape[1], 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    found, d = decode_path(tested, clip_of(), z[0].numpy()), d_along(model, batch, z)
    assert_is(found, model, batch, d, z)
    variance = model.likelihood.variance(model.emit(d, z, batch.u))[0]
    np.testing.assert_allclose(found.logvar, variance.log(), rtol=1e-4, atol=1e-4)


def test_a_path_of_another_length_is_refused():
    with pytest.raises(ValueError, match="The path has 3 frames; the clip has 13"):
        decode_path(checkpoint(), clip_of(), np.zeros((3, 3)))
