"""``srnn-lab``: train, evaluate, inspect, sample and measure from the command line."""

import argparse
import json
import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

from srnn_lab import __version__
from srnn_lab.cli.clips import add_export_site, add_inspect, add_sample
from srnn_lab.cli.forecast import add_forecast
from srnn_lab.cli.measure import add_evaluate, add_probe, add_transitions
from srnn_lab.cli.options import Parser, say
from srnn_lab.cli.reports import add_benchmark, add_reproduce, add_tables
from srnn_lab.cli.train import add_train, train_model
from srnn_lab.system.extras import explained
from srnn_lab.system.interrupts import Stopped
from srnn_lab.system.terminal import Lasting, drop_unwritten, lasting_output, printable

ADD = (
    add_train,
    add_evaluate,
    add_inspect,
    add_sample,
    add_forecast,
    add_transitions,
    add_probe,
    add_tables,
    add_reproduce,
    add_benchmark,
    add_export_site,
)
"""The commands, in the order in which the help names them."""


def make_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = Parser(
        prog="srnn-lab", description="Train, inspect and hear stochastic recurrent neural networks."
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__ or '(not installed)'}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in ADD:
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 1 if the command failed, 130 or 143 after Ctrl-C or SIGTERM; argparse itself
        exits with 2 on a wrong option.
    """
    try:
        with lasting_output() as output:
            return _run(argv, output)
    finally:
        drop_unwritten()


def _run(argv: Sequence[str] | None, output: Lasting) -> int:
    args = make_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            said: set[str] = set()  # a reader of several splits tells of a file for each

            def show(message: Warning | str, *_: object) -> None:
                if _is_first() and f"{message}" not in said:
                    said.add(f"{message}")
                    say(f"{message}")

            warnings.showwarning = show
            result = args.run(args)
        if _is_first():
            _print(result, args.json)
            output.flush()
            if (
                output.error and args.run is not train_model
            ):  # which has written its result to files
                raise OSError(
                    f"The result could not be printed ({output.error}); free some space or print "
                    "elsewhere."
                )
    except (ValueError, OSError, FloatingPointError) as error:
        # Where the Python interface names a field, the command line has an option of that name.
        told = re.sub(r"^\[Errno \d+\] ", "", f"{error}")
        say(re.sub(r"^\w+Config\.(\w+)", lambda field: f"--{field[1].replace('_', '-')}", told))
        return 1
    except ModuleNotFoundError as error:
        if (told := explained(error)) is error:
            raise
        say(f"{told}")
        return 1
    except MemoryError:
        say("this does not fit into memory; use less data at a time, or a smaller model.")
        return 1
    except Stopped as stopped:
        if _is_first():
            say(f"{stopped}")
        return stopped.exit_status
    except KeyboardInterrupt:
        say("stopped.")
        return 130
    return 0


def _is_first() -> bool:
    """Whether this process speaks, where several do the same under torchrun."""
    # Alone, it need not load torch to know.
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return True
    from srnn_lab.system.distributed import rank

    return rank() == 0


def _print(result: dict[str, Any] | str, as_json: bool) -> None:
    if isinstance(result, str):
        print(printable(result))
        return
    if as_json:
        print(json.dumps(result))
        return
    width = max(16, *map(len, result))
    for key, value in result.items():
        if isinstance(value, dict):
            pairs = ((k.replace("_", " "), v) for k, v in value.items())
            value = ", ".join(
                f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in pairs
            )
        elif isinstance(value, list):
            value = ", ".join(value)
        elif value is None:
            value = "none"
        print(
            printable(
                f"{key:>{width}}  {value:.4f}"
                if isinstance(value, float)
                else f"{key:>{width}}  {value}"
            )
        )
