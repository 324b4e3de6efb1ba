"""Tables -> sequences: NumPy arrays, CSV and Parquet files, and what Python programs hold."""

import csv
import hashlib
import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, cast

import numpy as np
from jaxtyping import Float

from srnn_lab.config import DataConfig, RunConfig
from srnn_lab.data.kinds import Series
from srnn_lab.data.notices import collect_notices, notify
from srnn_lab.data.splits import files_below, split_of
from srnn_lab.data.storage import MAX_NAMED
from srnn_lab.system.extras import MissingExtraError
from srnn_lab.system.files import open_regular, read_bounded

Table = Float[np.ndarray, "_ c"]
Sequences = dict[str, Table]

MAX_BYTES = 2**30
"""Largest table that is read, in the file and in memory."""
MAX_REASON = 300
"""Characters of why a file is refused; it may repeat what the file holds."""
MISSING = {"", "na", "nan", "null", "none"}
"""What stands in a CSV file, in any case, where a value is missing."""
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
    """The names of the columns of the first file that can be used.

    Returns:
        All of its columns but for the sequence's name and the known inputs.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: None can be used.
    """
    kind, (_, _, files) = cast(Series, config.kind), _files(config)
    errors: list[ValueError | OSError] = []
    for path in files:
        try:
            read_table(path, kind)
        except (ValueError, OSError) as error:
            errors.append(error)
            continue
        left_out = {kind.sequence_column, *kind.input_names}
        return [name for name in next(_tables(path))[1] if name not in left_out]
    raise errors[0]


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


def read_table(path: Path, kind: Series, *, alone: bool = False) -> Sequences:
    """The sequences of one file, by name; of a file that is one sequence, by an empty name.

    Args:
        path: The file.
        kind: The columns.
        alone: Whether the file may be one sequence, without the column that names sequences.

    Returns:
        Tables (T, columns) of float32, NaN where a value is missing. The columns are those that
        ``kind`` names, in its order, or all.

    Raises:
        ValueError: The file is damaged, too large, or lacks a column, a value is no number, or a
            known input is missing.
        MissingExtraError: Parquet files need pyarrow.
    """
    try:
        found: Sequences = {}
        for own, names, columns in _tables(path):
            single = alone and kind.sequence_column not in names
            found |= _sequences(
                own, names, columns, replace(kind, sequence_column="") if single else kind
            )
        for rows in found.values():
            kind.parts(rows)  # refuses a known input that is missing
    except MissingExtraError:
        raise
    except ValueError as error:
        reason = " ".join(f"{error}".split())[:MAX_REASON]
        raise ValueError(f"{path} cannot be read as a table: {reason}") from error
    if not found:
        raise ValueError(f"{path} holds no sequence.")
    return found


