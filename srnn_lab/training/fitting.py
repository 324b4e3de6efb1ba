"""Maximising the bound: segments with carried state, KL weight, schedules, validation, curves; best and last kept."""

import csv
import io
import math
import os
import reprlib
import shlex
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, TextIO, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from srnn_lab.checkpoint import Checkpoint, ChecksumError, load_checkpoint, save_checkpoint
from srnn_lab.config import RunConfig, TrainConfig
from srnn_lab.data import Frontend, load_split
from srnn_lab.data.sequences import Batch, Frames, Segments, Streams, WholeSequences, padded_length
from srnn_lab.inference.bounds import Score, elbo, evaluate, fivo, iwae
from srnn_lab.inference.score_function import score_function
from srnn_lab.models import SequenceModel, State, build_model
from srnn_lab.models.networks import tf32
from srnn_lab.reports.records import signals_sha256
from srnn_lab.system import distributed
from srnn_lab.system.files import sweep, write_atomically
from srnn_lab.system.interrupts import Stopped, noted_signals
from srnn_lab.system.lock import LOCK, check_held, hold, sign
from srnn_lab.system.memory import keep_freed_memory
from srnn_lab.system.terminal import outliving_terminal
from srnn_lab.training.capture import Captured, ahead

CURVES = (
    "epoch",
    "train_elbo",
    "train_kl",
    "valid_elbo",
    "valid_log_px",
    "valid_kl",
    "valid_bound",
    "kl_weight",
    "learning_rate",
    "skipped",
)
"""Columns of ``curves.csv``; train_elbo, train_kl and valid_bound are of the bound that is trained on."""
Row = dict[str, int | float]
T = TypeVar("T")

WRITE_EVERY = 600.0
"""Seconds after which the state of a training is written within an epoch too."""
SKIPS = 5
"""Updates in a row that are not finite numbers, after which a training gives up."""
ADVICE = "lower --learning-rate or --gradient-norm, or train with --precision fp32, in a new --out"


def learning_rate(config: TrainConfig, epoch: int) -> float:
    """The learning rate of an epoch (from 0): constant up to the start of the decay, then a geometric series."""
    return config.learning_rate * config.learning_rate_decay ** max(0, epoch - config.learning_rate_decay_start)


def kl_weight(config: TrainConfig, update: int) -> float:
    """The weight of the KL term at an update (from 0): linear up to 1, then 1."""
    if update >= config.kl_weight_updates:
        return 1.0
    return config.kl_weight_start + (1 - config.kl_weight_start) * update / config.kl_weight_updates


def use_bf16(config: TrainConfig, device_type: str) -> bool:
    """Whether matrix products are done in bf16: as configured, or by what the hardware is made for."""
    if config.precision == "auto":
        if device_type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.9 has none
        return device_type == "cpu" and any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return config.precision == "bf16"


def precision_of(config: TrainConfig, device_type: str) -> str:
    """That of matrix products in training, ``bf16`` or ``fp32``."""
    return "bf16" if use_bf16(config, device_type) else "fp32"


class Prepared(NamedTuple):
    """What an update is made of but for the states that it goes on from.

    Attributes:
        inputs: Those of ``Training.forward_and_backward`` that follow the states; for a GPU in pinned memory.
        frames: Scored frames of all rows, those of other processes included.
        seed: Of dropout.
    """

    inputs: list[Tensor]
    frames: int
    seed: int


