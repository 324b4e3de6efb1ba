import numpy as np

from srnn_lab.plots import MAX_POINTS, envelope, roll_figure, waveform_figure


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
