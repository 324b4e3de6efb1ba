"""What a GPU would have to be waited for, found without one.

Operations are looked at, most of them on no device.
"""

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LOOKS = {
    "_local_scalar_dense",  # item, float, int, bool, if
    "equal",
    "is_nonzero",
    "nonzero",
    "masked_select",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
}
"""Operations whose result, or its shape, depends on values: the host waits for them."""
MAKES = [
    (Tensor, "new_tensor"),
    *((torch, name) for name in ("tensor", "as_tensor", "asarray", "from_numpy")),
]
"""Functions whose values come from the host's memory, copied before they return."""


class WaitError(AssertionError):
    """An operation waits for a device, or takes a host value that a recorded update would keep."""


class Operations(TorchDispatchMode):
    """Refuses those that wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        masks = name in ("index", "index_put", "index_put_", "repeat_interleave") and any(
            value.dtype in (torch.bool, torch.uint8) for value in tensors[1:]
        )
        devices = {value.device.type for value in tensors}
        devices |= {kwargs["device"].type} if name == "_to_copy" and kwargs.get("device") else set()
        if name in LOOKS or masks or len(devices) > 1:
            raise WaitError(f"{func} on {', '.join(sorted(devices))}")
        return func(*args, **kwargs)


def refuse(*args, **kwargs):
    """Stand for one of ``MAKES``."""
    raise WaitError("values are copied from the host")


@contextmanager
def without_waiting():
    """Nothing in here may wait for the device.

    There may be no look at a value, no copy from or to the host, and no mixed devices.
    """
    with ExitStack() as stack:
        for owner, name in MAKES:
            stack.enter_context(patch.object(owner, name, refuse))
        yield stack.enter_context(Operations())
