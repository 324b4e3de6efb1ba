import numpy as np

from srnn_lab.plots import (
    MAX_POINTS,
    envelope,
    graph_figure,
    grid_figure,
    line_figure,
    roll_figure,
    waveform_figure,
)


def test_an_envelope_keeps_every_extreme_and_few_points():
    y = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    t = np.arange(len(y), dtype=np.float32)
    t_kept, y_kept = envelope(t, y)
    assert len(y_kept) <= MAX_POINTS + 100
    assert (y_kept.min(), y_kept.max()) == (y.min(), y.max())
    assert (np.diff(t_kept) > 0).all()
    np.testing.assert_array_equal(y[t_kept.astype(int)], y_kept)


def test_a_short_line_is_drawn_as_it_is():
    t, y = np.arange(10.0), np.ones(10)
    assert envelope(t, y)[1] is y


def test_a_waveform_and_its_reconstruction_share_their_scale():
    wave = np.array([0.5, -1.0, 0.25, 0.0], np.float32)
    figure = waveform_figure(wave, wave / 2, wave, 0.0, 4, np.array([0.5]), np.array([2.0]), np.array([0]))
    assert figure.layout.yaxis.range == figure.layout.yaxis3.range
    assert [a.text.split(" ")[0] for a in figure.layout.annotations] == [
        "Waveform", "KL(q", "Reconstructed", "Reconstructed",
    ]  # fmt: skip
    assert figure.layout.xaxis4.title.text == "time (s)"


def test_a_silent_roll_is_drawn_without_error():
    figure = roll_figure(np.zeros((4, 88), np.float32), np.arange(4.0), "nothing")
    assert figure.layout.yaxis.range[0] < 21


def test_lines_are_drawn_under_their_names_and_a_legend_only_where_there_are_two():
    x = np.arange(3.0)
    one, two = line_figure(x, {"a": x}, "x", "y"), line_figure(x, {"a": x, "b": 2 * x}, "x", "y")
    assert [trace.name for trace in two.data] == ["a", "b"]
    np.testing.assert_array_equal(two.data[1].y, 2 * x)
    assert (one.layout.showlegend, two.layout.showlegend) == (False, True)
    assert two.data[0].line.color != two.data[1].line.color


def test_the_first_row_of_a_matrix_is_number_1_at_the_top():
    values = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]])
    figure = grid_figure(values, "s", "t")
    np.testing.assert_array_equal(figure.data[0].z, values)
    assert list(figure.data[0].x) == [1, 2, 3]
    assert list(figure.data[0].y) == [1, 2]
    assert figure.layout.yaxis.autorange == "reversed"


def test_a_graph_has_diamonds_for_what_is_computed_and_an_arrow_for_each_edge():
    nodes = {"d_t": (0, 0), "z_t": (1, 0), "x_t": (1, 1)}
    figure = graph_figure(nodes, [("d_t", "z_t"), ("z_t", "x_t")])
    (trace,) = figure.data
    assert trace.marker.symbol == ("diamond", "circle", "circle")
    assert trace.text == ("d<sub>t</sub>", "z<sub>t</sub>", "x<sub>t</sub>")
    arrows = [(a.ax, a.ay, a.x, a.y) for a in figure.layout.annotations if a.showarrow is not False]
    assert arrows == [(0, 0, 1, 0), (1, 0, 1, 1)]
