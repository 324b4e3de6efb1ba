import numpy as np

from srnn_lab.plots import MAX_POINTS, envelope, results_figure, roll_figure, waveform_figure


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


def test_the_figures_of_a_table_are_dots_with_their_errors_published_ones_of_another_shape():
    nan = np.nan
    values = np.array([[-4.7, -2.9], [-4.5, nan]])
    errors = np.array([[nan, nan], [0.1, nan]])
    published = np.array([[True, True], [False, False]])
    figure = results_figure(["theirs", "ours"], ["JSB", "Nottingham"], values, errors, published)
    drawn = {(t.name, t.xaxis): (list(t.x), list(t.y), list(t.text)) for t in figure.data if len(t.x)}
    assert drawn == {
        ("published", "x"): ([-4.7], [0], ["theirs"]),
        ("measured here", "x"): ([-4.5], [1], ["ours"]),
        ("published", "x2"): ([-2.9], [0], ["theirs"]),
    }
    assert next(list(t.error_x.array) for t in figure.data if t.name == "measured here") == [0.1]
    assert sorted(t.name for t in figure.data if t.showlegend) == ["measured here", "published"]
    assert len({t.marker.symbol for t in figure.data}) == len({t.marker.color for t in figure.data}) == 2
    assert [a.text for a in figure.layout.annotations] == ["JSB", "Nottingham"]
    assert list(figure.layout.yaxis.ticktext) == ["theirs", "ours"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first row is on top
