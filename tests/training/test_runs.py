import fcntl
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from processes import epochs_done, wait_for
from tiny import midi_folder

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.system.lock import LOCK, _is_training, hold, is_running, sign, terminate
from srnn_lab.training import runs

SMALL = ["--d-dim=6", "--z-dim=3", "--hidden-dim=8", "--batch-size=2", "--segment-length=8"]


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return midi_folder(tmp_path_factory.mktemp("music") / "songs")


def begin(run, songs, epochs):
    runs.begin(["jsb", f"--out={run}", f"--data={songs}", f"--epochs={epochs}", *SMALL], run)


@pytest.mark.slow
def test_a_training_lives_in_its_files_alone(tmp_path, songs):
    run = tmp_path / "runs" / "mine"
    begin(run, songs, 10_000)
    assert is_running(run)
    with pytest.raises(ValueError, match="mine is being trained already; stop it first"):
        begin(run, songs, 3)
    number = int((run / LOCK).read_text().split()[0])
    assert os.getsid(number) == number != os.getsid(0)  # Ctrl-C here does not reach it
    wait_for(lambda: epochs_done(run) >= 3 and runs.progress(run).step)
    state = runs.progress(run)
    assert state.running
    assert state.header.config.train.epochs == 10_000
    assert 0 < state.share < 1
    assert state.step.startswith("epoch ")
    assert "nats per frame, KL" in state.step
    assert state.left
    assert state.test is None
    assert list(runs.list_runs(run.parent)) == ["mine"]

    terminate(run)
    wait_for(lambda: not is_running(run))
    state = runs.progress(run)
    assert "stopped, with all written; continue with" in state.said[-1]
    assert (state.step, state.left, state.test) == ("", "", None)
    done = state.epochs
    assert done >= 3
    terminate(run)  # does nothing

    runs.begin([f"--resume={run}", f"--epochs={done + 1}"], run)
    wait_for(lambda: not is_running(run))
    state = runs.progress(run)
    assert (state.epochs, state.share) == (done + 1, 1.0)
    assert state.test == load_checkpoint(run / "best.safetensors").scores["test"]
    assert state.said[0].startswith("$ srnn-lab train --resume=")
    curves = runs.read_curves(run)
    assert curves["epoch"].tolist() == list(range(1, done + 2))
    assert np.isfinite(curves["valid_elbo"]).all()


@pytest.mark.slow
def test_a_training_that_fails_says_why(tmp_path):
    run = tmp_path / "mine"
    runs.begin(["jsb", f"--out={run}", f"--data={tmp_path / 'none'}"], run)
    wait_for(lambda: not is_running(run))
    state = runs.progress(run)
    assert state.header is None
    assert "is neither a data set" in state.said[-1]
    assert state.epochs == 0


@pytest.mark.slow
def test_a_killed_training_is_not_taken_for_one_that_runs(tmp_path, monkeypatch):
    program = tmp_path / "sleep"
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n")
    program.chmod(0o755)
    monkeypatch.setattr(runs.sys, "executable", str(program))
    run = tmp_path / "mine"
    runs.begin(["jsb"], run)
    number = int((run / LOCK).read_text().split()[0])
    assert is_running(run)
    os.kill(number, signal.SIGKILL)
    wait_for(lambda: not is_running(run))
    with pytest.raises(ProcessLookupError):  # nor does a zombie stay
        for _ in range(1000):
            os.kill(number, 0)
            time.sleep(0.01)


def test_a_training_that_only_begins_is_not_stopped_by_the_number_of_an_earlier_one(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail(f"a stranger was sent {given}"))
    (tmp_path / LOCK).write_text(f"1 {socket.gethostname()}")
    with hold(tmp_path):
        assert is_running(tmp_path)
        terminate(tmp_path)
    assert not is_running(tmp_path)


def test_a_training_on_another_machine_is_not_stopped_by_its_number_here(tmp_path, monkeypatch):
    """The folder may be shared between machines, and so is its lock."""
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail(f"a stranger was sent {given}"))
    with hold(tmp_path) as lock:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
            sign(lock, 12)
        with pytest.raises(
            ValueError,
            match="is being trained on the machine elsewhere, as process 12; stop it there",
        ):
            terminate(tmp_path)


