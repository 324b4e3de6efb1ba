"""One update, and the epoch around it."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from srnn_lab.config import TrainConfig
from srnn_lab.data.sequences import Batch, padded_length
from srnn_lab.models import SequenceModel, State
from srnn_lab.models.networks import tf32
from srnn_lab.system import distributed
from srnn_lab.training.capture import Captured, ahead
from srnn_lab.training.objectives import draw, objective
from srnn_lab.training.precision import use_bf16
from srnn_lab.training.schedules import kl_weight, learning_rate
from srnn_lab.training.state import Training


def update(
    model: SequenceModel,
    config: TrainConfig,
    d: Tensor,
    z: Tensor,
    whole: Tensor,
    lengths: Tensor,
    starts: Tensor,
    numbers: Tensor,
    *drawn: Tensor,
) -> tuple[Tensor, ...]:
    """An update up to its gradient, left in the model: notebook 07's loop but ``optimizer.step()``.

    It depends on its arguments alone. On a GPU it is recorded once and replayed: nothing in it may
    look at the value of a tensor.

    Args:
        model: The model.
        config: The objective and the precision.
        d: States that the rows have reached.
        z: The same.
        whole: Of a ``Batch``.
        lengths: Of a ``Batch``.
        starts: Rows that start from zero states instead.
        numbers: The weight of the KL, and the frames by which the gradient is divided.
        drawn: What ``draw`` gave.

    Returns:
        The bound and the KL, added up over all frames, and the states reached.
    """
    kl_weight, frames = numbers.unbind()
    batch, device = Batch.of(whole, lengths, model.config.u_dim), whole.device.type
    state = State(*(values.masked_fill(starts[:, None], 0) for values in (d, z)))
    low = use_bf16(config, device)
    model.zero_grad()
    with tf32(low):
        with torch.autocast(device, torch.bfloat16, enabled=low):
            loss, bound, kl, state = objective(model, config, batch, state, kl_weight, *drawn)
        (loss / frames).backward()
    return bound.detach(), kl.detach(), *state.detach()


class Prepared(NamedTuple):
    """What an update is made of but for the states that it goes on from.

    Attributes:
        inputs: Those of ``update`` that follow the states; for a GPU in pinned memory.
        frames: Scored frames of all rows, those of other processes included.
        seed: Of dropout.
    """

    inputs: list[Tensor]
    frames: int
    seed: int


class Loop:
    """Epochs of a training.

    Args:
        training: What is trained; it moves on with each update.
        eager: Do not record updates on a GPU.
    """

    def __init__(self, training: Training, eager: bool = False):
        self.training, self.eager = training, eager

    @cached_property
    def on_gpu(self) -> bool:
        """Whether updates are prepared while the device works and, unless ``eager``, replayed."""
        return self.training.device.type == "cuda"

    @cached_property
    def update(self) -> Callable[..., Sequence[Tensor]]:
        """``update`` of this training, on a GPU as one recorded graph."""
        model = self.training.model
        function = partial(update, model, self.training.config.train)
        return Captured(function, model) if self.on_gpu and not self.eager else function

    def epoch(self, noted: Sequence[int], bar: tqdm) -> Generator[None, None, bool]:
        """Train to the end of the epoch, or until a signal comes to any process.

        Yields:
            At each update, once the device has all of its work and before it is waited for.

        Returns:
            Whether the epoch is whole. If it is not, everything has been written.
        """
        training, epoch = self.training, len(self.training.curves)
        training.model.train()
        training.optimizer.param_groups[0]["lr"] = learning_rate(training.config.train, epoch)
        with closing(ahead(self.prepare()) if self.on_gpu else self.prepare()) as all_prepared:
            for prepared in all_prepared:
                norm, values = self.launch(prepared, bool(noted), training.is_due())
                yield
                bound, kl, stop, due, norm = torch.cat([values, norm[None]]).tolist()
                training.update += 1
                if all(map(math.isfinite, (bound, kl, norm))):
                    training.optimizer.step()
                    training.count(bound, kl)
                else:
                    training.skip()
                said = f"epoch {epoch + 1}, {bound:.3f} nats per frame, KL {kl:.3f}"
                bar.set_postfix_str(said, refresh=False)
                bar.update(prepared.frames)
                if stop or due:
                    training.write()
                if stop:
                    return False
        return True

    def prepare(self) -> Generator[Prepared, None, None]:
        """What each of the epoch's updates is made of; it does not depend on those before."""
        training, config = self.training, self.training.config.train
        epoch, first = len(training.curves), training.update
        rows = distributed.share(config.batch_size)
        order = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        segments = training.segments.epoch(order, rows=rows, start=first)
        for i, (starts, batch, frames) in enumerate(segments, first):
            # Its random numbers: for the objective those of all rows, and of dropout each process's
            # own.
            seeds = np.random.SeedSequence((config.seed, epoch, i)).generate_state(2).tolist()
            generator = torch.Generator().manual_seed(seeds[0])
            drawn = draw(config, batch.x.shape[1], training.model.z_dim, rows, generator)
            weight = kl_weight(config, epoch * len(training.segments) + i)
            numbers = torch.tensor([weight, frames], dtype=torch.float32)
            inputs = [batch.whole, batch.lengths, starts, numbers, *drawn]
            if self.on_gpu:
                longer = padded_length(batch.x.shape[1], config.segment_length) - batch.x.shape[1]
                inputs = [F.pad(v, (0, 0, 0, longer)) if v.ndim == 3 else v for v in inputs]
                inputs = [values.pin_memory() for values in inputs]
            yield Prepared(inputs, frames, seeds[1] + distributed.rank())

    def launch(self, prepared: Prepared, noted: bool, due: bool) -> tuple[Tensor, Tensor]:
        """Give the device all the work of an update: gradients of all processes, clipped.

        Nothing here waits for the device.

        Args:
            prepared: What the update is made of.
            noted: Whether this process was sent a signal to stop.
            due: Whether this process is to write the state of the training after the update.

        Returns:
            The norm of the gradients before they are clipped; and the bound, the KL (nats per
            frame), and how many processes want to stop and to write.
        """
        training, inputs = self.training, prepared.inputs
        torch.manual_seed(prepared.seed)
        if not isinstance(self.update, Captured):  # which copies them to where its kernels read
            inputs = [values.to(training.device, non_blocking=self.on_gpu) for values in inputs]
        state = training.state or training.model.initial_state(len(inputs[0]))
        with _explained():
            bound, kl, *reached = self.update(*state, *inputs)
        training.state = State(*reached)
        # One message to the other processes: gradients, what is shown, and whether any of them was
        # sent a signal.
        values = torch.stack([bound, kl]) / prepared.frames
        values = torch.cat([values, values.new_full((1,), noted), values.new_full((1,), due)])
        parameters = list(training.model.parameters())
        values = distributed.add_up((p.grad for p in parameters if p.grad is not None), values)
        return torch.nn.utils.clip_grad_norm_(
            parameters, training.config.train.gradient_norm
        ), values


@contextmanager
def _explained() -> Iterator[None]:
    """Say what to change where an update does not fit into memory or is refused by a library."""
    try:
        yield
    except RuntimeError as error:  # a CPU's has no type of its own
        if "cuDNN" in str(error):
            raise ValueError(
                f"cuDNN does not train a GRU of these sizes ({str(error).splitlines()[0]}); "
                "choose another --d-dim, a multiple of 4, in a new --out, or train with --device "
                "cpu."
            ) from error
        if not (isinstance(error, torch.OutOfMemoryError) or "tried to allocate" in str(error)):
            raise
        raise ValueError(
            "An update does not fit into memory; begin anew with a lower --batch-size, "
            "--segment-length or --num-particles, and another --out."
        ) from error
