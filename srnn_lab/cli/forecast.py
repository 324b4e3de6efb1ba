"""``srnn-lab forecast``: what comes after a table, with its uncertainty."""

import argparse
from typing import Any

from srnn_lab.cli.options import (
    add_future,
    checkpoint_command,
    count,
    load_checkpoint,
    path,
    read_future,
    seed,
)
from srnn_lab.system.files import write_atomically

MAX_STEPS, MAX_PATHS = 100_000, 10_000


def add_forecast(commands: Any) -> None:
    """Add ``forecast``."""
    command = checkpoint_command(
        commands,
        "forecast",
        "forecast what comes after a table, with its uncertainty",
        write_forecast,
    )
    command.add_argument("file", type=path, metavar="FILE", help="Table of observed rows.")
    command.add_argument(
        "--out",
        type=path,
        required=True,
        help="FILE.csv for the mean and quantiles of each column.",
    )
    command.add_argument(
        "--steps",
        type=count(MAX_STEPS),
        help="Rows to forecast. Default: 24, or as many as --future has.",
    )
    add_future(command)
    command.add_argument(
        "--paths", type=count(MAX_PATHS), default=200, help="Paths to draw. Default: 200."
    )
    command.add_argument("--seed", type=seed, default=0, help="Seed of the draws. Default: 0.")


def write_forecast(args: argparse.Namespace) -> dict[str, Any]:
    """Draw paths, and write their mean and quantiles."""
    from srnn_lab.analysis.export import forecast_csv
    from srnn_lab.data import read_signal
    from srnn_lab.data.kinds import Series
    from srnn_lab.inference.forecasting import forecast

    checkpoint = load_checkpoint(args)
    kind = checkpoint.config.data.kind
    if not isinstance(kind, Series):
        raise ValueError(
            f"The model was trained on {kind.medium}; a forecast is made of tables: see srnn-lab "
            "sample."
        )
    if args.out.suffix.lower() != ".csv":
        raise ValueError(f"--out is {args.out}; a forecast is written to FILE.csv.")
    past = read_signal(args.file, checkpoint.config.data)
    u = read_future(args, checkpoint.config.data)
    steps = args.steps or (24 if u is None else len(u))
    found = forecast(checkpoint, past, steps, u=u, paths=args.paths, seed=args.seed)
    names = kind.column_names(past)
    write_atomically(args.out, forecast_csv(found, names).encode())
    return {
        "out": str(args.out),
        "observed": len(past),
        "steps": steps,
        "paths": args.paths,
        "seed": args.seed,
    }
