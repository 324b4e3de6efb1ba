"""Files that are no files, files without end, and what killed processes leave."""

import fcntl
import os
import signal
import tempfile
import time

import pytest
from processes import CONTEXT, finish, wait_for
from tiny import SIZES, midi_folder

from srnn_lab.cli import main
from srnn_lab.system import files, lock
from srnn_lab.system.files import read_bounded, server_folder, sweep, write_atomically
from srnn_lab.training import runs


def endless(path, kind):
    """A path that would be read without end, or that would let its reader wait for ever."""
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    return path


def test_a_regular_file_is_read_up_to_a_number_of_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bounded(tmp_path / "file", 5) == b"12345"
    with pytest.raises(
        ValueError, match="file has more than 4 bytes, so it is not read; give a smaller file"
    ):
        read_bounded(tmp_path / "file", 4)
    with pytest.raises(FileNotFoundError, match="none"):
        read_bounded(tmp_path / "none")
    with pytest.raises(ValueError, match="is a folder; give a regular file"):
        read_bounded(tmp_path)


READERS = {
    "results": ("file", lambda path: main(["results", f"--results={path}"])),
    "reproduce": ("file", lambda path: main(["reproduce", "a", f"--results={path}"])),
    "write": ("file", lambda path: main(["results", f"--write={path}"])),
    "evaluate": (
        "file",
        lambda path: main(["evaluate", "voice-mel", f"--record={path}", "--row=a"]),
    ),
    "transitions": (
        "file",
        lambda path: main(["transitions", "voice-mel", f"--record={path}", "--row=a"]),
    ),
    "curves": ("curves.csv", lambda path: runs.read_curves(path.parent)),
    "progress": (runs.LOG, lambda path: runs.progress(path.parent)),
    "begin": (runs.LOG, lambda path: runs.begin(["jsb"], path.parent)),
    "is_running": (lock.LOCK, lambda path: lock.is_running(path.parent)),
    "terminate": (lock.LOCK, lambda path: lock.terminate(path.parent)),
    "hold": (lock.LOCK, lambda path: lock.hold(path.parent)),
}


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_and_a_device_are_refused_at_once(kind, reader, tmp_path, capsys):
    name, read = READERS[reader]
    path = endless(tmp_path / name, kind)
    try:
        assert read(path) == 1
    except ValueError as error:
        said = str(error)
    else:
        said = capsys.readouterr().err
    assert f"{path} is a device or a pipe; give a regular file" in said


def test_a_lock_and_a_log_that_are_links_empty_no_file_elsewhere(tmp_path):
    (tmp_path / "mine").write_text("letters")
    for name, take in {
        lock.LOCK: lock.hold,
        runs.LOG: lambda run: runs.begin(["jsb"], run),
    }.items():
        run = tmp_path / f"run-{name}"
        run.mkdir()
        (run / name).symlink_to(tmp_path / "mine")
        with pytest.raises(OSError, match=name):
            take(run)
    assert (tmp_path / "mine").read_text() == "letters"


def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"pipe could not be written \(it is a device or a pipe\)"):
        write_atomically(tmp_path / "pipe", b"content")
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def killed_while_writing(path):
    """What a process leaves that is killed before its file has its name."""
    os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    write_atomically(path, b"half")


def test_the_next_write_sweeps_what_a_killed_one_left(tmp_path):
    path = tmp_path / "song [1].mid"
    process = CONTEXT.Process(target=killed_while_writing, args=(path,))
    process.start()
    assert finish(process) == [-signal.SIGKILL]
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".part")
    (tmp_path / "song [1].mid.part").touch()  # of another program
    write_atomically(path, b"whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["song [1].mid", "song [1].mid.part"]


def test_a_write_leaves_that_of_another_process_alone(tmp_path):
    part = tmp_path / "a.12345678.part"
    part.touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_SH)  # which a process that writes holds
    write_atomically(tmp_path / "a", b"new")
    assert part.exists()
    os.close(folder)
    write_atomically(tmp_path / "a", b"newer")
    assert not part.exists()


def test_a_training_that_was_killed_in_its_first_write_leaves_nothing_once_it_is_begun_again(
    tmp_path,
):
    songs, run = midi_folder(tmp_path / "songs"), tmp_path / "run"
    run.mkdir()
    for name in ("best.safetensors", "last.safetensors", "curves.csv"):
        (run / f"{name}.abcdefgh.part").touch()
    sizes = [f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()]
    options = [f"--data={songs}", "--epochs=1", "--batch-size=2", "--segment-length=8", *sizes]
    assert main(["train", "jsb", *options, f"--out={run}"]) == 0
    assert sorted(p.name for p in run.iterdir()) == [
        "best.safetensors",
        "curves.csv",
        "last.safetensors",
        lock.LOCK,
    ]


def test_sweeping_takes_the_parts_of_one_file_alone(tmp_path):
    for name in ("a.x.part", "ab.x.part", "a", "a.part"):
        (tmp_path / name).touch()
    sweep(tmp_path / "a")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.part", "ab.x.part"]


def test_a_folder_that_another_server_removes_meanwhile_ends_no_server(tmp_path, monkeypatch):
    """Two servers that start at once both look at what a killed one left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "srnn_lab-left"
    left.mkdir()

    def removed_first(path):
        left.rmdir()
        raise FileNotFoundError(path)

    monkeypatch.setattr(files, "open_regular", removed_first)
    with server_folder() as mine:
        assert mine.is_dir()
    assert not left.exists()


def serve(temporary):
    """A server that lives until it is killed."""
    tempfile.tempdir = str(temporary)
    with server_folder() as folder:
        (folder / "upload.wav").write_bytes(b"a visitor's")
        (temporary / "ready").touch()
        time.sleep(600)


def test_the_folder_of_a_killed_server_goes_at_the_next_start_and_that_of_a_living_one_stays(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    process = CONTEXT.Process(target=serve, args=(tmp_path,), daemon=True)
    process.start()
    wait_for((tmp_path / "ready").exists)
    (theirs,) = tmp_path.glob("srnn_lab-*")
    old, young, link = (tmp_path / f"srnn_lab-{name}" for name in ("old", "young", "link"))
    for folder in (old, young):
        folder.mkdir()  # without a lock, as of an earlier version
    os.utime(old, (0, 0))
    (tmp_path / "precious").mkdir()
    link.symlink_to(tmp_path / "precious")
    with server_folder() as mine:
        assert mine.is_dir()
        assert set(tmp_path.glob("srnn_lab-*")) == {mine, theirs, young, link}
        assert (theirs / "upload.wav").exists()
    assert not mine.exists()
    process.kill()
    process.join()
    assert theirs.exists()
    with server_folder():
        assert not theirs.exists()
    assert set(tmp_path.glob("srnn_lab-*")) == {young, link}
