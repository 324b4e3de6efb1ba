"""The pictures of several lines over each other, by their data; those of one clip are in test_inspection."""

import numpy as np
import pytest
from tiny import music_run, roll, speech_run, untrained, wave

from srnn_lab.comparison import compare
from srnn_lab.edits import insert_silence
from srnn_lab.figures import comparison_figure, edit_figure, reconstructions_figure
from srnn_lab.inspection import inspect_signal
from srnn_lab.interventions import replace_latents
from srnn_lab.plots import OVERLAID
from srnn_lab.transitions import measure_edit

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


@pytest.mark.parametrize("features", RUNS)
def test_each_source_of_z_gets_a_row_on_the_clips_scale_and_a_line(features):
    tested, signal = untrained(RUNS[features]), CLIPS[features]
    clip = inspect_signal(tested, signal)
    found = replace_latents(tested, signal, seed=0)
    figure = reconstructions_figure(tested, signal, clip, found, (0.05, 0.1))
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[1:-1] == [f"Reconstructed mean, z: {name}" for name in found]
    for row, one in enumerate(found.values(), 2):
        (trace,) = row_of(figure, row)
        if features == "raw":
            expected = tested.frontend.waveform(one.mean)
            assert (np.float32(trace.y).max(), np.float32(trace.y).min()) == (expected.max(), expected.min())
            assert figure.layout[f"yaxis{row}"].range == figure.layout.yaxis.range
        else:
            np.testing.assert_allclose(trace.z, one.mean.T, rtol=1e-6)
            assert (trace.zmin, trace.zmax) == (figure.data[0].zmin, figure.data[0].zmax)
    lines = row_of(figure, len(found) + 2)
    for line, one in zip(lines, found.values(), strict=True):
        np.testing.assert_allclose(line.y, one.log_px, rtol=1e-6)
        np.testing.assert_allclose(line.x, clip.times, rtol=1e-6)
    (shade,) = figure.layout.shapes
    assert (shade.x0, shade.x1) == (0.05, 0.1)


def test_a_rare_frame_far_below_does_not_flatten_the_lines():
    tested, signal = untrained(RUNS["roll"]), CLIPS["roll"]
    found = replace_latents(tested, signal, seed=0)
    found["zero"].log_px[7] = -1e6
    figure = reconstructions_figure(tested, signal, inspect_signal(tested, signal), found, (0.0, 1.0))
    low, high = figure.layout[f"yaxis{len(found) + 2}"].range
    lines = np.stack([one.log_px for one in found.values()])
    assert low > -1e5
    assert low <= np.median(lines, 1).min() < lines.max() <= high


@pytest.mark.parametrize("features", RUNS)
def test_an_edit_shows_both_clips_and_both_lines_and_marks_the_joints_where_they_are(features):
    tested, signal = untrained(RUNS[features]), CLIPS[features]
    data = tested.config.data
    at, length = 8 * data.hop, 3 * data.hop
    after = insert_silence(signal, at, length)
    effect = measure_edit(tested, signal, after, [(at, at), (at, at + length)])
    other = (np.array([0.1, 0.2]), np.array([1.0, 2.0]))
    figure = edit_figure(data, signal, after, effect, {"another": other})
    before, edited, more = row_of(figure, 3)
    np.testing.assert_allclose(before.y, effect.aligned[1], rtol=1e-6)
    np.testing.assert_allclose(edited.y, effect.after.kl, rtol=1e-6)
    np.testing.assert_allclose(more.y, other[1])
    joints = [(shape.yref.split()[0], shape.x0) for shape in figure.layout.shapes]
    start, stop = at / data.rate, (at + length) / data.rate
    assert joints == [("y", start), ("y", start), ("y2", start), ("y2", stop), ("y3", start), ("y3", stop)]
    assert last_axis(figure, 3).range[1] == pytest.approx(len(after) / data.rate, rel=0.05)
