"""Read regular files of a bounded size alone, write atomically, and sweep what a kill leaves."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from shutil import rmtree
from tempfile import NamedTemporaryFile, TemporaryDirectory, gettempdir

MAX_BYTES = 64 * 2**20
"""Largest table, record or page that is read whole; what a training writes for 100,000 epochs is
smaller."""
PART = ".part"
"""Ending of a file that is being written; one that was killed leaves it behind."""
SERVER = "srnn_lab-"
"""Beginning of the name of a server's folder of temporary files."""
_IN_USE = ".in-use"
"""File in a server's temporary folder that is locked while the server lives."""
_FORGOTTEN = 24 * 3600
"""Seconds after which a temporary folder without such a file, of an earlier version, is nobody's.
"""


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """A regular file's descriptor; a device could be read without end, and a pipe lets one wait.

    Returns:
        A descriptor, which the caller closes.

    Raises:
        ValueError: It is something else.
        OSError: It cannot be opened.
    """
    with suppress(FileNotFoundError):  # which opening tells of, or makes
        _check_regular(path, path.stat())
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    try:
        _check_regular(path, os.fstat(descriptor))
    except ValueError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
        raise ValueError(f"{path} is {kind}; give a regular file.")


def read_bounded(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The content of a regular file.

    Returns:
        At most ``limit`` bytes.

    Raises:
        ValueError: It is no regular file, or larger than ``limit`` bytes.
        OSError: It cannot be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(
            f"{path} has more than {limit} bytes, so it is not read; give a smaller file."
        )
    return content


def sweep(path: Path) -> None:
    """Remove what writes of ``path`` that were killed left beside it; nobody writes it now."""
    for part in path.parent.glob(f"{escape(path.name)}.*{PART}"):
        part.unlink(missing_ok=True)


@contextmanager
def _sharing(path: Path) -> Iterator[None]:
    """Lock the folder of ``path`` with whoever else writes there; if nobody does, sweep first."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sweep(path)
        except BlockingIOError:
            pass
        fcntl.flock(folder, fcntl.LOCK_SH)
        yield
    finally:
        os.close(folder)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that ``path`` is always either the old content or the new, never a part.

    Raises:
        OSError: The file cannot be written; what was there before is still there.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise OSError("it is a device or a pipe")
        with _sharing(path):
            with NamedTemporaryFile(
                dir=path.parent, prefix=f"{path.name}.", suffix=PART, delete=False
            ) as file:
                temporary = Path(file.name)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error.strerror or error}); what was there before is "
            "unchanged. Free some space or choose another folder."
        ) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)  # still there after any exception, Ctrl-C included


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder of temporary files that goes with the server; those of killed servers go first."""
    for folder in Path(gettempdir()).glob(f"{SERVER}*"):
        with suppress(FileNotFoundError):  # another server that starts now has removed it
            if not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.getuid():
                _remove_unused(folder)
    with TemporaryDirectory(prefix=SERVER, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / _IN_USE).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder


def _remove_unused(folder: Path) -> None:
    """Remove a server's folder, unless the server lives, which holds a lock there."""
    try:
        with os.fdopen(open_regular(folder / _IN_USE)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except (OSError, ValueError):
        # There is no lock: of an earlier version, or of a server that begins just now.
        if time.time() - folder.stat().st_mtime < _FORGOTTEN:
            return
    rmtree(folder, ignore_errors=True)
