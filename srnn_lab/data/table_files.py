"""Table files -> sequences: NumPy arrays, CSV and Parquet."""

import csv
import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from jaxtyping import Float

from srnn_lab.data.kinds import Series
from srnn_lab.system.extras import MissingExtraError
from srnn_lab.system.files import open_regular, read_bounded

Table = Float[np.ndarray, "_ c"]
Sequences = dict[str, Table]

MAX_BYTES = 2**30
"""Largest table that is read, in the file and in memory."""
_OBJECT = 64
"""Bytes of a value that is no plain number, such as a date."""
MAX_REASON = 300
"""Characters of why a file is refused; it may repeat what the file holds."""
MISSING = {"", "na", "nan", "null", "none"}
"""What stands in a CSV file, in any case, where a value is missing."""


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
        ValueError: The file is damaged, too large, or lacks a column, or a value is no number or
            not what ``kind.values`` says.
        FileNotFoundError: There is no such file.
        MissingExtraError: Parquet files need pyarrow.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give the path of a table.")
    try:
        found: Sequences = {}
        for own, names, columns in tables_in(path):
            single = alone and kind.sequence_column not in names
            found |= _sequences(
                own, names, columns, replace(kind, sequence_column="") if single else kind
            )
    except MissingExtraError:
        raise
    except ValueError as error:
        reason = " ".join(f"{error}".split())[:MAX_REASON].rstrip(".")
        raise ValueError(f"{path} cannot be read as a table: {reason}.") from error
    if not found:
        raise ValueError(f"{path} holds no sequence.")
    return found