NO_TRAININGS = [
    "-1",
    "0",
    "-{pid}",
    "{pid}",
    "1",
    "999999999",
    "9" * 400,
    "1e3",
    " ",
    "",
    "x" * 900,
    "1 1",
    "\x1b[2J",
]


@pytest.mark.parametrize("signed", NO_TRAININGS)
def test_no_process_is_stopped_but_a_training_that_holds_this_lock(signed, tmp_path, monkeypatch):
    """This one holds it, and is a test."""
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail(f"a stranger was sent {given}"))
    with hold(tmp_path) as lock:
        lock.write(f"{signed.format(pid=os.getpid())} {socket.gethostname()}")
        lock.flush()
        with pytest.raises(
            ValueError, match=r"train\.pid (holds|names) .*nobody was asked to stop"
        ) as caught:
            terminate(tmp_path)
    assert len(str(caught.value)) < 500


@pytest.mark.slow
def test_a_training_of_another_run_is_not_stopped(tmp_path, songs, monkeypatch):
    other, run = tmp_path / "other", tmp_path / "run"
    begin(other, songs, 10_000)
    with monkeypatch.context() as patched, hold(run) as lock:
        patched.setattr(os, "kill", lambda *given: pytest.fail(f"a stranger was sent {given}"))
        lock.write((other / LOCK).read_text())
        lock.flush()
        with pytest.raises(ValueError, match="is no srnn-lab train that holds this lock"):
            terminate(run)
    wait_for(lambda: runs.progress(other).header)
    terminate(other)
    wait_for(lambda: not is_running(other))


@pytest.mark.parametrize("program", ["/usr/bin/srnn-lab", "srnn_lab"])
def test_a_training_is_known_by_its_command(program, monkeypatch):
    """Without /proc, as on macOS, ``ps`` tells it."""
    known = {
        7: f"python {program} train jsb",
        8: f"python {program} evaluate train",
        9: "vi train",
        10: "",
    }
    answers = lambda command, **_: SimpleNamespace(stdout=known[int(command[-1])])  # noqa: E731
    monkeypatch.setattr("srnn_lab.system.lock.subprocess.run", answers)
    monkeypatch.setattr(
        "srnn_lab.system.lock.Path", lambda text: Path(str(text).replace("/proc", "/nowhere"))
    )
    assert [_is_training(number) for number in known] == [True, False, False, False]


def test_a_look_at_a_run_does_not_keep_it_from_being_trained(tmp_path, monkeypatch):
    (tmp_path / LOCK).touch()
    look = (tmp_path / LOCK).open()
    fcntl.flock(look, fcntl.LOCK_SH)
    clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: look.close())
    monkeypatch.setattr("srnn_lab.system.lock.time", clock)
    hold(tmp_path).close()
    assert look.closed


def test_a_folder_without_runs_has_none(tmp_path):
    (tmp_path / "other").mkdir()
    for name in ("caf\udce9", "\x1b[2J"):  # no UTF-8, and no text
        (tmp_path / name).mkdir()
        (tmp_path / name / runs.LOG).touch()
    assert runs.list_runs(tmp_path) == runs.list_runs(tmp_path / "missing") == {}


@pytest.mark.parametrize(
    "text", ["epoch,train_elbo\n1\n", "words", "epoch\n\x00\n", "", "\ufeff", "\xff" * 9]
)
@pytest.mark.parametrize("more", ["\n1,2\n", ""])
def test_damaged_curves_are_named(tmp_path, text, more):
    (tmp_path / "curves.csv").write_bytes(
        f"{text}{more}".encode("latin-1" if "\xff" in text else "utf-8")
    )
    with pytest.raises(ValueError, match=r"curves\.csv is not a table of training curves"):
        runs.read_curves(tmp_path)


def test_only_the_latest_beginning_counts_in_a_log(tmp_path):
    bar = "{}%|###| 1k/2k [00:01<{}, 9 frames/s, epoch {}, -3.0 nats per frame, KL 1.0]"
    old, new = bar.format(90, "00:01", 9), bar.format(10, "01:00", 1)
    (tmp_path / runs.LOG).write_text(
        f"$ srnn-lab train jsb\n{old}\rwords\n$ srnn-lab train jsb\n{new}\r"
    )
    assert runs.progress(tmp_path).said == ("$ srnn-lab train jsb",)
    assert json.dumps(runs._tail(tmp_path / runs.LOG)).count("epoch") == 1
