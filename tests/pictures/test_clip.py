"""A clip as one scene, whatever shows it, and the sounds that go with it."""

import numpy as np
import pytest
from tiny import RATE, music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.data.labels import Labels
from srnn_lab.data.midi import Timing
from srnn_lab.pictures.clip import clip_scene, roll_scene
from srnn_lab.pictures.scene import row_arrays
from srnn_lab.player.sound import clip_sounds

RUNS = {"roll": music_run(), "raw": speech_run(), "log-mel": speech_run(features="log-mel")}
CLIPS = {"roll": roll(24), "raw": wave(), "log-mel": wave()}
TITLES = {
    "roll": [
        "Piano roll", "KL(q ‖ p)", "p(note) under the posterior (opacity)",
        "KL of each dimension of z",
    ],
    "raw": [
        "Waveform", "KL(q ‖ p)", "Reconstructed mean", "Reconstructed log-variance",
        "KL of each dimension of z",
    ],
    "log-mel": [
        "Waveform", "KL(q ‖ p)", "Log-mel energies (standardised)", "Reconstructed mean",
        "Reconstructed log-variance", "KL of each dimension of z",
    ],
}  # fmt: skip


def inspected(features):
    tested, signal = untrained(RUNS[features]), CLIPS[features]
    return tested, signal, inspect_signal(tested, signal)


@pytest.mark.parametrize("features", RUNS)
def test_a_clip_gets_the_rows_of_its_kind_on_one_time_axis_with_a_mark_at_each_change(features):
    tested, signal, clip = inspected(features)
    scene = clip_scene(tested, signal, clip, "mine.wav")
    assert [row.title for row in scene.rows] == TITLES[features]
    np.testing.assert_array_equal(scene.marks, clip.times[clip.changes])
    music = features == "roll"
    assert (scene.unit, scene.mark_name) == (
        ("quarter notes", "chord change") if music else ("s", "onset")
    )
    assert scene.length == pytest.approx(
        len(signal) / (tested.config.data.frames_per_quarter if music else RATE)
    )
    assert scene.seconds == (60 / 90 if music else 1)
    peak = clip.largest_spike
    assert scene.description.startswith("mine.wav: ")
    assert (
        f"{clip.kl[peak]:.1f} at its largest spike, at {clip.times[peak]:.2f}" in scene.description
    )
    values = row_arrays(scene)["KL(q ‖ p): KL (nats)"]
    np.testing.assert_array_equal(values, clip.kl)


def test_who_does_not_see_music_is_told_the_bar_and_beat_of_its_largest_spike():
    timing, (tested, signal, clip) = Timing(90.0), inspected("roll")
    told = clip_scene(tested, signal, clip, "mine.mid", timing=timing).description
    assert f"largest spike, at {timing.moment(clip.times[clip.largest_spike])}" in told


def test_labels_stand_below_the_signal():
    tested, signal, clip = inspected("raw")
    scene = clip_scene(tested, signal, clip, "a", Labels(np.array([0.0, 0.1]), ("pau", "a")))
    assert [row.title for row in scene.rows] == ["Waveform", "Labels", *TITLES["raw"][1:]]
    assert scene.rows[1].names == ("pau", "a")


def test_a_silent_roll_is_drawn_with_all_its_keys():
    scene = roll_scene("nothing", np.zeros((4, 88), np.float32), np.arange(4.0) + 0.5)
    assert scene.rows[0].values.shape == (4, 88)


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_a_clip_is_heard_beside_its_mean_which_is_silent_where_no_frame_is_scored(features):
    tested, signal, clip = inspected(features)
    sounds = clip_sounds(tested, signal, clip)
    assert list(sounds) == ["original", "reconstructed mean"]
    assert {rate for _, rate in sounds.values()} == {RATE}
    (recording, _), (mean, _) = sounds.values()
    np.testing.assert_array_equal(recording, signal)
    unscored = tested.config.evaluation.unscored * tested.config.data.hop
    assert unscored > 0
    assert not mean[:unscored].any()
    if features == "raw":
        np.testing.assert_allclose(mean[unscored:], tested.frontend.waveform(clip.mean), atol=1e-6)


def test_notes_are_played_as_they_are_and_as_the_model_expects_them():
    tested, signal, clip = inspected("roll")
    clip.mean[:] = 0.0
    clip.mean[:, 40] = 1.0
    sounds = clip_sounds(tested, signal, clip)
    assert list(sounds) == ["original", "reconstructed mean"]
    assert all(samples.dtype == np.int16 and samples.any() for samples, _ in sounds.values())
    clip.mean[:] = 0.0
    assert list(clip_sounds(tested, signal, clip)) == ["original"]
