"""Where output goes may end: a pipe, a full disk, a terminal; some text cannot be encoded."""

import errno
import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import PATIENCE, epochs_done, wait_for
from tiny import SIZES, midi_folder

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.system.lock import is_running
from srnn_lab.system.terminal import (
    MAX_SENTENCE,
    Lasting,
    lasting_output,
    one_line,
    outliving_terminal,
    printable,
)

PROGRAM = [sys.executable, "-m", "srnn_lab"]
SMALL = [
    *(f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()),
    "--batch-size=2",
    "--segment-length=8",
]


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return midi_folder(tmp_path_factory.mktemp("data") / "songs")


def training(songs, out, epochs=3):
    return [
        *PROGRAM,
        "train",
        "jsb",
        f"--data={songs}",
        f"--out={out}",
        f"--epochs={epochs}",
        *SMALL,
    ]


def is_whole(out, epochs=3):
    return epochs_done(out) == epochs and "test" in load_checkpoint(out / "best.safetensors").scores


@pytest.mark.slow
def test_a_training_goes_on_where_its_log_is_on_a_full_disk(songs, tmp_path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            training(songs, tmp_path / "run"), stdout=full, stderr=full, check=False
        )
    assert done.returncode == 0
    assert is_whole(tmp_path / "run")


@pytest.mark.slow
def test_a_training_goes_on_where_nobody_reads_what_it_prints(songs, tmp_path):
    """As with ``| head -1`` and ``|& head -1``."""
    read, write = os.pipe()
    process = subprocess.Popen(training(songs, tmp_path / "run"), stdout=write, stderr=write)
    os.close(write)
    os.close(read)
    assert process.wait(PATIENCE) == 0
    assert is_whole(tmp_path / "run")


@pytest.mark.slow
def test_a_training_outlives_its_terminal(songs, tmp_path):
    """Which the kernel tells its process by SIGHUP, and whoever writes to it by an error."""
    run = tmp_path / "run"
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, training(songs, run, epochs=40))
    wait_for(lambda: epochs_done(run) >= 1)
    assert is_running(run)
    os.close(terminal)
    assert os.WEXITSTATUS(os.waitpid(process, 0)[1]) == 0
    assert is_whole(run, epochs=40)


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv", [["results"], ["--help"], ["train", "--help"], ["results", "--json"]]
)
def test_a_reader_who_has_seen_enough_is_no_error(argv):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*PROGRAM, *argv], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_result_that_cannot_be_printed_is_one():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "results"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "srnn-lab: The result could not be printed ([Errno 28] No space left on device)"
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_error(closed):
    command = f"exec {sys.executable} -m srnn_lab results --table=fivo {closed}"
    assert (
        subprocess.run(["sh", "-c", command], stdout=subprocess.DEVNULL, check=False).returncode
        == 0
    )
    failing = f"exec {sys.executable} -m srnn_lab reproduce none {closed}"
    assert (
        subprocess.run(["sh", "-c", failing], stderr=subprocess.DEVNULL, check=False).returncode
        == 1
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_tables_are_printed_in_any_encoding(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    found = subprocess.run(
        [*PROGRAM, "results", "--table=fivo"], env=environment, capture_output=True, check=True
    )
    sign = "±" if encoding == "utf-8" else "+-"
    assert f"0.22 {sign} 0.15" in found.stdout.decode(encoding)


@pytest.mark.slow
def test_a_name_that_is_no_utf_8_is_printed(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.mid"
    done = subprocess.run(
        [*PROGRAM, "sample", "jsb", "--steps=4", "--out", name], capture_output=True, check=True
    )
    assert rb"caf\xe9.mid" in done.stdout
    assert Path(os.fsdecode(name)).exists()
    done = subprocess.run(
        [*PROGRAM, "inspect", "jsb", name + b".mid"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert rb"caf\xe9.mid.mid does not exist" in done.stderr


class Broken(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error):
        super().__init__()
        self.raised = error

    def write(self, text):
        raise self.raised


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "full"), True),
        (OSError(errno.EIO, "gone"), True),
        (ValueError("closed"), True),
        (BrokenPipeError(), False),
    ],
)
def test_what_cannot_be_written_is_lost_and_known(error, said):
    stream = Lasting(Broken(error))
    assert stream.write("text") == 4
    assert stream.error is (error if said else None)


def test_both_streams_last_within_and_are_as_before_afterwards(monkeypatch):
    before = Broken(OSError(errno.EIO, "gone")), Broken(BrokenPipeError())
    for name, stream in zip(("stdout", "stderr"), before, strict=True):
        monkeypatch.setattr(sys, name, stream)
    with lasting_output() as output:
        print("words")
        print("words", file=sys.stderr)
    assert output.error is before[0].raised
    assert (sys.stdout, sys.stderr) == before


def test_text_is_made_plain():
    assert printable("a\tb\x1b[31m\x7f\u202e\udce9\n") == "a\\tb\\x1b[31m\\x7f\\u202e\\xe9\n"
    assert printable("Ünïcode ± – 中文\n") == "Ünïcode ± – 中文\n"
    line = one_line("begin" + 10**6 * "x" + " give\nless")
    assert line.startswith("beginxxx")
    assert line.endswith("xxx give less\n")
    assert len(line) <= MAX_SENTENCE + len(" ... \n")


def test_a_hangup_is_heard_again_afterwards():
    heard = []
    before = signal.signal(signal.SIGHUP, lambda *_: heard.append(1))
    try:
        with outliving_terminal():
            signal.raise_signal(signal.SIGHUP)
        assert heard == []
        signal.raise_signal(signal.SIGHUP)
        assert heard == [1]
    finally:
        signal.signal(signal.SIGHUP, before)
