"""A table, its numbers, and how they are made of records."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from srnn_lab.config import EvaluationConfig
from srnn_lab.reports.places import SETS, told_as
from srnn_lab.reports.records import Result

_PUBLISHED = Path(__file__).parent / "published.json"
UNTRAINED = Path(__file__).parent / "untrained.json"
"""What ``reports.untrained`` has measured."""


@dataclass(frozen=True)
class Figure:
    """One number of a table.

    Attributes:
        value: Measured (a float), or published (in the digits of its source).
        se: Standard error over the sequences.
        sd: Standard deviation over training seeds, of which ``value`` and ``se`` are then the
            averages.
        seeds: How many they are.
        repetitions: Evaluations with different noise that ``value`` averages.
    """

    value: float | int | Decimal
    se: float | None = None
    sd: float | None = None
    seeds: int = 1
    repetitions: int = 1

    @property
    def published(self) -> bool:
        """Whether it stands in a publication."""
        return not isinstance(self.value, float)

    def __str__(self) -> str:
        if self.published:
            return f"{self.value}"
        digits = digits_of(float(self.value))
        text = f"{self.value:.{digits}f}"
        text += "" if self.se is None else f" ± {self.se:.{digits}f}"
        notes = [] if self.sd is None else [f"sd {self.sd:.{digits}f}, {self.seeds} seeds"]
        notes += [f"mean of {self.repetitions}"] * (self.repetitions > 1)
        return text + (f" ({'; '.join(notes)})" if notes else "")


def digits_of(value: float) -> int:
    """Digits behind the point that a table prints of a measured number."""
    return 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0


Cell = str | int | Figure | None


@dataclass(frozen=True)
class Table:
    """A table to print.

    Attributes:
        title: What it shows.
        caption: On which data, and how its numbers are made.
        header: Its columns; the last names the source of a row or the row of ``srnn-lab
            reproduce``.
        rows: A cell for each column; None where nothing is recorded.
        labels: Columns at the beginning in which nothing is measured here.
    """

    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    labels: int = 1

    @property
    def measured(self) -> bool:
        """Whether anything between the labels and the names of the rows was measured here."""
        cells = [cell for row in self.rows for cell in row[self.labels : -1]]
        return any(
            not cell.published if isinstance(cell, Figure) else cell is not None for cell in cells
        )

    def text(self) -> str:
        """For a terminal."""
        lines = ["  ".join(row).rstrip() for row in self._padded()]
        return "\n".join([self.title, self.caption, "", *lines])

    def markdown(self) -> str:
        """For GitHub."""
        header, *rows = (
            f"| {' | '.join(row)} |" for row in self._padded(lambda text: text.replace("|", r"\|"))
        )
        rule = re.sub(r"[^|]", "-", header)
        return "\n".join([f"**{self.title}.** {self.caption}", "", header, rule, *rows])

    def columns(self) -> list[list[str]]:
        """What is printed, by columns below their titles; columns without records are left out."""
        columns = zip(self.header, *self.rows, strict=True)
        filled = (column for column in columns if set(column[1:]) != {None})
        return [["–" if cell is None else f"{cell}" for cell in column] for column in filled]

    def _padded(self, escape: Callable[[str], str] = str) -> list[tuple[str, ...]]:
        columns = [[escape(text) for text in column] for column in self.columns()]
        return list(
            zip(
                *([text.ljust(max(map(len, column))) for text in column] for column in columns),
                strict=True,
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; a figure is a number with its standard errors."""

        def plain(cell: Cell) -> Any:
            if not isinstance(cell, Figure):
                return cell
            return {**asdict(cell), "value": float(cell.value), "published": cell.published}

        return {**vars(self), "rows": [[plain(cell) for cell in row] for row in self.rows]}


def gain(sums: Sequence[float], base: Sequence[float], sizes: Sequence[int]) -> Figure:
    """How far a model is above another on the same sequences: a ratio of sums, its standard error.

    Args:
        sums: Of each sequence, in nats.
        base: The same of the other model.
        sizes: Frames of each sequence.

    Returns:
        The gain in nats per frame; without an error if there is a single sequence.
    """
    n, differences = len(sums), [a - b for a, b in zip(sums, base, strict=True)]
    mean = sum(differences) / sum(sizes)
    if n < 2:
        return Figure(mean)
    squares = sum((d - mean * size) ** 2 for d, size in zip(differences, sizes, strict=True))
    return Figure(mean, (squares * n / (n - 1)) ** 0.5 / sum(sizes))


