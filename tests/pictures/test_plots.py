from itertools import combinations

import numpy as np
import pytest

from srnn_lab.pictures.charts import (
    LABEL_WIDTH,
    MAX_TICKS,
    fan_figure,
    graph_figure,
    grid_figure,
    latent_figure,
    line_figure,
    null_figure,
    results_figure,
)
from srnn_lab.pictures.colours import KL, OVERLAID, POSTERIOR, PRIOR
from srnn_lab.pictures.scene import envelope

MAX_POINTS = 2000

# What is left of linear red, green and blue in complete colour blindness of each kind (Machado et
# al., 2009).
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour):
    c = np.array(list(bytes.fromhex(colour[1:]))) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) @ np.clip(rgb, 0, 1)
    f = np.where(
        xyz > 0.008856,
        np.cbrt(xyz / [0.9505, 1, 1.089]),
        7.787 * xyz / [0.9505, 1, 1.089] + 16 / 116,
    )
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_stay_apart_for_colour_blind_eyes(kind):
    seen = [lab(np.array(BLINDNESS[kind]) @ linear(colour)) for colour in OVERLAID]
    # 2.3 is just noticeable.
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15


@pytest.mark.parametrize("page", ["#ffffff", "#0e1117"])
def test_colours_stand_out_from_a_light_and_a_dark_page(page):
    def luminance(colour):
        return linear(colour) @ [0.2126, 0.7152, 0.0722]

    for colour in OVERLAID:
        dark, light = sorted((luminance(colour), luminance(page)))
        assert (light + 0.05) / (dark + 0.05) > 3  # WCAG 2.1 for graphics


@pytest.mark.parametrize("extreme_at", [50_000, 99_998])
def test_an_envelope_keeps_every_extreme_and_few_points(extreme_at):
    y = np.random.default_rng(0).normal(size=99_999).astype(np.float32)
    y[extreme_at] = 10
    t = np.arange(len(y), dtype=np.float32)
    t_kept, y_kept = envelope(t, y, MAX_POINTS)
    assert len(y_kept) <= MAX_POINTS + 100
    assert (y_kept.min(), y_kept.max()) == (y.min(), y.max())
    assert (np.diff(t_kept) > 0).all()
    np.testing.assert_array_equal(y[t_kept.astype(int)], y_kept)


