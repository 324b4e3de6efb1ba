"""What page Train says of a folder before a training begins."""

from pathlib import Path

import pytest
from tiny import midi_folder

from srnn_lab.dashboard.pages.train import RECIPES, SIZES, Chosen, folder_of
from srnn_lab.dashboard.panels import reading
from srnn_lab.training.estimate import Estimate


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("/a b/c", "/a b/c"),
        ('"/a b/c"', "/a b/c"),
        ("'/a b/c' ", "/a b/c"),
        ("~/songs", str(Path.home() / "songs")),
        ('"~/my songs"', str(Path.home() / "my songs")),
        ("~nobody-of-this-name/x", "~nobody-of-this-name/x"),
    ],
)
def test_a_folder_is_taken_as_it_is_typed_or_copied(typed, path):
    assert folder_of(typed) == Path(path)


def test_a_folder_that_is_none_is_named(tmp_path):
    def chosen(given):
        return Chosen(
            RECIPES["My tables"],
            given,
            {
                "columns": " flow , level",
                "inputs": "",
                "sequence_column": "who ",
                "values": None,
                "time_step": 0.25,
                "time_unit": "hours ",
            },
            "small",
            1,
            "mine",
        )

    found = chosen(f'"{tmp_path}"')
    assert found.data == tmp_path
    assert found.data_settings == {
        "data": str(tmp_path.resolve()),
        "columns": "flow , level",
        "sequence_column": "who",
        "time_step": 0.25,
        "time_unit": "hours",
    }
    for given in ("", "/nowhere/at/all"):
        with pytest.raises(ValueError, match="Enter the path of a folder with table files"):
            _ = chosen(given).data
    sizes = chosen("").sizes
    assert sizes["small"] == SIZES["small"]
    assert all(sizes["full"][name] > size for name, size in sizes["medium"].items())


@pytest.mark.parametrize(
    ("files", "counts", "told"),
    [
        (14, (12, 1, 1), "14 files: 12 to train on, 1 to validate on, 1 to test on."),
        (14, (10, 1, 1), "10 to train on, 1 to validate on, 1 to test on; **2 left out**."),
        (1, (1, 1, 1), "1 file, split by time: 80 % to train on, 10 % to validate on, 10 % to"),
        (2, (8, 1, 1), "2 files with 10 sequences: 8 to train on, 1 to validate on, 1 to test on."),
        (0, (5, 2, 1), "8 sequences: 5 to train on, 2 to validate on, 1 to test on."),
    ],
)  # fmt: skip
def test_the_split_is_told_in_a_sentence(files, counts, told):
    split = dict(zip(("train", "valid", "test"), counts, strict=True))
    assert told in reading.told_of_split(split, files)


@pytest.mark.parametrize(
    ("parameters", "seconds", "told"),
    [
        (107_864, 0.1, "(110,000 parameters) less than a minute"),
        (3_255_588, 2.0, "(3.3 million parameters) about 2 minutes"),
        (990, 1.0, "(990 parameters) about 1 minute"),
        (10, 1000.0, "about 17 hours"),
    ],
)
def test_size_and_time_are_told_as_a_person_would(parameters, seconds, told):
    assert told in reading.told_of_sizes({"small": Estimate(parameters, seconds)}, 60)


def test_a_folder_is_read_anew_when_it_has_changed(tmp_path):
    folder = midi_folder(tmp_path / "songs", 3)
    first = reading.version_of("jsb", folder)
    assert first[0] == 3
    (folder / "song-00.mid").write_bytes(b"other")
    assert reading.version_of("jsb", folder) != first
    assert reading.version_of("jsb", None) == (0, 0, 0.0)


def test_a_folder_without_such_files_says_which_endings_they_have(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no file that ends in"):
        reading.version_of("series", tmp_path)


def test_what_was_left_out_is_counted_and_told(tmp_path):
    folder = midi_folder(tmp_path / "songs", 8)
    (folder / "song-03.mid").write_bytes(b"MThd broken")
    given = (("data", str(folder)),)
    found = reading.cached_reading("jsb", given, reading.version_of("jsb", folder))
    assert sum(map(len, found.signals.values())) == 7
    assert any("song-03.mid" in notice for notice in found.notices)


def test_columns_that_are_not_numbers_are_left_out_by_naming_the_others(tmp_path):
    (tmp_path / "day.csv").write_text("when,flow\n" + "\n".join(f"day {i},{i}" for i in range(40)))
    version = reading.version_of("series", tmp_path)
    with pytest.raises(ValueError, match="which is no number"):
        reading.cached_reading("series", (("data", str(tmp_path)),), version)
    given = (("data", str(tmp_path)), ("columns", "flow"))
    found = reading.cached_reading("series", given, version)
    assert [len(own[0]) for own in found.signals.values()] == [32, 4, 4]
