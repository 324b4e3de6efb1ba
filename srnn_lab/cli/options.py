"""What several commands ask for: their options, how a value is read, and what they load."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from srnn_lab.analysis.event_kinds import EVENT_KINDS
from srnn_lab.config import DataConfig, parse_bound
from srnn_lab.reports.records import RECORD, RESULTS
from srnn_lab.system.terminal import one_line
from srnn_lab.training.loggers import LOGGERS
from srnn_lab.training.sweep import Varied

AUCS = (
    " An AUC is the probability that the KL of a frame at an event exceeds that of another frame: "
    "all/0 takes the frame of the event among all frames, active/2 the frames within 2 of it among "
    "those that are not silent, and so on."
)
"""What the printed AUCs of events mean."""


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and where to read about them."""
        self.exit(2, one_line(f"{self.prog}: {message}. See {self.prog} --help."))


def text(given: str) -> str:
    """A value that is not empty."""
    if not given:
        raise argparse.ArgumentTypeError("it is empty; give a value or leave the option out")
    return given


def path(given: str) -> Path:
    """A path; of an empty one Path would make the current folder."""
    return Path(text(given))


def _whole(given: str, low: int, high: int, most: str) -> int:
    if not given.isdecimal() or len(given) > 20 or not low <= int(given) <= high:
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number from {low} to {most}")
    return int(given)


def count(most: int) -> Callable[[str], int]:
    """A reader of whole numbers from 1 to ``most``."""
    return lambda given: _whole(given, 1, most, f"{most}")


def seed(given: str) -> int:
    """A seed."""
    return _whole(given, 0, 2**32 - 1, "2^32 - 1")


def seeds(given: str) -> tuple[int, ...]:
    """Different seeds, joined by commas."""
    return tuple(dict.fromkeys(map(seed, given.split(","))))


def loggers(given: str) -> tuple[str, ...]:
    """Names of loggers, joined by commas."""
    names = tuple(given.split(","))
    for name in names:
        if name not in LOGGERS:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no logger; choose from {', '.join(LOGGERS)}"
            )
    return names


def varied(given: str) -> Varied:
    """A setting that a sweep varies, and its values."""
    try:
        return Varied.parse(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}") from error


def bounds(given: str) -> tuple[str, ...]:
    """Names of bounds, joined by commas."""
    names = tuple(given.split(","))
    try:
        for name in names:
            parse_bound(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}".rstrip(".")) from error
    return names


def event_kinds(given: str) -> tuple[str, ...]:
    """Kinds of events, joined by commas."""
    kinds = tuple(given.split(","))
    for kind in kinds:
        if kind not in EVENT_KINDS:
            raise argparse.ArgumentTypeError(
                f"{kind!r} is no kind of event; choose from {', '.join(EVENT_KINDS)}"
            )
    return kinds


def checkpoint_command(
    commands: Any, name: str, help: str, run: Callable, more: str = ""
) -> argparse.ArgumentParser:
    """Add a command that takes a checkpoint."""
    command = commands.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}.{more}"
    )
    command.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="Checkpoint file, or name of a bundled model. A wrong name lists all of them.",
    )
    add_device(command)
    add_json(command)
    command.set_defaults(run=run)
    return command


def add_device(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add --device."""
    parser.add_argument(
        "--device", type=text, help=f"cpu, cuda or mps. Default: a CUDA GPU if there is one{more}."
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="Print one JSON object as the last line of standard output.",
    )


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir."""
    parser.add_argument(
        "--data-dir",
        type=path,
        help="Folder of the data sets. Default: the environment variable SRNN_LAB_DATA.",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a checkpoint is measured on."""
    parser.add_argument(
        "--data",
        type=text,
        help="Data set or folder. Default: the one the checkpoint was trained on.",
    )
    parser.add_argument(
        "--split",
        type=text,
        help=(
            "train, valid or test; for a folder also all. Default: test, or all for a folder that "
            "--data names."
        ),
    )
    add_data_dir(parser)


def add_record(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whether a measurement is recorded, and under which name."""
    parser.add_argument(
        "--record",
        type=path,
        nargs="?",
        const=RECORD,
        metavar="FILE",
        help=(
            "Append the numbers, with the commands that reproduce them, to a results file. "
            f"Default: {RECORD}."
        ),
    )
    parser.add_argument(
        "--row",
        type=text,
        help="Name of the recorded row. Default: the name of the checkpoint's folder, or "
        "bundled/NAME for a bundled model; transitions/NAME and probe/NAME for these commands.",
    )
    parser.set_defaults(usage_error=parser.error)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that reads recorded results."""
    parser.add_argument(
        "--results",
        type=path,
        default=RESULTS,
        metavar="FILE",
        help="Results file. Default: that of the package.",
    )
    add_json(parser)


def add_future(parser: argparse.ArgumentParser) -> None:
    """Add --future."""
    parser.add_argument(
        "--future",
        type=path,
        metavar="TABLE",
        help=(
            "Table of the known inputs in the rows to draw, for a model that was trained with "
            "--inputs."
        ),
    )


def read_future(args: argparse.Namespace, config: DataConfig) -> Any:
    """The known inputs of the rows to draw.

    Returns:
        Rows (T, U) in the units of the table; None of a model that reads no inputs.

    Raises:
        ValueError: The model reads some and none are given, or they cannot be read.
    """
    from srnn_lab.data import read_signal
    from srnn_lab.data.series import as_table_of_inputs

    names = config.kind.input_names
    if args.future and not names:
        raise ValueError(
            f"--future is {args.future}; the model reads no known inputs, leave it out."
        )
    if names and not args.future:
        raise ValueError(
            f"The model reads the known inputs {', '.join(names)}; give those of the future to "
            "forecast or draw: name a table of them by --future."
        )
    return read_signal(args.future, as_table_of_inputs(config)) if names else None


def say(message: str) -> None:
    """Print a message as one line to standard error."""
    sys.stderr.write(one_line(f"srnn-lab: {message}"))


def check_record(args: argparse.Namespace) -> None:
    """Refuse --row without --record."""
    if args.row and not args.record:
        args.usage_error("--row names a row of the file that --record writes; give that too")


def load_checkpoint(args: argparse.Namespace) -> Any:
    """The checkpoint, with its model on the device that was asked for."""
    from srnn_lab.checkpoint import load_checkpoint
    from srnn_lab.system.distributed import usable_device

    args.device = usable_device(args.device)
    checkpoint = load_checkpoint(args.checkpoint)
    checkpoint.model.to(args.device)
    return checkpoint


def load_named(args: argparse.Namespace, checkpoint: Any) -> tuple[DataConfig, str, dict[str, Any]]:
    """Data set, split and signals by name; by default those that the checkpoint was trained on."""
    from srnn_lab.data import DATASETS, load_split

    data = replace(checkpoint.config.data, data=args.data or checkpoint.config.data.data)
    split = args.split or ("all" if args.data and args.data not in DATASETS else "test")
    return data, split, load_split(data, split, args.data_dir)
