"""What is found in a clip as files."""

import csv
import io

import numpy as np
import pytest
from tiny import music_run, roll, untrained

from srnn_lab.analysis.export import csv_text, event_table, label_track, npz_bytes
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.transitions import match_spikes


@pytest.fixture(scope="module")
def clip():
    return inspect_signal(untrained(music_run()), roll(40))


@pytest.fixture(scope="module")
def match(clip):
    return match_spikes(clip, 0, 0.3)


def test_every_spike_and_every_missed_change_is_a_row_in_the_order_of_time(clip, match):
    table = event_table(clip, match, "chord change", "quarter notes")
    assert match.hits.sum() + (~match.found).sum() > 0
    assert len(table["frame"]) == len(match.frames) + (~match.found).sum()
    assert table["time (quarter notes)"] == sorted(table["time (quarter notes)"])
    for frame, what, away in zip(
        table["frame"], table["what"], table["frames to the nearest chord change"], strict=True
    ):
        assert (frame in clip.changes) == (away == 0) == (what != "spike elsewhere")
        assert (frame in match.frames) == what.startswith("spike")
    np.testing.assert_array_equal(table["KL (nats)"], clip.kl[table["frame"]])


def test_the_csv_reads_back_as_the_table(clip, match):
    table = event_table(clip, match, "chord change", "quarter notes")
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert list(rows[0]) == list(table)
    assert [float(row["KL (nats)"]) for row in rows] == table["KL (nats)"]


def test_the_label_track_is_in_seconds_of_the_sound(clip, match):
    lines = [line.split("\t") for line in label_track(clip, match).splitlines()]
    np.testing.assert_allclose(
        [float(line[0]) for line in lines], clip.seconds[match.frames], atol=1e-6
    )
    assert all(line[0] == line[1] for line in lines)
    assert [line[2].endswith("*") for line in lines] == match.hits.tolist()


def test_arrays_read_back_without_pickles():
    with np.load(io.BytesIO(npz_bytes({"kl": np.arange(3)})), allow_pickle=False) as arrays:
        assert arrays["kl"].tolist() == [0, 1, 2]
