"""Files that visitors bring: which are taken, of what size, and where they are during the visit."""

import hashlib
import re
import shutil
import tempfile
import weakref
from pathlib import Path

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.data.kinds import KINDS, MIDI_SUFFIXES, SERIES_SUFFIXES

MIDI = tuple(suffix[1:] for suffix in MIDI_SUFFIXES)
AUDIO = ("wav", "flac", "ogg", "opus", "mp3", "m4a", "aac", "webm", "aiff")
TABLES = tuple(suffix[1:] for suffix in SERIES_SUFFIXES)
UPLOADS = {
    name: MIDI if kind.notes else AUDIO if kind.heard else TABLES for name, kind in KINDS.items()
}
"""Kind of frame -> the endings of the files that models of it take."""
HEARD = tuple(name for name, kind in KINDS.items() if kind.heard)
"""Kinds of frames that most pages are for: of something to hear."""
MEGABYTES = {MIDI: 1, AUDIO: 50, TABLES: 20}
"""Largest file that is taken; notes, and the values of a table, are read one by one."""
BOXES = {MIDI: "chorales", AUDIO: "voice", TABLES: "tables"}
"""What the boxes for files are called in the session."""
CHECKPOINT_MEGABYTES = 100
MAX_CLIP_SECONDS = 180
"""Longest recording that is read; a little more than any model inspects."""


class ClipBytes:
    """The bytes of a file, which caches know by their digest.

    Streamlit would hash 50 MB anew whenever a cache is asked.

    Args:
        content: The bytes.
    """

    def __init__(self, content: bytes):
        self.bytes, self.digest = content, hashlib.blake2b(content).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClipBytes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def harmless(name: str) -> str:
    """The end of a file's name with nothing that a page could take for Markdown, HTML or a path."""
    return re.sub(r"[^\w .,()-]", "_", name)[-80:]


class Uploaded:
    """A checkpoint that a visitor brought, in a temporary folder that goes when the visit ends.

    Attributes:
        name: What it is called in the list of checkpoints.
        file: Where it is.

    Args:
        name: Its file's name, without harm.
        content: The file, which gets a name of ours.
        features: Kinds of frames that the page is for.

    Raises:
        ValueError: It is no such checkpoint.
        OSError: It cannot be kept, for instance because the disk is full.
    """

    PREFIX = "yours: "

    def __init__(self, name: str, content: bytes, features: tuple[str, ...]):
        self.name = f"{self.PREFIX}{name}"
        folder = tempfile.mkdtemp(prefix="srnn_lab-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.file = Path(folder) / "own.safetensors"
        self.file.write_bytes(content)
        try:
            found = load_checkpoint(self.file).config.data.features
        except ValueError as error:
            raise ValueError(str(error).replace(str(self.file), name)) from error
        if found not in features:
            raise ValueError(
                f"{name} takes {found!r} frames; this page is for {' or '.join(features)}."
            )
