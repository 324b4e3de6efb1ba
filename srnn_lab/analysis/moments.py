"""Where a model is most surprised in a set: what is kept of a clip, and the strongest moments."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from srnn_lab.analysis.inspection import NEAR, Inspection
from srnn_lab.analysis.transitions import match_spikes

MOMENTS, APART = 12, 4 * NEAR
"""Moments of a set that are shown, and frames between two of a clip, at least."""
AROUND = {"s": 0.4, "quarter notes": 2.0}
"""By the unit of the time axis, what is heard on either side of a moment."""


@dataclass(frozen=True)
class Summary:
    """What is kept of an inspected clip, so that a whole set fits into memory.

    Attributes:
        times: Middle of each frame, in seconds (music: in quarter notes).
        kl: The KL, nats per frame.
        surprise: -log p(x_t | z_t, d_t), nats per frame.
        kl_z: The KL of each dimension of z, nats per frame.
        left_out: Frames in which no spike is looked for.
        auc: Area under the ROC curve of the KL at onsets or chord changes; NaN where there are
            none.
        z: The posterior means of z, averaged over the sampled paths.
        d: The deterministic states, likewise.
        frames: The frames as the model sees them.
    """

    times: Float[np.ndarray, "t"]
    kl: Float[np.ndarray, "t"]
    surprise: Float[np.ndarray, "t"]
    kl_z: Float[np.ndarray, "t z"]
    left_out: Bool[np.ndarray, "t"]
    auc: float
    z: Float[np.ndarray, "t z"]
    d: Float[np.ndarray, "t d"]
    frames: Float[np.ndarray, "t x"]

    @property
    def elbo(self) -> float:
        """The bound, nats per frame."""
        return float(-(self.surprise + self.kl).mean())

    @property
    def peak(self) -> int:
        """The frame of the largest spike; if everything is left out, that of the largest KL."""
        return int(np.where(self.left_out & ~self.left_out.all(), -np.inf, self.kl).argmax())


def summarise(clip: Inspection, near: int) -> Summary:
    """What is kept of a clip.

    Args:
        clip: The clip.
        near: Frames on either side of a change that are at the change.

    Returns:
        The values of each scored frame without the reconstruction, and the AUC of the KL at
        changes.
    """
    auc = match_spikes(clip, near).auc
    return Summary(
        times=clip.times,
        kl=clip.kl,
        surprise=-clip.log_px,
        kl_z=clip.kl_z,
        left_out=clip.left_out,
        auc=float(auc),
        z=clip.mu_q,
        d=clip.d,
        frames=clip.frames,
    )


@dataclass(frozen=True)
class Moment:
    """A frame of one of several clips.

    Attributes:
        clip: The clip's name.
        frame: The frame.
        value: What is strong there.
    """

    clip: str
    frame: int
    value: float


def strongest(
    values: Mapping[str, Float[np.ndarray, "_"]],
    left_out: Mapping[str, Bool[np.ndarray, "_"]],
    number: int,
    apart: int,
) -> list[Moment]:
    """The frames with the largest values of all clips, the largest first.

    Args:
        values: By clip, the value of each frame.
        left_out: By clip, frames that are no moment.
        number: At most so many.
        apart: Two moments of a clip have at least so many frames between them.

    Returns:
        The moments; fewer than ``number`` if the clips have no more frames to choose from.
    """
    free = {name: np.where(left_out[name], -np.inf, one) for name, one in values.items()}
    found = []
    while len(found) < number:
        name = max(free, key=lambda name: free[name].max(initial=-np.inf), default=None)
        if name is None or not np.isfinite(free[name].max(initial=-np.inf)):
            break
        frame = int(free[name].argmax())
        found.append(Moment(name, frame, float(values[name][frame])))
        free[name][max(0, frame - apart) : frame + apart + 1] = -np.inf
    return found


def thumbnail(values: Float[np.ndarray, "t"], bins: int) -> list[float]:
    """The largest value of each of ``bins`` stretches, or all values where there are fewer."""
    return [float(part.max()) for part in np.array_split(values, min(bins, len(values)))]