def _tables(path: Path) -> Iterator[tuple[str, list[str], list[Any]]]:
    """A file's tables: the name of each, empty if it is alone, and its columns with their names."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        yield "", *_read_csv(read_bounded(path, MAX_BYTES))
    elif suffix == ".parquet":
        yield "", *_read_parquet(path)
    elif suffix == ".npy":
        with os.fdopen(open_regular(path), "rb") as file:
            yield "", *_numbered(_read_npy(file, path.stat().st_size))
    elif suffix == ".npz":
        with os.fdopen(open_regular(path), "rb") as file:
            yield from _read_npz(file)
    else:
        raise ValueError(f"it does not end in {', '.join(Series.suffixes)}")


def _read_csv(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Names and columns of text; the first line has the names, unless it is of numbers."""
    text = content.decode("utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row
        ]
    except csv.Error as error:
        raise ValueError(f"{error}") from error
    if not rows:
        raise ValueError("it is empty")
    names, width = [name.strip() for name in rows[0]], len(rows[0])
    if all(_is_number(name) for name in names):
        names = [str(i) for i in range(width)]
    else:
        rows = rows[1:]
    if wrong := next((i for i, row in enumerate(rows, 1) if len(row) != width), None):
        raise ValueError(
            f"row {wrong} has {len(rows[wrong - 1])} values, and the first line {width}"
        )
    return names, [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_parquet(path: Path) -> tuple[list[str], list[Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is read by pyarrow, which is not installed; install it with: pip install "
            "pyarrow"
        ) from error
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            opened = parquet.ParquetFile(file)
            about = opened.metadata
            if about.num_rows * about.num_columns * 8 > MAX_BYTES:
                raise ValueError(
                    f"it has {about.num_rows} rows of {about.num_columns} columns, more than are "
                    "read"
                )
            table = opened.read()
    except (ArrowException, OSError) as error:
        raise ValueError(f"{error}") from error
    return list(table.column_names), [column.to_pylist() for column in table.columns]


def _read_npy(file: IO[bytes] | io.BufferedIOBase, size: int) -> np.ndarray:
    """Numbers from ``size`` bytes; what the header promises is compared with them first."""
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    try:
        shape, fortran, dtype = read(file)
    except TokenError as error:
        raise ValueError("its header cannot be read") from error
    if dtype.kind not in "biuf":
        raise ValueError(f"its values are of type {dtype}; expected numbers")
    needed = math.prod(shape) * dtype.itemsize
    if needed > min(size, MAX_BYTES):
        raise ValueError(f"its header promises {needed} bytes, more than it has or than are read")
    values = np.frombuffer(file.read(needed), dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _read_npz(file: IO[bytes] | io.BufferedIOBase) -> Iterator[tuple[str, list[str], list[Any]]]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise ValueError("its arrays take more than is read")
            for member in members:
                with archive.open(member) as opened:
                    array = _read_npy(opened, member.file_size)  # pyright: ignore[reportArgumentType]
                own = member.filename.removesuffix(".npy") if len(members) > 1 else ""
                yield own, *_numbered(array)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:
        raise ValueError(f"{error}") from error


def _numbered(array: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """An array (T, columns) or (T,) as columns, which are numbered."""
    if array.ndim not in (1, 2):
        raise ValueError(f"it holds an array of shape {array.shape}; expected (rows, columns)")
    columns = list(array.reshape(len(array), -1).T)
    return [str(i) for i in range(len(columns))], columns


def _sequences(own: str, names: list[str], columns: list[Any], kind: Series) -> Sequences:
    inputs, known = kind.input_names, [*kind.names, *kind.input_names]
    if names == [str(i) for i in range(len(columns))] and kind.names and len(known) == len(columns):
        names = known  # those of an array, which has none, are its columns' numbers
    by_name = dict(zip(names, columns, strict=True))
    if len(by_name) != len(names):
        raise ValueError("two of its columns have one name")
    of_x = kind.names or [name for name in names if name not in {kind.sequence_column, *inputs}]
    wanted = [*of_x, *inputs]
    for name in [*wanted, *[kind.sequence_column] * bool(kind.sequence_column)]:
        if name not in by_name:
            raise ValueError(
                f"it has no column {name!r}; it has {_few(names)}; expected {_few(wanted)}: rename "
                "one, or name those to read with --columns"
            )
    rows = np.stack([_numbers(name, by_name[name]) for name in wanted], 1)
    if not kind.sequence_column:
        return {own: rows} if len(rows) else {}
    which = np.array([str(value) for value in by_name[kind.sequence_column]])
    return {
        f"{own}/{name}" if own else str(name): rows[which == name]
        for name in dict.fromkeys(which.tolist())
    }


def _few(names: list[str]) -> str:
    return ", ".join([*names[:8], *["…"] * (len(names) > 8)])


def _numbers(name: str, column: Any) -> Float[np.ndarray, "_"]:
    """A column as numbers, NaN where a value is missing."""
    if isinstance(column, np.ndarray):
        values = column.astype(np.float32)
    else:
        values = np.empty(len(column), np.float32)
        for i, value in enumerate(column):
            values[i] = _number(name, i, value)
    if (wrong := np.isinf(values)).any():
        raise ValueError(
            f"column {name!r} has a value that is no finite number in row {1 + int(wrong.argmax())}"
        )
    return values


def _number(name: str, row: int, value: Any) -> float:
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"column {name!r} holds {str(value)[:40]!r} in row {1 + row}, which is no number; "
            "leave a value empty that is missing, and name the columns to read (--columns, or the "
            "box Columns)"
        ) from error


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
        return np.stack([_numbers(name, np.asarray(value[name])) for name in wanted], 1)
    if isinstance(value, np.ma.MaskedArray):
        value = value.astype(np.float32).filled(np.nan)
    try:
        _, columns = _numbered(np.asarray(value, np.float32))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A sequence is {type(value).__name__} that is no array of rows: {error}."
        ) from error
    return np.stack([_numbers(str(i), column) for i, column in enumerate(columns)], 1)


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
    found = [kind.parts(rows)[0] for rows in tables()]
    size = (
        1 + int(max(rows.max() for rows in found))
        if config.data.values == "category"
        else len(names)
    )
    missing = any(bool(np.isnan(rows).any()) for rows in found)
    model = replace(config.model, x_dim=max(1, size), missing=missing, u_dim=len(kind.input_names))
    return replace(config, model=model, data=replace(config.data, columns=",".join(names)))
