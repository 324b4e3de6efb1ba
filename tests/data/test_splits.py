"""Folders as people have them."""

import os
import shutil

import numpy as np
import pytest
from tiny import midi_folder, wav_folder

from srnn_lab.config import DataConfig
from srnn_lab.data import SPLITS, load_split
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.data.splits import files_below, files_of_split, split_of

MIDI = (".mid",)


def splits_of(folder, **options):
    """The split of each file, by its name."""
    config = DataConfig(data=str(folder), **options)
    return {name: split for split in SPLITS for name in load_split(config, split)}


def found(folder):
    return [path.relative_to(folder).as_posix() for path in files_below(folder, MIDI)]


@pytest.fixture
def songs(tmp_path):
    return midi_folder(tmp_path / "songs")


@pytest.fixture
def expected(songs):
    """The splits of the songs by their names alone."""
    return split_of([path.name for path in songs.iterdir()], 0.05, 0.05)


def test_a_plain_folder_is_split_by_its_names(songs, expected):
    assert splits_of(songs) == expected
    assert {split: name for name, split in expected.items() if split != "train"} == {
        "test": "song-11.mid",
        "valid": "song-06.mid",
    }


@pytest.mark.parametrize(
    "hidden", [".ipynb_checkpoints", "__MACOSX", "deeper/.git/objects", ".hidden.mid"]
)
def test_what_is_hidden_is_left_out(songs, expected, hidden):
    shutil.copytree(songs, songs / hidden)
    (songs / "song-00.mid").with_name("._song-00.mid").write_bytes(
        b"what macOS puts beside each file"
    )
    assert splits_of(songs) == expected


def test_a_folder_below_a_hidden_one_is_read(songs, expected):
    moved = songs.parent / ".cache" / "songs"
    shutil.move(songs, moved)
    assert splits_of(moved) == expected


def test_a_folder_that_ends_like_a_file_is_a_folder(songs, expected):
    (songs / "album.mid").mkdir()
    assert splits_of(songs) == expected
    (songs / "song-00.mid").rename(songs / "album.mid" / "one.mid")
    assert "album.mid/one.mid" in splits_of(songs)


def test_links_to_folders_and_files_are_followed(songs, expected, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "set").symlink_to(songs)
    assert found(tmp_path / "all") == [f"set/{name}" for name in sorted(expected)]
    (tmp_path / "each").mkdir()
    for path in songs.iterdir():
        (tmp_path / "each" / path.name).symlink_to(path)
    assert splits_of(tmp_path / "each") == expected


def test_links_that_lead_back_are_followed_once(songs, expected):
    (songs / "again").symlink_to(songs)
    (songs / "deeper").mkdir()
    (songs / "deeper" / "up").symlink_to("..")
    (songs / "a link to deeper").symlink_to(songs / "deeper")
    (songs / "deeper" / "song.mid").write_bytes(b"")
    assert found(songs) == ["deeper/song.mid", *sorted(expected)]


def test_many_links_are_no_many_ways(tmp_path):
    """Two links from each of 40 folders to the next would be 2^40 ways."""
    folders = [tmp_path / f"{i:02d}" for i in range(40)]
    for here, following in zip(folders, [*folders[1:], folders[0]], strict=True):
        here.mkdir()
        (here / "one").symlink_to(following)
        (here / "other").symlink_to(following)
    (folders[-1] / "song.mid").write_bytes(b"")
    assert found(folders[0]) == ["/".join(["one"] * 39 + ["song.mid"])]


def test_a_pipe_is_no_file(songs, expected):
    os.mkfifo(songs / "pipe.mid")
    assert splits_of(songs) == expected


def test_names_need_not_be_utf8(songs):
    os.rename(os.fsencode(songs) + b"/song-00.mid", os.fsencode(songs) + b"/Pr\xe9lude.mid")  # noqa: PTH104
    assert len(splits_of(songs)) == 12


def copied(songs, original, split):
    """A copy of a song under a name that comes into this split, and all splits by name."""
    names = [path.name for path in songs.iterdir()]
    for i in range(1000):
        by_name = split_of([*names, name := f"copy-{i}.mid"], 0.05, 0.05)
        if by_name[name] == split:
            shutil.copy(songs / original, songs / name)
            return name, by_name
    raise AssertionError(split)


@pytest.mark.parametrize(
    ("original", "split", "kept"),
    [
        ("train", "test", "copy"),
        ("train", "valid", "copy"),
        ("valid", "train", "original"),
        ("test", "train", "original"),
    ],
)
def test_copies_are_in_one_split_and_all_others_where_they_were(
    songs, expected, original, split, kept
):
    original = next(name for name, part in expected.items() if part == original)
    copy, by_name = copied(songs, original, split)
    if by_name[original] == split:
        pytest.fail("both are in one split")
    gone = original if kept == "copy" else copy
    with pytest.warns(
        UserWarning, match=rf"1 of 13 files are copies .* were left out: {gone} \(of "
    ):
        after = splits_of(songs)
    assert after == {name: part for name, part in by_name.items() if name != gone}


