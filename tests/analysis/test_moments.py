"""The strongest moments of a set of clips, and what is kept of each clip."""

import numpy as np
import pytest
from tiny import music_run, roll, untrained

from srnn_lab.analysis.inspection import SETTLING, inspect_signal
from srnn_lab.analysis.moments import Moment, strongest, summarise, thumbnail
from srnn_lab.analysis.transitions import match_spikes

VALUES = {"a": np.array([9.0, 1.0, 5.0, 4.0, 8.0]), "b": np.array([7.0, 6.0, 2.0])}
NOTHING = {name: np.zeros(len(values), bool) for name, values in VALUES.items()}


def test_the_largest_values_of_all_clips_come_first():
    found = strongest(VALUES, NOTHING, 4, 0)
    assert found == [
        Moment("a", 0, 9.0),
        Moment("a", 4, 8.0),
        Moment("b", 0, 7.0),
        Moment("b", 1, 6.0),
    ]


def test_two_moments_of_a_clip_are_apart_and_what_is_left_out_is_none():
    assert [(m.clip, m.frame) for m in strongest(VALUES, NOTHING, 9, 1)] == [
        ("a", 0), ("a", 4), ("b", 0), ("a", 2), ("b", 2),
    ]  # fmt: skip
    left_out = NOTHING | {"a": VALUES["a"] > 4}
    assert [(m.clip, m.frame) for m in strongest(VALUES, left_out, 3, 9)] == [("b", 0), ("a", 3)]
    assert strongest({}, {}, 3, 1) == []


def test_a_summary_has_the_numbers_of_the_clip():
    clip = inspect_signal(untrained(music_run()), roll(24))
    kept = summarise(clip, 0)
    assert kept.elbo == pytest.approx(float((clip.log_px - clip.kl).mean()), rel=1e-5)
    assert kept.auc == pytest.approx(match_spikes(clip, 0).auc, nan_ok=True)
    np.testing.assert_array_equal(kept.z, clip.mu_q)
    np.testing.assert_array_equal(kept.frames, roll(24)[-len(clip.kl) :])
    assert kept.peak == SETTLING + clip.kl[SETTLING:].argmax()


def test_a_thumbnail_keeps_the_largest_values():
    assert thumbnail(np.arange(10.0), 5) == [1, 3, 5, 7, 9]
    assert thumbnail(np.arange(3.0), 60) == [0, 1, 2]
