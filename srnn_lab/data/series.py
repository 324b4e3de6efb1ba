"""Tables -> sequences: NumPy arrays, CSV and Parquet files, and what Python programs hold."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from srnn_lab.config import DataConfig, RunConfig
from srnn_lab.data.kinds import Series
from srnn_lab.data.notices import collect_notices, notify
from srnn_lab.data.splits import files_below, split_of
from srnn_lab.data.storage import MAX_NAMED
from srnn_lab.data.table_files import (
    Sequences,
    Table,
    are_numbered,
    numbered,
    numbers,
    read_table,
    tables_in,
)
from srnn_lab.system.extras import MissingExtraError

SHARES = (0.8, 0.9)
"""Where, of one sequence alone, training ends and validation does."""
ARRAYS = "arrays"
"""What the data are called that came as arrays."""


def read_sequences(config: DataConfig) -> Sequences:
    """All sequences of a folder or of one file, by name.

    A file of a folder that cannot be used is left out, with a notice that names it.

    Returns:
        Tables (T, columns) of float32. A sequence is named by its path in the folder and, if its
        file holds several, by its own name.

    Raises:
        FileNotFoundError: There is no such folder or file, or none that ends as tables do.
        ValueError: No file can be used: it cannot be read, or lacks a column.
    """
    return _read(config)[0]


def read_split(config: DataConfig, split: str) -> Sequences:
    """The sequences of one split of a folder or of one file, by name.

    Args:
        config: The data.
        split: ``train``, ``valid``, ``test`` or ``all``.

    Returns:
        What ``split_sequences`` leaves of ``read_sequences``.

    Raises:
        FileNotFoundError: As of ``read_sequences``.
        ValueError: The same, or there are too few sequences.
    """
    return split_sequences(*_read(config), split=split)


def _read(config: DataConfig) -> tuple[Sequences, dict[str, str]]:
    """All sequences by name, and by the name of each file that cannot be used, why."""
    if not isinstance(config.kind, Series):
        raise ValueError(
            f"DataConfig.features is {config.features!r}; tables have 'series' frames."
        )
    kind, (place, single, files) = config.kind, _files(config)
    found: Sequences = {}
    refused: dict[str, str] = {}
    for path in files:
        name = path.name if single else path.relative_to(place).as_posix()
        try:
            tables = read_table(path, kind)
        except MissingExtraError:
            raise
        except (ValueError, OSError) as error:
            refused[name] = str(error)
            if len(refused) == len(files):  # the first says what is wrong with all of them
                raise ValueError(next(iter(refused.values()))) from error
        else:
            found |= {f"{name}/{own}" if own else name: rows for own, rows in tables.items()}
    if refused:
        why = " ".join([*refused.values()][:MAX_NAMED])
        notify(f"{len(refused)} of {len(files)} files cannot be used and were left out. {why}")
    return found, refused


def own_tables(config: DataConfig, most_bytes: int) -> dict[str, tuple[str, Table]]:
    """The sequences that a run was trained, validated and tested on, those of the test set first.

    Args:
        config: Of the run.
        most_bytes: Largest size of their files that is read.

    Returns:
        By name, the split and the rows (T, columns). None if the files are larger, or no longer
        what they were: they may lie on another machine.
    """
    try:
        _, _, files = _files(config)
        if sum(path.stat().st_size for path in files) > most_bytes:
            return {}
        with collect_notices():  # which the training has given
            sequences, refused = _read(config)
            splits = {
                split: split_sequences(sequences, refused, split=split)
                for split in ("test", "valid", "train")
            }
    except (ValueError, OSError):
        return {}
    return {name: (split, rows) for split, own in splits.items() for name, rows in own.items()}


def columns_of(config: DataConfig) -> list[str]:
    """The names of the columns of the first file that can be used and, if one has any, has names.

    Returns:
        All of its columns but for the sequence's name and the known inputs.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: None can be used.
    """
    kind, (_, _, files) = cast(Series, config.kind), _files(config)
    errors: list[ValueError | OSError] = []
    found: list[str] = []
    for path in files:
        try:
            if found and are_numbered(next(tables_in(path))[1]):
                continue
            read_table(path, kind)
        except (ValueError, OSError) as error:
            errors.append(error)
            continue
        found = next(tables_in(path))[1]
        if not are_numbered(found):
            break
    if not found:
        raise errors[0]
    return [name for name in found if name not in {kind.sequence_column, *kind.input_names}]


def _files(config: DataConfig) -> tuple[Path, bool, list[Path]]:
    """The folder or the file that the data are, whether it is a file, and all files."""
    place = Path(config.data)
    if not place.exists():
        raise ValueError(
            f"{config.data!r} is neither a data set of tables nor a folder or a file; name one by "
            "--data."
        )
    single = place.is_file()
    return place, single, [place] if single else files_below(place, config.kind.suffixes)


def as_table_of_inputs(config: DataConfig) -> DataConfig:
    """How a table is read that has the known inputs alone."""
    return replace(config, columns=config.inputs, inputs="", values="real")


def split_sequences(
    sequences: Sequences, refused: Mapping[str, str] | None = None, *, split: str
) -> Sequences:
    """The sequences of one split: 90/5/5 of them by name, or, of one alone, 80/10/10 of its time.

    Of sequences that are the same number by number, the one in the test split is kept, or else the
    one for validation.

    Args:
        sequences: By name.
        refused: Files that cannot be used, with the reason. They take their places among the
            splits, so that the others keep theirs, unless a split would be empty.
        split: ``train``, ``valid``, ``test`` or ``all``.

    Returns:
        The sequences of the split by name, or the stretch of the only one.

    Raises:
        ValueError: There are too few.
    """
    if split == "all":
        return sequences
    if len(sequences) == 1 and not refused:
        ((name, rows),) = sequences.items()
        ends = [0, *(round(share * len(rows)) for share in SHARES), len(rows)]
        at = ("train", "valid", "test").index(split)
        return {f"{name}[{ends[at]}:{ends[at + 1]}]": rows[ends[at] : ends[at + 1]]}
    splits, kept = _splits(sequences, refused or {}), {}
    for name in sorted(sequences, key=lambda name: ("test", "valid", "train").index(splits[name])):
        kept.setdefault(hashlib.sha256(sequences[name].tobytes()).digest(), name)
    copies = [name for name in sequences if name not in kept.values()]
    if copies:
        named = ", ".join(copies[:MAX_NAMED])
        notify(
            f"{len(copies)} of {len(sequences)} sequences are copies of others and were left out: "
            f"{named}."
        )
    return {
        name: rows
        for name, rows in sequences.items()
        if splits[name] == split and name not in copies
    }


def _splits(sequences: Sequences, refused: Mapping[str, str]) -> dict[str, str]:
    """The split of each name; of files that are refused, those that were a split's only ones go."""
    names = [*sequences, *refused]
    while True:
        try:
            splits = split_of(names, 0.05, 0.05)
        except ValueError as error:
            raise ValueError(" ".join([str(error), *refused.values()][: MAX_NAMED + 1])) from error
        used = {splits[name] for name in sequences}
        kept = [name for name in names if name in sequences or splits[name] in used]
        if len(kept) == len(names):
            return splits
        names = kept