def test_a_copy_that_would_empty_a_split_is_as_if_it_were_not_there(songs, expected):
    test = next(name for name, part in expected.items() if part == "test")
    copy, _ = copied(songs, test, "valid")
    with pytest.warns(
        UserWarning, match=f"1 of 13 files .* left out. .*{copy} is a copy of .*{test}"
    ):
        assert splits_of(songs) == expected


def test_copies_in_one_split_stay(songs, expected):
    copy, _ = copied(
        songs, next(name for name, part in expected.items() if part == "train"), "train"
    )
    assert splits_of(songs) == expected | {copy: "train"}


def test_files_of_one_size_are_no_copies(tmp_path):
    rolls = np.zeros((20, 8, 88), np.float32)
    for i, roll in enumerate(rolls):
        roll[:, 20 + i] = 1
        (tmp_path / f"{i}.mid").write_bytes(roll_to_midi(roll, 2))
    assert len({path.stat().st_size for path in tmp_path.iterdir()}) == 1
    assert len(splits_of(tmp_path)) == 20


def test_nothing_but_copies_is_refused_with_the_reason(tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.mid").write_bytes(roll_to_midi(np.eye(88, dtype=np.float32)[40:50], 2))
    with pytest.raises(
        ValueError, match=rf"give at least 3\. {tmp_path}/\d\.mid is a copy of {tmp_path}/\d\.mid"
    ):
        splits_of(tmp_path)


BAD = {
    "an empty file": b"",
    "words": b"These are words.\n" * 9,
    "half a header": b"MThd\0\0\0\6\0\1",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("split", SPLITS)
def test_a_file_that_cannot_be_used_is_named_and_the_split_of_the_others_stays(
    songs, expected, split, content
):
    names = [path.name for path in songs.iterdir()]
    bad = next(
        f"bad-{i}.mid"
        for i in range(1000)
        if split_of([*names, f"bad-{i}.mid"], 0.05, 0.05)[f"bad-{i}.mid"] == split
    )
    (songs / bad).write_bytes(content)
    with pytest.warns(
        UserWarning,
        match=rf"1 of 1\d files cannot be used and were left out\. {songs}/{bad} cannot be read",
    ):
        assert splits_of(songs) == expected


def test_of_a_large_folder_no_other_file_takes_the_place_of_one_that_cannot_be_used(tmp_path):
    songs = midi_folder(tmp_path / "songs", 40)
    expected = split_of([path.name for path in songs.iterdir()], 0.05, 0.05)
    bad = next(name for name, split in expected.items() if split == "test")
    (songs / bad).write_bytes(b"")
    with pytest.warns(UserWarning, match=f"1 of 2 files cannot be used and were left out. .*{bad}"):
        assert splits_of(songs) == {name: split for name, split in expected.items() if name != bad}


def test_a_link_to_nothing_is_named(songs, expected):
    (songs / "song-00.mid").unlink()
    (songs / "song-00.mid").symlink_to("gone.mid")
    with pytest.warns(UserWarning, match=rf"left out\. {songs}/song-00\.mid does not exist"):
        assert splits_of(songs) == {
            name: split for name, split in expected.items() if name != "song-00.mid"
        }


def test_a_recording_that_cannot_be_used_is_left_out(tmp_path):
    folder = wav_folder(tmp_path / "clips", 8)
    expected = splits_of(
        folder, features="raw", sample_rate=8000, frame_length=80, window_length=256
    )
    bad = next(name for name, split in expected.items() if split == "valid")
    (folder / bad).write_bytes(b"no sound")
    with pytest.warns(
        UserWarning, match=rf"1 of 8 files cannot be used and were left out\. {folder}/{bad}"
    ):
        after = splits_of(
            folder, features="raw", sample_rate=8000, frame_length=80, window_length=256
        )
    assert sorted([*after, bad]) == sorted(expected)
    assert sorted(after.values()).count("valid") == 1


def test_a_folder_of_which_nothing_can_be_used_says_why(songs):
    for path in songs.iterdir():
        path.write_bytes(b"These are words.\n")
    with pytest.raises(
        ValueError, match=rf"give at least 3\. {songs}/song-\d\d\.mid cannot be read as MIDI"
    ):
        load_split(DataConfig(data=str(songs)), "train")
    with pytest.raises(
        ValueError, match=rf"None of the 12 files can be used\. {songs}/song-00\.mid cannot be read"
    ):
        load_split(DataConfig(data=str(songs)), "all")


def test_what_is_said_of_many_files_is_said_of_the_first_few(tmp_path):
    roll = np.zeros((8, 88), np.float32)
    for i in range(40):
        roll[:, 20 + i] = 1
        content = roll_to_midi(roll, 2)
        (tmp_path / f"{i:02d}.mid").write_bytes(content[:-4] + b"\0\x99\x24\x40" + content[-4:])
    with pytest.warns(UserWarning) as caught:
        load_split(DataConfig(data=str(tmp_path)), "all")
    said = [str(warning.message) for warning in caught]
    assert len(said) == 6
    assert all("are drums" in sentence for sentence in said[:5])
    assert "35 more" in said[5]


def test_a_file_of_a_split_is_looked_at_but_not_all_others(songs):
    looked_at = []
    files = {path.name: path for path in songs.iterdir()}
    files_of_split(files, "train", lambda path: looked_at.append(path.name))
    assert looked_at == ["song-11.mid", "song-06.mid"]