@dataclass
class Training:
    """A training under way. All that changes in it is written, so that it continues bit for bit.

    There is no state of random numbers: the order of an epoch depends on the seed and the epoch alone, and what an
    update draws on the seed, the epoch and the update.

    Attributes:
        config: What is trained, on what, and how.
        frontend: Signals <-> frames.
        model: The model.
        optimizer: Adam.
        segments: The training set.
        out: Folder of the run.
        data: The SHA-256 of all signals, so that a run goes on with those it began with.
        lock: The lock of ``out``, in the process that writes there.
        eager: Do not record updates on a GPU.
        curves: A row for each whole epoch.
        update: Updates done in the epoch after these.
        elbo: Sum of the bound that is trained on over those that were not skipped, in nats per frame; of the ELBO with
            the KL at full weight, of ``iwae`` and ``fivo`` as weighted, for their weights depend on it.
        kl: Sum of the KL over the same; of ``iwae`` and ``fivo`` by the sampled z, averaged over the paths.
        skipped: Those that were skipped, because the bound or the gradient was not a finite number.
        in_a_row: Updates that were skipped since the last one that was not.
        state: The states that this process's rows carry on from.
        written: When this was last written, on the clock of ``time.perf_counter``.
    """

    config: RunConfig
    frontend: Frontend
    model: SequenceModel
    optimizer: torch.optim.AdamW
    segments: Segments
    out: Path
    data: Tensor
    lock: TextIO | None
    eager: bool = False
    curves: list[Row] = field(default_factory=list)
    update: int = 0
    elbo: float = 0.0
    kl: float = 0.0
    skipped: int = 0
    in_a_row: int = 0
    state: State | None = None
    written: float = 0.0

    @cached_property
    def on_gpu(self) -> bool:
        """Whether updates are prepared while the device works and, unless ``eager`` is set, recorded and replayed."""
        return next(self.model.parameters()).device.type == "cuda"

    @cached_property
    def passes(self) -> Callable[..., Sequence[Tensor]]:
        """``forward_and_backward``, on a GPU as one recorded graph."""
        if self.on_gpu and not self.eager:
            return Captured(self.forward_and_backward, self.model)
        return self.forward_and_backward

    @cached_property
    def made_with(self) -> dict[str, str]:
        """Device and precision, which a checkpoint says among its scores."""
        device = next(self.model.parameters()).device
        return {"device": distributed.name_of(device), "precision": precision_of(self.config.train, device.type)}

    def train_epoch(self, noted: Sequence[int], bar: tqdm) -> Generator[None, None, bool]:
        """Train to the end of the epoch, or until a signal comes to any process; then False, with all written.

        Yields:
            At each update, once the device has all of its work and before it is waited for.
        """
        config, epoch = self.config.train, len(self.curves)
        self.model.train()
        self.optimizer.param_groups[0]["lr"] = learning_rate(config, epoch)
        with closing(ahead(self._prepare()) if self.on_gpu else self._prepare()) as prepared:
            for update in prepared:
                last = self.update + 1 == len(self.segments)  # validation comes next, and may be long
                due = time.perf_counter() - self.written >= (WRITE_EVERY / 10 if last else WRITE_EVERY)
                norm, values = self._propagate(update, bool(noted), due)
                yield
                mean_elbo, mean_kl, stop, due, norm = torch.cat([values, norm[None]]).tolist()
                self.update += 1
                if all(map(math.isfinite, (mean_elbo, mean_kl, norm))):
                    self.optimizer.step()
                    self.elbo, self.kl, self.in_a_row = self.elbo + mean_elbo, self.kl + mean_kl, 0
                else:
                    self._skip()
                said = f"epoch {epoch + 1}, {mean_elbo:.3f} nats per frame, KL {mean_kl:.3f}"
                bar.set_postfix_str(said, refresh=False)
                bar.update(update.frames)
                if stop or due:
                    self.write()
                if stop:
                    return False
        return True

    def _prepare(self) -> Iterator[Prepared]:
        """What each of the epoch's updates is made of; it does not depend on those before."""
        config, epoch, first = self.config.train, len(self.curves), self.update
        rows = distributed.share(config.batch_size)
        order = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        for update, segment in enumerate(self.segments.epoch(order, rows=rows, start=first), first):
            starts, batch, frames = segment
            seeds = np.random.SeedSequence((config.seed, epoch, update)).generate_state(2).tolist()
            drawn = self._draw(batch.x.shape[1], rows, torch.Generator().manual_seed(seeds[0]))
            weight = kl_weight(config, epoch * len(self.segments) + update)
            numbers = torch.tensor([weight, frames], dtype=torch.float32)
            inputs = [batch.whole, batch.lengths, starts, numbers, *drawn]
            if self.on_gpu:
                longer = padded_length(batch.x.shape[1], config.segment_length) - batch.x.shape[1]
                inputs = [F.pad(v, (0, 0, 0, longer)) if v.ndim == 3 else v for v in inputs]
                inputs = [values.pin_memory() for values in inputs]
            yield Prepared(inputs, frames, seeds[1] + distributed.rank())  # dropout, of which each process has its own

    def _draw(self, length: int, rows: slice, generator: torch.Generator) -> list[Tensor]:
        """Noise of this process's rows, and the uniform numbers that the objective needs.

        Drawn on the CPU for all rows, so that they depend neither on the device nor on the number of processes.
        """
        config = self.config.train
        paths = 1 if config.objective == "elbo" else config.num_particles
        shape = (config.batch_size, length)
        drawn = [torch.randn(paths, *shape, self.model.z_dim, generator=generator)[:, rows].flatten(0, 1)]
        if config.objective != "elbo":
            drawn.append(torch.rand(config.batch_size, generator=generator)[rows])
        if config.objective == "fivo":
            numbers = paths if config.resampling == "multinomial" else 1
            drawn.append(torch.rand(*shape, numbers, generator=generator)[rows])
        return drawn

    def _propagate(self, update: Prepared, noted: bool, due: bool) -> tuple[Tensor, Tensor]:
        """Gradients of all processes, clipped; their norm, and the bound, the KL and whether to stop and to write.

        Nothing here waits for the device.
        """
        torch.manual_seed(update.seed)
        device = next(self.model.parameters()).device
        inputs = update.inputs
        if not isinstance(self.passes, Captured):  # which copies them to where its kernels read
            inputs = [values.to(device, non_blocking=self.on_gpu) for values in inputs]
        state = self.state or self.model.initial_state(len(inputs[0]))
        with _explained():
            bound, kl, *reached = self.passes(*state, *inputs)
        self.state = State(*reached)
        values = torch.stack([bound, kl]) / update.frames
        values = torch.cat([values, values.new_full((1,), noted), values.new_full((1,), due)])
        values = distributed.add_up((p.grad for p in self.model.parameters()), values)
        return torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.train.gradient_norm), values

    def forward_and_backward(
        self, d: Tensor, z: Tensor, whole: Tensor, lengths: Tensor, starts: Tensor, numbers: Tensor, *drawn: Tensor
    ) -> tuple[Tensor, ...]:
        """The bound and the KL, added up over all frames, and the states reached; the gradients are left in place.

        Where a row has several paths, it carries on from one of them, drawn by weight: a sample of the past, as with
        one path, so that a segment's bound means the same under each objective. On a GPU this is recorded once and
        replayed: nothing in it may look at the value of a tensor.

        Args:
            d: States that the rows have reached.
            z: The same.
            whole: Of a ``Batch``.
            lengths: Of a ``Batch``.
            starts: Rows that start from zero states instead.
            numbers: The weight of the KL, and the frames by which the gradient is divided.
            drawn: What ``_draw`` gave.
        """
        config, device = self.config.train, whole.device.type
        batch, (weight, frames) = Batch.of(whole, lengths), numbers.unbind()
        state = State(*(values.masked_fill(starts[:, None], 0) for values in (d, z)))
        low = use_bf16(config, device)
        self.optimizer.zero_grad()
        with tf32(low):
            with torch.autocast(device, torch.bfloat16, enabled=low):
                loss, bound, kl, reached = self._bound(batch, state, weight, *drawn)
            (loss / frames).backward()
        return bound.detach(), kl.detach(), *reached.detach()

    def _bound(
        self, batch: Batch, state: State, weight: Tensor, noise: Tensor, *uniforms: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """The loss, the bound and the KL, added up over all frames, and the states that the rows carry on from."""
        config = self.config.train
        if config.objective == "elbo":
            bound = elbo(self.model, batch, state, noise)
            # The free bits of padding are a constant, without a gradient.
            loss = (weight * bound.kl.clamp(min=config.free_bits) - bound.log_px).sum()
            if not self.model.reparameterised:
                loss = loss + score_function(self.model, batch, bound)
            return loss, bound.elbo.sum(), bound.kl.sum(), bound.trace.state
        for_state, *for_ancestors = uniforms
        if config.objective == "iwae":
            bound = iwae(self.model, batch, noise, state, kl_weight=weight)
        else:
            share = config.resampling_share
            bound = fivo(self.model, batch, noise, *for_ancestors, state, resampling_share=share, kl_weight=weight)
        return -bound.value.sum(), bound.value.sum(), bound.kl.sum(), bound.draw_state(for_state)

    def _skip(self) -> None:
        self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
        if self.in_a_row == SKIPS:
            raise FloatingPointError(
                f"The bound or its gradient was not a finite number {SKIPS} times in a row, up to update "
                f"{self.update} of epoch {len(self.curves) + 1}; {ADVICE}."
            )
        self.state = type(self.state)(*(values.nan_to_num(0, 0, 0) for values in self.state))

    def end_epoch(self, valid: Score) -> Row:
        """Close the epoch with its validation score, and write; the epoch's row of the curves."""
        config, epoch, updates = self.config.train, len(self.curves), len(self.segments)
        count = updates - self.skipped
        figures = valid.to_dict()
        if not (count and math.isfinite(figures[config.bound])):
            which = "validation bound" if count else "bound or its gradient, at every update,"
            raise FloatingPointError(f"The {which} is not a finite number in epoch {epoch + 1}; {ADVICE}.")
        values = (
            epoch + 1, self.elbo / count, self.kl / count, valid.elbo, valid.log_px, valid.kl,
            figures[config.bound], kl_weight(config, (epoch + 1) * updates - 1), learning_rate(config, epoch),
            self.skipped,
        )  # fmt: skip
        self.curves.append(dict(zip(CURVES, values, strict=True)))
        self.update, self.elbo, self.kl, self.skipped, self.state = 0, 0.0, 0.0, 0, None
        if figures[config.bound] == max(row["valid_bound"] for row in self.curves):
            scores = {"valid": figures, "epoch": epoch + 1, **self.made_with}
            best = Checkpoint(self.config, self.model, self.frontend, scores)
            distributed.from_rank_0(lambda: save_checkpoint(best, self.place("best.safetensors")))
        self.write()
        return self.curves[-1]

    def write(self) -> None:
        """Write the curves, then ``last.safetensors`` with all that ``restore`` needs."""
        adam = self.optimizer.state_dict()["state"]
        position = [self.update, self.elbo, self.kl, self.skipped, self.in_a_row]
        extra = {
            **{f"adam.{i}.{name}": value for i, values in adam.items() for name, value in values.items()},
            "curves": torch.tensor([[*row.values()] for row in self.curves], dtype=torch.float64),
            "position": torch.tensor(position, dtype=torch.float64),
            "data": self.data,
        }
        if self.state is not None:
            for name, values in zip(self.state._fields, self.state, strict=True):
                extra[f"state.{name}"] = distributed.gather_rows(values, self.config.train.batch_size)

        def write() -> None:
            write_atomically(self.place("curves.csv"), _as_csv(self.curves))
            last = Checkpoint(self.config, self.model, self.frontend, self.made_with, extra)
            save_checkpoint(last, self.place("last.safetensors"))

        distributed.from_rank_0(write)
        self.written = time.perf_counter()

    def place(self, name: str) -> Path:
        """Where to write a file of the run, whose folder is still the one that was locked."""
        check_held(self.out, self.lock)
        return self.out / name

    def restore(self, extra: dict[str, Tensor]) -> None:
        """Continue from what ``write`` put beside the weights.

        Raises:
            ValueError: It is no such thing, or belongs to other data, or the best epoch is of another training.
            FileNotFoundError: The best epoch's checkpoint is missing.
        """
        try:
            same_data = torch.equal(extra["data"], self.data)
            rows = [dict(zip(CURVES, row, strict=True)) for row in extra["curves"].tolist()]
            update, self.elbo, self.kl, skipped, in_a_row = extra["position"].tolist()
            self.curves = [row | {name: int(row[name]) for name in ("epoch", "skipped")} for row in rows]
            self.update, self.skipped, self.in_a_row = int(update), int(skipped), int(in_a_row)
            if self.update:
                mine = distributed.share(self.config.train.batch_size)
                zero = self.model.initial_state(mine.stop - mine.start)
                values = (extra[f"state.{name}"][mine] for name in zero._fields)
                self.state = type(zero)(*(z.copy_(v.view_as(z)) for z, v in zip(zero, values, strict=True)))
            if "adam.0.step" in extra:
                adam = {
                    i: {
                        name: extra[f"adam.{i}.{name}"].view(() if name == "step" else parameter.shape)
                        for name in ("step", "exp_avg", "exp_avg_sq")
                    }
                    for i, parameter in enumerate(self.model.parameters())
                }
                self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": adam})
        except (KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.out / 'last.safetensors'} holds no state of a training to continue; train anew, with another "
                f"--out."
            ) from error
        if not same_data:
            raise ValueError(f"{self.out} was trained on other data; continue it on the data it began with.")
        if len(self.curves) > self.config.train.epochs:
            raise ValueError(f"{self.out} has {len(self.curves)} epochs behind it; give --epochs as many or more.")
        best = self.out / "best.safetensors"
        if self.curves and not best.exists():
            raise FileNotFoundError(f"{best} is missing, which holds the best epoch so far; put it back or train anew.")
        # A kill may have come between the best epoch's file and the state after it.
        known = range(1, min(len(self.curves) + 1, self.config.train.epochs) + 1)
        if self.curves and (epoch := load_checkpoint(best).scores.get("epoch")) not in known:
            raise ValueError(
                f"{best} is of epoch {reprlib.repr(epoch)}, of which this training of {len(self.curves)} epochs knows "
                f"nothing; put its own back, give more --epochs or train anew."
            )


