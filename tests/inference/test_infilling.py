"""A stretch given both of its ends: exact conditionals, by enumeration and of Gaussians."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from linear_gaussian import LinearDKF, LinearSRNN
from tiny import music_run, roll, untrained

from srnn_lab.config import EvaluationConfig, ModelConfig
from srnn_lab.data import make_batch
from srnn_lab.inference import infilling
from srnn_lab.inference.bounds import elbo
from srnn_lab.inference.infilling import draw_fillings, infill_frames
from srnn_lab.models import MODELS, build_model

SIZES = {"x_dim": 2, "d_dim": 4, "z_dim": 2, "hidden_dim": 5}


def fillings(model, frames, start, stop, **options):
    generator = torch.Generator().manual_seed(0)
    return draw_fillings(
        model, torch.as_tensor(frames), start, stop, generator=generator, **options
    )


@pytest.mark.parametrize(("start", "stop"), [(0, 2), (2, 4), (3, 5)])
@torch.no_grad()
def test_binary_fillings_have_the_probabilities_that_enumeration_gives(start, stop):
    torch.manual_seed(3)
    model = build_model(ModelConfig(model="rnn", **SIZES)).eval()
    for weight in model.parameters():  # so that frames depend on those before them
        weight.mul_(4)
    frames = torch.rand(5, 2).round().numpy()
    whole = np.stack([frames] * 16)
    whole[:, start:stop] = np.array([*product([0, 1], repeat=4)]).reshape(16, 2, 2)
    log_p = elbo(model, make_batch(list(whole))).log_px.sum(1)  # exact: there is no z
    expected = log_p.softmax(0)
    found = fillings(model, frames, start, stop, particles=20_000)
    which = found.frames.flatten(1) @ torch.tensor([8.0, 4, 2, 1])
    share = torch.zeros(16).index_add(0, which.long(), found.log_weights.softmax(0))
    torch.testing.assert_close(share, expected, atol=0.015, rtol=0)
    # The past alone says something else, but where the stretch is the end.
    of_past = elbo(model, make_batch([x[:stop] for x in whole])).log_px.sum(1).softmax(0)
    assert ((of_past - expected).abs().sum() > 0.1) == (stop < 5)


def conditional(model, frames, start, stop):
    """Mean and covariance of the stretch, from log p(x): a quadratic function of it."""
    n = 2 * (stop - start)

    def log_p(values):
        filled = frames.copy()
        filled[start:stop] = values.reshape(-1, 2)
        return model.log_evidence(filled)

    unit, at_0 = np.eye(n), log_p(np.zeros(n))
    one = np.array([log_p(e) for e in unit])
    two = np.array([[log_p(a + b) for a in unit] for b in unit])
    precision = -(two - one[:, None] - one[None] + at_0)
    linear = one - at_0 + np.diag(precision) / 2
    covariance = np.linalg.inv(precision)
    return covariance @ linear, covariance


@pytest.mark.parametrize(
    ("kind", "posterior", "near"),
    [
        (LinearDKF, "smoothing", 16),
        (LinearSRNN, "smoothing", 16),
        (LinearSRNN, "filtering", 1),
        (LinearSRNN, "prior", 16),
    ],
)
def test_real_fillings_have_the_moments_of_the_exact_conditional(
    kind, posterior, near, monkeypatch
):
    monkeypatch.setattr(infilling, "NEAR", near)
    model, frames = kind(posterior), np.random.default_rng(1).standard_normal((7, 2))
    start, stop = 3, 5
    mean, covariance = conditional(model, frames, start, stop)
    found = fillings(model, frames, start, stop, particles=40_000)
    values, weights = found.frames.flatten(1).numpy(), found.log_weights.softmax(0).numpy()
    assert np.abs(weights @ values - mean).max() < 0.06
    np.testing.assert_allclose(np.cov(values.T, aweights=weights, bias=True), covariance, atol=0.06)
    # The past alone leaves another mean.
    ahead, _ = conditional(model, frames[:stop], start, stop)
    assert np.abs(ahead - mean).max() > 0.2


@pytest.mark.parametrize(
    ("name", "first_frame"), [*((name, False) for name in MODELS), ("srnn", True), ("vrae", True)]
)
def test_every_model_fills_a_stretch_and_leaves_the_rest(name, first_frame):
    run = music_run()
    run = replace(
        run,
        model=replace(run.model, model=name),
        evaluation=EvaluationConfig(first_frame=first_frame),
    )
    checkpoint, given = untrained(run), roll(12)
    found = infill_frames(checkpoint, given, 5, 8, particles=16, seed=1)
    outside = [*range(5), *range(8, 12)]
    for values in found:
        assert values.shape == given.shape
        np.testing.assert_array_equal(values[outside], given[outside])
    assert set(np.unique(found.frames)) == {0, 1}
    assert ((found.mean[5:8] > 0) & (found.mean[5:8] < 1)).all()
    blank = given.copy()
    blank[5:8] = 1  # what the stretch held is not looked at
    again = infill_frames(checkpoint, blank, 5, 8, particles=16, seed=1)
    np.testing.assert_array_equal(again.frames, found.frames)
    other = infill_frames(checkpoint, given, 5, 8, particles=16, seed=2)
    assert (other.frames != found.frames).any()


def test_inputs_that_are_known_are_read_in_the_stretch_too():
    torch.manual_seed(0)
    model = build_model(ModelConfig(**SIZES, u_dim=1)).eval()
    frames = torch.rand(9, 3).round()
    found = fillings(model, frames, 3, 6, particles=8)
    frames[4, 2] += 5
    assert not torch.equal(fillings(model, frames, 3, 6, particles=8).params, found.params)


@pytest.mark.parametrize(
    ("start", "stop", "particles"), [(0, 2, 4), (3, 3, 4), (4, 13, 4), (2, 4, 0)]
)
def test_a_stretch_that_does_not_lie_in_the_clip_is_refused(start, stop, particles):
    checkpoint = untrained(music_run())
    with pytest.raises(ValueError, match="one frame or more between 1 and 12"):
        infill_frames(checkpoint, roll(12), start, stop, particles=particles)
