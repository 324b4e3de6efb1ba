"""Frames of a set of clips as points: what is kept, and the principal components of their z."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from srnn_lab.analysis.moments import Summary


@dataclass(frozen=True)
class Components:
    """Principal components, that of the largest variance first.

    Attributes:
        mean: Of the points.
        directions: One a row, of length 1; its largest weight is positive.
        shares: Each one's share of the variance of the points.
    """

    mean: Float[np.ndarray, "z"]
    directions: Float[np.ndarray, "k z"]
    shares: Float[np.ndarray, "k"]

    def along(self, values: Float[np.ndarray, "n z"], i: int) -> Float[np.ndarray, "n"]:
        """Where points lie along the i-th of them, counted from 0."""
        return (values - self.mean) @ self.directions[i]


def principal_components(values: Float[np.ndarray, "n z"]) -> Components:
    """The principal components of points, exactly: right singular vectors of the centred points.

    They are those of the R of a QR decomposition, too, which is as small as z.

    Returns:
        As many as z has dimensions, or there are points.
    """
    values = np.asarray(values, np.float64)
    mean = values.mean(0)
    _, deviations, directions = np.linalg.svd(
        np.linalg.qr(values - mean, mode="r"), full_matrices=False
    )
    largest = np.abs(directions).argmax(1)[:, None]
    signs = np.sign(np.take_along_axis(directions, largest, 1))
    total = float((deviations**2).sum())
    return Components(mean, signs * directions, deviations**2 / (total or 1.0))


@dataclass(frozen=True)
class Cloud:
    """Frames of a set of clips, one after another.

    Attributes:
        names: The clips.
        clip: Of each frame, the index of its clip.
        frame: Its number there.
        z: The posterior means.
        kl: The KL, nats.
    """

    names: tuple[str, ...]
    clip: Int[np.ndarray, "n"]
    frame: Int[np.ndarray, "n"]
    z: Float[np.ndarray, "n z"]
    kl: Float[np.ndarray, "n"]

    def take(self, chosen: Int[np.ndarray, "m"]) -> "Cloud":
        """Some of the frames."""
        return Cloud(
            self.names, self.clip[chosen], self.frame[chosen], self.z[chosen], self.kl[chosen]
        )


def gather(found: Mapping[str, Summary]) -> Cloud:
    """All frames of all clips."""
    lengths = [len(one.kl) for one in found.values()]
    return Cloud(
        names=tuple(found),
        clip=np.repeat(np.arange(len(found)), lengths),
        frame=np.concatenate([np.arange(length) for length in lengths]),
        z=np.concatenate([one.z for one in found.values()]),
        kl=np.concatenate([one.kl for one in found.values()]),
    )


def evenly(count: int, most: int) -> Int[np.ndarray, "_"]:
    """At most ``most`` of ``count`` indices, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
