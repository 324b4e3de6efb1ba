"""The pictures of several lines over each other, by their data; those of one clip are in test_inspection."""

import numpy as np
import pytest
from tiny import music_run, roll, speech_run, untrained, wave

from srnn_lab.comparison import compare
from srnn_lab.figures import comparison_figure
from srnn_lab.inspection import inspect_signal
from srnn_lab.plots import OVERLAID, cut_below

RUNS = {"roll": music_run(), "raw": speech_run(), "log-mel": speech_run(features="log-mel")}
CLIPS = {"roll": roll(24), "raw": wave(), "log-mel": wave()}
UNITS = {"roll": "time (quarter notes)", "raw": "time (s)", "log-mel": "time (s)"}


def row_of(figure, number):
    """The traces of one row, from the top."""
    axis = "y" if number == 1 else f"y{number}"
    return [trace for trace in figure.data if (trace.yaxis or "y") == axis]


def last_axis(figure, rows):
    return figure.layout[f"xaxis{rows}"]


@pytest.mark.parametrize("features", RUNS)
def test_models_are_compared_over_one_axis_with_the_largest_differences_marked(features):
    models = {name: untrained(RUNS[features], seed) for seed, name in enumerate(("a", "b", "c"))}
    clips = {name: inspect_signal(one, CLIPS[features]) for name, one in models.items()}
    found = compare(models, clips)
    moments = found.moments(3, apart=4)
    figure = comparison_figure(models["a"], CLIPS[features], found, moments)
    assert [trace.name for trace in row_of(figure, 2)] == ["a", "b", "c"]
    for row, values in ((2, found.kl), (4, found.elbo)):
        for trace, line in zip(row_of(figure, row), values, strict=True):
            np.testing.assert_allclose(trace.y, line, rtol=1e-6)
            np.testing.assert_allclose(trace.x, found.times, rtol=1e-6)
    *lines, marks = row_of(figure, 3)
    assert [trace.name for trace in lines] == ["b", "c"]
    np.testing.assert_allclose(lines[1].y, found.kl[2] - found.kl[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(marks.x, found.times[moments])
    np.testing.assert_allclose(np.abs(marks.y), np.abs(found.kl_difference[:, moments]).max(0), rtol=1e-6)
    assert last_axis(figure, 4).title.text == UNITS[features]


def test_a_model_has_one_look_in_all_rows_one_entry_in_the_legend_and_no_other_has_its_look():
    models = {name: untrained(RUNS["raw"], seed) for seed, name in enumerate(("a", "b", "c", "d"))}
    found = compare(models, {name: inspect_signal(one, CLIPS["raw"]) for name, one in models.items()})
    figure = comparison_figure(models["a"], CLIPS["raw"], found, found.moments(3, apart=4))
    for number, name in enumerate(found.names):
        traces = [trace for trace in figure.data if trace.name == name]
        assert len(traces) == (2 if number == 0 else 3)
        assert {(trace.line.color, trace.line.dash) for trace in traces} == {OVERLAID[number]}
    assert [trace.name for trace in figure.data if trace.showlegend] == list(found.names)
    assert len(set(OVERLAID)) == len({dash for _, dash in OVERLAID}) == 5


def test_rare_frames_far_below_do_not_set_the_axis_and_others_do():
    lines = np.zeros((2, 50))
    lines[1] = np.linspace(-3, -1, 50)
    low, high = cut_below(lines)
    assert low < -3 and 0 < high < 1
    lines[0, 7] = -1e6
    low, high = cut_below(lines)
    assert -20 < low < -3 and 0 < high < 1
    assert cut_below(np.zeros((1, 3)))[0] < 0 < cut_below(np.zeros((1, 3)))[1]
