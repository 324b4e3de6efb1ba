"""Real processes that run the command line and that tests may kill; a server that has imported torch forks them."""

import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["srnn_lab.cli", "srnn_lab.training", "pretty_midi", "torch._dynamo"]
)  # Adam asks for it
PATIENCE = 120
"""Seconds that a test waits for what takes a second on an idle machine."""


def _run(argv: list[str], log: Path, write_every: float, environment: dict[str, str]) -> None:
    from srnn_lab import cli, training

    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(environment)
    training.WRITE_EVERY = write_every
    sys.exit(cli.main(argv))


def start(argv: list[object], log: Path, write_every: float = 600, **environment: str):
    """Begin a command; what it prints goes to ``log``."""
    process = CONTEXT.Process(target=_run, args=([*map(str, argv)], log, write_every, environment), daemon=True)
    process.start()
    return process


def start_ranks(argv: list[object], logs: Path, write_every: float = 600) -> list:
    """Begin a command as two processes with the environment that torchrun gives them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = ("0", "1")
    return [start(argv, logs / f"log-{r}", write_every, RANK=r, LOCAL_RANK=r, **shared) for r in ranks]


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
        state = load((out / "last.safetensors").read_bytes())  # opened once: it may be replaced meanwhile
    except (FileNotFoundError, SafetensorError):
        return (0, 0)
    return len(state["extra.curves"]), int(state["extra.position"][1])


@contextmanager
def dashboard(runs: Path) -> Iterator[str]:
    """The dashboard as a server, with a folder of runs; its address."""
    root = Path(__file__).parents[1]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.headless=true", f"--server.port={port}"]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard.py", *options, "--", "--runs", str(runs)]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).read())
        except OSError:
            return False

    try:
        wait_for(answers)
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def browser_page(address: str) -> Iterator[tuple]:
    """A page of a browser at that address, the requests that leave this machine, and the page's errors."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    outside, errors = [], []
    ours = (address, "data:", "blob:")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        page = browser.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("request", lambda request: None if request.url.startswith(ours) else outside.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        yield page, outside, errors
        browser.close()
