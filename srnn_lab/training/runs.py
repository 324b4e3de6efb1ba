"""Trainings as folders of files: begin one as a process, see how far it is, rename, delete it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srnn_lab.checkpoint import Header, read_header
from srnn_lab.system.files import open_regular
from srnn_lab.system.lock import hold, is_running, sign
from srnn_lab.training.curves import FILE, read_curves
from srnn_lab.training.state import LAST

LOG = "train.log"
"""What a training prints."""
TAIL = 8192
"""Bytes at the end of a log that are read, and at its beginning."""
SAYS = "srnn-lab: "
"""What a warning or an error of a training begins with in its log."""
_BAR = re.compile(r"(\d+)%\|[^|]*\| \S+ \[\S+<(\S+), [^]]*, (epoch [^]]*)\]")


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        running: Whether a process works on it now.
        header: Its configuration and, at its end, its scores; None before its data are read.
        epochs: Whole epochs that are done.
        share: Share of all updates that are done, in [0, 1].
        step: What its progress bar says of the latest update.
        left: Time that is left, as its progress bar says it.
        said: The last lines that it printed, without the progress bar.
        noted: What it printed before its first update: what was left out of its data and why.
        refused: Why it did not begin when it was last asked to; empty if it did.
    """

    running: bool
    header: Header | None
    epochs: int
    share: float
    step: str
    left: str
    said: tuple[str, ...]
    noted: tuple[str, ...] = ()
    refused: str = ""

    @property
    def test(self) -> dict[str, Any] | None:
        """The best epoch's figures on test data, once the training came to its end."""
        if self.header is None or self.epochs < self.header.config.train.epochs:
            return None
        return self.header.scores.get("test")


def list_runs(folder: Path) -> dict[str, Path]:
    """The runs in a folder, by name; empty if there is no such folder.

    Returns:
        The runs' folders. A name that cannot be shown is left out.
    """
    found = (path for path in folder.glob("*") if (path / FILE).exists() or (path / LOG).exists())
    return {path.name: path for path in sorted(found) if path.name.isprintable()}


def newest_first(runs: Mapping[str, Path]) -> dict[str, Path]:
    """Runs in the order of their last signs of life, the latest first."""

    def changed(path: Path) -> float:
        latest = 0.0
        for name in (LAST, FILE, LOG):
            with suppress(FileNotFoundError):  # not written yet, or the run is deleted just now
                latest = max(latest, (path / name).stat().st_mtime)
        return latest

    return dict(sorted(runs.items(), key=lambda run: changed(run[1]), reverse=True))


def check_name(name: str) -> None:
    """Whether a run can be called so.

    Raises:
        ValueError: It is no name for a folder in the folder of runs.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            f"{name!r} cannot name a run; use letters, digits, '-', '_' and '.', and do not start "
            "with '-' or '.'."
        )


def rename_run(run: Path, name: str) -> Path:
    """Give a run another name in its folder.

    Args:
        run: Folder of the run.
        name: The new name.

    Returns:
        The new folder.

    Raises:
        ValueError: The name is none or is taken, the run is being trained, or it is no run.
    """
    check_name(name)
    new = run.parent / name
    if new.exists():
        raise ValueError(f"A run {name!r} exists already; choose another name.")
    with _held_run(run):
        run.rename(new)
    return new


def delete_run(run: Path) -> None:
    """Delete the folder of a run and all that is in it.

    Raises:
        ValueError: It is being trained, or it is no run, or a link to one elsewhere.
    """
    with _held_run(run):
        shutil.rmtree(run)


@contextmanager
def _held_run(run: Path) -> Iterator[None]:
    """The lock of a run that lies in its folder of runs itself and not elsewhere.

    Yields:
        Nothing; the lock is given back at the end.

    Raises:
        ValueError: It is no run, or a link, or being trained.
    """
    if list_runs(run.parent).get(run.name) != run:
        raise ValueError(f"{run} is no run; nothing was changed.")
    if run.is_symlink():
        raise ValueError(
            f"{run} is a link to a folder elsewhere; nothing was changed. Rename or delete it "
            "where it is."
        )
    with hold(run):
        yield


def begin(arguments: Sequence[str], run: Path) -> None:
    """``srnn-lab train ARGUMENTS`` in a process of its own, which outlives the one that began it.

    Args:
        arguments: What follows ``train``; it names ``run``.
        run: Folder of the run, where the process's log and number are put.

    Raises:
        ValueError: A process works on this run already, or its log is a device or a pipe.
        OSError: The folder cannot be written to.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    with hold(run) as lock, os.fdopen(open_regular(run / LOG, flags), "ab") as log:
        log.write(f"$ srnn-lab train {shlex.join(arguments)}\n".encode(errors="backslashreplace"))
        log.flush()
        # One thread, since others wait for each other where a page is drawn beside them.
        environment = {"OMP_NUM_THREADS": "1", "TQDM_MININTERVAL": "0.5", **os.environ}
        process = subprocess.Popen(
            [sys.executable, "-m", "srnn_lab", "train", *arguments],
            stdin=lock,  # the lock goes with it
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        sign(lock, process.pid)
    threading.Thread(target=process.wait, daemon=True).start()  # so that no zombie is left


def progress(run: Path) -> Progress:
    """How far a run is, from its files alone.

    Returns:
        The state of the run. A run that has not written anything has done 0 epochs.

    Raises:
        ValueError: A file of it cannot be read.
    """
    running = is_running(run)  # first, so that the files of one that has ended are its last
    files = [path for name in ("best", "last") if (path := run / f"{name}.safetensors").exists()]
    header = read_header(files[0]) if files else None
    if header and len(files) > 1:
        # More epochs may have been asked for.
        header = Header(read_header(files[1]).config, header.scores)
    epochs = len(read_curves(run)["epoch"])
    lines = _tail(run / LOG)
    bars = [found for line in lines if (found := _BAR.search(line))]
    said = tuple(line for line in lines if not re.search(r"\d+%\|", line))
    refused = ""
    if not (running or len(said) < len(lines)):  # not even a bar of progress
        told = [line for line in said if not line.startswith("$ ")]  # but the command
        refused = told[-1].removeprefix(SAYS) if told else ""
    total = header.config.train.epochs if header else 1
    share = epochs / total
    if running and bars:
        share = max(share, int(bars[-1][1]) / 100)
    left, step = (bars[-1][2], bars[-1][3]) if running and bars else ("", "")
    share, noted = min(1.0, share), _noted(run)
    return Progress(running, header, epochs, share, step, left, said, noted, refused)


def _noted(run: Path) -> tuple[str, ...]:
    """What a training printed of its data when it first began."""
    noted = []
    for line in _lines(run / LOG, from_end=False):
        if re.search(r"\d+%\|", line):
            return tuple(noted)
        if line.startswith(SAYS):
            noted.append(line.removeprefix(SAYS))
    return ()


def _tail(log: Path) -> list[str]:
    """A log's last lines, since the run last began; a progress bar's states are lines too."""
    lines = _lines(log, from_end=True)
    return lines[max((i for i, line in enumerate(lines) if line.startswith("$ ")), default=0) :]


def _lines(log: Path, *, from_end: bool) -> list[str]:
    """The lines of the first or the last bytes of a log."""
    if not log.exists():
        return []
    with os.fdopen(open_regular(log), "rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL) if from_end else 0)
        text = file.read(TAIL).decode(errors="replace")
    return [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
