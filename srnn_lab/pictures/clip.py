"""Which picture an inspected clip gets: the one place that ties ``inspection`` to ``plots``."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from srnn_lab import plots
from srnn_lab.analysis.inspection import Inspection
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data.kinds import LogMel, Roll, Series


def clip_figure(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> go.Figure:
    """The paper's Figure 3 for raw frames, pictures for log-mel frames, piano rolls for music, lines for tables.

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
    if isinstance(data.kind, Series):
        rows, names = table_of(checkpoint, clip.mean)
        tables = ((frontend.times(len(signal)), signal, data.kind.names), (clip.times, rows, names))
        return plots.table_figure(*tables, clip.times, clip.kl, data.kind.time_unit)
    start = clip.times[0] - data.frame_length / 2 / data.sample_rate
    mean = frontend.waveform(clip.mean)
    logvar = (clip.logvar + 2 * np.log(frontend.std)).reshape(-1)
    return plots.waveform_figure(signal, mean, logvar, start, data.sample_rate, clip.times, clip.kl, clip.changes)


def table_of(checkpoint: Checkpoint, mean: Float[np.ndarray, "t x"]) -> tuple[Float[np.ndarray, "t c"], list[str]]:
    """The means of frames as rows of a table, with a name for each column: of categories, their probabilities."""
    kind = checkpoint.config.data.kind
    if kind.values == "category":
        return mean, [str(i) for i in range(mean.shape[1])]
    return checkpoint.frontend.signal(mean), kind.names


def signal_times(signal: np.ndarray, data: DataConfig) -> np.ndarray:
    """The time of each sample of a waveform, in seconds, or the middle of each frame of a roll, in quarter notes."""
    return (np.arange(len(signal)) + 0.5 * (signal.ndim > 1)) / data.rate
