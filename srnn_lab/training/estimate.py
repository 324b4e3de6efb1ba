"""How large a model is, and how long an epoch of it takes, measured on a few updates."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from srnn_lab.config import DataConfig, RunConfig
from srnn_lab.inference.evaluation import evaluate
from srnn_lab.models import build_model
from srnn_lab.system import distributed
from srnn_lab.training.fitting import Options, load_frames, segments_of
from srnn_lab.training.loop import Loop
from srnn_lab.training.state import Training

TRIAL = 0.4
"""Seconds after which no other update is timed."""
ENOUGH = 4
"""Batches of training frames that are looked at, and so updates that are timed at the most."""
SEQUENCES = 32
"""Sequences for validation that are timed at the most: as many as validation takes side by side."""
FRAMES = 4000
"""Frames of them after which no other sequence is timed."""


@dataclass(frozen=True)
class Estimate:
    """What a training takes on this machine.

    Attributes:
        parameters: Of the model.
        epoch: Seconds of an epoch, with its validation and what it writes.
    """

    parameters: int
    epoch: float


def estimate(config: RunConfig, signals: Mapping[str, Sequence[np.ndarray]]) -> Estimate:
    """Train a few updates of a new model, and validate and write once.

    Args:
        config: What would be trained.
        signals: The signals of ``train`` and ``valid``.

    Returns:
        The size of the model, and the seconds of an epoch on a processor that does nothing else:
        with one thread, as a training of the dashboard has.

    Raises:
        ValueError: The data or the sizes cannot be trained on.
    """
    lengths = [_frames(config.data, signal) for signal in signals["train"]]
    # As many of the signals as a few batches need: frames may take longer to make than to read. All
    # tables, whose rows are not made, since a column may be constant in the first of them.
    batch = config.train.batch_size * config.train.segment_length
    batch *= max(1, config.train.segments_per_reset)
    taken = 1 + int(np.searchsorted(np.cumsum(lengths), ENOUGH * batch))
    taken = taken if config.data.kind.heard else len(lengths)
    to_validate = [_frames(config.data, signal) for signal in signals["valid"]]
    timed = min(SEQUENCES, 1 + int(np.searchsorted(np.cumsum(to_validate), FRAMES)))
    few = {"train": signals["train"][:taken], "valid": signals["valid"][:timed]}
    frontend, segments, frames, data = load_frames(config, Options(held=few))
    device = torch.device(distributed.usable_device(None))
    model = build_model(config.model).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    with tempfile.TemporaryDirectory() as out:
        training = Training(config, frontend, model, optimizer, segments, Path(out), data, None)
        update = _seconds_of_an_update(training)
        validation = _timed(lambda: evaluate(model, frames["valid"], config.evaluation), device)
        writing = _timed(training.write, device)
    # Batches that the frames do not fill are left out, so that an epoch of few updates has fewer
    # than its frames would have.
    updates = len(segments_of(config, [np.broadcast_to(np.float32(0), (n, 1)) for n in lengths]))
    share = sum(to_validate) / sum(to_validate[:timed])
    parameters = sum(values.numel() for values in model.parameters())
    # The best epochs are written a second time.
    return Estimate(parameters, updates * update + share * validation + 1.5 * writing)


def _frames(data: DataConfig, signal: np.ndarray) -> int:
    return 1 + max(0, len(signal) - data.window) // data.hop


def _seconds_of_an_update(training: Training) -> float:
    """The median of a few updates after the first, which takes longer."""
    loop, seconds = Loop(training, eager=True), []
    training.model.train()
    for prepared in islice(loop.prepare(), ENOUGH):
        seconds.append(_timed(lambda prepared=prepared: _update(loop, prepared), training.device))
        if sum(seconds[1:]) > TRIAL:
            break
    return float(np.median(seconds[1:] or seconds))


def _update(loop: Loop, prepared) -> None:
    loop.launch(prepared, False, False)
    loop.training.optimizer.step()


def _timed(run: Callable[[], object], device: torch.device) -> float:
    """Seconds; on a CPU those of this thread, so that what else is served meanwhile counts not."""
    if device.type == "cpu":
        began = time.thread_time()
        run()
        return time.thread_time() - began
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
