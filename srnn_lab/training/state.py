"""All that changes in a training, written so that it continues bit for bit, and restored."""

import math
import reprlib
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from srnn_lab.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from srnn_lab.config import RunConfig
from srnn_lab.data import Frontend
from srnn_lab.data.sequences import Segments
from srnn_lab.inference.evaluation import Score
from srnn_lab.models import SequenceModel, State
from srnn_lab.system import distributed
from srnn_lab.system.lock import check_held
from srnn_lab.training import curves
from srnn_lab.training.curves import Row
from srnn_lab.training.precision import precision_of
from srnn_lab.training.schedules import kl_weight, learning_rate

BEST, LAST = "best.safetensors", "last.safetensors"
WRITE_EVERY = 600.0
"""Seconds after which the state of a training is written within an epoch too."""
SKIPS = 5
"""Updates in a row that are not finite numbers, after which a training gives up."""
ADVICE = "lower --learning-rate or --gradient-norm, or train with --precision fp32, in a new --out"


@dataclass
class Training:
    """A training under way.

    There is no state of random numbers: the order of an epoch depends on the seed and the epoch
    alone, and what an update draws on the seed, the epoch and the update.

    Attributes:
        config: What is trained, on what, and how.
        frontend: Signals <-> frames.
        model: The model.
        optimizer: Adam.
        segments: The training set.
        out: Folder of the run.
        data: The SHA-256 of all signals, so that a run goes on with those it began with.
        lock: The lock of ``out``, in the process that writes there.
        sequences: How many the training set has.
        curves: A row for each whole epoch.
        update: Updates done in the epoch after these.
        bound: Sum of the bound that is trained over those that were not skipped, in nats per frame.
        kl: Sum of its KL over the same.
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
    sequences: int = 0
    curves: list[Row] = field(default_factory=list)
    update: int = 0
    bound: float = 0.0
    kl: float = 0.0
    skipped: int = 0
    in_a_row: int = 0
    state: State | None = None
    written: float = 0.0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @cached_property
    def made_with(self) -> dict[str, Any]:
        """Device, precision and number of sequences, which a checkpoint says among its scores."""
        precision = precision_of(self.config.train, self.device.type)
        return {
            "device": distributed.name_of(self.device),
            "precision": precision,
            "train_sequences": self.sequences,
        }

    def is_due(self) -> bool:
        """Whether this is to be written after the next update; sooner before a long validation."""
        last = self.update + 1 == len(self.segments)
        return time.perf_counter() - self.written >= (WRITE_EVERY / 10 if last else WRITE_EVERY)

    def count(self, bound: float, kl: float) -> None:
        """Add what the bound and the KL were in an update."""
        self.bound, self.kl, self.in_a_row = self.bound + bound, self.kl + kl, 0

    def skip(self) -> None:
        """Leave out an update that was not a finite number, and carry on from states that are.

        Raises:
            FloatingPointError: It is the ``SKIPS``-th in a row.
        """
        self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
        if self.in_a_row == SKIPS:
            raise FloatingPointError(
                f"The bound or its gradient was not a finite number {SKIPS} times in a row, up to "
                f"update {self.update} of epoch {len(self.curves) + 1}; {ADVICE}."
            )
        self.state = self.state and State(*(values.nan_to_num(0, 0, 0) for values in self.state))

    def end_epoch(self, valid: Score) -> Row:
        """Close the epoch with its validation score, and write.

        Returns:
            The epoch's row of the curves.

        Raises:
            FloatingPointError: It had no update, or its validation no bound, that was a finite
                number.
        """
        config, epoch, updates = self.config.train, len(self.curves), len(self.segments)
        scores: dict[str, Any] = valid.to_dict()
        count = updates - self.skipped
        if not (count and math.isfinite(scores[config.bound])):
            which = "validation bound" if count else "bound or its gradient, at every update,"
            raise FloatingPointError(
                f"The {which} is not a finite number in epoch {epoch + 1}; {ADVICE}."
            )
        row: Row = {
            "epoch": epoch + 1,
            "train_bound": self.bound / count,
            "train_kl": self.kl / count,
            "valid_elbo": valid.elbo,
            "valid_log_px": valid.log_px,
            "valid_kl": valid.kl,
            "valid_bound": scores[config.bound],
            "kl_weight": kl_weight(config, (epoch + 1) * updates - 1),
            "learning_rate": learning_rate(config, epoch),
            "skipped": self.skipped,
        }
        self.curves.append(row)
        self.update, self.bound, self.kl, self.skipped, self.state = 0, 0.0, 0.0, 0, None
        if row["valid_bound"] == max(r["valid_bound"] for r in self.curves):
            told = {"valid": scores, "epoch": epoch + 1, **self.made_with}
            best = Checkpoint(self.config, self.model, self.frontend, told)
            distributed.from_rank_0(lambda: save_checkpoint(best, self.place(BEST)))
        self.write()
        return row

    def place(self, name: str) -> Path:
        """Where to write a file of the run, whose folder is still the one that was locked."""
        if self.lock:  # of the process that writes
            check_held(self.out, self.lock)
        return self.out / name

    def write(self) -> None:
        """Write the curves, then ``last.safetensors`` with all that ``restore`` needs."""
        adam = self.optimizer.state_dict()["state"]
        position = [self.update, self.bound, self.kl, self.skipped, self.in_a_row]
        extra = {
            **{
                f"adam.{i}.{name}": value
                for i, values in adam.items()
                for name, value in values.items()
            },
            "curves": curves.as_tensor(self.curves),
            "position": torch.tensor(position, dtype=torch.float64),
            "data": self.data,
        }
        if self.state is not None:
            for name, values in zip(self.state._fields, self.state, strict=True):
                extra[f"state.{name}"] = distributed.gather_rows(
                    values, self.config.train.batch_size
                )

        def write() -> None:
            curves.write_curves(self.place(curves.FILE), self.curves)
            last = Checkpoint(self.config, self.model, self.frontend, self.made_with, extra)
            save_checkpoint(last, self.place(LAST))

        distributed.from_rank_0(write)
        self.written = time.perf_counter()

    def restore(self, extra: dict[str, Tensor]) -> None:
        """Continue from what ``write`` put beside the weights.

        Raises:
            ValueError: It is no such thing, or belongs to other data, or the best epoch is of
                another training.
            FileNotFoundError: The best epoch's checkpoint is missing.
        """
        try:
            same_data = torch.equal(extra["data"], self.data)
            self._restore_position(extra)
            self._restore_adam(extra)
        except (KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.out / LAST} holds no state of a training to continue; train anew, with "
                "another --out."
            ) from error
        if not same_data:
            raise ValueError(
                f"{self.out} was trained on other data; continue it on the data it began with."
            )
        self._check_epochs()

    def _restore_position(self, extra: dict[str, Tensor]) -> None:
        self.curves = curves.from_tensor(extra["curves"])
        update, self.bound, self.kl, skipped, in_a_row = extra["position"].tolist()
        self.update, self.skipped, self.in_a_row = int(update), int(skipped), int(in_a_row)
        if self.update:
            mine = distributed.share(self.config.train.batch_size)
            zero = self.model.initial_state(mine.stop - mine.start)
            values = (extra[f"state.{name}"][mine] for name in zero._fields)
            self.state = State(*(z.copy_(v.view_as(z)) for z, v in zip(zero, values, strict=True)))

    def _restore_adam(self, extra: dict[str, Tensor]) -> None:
        if "adam.0.step" not in extra:  # no update was done
            return
        adam = {
            i: {
                name: extra[f"adam.{i}.{name}"].view(() if name == "step" else parameter.shape)
                for name in ("step", "exp_avg", "exp_avg_sq")
            }
            for i, parameter in enumerate(self.model.parameters())
        }
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": adam})

    def _check_epochs(self) -> None:
        """That there are no more epochs than asked for, and that the best of them is there."""
        done, best = len(self.curves), self.out / BEST
        if done > self.config.train.epochs:
            raise ValueError(
                f"{self.out} has {done} epochs behind it; give --epochs as many or more."
            )
        if done and not best.exists():
            raise FileNotFoundError(
                f"{best} is missing, which holds the best epoch so far; put it back or train anew."
            )
        # A kill may have come between the best epoch's file and the state after it.
        known = range(1, min(done + 1, self.config.train.epochs) + 1)
        if done and (epoch := load_checkpoint(best).scores.get("epoch")) not in known:
            raise ValueError(
                f"{best} is of epoch {reprlib.repr(epoch)}, of which this training of {done} "
                "epochs knows nothing; put its own back, give more --epochs or train anew."
            )
