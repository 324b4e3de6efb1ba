"""Clips that are set against each other as rows of the player: other models, another z, an edit."""

from collections.abc import Mapping

import numpy as np

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.comparison import Comparison
from srnn_lab.config import DataConfig
from srnn_lab.inspection import Inspection
from srnn_lab.interventions import Reconstruction
from srnn_lab.player import Line, Lines, Row
from srnn_lab.plots import OVERLAID, cut_below
from srnn_lab.transitions import EditEffect
from srnn_lab.views.rows import mean_row, signal_row

KL_TITLE = "KL(q ‖ p) per frame"


def comparison_rows(data: DataConfig, signal: np.ndarray, found: Comparison) -> list[Row]:
    """A clip, and over each other what several models make of it."""
    models = dict(zip(found.names, found.kl, strict=True))
    less = {f"{name} less {found.names[0]}": kl - found.kl[0] for name, kl in models.items() if name != found.names[0]}
    bounds = {name: (found.times, elbo) for name, elbo in zip(found.names, found.elbo, strict=True)}
    return [
        signal_row("The clip", signal, data, [signal]),
        overlay(KL_TITLE, {name: (found.times, kl) for name, kl in models.items()}),
        overlay("Difference of KL", {name: (found.times, kl) for name, kl in less.items()}, first=1),
        overlay("Bound per frame, log p(x | z, d) − KL", bounds, cut_below(found.elbo)),
    ]


def reconstruction_rows(
    checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection, found: Mapping[str, Reconstruction]
) -> list[Row]:
    """A clip, its reconstructions on its own scale, and log p(x | z, d) per frame of all of them.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: Its inspection.
        found: Reconstructions, by where z comes from.
    """
    if checkpoint.config.data.features == "log-mel":
        first = mean_row("The clip", checkpoint, signal, clip, clip.frames)
    else:
        first = signal_row("The clip", signal, checkpoint.config.data, [signal])
    means = [mean_row(f"E[x | z, d], z: {name}", checkpoint, signal, clip, one.mean) for name, one in found.items()]
    lines = {name: (clip.times, one.log_px) for name, one in found.items()}
    limits = cut_below(np.stack([one.log_px for one in found.values()]))
    return [first, *means, overlay("log p(x | z, d) per frame", lines, limits)]


def edit_rows(
    data: DataConfig,
    before: np.ndarray,
    after: np.ndarray,
    effect: EditEffect,
    others: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[Row]:
    """A clip before and after an edit, and the KL of both over each other.

    Args:
        data: What a frame is.
        before: The clip.
        after: The edited one.
        effect: What the edit does to the KL.
        others: Further lines by name: times, and nats per frame.
    """
    rows = [signal_row(name, one, data, [before, after]) for name, one in {"Before": before, "After": after}.items()]
    lines = {"before": effect.aligned, "after": (effect.after.times, effect.after.kl), **others}
    return [*rows, overlay(KL_TITLE, lines)]


def overlay(
    title: str,
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
    limits: tuple[float, float] | None = None,
    first: int = 0,
) -> Lines:
    """Nats per frame, (times, values) by name, over each other, in the colours from ``first`` on."""
    pairs = zip(lines.items(), OVERLAID[first:], strict=False)
    return Lines(title, "nats", [Line(name, *line, colour) for (name, line), (colour, _) in pairs], limits)
