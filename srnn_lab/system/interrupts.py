"""Ctrl-C and SIGTERM while a model is trained: the current step is finished first."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Stopped(KeyboardInterrupt):
    """A training was asked to stop, and has written what it needs to continue.

    Args:
        message: How to continue it.
        number: The signal that asked.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_status = 128 + number


@contextmanager
def noted_signals() -> Iterator[Sequence[int]]:
    """Note the first Ctrl-C, and SIGTERM, instead of obeying; a second Ctrl-C interrupts as usual.

    Yields:
        The signals that have come.
    """
    noted: list[int] = []

    def note(number: int, _frame: object) -> None:
        if number == signal.SIGINT and noted:
            raise KeyboardInterrupt
        noted.append(number)

    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield noted
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
