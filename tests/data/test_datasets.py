import tracemalloc

import numpy as np
import pytest
import soundfile
import torch

from srnn_lab.config import DataConfig
from srnn_lab.data import DATASETS, SPLITS, Frontend, Streams, load_split, read_signal
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.data.speech import split_of

NAMES = [f"file{i}" for i in range(100)]


def write_tone(path, hertz, samples=400):
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * np.arange(samples) / 4000), 4000)


def write_note(path, pitch):
    roll = np.zeros((4, 88), np.float32)
    roll[:, pitch - 21] = 1
    path.write_bytes(roll_to_midi(roll, 2))


def test_split_depends_on_the_set_of_names_alone():
    splits = split_of(NAMES, 0.05, 0.1)
    assert [list(splits.values()).count(split) for split in SPLITS] == [85, 5, 10]
    assert set(splits) == set(NAMES)
    assert split_of([*reversed(NAMES), *NAMES], 0.05, 0.1) == splits
    assert split_of(NAMES, 0.05, 0.1, salt="other") != splits


def test_split_is_the_same_on_every_machine():
    splits = split_of("abcdefghij", 0.2, 0.1)
    assert {
        split: "".join(sorted(n for n in splits if splits[n] == split))
        for split in ("test", "valid")
    } == {
        "test": "j",
        "valid": "df",
    }


def test_small_shares_still_get_one_name_and_a_share_of_0_none():
    assert sorted(split_of("abc", 0.01, 0.01).values()) == ["test", "train", "valid"]
    assert sorted(split_of("ab", 0.01, 0.0).values()) == ["train", "valid"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"0 files or speakers \(none\) cannot be split.*at least 3"),
        (["a", "b"], r"2 files or speakers \(\w, \w\)"),
    ],
)
def test_too_few_names_cannot_be_split(names, message):
    with pytest.raises(ValueError, match=message):
        split_of(names, 0.05, 0.05)


def test_unknown_split_lists_the_splits():
    with pytest.raises(ValueError, match="'dev'; choose one of train, valid, test"):
        load_split(DataConfig(), "dev")


def test_unknown_data_set_lists_the_data_sets():
    with pytest.raises(ValueError, match="'bach' is neither a data set") as caught:
        load_split(DataConfig(data="bach"), "train")
    assert all(name in str(caught.value) for name in DATASETS)


@pytest.mark.parametrize(
    ("features", "names", "write", "length"),
    [
        (
            "roll",
            [f"sub/{i}.mid" for i in range(20)] + [f"{i}.MIDI" for i in range(20)],
            write_note,
            4,
        ),
        (
            "raw",
            [f"sub/{i}.wav" for i in range(20)] + [f"{i}.FLAC" for i in range(20)],
            write_tone,
            400,
        ),
        (
            "log-mel",
            [f"sub/{i}.wav" for i in range(20)] + [f"{i}.FLAC" for i in range(20)],
            write_tone,
            400,
        ),
    ],
)
def test_folder_is_split_by_file(tmp_path, features, names, write, length):
    (tmp_path / "sub").mkdir()
    for i, name in enumerate(names):
        write(tmp_path / name, 30 + i)
    (tmp_path / "notes.txt").write_text("other files are left alone")
    config = DataConfig(data=str(tmp_path), features=features, sample_rate=4000, window_length=100)
    splits = [load_split(config, split) for split in SPLITS]
    assert [len(signals) for signals in splits] == [36, 2, 2]
    assert load_split(config, "all").keys() == set(names)
    assert sorted(name for signals in splits for name in signals) == sorted(names)
    assert {len(signal) for signals in splits for signal in signals.values()} == {length}


@pytest.mark.parametrize(
    ("features", "ending"), [("roll", ".mid"), ("raw", ".wav"), ("log-mel", ".wav")]
)
def test_folder_without_a_file_of_its_kind_is_refused(tmp_path, features, ending):
    (tmp_path / "notes.txt").touch()
    (tmp_path / f"._hidden{ending}").touch()
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} holds no file that ends in {ending}"):
        load_split(DataConfig(data=str(tmp_path), features=features), "train")


def test_data_folder_is_taken_from_the_environment_unless_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("SRNN_LAB_DATA", str(tmp_path / "environment"))
    for data_dir, used in {None: "environment", str(tmp_path / "given"): "given"}.items():
        with pytest.raises(
            FileNotFoundError, match=f"{tmp_path / used} lacks music/fraccaro/jsb_raw"
        ):
            load_split(DataConfig(), "train", data_dir)


def test_signal_is_read_by_its_ending(tmp_path):
    write_note(tmp_path / "a.MID", 60)
    write_tone(tmp_path / "a.wav", 440)
    config = DataConfig(sample_rate=4000, frames_per_quarter=4)
    assert read_signal(tmp_path / "a.MID", config).shape == (8, 88)
    assert read_signal(str(tmp_path / "a.wav"), config).shape == (400,)


def test_a_corpus_is_never_in_memory_as_a_whole(tmp_path):
    """Reading, mean and deviation, and a batch take less memory than the samples' int16 bytes."""
    generator = np.random.default_rng(0)
    for i in range(40):
        soundfile.write(
            tmp_path / f"{i:02d}.wav",
            generator.integers(-9999, 9999, 100_000).astype(np.int16),
            16000,
        )
    config = DataConfig(data=str(tmp_path), features="raw")
    load_split(config, "valid")  # imports
    tracemalloc.start()
    signals = list(load_split(config, "train").values())
    frontend = Frontend.fit(config, 200, signals)
    next(Streams(frontend.sequences(signals, 200), 16, 40, 4).epoch(torch.Generator()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(signals) == 36
    assert peak < 2 * sum(map(len, signals))


def test_recordings_shorter_than_two_frames_are_left_out_by_name(tmp_path):
    for i in range(20):
        write_tone(tmp_path / f"{i}.wav", 30 + i)
    config = DataConfig(data=str(tmp_path), features="raw", sample_rate=4000)
    training = list(load_split(config, "train"))
    write_tone(tmp_path / training[0], 100, samples=300)
    with pytest.warns(
        UserWarning, match=f"1 of 18 .*shorter than two frames and were left out: {training[0]}"
    ):
        assert list(load_split(config, "train")) == training[1:]
    for name in training:
        write_tone(tmp_path / name, 100, samples=300)
    with pytest.raises(ValueError, match="All 18"):
        load_split(config, "train")
