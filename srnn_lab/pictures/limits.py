"""How far the axis of nats per frame reaches, so that no rare frame far off flattens all lines."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

REACH = 6
"""How often the distance from the middle to the edge of the bulk, or to 0, an axis goes beyond the
middle."""


def robust_limits(lines: Iterable[Float[np.ndarray, "_"]]) -> tuple[float, float]:
    """Lowest and highest value of an axis for lines of nats per frame.

    The middle of a line is its median, and its bulk lies from the 5th to the 95th percentile. Of
    several lines, the median of each of these three numbers counts; lines whose bulk is a single
    value are left out, if there are others.

    A value is on the axis up to ``REACH`` times the distance from the middle to the edge of the
    bulk on its side, or to 0 if that is further. So a single KL of up to seven times the median
    always is, and the median of each line is too. The axis ends at the outermost of these values,
    with a margin. Without a negative one, it begins at 0.

    Args:
        lines: Values, of which NaN do not count; at least one is a number.

    Returns:
        Two different numbers in the unit of the lines, the lower one first.
    """
    lines = list(lines)
    found = np.array([np.nanpercentile(line, [5, 50, 95]) for line in lines])
    values = np.concatenate(lines)
    shown = values[np.isfinite(values)]
    spread = found[found[:, 0] < found[:, 2]]
    low, middle, high = np.median(spread if len(spread) else found, 0)
    if low or high:
        lowest = min(middle - REACH * max(middle - low, abs(middle)), found[:, 1].min())
        highest = max(middle + REACH * max(high - middle, abs(middle)), found[:, 1].max())
        shown = shown[(shown >= lowest) & (shown <= highest)]
    low, high = float(shown.min()), float(shown.max())
    if low >= -1e-3:  # a KL of 0 is rounded to either side
        return 0.0, 1.05 * max(high, 0.01)
    margin = 0.05 * max(high - low, 1e-3)
    return low - margin, high + margin


def symmetric_limits(lines: Iterable[Float[np.ndarray, "_"]]) -> tuple[float, float]:
    """The same for lines of differences, with 0 in the middle."""
    _, high = robust_limits([np.abs(line) for line in lines])
    return -high, high


def beyond(
    lines: Iterable[tuple[Float[np.ndarray, "_"], Float[np.ndarray, "_"]]],
    limits: tuple[float, float],
    unit: str,
) -> str:
    """How many frames lie outside an axis, and how far.

    Args:
        lines: Times and values; a frame counts once, however many lines leave the axis there.
        limits: Lowest and highest value of the axis.
        unit: Unit of the values.

    Returns:
        Words such as ``3 of 200 frames above the axis, up to 81 nats``; empty if no frame lies
        outside.
    """
    times, values = (np.concatenate(parts) for parts in zip(*lines, strict=True))
    found, frames = [], len(np.unique(times))
    for outside, side, way, furthest in (
        (values > limits[1], "above", "up", np.max),
        (values < limits[0], "below", "down", np.min),
    ):
        if outside.any():
            number, value = (
                len(np.unique(times[outside])),
                float(f"{furthest(values[outside]):.4g}"),
            )
            written = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
            found.append(
                f"{number} of {frames} frames {side} the axis, {way} to "
                f"{written.replace('-', '−')} {unit}"
            )
    return "; ".join(found)
