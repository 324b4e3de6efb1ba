"""A training from its beginning, or from a stop, to its end; best and last epoch are kept."""

import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from srnn_lab.checkpoint import Checkpoint, ChecksumError, load_checkpoint, save_checkpoint
from srnn_lab.config import RunConfig
from srnn_lab.data import Frontend, load_split
from srnn_lab.data.sequences import Frames, Segments, Streams, WholeSequences
from srnn_lab.data.series import complete, gather
from srnn_lab.inference.evaluation import Score, evaluate
from srnn_lab.inference.use_of_z import UseOfZ, use_of_z
from srnn_lab.models import SequenceModel, build_model
from srnn_lab.reports.records import signals_sha256
from srnn_lab.system import distributed
from srnn_lab.system.files import sweep
from srnn_lab.system.interrupts import Stopped, noted_signals
from srnn_lab.system.lock import LOCK, check_held, hold, sign
from srnn_lab.system.memory import keep_freed_memory
from srnn_lab.system.terminal import outliving_terminal
from srnn_lab.training import curves
from srnn_lab.training.configuring import batches_that_fit
from srnn_lab.training.curves import Row
from srnn_lab.training.loggers import LOGGERS, opened
from srnn_lab.training.loop import Loop
from srnn_lab.training.precision import precision_of
from srnn_lab.training.state import BEST, LAST, Training

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        best: The best epoch's checkpoint, with its scores on validation and test data.
        use: How much of z the best epoch uses, on test data; None of a model without z.
        curves: The rows of ``curves.csv``.
        updates: Updates of all epochs, those that were skipped included.
        device: Where this process trained.
        precision: Of the matrix products in training, ``bf16`` or ``fp32``.
        seconds: From the call of ``fit`` to its end.
        frames_per_second: Of training in this time, without validation.
    """

    best: Checkpoint
    use: UseOfZ | None
    curves: list[Row]
    updates: int
    device: str
    precision: str
    seconds: float
    frames_per_second: float


def fit(
    config: RunConfig,
    out: str | Path,
    *,
    data_dir: str | Path | None = None,
    device: str | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    loggers: Sequence[str] = (),
    on_epoch: Callable[[Row], None] | None = None,
    eager: bool = False,
    data: Mapping[str, Iterable[Any]] | None = None,
) -> Run:
    """Train a model; the best epoch by the bound that is trained, on validation data, is kept.

    Where torchrun started several processes, they share each batch, and the first of them writes.

    Args:
        config: What to train, on what, and how.
        out: Folder for ``best.safetensors``, ``last.safetensors`` (with all that ``resume`` needs)
            and ``curves.csv``.
        data_dir: Folder of the data sets' files.
        device: ``cpu``, ``cuda`` or ``mps``; by default a GPU if there is one.
        resume: Continue from ``last.safetensors`` in ``out``, if it is there;
            ``config.train.epochs`` may have changed.
        tensorboard: The same as ``tensorboard`` among ``loggers``.
        loggers: Where the curves go as well: names in ``loggers.LOGGERS``.
        on_epoch: Called after each whole epoch, with all written, in the process that writes: with
            the epoch's row of the curves and its ``frames_per_second``. What it raises ends the
            training, which can be resumed.
        eager: On a GPU, launch the kernels of an update one by one rather than record them once:
            slower, for a GPU that refuses a recording.
        data: Instead of what ``config.data`` names, the sequences of ``train``, ``valid`` and
            ``test``, each an array (T, columns), a tensor or a data frame; of ``series`` frames. A
            tuple of two is x and known inputs u. To resume a run, give them again. Where those to
            train on are fewer segments than a batch, batches are as small as ``srnn-lab train``
            makes them.

    Returns:
        The best epoch's checkpoint with its scores, the curves, and how long it took.

    Raises:
        FileExistsError: ``out`` holds a run and ``resume`` is not set.
        NotADirectoryError: ``out`` is a file.
        ValueError: There is no such model or device, the run to resume has another configuration or
            other data, another process trains in ``out``, or ``out`` was removed or replaced
            meanwhile.
        FloatingPointError: The bound stopped being a number.
        ConnectionError: Another process ended.
        Stopped: Ctrl-C or SIGTERM came; the training can be resumed.
    """
    loggers = list(dict.fromkeys([*["tensorboard"] * tensorboard, *loggers]))
    if data is None:
        config, held = complete(config), None
    else:
        config, held = gather(data, config)
        config = batches_that_fit(config, held["train"])
    options = Options(data_dir, device, resume, tuple(loggers), on_epoch, eager, held)
    return exhaust(fit_in_steps(config, Path(out), options))


def exhaust(steps: Generator[None, None, T]) -> T:
    """What a generator returns."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