def half_seconds(result: Result) -> float:
    """Frames in half a second of sound, the unit of Blizzard."""
    return result.config.data.sample_rate / result.config.data.hop / 2


def published_figures() -> dict[str, Any]:
    """What others have published, in the digits of its source."""
    return json.loads(_PUBLISHED.read_text(encoding="utf-8"), parse_float=Decimal)


Results = Mapping[str, Result]


def rows_of(results: Results, place: str) -> list[Result]:
    """A row, and those of other training seeds of the same; SET in its name stands for any set."""
    row = re.escape(place).replace("SET", r"\w+")
    return [result for name, result in results.items() if re.fullmatch(rf"{row}(/seed\d+)?", name)]


def figure_of(
    found: Sequence[Result], bound: str, unit: Callable[[Result], float] = lambda _: 1
) -> Figure | None:
    """A row's bound, averaged over its training seeds.

    Args:
        found: The records of the row.
        bound: Name of the bound; records without it do not count.
        unit: Gives the factor that turns nats per frame of a record into another unit.

    Returns:
        The mean with its errors; None if no record has the bound.
    """
    found = [result for result in found if bound in result.figures]
    values = [result.figures[bound] * unit(result) for result in found]
    errors = [
        result.figures[f"{bound}_se"] * unit(result)
        for result in found
        if f"{bound}_se" in result.figures
    ]
    if not values:
        return None
    sd = stdev(values) if len(values) > 1 else None
    repeated = min(
        result.repetitions if f"{bound}_se_repetitions" in result.figures else 1 for result in found
    )
    return Figure(fmean(values), fmean(errors) if errors else None, sd, len(values), repeated)


def with_means(results: Results) -> Results:
    """Records with means over many evaluations, if ``means/NAME`` has them of the same checkpoint.

    One evaluation draws one path of each sequence, and that noise moves the last digit which a
    table prints.

    Returns:
        All records by row, in the same order.
    """

    def what(result: Result) -> tuple[object, ...]:
        return result.checkpoint_sha256, result.data_sha256, result.average, result.first_frame

    means = {what(result): result for row, result in results.items() if row.startswith("means/")}
    found = {}
    for row, result in results.items():
        mean = means.get(what(result)) if result.command == "evaluate" else None
        if mean:
            result = replace(
                result, figures=result.figures | mean.figures, repetitions=mean.repetitions
            )
        found[row] = result
    return found


def each(values: Iterable[int | str]) -> str | None:
    """The one value of all seeds, or all values."""
    return ", ".join(f"{value}" for value in sorted(set(values))) or None


def described(found: Sequence[Result]) -> tuple[str | None, str | None]:
    """Parameters and epochs."""
    return each(r.parameters for r in found), each(r.config.train.epochs for r in found)


def caption_of(data: str, convention: EvaluationConfig, split: str = "test") -> str:
    """Data, convention and unit in words."""
    unit = "sequence" if convention.average == "sequence" else "frame"
    return f"{told_as(data, split, convention.average, convention.first_frame)}; nats per {unit}."


def table_of(
    title: str,
    caption: str,
    header: Sequence[str],
    rows: Iterable[tuple[Cell, ...]],
    labels: int = 1,
) -> Table:
    """A table whose caption also says what its errors are, if it has any.

    Args:
        title: What the table shows.
        caption: On which data, and how its numbers are made.
        header: Titles of the columns.
        rows: A cell for each column.
        labels: Columns at the beginning in which nothing is measured here.

    Returns:
        The table with a longer caption.
    """
    rows = tuple(rows)
    figures = [cell for row in rows for cell in row if isinstance(cell, Figure)]
    errors = (
        " ± standard error over sequences."
        if any(figure.se is not None for figure in figures)
        else ""
    )
    spread = (
        " sd: standard deviation over training seeds."
        if any(figure.sd is not None for figure in figures)
        else ""
    )
    noise = ""
    if any(not figure.published for figure in figures):
        noise = " Each number is one evaluation, whose sampled paths move its last digit."
    if any(figure.repetitions > 1 for figure in figures):
        noise = (
            " mean of N: mean of N evaluations, whose noise is below the last digit. Every other "
            "number is one evaluation, whose sampled paths move its last digit."
        )
    return Table(title, caption + errors + spread + noise, tuple(header), rows, labels)


OF_SET = f"SET is {', '.join(SETS)}."
