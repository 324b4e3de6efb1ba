"""An inspected clip as rows of the player."""

import librosa
import numpy as np
import pytest
from tiny import RATE, music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.transitions import match_spikes
from srnn_lab.data.kinds import name_and_unit
from srnn_lab.pictures.clip_rows import clip_rows, column_row, mel_bin, table_rows
from srnn_lab.pictures.scene import Picture, Scene, picture_colours, row_arrays, shades
from srnn_lab.pictures.svg import scene_svg

RUNS = {"roll": music_run(), "raw": speech_run(), "log-mel": speech_run(features="log-mel")}
CLIPS = {"roll": roll(24), "raw": wave(), "log-mel": wave()}


def rows_of(features):
    tested, signal = untrained(RUNS[features]), CLIPS[features]
    clip = inspect_signal(tested, signal)
    match = match_spikes(clip, 2, 0.3)
    return tested, signal, clip, match, clip_rows(tested, signal, clip, match)


@pytest.mark.parametrize("features", RUNS)
def test_the_kl_row_holds_the_kl_and_its_spikes(features):
    _, _, clip, match, rows = rows_of(features)
    kl, left_out, hits, others = rows["KL"].lines
    np.testing.assert_array_equal(kl.values, clip.kl)
    np.testing.assert_array_equal(left_out.values, np.where(clip.left_out, clip.kl, np.nan))
    assert clip.left_out[:5].all()
    assert not clip.left_out[match.frames].any()
    np.testing.assert_array_equal(hits.times, clip.times[match.frames[match.hits]])
    np.testing.assert_array_equal(others.values, clip.kl[match.frames[~match.hits]])
    assert rows["KL"].limits[0] == 0
    assert rows["KL"].note == ""


@pytest.mark.parametrize("features", RUNS)
def test_the_arrays_of_rows_are_what_is_drawn_in_its_units(features):
    tested, _, clip, _, rows = rows_of(features)
    arrays = row_arrays(Scene(list(rows.values()), clip.times, "", unit="x"))
    np.testing.assert_array_equal(arrays["KL(q ‖ p): KL (nats)"], clip.kl)
    np.testing.assert_array_equal(arrays["KL(q ‖ p): KL, times (x)"], clip.times)
    name, values = {
        "raw": ("Reconstructed mean (amplitude)", tested.frontend.waveform(clip.mean)),
        "log-mel": ("Reconstructed mean (sd)", clip.mean),
        "roll": ("KL of each dimension of z (nats)", clip.kl_z[:, np.argsort(-clip.use)[::-1]]),
    }[features]
    np.testing.assert_allclose(arrays[name], values, rtol=1e-5)


def test_a_frame_far_above_the_others_leaves_the_axis_of_the_kl_and_is_told():
    tested, signal, clip, match, rows = rows_of("raw")
    clip.kl[9] = 1e4
    cut = clip_rows(tested, signal, clip, match)["KL"]
    assert cut.limits[1] <= rows["KL"].limits[1]
    assert cut.note == f"1 of {len(clip.kl)} frames above the axis, up to 10,000 nats"


def test_pictures_say_in_what_their_range_is():
    units = {
        features: {name: getattr(row, "unit", "") for name, row in rows_of(features)[-1].items()}
        for features in RUNS
    }
    assert (
        units["log-mel"]
        | {"KL of z": "nats", "log-mel": "sd", "mean": "sd", "log-variance": "log sd²"}
        == units["log-mel"]
    )
    assert units["roll"] == {"piano roll": "", "KL": "nats", "p(note)": "p", "KL of z": "nats"}


def test_raw_frames_are_shown_as_a_waveform_with_mean_and_log_variance_in_its_units():
    tested, signal, clip, _, rows = rows_of("raw")
    (mean,), (logvar,) = rows["mean"].lines, rows["log-variance"].lines
    frontend = tested.frontend
    np.testing.assert_allclose(
        mean.values, clip.mean.ravel() * frontend.std + frontend.mean, rtol=1e-5
    )
    np.testing.assert_allclose(
        np.exp(logvar.values), np.exp(clip.logvar.ravel()) * frontend.std**2, rtol=1e-4
    )
    # The first frame is not scored, so the reconstruction begins with the second one.
    np.testing.assert_allclose(mean.times[0] * RATE, 80)
    assert rows["mean"].limits == rows["waveform"].limits
    assert len(rows["waveform"].lines[0].values) == len(signal)


def test_notes_are_cropped_to_those_that_sound_and_octaves_are_named():
    _, signal, clip, _, rows = rows_of("roll")
    sounding = np.flatnonzero(signal.any(0))
    shown = rows["piano roll"].values
    assert shown.shape == (24, sounding[-1] - sounding[0] + 7)
    assert shown.sum() == signal.sum()
    np.testing.assert_array_equal(
        rows["p(note)"].values, clip.mean[:, sounding[0] - 3 : sounding[-1] + 4]
    )
    for index, name in rows["piano roll"].ticks.items():
        assert librosa.midi_to_note(21 + sounding[0] - 3 + index) == name


