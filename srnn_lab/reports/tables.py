"""Tables made of the recorded and the published results; no column mixes conventions."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from srnn_lab.config import EvaluationConfig
from srnn_lab.reports.music_tables import family, field, fivo, objectives, systems, table2
from srnn_lab.reports.places import BOUNDS, check_place
from srnn_lab.reports.records import Result
from srnn_lab.reports.speech_tables import figure3, probe, table1
from srnn_lab.reports.table import (
    Results,
    Table,
    caption_of,
    described,
    figure_of,
    table_of,
    with_means,
)


def bundled(results: Results) -> list[Table]:
    """The bundled checkpoints, a table for each kind of frames and convention."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for row, result in results.items():
        if row.startswith("bundled/"):
            version, config = result.data.partition("/")[0], result.config
            average: Any = result.average
            convention = EvaluationConfig(average=average, first_frame=result.first_frame)
            title = f"Bundled: {version}, {config.data.kind.called(config.model.x_dim)}"
            groups.setdefault((title, caption_of(version, convention, result.split)), []).append(
                result
            )
    header = (
        "checkpoint",
        "data",
        "model",
        "likelihood",
        "parameters",
        "epochs",
        *BOUNDS.values(),
        "row",
    )
    tables = []
    for (title, caption), found in groups.items():
        rows = []
        for result in found:
            name, model = result.row.partition("/")[2], result.config.model
            figures = [figure_of([result], bound) for bound in BOUNDS]
            rows.append(
                (
                    name,
                    result.data,
                    model.model,
                    model.likelihood,
                    *described([result]),
                    *figures,
                    result.row,
                )
            )
        tables.append(table_of(title, caption, header, rows))
    return tables


TABLES: dict[str, Callable[[Results], list[Table]]] = {
    "table2": table2,
    "field": field,
    "family": family,
    "fivo": fivo,
    "objectives": objectives,
    "systems": systems,
    "table1": table1,
    "figure3": figure3,
    "probe": probe,
    "bundled": bundled,
}
"""Name -> function of the results; the only list."""


def make_tables(name: str, results: Results) -> list[Table]:
    """The tables of a name in ``TABLES``.

    Returns:
        The tables, from top to bottom of a page.

    Raises:
        ValueError: A recorded row is measured on other data or by another convention than its
            column.
    """
    for row, result in results.items():
        check_place(
            row, result.command, result.data, result.split, result.average, result.first_frame
        )
    return TABLES[name](with_means(results))


def write_tables(text: str, results: Results) -> str:
    """``text`` with the blocks of recorded results made anew, as ``fill`` does."""
    return fill(text, {name: partial(make_tables, name, results) for name in TABLES})


def fill(text: str, tables: Mapping[str, Callable[[], list[Table]]]) -> str:
    """``text`` with all between any ``<!-- results:NAME -->`` and ``<!-- /results -->`` made anew.

    Returns:
        The text with new tables; everything else is as it was.

    Raises:
        ValueError: There is no such block, one does not end, or it names no table.
    """
    begins, ends = r"<!-- results:([^>\n]*?) -->", "<!-- /results -->"
    blocks = re.findall(begins, text)
    if not blocks:
        raise ValueError(
            f"it has no block that begins with <!-- results:NAME --> and ends with {ends}."
        )
    if unknown := [name for name in blocks if name not in tables]:
        raise ValueError(
            f"its block {unknown[0]!r} is no table; choose one of {', '.join(tables)}."
        )

    def made(block: re.Match[str]) -> str:
        shown = "\n\n".join(table.markdown() for table in tables[block[1]]())
        return f"<!-- results:{block[1]} -->\n\n{shown}\n\n{ends}"

    text, count = re.subn(rf"{begins}(?:(?!<!-- results:).)*?{ends}", made, text, flags=re.DOTALL)
    if count != len(blocks):
        raise ValueError(f"a block of it does not end; close each with {ends}.")
    return text
