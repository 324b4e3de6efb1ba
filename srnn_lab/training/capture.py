"""Record the kernels of an update once, and replay them: each is shorter than its launch."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")


class Recording(NamedTuple):
    """A CUDA graph, and the memory that it reads and writes.

    Attributes:
        graph: What is replayed.
        inputs: Where its inputs are put.
        outputs: Where its results are found.
        gradients: Those that it leaves, by parameter.
    """

    graph: torch.cuda.CUDAGraph
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    gradients: Sequence[Tensor | None]


class Captured:
    """A function of tensors that leaves gradients in a module's parameters, as CUDA graphs.

    There is one graph for each set of input shapes. The next call overwrites results and gradients.
    What the function draws (dropout) depends on the seed that was set last, as if it were not
    recorded.

    Args:
        function: What is recorded; nothing in it may look at the value of a tensor, or copy one
            from the host.
        module: The module whose gradients it computes, on a GPU.
    """

    WARM_UP = 3
    """Calls before the recording, in which libraries choose their kernels and take their memory."""

    def __init__(self, function: Callable[..., Sequence[Tensor]], module: nn.Module):
        self.function, self.parameters = function, list(module.parameters())
        self.device = self.parameters[0].device
        # One for all recordings: they share libraries' work space.
        self.side = torch.cuda.Stream(self.device)
        self.recordings: dict[tuple[torch.Size, ...], Recording] = {}

    def __call__(self, *inputs: Tensor) -> Sequence[Tensor]:
        """Run the function by its recording for inputs of these shapes.

        Args:
            inputs: On the GPU, or in pinned memory of the host, from where they are copied without
                waiting.

        Returns:
            What the function returns. The next call with inputs of the same shapes overwrites it.
        """
        shapes = tuple(values.shape for values in inputs)
        if shapes not in self.recordings:
            self.recordings[shapes] = self._record(inputs)
        recorded = self.recordings[shapes]
        for own, given in zip(recorded.inputs, inputs, strict=True):
            own.copy_(given, non_blocking=True)
        recorded.graph.replay()
        for parameter, gradient in zip(self.parameters, recorded.gradients, strict=True):
            parameter.grad = gradient
        return recorded.outputs

    def _record(self, inputs: Sequence[Tensor]) -> Recording:
        own = [values.to(self.device, copy=True) for values in inputs]
        # What is drawn later does not depend on when this is done.
        with torch.cuda.device(self.device), torch.random.fork_rng([self.device]):
            self.side.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(self.side):
                for _ in range(self.WARM_UP):
                    self.function(*own)
            torch.cuda.current_stream(self.device).wait_stream(self.side)
            for parameter in self.parameters:
                parameter.grad = None  # so that the graph writes gradients of its own
            graph = torch.cuda.CUDAGraph()
            # Graphs are replayed one after another, so that they share their memory. Another thread
            # may pin memory meanwhile, which would end a recording that forbids it to all threads.
            pool = next((recorded.graph.pool() for recorded in self.recordings.values()), None)
            with torch.cuda.graph(graph, pool, self.side, capture_error_mode="thread_local"):
                outputs = self.function(*own)
        return Recording(graph, own, outputs, [parameter.grad for parameter in self.parameters])


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items, each of them made, by a thread of its own, while the one before is used."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item
