"""This process's share of the work under torchrun; a single process has it all and asks nobody."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")
TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others before it gives up."""


def rank() -> int:
    """The number of this process, from 0; only 0 writes and prints."""
    return int(os.environ["RANK"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def world_size() -> int:
    """Processes that share the work."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def launcher() -> list[str]:
    """What begins a command as this one was begun.

    Returns:
        Its words. Of several machines, each needs its rendezvous options as well.
    """
    if world_size() == 1:
        return ["srnn-lab"]
    machines = int(os.environ["GROUP_WORLD_SIZE"])
    here = [f"--nnodes={machines}"] * (machines > 1) + [
        f"--nproc-per-node={os.environ['LOCAL_WORLD_SIZE']}"
    ]
    return ["torchrun", *here, "-m", "srnn_lab"]


def usable_device(device: str | None) -> str:
    """This process's device: as asked for, else a GPU if there is one; each process takes its own.

    Returns:
        The name of a device that has been tried, such as ``cpu`` or ``cuda:1``.

    Raises:
        ValueError: There is no such device, or all processes would share one GPU.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if world_size() > 1 and device.startswith("cuda"):
        if device != "cuda":
            raise ValueError(
                f"--device is {device}; give cuda, so that each process takes a GPU of its own."
            )
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        # torch raises any of them, depending on what is missing.
        raise ValueError(
            f"The device {device!r} cannot be used ({str(error).splitlines()[0]}); choose cpu, or "
            "cuda or mps where there is one."
        ) from error
    return device


def name_of(device: str | torch.device) -> str:
    """What a record says of a device: the name of a GPU, or the kind of another."""
    kind = torch.device(device).type
    return torch.cuda.get_device_name(device) if kind == "cuda" else kind


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Connect the processes: NCCL between GPUs, gloo between CPUs.

    Raises:
        ValueError: Processes cannot share work on such a device.
        ConnectionError: Another process ended or is out of reach.
        RuntimeError: The work in it fails for another reason; the error is passed on.
    """
    if world_size() == 1:
        yield
        return
    kind = torch.device(device).type
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"--device is {device}; several processes train on cpu or cuda.")
    if kind == "cuda":
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=TIMEOUT)
        yield
    except RuntimeError as error:
        # Errors of gloo have no type of their own.
        if not (isinstance(error, dist.DistError) or "gloo" in f"{error}"):
            raise
        raise ConnectionError(
            f"Process {rank()} of {world_size()} cannot go on ({str(error).splitlines()[0]}); "
            "where another one ended, its message tells why. Start the job again with --resume."
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def share(num_rows: int) -> slice:
    """The rows of a batch that are this process's.

    Returns:
        A slice. The shares of all processes make up the batch; they differ by one row at most.

    Raises:
        ValueError: There are more processes than rows.
    """
    if num_rows < world_size():
        raise ValueError(
            f"TrainConfig.batch_size is {num_rows}; the {world_size()} processes need a stream "
            "each. Raise it or start fewer processes."
        )
    return slice(num_rows * rank() // world_size(), num_rows * (rank() + 1) // world_size())


def from_rank_0(make: Callable[[], T]) -> T:
    """What ``make`` returns in process 0, where alone it is called; the others wait for it."""
    if world_size() == 1:
        return make()
    box: list[Any] = [make() if rank() == 0 else None]
    dist.broadcast_object_list(box)
    return box[0]


def add_up(gradients: Iterable[Tensor], values: Tensor) -> Tensor:
    """Sum gradients over processes in place, and ``values``, which are returned, in one message."""
    if world_size() == 1:
        return values
    tensors = [*gradients, values]
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, part in zip(
        tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True
    ):
        tensor.copy_(part.view_as(tensor))
    return values


def gather_rows(values: Tensor, num_rows: int) -> Tensor:
    """Each process's ``share`` of the rows -> all rows."""
    if world_size() == 1:
        return values
    whole = values.new_zeros(num_rows, *values.shape[1:])
    whole[share(num_rows)] = values
    dist.all_reduce(whole)
    return whole
