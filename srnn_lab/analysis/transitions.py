"""Does the KL rise where the signal changes?

An AUC with its null, and a test with spliced clips (Figure 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.signal import find_peaks
from scipy.stats import median_abs_deviation, rankdata
from tqdm import tqdm

from srnn_lab.analysis.event_areas import Area, Scored, measure_areas, near_frames, over_shifts
from srnn_lab.analysis.events import clip_events, near_windows
from srnn_lab.analysis.inspection import NEAR, SETTLING, Inspection, clip_batch, inspect_signal
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.data.edits import splice
from srnn_lab.data.labels import Labels
from srnn_lab.inference.bounds import draw_noise


@dataclass(frozen=True)
class Transitions:
    """The KL at transitions over a set of clips.

    Attributes:
        auc: Probability that the KL of a frame at a transition exceeds that of another active
            frame.
        null_mean: Mean of the same AUC when the KL of each clip's active frames is shifted in a
            circle, at random.
        null_sd: Standard deviation of the AUCs of the shifted KLs.
        shifts_better: Share of the shifts whose AUC is at least ``auc``.
        splice: Mean over splices of the largest KL within ``NEAR`` frames of the joint, in nats.
        uncut: The same of the frames at that place before the cut.
        splice_larger: Share of the splices whose KL is larger than uncut.
        clips: Clips.
        frames: Their active frames.
        areas: The KL at each kind of event, by ``KIND/FRAMES/WINDOW``
            (``event_areas.measure_areas``).
    """

    auc: float
    null_mean: float
    null_sd: float
    shifts_better: float
    splice: float
    uncut: float
    splice_larger: float
    clips: int
    frames: int
    areas: dict[str, Area]


@dataclass(frozen=True)
class Spikes:
    """The KL spikes of one clip against its changes, with the null from circular shifts.

    For the null, the KL of the active frames in a row is shifted in a circle against the changes,
    once by each possible number of frames; its values are NaN where the figure is.

    Attributes:
        frames: Frames of the spikes.
        hits: Whether each spike lies at a change.
        found: Whether a spike lies at each of the clip's changes.
        precision: Share of the spikes that lie at a change; NaN without a spike.
        recall: Share of the changes at which a spike lies; NaN without a change.
        auc: Probability that the KL of a frame at a change exceeds that of another active frame;
            NaN if all active frames are at a change, or none is.
        null_precision, null_recall, null_auc: The same for each shift.
    """

    frames: Int[np.ndarray, "s"]
    hits: Bool[np.ndarray, "s"]
    found: Bool[np.ndarray, "c"]
    precision: float
    recall: float
    auc: float
    null_precision: Float[np.ndarray, "n"]
    null_recall: Float[np.ndarray, "n"]
    null_auc: Float[np.ndarray, "n"]


def roc_area(scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """Probability that a positive scores higher than a negative; ties count half.

    Returns:
        A number from 0 to 1; 0.5 is chance.

    Raises:
        ValueError: All frames are positive, or none is.
    """
    n = int(positive.sum())
    if n in (0, len(positive)):
        raise ValueError(
            f"{n} of {len(positive)} frames are at a transition; the AUC needs both kinds."
        )
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def near_changes(clip: Inspection, near: int) -> Bool[np.ndarray, "t"]:
    """Frames within ``near`` of a change."""
    return near_frames(clip.changes, near, len(clip.kl))


def find_spikes(clip: Inspection, prominence: float) -> Int[np.ndarray, "s"]:
    """Peaks of the KL that rise above their surroundings.

    Args:
        clip: An inspected clip.
        prominence: How far a peak rises above the higher of the lowest points between it and a
            higher peak on either side, in robust standard deviations of the KL over the active
            frames: 1.4826 times the median distance from the median, which is the standard
            deviation of normal values and which no single frame can inflate.

    Returns:
        Active frames, but none of the first ``SETTLING``.
    """
    if not clip.active.any():
        return np.zeros(0, int)
    spread = float(median_abs_deviation(clip.kl[clip.active], scale=("normal")))  # pyright: ignore[reportArgumentType]
    peaks, _ = find_peaks(clip.kl, prominence=prominence * spread)
    return peaks[clip.active[peaks] & (peaks >= SETTLING)]


def match_spikes(clip: Inspection, near: int, prominence: float = 1.0) -> Spikes:
    """Whether the KL spikes of a clip lie where it changes, with the null of every circular shift.

    Args:
        clip: An inspected clip; only its active frames count.
        near: Frames on either side of a change that are at the change.
        prominence: As in ``find_spikes``.

    Returns:
        The spikes, and precision, recall and AUC with their values after every shift; NaN where one
        is not defined.
    """
    spikes, frames, active = find_spikes(clip, prominence), len(clip.kl), clip.active
    at_change, at_spike = near_changes(clip, near), near_frames(spikes, near, frames)
    is_change, is_spike = near_frames(clip.changes, 0, frames), near_frames(spikes, 0, frames)
    num_near, num_active, found = (
        int(at_change[active].sum()),
        int(active.sum()),
        at_spike[clip.changes],
    )
    pairs = num_near * (num_active - num_near)
    # As in ``roc_area``, of the same ranks in another order.
    rank_sums = over_shifts(rankdata(clip.kl[active]), at_change[active])
    return Spikes(
        frames=spikes,
        hits=at_change[spikes],
        found=found,
        precision=float(at_change[spikes].mean()) if len(spikes) else np.nan,
        recall=float(found[active[clip.changes]].mean()) if active[clip.changes].any() else np.nan,
        auc=roc_area(clip.kl[active], at_change[active]) if pairs else np.nan,
        null_precision=over_shifts(is_spike[active], at_change[active]) / (len(spikes) or np.nan),
        null_recall=over_shifts(at_spike[active], is_change[active])
        / (is_change[active].sum() or np.nan),
        null_auc=(rank_sums - num_near * (num_near + 1) / 2) / (pairs or np.nan),
    )


def measure_transitions(
    checkpoint: Checkpoint,
    signals: Sequence[np.ndarray],
    labels: Sequence[Labels | None] | None = None,
    *,
    num_shifts: int = 1000,
    seed: int = 0,
) -> Transitions:
    """The KL at transitions, over ``signals``.

    Audio: frames within ``NEAR`` of an onset against the other active frames. Music: frames in
    which the chord changes against those in which it stays. A splice is the first half of one clip
    and the second half of the next.

    Args:
        checkpoint: A trained model.
        signals: Waveforms or piano rolls; at least two.
        labels: Of each signal its phones, where they are known; by default of none.
        num_shifts: Circular shifts for the null.
        seed: Seed of the shifts.

    Returns:
        The AUC over all clips with its null, and the KL at splices and at the same places uncut, in
        nats.

    Raises:
        ValueError: There are fewer than two clips, or no transition.
    """
    if len(signals) < 2:
        raise ValueError(f"{len(signals)} clips were given; transitions need at least two.")
    data = checkpoint.config.data
    windows = near_windows(data)
    # The KL of each clip, where it changes, and at the joint of its half with the next clip's.
    clips, events, kl, at_change, joints = [], [], [], [], []
    following = [*signals[1:], signals[0]]
    items = zip(signals, following, labels or [None] * len(signals), strict=True)
    for signal, other, phones in tqdm(
        items, "Clips", len(following), unit=" clips", delay=2, leave=False
    ):
        clip = inspect_signal(checkpoint, signal)
        clips.append(Scored(clip.kl, clip.active))
        events.append(clip_events(clip, signal, data, phones))
        kl.append(clip.kl[clip.active])
        at_change.append(near_changes(clip, windows[-1])[clip.active])
        joints.append(_joint(checkpoint, signal, other, clip))
    # The AUC over all clips, and its null: the KL of each clip shifted in a circle.
    marked = np.concatenate(at_change)
    auc = roc_area(np.concatenate(kl), marked)
    rng = np.random.default_rng(seed)
    null = [
        roc_area(np.concatenate([np.roll(c, rng.integers(len(c) or 1)) for c in kl]), marked)
        for _ in range(num_shifts)
    ]
    spliced, uncut = np.array(joints).T
    return Transitions(
        auc=auc,
        null_mean=float(np.mean(null)),
        null_sd=float(np.std(null)),
        shifts_better=float(np.mean(np.array(null) >= auc)),
        splice=float(spliced.mean()),
        uncut=float(uncut.mean()),
        splice_larger=float((spliced > uncut).mean()),
        clips=len(joints),
        frames=len(marked),
        areas=measure_areas(clips, events, windows, num_shifts=num_shifts, seed=seed),
    )


def _joint(
    checkpoint: Checkpoint, signal: np.ndarray, other: np.ndarray, uncut: Inspection
) -> tuple[float, float]:
    """Largest KL near the middle of ``signal``: with the second half of ``other``, and uncut."""
    data = checkpoint.config.data
    cut, cut_other = (len(s) // 2 // data.hop * data.hop for s in (signal, other))
    spliced = inspect_signal(checkpoint, splice(signal, cut, other, cut_other))
    return surprise_near(spliced, cut / data.rate), surprise_near(uncut, cut / data.rate)


def surprise_near(clip: Inspection, time: float) -> float:
    """The largest KL within ``NEAR`` frames of ``time`` (seconds, or quarter notes), in nats."""
    joint = int(np.searchsorted(clip.times, time))
    return float(clip.kl[max(0, joint - NEAR) : joint + NEAR + 1].max())


@dataclass(frozen=True)
class EditEffect:
    """What an edit of a clip does to the KL; times in the unit of ``Inspection.times``.

    Attributes:
        before: The clip as it was.
        after: The edited clip, with the same noise in frames of the same number.
        joints_before: Where the clip is cut.
        joints_after: Where these places are in the edited clip.
        surprise_before: Largest KL within ``NEAR`` frames of each place in the clip as it was, in
            nats.
        surprise_after: The same in the edited clip.
        foreseen: Largest change of the KL in a frame that ends before the first joint, in nats: 0
            but for rounding if the posterior filters, since it knows nothing of what is to come.
            NaN if there is no such frame.
    """

    before: Inspection
    after: Inspection
    joints_before: tuple[float, ...]
    joints_after: tuple[float, ...]
    surprise_before: tuple[float, ...]
    surprise_after: tuple[float, ...]
    foreseen: float

    @property
    def aligned(self) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """The KL of the clip as it was, with what lies after the last cut where the edit moved it.

        NaN is in the gap, if it was moved.
        """
        start, cut, joint = self.joints_before[0], self.joints_before[-1], self.joints_after[-1]
        parts = [moved(self.before, 0.0, cut, 0.0), moved(self.before, cut, np.inf, joint)]
        if joint > cut:
            parts.insert(1, (np.full(1, start), np.full(1, np.nan)))
        times, kl = (np.concatenate(values) for values in zip(*parts, strict=True))
        return times, kl


@torch.inference_mode()
def measure_edit(
    checkpoint: Checkpoint,
    before: np.ndarray,
    after: np.ndarray,
    joints: Sequence[tuple[int, int]],
    *,
    num_samples: int = 8,
    seed: int = 0,
) -> EditEffect:
    """The KL of a clip before and after an edit.

    Args:
        checkpoint: A trained model.
        before: The clip.
        after: The edited clip, the same up to the first joint.
        joints: Samples (frames of a piano roll) at which the clip is cut, and where each is in the
            edited clip.
        num_samples: Posterior paths to average over; at least 1.
        seed: Seed of the paths.

    Returns:
        Both inspections, and the largest KL near each joint in nats, before and after.

    Raises:
        ValueError: One of the clips is of the wrong kind, too short or too long.
    """
    data = checkpoint.config.data
    # Both clips with the same noise, as far as they are equally long.
    batches = [clip_batch(checkpoint, signal)[1] for signal in (before, after)]
    longest = max(batches, key=lambda batch: batch.x.shape[1])
    noise = draw_noise(
        checkpoint.model, longest, torch.Generator().manual_seed(seed), paths=num_samples
    )
    first, second = (
        inspect_signal(checkpoint, signal, noise=noise[:, : batch.x.shape[1]])
        for signal, batch in zip((before, after), batches, strict=True)
    )
    # Where the joints lie, and what the edit changes before the first of them.
    places = [
        tuple(place / data.rate for place in of_clip) for of_clip in zip(*joints, strict=True)
    ]
    untouched = int(np.searchsorted(first.times + data.window / 2 / data.rate, places[0][0] + 1e-9))
    changes = np.abs(second.kl[:untouched] - first.kl[:untouched])
    return EditEffect(
        before=first,
        after=second,
        joints_before=places[0],
        joints_after=places[1],
        surprise_before=tuple(surprise_near(first, time) for time in places[0]),
        surprise_after=tuple(surprise_near(second, time) for time in places[1]),
        foreseen=float(changes.max()) if untouched else float("nan"),
    )


def moved(
    clip: Inspection, start: float, stop: float, to: float
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """The KL of a stretch, over times at which the stretch begins elsewhere.

    Args:
        clip: The clip.
        start: Where the stretch begins, in the unit of ``clip.times``.
        stop: Where it ends; a frame counts if its middle lies before that.
        to: Where it is to begin.

    Returns:
        The new times of the frames, and their KL in nats.
    """
    inside = (clip.times >= start) & (clip.times < stop)
    return clip.times[inside] - start + to, clip.kl[inside]
