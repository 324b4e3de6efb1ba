"""The clips of each kind of music."""

import numpy as np
import pytest

from srnn_lab.config import DataConfig
from srnn_lab.data import read_clip
from srnn_lab.data.bundled import ASSETS, bundled_clips, clips_of_kind
from srnn_lab.reports.make_clips import changes, line, longest_line


@pytest.mark.filterwarnings("ignore:.*left out")  # to a longer one, in a frame of an eighth note
@pytest.mark.parametrize(
    ("data", "folder"),
    [
        ("fraccaro/jsb", "chorales"),
        ("bl/jsb", "chorales"),
        ("a folder", "chorales"),
        ("fraccaro/nottingham", "folk"),
        ("bl/piano", "piano"),
        ("fraccaro/muse", "chamber"),
    ],
)
def test_a_model_has_clips_of_its_kind_which_are_short_and_can_be_read(data, folder):
    config = DataConfig(data=data)
    own = clips_of_kind(config)
    assert {path.parent.name for path in own.values()} == {folder}
    assert 2 <= len(own) <= 6
    assert own.items() <= bundled_clips("roll").items()
    for path in own.values():
        assert path.stat().st_size < 20_000
        roll, timing = read_clip(path, config)
        assert 60 <= len(roll) <= 130
        assert roll.any(1).mean() > 0.85
        assert 40 < timing.tempo < 240


def test_every_clip_of_music_is_of_one_kind():
    kinds = [
        clips_of_kind(DataConfig(data=f"bl/{name}"))
        for name in ("jsb", "nottingham", "piano", "muse")
    ]
    assert sum(map(len, kinds)) == len(bundled_clips("roll")) == len([*ASSETS.rglob("*.mid")])


def test_changes_and_lines_are_of_what_sounds_and_do_not_depend_on_lengths():
    roll = np.zeros((8, 88), bool)
    roll[[1, 2], 40] = roll[[1, 2], 45] = roll[4, 41] = roll[4, 45] = roll[[6, 7], 47] = True
    assert [np.flatnonzero(frame).tolist() for frame in changes(roll)] == [[40, 45], [41, 45], [47]]
    assert line(roll) == bytes([2])
    assert line(np.eye(88, dtype=bool)[[3, 5, 4]]) == np.array([2, -1], np.int8).tobytes()


def test_the_longest_line_is_in_one_song():
    assert longest_line(b"\1\2\3\4", [b"\2\3", b"\4\1\2"]) == 3
    assert longest_line(b"\1\2", [b"\1", b"\2"]) == 2
    assert longest_line(b"\1", [b"\2"]) == 1


@pytest.mark.filterwarnings("error")  # a note that is left out is said
@pytest.mark.parametrize("name", ["jsb", "nottingham", "piano", "muse"])
def test_the_first_clip_of_each_kind_has_several_voices_and_loses_no_note(name):
    config = DataConfig(data=f"fraccaro/{name}")
    roll, _ = read_clip(next(iter(clips_of_kind(config).values())), config)
    assert roll[roll.any(1)].sum(1).mean() > 2