@contextmanager
def _explained() -> Iterator[None]:
    """Say what to change where an update does not fit into memory or is refused by a library."""
    try:
        yield
    except RuntimeError as error:  # a CPU's has no type of its own
        if "cuDNN" in str(error):
            raise ValueError(
                f"cuDNN does not train a GRU of these sizes ({str(error).splitlines()[0]}); choose another --d-dim, a "
                f"multiple of 4, in a new --out, or train with --device cpu."
            ) from error
        if not (isinstance(error, torch.OutOfMemoryError) or "tried to allocate" in str(error)):
            raise
        raise ValueError(
            "An update does not fit into memory; begin anew with a lower --batch-size, --segment-length or "
            "--num-particles, and another --out."
        ) from error


def _as_csv(curves: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, CURVES)
    writer.writeheader()
    writer.writerows(curves)
    return text.getvalue().encode()


@contextmanager
def _locked(out: Path) -> Iterator[TextIO]:
    """The lock of a run, with this process's number; a folder that was made for it and got nothing else goes again."""
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


def _begin(config: RunConfig, out: Path, resume: bool) -> tuple[SequenceModel, dict[str, Tensor] | None]:
    """The model, new or as its training last wrote it, with what was written beside it."""
    path, best = out / "last.safetensors", out / "best.safetensors"
    for file in (path, best, out / "curves.csv"):
        sweep(file)
    if not path.exists():
        if best.exists():
            raise FileExistsError(f"{best} is there, but no last.safetensors to continue from; choose another --out.")
        torch.manual_seed(config.train.seed)
        try:
            model = build_model(config.model)
        except (RuntimeError, OverflowError, TypeError) as error:
            raise ValueError(
                "A model of these sizes does not fit into memory; lower --hidden-dim, --d-dim or --z-dim."
            ) from error
        if not model.reparameterised and config.train.objective in ("iwae", "fivo"):
            raise ValueError(
                f"TrainConfig.objective is {config.train.objective!r}, whose gradient passes through the draws of z_t; "
                f"those of {config.model.model!r} are zeros and ones: choose elbo, and evaluate with other bounds."
            )
        return model, None
    if not resume:
        raise FileExistsError(f"{out} already holds a run; continue it with --resume {out} or choose another --out.")
    try:
        last = load_checkpoint(path)
    except ChecksumError as error:
        raise ValueError(f"{path} holds no state of a training to continue: {error}") from error
    then, now = last.config.differences(config), config.differences(last.config)
    different = [
        f"--{name.replace('_', '-')} was {then[name]!r}, now {now[name]!r}" for name in then if name != "epochs"
    ]
    if different:
        raise ValueError(
            f"{path} belongs to a run with another configuration ({', '.join(different)}); resume it with the options "
            f"it began with."
        )
    return last.model, last.extra


