"""How far the axis of nats per frame reaches, so that a rare frame far from the others does not flatten all lines."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

REACH = 6
"""How often the distance from the middle to the edge of the bulk, or to 0, an axis goes beyond the middle."""


def robust_limits(lines: Iterable[Float[np.ndarray, "_"]]) -> tuple[float, float]:
    """Lowest and highest value of an axis for lines of nats per frame.

    The middle of a line is its median, its bulk lies from the 5th to the 95th percentile; of several lines, the median
    of each figure counts. A value is on the axis up to ``REACH`` times the distance from the middle to the edge of the
    bulk on its side, or to 0 if that is further: a KL up to seven times its median always is. So is the median of each
    line. The axis then ends at the outermost of these values, with a margin; without a negative one, it begins at 0.

    Args:
        lines: Values, of which NaN do not count; at least one is a number.
    """
    lines = list(lines)
    found = np.array([np.nanpercentile(line, [5, 50, 95]) for line in lines])
    low, middle, high = np.median(found, 0)
    lowest = min(middle - REACH * max(middle - low, abs(middle)), found[:, 1].min())
    highest = max(middle + REACH * max(high - middle, abs(middle)), found[:, 1].max())
    values = np.concatenate(lines)
    shown = values[(values >= lowest) & (values <= highest)]
    low, high = float(shown.min()), float(shown.max())
    if low >= 0:
        return 0.0, 1.05 * max(high, 0.01)
    margin = 0.05 * max(high - low, 1e-3)
    return low - margin, high + margin


def symmetric_limits(lines: Iterable[Float[np.ndarray, "_"]]) -> tuple[float, float]:
    """The same for lines of differences, with 0 in the middle."""
    return robust_limits([np.concatenate([line, -line]) for line in lines])


def beyond(
    lines: Iterable[tuple[Float[np.ndarray, "_"], Float[np.ndarray, "_"]]], limits: tuple[float, float], unit: str
) -> str:
    """How many frames lie outside an axis, and how far; nothing if none does.

    Args:
        lines: Times and values; a frame counts once, however many lines leave the axis there.
        limits: Lowest and highest value of the axis.
        unit: Unit of the values.
    """
    times, values = (np.concatenate(parts) for parts in zip(*lines, strict=True))
    found = []
    for outside, side, way, furthest in (
        (values > limits[1], "above", "up", np.max),
        (values < limits[0], "below", "down", np.min),
    ):
        if outside.any():
            number, value = len(np.unique(times[outside])), f"{furthest(values[outside]):.4g}".replace("-", "−", 1)
            frames = "1 frame" if number == 1 else f"{number} frames"
            found.append(f"{frames} {side} the axis, {way} to {value} {unit}")
    return "; ".join(found)
