"""``srnn-lab results``, ``reproduce``, ``benchmark``: records, how to make them again, speed."""

import argparse
import difflib
from dataclasses import asdict
from typing import Any

from srnn_lab.cli.options import add_json, add_results, path
from srnn_lab.reports.records import RECORD, read_results
from srnn_lab.reports.reproduce import measure_again, script
from srnn_lab.reports.table import rows_of
from srnn_lab.reports.tables import TABLES, make_tables, write_tables
from srnn_lab.system.files import read_bounded, write_atomically


def add_tables(commands: Any) -> None:
    """Add ``results``."""
    command = commands.add_parser(
        "results",
        help="print tables of recorded and published results",
        description="Print tables of the recorded results, or write them into a Markdown file.",
    )
    command.add_argument("--table", choices=tuple(TABLES), help="Which table. Default: all.")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="Print Markdown.")
    form.add_argument(
        "--write",
        type=path,
        metavar="FILE.md",
        help="Update the tables in FILE.md, between <!-- results:TABLE --> and <!-- /results -->.",
    )
    add_results(command)
    command.set_defaults(run=print_tables)


def print_tables(args: argparse.Namespace) -> dict[str, Any] | str:
    """The tables of recorded results, or where they were written."""
    results = read_results(args.results)
    if args.write:
        page = read_bounded(args.write)
        try:
            text = write_tables(page.decode(), results)
        except ValueError as error:
            raise ValueError(f"{args.write} cannot be filled in: {error}") from error
        write_atomically(args.write, text.encode())
        return {"written": str(args.write)}
    tables = {name: make_tables(name, results) for name in ([args.table] if args.table else TABLES)}
    if args.json:
        return {name: [table.to_dict() for table in found] for name, found in tables.items()}
    return "\n\n".join(
        t.markdown() if args.markdown else t.text() for found in tables.values() for t in found
    )


def add_reproduce(commands: Any) -> None:
    """Add ``reproduce``."""
    command = commands.add_parser(
        "reproduce",
        help="print the commands that reproduce a recorded row",
        description="Print the commands that reproduce a recorded row: training, unless the "
        f"checkpoint is bundled, and evaluation, which records its numbers in {RECORD}.",
    )
    command.add_argument(
        "row",
        metavar="ROW",
        help="Name of a recorded row, such as bundled/jsb, or of a row of a table, such as "
        "table2/SET, which stands for all its seeds and data sets.",
    )
    command.add_argument(
        "--run", dest="execute", action="store_true", help="Run them, one after the other."
    )
    add_results(command)
    command.set_defaults(run=reproduce_row)


def reproduce_row(args: argparse.Namespace) -> dict[str, Any] | str:
    """The commands that reproduce a row, or the numbers that they give."""
    results = read_results(args.results)
    found = rows_of(results, args.row)
    if not found:
        near = difflib.get_close_matches(args.row, results, cutoff=0)
        choice = f"the nearest are {', '.join(near)}" if near else "it holds none"
        raise ValueError(f"{args.results} holds no row {args.row!r}; {choice}.")
    if args.execute:
        again = {result.row: measure_again(result) for result in found}
    elif args.json:
        again = {
            r.row: {"row": r.row, "commands": r.commands, "trained_by": r.train} for r in found
        }
    else:
        return "\n".join(line for result in found for line in script(result))
    return again if len(found) > 1 else again[found[0].row]


def add_benchmark(commands: Any) -> None:
    """Add ``benchmark``."""
    command = commands.add_parser(
        "benchmark",
        help="measure the speed on this machine",
        description="Measure the speed on this machine.",
    )
    command.add_argument(
        "--shape",
        choices=("music", "timit", "blizzard"),
        default="music",
        help="Sizes of model and batch. Default: %(default)s.",
    )
    command.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="Device to measure. Default: %(default)s.",
    )
    add_json(command)
    command.set_defaults(run=measure_speed)


def measure_speed(args: argparse.Namespace) -> dict[str, Any]:
    """The speed on this machine."""
    from srnn_lab.reports.benchmark import benchmark

    return asdict(benchmark(args.shape, args.device))
