"""Where else in a set of clips is something like a stretch: the nearest, by plain distance."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from srnn_lab.analysis.moments import Moment, strongest


def stretch_distances(
    query: Float[np.ndarray, "l f"], values: Float[np.ndarray, "t f"]
) -> Float[np.ndarray, "s"]:
    """How far each stretch of a clip is from another one of the same length.

    The root of the mean over the frames of the squared Euclidean distance. With |q - v|^2 = |q|^2 +
    |v|^2 - 2 q v, all products are those of two matrices, and each stretch sums a diagonal of
    theirs.

    Args:
        query: The stretch that is sought.
        values: The clip's frames.

    Returns:
        One distance for each frame at which a stretch can start; none if the clip is shorter than
        the stretch.
    """
    length, starts = len(query), len(values) - len(query) + 1
    if starts < 1:
        return np.zeros(0)
    query, values = np.asarray(query, np.float64), np.asarray(values, np.float64)
    products = query @ values.T
    row, column = products.strides
    diagonals = np.lib.stride_tricks.as_strided(
        products, (length, starts), (row + column, column), writeable=False
    )
    norms = np.convolve((values**2).sum(1), np.ones(length), "valid")
    squares = ((query**2).sum() + norms - 2 * diagonals.sum(0)) / length
    return np.sqrt(np.maximum(squares, 0))


def nearest_stretches(
    query: Float[np.ndarray, "l f"],
    values: Mapping[str, Float[np.ndarray, "_ f"]],
    own: tuple[str, int] | None,
    number: int,
) -> list[Moment]:
    """The stretches of all clips nearest to one, the nearest first; no two of them overlap.

    Args:
        query: The stretch that is sought.
        values: By clip, its frames.
        own: The clip that it is from and the frame at which it starts there: stretches that overlap
            it are left out.
        number: At most so many.

    Returns:
        Where each starts; its value is its distance as a share of the median of all distances.
    """
    far = {name: stretch_distances(query, one) for name, one in values.items()}
    left_out = {name: np.zeros(len(one), bool) for name, one in far.items()}
    if own and own[0] in far:
        name, start = own
        left_out[name] = np.abs(np.arange(len(far[name])) - start) < len(query)
    others = np.concatenate([one[~left_out[name]] for name, one in far.items()] or [np.zeros(0)])
    typical = float(np.median(others)) if len(others) else 0.0
    shares = {name: -one / (typical or 1.0) for name, one in far.items()}
    found = strongest(shares, left_out, number, len(query) - 1)
    return [Moment(one.clip, one.frame, -one.value) for one in found]
