"""An inspected clip as rows of the player."""

import numpy as np
from jaxtyping import Float
from plotly.colors import sequential

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.data.music import LOWEST_PITCH
from srnn_lab.inspection import Inspection
from srnn_lab.player import Line, Lines, Picture, Row
from srnn_lab.plots import KL, LOGVAR, MEAN, SIGNAL
from srnn_lab.transitions import Spikes

NOTES = [f"{SIGNAL}00", SIGNAL]
"""A silent note is transparent."""
MARGIN = 3
"""Semitones that are shown beyond the lowest and the highest note."""
MAX_DIMENSIONS = 64
"""Dimensions of z in the heat map; the others are used less."""
KILOHERTZ = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Frequencies that are marked beside log-mel energies."""


def clip_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection, spikes: Spikes) -> dict[str, Row]:
    """The rows of a clip by short name, from top to bottom: of Figure 3, or the pictures that other frames ask for."""
    kind = checkpoint.config.data.features
    shown = {"raw": _waveform_rows, "log-mel": _mel_rows, "roll": _roll_rows}[kind]
    first, *rest = shown(checkpoint, signal, clip)
    steps = "steps" if kind == "roll" else "line"
    return dict([first, ("KL", kl_row(clip, spikes, steps)), *rest, ("KL of z", latent_row(clip))])


def kl_row(clip: Inspection, spikes: Spikes, style: str) -> Lines:
    """The KL with its spikes: filled at a change, open elsewhere."""
    lines = [Line("KL", clip.times, clip.kl, KL, style)]
    for name, shape, chosen in (("spike at a change", "dots", spikes.hits), ("elsewhere", "rings", ~spikes.hits)):
        frames = spikes.frames[chosen]
        lines.append(Line(name, clip.times[frames], clip.kl[frames], SIGNAL, shape))
    return Lines("KL(q ‖ p)", "nats", lines, (0.0, 1.05 * max(float(clip.kl.max()), 0.01)))


def latent_row(clip: Inspection) -> Picture:
    """The KL of each dimension of z, the most used on top; the brightest colour is the largest value but for a few."""
    shown = min(MAX_DIMENSIONS, max(8, 2 * clip.active_units))
    order = np.argsort(-clip.use, kind="stable")[:shown][::-1]
    values = clip.kl_z[:, order] if len(order) else np.zeros((len(clip.kl), 1))
    high = max(float(np.quantile(values, 0.998)), 1e-3)
    ticks = {int(i): f"z{order[i]}" for i in {len(order) - 1, len(order) // 2} if len(order)}
    title = f"KL of each dimension of z, the most used on top (0 to {high:.2g} nats and more)"
    return Picture(title, "nats", clip.times, values, sequential.Viridis, ticks, (0.0, high), "dimension")


def _waveform(signal: np.ndarray, rate: int, limit: float) -> Lines:
    line = Line("waveform", np.arange(len(signal)) / rate, signal, SIGNAL)
    return Lines("Waveform", "amplitude", [line], (-limit, limit))


def _waveform_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> list[tuple[str, Row]]:
    data, frontend = checkpoint.config.data, checkpoint.frontend
    start = clip.times[0] - data.frame_length / 2 / data.sample_rate
    times = start + np.arange(clip.mean.size) / data.sample_rate
    logvar = (clip.logvar + 2 * np.log(frontend.std)).reshape(-1)
    limit = 1.05 * float(np.abs(signal).max())
    return [
        ("waveform", _waveform(signal, data.sample_rate, limit)),
        (
            "mean",
            Lines(
                "Reconstructed mean",
                "amplitude",
                [Line("mean", times, frontend.waveform(clip.mean), MEAN)],
                (-limit, limit),
            ),
        ),
        (
            "log-variance",
            Lines("Reconstructed log-variance", "log amp²", [Line("log-variance", times, logvar, LOGVAR)]),
        ),
    ]


def mel_bin(kilohertz: float, sample_rate: int, num_bins: int) -> float:
    """The index of the mel bin with its middle at a frequency, between two bins as a fraction (Slaney's scale)."""

    def mel(frequency: float) -> float:
        return 15 * frequency if frequency < 1 else 15 + 27 * np.log(frequency) / np.log(6.4)

    return float(mel(kilohertz) / mel(sample_rate / 2000) * (num_bins + 1) - 1)


def _mel_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> list[tuple[str, Row]]:
    rate, bins = checkpoint.config.data.sample_rate, clip.frames.shape[1]
    ticks = {mel_bin(f, rate, bins): f"{f:g}" for f in KILOHERTZ if f <= rate / 2000}
    limits = (float(clip.frames.min()), float(clip.frames.max()))

    def picture(title: str, values: Float[np.ndarray, "t x"], colours: list[str], limits: tuple | None) -> Picture:
        return Picture(title, "", clip.times, values, colours, ticks, limits, "kHz")

    return [
        ("waveform", _waveform(signal, rate, 1.05 * float(np.abs(signal).max()))),
        ("log-mel", picture("Log-mel energies (standardised)", clip.frames, sequential.Magma, limits)),
        ("mean", picture("Reconstructed mean", clip.mean, sequential.Magma, limits)),
        ("log-variance", picture("Reconstructed log-variance", clip.logvar, sequential.Viridis, None)),
    ]


def _roll_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> list[tuple[str, Row]]:
    sounding = np.flatnonzero(signal.any(0)) if signal.any() else np.array([0, signal.shape[1] - 1])
    low, high = max(0, sounding[0] - MARGIN), min(signal.shape[1], sounding[-1] + MARGIN + 1)
    pitches = LOWEST_PITCH + np.arange(low, high)
    ticks = {int(pitch - pitches[0]): f"C{pitch // 12 - 1}" for pitch in pitches[pitches % 12 == 0]}

    def picture(title: str, unit: str, values: Float[np.ndarray, "t x"], times: Float[np.ndarray, "t"]) -> Picture:
        return Picture(title, unit, times, values[:, low:high], NOTES, ticks, (0.0, 1.0), "pitch")

    return [
        ("piano roll", picture("Piano roll", "", signal, checkpoint.frontend.times(len(signal)))),
        ("p(note)", picture("p(note) under the posterior (opacity)", "", clip.mean, clip.times)),
    ]
