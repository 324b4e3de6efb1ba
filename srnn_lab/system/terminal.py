"""What is printed: messages of bounded length that steer no terminal.

They go to streams that may end before the work does.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

MAX_SENTENCE = 1000
"""Characters of a message that are printed; a value in one may have any number."""
_ASCII = str.maketrans({"±": "+-", "–": "-", "…": "...", "×": "x"})


def printable(text: str) -> str:
    """A text with escapes for what steers a terminal or is no UTF-8; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's stand-in for a byte of a file's name
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def one_line(message: str) -> str:
    """A message as a line to print; if very long, its beginning and its end, where advice is."""
    text = " ".join(line.strip() for line in message.splitlines())
    if len(text) > MAX_SENTENCE:
        half = MAX_SENTENCE // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return printable(text) + "\n"


class Lasting:
    """A stream whose end is no error: what cannot be written is lost.

    What cannot be encoded is spelt otherwise.

    Args:
        stream: A text stream, or None where the process has none.

    Attributes:
        error: Why something was lost, if it was; not that the reader of a pipe has seen enough.
    """

    def __init__(self, stream: Any):
        self._stream = stream
        self.error: OSError | ValueError | None = None

    def write(self, text: str) -> int:
        """Write, or lose, a text."""
        if self._stream is not None:
            with self._losing():
                self._stream.write(self._encodable(text))
        return len(text)

    def flush(self) -> None:
        """Hand on what is held back, or lose it."""
        if self._stream is not None:
            with self._losing():
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            if not isinstance(error, BrokenPipeError):
                self.error = error

    def _encodable(self, text: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            text.encode(encoding, getattr(self._stream, "errors", None) or "strict")
        except UnicodeEncodeError:
            text = text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
        return text


@contextmanager
def lasting_output() -> Iterator[Lasting]:
    """Let nothing end because a pipe, a log or a terminal that takes its output does.

    Yields:
        Standard output.
    """
    output, errors = Lasting(sys.stdout), Lasting(sys.stderr)
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            yield output
        finally:
            output.flush()
            errors.flush()


@contextmanager
def outliving_terminal() -> Iterator[None]:
    """Go on when the terminal is closed: what it was to show is lost, and its hangup is ignored."""
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        with lasting_output():
            yield
        return
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with lasting_output():
            yield
    finally:
        signal.signal(signal.SIGHUP, before or signal.SIG_DFL)


def drop_unwritten() -> None:
    """At the end of a process, give up what standard output and error could not take.

    Python would try it again.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
        except ValueError:  # closed
            pass
