"""Runs side by side with different seeds: in turns on one GPU, on a CPU each in its own process."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch

from srnn_lab.config import ModelConfig, RunConfig
from srnn_lab.system.interrupts import Stopped, noted_signals
from srnn_lab.system.terminal import outliving_terminal
from srnn_lab.training.fitting import Options, Run, fit_in_steps

MOST_ON_A_GPU = 16
"""Runs side by side on one GPU: each takes two of torch's 32 streams, one to record and one to run
on."""
STOPPED = "stopped, with all written; the same command continues what has begun"


def fit_in_turns(
    configs: Mapping[Path, RunConfig], *, device: str, **options: Any
) -> dict[Path, Run]:
    """Train several models on a GPU that one does not fill: while one is waited for, others go on.

    Each has a graph and a stream of its own, and comes out as ``fit`` makes it. Runs that have
    begun are continued.

    Args:
        configs: What to train, by folder.
        device: ``cuda``, or one of several, such as ``cuda:1``.
        options: Others of ``fitting.Options``.

    Returns:
        The runs by folder, in the order in which they ended.

    Raises:
        ValueError: There are too many, or some of them failed; all others came to their end.
        Stopped: Ctrl-C or SIGTERM came; all of them can be continued.
    """
    if len(configs) > MOST_ON_A_GPU:
        raise ValueError(
            f"--seeds names {len(configs)} runs; at most {MOST_ON_A_GPU} fit side by side on a GPU."
        )
    done: dict[Path, Run] = {}
    failed: dict[Path, Exception] = {}
    how = Options(device=device, resume=True, **options)
    with outliving_terminal(), noted_signals() as noted:
        runs = {
            out: fit_in_steps(config, out, how, label=out.name, noted=noted)
            for out, config in configs.items()
        }
        on_own_stream = {out: _stream(config.model, device) for out, config in configs.items()}
        # Each run in turn gives its work to the device, until it waits for it.
        while runs:
            for out, run in list(runs.items()):
                try:
                    with on_own_stream[out]():
                        next(run)
                except StopIteration as end:
                    done[out] = end.value
                except Stopped:
                    pass
                except (ValueError, OSError, FloatingPointError) as error:
                    failed[out] = error
                else:
                    continue
                del runs[out]
    if noted:
        raise Stopped(STOPPED, noted[0])
    _check(failed)
    return done


def _stream(config: ModelConfig, device: str) -> Callable[[], Any]:
    """What makes a run's kernels those of its own stream.

    Runs with dropout share one stream, since a device has one generator of random numbers, which is
    set for one update after another.

    Returns:
        A function without arguments that makes a context manager.
    """
    dropout = any(value for name, value in vars(config).items() if name.startswith("dropout"))
    if torch.device(device).type != "cuda" or dropout:
        return nullcontext
    return partial(torch.cuda.stream, torch.cuda.Stream(device))


def fit_in_processes(commands: Mapping[Path, Sequence[str]]) -> dict[Path, str]:
    """Run ``srnn-lab`` several times, as many at once as there are CPUs.

    What they print comes with their names.

    Args:
        commands: The arguments of each, by the folder of its run.

    Returns:
        The last line that each printed.

    Raises:
        ValueError: Some of them failed; all others came to their end.
        Stopped: Ctrl-C or SIGTERM came; all of them can be continued.
    """
    # As many processes as CPUs, which share them.
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = min(cpus, len(commands))
    environment = {"OMP_NUM_THREADS": str(cpus // at_once), **os.environ}
    waiting, last, failed = dict(commands), {}, {}
    running: dict[Path, tuple[subprocess.Popen, threading.Thread]] = {}

    def tell(out: Path, process: subprocess.Popen) -> None:
        said: Any = process.stdout  # a pipe: it is begun with one
        with said:
            for line in said:  # a progress bar's states are lines too
                if line.strip() and "%|" not in line:
                    last[out] = line.strip()
                    if not line.startswith("{"):
                        print(f"{out.name}: {line.rstrip()}", flush=True)

    with outliving_terminal(), noted_signals() as noted:
        told = False
        try:
            while running or (waiting and not noted):
                # As soon as one ends, the next one starts.
                while waiting and len(running) < at_once and not noted:
                    out = next(iter(waiting))
                    command = [sys.executable, "-m", "srnn_lab", *waiting.pop(out)]
                    pipes = {
                        "stdout": subprocess.PIPE,
                        "stderr": subprocess.STDOUT,
                        "text": True,
                        "errors": "replace",
                    }
                    process = subprocess.Popen(command, env=environment, **pipes)
                    running[out] = process, threading.Thread(target=tell, args=(out, process))
                    running[out][1].start()
                # They know of a terminal's Ctrl-C, and a second one would interrupt them.
                if noted and not told:
                    told = True
                    _end(running)
                for out, (process, reader) in list(running.items()):
                    reader.join(0.1)
                    if not reader.is_alive():
                        del running[out]
                        if process.wait() and not noted:
                            said = last.get(out, f"status {process.returncode}").removeprefix(
                                "srnn-lab: "
                            )
                            failed[out] = ValueError(said)
        finally:
            _end(running)
    if noted:
        raise Stopped(STOPPED, noted[0])
    _check(failed)
    return last


def _end(running: Mapping[Path, tuple[subprocess.Popen, threading.Thread]]) -> None:
    for process, _ in running.values():
        process.terminate()


def _check(failed: Mapping[Path, Exception]) -> None:
    if failed:
        said = " ".join(f"{out.name}: {error}" for out, error in failed.items())
        raise ValueError(f"{len(failed)} of the runs failed, the others came to their end. {said}")
