"""Which picture an inspected clip gets: the one place that ties ``inspection`` to ``plots``."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from srnn_lab import plots
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.comparison import Comparison
from srnn_lab.config import DataConfig
from srnn_lab.inspection import Inspection
from srnn_lab.interventions import Reconstruction
from srnn_lab.transitions import EditEffect


def clip_figure(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> go.Figure:
    """The paper's Figure 3 for raw frames, pictures for log-mel frames, piano rolls for music."""
    data, frontend = checkpoint.config.data, checkpoint.frontend
    if data.features == "roll":
        return plots.music_figure(signal, frontend.times(len(signal)), clip.times, clip.kl, clip.changes, clip.mean)
    if data.features == "log-mel":
        return plots.mel_figure(
            signal, data.sample_rate, clip.times, clip.kl, clip.changes, clip.frames, clip.mean, clip.logvar
        )
    start = clip.times[0] - data.frame_length / 2 / data.sample_rate
    mean = frontend.waveform(clip.mean)
    logvar = (clip.logvar + 2 * np.log(frontend.std)).reshape(-1)
    return plots.waveform_figure(signal, mean, logvar, start, data.sample_rate, clip.times, clip.kl, clip.changes)


def _signal_times(signal: np.ndarray, data: DataConfig) -> np.ndarray:
    return (np.arange(len(signal)) + 0.5 * (data.features == "roll")) / data.rate


def _time_axis(data: DataConfig) -> str:
    return "time (quarter notes)" if data.features == "roll" else "time (s)"


def comparison_figure(
    checkpoint: Checkpoint, signal: np.ndarray, comparison: Comparison, moments: np.ndarray
) -> go.Figure:
    """The clip, and the models over each other; ``checkpoint`` is the first of them."""
    data, found = checkpoint.config.data, comparison
    return plots.comparison_figure(
        signal, _signal_times(signal, data), found.names, found.times, found.kl, found.elbo, moments, _time_axis(data)
    )


def reconstructions_figure(
    checkpoint: Checkpoint,
    signal: np.ndarray,
    clip: Inspection,
    found: Mapping[str, Reconstruction],
    replaced: tuple[float, float],
) -> go.Figure:
    """The clip and its reconstructions: waveforms of raw frames, pictures of the others.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: Its inspection.
        found: Reconstructions by where z comes from.
        replaced: Start and end of the stretch in which z is replaced.
    """
    data = checkpoint.config.data
    if data.features == "raw":
        observed, observed_times, unit = signal, _signal_times(signal, data), "amplitude"
        means = {name: checkpoint.frontend.waveform(r.mean) for name, r in found.items()}
        start = clip.times[0] - data.frame_length / 2 / data.rate
        mean_times = start + np.arange(clip.mean.size) / data.rate
    else:
        observed, observed_times, unit = clip.frames, clip.times, "mel bin"
        means, mean_times = {name: r.mean for name, r in found.items()}, clip.times
        if data.features == "roll":
            observed, observed_times, unit = signal, _signal_times(signal, data), "MIDI pitch"
    log_px = {name: r.log_px for name, r in found.items()}
    return plots.reconstructions_figure(
        observed, observed_times, means, mean_times, log_px, clip.times, unit, _time_axis(data), replaced
    )


def edit_figure(
    data: DataConfig,
    before: np.ndarray,
    after: np.ndarray,
    effect: EditEffect,
    others: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> go.Figure:
    """A clip before and after an edit, and the KL of both over each other.

    Args:
        data: What a frame is.
        before: The clip.
        after: The edited one.
        effect: What the edit does to the KL.
        others: Further lines by name: times, and nats per frame.
    """
    lines = {"before": effect.aligned, "after": (effect.after.times, effect.after.kl), **others}
    return plots.edit_figure(
        before,
        _signal_times(before, data),
        after,
        _signal_times(after, data),
        lines,
        effect.joints_before,
        effect.joints_after,
        _time_axis(data),
    )