def _load(
    config: RunConfig, data_dir: str | Path | None
) -> tuple[Frontend, Segments, dict[str, Sequence[Frames]], Tensor]:
    """What makes frames, the training set's segments, the frames of each split, and the SHA-256 of all signals."""
    signals = {split: list(load_split(config.data, split, data_dir).values()) for split in ("train", "valid", "test")}
    frontend = Frontend.fit(config.data, config.model.x_dim, signals["train"])
    frames = {split: frontend.sequences(values, config.model.x_dim) for split, values in signals.items()}
    digest = signals_sha256(signal for values in signals.values() for signal in values)
    data = torch.tensor([*bytes.fromhex(digest)], dtype=torch.uint8)
    train = config.train
    shape = (frames["train"], train.batch_size, train.segment_length)
    if train.whole_sequences:
        first_frame = config.evaluation.first_frame
        segments = WholeSequences(*shape, first_frame, transposition=train.transposition)
    else:
        segments = Streams(*shape, train.segments_per_reset, transposition=train.transposition)
    return frontend, segments, frames, data


def _moments(sequences: Sequence[Frames]) -> tuple[Tensor, Tensor]:
    """Mean and variance of each value of a frame over all frames."""
    count, first, second = 0, 0.0, 0.0
    for sequence in sequences:
        frames = np.asarray(sequence[:], np.float64)
        count, first, second = count + len(frames), first + frames.sum(0), second + (frames**2).sum(0)
    mean = first / count
    return torch.as_tensor(mean), torch.as_tensor(second / count - mean**2)


