"""One process at a time trains in a run's folder: its lock there ends with it, however it ends."""

import fcntl
import os
import re
import reprlib
import signal
import socket
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from srnn_lab.system.files import open_regular, read_bounded

LOCK = "train.pid"
"""The file that is locked, in which the process's number and machine stand; empty until they are
known."""
MAX_BYTES = 1000
"""Longest such file that is read."""
PATIENCE = 1.0
"""Seconds in which the lock is asked for again, since ``is_running`` holds it for a moment."""


def hold(run: Path) -> TextIO:
    """Take the lock of a run, and keep it until the file that is returned is closed; ``sign`` it.

    A process whose standard input is the file already has the lock: whoever began it took it.

    Returns:
        The lock's file, which ``sign`` can write to.

    Raises:
        NotADirectoryError: ``run`` is a file.
        ValueError: Another process has it, or the lock's file is a device, a pipe or a folder.
        OSError: The folder cannot be written to.
    """
    if run.exists() and not run.is_dir():
        raise NotADirectoryError(f"{run} is a file; a run needs a folder. Choose another --out.")
    end = time.monotonic() + PATIENCE
    while True:
        run.mkdir(parents=True, exist_ok=True)
        # A link would let the lock empty a file elsewhere.
        file = os.fdopen(open_regular(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW), "r+")
        inherited = os.path.samestat(os.fstat(0), os.fstat(file.fileno()))
        try:
            fcntl.flock(0 if inherited else file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            if time.monotonic() >= end:
                raise ValueError(
                    f"{run} is being trained already; stop it first (the number of its process "
                    f"and its machine are in {LOCK}), or choose another folder."
                ) from error
            time.sleep(0.01)
        else:
            if _is_held(run, file):
                file.truncate()  # what an earlier process left is nobody's number
                return file
            file.close()  # the folder was removed between opening and locking


def _is_held(run: Path, lock: TextIO) -> bool:
    """Whether the file that was locked is still the one in the folder of this name."""
    try:
        return os.path.samestat((run / LOCK).stat(), os.fstat(lock.fileno()))
    except OSError:
        return False


def check_held(run: Path, lock: TextIO) -> None:
    """Whether the folder is still the one that was locked, before anything is written to it.

    Raises:
        ValueError: It was removed, moved or made anew, and may be another training's by now.
    """
    if not _is_held(run, lock):
        raise ValueError(
            f"{run} is not the folder any more that this training locked: it, or {LOCK} in it, "
            "was removed, moved or replaced meanwhile. Nothing more is written there; begin "
            "anew, or move the folder back and continue it with --resume."
        )


def sign(lock: TextIO, process: int) -> None:
    """Say in a lock that is held which process of this machine holds it."""
    lock.write(f"{process} {socket.gethostname()}")
    lock.flush()


def terminate(run: Path) -> None:
    """Send SIGTERM to a run's training; nothing happens if there is none, or it is only beginning.

    Raises:
        ValueError: It works on another machine, with which the folder is shared, or the lock names
            no training.
    """
    if not is_running(run) or not (
        signed := read_bounded(run / LOCK, MAX_BYTES).decode(errors="replace")
    ):
        return
    by_hand = "nobody was asked to stop; end the training where it was begun"
    if not re.fullmatch(r"[1-9][0-9]{0,9} \S+", signed):
        raise ValueError(
            f"{run / LOCK} holds {reprlib.repr(signed)}, not the number of a process and its "
            f"machine: {by_hand}."
        )
    number, host = signed.split()
    if host != socket.gethostname():
        raise ValueError(
            f"{run} is being trained on the machine {host}, as process {number}; stop it there."
        )
    if not (_is_training(int(number)) and _has_open(int(number), run / LOCK)):
        raise ValueError(
            f"{run / LOCK} names process {number}, which is no srnn-lab train that holds this "
            f"lock: {by_hand}."
        )
    os.kill(int(number), signal.SIGTERM)


def _is_training(process: int) -> bool:
    """Whether a process of this machine is ``srnn-lab train`` or ``python -m srnn_lab train``."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # macOS has no /proc
        command = ["ps", "-ww", "-o", "args=", "-p", str(process)]
        words = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    names = [Path(word).name for word in words]
    return any(pair in (("srnn-lab", "train"), ("srnn_lab", "train")) for pair in pairwise(names))


def _has_open(process: int, lock: Path) -> bool:
    """Whether a process has this file open; True where the system does not tell, as macOS."""
    found = lock.stat()
    if not Path("/proc/self/fd").exists():
        return True
    try:
        descriptors = [*Path(f"/proc/{process}/fd").iterdir()]
    except OSError:  # it has ended, or is another user's
        return False
    return any(_is_file(descriptor, found) for descriptor in descriptors)


def _is_file(descriptor: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), found)
    except OSError:  # closed meanwhile
        return False


def is_running(run: Path) -> bool:
    """Whether a process works on a run: whether its lock is held.

    Returns:
        False as well if the run has no lock.

    Raises:
        ValueError: The lock's file is a device, a pipe or a folder.
    """
    try:
        with os.fdopen(open_regular(run / LOCK)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