def tables_in(path: Path) -> Iterator[tuple[str, list[str], list[Any]]]:
    """A file's tables: the name of each, empty if it is alone, and its columns with their names."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        yield "", *_read_csv(read_bounded(path, MAX_BYTES))
    elif suffix == ".parquet":
        yield "", *_read_parquet(path)
    elif suffix == ".npy":
        with os.fdopen(open_regular(path), "rb") as file:
            yield "", *numbered(_read_npy(file, path.stat().st_size))
    elif suffix == ".npz":
        with os.fdopen(open_regular(path), "rb") as file:
            yield from _read_npz(file)
    else:
        raise ValueError(f"it does not end in {', '.join(Series.suffixes)}")


def _read_csv(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Names and columns of text; the first line has the names, unless it is of numbers."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"byte {1 + error.start} is no UTF-8 text; save it as CSV in UTF-8"
        ) from error
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
        from pyarrow import ArrowException, parquet, types
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is read by pyarrow, which is not installed; install it with: pip install "
            "pyarrow"
        ) from error
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            opened = parquet.ParquetFile(file)
            about, columns = opened.metadata, opened.schema_arrow
            chunks = [
                about.row_group(i).column(j)
                for i in range(about.num_row_groups)
                for j in range(about.num_columns)
            ]
            needed = sum(8 * chunk.num_values + chunk.total_uncompressed_size for chunk in chunks)
            if needed > MAX_BYTES:
                raise ValueError(f"its values take {needed} bytes, more than are read")
            # A text that stands in many rows is kept once, as in the file.
            texts = [
                column.name
                for column in columns
                if types.is_string(column.type) or types.is_large_string(column.type)
            ]
            file.seek(0)
            table = parquet.ParquetFile(file, read_dictionary=texts).read()
        return list(table.column_names), [_values(column) for column in table.columns]
    except (ArrowException, OSError) as error:
        raise ValueError(f"{error}") from error


def _values(column: Any) -> Any:
    """The values of a column of Parquet; of lists, which are no numbers, only their type."""
    from pyarrow import types

    kind = column.type
    # Integers with gaps would become fractions, and "1.0" the name of sequence 1.
    if types.is_floating(kind) or (types.is_integer(kind) and not column.null_count):
        return column.to_numpy()
    if types.is_nested(kind):
        return [str(kind)] * len(column)
    if types.is_dictionary(kind):
        parts = [
            (chunk.dictionary.to_pylist(), chunk.indices.to_pylist()) for chunk in column.chunks
        ]
        return [None if i is None else words[i] for words, which in parts for i in which]
    if len(column) * _OBJECT > MAX_BYTES:
        raise ValueError(f"it has {len(column)} values of type {kind}, more than are read")
    return column.to_pylist()


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
    except (TokenError, ValueError) as error:
        raise ValueError("its header cannot be read") from error
    if any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"its header promises an array of shape {shape}")
    if dtype.kind not in "biuf":
        raise ValueError(f"its values are of type {dtype}; expected numbers")
    # Of no rows as well, each column is looked at.
    if (promised := math.prod(max(1, n) for n in shape) * dtype.itemsize) > min(size, MAX_BYTES):
        raise ValueError(f"its header promises {promised} bytes, more than it has or than are read")
    needed = math.prod(shape) * dtype.itemsize
    content = file.read(needed)
    if len(content) < needed:
        raise ValueError(f"it is truncated: {needed - len(content)} bytes are missing")
    values = np.frombuffer(content, dtype)
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
                yield own, *numbered(array)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:
        raise ValueError(f"{error}") from error


def numbered(array: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """An array (T, columns) or (T,) as columns, which are numbered."""
    if array.ndim not in (1, 2):
        raise ValueError(f"it holds an array of shape {array.shape}; expected (rows, columns)")
    columns = list(array.T) if array.ndim == 2 else [array]
    return [str(i) for i in range(len(columns))], columns


def _sequences(own: str, names: list[str], columns: list[Any], kind: Series) -> Sequences:
    inputs, known = kind.input_names, [*kind.names, *kind.input_names]
    if are_numbered(names) and kind.names and len(known) == len(columns):
        names = known  # those of an array, which has none, are its columns' numbers
    by_name = dict(zip(names, columns, strict=True))
    if len(by_name) != len(names):
        raise ValueError("two of its columns have one name")
    of_x = kind.names or [name for name in names if name not in {kind.sequence_column, *inputs}]
    wanted = [*of_x, *inputs]
    if not wanted:
        raise ValueError("it has no column")
    for name in [*wanted, *[kind.sequence_column] * bool(kind.sequence_column)]:
        if name not in by_name:
            raise ValueError(f"it has no column {name!r}{_why_lacking(names, wanted)}")
    rows = np.stack([numbers(name, by_name[name]) for name in wanted], 1)
    kind.check_values(rows[:, : len(of_x)], of_x)
    if not kind.sequence_column:
        return {own: rows} if len(rows) else {}
    # Few rows or many, and few sequences or many: the time grows with the rows alone.
    order: dict[str, int] = {}
    which = np.array(
        [order.setdefault(str(value), len(order)) for value in by_name[kind.sequence_column]], int
    )
    ends = np.cumsum(np.bincount(which, minlength=len(order)))[:-1]
    parts = np.split(rows[np.argsort(which, kind="stable")], ends)
    return {
        f"{own}/{name}" if own else name: part for name, part in zip(order, parts, strict=False)
    }


def are_numbered(names: list[str]) -> bool:
    """Whether columns have numbers for names, as those of an array and of text without names."""
    return names == [str(i) for i in range(len(names))]


def _why_lacking(names: list[str], wanted: list[str]) -> str:
    """How the columns of a file differ from those that are wanted, and what to do."""
    if are_numbered(names):
        return (
            f": it has {len(names)} column{'s' * (len(names) != 1)} without names; expected "
            f"{_few(wanted)}: write the names of its columns in its first line"
        )
    if are_numbered(wanted):
        return (
            f": its first line names {_few(names)}; expected {len(wanted)} "
            f"column{'s' * (len(wanted) != 1)} without names, as other tables have: take that line "
            "out, or write the names into the others too"
        )
    return (
        f"; it has {_few(names)}; expected {_few(wanted)}: rename one, or name those to read with "
        "--columns"
    )


def _few(names: list[str]) -> str:
    return ", ".join([*names[:8], *["…"] * (len(names) > 8)])


def numbers(name: str, column: Any) -> Float[np.ndarray, "_"]:
    """A column as numbers, NaN where a value is missing."""
    with np.errstate(over="ignore"):  # which is said below
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
