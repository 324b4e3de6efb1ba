"""The curves of a training: a row for each whole epoch, written and read here alone."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from srnn_lab.system.files import read_bounded, write_atomically

COLUMNS: tuple[str, ...] = (
    "epoch",
    "train_bound",
    "train_kl",
    "valid_elbo",
    "valid_log_px",
    "valid_kl",
    "valid_bound",
    "kl_weight",
    "learning_rate",
    "skipped",
)
"""Columns of ``curves.csv``.

``train_bound``, ``train_kl`` and ``valid_bound`` are of the bound that is trained, the other bounds
of the ELBO. ``kl_weight`` is that of the epoch's last update, and
``skipped`` the number of updates whose bound or gradient was not finite."""
FILE = "curves.csv"
RENAMED = {"train_elbo": "train_bound"}
"""Columns that files of earlier versions call otherwise."""
Row = dict[str, int | float]
"""An epoch's values by the names of ``COLUMNS``."""


def write_curves(path: Path, curves: Sequence[Row]) -> None:
    """Write a table of curves, whole or not at all."""
    text = io.StringIO()
    columns: list[str] = list(COLUMNS)
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(curves)
    write_atomically(path, text.getvalue().encode())


def read_curves(run: Path) -> dict[str, np.ndarray]:
    """The columns of a run's ``curves.csv``, a value a whole epoch; empty before the first is done.

    Returns:
        Arrays by the names of ``COLUMNS``, whatever an earlier version called them.

    Raises:
        ValueError: The file is damaged, too large or no regular file.
    """
    path = run / FILE
    if not path.exists():
        return {name: np.zeros(0) for name in COLUMNS}
    text = read_bounded(path)
    try:
        rows = csv.DictReader(io.StringIO(text.decode(), newline=""))
        rows.fieldnames = [RENAMED.get(name, name) for name in rows.fieldnames or ()]
        if missing := [name for name in COLUMNS if name not in rows.fieldnames]:
            raise ValueError(f"it has no column {missing[0]}")
        found = list(rows)
        return {name: np.array([float(row[name]) for row in found]) for name in COLUMNS}
    except (TypeError, ValueError, csv.Error) as error:
        raise ValueError(
            f"{path} is not a table of training curves ({error}); it may be damaged."
        ) from error


def as_tensor(curves: Sequence[Row]) -> Tensor:
    """The curves as a checkpoint keeps them: a row for each epoch, in the order of ``COLUMNS``."""
    return torch.tensor([[row[name] for name in COLUMNS] for row in curves], dtype=torch.float64)


def from_tensor(values: Tensor) -> list[Row]:
    """The curves that ``as_tensor`` was given.

    Returns:
        A row for each epoch.

    Raises:
        ValueError: They have other columns, or a number of epochs or updates that is not whole.
        TypeError: They are no table.
        OverflowError: Such a number is not finite.
    """
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in values.tolist()]
    return [row | {name: int(row[name]) for name in ("epoch", "skipped")} for row in rows]
