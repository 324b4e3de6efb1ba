"""The files of a folder, and the split that each of them is in."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from srnn_lab.data.notices import collect_notices, notify
from srnn_lab.data.storage import MAX_NAMED, read_files
from srnn_lab.system.extras import MissingExtraError

_BEGINNING = 4096
"""Bytes at the beginning of files that are compared before whole files are."""
_ARCHIVED = "__MACOSX"
"""Folder in archives from macOS, of what belongs to the files beside it."""


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files with these endings below a folder and folders that it links to; none that is hidden.

    Hidden is what begins with a dot, as copies that editors keep do, and all that is in such a
    folder.

    Returns:
        The paths in alphabetical order, links to nothing included.

    Raises:
        FileNotFoundError: There is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"The folder {folder} does not exist.")
    found, seen = [], set()
    own, linked = [folder], []
    while own or linked:  # links last: a folder that is reached on two ways has its own name
        here = own.pop() if own else linked.pop(0)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for path in sorted(here.iterdir()):
            if path.name.startswith(".") or path.name == _ARCHIVED:
                continue
            if path.is_dir():
                (linked if path.is_symlink() else own).append(path)
            elif path.suffix.lower() in suffixes and (path.is_file() or not path.exists()):
                found.append(path)  # with links to nothing, so that an error names them
    if not found:
        raise FileNotFoundError(
            f"The folder {folder} holds no file that ends in {', '.join(suffixes)}."
        )
    return sorted(found)


def split_of(names: Iterable[str], valid: float, test: float, salt: str = "") -> dict[str, str]:
    """Decide the split of each name.

    A hash of the names alone decides, so that a split is the same on every machine.

    Args:
        names: Files, speakers or prompts.
        valid: Share of the names for validation; at least one name.
        test: Share for testing; at least one name, unless the share is 0.
        salt: Put before each name, to choose among the possible splits.

    Returns:
        ``train``, ``valid`` or ``test`` for each name.

    Raises:
        ValueError: There are too few names.
    """

    def digest(name: str) -> bytes:
        # The name of a file need not be UTF-8.
        return hashlib.sha256((salt + name).encode(errors="surrogateescape")).digest()

    order = sorted(set(names), key=digest)
    num_test = max(1, round(test * len(order))) if test else 0
    num_valid = max(1, round(valid * len(order)))
    if num_test + num_valid >= len(order):
        raise ValueError(
            f"{len(order)} files or speakers ({', '.join(order[:3]) or 'none'}) cannot be split "
            f"into training, validation and test; give at least {num_test + num_valid + 1}."
        )
    splits = ["test"] * num_test + ["valid"] * num_valid
    return dict(zip(order, splits + ["train"] * (len(order) - len(splits)), strict=True))


def files_of_split(
    files: dict[str, Path], split: str, read: Callable[[Path], object]
) -> dict[str, Path]:
    """The files of one split (90/5/5); a file is in exactly one split, and so is what it holds.

    Of files that are byte for byte the same, those in the test split are kept, or else those in the
    validation split. Where that, or files that cannot be used, would leave a split empty, its files
    are as if they were not there.

    Args:
        files: By name.
        split: ``train``, ``valid`` or ``test``.
        read: Raises an error for a file that cannot be used.

    Returns:
        The files of the split by name, without copies and without files that cannot be used.

    Raises:
        ValueError: There are too few files.
    """
    same_content, left, refused = _same_content(files), dict(files), {}
    emptied = True
    while emptied:
        try:
            splits = split_of(left, 0.05, 0.05)
        except ValueError as error:
            raise ValueError(" ".join([str(error), *refused.values()][: MAX_NAMED + 1])) from error
        copies = _copies(same_content, splits)
        parts = {
            part: [name for name in left if splits[name] == part]
            for part in ("test", "valid", "train")
        }
        emptied = next(
            (gone for part in parts if (gone := _all_gone(files, parts[part], copies, part, read))),
            {},
        )
        refused |= emptied
        left = {name: path for name, path in left.items() if name not in refused}
    if refused:
        why = " ".join([*refused.values()][:MAX_NAMED])
        notify(f"{len(refused)} of {len(files)} files cannot be used and were left out. {why}")
    if copies:
        named = ", ".join(f"{name} (of {kept})" for name, kept in [*copies.items()][:MAX_NAMED])
        notify(
            f"{len(copies)} of {len(files)} files are copies of one in another split and were "
            f"left out: {named}."
        )
    return {name: left[name] for name in parts[split] if name not in copies}


def read_split(
    files: dict[str, Path], split: str, read: Callable[[Path], np.ndarray]
) -> dict[str, np.ndarray]:
    """Read the files of one split; those that cannot be used are named and left out.

    Args:
        files: By name.
        split: ``train``, ``valid`` or ``test``.
        read: Gives a file's signal.

    Returns:
        The signals by name, as ``storage.narrow`` makes them.

    Raises:
        ValueError: There are too few files, or none can be used.
    """
    return read_files(files_of_split(files, split, read), read, skip=True)


def _copies(same_content: list[list[str]], splits: dict[str, str]) -> dict[str, str]:
    """Name -> the name of a file with the same content in another split, which keeps it."""
    copies = {}
    for group in same_content:
        names = [name for name in group if name in splits]
        if kept := next(
            (name for part in ("test", "valid", "train") for name in names if splits[name] == part),
            None,
        ):
            copies |= {name: kept for name in names if splits[name] != splits[kept]}
    return copies


def _all_gone(
    files: dict[str, Path],
    names: list[str],
    copies: dict[str, str],
    part: str,
    read: Callable[[Path], object],
) -> dict[str, str]:
    """Why each of these files, all of one split, is left out; nothing if one can be used."""
    gone = {
        name: f"{files[name]} is a copy of {files[copies[name]]}."
        for name in names
        if name in copies
    }
    for name in names:
        if name in gone:
            continue
        if part == "train":  # which has many, and of which each is read anyway
            return {}
        try:
            with collect_notices():  # said when the file is read for its split
                read(files[name])
        except MissingExtraError:
            raise
        except (ValueError, OSError) as error:
            gone[name] = str(error)
        else:
            return {}
    return gone


def _same_content(files: dict[str, Path]) -> list[list[str]]:
    """The names of files that are byte for byte the same, in groups; few are read as a whole."""
    groups = [list(files)]
    for value_of in (_size, _beginning, _digest):
        finer = defaultdict(list)
        for i, group in enumerate(groups):
            for name in group:
                with suppress(OSError):  # what cannot be read is named where it is to be read
                    finer[i, value_of(files[name])].append(name)
        groups = [group for group in finer.values() if len(group) > 1]
    return groups


def _size(path: Path) -> int:
    return path.stat().st_size


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BEGINNING)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
