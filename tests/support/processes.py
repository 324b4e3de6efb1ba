"""Real command-line processes that tests may kill; a server that has imported torch forks them."""

import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load

CONTEXT = multiprocessing.get_context("forkserver")
# Adam asks for it.
CONTEXT.set_forkserver_preload(
    ["srnn_lab.cli", "srnn_lab.training.fitting", "pretty_midi", "torch._dynamo"]
)
PATIENCE = 120
"""Seconds that a test waits for what takes a second on an idle machine."""


def run_command(
    argv: list[str], log: Path, write_every: float, environment: dict[str, str]
) -> None:
    """What a process does."""
    from srnn_lab import cli
    from srnn_lab.training import state

    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(environment)
    state.WRITE_EVERY = write_every
    sys.exit(cli.main(argv))


def start(
    argv: list[object],
    log: Path,
    write_every: float = 600,
    run: Callable = run_command,
    **environment: str,
):
    """Begin a command; what it prints goes to ``log``."""
    process = CONTEXT.Process(
        target=run, args=([*map(str, argv)], log, write_every, environment), daemon=True
    )
    process.start()
    return process


def start_ranks(
    argv: list[object], logs: Path, write_every: float = 600, run: Callable = run_command
) -> list:
    """Begin a command as two processes with the environment that torchrun gives them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    sizes = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1"}
    shared = {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        **sizes,
    }
    ranks = ("0", "1")
    return [
        start(argv, logs / f"log-{r}", write_every, run, RANK=r, LOCAL_RANK=r, **shared)
        for r in ranks
    ]


def finish(*processes) -> list[int]:
    """Wait for processes to end by themselves; their exit codes."""
    for process in processes:
        process.join(PATIENCE)
    return [process.exitcode for process in processes]


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def epochs_done(out: Path) -> int:
    """Rows of the curves of a run."""
    path = out / "curves.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def position(out: Path) -> tuple[int, int]:
    """Whole epochs, and updates after them, in the state that a run would resume from."""
    try:
        # Opened once: it may be replaced meanwhile.
        state = load((out / "last.safetensors").read_bytes())
    except (FileNotFoundError, SafetensorError):
        return (0, 0)
    return len(state["extra.curves"]), int(state["extra.position"][0])
