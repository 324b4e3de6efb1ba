"""A record before its figures: what would prevent it is said before anything is measured."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from srnn_lab.checkpoint import Checkpoint, list_checkpoints
from srnn_lab.config import EvaluationConfig
from srnn_lab.reports.places import check_place
from srnn_lab.reports.records import MEASURES, Result, signals_sha256, surroundings


def draft(
    command: str,
    name: str,
    checkpoint: Checkpoint,
    convention: EvaluationConfig,
    scored: tuple[str, str, Sequence[np.ndarray]],
    *,
    row: str = "",
    device: str = "cpu",
    **how: Any,
) -> Result:
    """All of a record but its figures, how many frames they are of, and how long they took.

    Args:
        command: ``evaluate``, ``transitions`` or ``probe``.
        name: Of the checkpoint: a bundled one, or its file.
        checkpoint: What is measured.
        convention: How.
        scored: Data, split and signals that it is measured on.
        row: Name of the row; by default that of the checkpoint's folder, or bundled/NAME of a
            bundled one.
        device: Where it is measured.
        how: Further values of the ``Result``.

    Returns:
        A record that has 0 for what is not measured yet.

    Raises:
        ValueError: The row is a table's of other measurements, or the run has not ended or lacks
            what a record says.
    """
    # The row that is written, and whether it may be.
    (data, split, signals), bundled = scored, list_checkpoints().get(name)
    if not row:
        folder = f"{command}/" if command != "evaluate" else "bundled/" if bundled else ""
        row = folder + (name if bundled else Path(name).resolve().parent.name)
    check_place(row, command, data, split, convention.average, convention.first_frame)
    scores, config, train = checkpoint.scores, checkpoint.config, checkpoint.config.train
    if "test" not in scores:
        raise ValueError(
            f"{name} is of a run that has not ended; a row is recorded of one that has."
        )
    # What "auto" means depends on the machine; a checkpoint of an earlier version does not say what
    # it was.
    settings = {**asdict(train), "precision": scores.get("precision", train.precision)}
    own = {
        "resampling": train.resampling,
        "resampling_share": train.resampling_share,
        "repetitions": 1,
        "seed": 0,
    }
    try:
        return Result.from_dict(
            {
                "row": row,
                "command": command,
                "checkpoint": name if bundled else "",
                "checkpoint_sha256": hashlib.sha256(
                    (bundled or Path(name)).read_bytes()
                ).hexdigest(),
                "figures": {MEASURES[command]: 0.0},
                "sequences": 0,
                "frames": 0,
                "seconds": 0.0,
                **asdict(convention),
                "data": data,
                "split": split,
                "data_sha256": signals_sha256(signals),
                "config": {**config.to_dict(), "train": settings},
                "best_epoch": scores.get("epoch"),
                "parameters": sum(p.numel() for p in checkpoint.model.parameters()),
                "date": date.today().isoformat(),
                "train": "",
                "measure": "",
                **own,
                **how,
                **surroundings(device),
            }
        )
    except ValueError as error:
        raise ValueError(f"{name} cannot be recorded ({error}); leave out --record.") from error
