"""What an edit does to the KL; the AUC and the splices over many clips are in test_inspection."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.transitions import NEAR, measure_edit, moved, surprise_near
from srnn_lab.data.edits import insert_silence, splice, transpose

RUNS = {"roll": music_run(), "raw": speech_run(), "log-mel": speech_run(features="log-mel")}
CLIPS = {"roll": roll(24), "raw": wave(), "log-mel": wave()}


def checkpoint(features, smoothing):
    run = RUNS[features]
    return untrained(replace(run, model=replace(run.model, smoothing=smoothing)))


def edited(tested, signal, frames=4):
    """Silence of some frames in the middle of a clip."""
    hop = tested.config.data.hop
    at, length = len(signal) // hop // 2 * hop, frames * hop
    after = insert_silence(signal, at, length)
    return at, length, measure_edit(tested, signal, after, [(at, at), (at, at + length)])


@pytest.mark.parametrize("features", RUNS)
def test_a_filtering_posterior_foresees_nothing_and_a_smoothing_one_does(features):
    _, _, filtered = edited(checkpoint(features, smoothing=False), CLIPS[features])
    _, _, smoothed = edited(checkpoint(features, smoothing=True), CLIPS[features])
    assert filtered.foreseen < 1e-5 * filtered.before.kl.max()
    assert smoothed.foreseen > 100 * filtered.foreseen


def test_the_joints_are_in_the_clips_unit_and_what_follows_is_aligned_with_itself():
    tested = checkpoint("raw", smoothing=False)
    at, length, effect = edited(tested, CLIPS["raw"])
    rate, hop = tested.config.data.rate, tested.config.data.hop
    assert effect.joints_before == (at / rate, at / rate)
    assert effect.joints_after == (at / rate, (at + length) / rate)
    times, kl = effect.aligned
    assert np.isnan(kl).sum() == 1
    kept = ~np.isnan(kl)
    np.testing.assert_array_equal(kl[kept], effect.before.kl)
    after = times[kept] > effect.joints_after[0] + 1e-9
    np.testing.assert_allclose(times[kept][after], effect.before.times[after] + length / rate)
    np.testing.assert_array_equal(times[kept][~after], effect.before.times[~after])
    assert len(effect.after.kl) == len(effect.before.kl) + length // hop


@pytest.mark.parametrize("features", RUNS)
def test_an_edit_that_changes_nothing_has_no_effect(features):
    tested, clip = checkpoint(features, smoothing=True), CLIPS[features]
    at = len(clip) // 2
    same = splice(clip, at, clip, at)
    effect = measure_edit(tested, clip, same, [(at, at)])
    np.testing.assert_array_equal(effect.before.kl, effect.after.kl)
    assert effect.surprise_before == effect.surprise_after
    assert effect.foreseen == 0


def test_a_transposed_bar_changes_the_surprise_at_its_ends():
    tested = checkpoint("roll", smoothing=False)
    after = transpose(CLIPS["roll"], 5, 8, 16)
    effect = measure_edit(tested, CLIPS["roll"], after, [(8, 8), (16, 16)])
    per_quarter = tested.config.data.frames_per_quarter
    assert effect.joints_after == effect.joints_before == (8 / per_quarter, 16 / per_quarter)
    assert effect.surprise_after[0] != effect.surprise_before[0]
    np.testing.assert_allclose(effect.before.kl[: 8 - 1], effect.after.kl[: 8 - 1], rtol=1e-5)


def test_an_edit_at_the_start_leaves_nothing_to_foresee():
    clip = CLIPS["roll"]
    effect = measure_edit(
        checkpoint("roll", smoothing=True), clip, transpose(clip, 2, 0, 4), [(0, 0), (4, 4)]
    )
    assert np.isnan(effect.foreseen)


def test_the_surprise_near_a_time_is_the_largest_kl_around_it():
    clip = inspect_signal(checkpoint("roll", smoothing=True), CLIPS["roll"])
    kl = np.zeros(len(clip.kl), np.float32)
    kl[10], kl[10 + 2 * NEAR + 1] = 3, 9
    clip = replace(clip, kl=kl)
    assert surprise_near(clip, clip.times[10 + NEAR]) == 3
    assert surprise_near(clip, clip.times[10 + NEAR + 1]) == 9
    assert surprise_near(clip, clip.times[10] - NEAR - 1) == 0


def test_moved_frames_are_those_of_the_stretch():
    clip = inspect_signal(checkpoint("roll", smoothing=True), CLIPS["roll"])
    times, kl = moved(clip, clip.times[4], clip.times[7], 100.0)
    np.testing.assert_array_equal(kl, clip.kl[4:7])
    np.testing.assert_allclose(times, 100 + clip.times[4:7] - clip.times[4])
