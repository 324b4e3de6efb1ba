"""Several models on the same frames of a clip: which is surprised where, whose bound is higher."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from srnn_lab.analysis.inspection import SETTLING, Inspection
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import RunConfig
from srnn_lab.data.kinds import Series


@dataclass(frozen=True)
class Comparison:
    """Models on one clip; the first is the one that the others are compared with.

    Attributes:
        names: The models.
        kl: KL(q(z_t | ...) || p(z_t | ...)) of each, nats per frame.
        log_px: log p(x_t | z_t, d_t) of each, nats per frame, as a density of the first one's
            values.
        times: Middle of each frame, in seconds (music: in quarter notes).
        changes: Frames in which the signal changes.
        same_noise: Whether each one's posterior paths were drawn with the noise of the first one's.
    """

    names: tuple[str, ...]
    kl: Float[np.ndarray, "m t"]
    log_px: Float[np.ndarray, "m t"]
    times: Float[np.ndarray, "t"]
    changes: Int[np.ndarray, "c"]
    same_noise: Bool[np.ndarray, "m"]

    @property
    def elbo(self) -> Float[np.ndarray, "m t"]:
        """Each one's bound, nats per frame."""
        return self.log_px - self.kl

    @property
    def kl_difference(self) -> Float[np.ndarray, "m t"]:
        """Each one's KL less the first one's, nats per frame."""
        return self.kl - self.kl[:1]

    def moments(self, number: int, apart: int) -> Int[np.ndarray, "_"]:
        """Where a KL differs most from the first one's, largest first, after ``SETTLING`` frames.

        Args:
            number: At most so many.
            apart: Frames that lie between two of them, at least.

        Returns:
            Numbers of frames; fewer than ``number`` if no other frame differs.
        """
        sizes = np.abs(self.kl_difference).max(0)
        sizes[: min(SETTLING, len(sizes) - 1)] = 0
        found = []
        while len(found) < number and sizes.any():
            found.append(int(sizes.argmax()))
            sizes[max(0, found[-1] - apart) : found[-1] + apart + 1] = 0
        return np.array(found, int)


def frame_kind(config: RunConfig) -> tuple[str | int | float, ...]:
    """What one frame is; models of one kind see the same numbers, but for their normalisation.

    Known inputs are no part of x, so models with and without them have frames of one kind.

    Returns:
        Values that are equal for models of one kind.
    """
    data = config.data
    rows = (data.columns, data.values) if isinstance(data.kind, Series) else ()
    return data.features, data.rate, data.hop, data.window, config.model.x_dim, *rows


def differences(config: RunConfig, first: RunConfig) -> dict[str, str | int | float | bool]:
    """What differs from the first model: settings of the model and its training, and the data."""
    shown = {*vars(config.model), "data", *vars(config.train)} - {"precision", "seed"}
    return {name: value for name, value in config.differences(first).items() if name in shown}


def closest(configs: Mapping[str, RunConfig], first: RunConfig) -> str:
    """The name of the model that differs in the fewest settings from the first, however trained."""
    return min(
        configs, key=lambda name: len(differences(configs[name], first).keys() - vars(first.train))
    )


def compare(checkpoints: Mapping[str, Checkpoint], clips: Mapping[str, Inspection]) -> Comparison:
    """Inspections of a clip, made with one seed and number of paths, in the same frames and units.

    A frame that one model does not score is left out. A density of standardised values depends on
    their normalisation; log p(x) is that of the first model's values: the log-deviations of its own
    are taken off, the first one's added.

    Args:
        checkpoints: The models, by name.
        clips: What each makes of the clip.

    Returns:
        The KL and log p(x) of each model over the frames that all of them score, in nats per frame.

    Raises:
        ValueError: There are fewer than two models, or their frames are of different kinds.
    """
    # Whether the models can be compared at all.
    if len(checkpoints) < 2:
        raise ValueError(f"{len(checkpoints)} model was given; a comparison needs at least two.")
    configs = {name: checkpoint.config for name, checkpoint in checkpoints.items()}
    first, *others = checkpoints
    for name in others:
        if frame_kind(configs[name]) != frame_kind(configs[first]):
            own, other = (
                config.data.kind.described(config.model.x_dim)
                for config in (configs[name], configs[first])
            )
            raise ValueError(
                f"The frames of {name} ({own}) are not those of {first} ({other}); nats per frame "
                "are comparable only between models with the same kind of frame."
            )
    # The frames that all of them score, and the scale of each one's values that were observed.
    x_dim = checkpoints[first].config.model.x_dim
    shortest = min(clips.values(), key=lambda clip: len(clip.kl))
    num_frames = len(shortest.kl)
    observed = ~np.isnan(shortest.frames)
    scales = [
        observed @ np.broadcast_to(np.log(c.frontend.std, dtype=float), x_dim)
        for c in checkpoints.values()
    ]
    drawn = [
        (checkpoint.model.z_dim, len(clips[name].kl)) for name, checkpoint in checkpoints.items()
    ]
    return Comparison(
        names=tuple(checkpoints),
        kl=np.stack([clips[name].kl[-num_frames:] for name in checkpoints]),
        log_px=np.stack(
            [
                clips[name].log_px[-num_frames:] + scales[0] - s
                for name, s in zip(checkpoints, scales, strict=True)
            ]
        ).astype(np.float32),
        times=shortest.times,
        changes=shortest.changes,
        same_noise=np.array([shape == drawn[0] for shape in drawn]),
    )
