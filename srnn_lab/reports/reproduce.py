"""Making recorded rows again by the commands that made them."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from srnn_lab.reports.records import RECORD, Result, read_results
from srnn_lab.system.interrupts import Stopped, noted_signals


def script(result: Result) -> list[str]:
    """The commands that make a row again, and how a bundled checkpoint was trained."""
    note = [f"# bundled; trained by: {result.train}"] * bool(result.checkpoint)
    return [*note, *result.commands]


def measure_again(result: Result) -> dict[str, Any]:
    """Run the commands of a row again.

    Returns:
        The row's name; for each number its recorded and its new value; and whether the data have
        the same hash (``same_data``).

    Raises:
        ValueError: A command failed.
    """
    for command in result.commands:
        status = wait_for([sys.executable, "-m", "srnn_lab", *shlex.split(command)[1:]])
        if status:
            raise ValueError(f"Stopped, since this command failed with status {status}: {command}")
    again = read_results(RECORD)[result.row]
    names = result.bounds or result.figures
    pairs = {
        name: {"recorded": result.figures[name], "again": again.figures[name]} for name in names
    }
    return {"row": result.row, **pairs, "same_data": result.data_sha256 == again.data_sha256}


def wait_for(command: Sequence[str]) -> int:
    """Run a command, and give it time to write when it is interrupted.

    Returns:
        The exit status of the command.

    Raises:
        Stopped: Ctrl-C came, which the command has got too, or SIGTERM, which is handed on to it.
    """
    with noted_signals() as noted, subprocess.Popen(command) as process:
        told = False
        while process.poll() is None:
            if signal.SIGTERM in noted and not told:
                process.terminate()
                told = True
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
    if noted:
        raise Stopped("stopped; the same command continues what has begun", noted[0])
    return process.returncode
