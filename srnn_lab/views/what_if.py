"""What the players of Latents and Make a transition draw: a clip with another z, and a clip that was edited."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.figures import signal_times
from srnn_lab.inspection import Inspection
from srnn_lab.interventions import Reconstruction
from srnn_lab.player import Line, Lines, Picture, Row
from srnn_lab.plots import LOWEST_PITCH, OVERLAID, SIGNAL, cut_below
from srnn_lab.transitions import EditEffect

HEAT = ("#010106", "#3b0f70", "#8c2981", "#de4968", "#fe9f6d", "#fcfdbf")
"""Log-mel energies from low to high, ever brighter, so that they read without colour."""


def wave_row(title: str, times: Float[np.ndarray, "n"], wave: Float[np.ndarray, "n"], loudest: float) -> Lines:
    """A waveform on a scale from ``-loudest`` to ``loudest``."""
    return Lines(title, "", [Line(title, times, wave, SIGNAL)], (-loudest, loudest))


def roll_row(
    title: str, times: Float[np.ndarray, "t"], roll: Float[np.ndarray, "t 88"], pitches: tuple[int, int]
) -> Picture:
    """Notes, or p(note) as opacity, from the lowest to the highest of the ``pitches``, counted from the lowest key."""
    low, high = pitches
    ticks = {
        pitch - LOWEST_PITCH - low: str(pitch) for pitch in range(24, 109, 12) if low <= pitch - LOWEST_PITCH < high
    }
    colours = (f"{SIGNAL}00", SIGNAL)
    return Picture(title, "", times, roll[:, low:high], colours, ticks, (0.0, 1.0), "MIDI pitch")


def _pitches(roll: Float[np.ndarray, "t 88"]) -> tuple[int, int]:
    played = np.flatnonzero(roll.any(0)) if roll.any() else np.array([0, 87])
    return max(0, int(played.min()) - 3), min(88, int(played.max()) + 4)


def _overlaid(lines: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> list[Line]:
    pairs = zip(lines.items(), OVERLAID, strict=False)
    return [Line(name, times, values, colour) for (name, (times, values)), (colour, _) in pairs]


def reconstruction_rows(
    checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection, found: Mapping[str, Reconstruction]
) -> list[Row]:
    """A clip, its reconstructions on its own scale, and log p(x | z, d) per frame of all of them.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: Its inspection.
        found: Reconstructions, by where z comes from.
    """
    data = checkpoint.config.data
    titles = {f"E[x | z, d], z: {name}": one.mean for name, one in found.items()}
    rows: list[Row]
    if data.features == "raw":
        loudest = float(np.abs(signal).max())
        start = clip.times[0] - data.frame_length / 2 / data.rate
        times = start + np.arange(clip.mean.size) / data.rate
        rows = [wave_row("The clip", signal_times(signal, data), signal, loudest)]
        rows += [wave_row(title, times, checkpoint.frontend.waveform(mean), loudest) for title, mean in titles.items()]
    elif data.features == "roll":
        rows = [roll_row("The clip", signal_times(signal, data), signal, _pitches(signal))]
        rows += [roll_row(title, clip.times, mean, _pitches(signal)) for title, mean in titles.items()]
    else:
        limits = (float(clip.frames.min()), float(clip.frames.max()))
        bins = {0: "0", clip.frames.shape[1] - 1: str(clip.frames.shape[1] - 1)}
        rows = [
            Picture(title, "", clip.times, values, HEAT, bins, limits, "mel bin")
            for title, values in ({"The clip": clip.frames} | titles).items()
        ]
    lines = {name: (clip.times, one.log_px) for name, one in found.items()}
    limits = cut_below(np.stack([one.log_px for one in found.values()]))
    return [*rows, Lines("log p(x | z, d) per frame", "nats", _overlaid(lines), limits)]


def edit_rows(
    data: DataConfig,
    before: np.ndarray,
    after: np.ndarray,
    effect: EditEffect,
    others: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[Row]:
    """A clip before and after an edit, and the KL of both over each other.

    Args:
        data: What a frame is.
        before: The clip.
        after: The edited one.
        effect: What the edit does to the KL.
        others: Further lines by name: times, and nats per frame.
    """
    rows: Sequence[Row]
    signals = {"Before": before, "After": after}
    if data.features == "roll":
        pitches = _pitches(np.concatenate([before, after]))
        rows = [roll_row(title, signal_times(roll, data), roll, pitches) for title, roll in signals.items()]
    else:
        loudest = max(float(np.abs(wave).max()) for wave in signals.values())
        rows = [wave_row(title, signal_times(wave, data), wave, loudest) for title, wave in signals.items()]
    lines = {"before": effect.aligned, "after": (effect.after.times, effect.after.kl), **others}
    return [*rows, Lines("KL(q ‖ p) per frame", "nats", _overlaid(lines))]