def as_rows(value: Any, kind: Series) -> Table:
    """An array, a tensor or a data frame as rows.

    Of a tuple of two, x and known inputs, the rows are side by side.

    Returns:
        The rows (T, columns) as float32, NaN where a value is missing or masked. The columns of a
        data frame are in the order of ``kind.names``.

    Raises:
        ValueError: It is none of these, or holds a value that is no number.
    """
    if is_pair(value):
        x, u = (
            as_rows(value[0], replace(kind, inputs="")),
            as_rows(value[1], replace(kind, columns="", inputs="")),
        )
        if len(x) != len(u) or u.shape[1] != len(kind.input_names):
            raise ValueError(
                f"A sequence has {len(x)} rows, and its known inputs {len(u)} rows of "
                f"{u.shape[1]}; expected as many rows of {len(kind.input_names)}."
            )
        return np.hstack([x, u])
    if (names := _names_of(value)) is not None:
        wanted = [
            *(kind.names or [name for name in names if name not in kind.input_names]),
            *kind.input_names,
        ]
        if missing := [name for name in wanted if name not in names]:
            raise ValueError(
                f"A data frame has no column {missing[0]!r}; it has {', '.join(names)}."
            )
        return np.stack([numbers(name, np.asarray(value[name])) for name in wanted], 1)
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float32), np.nan)
    try:
        _, columns = numbered(np.asarray(value, np.float32))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A sequence is {type(value).__name__} that is no array of rows: {error}."
        ) from error
    return np.stack([numbers(str(i), column) for i, column in enumerate(columns)], 1)