@contextmanager
def _events(folder: Path, epochs: int) -> Iterator[Callable[[Row], None]]:
    """What writes TensorBoard events of an epoch, and forgets those after a run's last whole epoch.

    A training goes on where they cannot be written.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            "--tensorboard needs the package tensorboard; install it with: pip install tensorboard"
        ) from error
    writer = SummaryWriter(str(folder), purge_step=epochs + 1)

    def write(row: Row) -> None:
        try:
            for name, value in row.items():
                writer.add_scalar(name, value, row["epoch"])
            writer.flush()
        except OSError as error:
            warnings.warn(f"TensorBoard events of epoch {row['epoch']} could not be written ({error}).", stacklevel=2)

    try:
        yield write
    finally:
        with suppress(OSError):  # which would hide why a training ended
            writer.close()


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        best: The best epoch's checkpoint, with its scores on validation and test data.
        curves: The rows of ``curves.csv``.
        updates: Updates of all epochs, those that were skipped included.
        device: Where this process trained.
        precision: Of the matrix products in training, ``bf16`` or ``fp32``.
        seconds: From the call of ``fit`` to its end.
        frames_per_second: Of training in this time, without validation.
    """

    best: Checkpoint
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
    eager: bool = False,
) -> Run:
    """Train a model; the best epoch by the bound that is trained on, on validation data, is kept.

    Where torchrun started several processes, they share each batch, and the first of them writes.

    Args:
        config: What to train, on what, and how.
        out: Folder for ``best.safetensors``, ``last.safetensors`` (with all that ``resume`` needs) and ``curves.csv``.
        data_dir: Folder of the data sets' files.
        device: ``cpu``, ``cuda`` or ``mps``; by default a GPU if there is one.
        resume: Continue from ``last.safetensors`` in ``out``, if it is there; ``config.train.epochs`` may have changed.
        tensorboard: Write TensorBoard events into ``out / "tensorboard"``.
        eager: On a GPU, launch the kernels of an update one by one rather than record them once: slower, for a GPU that
            refuses a recording.

    Raises:
        FileExistsError: ``out`` holds a run and ``resume`` is not set.
        NotADirectoryError: ``out`` is a file.
        ValueError: There is no such model or device, the run to resume has another configuration or other data,
            another process trains in ``out``, or ``out`` was removed or replaced meanwhile.
        FloatingPointError: The bound stopped being a number.
        ConnectionError: Another process ended.
        Stopped: Ctrl-C or SIGTERM came; the training can be resumed.
    """
    options = {"data_dir": data_dir, "device": device, "resume": resume, "tensorboard": tensorboard, "eager": eager}
    return exhaust(fit_in_steps(config, Path(out), **options))


