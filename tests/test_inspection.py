from dataclasses import replace

import numpy as np
import pytest
import torch

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig, EvaluationConfig, ModelConfig, RunConfig
from srnn_lab.data import Frontend, widen
from srnn_lab.data.storage import narrow
from srnn_lab.figures import clip_figure
from srnn_lab.inspection import find_changes, inspect_signal
from srnn_lab.models import MODELS, build_model
from srnn_lab.transitions import measure_transitions, near_changes, roc_area

RATE = 16000
DATA = {
    "roll": (DataConfig(), 88),
    "raw": (DataConfig(data="voice", features="raw"), 200),
    "log-mel": (DataConfig(data="voice", features="log-mel", frame_length=160), 40),
}


def checkpoint(features, first_frame=False, likelihood=None, name="srnn"):
    torch.manual_seed(0)
    data, x_dim = DATA[features]
    likelihood = likelihood or ("bernoulli" if features == "roll" else "gaussian")
    model = ModelConfig(model=name, likelihood=likelihood, x_dim=x_dim, d_dim=6, z_dim=3, hidden_dim=8)
    config = RunConfig(model=model, data=data, evaluation=EvaluationConfig(first_frame=first_frame))
    return Checkpoint(config, build_model(model).eval(), Frontend.fit(data, x_dim, [tones(440)]))


def tones(*frequencies, seconds=0.4):
    """Tones with a gap of silence after each."""
    t = np.arange(int(seconds * RATE)) / RATE
    gap = np.zeros(RATE // 10)
    noise = np.random.default_rng(0).normal(size=len(frequencies) * (len(t) + len(gap)))
    parts = [np.concatenate([0.5 * np.sin(2 * np.pi * f * t), gap]) for f in frequencies]
    return (np.concatenate(parts) + 1e-4 * noise).astype(np.float32)


def roll(*chords, frames=4):
    out = np.zeros((frames * len(chords), 88), np.float32)
    for i, chord in enumerate(chords):
        out[i * frames : (i + 1) * frames, list(chord)] = 1
    return out


SIGNALS = {
    "roll": roll((30, 34, 37), (32, 35, 39), (30, 34, 37)),
    "raw": tones(440, 660),
    "log-mel": tones(440, 660),
}


@pytest.mark.parametrize("features", DATA)
@pytest.mark.parametrize("first_frame", [True, False])
def test_an_inspection_has_a_value_for_each_scored_frame(features, first_frame):
    tested = checkpoint(features, first_frame)
    x_dim = tested.config.model.x_dim
    frames = tested.frontend.frames(SIGNALS[features], x_dim)
    clip = inspect_signal(tested, SIGNALS[features])
    scored = len(frames) - (not first_frame)
    assert clip.kl.shape == clip.log_px.shape == clip.times.shape == clip.active.shape == (scored,)
    assert clip.mean.shape == clip.logvar.shape == (scored, x_dim)
    assert clip.mu_q.shape == clip.logvar_p.shape == (scored, 3)
    assert (clip.kl >= 0).all()
    np.testing.assert_array_equal(clip.frames, frames[len(frames) - scored :])
    assert clip.times[-1] == pytest.approx(tested.frontend.times(len(frames))[-1])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("features", "likelihood"), [("roll", "nade"), ("log-mel", "gaussian-mixture")])
def test_every_model_and_likelihood_is_inspected_and_drawn(name, features, likelihood):
    tested = checkpoint(features, likelihood=likelihood, name=name)
    clip = inspect_signal(tested, SIGNALS[features])
    assert all(np.isfinite(values).all() for values in clip.arrays().values())
    assert len(clip_figure(tested, SIGNALS[features], clip).data) > 0


def test_one_path_gives_the_likelihoods_own_variance_and_more_paths_give_at_least_that():
    tested = checkpoint("raw")
    one, many = (inspect_signal(tested, SIGNALS["raw"], num_samples=n) for n in (1, 64))
    assert np.isfinite(one.logvar).all()
    assert np.exp(many.logvar).mean() > np.exp(one.logvar).mean()


@pytest.mark.parametrize("likelihood", ["bernoulli", "nade"])
def test_the_variance_of_notes_is_that_of_their_mean(likelihood):
    """p(1 - p) is exact for the mixture over paths too: E[p(1-p)] + Var[p] = E[p] (1 - E[p])."""
    clip = inspect_signal(checkpoint("roll", likelihood=likelihood), SIGNALS["roll"])
    np.testing.assert_allclose(np.exp(clip.logvar), clip.mean * (1 - clip.mean), rtol=1e-3)