def is_pair(value: Any) -> bool:
    """Whether a sequence comes with known inputs: a tuple of x and u."""
    return isinstance(value, tuple) and len(value) == 2


def _names_of(value: Any) -> list[str] | None:
    """The names of the columns of a data frame; None of anything else."""
    names = getattr(value, "columns", None)
    return None if names is None else [str(name) for name in names]


def gather(
    data: Mapping[str, Iterable[Any]], config: RunConfig
) -> tuple[RunConfig, dict[str, list[Table]]]:
    """Sequences a program holds, by split, and the configuration with what they say of themselves.

    Args:
        data: ``train``, ``valid`` and ``test``: arrays (T, columns), tensors, data frames, or any
            iterable of these; a tuple of two is x and known inputs u.
        config: A configuration of series.

    Returns:
        The configuration with the columns, frame size and missing values of these data, and their
        tables (T, columns) by split.

    Raises:
        ValueError: A split is missing or empty, or a sequence is no table of numbers.
    """
    kind = config.data.kind
    if not isinstance(kind, Series):
        raise ValueError(
            f"DataConfig.features is {kind.name!r}; data are given as arrays of {Series.name!r} "
            "frames."
        )
    if set(data) != {"train", "valid", "test"}:
        raise ValueError(
            f"The data have the splits {', '.join(map(str, data)) or 'none'}; expected train, "
            "valid, test."
        )
    held = {split: list(sequences) for split, sequences in data.items()}
    if empty := [split for split, sequences in held.items() if not sequences]:
        raise ValueError(f"The split {empty[0]!r} has no sequence; give at least one.")
    first = held["train"][0]
    x, u = first if is_pair(first) else (first, None)
    if u is not None and not kind.inputs:
        kind = replace(
            kind,
            inputs=",".join(_names_of(u) or [f"u{i}" for i in range(as_rows(u, kind).shape[1])]),
        )
    rows = {
        split: [as_rows(value, kind) for value in sequences] for split, sequences in held.items()
    }
    columns = rows["train"][0].shape[1] - len(kind.input_names)
    names = _names_of(x) or [str(i) for i in range(columns)]
    names = kind.names or [name for name in names if name not in kind.input_names]
    for split, tables in rows.items():
        for i, table in enumerate(tables):
            try:
                kind.check_values(kind.parts(table)[0], names)
            except ValueError as error:
                raise ValueError(f"Sequence {i} of {split!r} cannot be used: {error}.") from error
    config = replace(config, data=replace(config.data, data=ARRAYS, inputs=kind.inputs))
    return _completed(config, names, lambda: [own for held in rows.values() for own in held]), rows


def complete(config: RunConfig) -> RunConfig:
    """The configuration with its tables' columns, the frame size, and whether values are missing.

    Any other configuration comes back as it is.

    Returns:
        The configuration with ``columns``, ``x_dim`` and ``missing`` filled in.

    Raises:
        ValueError: The data cannot be read.
    """
    kind = config.data.kind
    if not isinstance(kind, Series) or config.data.data == ARRAYS:
        return config
    return _completed(
        config, kind.names or columns_of(config.data), lambda: read_sequences(config.data).values()
    )


def _completed(
    config: RunConfig, names: list[str], tables: Callable[[], Iterable[Table]]
) -> RunConfig:
    if any("," in name for name in names):
        raise ValueError(
            "The name of a column holds a comma, which parts the names of columns; rename it."
        )
    kind = replace(cast(Series, config.data.kind), columns=",".join(names))
    if both := set(names) & set(kind.input_names):
        raise ValueError(
            f"The column {both.pop()!r} is among --columns and --inputs; leave it out of one of "
            "them."
        )
    parts = [kind.parts(rows) for rows in tables()]
    size = len(names)
    if kind.values == "category":
        size = 1 + int(max(rows.max() for rows, _ in parts))
    model = replace(
        config.model,
        x_dim=max(1, size),
        missing=any(bool(np.isnan(rows).any()) for rows, _ in parts),
        u_dim=len(kind.input_names),
        missing_inputs=any(known is not None and bool(np.isnan(known).any()) for _, known in parts),
    )
    return replace(config, model=model, data=replace(config.data, columns=",".join(names)))
