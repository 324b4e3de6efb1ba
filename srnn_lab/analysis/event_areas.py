"""Is the KL larger where something happens?

The AUC for each kind of event, pooled and by clip, with its null.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from srnn_lab.analysis.inspection import Inspection

ROUNDING = 1e-9
"""By how much rounding can part two AUCs whose sums of ranks are equal."""
FRAMES = ("all", "active")
"""Which frames count: all that are scored, or those that are not silent."""


class Scored(NamedTuple):
    """What is kept of an inspected clip, of which thousands may be measured together."""

    kl: Float[np.ndarray, "t"]
    active: Bool[np.ndarray, "t"]


@dataclass(frozen=True)
class Area:
    """How well the KL tells the frames at events from all others.

    Attributes:
        events: Events in all frames.
        auc: Probability that the KL of a frame at an event exceeds that of another, over the frames
            of all clips.
        null_mean: Mean of this area when the KL of each clip is shifted in a circle, at random.
        null_sd: Standard deviation of the shifted areas.
        reached: Share of the shifts whose area is at least ``auc``.
        by_clip: Mean over clips of the area within each clip, which no difference between clips can
            raise.
        by_clip_se: Standard error of that mean over the clips; NaN of one clip.
        by_clip_null_sd: Standard deviation of the mean over clips when each clip's KL is shifted.
        clips: Clips with frames of both kinds.
    """

    events: int
    auc: float
    null_mean: float
    null_sd: float
    reached: float
    by_clip: float
    by_clip_se: float
    by_clip_null_sd: float
    clips: int

    def known(self) -> dict[str, int | float]:
        """The values by name, without those not known: of one clip there is no standard error."""
        return {name: value for name, value in asdict(self).items() if math.isfinite(value)}


def areas_by_kind(areas: Mapping[str, Area]) -> dict[str, dict[str, int | float]]:
    """Of each kind of event how many there are, and the AUC by frames and window (``active/2``)."""
    found: dict[str, dict[str, int | float]] = {}
    for name, area in areas.items():
        kind, _, how = name.partition("/")
        found.setdefault(kind, {"events": area.events})[how] = area.auc
    return found


def measure_areas(
    clips: Sequence[Scored | Inspection],
    events: Sequence[Mapping[str, Int[np.ndarray, "_"]]],
    windows: Sequence[int],
    *,
    num_shifts: int = 1000,
    seed: int = 0,
) -> dict[str, Area]:
    """How well the KL tells frames at events from others, for each kind of event and window.

    Args:
        clips: The KL of each clip, and which of its frames are not silent.
        events: Of each clip, the frames in which something happens, by kind; clips without a kind
            do not count for it.
        windows: Frames on either side of an event that are at the event; more than 0 average a
            spike of one frame away.
        num_shifts: Circular shifts for the null.
        seed: Seed of the shifts.

    Returns:
        The areas by ``KIND/FRAMES/WINDOW``, such as ``onset/active/2``. An area is absent if no
        frame, or every frame, is at an event of that kind.
    """
    areas = {}
    for kind in dict.fromkeys(kind for found in events for kind in found):
        heard = [
            (clip, found[kind]) for clip, found in zip(clips, events, strict=True) if kind in found
        ]
        number = sum(len(frames) for _, frames in heard)
        for counted in FRAMES:
            chosen = [
                clip.active if counted == "active" else np.ones(len(clip.kl), bool)
                for clip, _ in heard
            ]
            kl = [clip.kl[mask] for (clip, _), mask in zip(heard, chosen, strict=True)]
            for window in windows:
                marked = [
                    near_frames(frames, window, len(mask))[mask]
                    for (_, frames), mask in zip(heard, chosen, strict=True)
                ]
                if any(marks.any() for marks in marked) and not all(
                    marks.all() for marks in marked
                ):
                    rng = np.random.default_rng(seed)
                    areas[f"{kind}/{counted}/{window}"] = _area(kl, marked, number, num_shifts, rng)
    return areas


def _area(
    kl: list[Float[np.ndarray, "_"]],
    marked: list[Bool[np.ndarray, "_"]],
    number: int,
    num_shifts: int,
    rng: np.random.Generator,
) -> Area:
    lengths = [len(values) for values in kl]
    # The first "shift" is none.
    shifts = [np.append(0, rng.integers(max(length, 1), size=num_shifts)) for length in lengths]
    # However the values are shifted, their ranks stay the same, and an area is a sum of ranks.
    pooled = np.split(rankdata(np.concatenate(kl)), np.cumsum(lengths)[:-1])
    sums = [
        _rank_sums(ranks, marks)[shift]
        for ranks, marks, shift in zip(pooled, marked, shifts, strict=True)
    ]
    auc, *null = _areas(np.sum(sums, 0), sum(int(marks.sum()) for marks in marked), sum(lengths))
    within = np.array(
        [
            _areas(_rank_sums(rankdata(values), marks)[shift], int(marks.sum()), len(marks))
            for values, marks, shift in zip(kl, marked, shifts, strict=True)
            if 0 < marks.sum() < len(marks)
        ]
    ).reshape(-1, num_shifts + 1)
    clips = len(within)
    return Area(
        events=number,
        auc=float(auc),
        null_mean=float(np.mean(null)),
        null_sd=float(np.std(null)),
        reached=float((np.array(null) >= auc - ROUNDING).mean()),
        by_clip=float(within[:, 0].mean()) if clips else np.nan,
        by_clip_se=float(within[:, 0].std(ddof=1) / np.sqrt(clips)) if clips > 1 else np.nan,
        by_clip_null_sd=float(within[:, 1:].mean(0).std()) if clips else np.nan,
        clips=clips,
    )


def _rank_sums(
    ranks: Float[np.ndarray, "n"], marks: Bool[np.ndarray, "n"]
) -> Float[np.ndarray, "_"]:
    """Sum of the ranks at the marks, as they are and after each circular shift by one and more."""
    if not len(ranks):
        return np.zeros(1)
    return np.append(ranks[marks].sum(), over_shifts(ranks, marks))


def _areas(rank_sums: Float[np.ndarray, "n"], positive: int, total: int) -> Float[np.ndarray, "n"]:
    return (rank_sums - positive * (positive + 1) / 2) / (positive * (total - positive))


def near_frames(frames: Int[np.ndarray, "n"], near: int, num_frames: int) -> Bool[np.ndarray, "t"]:
    """Mark the frames near some frames.

    Args:
        frames: Numbers of frames, each from 0 to ``num_frames`` - 1.
        near: Frames on either side that are marked too; 0 marks the frames alone.
        num_frames: Frames in all.

    Returns:
        Whether each frame is marked.
    """
    marked = np.zeros(num_frames, bool)
    for offset in range(-near, near + 1):
        marked[np.clip(frames + offset, 0, num_frames - 1)] = True
    return marked


def over_shifts(moved: np.ndarray, fixed: np.ndarray) -> Float[np.ndarray, "n"]:
    """Sums of an array's circular shifts over the places of another, by way of a Fourier transform.

    Args:
        moved: What is shifted.
        fixed: The places, true where values are added up; of the same length n.

    Returns:
        The sum after a shift by 1, 2, ..., n - 1 frames.
    """
    if not len(fixed):
        return np.zeros(0)
    product = np.fft.rfft(np.asarray(fixed, float)) * np.fft.rfft(np.asarray(moved, float)).conj()
    return np.round(np.fft.irfft(product, len(fixed)), 6)[1:]
