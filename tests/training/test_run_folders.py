"""Runs as folders: their order, new names, deletion, and what a log says of one."""

import os

import pytest

from srnn_lab.system.lock import hold
from srnn_lab.training import runs

BAR = "  7%|#  | 96.0/672 [00:00<00:02, 232 frames/s, epoch 1, -9.1 nats per frame, KL 2.0]"


def make_run(folder, name, *lines):
    """A run of a log alone."""
    (folder / name).mkdir(parents=True)
    (folder / name / runs.LOG).write_text("\n".join(lines))
    return folder / name


def test_the_run_that_changed_last_comes_first(tmp_path):
    for age, name in enumerate(("b", "c", "a")):
        os.utime(make_run(tmp_path, name) / runs.LOG, (1000 - age, 1000 - age))
    assert list(runs.newest_first(runs.list_runs(tmp_path))) == ["b", "c", "a"]
    (tmp_path / "a" / "curves.csv").touch()  # it goes on
    assert list(runs.newest_first(runs.list_runs(tmp_path))) == ["a", "b", "c"]


def test_a_run_that_is_deleted_while_runs_are_ordered_comes_last(tmp_path):
    make_run(tmp_path, "kept")
    found = {"gone": tmp_path / "gone", **runs.list_runs(tmp_path)}
    assert list(runs.newest_first(found)) == ["kept", "gone"]


def test_a_run_gets_another_name_with_all_that_is_in_it(tmp_path):
    run = make_run(tmp_path, "old", "words")
    new = runs.rename_run(run, "new")
    assert list(runs.list_runs(tmp_path)) == ["new"]
    assert (new / runs.LOG).read_text() == "words"
    hold(new).close()  # nobody holds it


@pytest.mark.parametrize(
    ("name", "match"),
    [("../x", "cannot name a run"), ("", "cannot name a run"), ("taken", "exists already")],
)
def test_a_name_that_is_none_or_taken_is_refused(tmp_path, name, match):
    run = make_run(tmp_path / "runs", "mine")
    make_run(tmp_path / "runs", "taken")
    with pytest.raises(ValueError, match=match):
        runs.rename_run(run, name)
    assert set(runs.list_runs(tmp_path / "runs")) == {"mine", "taken"}


def test_a_run_is_deleted_and_what_it_links_to_is_not(tmp_path):
    kept, other = tmp_path / "songs", make_run(tmp_path / "runs", "other")
    kept.mkdir()
    (kept / "song.mid").touch()
    run = make_run(tmp_path / "runs", "mine")
    (run / "link").symlink_to(kept)
    runs.delete_run(run)
    assert not run.exists()
    assert other.exists()
    assert (kept / "song.mid").exists()


@pytest.mark.parametrize("change", [runs.delete_run, lambda run: runs.rename_run(run, "new")])
def test_a_run_that_is_trained_keeps_its_folder_and_its_name(tmp_path, change, monkeypatch):
    monkeypatch.setattr("srnn_lab.system.lock.PATIENCE", 0.0)
    run = make_run(tmp_path, "mine")
    with hold(run), pytest.raises(ValueError, match="is being trained already"):
        change(run)
    assert (run / runs.LOG).exists()


@pytest.mark.parametrize("change", [runs.delete_run, lambda run: runs.rename_run(run, "new")])
def test_nothing_but_a_run_in_its_folder_is_touched(tmp_path, change):
    folder = tmp_path / "runs"
    elsewhere = make_run(tmp_path / "elsewhere", "mine")
    folder.mkdir()
    (folder / "link").symlink_to(elsewhere)
    (folder / "other").mkdir()
    (folder / "other" / "letters").touch()
    for path, match in {
        folder / "link": "is a link",
        folder / "other": "is no run",
        folder / ".." / "elsewhere": "is no run",
        folder / "missing": "is no run",
        folder: "is no run",
    }.items():
        with pytest.raises(ValueError, match=match):
            change(path)
    assert (elsewhere / runs.LOG).exists()
    assert (folder / "other" / "letters").exists()
    assert not (folder / "missing").exists()


def test_what_was_left_out_is_read_from_the_beginning_of_a_long_log(tmp_path):
    noted = ["srnn-lab: 1 of 14 files cannot be used and were left out."]
    run = make_run(tmp_path, "mine", "$ srnn-lab train jsb", *noted, *[BAR] * 200, "srnn-lab: end")
    state = runs.progress(run)
    assert state.noted == ("1 of 14 files cannot be used and were left out.",)
    assert state.refused == ""


def test_a_run_that_does_not_go_on_says_why(tmp_path):
    first = ["$ srnn-lab train jsb", BAR, "preset jsb"]
    run = make_run(tmp_path, "mine", *first)
    assert runs.progress(run).refused == ""
    again = ["$ srnn-lab train --resume=mine", "srnn-lab: mine was trained on other data."]
    (run / runs.LOG).write_text("\n".join([*first, *again]))
    assert runs.progress(run).refused == "mine was trained on other data."
    with hold(run):
        assert runs.progress(run).refused == ""  # it may still begin


def test_a_name_is_checked_alike_for_new_and_renamed_runs():
    for name in ("a", "jsb-small", "x_1.2", "é"):
        runs.check_name(name)
    for name in ("-x", ".hidden", "a/b", "a b"):
        with pytest.raises(ValueError, match="cannot name a run"):
            runs.check_name(name)
