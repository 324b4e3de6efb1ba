"""Does the KL rise where the signal changes? A ROC area with its null, and a test with spliced clips (Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.data import widen
from srnn_lab.inspection import NEAR, Inspection, inspect_signal


@dataclass(frozen=True)
class Transitions:
    """The KL at transitions over a set of clips.

    Attributes:
        auc: Probability that the KL of a frame at a transition exceeds that of another active frame.
        null_mean: Mean of the same area when the KL of each clip's active frames is shifted in a circle, at random.
        null_sd: Standard deviation of the shifted areas.
        shifts_better: Share of the shifts whose area is at least ``auc``.
        splice: Mean over splices of the largest KL within ``NEAR`` frames of the joint, in nats.
        uncut: The same of the frames at that place before the cut.
        splice_larger: Share of the splices whose KL is larger than uncut.
        clips: Clips.
    """

    auc: float
    null_mean: float
    null_sd: float
    shifts_better: float
    splice: float
    uncut: float
    splice_larger: float
    clips: int


def roc_area(scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """Probability that a positive scores higher than a negative; ties count half.

    Raises:
        ValueError: All frames are positive, or none is.
    """
    n = int(positive.sum())
    if n in (0, len(positive)):
        raise ValueError(f"{n} of {len(positive)} frames are at a transition; the area needs both kinds.")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def near_changes(clip: Inspection, near: int) -> Bool[np.ndarray, "t"]:
    """Frames within ``near`` of a change."""
    marked = np.zeros(len(clip.kl), bool)
    for offset in range(-near, near + 1):
        marked[np.clip(clip.changes + offset, 0, len(marked) - 1)] = True
    return marked


def measure_transitions(
    checkpoint: Checkpoint, signals: Sequence[np.ndarray], *, num_shifts: int = 1000, seed: int = 0
) -> Transitions:
    """The KL at transitions, over ``signals``.

    Audio: frames within ``NEAR`` of an onset against the other active frames. Music: frames in which the chord changes
    against those in which it stays. A splice is the first half of one clip and the second half of the next.

    Args:
        checkpoint: A trained model.
        signals: Waveforms or piano rolls; at least two.
        num_shifts: Circular shifts for the null.
        seed: Seed of the shifts.

    Raises:
        ValueError: There are fewer than two clips, or no transition.
    """
    if len(signals) < 2:
        raise ValueError(f"{len(signals)} clips were given; transitions need at least two.")
    near = 0 if checkpoint.config.data.features == "roll" else NEAR
    clips = [inspect_signal(checkpoint, signal) for signal in signals]
    marked = np.concatenate([near_changes(clip, near)[clip.active] for clip in clips])
    auc = roc_area(np.concatenate([clip.kl[clip.active] for clip in clips]), marked)
    rng = np.random.default_rng(seed)
    null = [
        roc_area(np.concatenate([np.roll(c.kl[c.active], rng.integers(c.active.sum())) for c in clips]), marked)
        for _ in range(num_shifts)
    ]
    joints = [_joint(checkpoint, *one) for one in zip(signals, [*signals[1:], signals[0]], clips, strict=True)]
    spliced, uncut = np.array(joints).T
    return Transitions(
        auc=auc,
        null_mean=float(np.mean(null)),
        null_sd=float(np.std(null)),
        shifts_better=float(np.mean(np.array(null) >= auc)),
        splice=float(spliced.mean()),
        uncut=float(uncut.mean()),
        splice_larger=float((spliced > uncut).mean()),
        clips=len(clips),
    )


def _joint(checkpoint: Checkpoint, signal: np.ndarray, other: np.ndarray, uncut: Inspection) -> tuple[float, float]:
    """Largest KL near the middle of ``signal``: with the second half of ``other`` in place of its own, and uncut."""
    data = checkpoint.config.data
    per_unit = data.frames_per_quarter if data.features == "roll" else data.sample_rate
    cut, cut_other = (len(s) // 2 // data.hop * data.hop for s in (signal, other))
    spliced = inspect_signal(checkpoint, np.concatenate([widen(signal[:cut]), widen(other[cut_other:])]))
    joint = int(np.searchsorted(uncut.times, cut / per_unit))
    nearby = slice(max(0, joint - NEAR), joint + NEAR + 1)
    return float(spliced.kl[nearby].max()), float(uncut.kl[nearby].max())