def test_an_envelope_keeps_the_extremes_beside_gaps_and_the_gaps():
    """Every stretch has a missing value, so that a NaN would be its minimum and its maximum."""
    y = np.random.default_rng(0).normal(size=10_000)
    y[::7], y[4000:5000] = np.nan, np.nan
    y[[99, 7000 - 1]] = 10, -10
    kept_at, kept = envelope(np.arange(10_000.0), y, 200)
    np.testing.assert_array_equal(y[kept_at.astype(int)], kept)
    assert (np.nanmin(kept), np.nanmax(kept)) == (-10, 10)
    inside = (kept_at >= 4000) & (kept_at < 5000)
    assert np.isnan(kept[inside]).all() and inside.any()
    stretches = np.unique(kept_at[np.isfinite(kept)] // 100)
    np.testing.assert_array_equal(stretches, np.setdiff1d(np.arange(100), np.arange(40, 50)))


def test_a_short_line_is_drawn_as_it_is():
    t, y = np.arange(10.0), np.ones(10)
    assert envelope(t, y, MAX_POINTS)[1] is y


def test_the_figures_of_a_column_are_dots_with_their_errors_published_ones_of_another_shape():
    published = np.array([True, False])
    figure = results_figure(
        ["theirs", "ours"], "JSB", np.array([-4.7, -4.5]), np.array([np.nan, 0.1]), published
    )
    drawn = {t.name: (list(t.x), list(t.y), list(t.text)) for t in figure.data}
    assert drawn == {
        "published": ([-4.7], [0], ["theirs"]),
        "measured here": ([-4.5], [1], ["ours"]),
    }
    assert next(list(t.error_x.array) for t in figure.data if t.name == "measured here") == [0.1]
    assert (
        len({t.marker.symbol for t in figure.data})
        == len({t.marker.color for t in figure.data})
        == 2
    )
    assert (figure.layout.title.text, figure.layout.showlegend) == ("JSB", False)
    assert list(figure.layout.yaxis.ticktext) == ["theirs", "ours"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first row is on top


@pytest.mark.parametrize(
    ("value", "se", "reach"), [(-4.0, 0.05, 0.4), (40.0, 3.0, 6.0), (200.0, np.nan, 20.0)]
)
def test_a_lone_figure_stands_in_the_middle_of_an_axis_much_wider_than_its_error(value, se, reach):
    figure = results_figure(["ours"], "JSB", np.array([value]), np.array([se]), np.array([False]))
    np.testing.assert_allclose(figure.layout.xaxis.range, [value - reach, value + reach])


def test_a_long_label_of_a_row_is_broken_into_lines():
    label = "SRNN smooth+Res_q, fivo:8 and what else there is to say"
    figure = results_figure([label], "JSB", np.array([-4.0]), np.array([0.1]), np.array([False]))
    lines = figure.layout.yaxis.ticktext[0].split("<br>")
    assert " ".join(lines) == label
    assert lines[0] == "SRNN smooth+Res_q, fivo:8"
    assert max(map(len, lines)) <= LABEL_WIDTH


def test_a_frame_is_shown_by_its_means_and_deviations_and_by_what_res_q_adds():
    order, mu_p, sd_p = np.array([2, 0, 1]), np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3])
    mu_q, sd_q, kl = mu_p + np.array([0.5, -1.0, 2.0]), sd_p / 2, np.array([4.0, 5.0, 6.0])
    figure = latent_figure(order, mu_p, sd_p, mu_q, sd_q, kl, True)
    prior, posterior, nats, predicted, residual = figure.data
    np.testing.assert_allclose(prior.y, [3, 1, 2])
    np.testing.assert_allclose(prior.error_y.array, [0.3, 0.1, 0.2])
    np.testing.assert_allclose(posterior.y, [5, 1.5, 1])
    np.testing.assert_allclose(posterior.error_y.array, [0.15, 0.05, 0.1])
    np.testing.assert_allclose(nats.y, [6, 4, 5])
    np.testing.assert_allclose(residual.y, [2, 0.5, -1])
    np.testing.assert_allclose(np.array(predicted.y) + residual.y, posterior.y)
    bars = (nats, predicted, residual)
    assert [(bar.marker.color, bar.opacity) for bar in bars] == [
        (KL, None),
        (PRIOR, None),
        (POSTERIOR, None),
    ]
    assert list(figure.layout.xaxis3.ticktext) == [2, 0, 1]
    assert len(latent_figure(order, mu_p, sd_p, mu_q, sd_q, kl, False).data) == 3


def test_the_null_is_a_histogram_of_all_shifts_with_the_figure_beside_it():
    null = np.array([0.4, 0.5, 0.5, 0.6])
    bars, line = null_figure(null, 0.8, "AUC").data
    assert sum(bars.y) == 4
    assert bars.y[int(0.5 * 40)] == 2
    assert set(line.x) == {0.8}


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


def test_a_frame_fits_a_phone_with_few_upright_numbers_and_short_titles():
    z = np.linspace(0, 1, 32)
    layout = latent_figure(np.arange(32)[::-1], z, z, z, z, z, True).layout
    assert list(layout.xaxis3.ticktext) == list(range(31, -1, -3))
    assert len(layout.xaxis3.ticktext) <= MAX_TICKS
    assert layout.xaxis3.tickangle == 0
    assert max(len(title.text) for title in layout.annotations) <= 44  # what fits at 14 px


def test_a_graph_has_diamonds_for_what_is_computed_and_an_arrow_for_each_edge():
    nodes = {"d_t": (0, 0), "z_t": (1, 0), "x_t": (1, 1)}
    figure = graph_figure(nodes, [("d_t", "z_t"), ("z_t", "x_t")])
    (trace,) = figure.data
    assert trace.marker.symbol == ("diamond", "circle", "circle")
    assert trace.text == ("d<sub>t</sub>", "z<sub>t</sub>", "x<sub>t</sub>")
    arrows = [(a.ax, a.ay, a.x, a.y) for a in figure.layout.annotations if a.showarrow is not False]
    assert arrows == [(0, 0, 1, 0), (1, 0, 1, 1)]


def test_each_band_of_a_fan_has_a_colour_of_its_own_in_the_legend():
    quantiles = {q: np.full(3, q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
    figure = fan_figure((np.arange(2), np.zeros(2)), np.arange(2, 5), quantiles, "t", "x")
    colours = {trace.name: trace.fillcolor for trace in figure.data if trace.fill}
    assert list(colours) == ["90 %", "50 %"]
    assert len(set(colours.values())) == 2