def exhaust(steps: Generator[None, None, T]) -> T:
    """What a generator returns."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def fit_in_steps(
    config: RunConfig,
    out: Path,
    *,
    data_dir: str | Path | None,
    device: str | None,
    resume: bool,
    tensorboard: bool,
    eager: bool,
    label: str = "",
    noted: Sequence[int] | None = None,
) -> Generator[None, None, Run]:
    """``fit``, step by step: it hands over whenever the device has its work, so that several take turns.

    Args:
        config: As of ``fit``, like those that follow.
        out: The same.
        data_dir: The same.
        device: The same.
        resume: The same.
        tensorboard: The same.
        eager: The same.
        label: What its output begins with, if it is not the only one.
        noted: The signals that have come, where the caller notes them and outlives the terminal.
    """
    began = time.perf_counter()
    options = {"--data-dir": data_dir, "--device": device}
    device = distributed.usable_device(device)
    rank, world_size = distributed.rank(), distributed.world_size()
    trained, spent = 0, 0.0
    scored = partial(
        evaluate,
        config=config.evaluation,
        bounds=[config.train.bound],
        resampling=config.train.resampling,
        resampling_share=config.train.resampling_share,
        rank=rank,
        world_size=world_size,
    )
    distributed.share(config.train.batch_size)  # fails now rather than once the data are read
    here = _locked(out) if rank == 0 else nullcontext()
    terminal = outliving_terminal() if noted is None else nullcontext()
    with terminal, distributed.process_group(device), here as lock:
        model, extra = distributed.from_rank_0(lambda: _begin(config, out, resume))
        frontend, segments, frames, data = _load(config, data_dir)
        if not torch.equal(data, distributed.from_rank_0(lambda: data)):
            raise ValueError(f"Process {rank} reads other data than process 0; put the same files on each machine.")
        if extra is None and (config.train.start_from_mean or config.model.centred_inputs):
            model.start_from(*_moments(frames["train"]), emission=config.train.start_from_mean)
        optimizer = torch.optim.AdamW(
            model.to(device).parameters(),
            eps=config.train.adam_epsilon,
            weight_decay=config.train.weight_decay,
            fused=True,
        )
        training = Training(config, frontend, model, optimizer, segments, out, data, lock, eager)
        if extra is not None:
            training.restore(extra)
            del extra  # Adam's state a second time
        events = _events(out / "tensorboard", len(training.curves)) if tensorboard and rank == 0 else nullcontext()
        done = len(training.curves) + training.update / len(segments)
        bar = tqdm(
            desc=label or None,
            total=config.train.epochs * segments.frames,
            initial=round(done * segments.frames),
            unit=" frames",
            unit_scale=True,
            disable=rank > 0,
        )
        keep_freed_memory()  # once the data are read, whose copies are not needed again
        with noted_signals() if noted is None else nullcontext(noted) as noted, events as write_events, bar:
            training.write()  # so that a run killed in its first epoch can be resumed
            while len(training.curves) < config.train.epochs:
                start, first = time.perf_counter(), training.update
                if not (yield from training.train_epoch(noted, bar)):
                    break
                seconds = time.perf_counter() - start
                new = segments.frames * (1 - first / len(segments))
                trained, spent = trained + new, spent + seconds
                valid = scored(model, frames["valid"])
                row = training.end_epoch(valid)
                if write_events:
                    write_events({**row, "frames_per_second": new / seconds})
                if rank == 0:
                    best = max(r["valid_bound"] for r in training.curves)
                    bar.write(
                        f"{label and label + ': '}epoch {row['epoch']}: train {row['train_elbo']:.3f}, "
                        f"valid {row['valid_bound']:.3f} ({valid.average}), best {best:.3f}"
                    )
        again = [f"{name}={value}" for name, value in options.items() if value]
        again += ["--tensorboard"] * tensorboard + ["--eager"] * eager
        command = shlex.join([*distributed.launcher(), "train", "--resume", str(out), *again])
        stopped = f"stopped, with all written; continue with: {command}"
        # A signal may have come to any process, and in the last validation too, after the last update looked for it.
        if distributed.add_up((), torch.tensor([float(bool(noted))], device=device)).item():
            raise Stopped(stopped, noted[0] if noted else signal.SIGTERM)
        best = distributed.from_rank_0(lambda: load_checkpoint(training.place("best.safetensors")))
        try:
            test = scored(best.model.to(device), frames["test"])
        except KeyboardInterrupt as error:
            raise Stopped(stopped, signal.SIGINT) from error
        best.model.cpu()
        best = replace(best, config=config, scores={**best.scores, "test": test.to_dict()})
        distributed.from_rank_0(lambda: save_checkpoint(best, training.place("best.safetensors")))
    return Run(
        best=best,
        curves=training.curves,
        updates=len(training.curves) * len(segments),
        device=device,
        precision=precision_of(config.train, torch.device(device).type),
        seconds=time.perf_counter() - began,
        frames_per_second=trained / spent if spent else 0.0,
    )
