"""Which picture an inspected clip gets: the one place that ties ``inspection`` to ``plots``."""

import numpy as np
import plotly.graph_objects as go

from srnn_lab import plots
from srnn_lab.analysis.inspection import Inspection
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data.kinds import LogMel, Roll


def clip_figure(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> go.Figure:
    """The paper's Figure 3 for raw frames, pictures for log-mel frames, piano rolls for music.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: What the model makes of it.
    """
    data, frontend = checkpoint.config.data, checkpoint.frontend
    if isinstance(data.kind, Roll):
        return plots.music_figure(signal, frontend.times(len(signal)), clip.times, clip.kl, clip.changes, clip.mean)
    if isinstance(data.kind, LogMel):
        return plots.mel_figure(
            signal, data.sample_rate, clip.times, clip.kl, clip.changes, clip.frames, clip.mean, clip.logvar
        )
    start = clip.times[0] - data.frame_length / 2 / data.sample_rate
    mean = frontend.waveform(clip.mean)
    logvar = (clip.logvar + 2 * np.log(frontend.std)).reshape(-1)
    return plots.waveform_figure(signal, mean, logvar, start, data.sample_rate, clip.times, clip.kl, clip.changes)


def signal_times(signal: np.ndarray, data: DataConfig) -> np.ndarray:
    """The time of each sample of a waveform, in seconds, or the middle of each frame of a roll, in quarter notes."""
    return (np.arange(len(signal)) + 0.5 * (signal.ndim > 1)) / data.rate