@dataclass(frozen=True)
class Options:
    """How a training is run, as told to ``fit``; none of it changes what is trained."""

    data_dir: str | Path | None = None
    device: str | None = None
    resume: bool = False
    loggers: tuple[str, ...] = ()
    on_epoch: Callable[[Row], None] | None = None
    eager: bool = False
    held: Mapping[str, Sequence[np.ndarray]] | None = None
    """The signals of each split, where a program holds them."""

    def __post_init__(self):
        for name in self.loggers:
            if name not in LOGGERS:
                raise ValueError(f"There is no logger {name!r}; choose from {', '.join(LOGGERS)}.")

    def again(self, out: Path) -> str:
        """The command line that continues a run in this way."""
        given = {"--data-dir": self.data_dir, "--device": self.device}
        options = [f"{name}={value}" for name, value in given.items() if value]
        options += [f"--log={','.join(self.loggers)}"] * bool(self.loggers) + [
            "--eager"
        ] * self.eager
        return shlex.join([*distributed.launcher(), "train", "--resume", str(out), *options])


def fit_in_steps(
    config: RunConfig,
    out: Path,
    options: Options,
    *,
    label: str = "",
    noted: Sequence[int] | None = None,
) -> Generator[None, None, Run]:
    """``fit`` in steps: it hands over whenever the device has its work, so that several take turns.

    Args:
        config: As of ``fit``.
        out: The same.
        options: The same.
        label: What its output begins with, if it is not the only one.
        noted: The signals that have come, where the caller notes them and outlives the terminal.

    Returns:
        What ``fit`` returns.

    Raises:
        Stopped: As of ``fit``, and so are all other errors.
    """
    # The device, the other processes and the lock of the folder.
    began = time.perf_counter()
    device = distributed.usable_device(options.device)
    distributed.share(config.train.batch_size)  # fails now rather than once the data are read
    terminal = outliving_terminal() if noted is None else nullcontext()
    here = _locked(out) if distributed.rank() == 0 else nullcontext()
    # Where one of several processes ends, torchrun terminates the others, from their first word to
    # their last: each first says why it cannot go on.
    several = distributed.world_size() > 1 and noted is None
    told = noted_signals() if several else nullcontext(noted)
    with terminal, told as noted, distributed.process_group(device), here as lock:
        training, frames = _begin(config, out, options, device, lock)
        stopped = f"stopped, with all written; continue with: {options.again(out)}"
        with noted_signals() if noted is None else nullcontext(noted) as noted:
            frames_per_second = yield from _train(training, frames["valid"], options, label, noted)
        # A signal may have come to any process, and in the last validation too, after the last
        # update looked for it.
        if distributed.add_up((), torch.tensor([float(bool(noted))], device=device)).item():
            raise Stopped(stopped, noted[0] if noted else signal.SIGTERM)
        try:
            best, use = _end(training, frames["test"])
        except KeyboardInterrupt as error:
            raise Stopped(stopped, signal.SIGINT) from error
    return Run(
        best=best,
        use=use,
        curves=training.curves,
        updates=len(training.curves) * len(training.segments),
        device=device,
        precision=precision_of(config.train, torch.device(device).type),
        seconds=time.perf_counter() - began,
        frames_per_second=frames_per_second,
    )


