"""A path of z that is moved: along a dimension, from mean to mean, or towards another clip's."""

import numpy as np
from jaxtyping import Bool, Float


def steer(
    z: Float[np.ndarray, "t z"],
    direction: Float[np.ndarray, "*t z"],
    alpha: float,
    inside: Bool[np.ndarray, "t"],
    *,
    growing: bool = False,
) -> Float[np.ndarray, "t z"]:
    """Move a path: z + alpha * direction in a stretch, z elsewhere.

    Args:
        z: The path.
        direction: One for all frames, or one for each.
        alpha: How far.
        inside: The frames of the stretch.
        growing: Whether the distance grows evenly from 0, in the first frame of the stretch, to
            alpha in its last.

    Returns:
        The path that is moved.
    """
    weight = np.zeros(len(z))
    weight[inside] = np.linspace(0, 1, int(inside.sum())) if growing else 1
    return (z + alpha * weight[:, None] * direction).astype(z.dtype)


def along_dimension(z: Float[np.ndarray, "t z"], i: int) -> Float[np.ndarray, "z"]:
    """One standard deviation of a dimension of z over the frames of a clip."""
    direction = np.zeros(z.shape[1], z.dtype)
    direction[i] = z[:, i].std()
    return direction


def towards(
    z: Float[np.ndarray, "t z"], other: Float[np.ndarray, "n z"]
) -> Float[np.ndarray, "t z"]:
    """From each frame of a path to that of another one, which begins again where it is shorter.

    Returns:
        A direction for each frame: with it, alpha from 0 to 1 is the straight line from the one
        path to the other.
    """
    return other[np.arange(len(z)) % len(other)] - z