def test_the_most_used_dimension_stands_on_top_of_the_heat_map():
    _, _, clip, _, rows = rows_of("log-mel")
    np.testing.assert_array_equal(rows["KL of z"].values[:, -1], clip.kl_z[:, clip.use.argmax()])
    assert rows["KL of z"].ticks[2] == f"z{clip.use.argmax()}"


@pytest.mark.parametrize("bins", [40, 80])
def test_frequencies_stand_beside_their_mel_bins(bins):
    middles = librosa.mel_frequencies(n_mels=bins + 2, fmax=8000)[1:-1]
    found = [mel_bin(hertz / 1000, 16000, bins) for hertz in middles]
    np.testing.assert_allclose(found, np.arange(bins), atol=1e-6)


def test_words_at_the_ends_of_the_colours_take_the_place_of_limits_and_unit():
    times, values = np.arange(4.0), np.array([[-1.0], [0.0], [0.5], [1.0]])
    said = {}
    for ends in (None, ("silent", "sounding")):
        picture = Picture(
            "take", "unit", times, values, ["#000000", "#ffffff"], limits=(-1.0, 1.0), ends=ends
        )
        said[ends] = scene_svg(Scene([picture], times, ""))
    assert ">-1<" in said[None] and ">1 unit<" in said[None]
    assert ">silent<" in said[ends] and ">sounding<" in said[ends]
    assert "unit" not in said[ends]


def test_missing_values_of_a_picture_are_transparent():
    values = np.array([[0.0, np.nan], [np.nan, 1.0], [0.5, 0.25]])
    picture = Picture("", "", np.arange(3.0), values, ["#000000", "#ffffff"])
    _, index = shades(picture)
    assert index.tolist() == [[1, 0], [0, 255], [128, 64]]
    assert picture_colours(picture)[0].tolist() == [0, 0, 0, 0]
    assert picture_colours(picture)[1:, 3].tolist() == [255] * 255


def test_a_column_is_drawn_in_its_unit_with_gaps_and_what_stands_alone_between_them_is_a_dot():
    x, nan = np.array([1.0, np.nan, 3.0, np.nan, 5.0, 6.0]), np.nan
    at, mean, sd = np.arange(6) + 0.5, np.arange(1.0, 6.0), np.full(5, 0.25)
    row = column_row("flow [m³/s]", at, x, at[1:], mean, sd)
    assert (row.title, row.unit) == ("flow [m³/s]", "m³/s")
    drawn = {line.name: line for line in row.lines}
    np.testing.assert_array_equal(drawn["x"].values, [1, nan, 3, nan, 5, 6])
    assert drawn["x between gaps"].times.tolist() == [0.5, 2.5]
    assert drawn["mean − 2 sd"].values.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert drawn["mean + 2 sd"].times.tolist() == at[1:].tolist()
    whole = column_row("flow", at, np.arange(6.0), at[1:], mean, sd)
    assert "x between gaps" not in {line.name for line in whole.lines}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("load (MW)", ("load", "MW")),
        ("T[°C]", ("T", "°C")),
        ("load", ("load", "")),
        ("f(x)", ("f", "x")),
        ("(MW)", ("(MW)", "")),
        ("a (b) c", ("a (b) c", "")),
    ],
)
def test_the_unit_of_a_column_stands_in_brackets_behind_its_name(column, expected):
    assert name_and_unit(column) == expected


UNLIKE = ["load (MW)", "temperature (°C)", "wind", "sun (MW)", "price"]


def test_columns_share_an_axis_only_where_their_unit_is_one():
    values = np.arange(20.0).reshape(4, 5)
    found = table_rows("The clip", np.arange(4.0), values, UNLIKE, alike=False)
    assert [(row.title, row.unit) for row in found] == [
        ("The clip: load, sun", "MW"),
        ("The clip: temperature", "°C"),
        ("The clip: wind", "value"),
        ("The clip: price", "value"),
    ]
    assert [line.name for line in found[0].lines] == ["load (MW)", "sun (MW)"]
    np.testing.assert_array_equal(found[0].lines[1].values, values[:, 3])
    counts = table_rows("The clip", np.arange(4.0), values[:, 2::2], ["wind", "price"], alike=True)
    assert [(row.title, row.unit) for row in counts] == [("The clip", "value")]


def test_columns_of_many_units_are_one_standardised_picture():
    values = np.random.default_rng(0).standard_normal((6, 20)).astype(np.float32)
    values[:, 3], values[:, 4], values[2, 5] = 7, np.nan, np.nan
    names = [f"{i}" for i in range(20)]
    (picture,) = table_rows("The clip", np.arange(6.0), values, names, alike=False)
    assert (picture.title, picture.unit) == ("The clip (standardised)", "sd")
    expected = (values[:, 0] - values[:, 0].mean()) / values[:, 0].std()
    np.testing.assert_allclose(picture.values[:, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(picture.values[:, 3], 0)
    assert np.isnan(picture.values[2, 5])
    (same,) = table_rows("The clip", np.arange(6.0), values, [f"{i} (m)" for i in names], False)
    assert (same.title, same.unit) == ("The clip", "m")
    np.testing.assert_array_equal(same.values, values)