def _begin(
    config: RunConfig, out: Path, options: Options, device: str, lock: TextIO | None
) -> tuple[Training, dict[str, Sequence[Frames]]]:
    """The training, new or as it was last written, and the frames of each split."""
    model, extra = distributed.from_rank_0(lambda: _build(config, out, options.resume))
    frontend, segments, frames, data = load_frames(config, options)
    if not torch.equal(data, distributed.from_rank_0(lambda: data)):
        rank = distributed.rank()
        raise ValueError(
            f"Process {rank} reads other data than process 0; put the same files on each machine."
        )
    if extra is None and (config.train.start_from_mean or config.model.centred_inputs):
        model.start_from(
            *_moments(frames["train"], config.model.x_dim), emission=config.train.start_from_mean
        )
    optimizer = torch.optim.AdamW(
        model.to(device).parameters(),
        eps=config.train.adam_epsilon,
        weight_decay=config.train.weight_decay,
        fused=True,
    )
    count = len(frames["train"])
    training = Training(
        config, frontend, model, optimizer, segments, out, data, lock, sequences=count
    )
    if extra is not None:
        training.restore(extra)
    return training, frames


def _train(
    training: Training, valid: Sequence[Frames], options: Options, label: str, noted: Sequence[int]
) -> Generator[None, None, float]:
    """All epochs that are left, or until a signal; the frames per second, without validation."""
    first, segments = distributed.rank() == 0, training.segments
    epochs, trained, seconds = training.config.train.epochs, 0.0, 0.0
    done = len(training.curves)
    show = partial(
        tqdm,
        desc=label or None,
        total=epochs * segments.frames,
        initial=round((done + training.update / len(segments)) * segments.frames),
        unit=" frames",
        unit_scale=True,
        disable=not first,
    )
    keep_freed_memory()  # once the data are read, whose copies are not needed again
    with (
        opened(options.loggers if first else (), training.out, training.config, done) as log,
        show() as bar,
    ):
        loop = Loop(training, options.eager)
        training.write()  # so that a run killed in its first epoch can be resumed
        while len(training.curves) < epochs:
            start, skipped_over = time.perf_counter(), training.update / len(segments)
            if not (yield from loop.epoch(noted, bar)):
                break
            spent, new = time.perf_counter() - start, segments.frames * (1 - skipped_over)
            trained, seconds = trained + new, seconds + spent
            score = _score(training.config, training.model, valid)
            row = training.end_epoch(score)
            shown = {**row, "frames_per_second": new / spent}
            log(shown)
            if first:
                best = max(r["valid_bound"] for r in training.curves)
                bar.write(
                    f"{label and label + ': '}epoch {row['epoch']}: train "
                    f"{row['train_bound']:.3f}, valid {row['valid_bound']:.3f} ({score.average}), "
                    f"best {best:.3f}"
                )
                if options.on_epoch:
                    options.on_epoch(shown)
    return trained / seconds if seconds else 0.0


def _score(config: RunConfig, model: SequenceModel, frames: Sequence[Frames]) -> Score:
    """The bound that is trained, and the ELBO, on a whole split."""
    return evaluate(
        model,
        frames,
        config.evaluation,
        bounds=[config.train.bound],
        resampling=config.train.resampling,
        resampling_share=config.train.resampling_share,
        rank=distributed.rank(),
        world_size=distributed.world_size(),
    )


def _end(training: Training, test: Sequence[Frames]) -> tuple[Checkpoint, UseOfZ | None]:
    """The best epoch's checkpoint, with test scores written to it, and how much z is used."""
    best = distributed.from_rank_0(lambda: load_checkpoint(training.place(BEST)))
    score = _score(training.config, best.model.to(training.device), test)
    use = distributed.from_rank_0(lambda: use_of_z(best.model, test, training.config.evaluation))
    best.model.cpu()
    of_z = {"z": use.sentence()} if use else {}
    best = replace(
        best, config=training.config, scores={**best.scores, "test": score.to_dict(), **of_z}
    )
    distributed.from_rank_0(lambda: save_checkpoint(best, training.place(BEST)))
    return best, use


@contextmanager
def _locked(out: Path) -> Iterator[TextIO]:
    """The lock of a run, with this process's number.

    A folder that was made for it and got nothing else goes again.

    Yields:
        The file that is locked.
    """
    new = not out.exists()
    with hold(out) as lock:
        sign(lock, os.getpid())
        try:
            yield lock
        finally:
            with suppress(OSError, ValueError):  # it is not there any more, or another's
                check_held(out, lock)
                if new and [path.name for path in out.iterdir()] == [LOCK]:
                    shutil.rmtree(out)


