"""Clips that are set against each other as rows of the player: other models, another z, an edit."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from srnn_lab.analysis.comparison import Comparison
from srnn_lab.analysis.inspection import Inspection
from srnn_lab.analysis.interventions import Decoded, Reconstruction
from srnn_lab.analysis.transitions import EditEffect
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data.kinds import LogMel, Series, name_and_unit
from srnn_lab.pictures.clip_rows import (
    MAX_COLUMNS,
    frames_row,
    mel_row,
    nats_row,
    octave_ticks,
    pitch_range,
    sample_times,
    signal_row,
    signal_rows,
    signal_times,
)
from srnn_lab.pictures.colours import CHANGE, OVERLAID, SIGNAL, SIGNED
from srnn_lab.pictures.limits import robust_limits, symmetric_limits
from srnn_lab.pictures.scene import Line, Lines, Picture, Row

KL_TITLE = "KL(q ‖ p) per frame"


def comparison_rows(
    data: DataConfig, signal: np.ndarray, found: Comparison, moments: np.ndarray
) -> list[Row]:
    """A clip, and what several models make of it, overlaid.

    Args:
        data: What a frame is.
        signal: The clip.
        found: What the models make of it.
        moments: Numbers of frames that circles mark.

    Returns:
        From top to bottom, the clip, the KL, its difference from the first model's, and the bounds,
        in nats per frame.
    """
    kl, less, bounds = (
        {name: (found.times, line) for name, line in zip(found.names, lines, strict=True)}
        for lines in (found.kl, found.kl_difference, found.elbo)
    )
    first = found.names[0]
    del less[first]
    limits = symmetric_limits(found.kl_difference[1:])
    difference = overlay(f"KL: difference from {first}", less, limits, 1)
    at = found.kl_difference[np.abs(found.kl_difference[:, moments]).argmax(0), moments]
    circles = Line("the largest", found.times[moments], np.clip(at, *limits), CHANGE, "rings")
    return [
        *signal_rows("The clip", signal, data),
        overlay(KL_TITLE, kl),
        replace(difference, lines=[*difference.lines, circles]),
        overlay("Bound per frame, log p(x | z, d) − KL", bounds),
    ]


def reconstruction_rows(
    checkpoint: Checkpoint,
    signal: np.ndarray,
    clip: Inspection,
    found: Mapping[str, Reconstruction],
) -> list[Row]:
    """A clip, its reconstructions on its own scale, and log p(x | z, d) per frame of all of them.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: Its inspection.
        found: Reconstructions, by where z comes from.

    Returns:
        From top to bottom, the clip, a row for each reconstruction, and the nats. Of a table with
        few columns, a row for each column with the clip and all reconstructions.
    """
    data = checkpoint.config.data
    nats = {name: (clip.times, one.log_px) for name, one in found.items()}
    last = overlay("log p(x | z, d) per frame", nats)
    few = len(data.kind.column_names(clip.frames)) <= MAX_COLUMNS
    if isinstance(data.kind, Series) and data.kind.values != "category" and few:
        return [*_columns_overlaid(checkpoint, signal, clip, found), last]
    if isinstance(data.kind, LogMel | Series):
        first = frames_row("The clip", checkpoint, signal, clip, clip.frames)
    else:
        first = signal_row("The clip", signal, data, [signal])
    means = [
        frames_row(f"E[x | z, d], z: {name}", checkpoint, signal, clip, one.mean)
        for name, one in found.items()
    ]
    return [first, *means, last]


def _columns_overlaid(
    checkpoint: Checkpoint,
    signal: np.ndarray,
    clip: Inspection,
    found: Mapping[str, Reconstruction],
) -> list[Row]:
    """A row for each column of a table, in its unit: the clip, and its reconstructions on top."""
    data = checkpoint.config.data
    columns, times = data.kind.parts(signal)[0], signal_times(signal, data)
    means = {name: checkpoint.frontend.signal(one.mean) for name, one in found.items()}
    return [
        Lines(
            column,
            name_and_unit(column)[1] or "value",
            [
                Line("the clip", times, columns[:, i], CHANGE, "under"),
                *[
                    Line(f"z: {name}", clip.times, mean[:, i], colour)
                    for (name, mean), colour in zip(means.items(), OVERLAID, strict=False)
                ],
            ],
        )
        for i, column in enumerate(data.kind.column_names(columns))
    ]


def steering_rows(
    checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection, before: Decoded, after: Decoded
) -> list[Row]:
    """A clip before and after z is steered.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: Its inspection.
        before: The reconstruction along the path of z as it is.
        after: That along the path that was steered.

    Returns:
        The clip, its reconstruction before and after, what changes, and log p(x | z, d) of both.
    """
    both = {"as it is": before, "steered": after}
    first, mean, steered, last = reconstruction_rows(checkpoint, signal, clip, both)
    changes = [
        change_row("Change of the mean", checkpoint, signal, clip, after.mean - before.mean, "sd")
    ]
    if not checkpoint.config.data.kind.notes:  # of notes the variance follows from the mean
        logvar, unit = after.logvar - before.logvar, "log sd²"
        changes.append(
            change_row("Change of the log-variance", checkpoint, signal, clip, logvar, unit)
        )
    return [first, mean, steered, *changes, last]


def change_row(
    title: str,
    checkpoint: Checkpoint,
    signal: np.ndarray,
    clip: Inspection,
    change: Float[np.ndarray, "t x"],
    unit: str,
) -> Row:
    """What is added to the values of each frame.

    Args:
        title: What stands above the row.
        checkpoint: The model.
        signal: The clip, whose pitches are shown.
        clip: Its inspection.
        change: A number for each value of each frame.
        unit: Of the changes.

    Returns:
        A row in units of the frames: blue above 0, orange below.
    """
    kind = checkpoint.config.data.kind
    limit = max(float(np.abs(change).max()), 1e-6)
    if isinstance(kind, LogMel):
        return mel_row(title, clip.times, change, kind.sample_rate, (-limit, limit), SIGNED, unit)
    if kind.notes:
        pitches = pitch_range(signal)
        shown, ticks = change[:, slice(*pitches)], octave_ticks(pitches)
        return Picture(title, "p", clip.times, shown, SIGNED, ticks, (-limit, limit), "pitch")
    times = sample_times(clip, checkpoint.config.data)
    return Lines(title, unit, [Line(title, times, change.reshape(-1), SIGNAL)], (-limit, limit))


def edit_rows(
    data: DataConfig,
    before: np.ndarray,
    after: np.ndarray,
    effect: EditEffect,
    others: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[Row]:
    """A clip before and after an edit, and the KL of both, overlaid.

    Args:
        data: What a frame is.
        before: The clip.
        after: The edited one.
        effect: What the edit does to the KL.
        others: Further lines by name: times, and nats per frame.

    Returns:
        From top to bottom, the clip before, the clip after, and the KL in nats per frame.
    """
    rows = [
        signal_row(name, one, data, [before, after])
        for name, one in {"Before": before, "After": after}.items()
    ]
    lines = {"before": effect.aligned, "after": (effect.after.times, effect.after.kl), **others}
    return [*rows, overlay(KL_TITLE, lines, under="before")]


def overlay(
    title: str,
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
    limits: tuple[float, float] | None = None,
    first: int = 0,
    under: str | None = None,
) -> Lines:
    """Nats per frame, (times, values) by name, overlaid, in the colours from ``first`` on.

    Args:
        title: What stands above them.
        lines: From the lowest to the one on top.
        limits: Of the axis; by default robust ones.
        first: Number of the first colour.
        under: The name of a line that is drawn broad and pale, since another covers it.

    Returns:
        One row with an axis in nats and a name for each line.
    """
    shown = [
        Line(name, *line, colour, "under" if name == under else "line")
        for (name, line), colour in zip(lines.items(), OVERLAID[first:], strict=False)
    ]
    return nats_row(title, shown, limits or robust_limits([line.values for line in shown]))