def test_chord_changes_are_the_frames_that_differ_from_the_one_before():
    changes, active = find_changes(SIGNALS["roll"], SIGNALS["roll"], DATA["roll"][0])
    assert changes.tolist() == [4, 8]
    assert active.all()


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_onsets_are_where_the_tones_begin_and_silence_is_not_active(features):
    data, x_dim = DATA[features]
    signal = np.concatenate([np.zeros(RATE // 2, np.float32), tones(440, 660, 550)])
    frontend = checkpoint(features).frontend
    frames = frontend.frames(signal, x_dim)
    changes, active = find_changes(signal, frames, data)
    times = frontend.times(len(frames))
    for start in (0.5, 1.0, 1.5):
        assert np.abs(times[changes] - start).min() < 0.06
    assert len(changes) <= 6
    assert not active[times < 0.4].any()
    assert active[(times > 0.6) & (times < 0.8)].all()


def test_a_clip_of_the_wrong_kind_or_length_is_refused():
    with pytest.raises(ValueError, match="trained on audio and was given MIDI"):
        inspect_signal(checkpoint("raw"), SIGNALS["roll"])
    with pytest.raises(ValueError, match="trained on MIDI and was given audio"):
        inspect_signal(checkpoint("roll"), SIGNALS["raw"])
    with pytest.raises(ValueError, match="1 frame"):
        inspect_signal(checkpoint("roll"), SIGNALS["roll"][:1])
    with pytest.raises(ValueError, match="at most 12000"):
        inspect_signal(checkpoint("roll"), np.tile(SIGNALS["roll"], (1001, 1)))


def test_a_model_too_wide_for_the_length_of_a_clip_is_refused_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr("srnn_lab.inspection.MAX_FRAMES", 20)
    monkeypatch.setattr("srnn_lab.inspection.MAX_WIDTH", 50)
    with pytest.raises(ValueError, match="12 frames is too long for a model 88 values wide"):
        inspect_signal(checkpoint("roll"), SIGNALS["roll"])
    assert len(inspect_signal(checkpoint("roll"), SIGNALS["roll"][:11]).kl) == 10


def test_a_model_that_gives_no_finite_numbers_is_named():
    broken = checkpoint("roll")
    broken.model.emission[-1].bias.data[2] = float("inf")
    with pytest.raises(FloatingPointError, match="not finite numbers for this clip"):
        inspect_signal(broken, SIGNALS["roll"])


def test_roc_area_by_hand():
    scores = np.array([1.0, 2.0, 2.0, 3.0])
    # Pairs (positive, negative): (2, 1) won, (2, 2) tied, (3, 1) won, (3, 2) won.
    assert roc_area(scores, np.array([False, True, False, True])) == pytest.approx(3.5 / 4)
    with pytest.raises(ValueError, match="0 of 4"):
        roc_area(scores, np.zeros(4, bool))


def test_frames_near_a_change():
    clip = inspect_signal(checkpoint("roll"), SIGNALS["roll"])
    clip = replace(clip, changes=np.array([0, 6]))
    assert np.flatnonzero(near_changes(clip, 2)).tolist() == [0, 1, 2, 4, 5, 6, 7, 8]


def surprised(model, tested):
    """Replace a model's KL by how much its frame differs from the one before, keeping everything else."""

    def unroll(u, x, lengths, state, noise, original=model.unroll):
        trace = original(u, x, lengths, state, noise)
        moved = (x - u).abs().sum(-1, keepdim=True).expand_as(trace.prior.mu)
        return trace._replace(posterior=trace.prior._replace(mu=trace.prior.mu + moved))

    model.unroll = unroll
    return tested


def test_a_kl_that_follows_the_changes_has_an_area_of_one_and_larger_splices():
    tested = checkpoint("roll")
    songs = [roll(*[(30 + i, 34, 40 + j) for j in (0, 2, 1, 2, 0)], frames=6) for i in range(4)]
    result = measure_transitions(surprised(tested.model, tested), songs, num_shifts=200)
    assert result.auc == 1
    assert result.shifts_better == 0
    assert abs(result.null_mean - 0.5) < 0.1
    assert result.splice_larger == 1
    assert result.splice > result.uncut
    with pytest.raises(ValueError, match="at least two"):
        measure_transitions(tested, songs[:1])


@pytest.mark.parametrize("features", DATA)
def test_signals_in_their_smallest_type_have_the_same_transitions(features):
    """One waveform is int16; the other exceeds full scale, so it is float32, and both stand in one splice."""
    stored = [narrow(SIGNALS[features]), narrow(2.5 * SIGNALS[features])]
    assert stored[0].dtype != np.float32
    found, expected = (
        measure_transitions(checkpoint(features), signals, num_shifts=5)
        for signals in (stored, [widen(signal) for signal in stored])
    )
    assert found == expected


@pytest.mark.parametrize("features", DATA)
def test_a_clip_gets_the_figure_of_its_kind_on_one_time_axis(features):
    tested = checkpoint(features)
    clip = inspect_signal(tested, SIGNALS[features])
    figure = clip_figure(tested, SIGNALS[features], clip)
    titles = [annotation.text for annotation in figure.layout.annotations]
    expected = {"roll": "p(note)", "raw": "Reconstructed mean", "log-mel": "Reconstructed log-variance"}[features]
    assert any(expected in title for title in titles)
    kl = next(trace for trace in figure.data if trace.name == "KL")
    np.testing.assert_allclose(kl.y, clip.kl, rtol=1e-6)
    np.testing.assert_allclose(kl.x, clip.times, rtol=1e-6)
    marks = next(trace for trace in figure.data if trace.name == "change")
    assert set(np.float32(marks.x)) == set(np.float32(clip.times[clip.changes]))
    axes = [figure.layout[f"xaxis{'' if i == 1 else i}"] for i in range(1, len(titles) + 1)]
    assert len({axis.matches or "x" for axis in axes} - {f"x{len(titles)}"}) <= 1