def _build(
    config: RunConfig, out: Path, resume: bool
) -> tuple[SequenceModel, dict[str, Tensor] | None]:
    """The model, new or as its training last wrote it, with what was written beside it."""
    path, best = out / LAST, out / BEST
    for file in (path, best, out / curves.FILE):
        sweep(file)
    # A new model, in a folder without a run.
    if not path.exists():
        if best.exists():
            raise FileExistsError(
                f"{best} is there, but no {LAST} to continue from; choose another --out."
            )
        torch.manual_seed(config.train.seed)
        try:
            model = build_model(config.model)
        except (RuntimeError, OverflowError, TypeError) as error:
            raise ValueError(
                "A model of these sizes does not fit into memory; lower --hidden-dim, --d-dim or "
                "--z-dim."
            ) from error
        if not model.reparameterised and config.train.objective in ("iwae", "fivo"):
            raise ValueError(
                f"TrainConfig.objective is {config.train.objective!r}, whose gradient passes "
                f"through the draws of z_t; those of {config.model.model!r} are zeros and ones: "
                "choose elbo or nasmc; evaluate with any bound."
            )
        return model, None
    # A run to continue: it must be readable, and have the settings that are asked for.
    if not resume:
        raise FileExistsError(
            f"{out} already holds a run; continue it with --resume {out} or choose another --out."
        )
    try:
        last = load_checkpoint(path)
    except ChecksumError as error:
        raise ValueError(f"{path} holds no state of a training to continue: {error}") from error
    then, now = last.config.differences(config), config.differences(last.config)
    different = [
        f"--{name.replace('_', '-')} was {then[name]!r}, now {now[name]!r}"
        for name in then
        if name != "epochs"
    ]
    if different:
        raise ValueError(
            f"{path} belongs to a run with another configuration ({', '.join(different)}); resume "
            "it with the options it began with."
        )
    return last.model, last.extra


def load_frames(config: RunConfig, options: Options) -> tuple[Frontend, Segments, Any, Tensor]:
    """What makes frames, the training segments, each split's frames, and all signals' SHA-256."""
    signals = options.held or {
        split: list(load_split(config.data, split, options.data_dir).values())
        for split in ("train", "valid", "test")
    }
    frontend = Frontend.fit(config.data, config.model.x_dim, signals["train"])
    frames = {
        split: frontend.sequences(values, config.model.x_dim) for split, values in signals.items()
    }
    digest = signals_sha256(signal for values in signals.values() for signal in values)
    data = torch.tensor([*bytes.fromhex(digest)], dtype=torch.uint8)
    return frontend, segments_of(config, frames["train"]), frames, data


def segments_of(config: RunConfig, sequences: Sequence[Frames]) -> Segments:
    """What a training goes through in an epoch.

    Returns:
        Its segments, one an update.

    Raises:
        ValueError: The sequences are too short for one batch.
    """
    train = config.train
    shape = (sequences, train.batch_size, train.segment_length)
    changed = {"transposition": train.transposition, "u_dim": config.model.u_dim}
    if train.whole_sequences:
        return WholeSequences(*shape, config.evaluation.first_frame, **changed)
    return Streams(*shape, train.segments_per_reset, **changed)


def _moments(sequences: Sequence[Frames], x_dim: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each value of a frame over all frames in which it is known."""
    count, first, second = 0, 0.0, 0.0
    for sequence in sequences:
        frames = np.asarray(sequence[:][:, :x_dim], np.float64)
        known = ~np.isnan(frames)
        frames = np.where(known, frames, 0)
        count, first, second = (
            count + known.sum(0),
            first + frames.sum(0),
            second + (frames**2).sum(0),
        )
    count = np.maximum(count, 1)  # of a value that is missing in all frames, both are 0
    mean = first / count
    return torch.as_tensor(mean), torch.as_tensor(second / count - mean**2)
