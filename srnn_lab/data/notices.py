"""What a reader did to a file, as a sentence: a warning, or for a page's visitor who waits for it.

Python's ``catch_warnings`` changes the whole process, so visitors would have to read their files
one after another.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_COLLECTED: ContextVar[list[str] | None] = ContextVar("notices", default=None)


def notify(message: str) -> None:
    """Say what was done to a file: to whoever collects this thread's notices, or as a warning."""
    collected = _COLLECTED.get()
    if collected is None:
        warnings.warn(message, stacklevel=3)
    else:
        collected.append(message)


@contextmanager
def collect_notices() -> Iterator[list[str]]:
    """The notices of what is read in the ``with`` block, by this thread alone."""
    collected: list[str] = []
    token = _COLLECTED.set(collected)
    try:
        yield collected
    finally:
        _COLLECTED.reset(token)
