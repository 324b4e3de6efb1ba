"""The pictures of several lines over each other, by their data; those of one clip are in test_inspection."""

import numpy as np
import pytest
from tiny import music_run, roll, speech_run, untrained, wave

from srnn_lab.comparison import compare
from srnn_lab.figures import comparison_figure
from srnn_lab.inspection import inspect_signal
from srnn_lab.plots import OVERLAID

RUNS = {"roll": music_run(), "raw": speech_run(), "log-mel": speech_run(features="log-mel")}
CLIPS = {"roll": roll(24), "raw": wave(), "log-mel": wave()}
UNITS = {"roll": "time (quarter notes)", "raw": "time (s)", "log-mel": "time (s)"}


def row_of(figure, number):
    """The traces of one row, from the top, but for the triangles of what lies beyond its axis."""
    return [trace for trace in all_of(figure, number) if trace.name != "beyond the axis"]


def all_of(figure, number):
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
    largest, edge = np.abs(found.kl_difference[:, moments]).max(0), figure.get_subplot(3, 1).yaxis.range[1]
    np.testing.assert_allclose(np.abs(marks.y), np.minimum(largest, edge), rtol=1e-6)
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


def test_a_frame_beyond_an_axis_gets_a_triangle_at_its_edge_and_a_note_in_each_row():
    models = {name: untrained(RUNS["raw"], seed) for seed, name in enumerate(("a", "b"))}
    clips = {name: inspect_signal(one, CLIPS["raw"]) for name, one in models.items()}
    clips["b"].kl[7] = 1e6
    found = compare(models, clips)
    figure = comparison_figure(models["a"], CLIPS["raw"], found, np.array([7]))
    titles = [note.text for note in figure.layout.annotations]
    n = len(found.times)
    assert titles[1] == f"KL(q ‖ p) per frame; 1 of {n} frames above the axis, up to 1,000,000 nats"
    assert titles[2].startswith(f"KL: difference from a; 1 of {n} frames above the axis, up to 1,000,000 nats")
    assert titles[3].endswith(f"1 of {n} frames below the axis, down to −1,000,000 nats")
    for row, edge, symbol in ((2, 1, "triangle-up"), (3, 1, "triangle-up"), (4, 0, "triangle-down")):
        (triangle,) = (trace for trace in all_of(figure, row) if trace.name == "beyond the axis")
        limit = figure.get_subplot(row, 1).yaxis.range[edge]
        assert abs(limit) < 1e3
        assert (triangle.x.tolist(), triangle.y.tolist()) == ([found.times[7]], [limit])
        assert (triangle.marker.symbol.tolist(), triangle.marker.color) == ([symbol], OVERLAID[1][0])
        assert triangle.legendgroup == "b"  # hidden with it
        assert abs(triangle.customdata[0]) == pytest.approx(1e6, rel=1e-2)
