"""One process at a time trains in a run's folder: it holds a lock there, which ends with it, however it ends."""

import fcntl
import os
import signal
import socket
import time
from pathlib import Path
from typing import TextIO

LOCK = "train.pid"
"""The file that is locked, in which the process's number and machine stand; empty until they are known."""
PATIENCE = 1.0
"""Seconds in which the lock is asked for again, since ``is_running`` holds it for a moment."""


def hold(run: Path) -> TextIO:
    """Take the lock of a run, and keep it until the file that is returned is closed; ``sign`` it.

    A process whose standard input is the file already has the lock: whoever began it took it.

    Raises:
        NotADirectoryError: ``run`` is a file.
        ValueError: Another process has it.
        OSError: The folder cannot be written to.
    """
    if run.exists() and not run.is_dir():
        raise NotADirectoryError(f"{run} is a file; a run needs a folder. Choose another --out.")
    run.mkdir(parents=True, exist_ok=True)
    (run / LOCK).touch()
    file = (run / LOCK).open("r+")
    inherited = os.path.samestat(os.fstat(0), os.fstat(file.fileno()))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(0 if inherited else file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                file.close()
                raise ValueError(
                    f"{run} is being trained already; stop it first (the number of its process and its machine are in "
                    f"{LOCK}), or choose another folder."
                ) from error
            time.sleep(0.01)
        else:
            file.truncate()  # what an earlier process left is nobody's number
            return file


def sign(lock: TextIO, process: int) -> None:
    """Say in a lock that is held which process of this machine holds it."""
    lock.write(f"{process} {socket.gethostname()}")
    lock.flush()


def terminate(run: Path) -> None:
    """Send SIGTERM to the process that works on a run; nothing happens if none does, or it is only beginning.

    Raises:
        ValueError: It works on another machine, with which the folder is shared.
    """
    if is_running(run) and (signed := (run / LOCK).read_text()):
        process, host = signed.split()
        if host != socket.gethostname():
            raise ValueError(f"{run} is being trained on the machine {host}, as process {process}; stop it there.")
        os.kill(int(process), signal.SIGTERM)


def is_running(run: Path) -> bool:
    """Whether a process works on a run: whether its lock is held."""
    try:
        with (run / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
