from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from srnn_lab.analysis.inspection import ACTIVE, clip_batch, draw_reconstruction, inspect_signal
from srnn_lab.analysis.transitions import (
    find_spikes,
    match_spikes,
    measure_transitions,
    near_changes,
    roc_area,
)
from srnn_lab.checkpoint import Checkpoint, load_checkpoint
from srnn_lab.config import PRESETS, DataConfig, EvaluationConfig, ModelConfig, RunConfig
from srnn_lab.data import Frontend, read_signal, widen
from srnn_lab.data.speech import BUNDLED_VOICE
from srnn_lab.data.storage import narrow
from srnn_lab.inference.bounds import draw_noise, elbo
from srnn_lab.models import MODELS, build_model
from srnn_lab.pictures.clip import clip_scene

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
    model = ModelConfig(
        model=name, likelihood=likelihood, x_dim=x_dim, d_dim=6, z_dim=3, hidden_dim=8
    )
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
@pytest.mark.parametrize(
    ("features", "likelihood"), [("roll", "nade"), ("log-mel", "gaussian-mixture")]
)
def test_every_model_and_likelihood_is_inspected_and_drawn(name, features, likelihood):
    tested = checkpoint(features, likelihood=likelihood, name=name)
    clip = inspect_signal(tested, SIGNALS[features])
    assert all(np.isfinite(values).all() for values in clip.arrays().values())
    assert len(clip_scene(tested, SIGNALS[features], clip, "a clip").rows) >= 4


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
    changes, active = DATA["roll"][0].kind.changes(SIGNALS["roll"], SIGNALS["roll"])
    assert changes.tolist() == [4, 8]
    assert active.all()


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_onsets_are_where_the_tones_begin_and_silence_is_not_active(features):
    data, x_dim = DATA[features]
    signal = np.concatenate([np.zeros(RATE // 2, np.float32), tones(440, 660, 550)])
    frontend = checkpoint(features).frontend
    frames = frontend.frames(signal, x_dim)
    changes, active = data.kind.changes(signal, frames)
    times = frontend.times(len(frames))
    for start in (0.5, 1.0, 1.5):
        assert np.abs(times[changes] - start).min() < 0.06
    assert len(changes) <= 6
    assert not active[times < 0.4].any()
    assert active[(times > 0.6) & (times < 0.8)].all()


@pytest.mark.parametrize("name", ["voice", "voice-mel"])
def test_the_offset_of_a_sound_card_changes_what_a_model_makes_of_a_clip_by_less_than_one_percent(
    tmp_path, name
):
    checkpoint = load_checkpoint(name)
    clip, _ = soundfile.read(BUNDLED_VOICE / "vm-password.flac")
    found = []
    for offset in (0, 0.1, -0.005):
        soundfile.write(tmp_path / "a.wav", np.clip(clip + offset, -1, 1), RATE, "PCM_24")
        found.append(
            inspect_signal(
                checkpoint, read_signal(tmp_path / "a.wav", checkpoint.config.data), num_samples=1
            )
        )
    for shifted in found[1:]:
        assert shifted.kl.mean() == pytest.approx(found[0].kl.mean(), rel=0.01)
        assert (shifted.log_px - shifted.kl).mean() == pytest.approx(
            (found[0].log_px - found[0].kl).mean(), rel=0.01
        )
        np.testing.assert_array_equal(shifted.changes, found[0].changes)
        np.testing.assert_array_equal(shifted.active, found[0].active)


def test_a_clip_of_the_wrong_kind_or_length_is_refused():
    with pytest.raises(ValueError, match="trained on audio and was given MIDI"):
        inspect_signal(checkpoint("raw"), SIGNALS["roll"])
    with pytest.raises(ValueError, match="trained on MIDI and was given audio"):
        inspect_signal(checkpoint("roll"), SIGNALS["raw"])
    with pytest.raises(ValueError, match="1 of the 2 frames"):
        inspect_signal(checkpoint("roll"), SIGNALS["roll"][:1])
    with pytest.raises(ValueError, match="at most 12000"):
        inspect_signal(checkpoint("roll"), np.tile(SIGNALS["roll"], (1001, 1)))


def test_a_clip_of_too_many_frames_is_refused_before_they_are_made(monkeypatch):
    tested = checkpoint("log-mel")
    monkeypatch.setattr("srnn_lab.data.Frontend.frames", None)
    with pytest.raises(ValueError, match="at most 12000"):
        inspect_signal(tested, np.zeros(10_000_000, np.float32))


def test_a_model_too_wide_for_the_length_of_a_clip_is_refused_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr("srnn_lab.analysis.inspection.MAX_FRAMES", 20)
    monkeypatch.setattr("srnn_lab.analysis.inspection.MAX_WIDTH", 50)
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
    """Replace a model's KL by how much its frame differs from the one before; the rest stays."""

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


def test_a_clip_of_silence_counts_for_nothing_but_its_splices():
    tested, sounding = checkpoint("raw"), [SIGNALS["raw"], SIGNALS["raw"][::-1].copy()]
    silence = np.zeros_like(SIGNALS["raw"])
    found = measure_transitions(tested, [*sounding, silence], num_shifts=20)
    assert found.clips == 3
    assert found.auc == measure_transitions(tested, sounding, num_shifts=20).auc


@pytest.mark.parametrize("features", DATA)
def test_signals_in_their_smallest_type_have_the_same_transitions(features):
    """One waveform is int16; the other exceeds full scale, so is float32; one splice has both."""
    stored = [narrow(SIGNALS[features]), narrow(2.5 * SIGNALS[features])]
    assert stored[0].dtype != np.float32
    found, expected = (
        measure_transitions(checkpoint(features), signals, num_shifts=5)
        for signals in (stored, [widen(signal) for signal in stored])
    )
    assert found == expected


def test_the_deterministic_states_are_those_of_the_paths_and_their_mean_where_they_depend_on_z():
    for name in ("srnn", "vrnn"):
        tested, notes = checkpoint("roll", name=name), roll((40, 52), (43,), (45,))
        _, batch = clip_batch(tested, notes)
        noise = draw_noise(tested.model, batch, torch.Generator().manual_seed(0), paths=8)
        paths = elbo(tested.model, batch, noise=noise).trace.d.detach()
        assert (paths.std(0).max() > 1e-4) == (name == "vrnn")
        np.testing.assert_allclose(
            inspect_signal(tested, notes).d, paths.mean(0), rtol=1e-5, atol=1e-6
        )


def test_the_deterministic_states_are_d_alone_where_a_mean_stands_in_for_missing_values():
    run = PRESETS["series"]
    config = replace(run.model, x_dim=2, d_dim=5, z_dim=3, hidden_dim=6, missing=True)
    model = build_model(config)
    assert (model.fills, model.d_dim) == (True, 8)
    clip = inspect_signal(
        Checkpoint(replace(run, model=config), model, Frontend.plain(run.data)),
        np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32),
    )
    assert clip.d.shape == (9, 5)


@pytest.mark.parametrize("features", DATA)
def test_the_kl_of_the_dimensions_adds_up_and_tells_which_are_in_use(features):
    clip = inspect_signal(checkpoint(features), SIGNALS[features])
    assert clip.kl_z.shape == clip.mu_q.shape
    assert (clip.kl_z >= 0).all()
    np.testing.assert_allclose(clip.kl_z.sum(1), clip.kl, rtol=1e-4)
    n = len(clip.kl)
    clip = replace(
        clip, kl_z=np.stack([np.full(n, 1.0), np.full(n, 0.9 * ACTIVE), np.eye(n)[0]], 1)
    )
    np.testing.assert_allclose(clip.use, [1, 0.9 * ACTIVE, 1 / n])
    assert clip.active_units == 2


@pytest.mark.slow
def test_a_posterior_draw_is_a_draw_around_the_mean_with_the_variance_of_the_likelihood():
    tested = checkpoint("raw")
    clip = inspect_signal(tested, SIGNALS["raw"], num_samples=64)
    draws = np.stack([draw_reconstruction(tested, SIGNALS["raw"], seed=seed) for seed in range(64)])
    assert draws.shape[1:] == clip.mean.shape
    errors = (draws.mean(0) - clip.mean) / np.exp(clip.logvar / 2)
    assert np.abs(errors.mean()) < 6 / np.sqrt(errors.size)
    assert (draws.var(0) / np.exp(clip.logvar)).mean() == pytest.approx(1, abs=0.03)
    notes = draw_reconstruction(checkpoint("roll"), SIGNALS["roll"])
    assert set(np.unique(notes)) <= {0, 1}
    np.testing.assert_array_equal(draws[3], draw_reconstruction(tested, SIGNALS["raw"], seed=3))


STEADY = np.arange(4 * RATE) / RATE
STEADY_SOUNDS = {
    "sine": 0.5 * np.sin(2 * np.pi * 440 * STEADY),
    "quiet sine": 3e-4 * np.sin(2 * np.pi * 440 * STEADY),
    "vowel": sum(0.2 / k * np.sin(2 * np.pi * 120 * k * STEADY + k) for k in range(1, 30)),
    "noise": 0.1 * np.random.default_rng(0).standard_normal(len(STEADY)),
}


@pytest.mark.parametrize("features", ["raw", "log-mel"])
@pytest.mark.parametrize("name", STEADY_SOUNDS)
def test_nothing_happens_in_a_held_sound_until_it_changes(name, features):
    data, _ = DATA[features]
    held = STEADY_SOUNDS[name].astype(np.float32)
    times = checkpoint(features).frontend.times(1 + (len(held) - data.window) // data.hop)
    for kind in ("onset", "offset", "change"):
        assert len(data.kind.events(held, len(times), kind)) <= 1
    changed = np.where(STEADY < 2, held, 0.5 * np.sin(2 * np.pi * 660 * STEADY)).astype(np.float32)
    assert np.abs(times[data.kind.events(changed, len(times), "change")] - 2).min() < 0.04


def test_onsets_offsets_and_changes_are_found_where_noise_begins_and_ends():
    data, _ = DATA["log-mel"]
    t = np.arange(int(1.4 * RATE)) / RATE
    begins, ends = 0.5, 0.9
    loud = np.where((t > begins) & (t < ends), 0.1, 1e-4)
    signal = (loud * np.random.default_rng(0).normal(size=t.size)).astype(np.float32)
    times = checkpoint("log-mel").frontend.times(len(signal) // data.frame_length)
    found = {
        kind: times[data.kind.events(signal, len(times), kind)]
        for kind in ("onset", "offset", "change")
    }
    assert np.abs(found["onset"] - begins).min() < 0.04
    assert np.abs(found["onset"] - ends).min() > 0.1
    assert np.abs(found["offset"] - ends).min() < 0.04
    assert np.abs(found["offset"] - begins).min() > 0.1
    assert max(np.abs(found["change"] - begins).min(), np.abs(found["change"] - ends).min()) < 0.04


def spiky(peaks, changes, frames=40, silent=()):
    """An inspected clip whose KL is 0 but at its peaks."""
    clip = inspect_signal(checkpoint("roll", True), np.tile(SIGNALS["roll"], (4, 1))[:frames])
    kl, active = np.zeros(frames, np.float32), np.ones(frames, bool)
    kl[list(peaks)] = list(peaks.values())
    active[list(silent)] = False
    return replace(clip, kl=kl, changes=np.array(changes, int), active=active)


def test_spikes_are_prominent_peaks_of_the_active_frames_once_the_state_has_settled():
    clip = spiky({2: 9, 10: 5, 20: 0.3, 30: 4, 34: 4}, [], silent=[34])
    # The median distance from the median is 0.5, and every third frame a peak of 1.
    clip.kl[:] += np.arange(40) % 3 / 2
    assert find_spikes(clip, 1.4 / 0.7413).tolist() == [10, 30]
    assert find_spikes(clip, 1.2 / 0.7413).tolist() == [10, 20, 30]


def test_a_giant_frame_does_not_hide_the_other_spikes():
    clip = spiky({10: 5, 30: 4}, [])
    clip.kl[:] += np.arange(40) % 3 / 2
    before = find_spikes(clip, 2.0).tolist()
    assert before == [10, 30]
    clip.kl[20] = 3000
    assert find_spikes(clip, 2.0).tolist() == [10, 20, 30]


def test_spikes_against_changes_by_hand():
    match = match_spikes(spiky({10: 5, 20: 6, 30: 4}, [11, 22, 36]), near=1)
    assert match.frames.tolist() == [10, 20, 30]
    assert match.hits.tolist() == [True, False, False]
    assert match.found.tolist() == [True, False, False]
    assert match.precision == pytest.approx(1 / 3)
    assert match.recall == pytest.approx(1 / 3)
    # Of the 9 frames at a change, one has the second largest KL of all; the others tie with 29 of
    # the 31 elsewhere.
    assert match.auc == pytest.approx((30 + 8 * 29 / 2) / (9 * 31))
    assert match_spikes(spiky({10: 5}, [11, 36], silent=[36]), near=1).recall == 1


def test_the_null_is_every_circular_shift_of_the_active_frames():
    rng = np.random.default_rng(0)
    clip = spiky(dict(enumerate(rng.gamma(1.0, size=40))), [3, 9, 17, 30], silent=[0, 1, 25])
    match, active = match_spikes(clip, near=2, prominence=0.3), clip.active
    at_change, is_change = (near_changes(clip, near)[active] for near in (2, 0))
    at_spike, is_spike = (
        near_changes(replace(clip, changes=match.frames), near)[active] for near in (2, 0)
    )
    for shift in range(1, active.sum()):
        area = roc_area(np.roll(clip.kl[active], shift), at_change)
        assert match.null_auc[shift - 1] == pytest.approx(area)
        assert match.null_precision[shift - 1] == pytest.approx(
            at_change[np.roll(is_spike, shift)].mean()
        )
        assert match.null_recall[shift - 1] == pytest.approx(
            np.roll(at_spike, shift)[is_change].mean()
        )
    assert len(match.null_auc) == active.sum() - 1
    assert match.auc == pytest.approx(roc_area(clip.kl[active], at_change))


def test_a_clip_without_spikes_or_without_changes_has_no_figure_rather_than_an_error():
    flat = match_spikes(spiky({}, [11]), near=1)
    assert np.isnan(flat.precision)
    assert flat.recall == 0
    silent = match_spikes(spiky({10: 5}, [11], silent=range(40)), near=1)
    assert np.isnan([silent.precision, silent.recall, silent.auc]).all()
    assert len(silent.null_auc) == 0
    still = match_spikes(spiky({10: 5}, []), near=1)
    assert still.precision == 0
    assert np.isnan([still.recall, still.auc, *still.null_auc, *still.null_recall]).all()
