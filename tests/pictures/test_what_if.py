"""Clips that are set against each other as rows of the player: what they show, by their data."""

import numpy as np
import pytest
from tiny import music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.comparison import compare
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.pictures.colours import OVERLAID
from srnn_lab.pictures.side_by_side import comparison_rows

RUNS = {"roll": music_run(), "raw": speech_run(), "log-mel": speech_run(features="log-mel")}
CLIPS = {"roll": roll(24), "raw": wave(), "log-mel": wave()}


def compared(features, names):
    models = {name: untrained(RUNS[features], seed) for seed, name in enumerate(names)}
    clips = {name: inspect_signal(one, CLIPS[features]) for name, one in models.items()}
    return models["a"].config.data, clips, lambda: compare(models, clips)


@pytest.mark.parametrize("features", RUNS)
def test_models_are_compared_over_one_axis_with_the_largest_differences_marked(features):
    data, _, compare_them = compared(features, "abc")
    found = compare_them()
    moments = found.moments(3, apart=4)
    _, kl, difference, bound = comparison_rows(data, CLIPS[features], found, moments)
    assert [line.name for line in kl.lines] == ["a", "b", "c"]
    for row, values in ((kl, found.kl), (bound, found.elbo)):
        for line, expected in zip(row.lines, values, strict=True):
            np.testing.assert_array_equal(line.values, expected)
            np.testing.assert_array_equal(line.times, found.times)
    *lines, circles = difference.lines
    assert [line.name for line in lines] == ["b", "c"]
    np.testing.assert_array_equal(lines[1].values, found.kl[2] - found.kl[0])
    np.testing.assert_array_equal(circles.times, found.times[moments])
    largest = np.minimum(np.abs(found.kl_difference[:, moments]).max(0), difference.limits[1])
    np.testing.assert_allclose(np.abs(circles.values), largest, rtol=1e-6)


def test_a_model_has_one_colour_in_all_rows_and_no_other_has_it():
    data, _, compare_them = compared("raw", "abcd")
    found = compare_them()
    rows = comparison_rows(data, CLIPS["raw"], found, found.moments(3, apart=4))[1:]
    for number, name in enumerate(found.names):
        lines = [line for row in rows for line in row.lines if line.name == name]
        assert len(lines) == (2 if number == 0 else 3)
        assert {line.colour for line in lines} == {OVERLAID[number]}
    assert len(set(OVERLAID)) == 5


def test_a_frame_beyond_an_axis_is_told_in_each_row():
    data, clips, compare_them = compared("raw", "ab")
    clips["b"].kl[7] = 1e6
    found = compare_them()
    _, *rows = comparison_rows(data, CLIPS["raw"], found, np.array([7]))
    n = len(found.times)
    up = f"1 of {n} frames above the axis, up to 1,000,000 nats"
    assert [row.note for row in rows[:2]] == [up, up]
    assert rows[2].note == f"1 of {n} frames below the axis, down to −1,000,000 nats"
    assert rows[1].lines[-1].values == rows[1].limits[1]  # the circle stays within
