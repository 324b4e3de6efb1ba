"""A CUDA graph without a GPU: recorded operations, run again on the same memory, without Python."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from unittest.mock import patch

import torch
from processes import run_command
from torch import Tensor
from torch.utils._pytree import tree_leaves
from waiting import MAKES, Operations, refuse

from srnn_lab.inference import bounds
from srnn_lab.models import base, networks
from srnn_lab.training.loop import Loop


class Graph(Operations):
    """Stands for ``torch.cuda.CUDAGraph``: numbers, branches and shapes stay as recorded."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = super().__torch_dispatch__(func, types, args, kwargs)
        self.calls.append((func, args, kwargs or {}, results))
        return results

    def pool(self):
        """Where its memory is from."""

    @torch.no_grad()
    def replay(self):
        """Run its operations, whose results go where those of the recording are."""
        for func, args, kwargs, results in self.calls:
            again = tree_leaves(func(*args, **kwargs))
            for old, new in zip(tree_leaves(results), again, strict=True):
                if (
                    isinstance(old, Tensor) and old.data_ptr() != new.data_ptr()
                ):  # not a view, nor written in place
                    old.copy_(new)


@contextmanager
def record(graph, pool, stream, capture_error_mode):
    """Stands for ``torch.cuda.graph``."""
    with graph:
        for owner, name in MAKES:
            patch.object(owner, name, refuse).start()
        try:
            yield
        finally:
            patch.stopall()


def pretend(setattr=setattr):
    """Make trainings record updates, on the CPU; ``setattr`` may be that of ``monkeypatch``."""
    stream = SimpleNamespace(wait_stream=lambda other: None)
    stand_ins = {
        "Stream": lambda device: stream,
        "current_stream": lambda device: stream,
        "stream": lambda stream: nullcontext(),
        "device": lambda device: nullcontext(),
        "CUDAGraph": Graph,
        "graph": record,
        # That of the CPU, from which dropout is drawn here, is kept anyway.
        "get_rng_state": lambda device: None,
        "set_rng_state": lambda state, device: None,
    }
    for name, stand_in in stand_ins.items():
        setattr(torch.cuda, name, stand_in)
    setattr(Tensor, "pin_memory", lambda values: values)
    setattr(Loop, "on_gpu", True)
    for module in (base, networks, bounds):
        setattr(module, "possibly", lambda mask: True)


def run_pretending(*args):
    """``processes.run_command`` of a training that records its updates."""
    pretend()
    run_command(*args)
