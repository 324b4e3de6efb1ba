"""NumPy in, Plotly figure out: the pictures of the dashboard, the command line and the notebooks."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from plotly.colors import sequential
from plotly.subplots import make_subplots

SIGNAL, KL, MEAN, LOGVAR, CHANGE = "#4878cf", "#d65f5f", "#2f9e77", "#956cb4", "#888888"
"""Colours that read on a light and on a dark page."""
# Streamlit swaps some near-black colours, the first of Plotly's own Magma among them, for its theme's.
MAGMA = ["rgb(1,1,6)", *sequential.Magma[1:]]
NOTES = [[0, "rgba(72,120,207,0)"], [1, "rgb(72,120,207)"]]
LOWEST_PITCH = 21
MAX_MARKS = 150
"""Changes that are marked over the whole height; more become ticks at the top."""
MAX_POINTS = 2000
"""Points of a waveform that are drawn; more are reduced to the extremes of each stretch."""


def envelope(t: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> tuple[np.ndarray, np.ndarray]:
    """At most about ``MAX_POINTS`` points with the same minima and maxima."""
    stretch = 2 * len(y) // MAX_POINTS
    if stretch < 2:
        return t, y
    n = len(y) // stretch
    parts = y[: n * stretch].reshape(n, stretch)
    extremes = np.sort(np.stack([parts.argmin(1), parts.argmax(1)], 1), 1) + np.arange(n)[:, None] * stretch
    index = extremes.ravel()
    return t[index], y[index]


def _line(x: np.ndarray, y: np.ndarray, colour: str, name: str, unit: str) -> go.Scatter:
    return go.Scatter(
        x=np.asarray(x, np.float32),
        y=np.asarray(y, np.float32),
        line={"color": colour, "width": 1.2},
        name=name,
        hovertemplate=f"%{{x:.3f}}: %{{y:.3g}} {unit}<extra>{name}</extra>",
    )


def _picture(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, scale: str | list, name: str, unit: str, **more: object
) -> go.Heatmap:
    return go.Heatmap(
        x=np.asarray(x, np.float32),
        y=y,
        z=np.asarray(z, np.float32),
        colorscale=scale,
        name=name,
        hovertemplate=f"%{{x:.3f}}, %{{y}}: %{{z:.3g}} {unit}<extra>{name}</extra>",
        **more,
    )


def _rows(titles: Sequence[str], heights: Sequence[float], units: Sequence[str], x_title: str) -> go.Figure:
    figure = make_subplots(
        rows=len(titles),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=60 / (190 * len(titles)),
        row_heights=list(heights),
        subplot_titles=titles,
    )
    for row, unit in enumerate(units, 1):
        figure.update_yaxes(title_text=unit, title_standoff=4, row=row, col=1)
    figure.update_xaxes(title_text=x_title, row=len(titles), col=1)
    figure.update_annotations(font_size=14, x=0, xanchor="left")
    figure.update_layout(
        height=190 * len(titles) + 60,
        margin={"l": 64, "r": 90, "t": 32, "b": 48},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
    )
    figure.update_xaxes(showgrid=False, zeroline=False, ticks="outside")
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    return figure


COLOURS = (SIGNAL, KL, MEAN, LOGVAR, "#d98c2b", CHANGE)
"""Of lines, in their order."""


def line_figure(x: ArrayLike, lines: Mapping[str, ArrayLike], x_title: str, y_title: str, title: str = "") -> go.Figure:
    """Lines over one axis.

    Args:
        x: Where the n values of each line lie.
        lines: Values by the name that the legend shows.
        x_title: Title of the axis, with its unit.
        y_title: Title of the values, with their unit.
        title: Title of the figure.
    """
    figure = _rows([title], [1.0], [y_title], x_title)
    for i, (name, y) in enumerate(lines.items()):
        figure.add_trace(_line(x, y, COLOURS[i % len(COLOURS)], name, ""))
    figure.update_layout(height=320, showlegend=len(lines) > 1, legend={"orientation": "h", "y": -0.25})
    return figure


def grid_figure(values: ArrayLike, x_title: str, y_title: str, title: str = "") -> go.Figure:
    """A matrix as a picture, row 1 at the top; a value that is not a number stays white.

    Args:
        values: What the colours stand for, (m, n).
        x_title: Title of the columns.
        y_title: Title of the rows.
        title: Title of the figure.
    """
    figure = _rows([title], [1.0], [y_title], x_title)
    rows, columns = (1 + np.arange(size) for size in np.shape(values))
    figure.add_trace(_picture(columns, rows, values, "Viridis", title, "", colorbar={"thickness": 12}))
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(height=400)
    return figure


def graph_figure(
    nodes: Mapping[str, tuple[float | int, float | int]], edges: Sequence[tuple[str, str]], title: str = ""
) -> go.Figure:
    """A graphical model: diamonds are deterministic (d, a), circles random (z, x) or given (u); x and u are shaded.

    Args:
        nodes: Places by name, ``z_t-1`` for instance; what follows the underscore becomes an index.
        edges: Pairs of names, from and to.
        title: Title of the figure.
    """
    x, y = np.array(list(nodes.values()), float).T
    texts = ["{}<sub>{}</sub>".format(*name.split("_")) for name in nodes]
    marker = {
        "symbol": ["diamond" if name[0] in "da" else "circle" for name in nodes],
        "color": ["#d9d9d9" if name[0] in "xu" else "white" for name in nodes],
        "size": [36 if name[0] in "da" else 44 for name in nodes],
        "line": {"color": SIGNAL, "width": 2},
    }
    figure = _rows([title], [1.0], [""], "")
    figure.add_trace(go.Scatter(x=x, y=y, mode="markers+text", marker=marker, text=texts, hoverinfo="skip"))
    for start, end in edges:
        (x_tail, y_tail), (x_head, y_head) = nodes[start], nodes[end]
        arrow = {"ax": x_tail, "ay": y_tail, "axref": "x", "ayref": "y", "arrowhead": 2, "arrowcolor": CHANGE}
        figure.add_annotation(x=x_head, y=y_head, text="", standoff=26, startstandoff=26, **arrow)
    figure.update_xaxes(visible=False, range=[x.min() - 0.6, x.max() + 0.6])
    figure.update_yaxes(visible=False, range=[y.min() - 0.5, y.max() + 0.5])
    figure.update_layout(height=95 * len(set(y)) + 40, margin_b=8)
    return figure


def _kl_row(
    figure: go.Figure, row: int, times: np.ndarray, kl: np.ndarray, changes: np.ndarray, shape: str = "linear"
) -> None:
    figure.add_trace(_line(times, kl, KL, "KL", "nats").update(line_shape=shape), row=row, col=1)
    top = 1.05 * float(kl.max(initial=0.01))
    # One trace for all marks: Plotly is slow with a shape for each.
    marks = np.repeat(times[changes], 3)
    bottom = 0.0 if len(changes) <= MAX_MARKS else 0.94 * top
    heights = np.tile([bottom, top, np.nan], len(changes))
    dots = {"color": CHANGE, "width": 1, "dash": "dot"}
    mark = go.Scatter(x=marks, y=heights, mode="lines", line=dots, name="change", hoverinfo="skip")
    figure.add_trace(mark, row=row, col=1)
    figure.update_yaxes(range=[0, top], row=row, col=1)
    figure.update_xaxes(showticklabels=True, row=row, col=1)


def waveform_figure(
    waveform: Float[np.ndarray, "n"],
    mean: Float[np.ndarray, "m"],
    logvar: Float[np.ndarray, "m"],
    start: float,
    sample_rate: int,
    times: Float[np.ndarray, "t"],
    kl: Float[np.ndarray, "t"],
    changes: Int[np.ndarray, "c"],
) -> go.Figure:
    """The paper's Figure 3: waveform, KL per frame, reconstructed mean and log-variance over one time axis.

    Args:
        waveform: Samples in [-1, 1].
        mean: Reconstructed mean of each sample, in the units of ``waveform``.
        logvar: Reconstructed log-variance of each sample.
        start: Time of the first reconstructed sample, in seconds.
        sample_rate: Samples a second.
        times: Middle of each frame, in seconds.
        kl: Nats per frame.
        changes: Frames with an onset.
    """
    figure = _rows(
        [
            "Waveform",
            "KL(q ‖ p) per frame; dotted: onsets of the sound",
            "Reconstructed mean",
            "Reconstructed log-variance",
        ],
        [1.0, 1.0, 1.0, 1.0],
        ["amplitude", "nats", "amplitude", "log-variance"],
        "time (s)",
    )
    t = np.arange(len(waveform)) / sample_rate
    t_mean = start + np.arange(len(mean)) / sample_rate
    figure.add_trace(_line(*envelope(t, waveform), SIGNAL, "waveform", ""), row=1, col=1)
    _kl_row(figure, 2, times, kl, changes)
    figure.add_trace(_line(*envelope(t_mean, mean), MEAN, "mean", ""), row=3, col=1)
    figure.add_trace(_line(*envelope(t_mean, logvar), LOGVAR, "log-variance", ""), row=4, col=1)
    loudest = float(np.abs(waveform).max())
    for row in (1, 3):
        figure.update_yaxes(range=[-1.05 * loudest, 1.05 * loudest], row=row, col=1)
    figure.update_xaxes(range=[0, t[-1]])
    return figure


def mel_figure(
    waveform: Float[np.ndarray, "n"],
    sample_rate: int,
    times: Float[np.ndarray, "t"],
    kl: Float[np.ndarray, "t"],
    changes: Int[np.ndarray, "c"],
    frames: Float[np.ndarray, "t x"],
    mean: Float[np.ndarray, "t x"],
    logvar: Float[np.ndarray, "t x"],
) -> go.Figure:
    """Waveform, KL per frame, and the log-mel energies: observed, reconstructed mean and log-variance.

    Args:
        waveform: Samples in [-1, 1].
        sample_rate: Samples a second.
        times: Middle of each frame, in seconds.
        kl: Nats per frame.
        changes: Frames with an onset.
        frames: Standardised log-mel energies.
        mean: Their reconstructed mean.
        logvar: Their reconstructed log-variance.
    """
    figure = _rows(
        [
            "Waveform",
            "KL(q ‖ p) per frame; dotted: onsets of the sound",
            "Log-mel energies (standardised)",
            "Reconstructed mean",
            "Reconstructed log-variance",
        ],
        [0.8, 1.1, 1.0, 1.0, 1.0],
        ["amplitude", "nats", "mel bin", "mel bin", "mel bin"],
        "time (s)",
    )
    t = np.arange(len(waveform)) / sample_rate
    figure.add_trace(_line(*envelope(t, waveform), SIGNAL, "waveform", ""), row=1, col=1)
    _kl_row(figure, 2, times, kl, changes)
    bins = np.arange(frames.shape[1])
    low, high = float(frames.min()), float(frames.max())
    for row, (values, name, scale, limits) in enumerate(
        [
            (frames, "energy", MAGMA, (low, high)),
            (mean, "mean", MAGMA, (low, high)),
            (logvar, "log-variance", "Viridis", (float(logvar.min()), float(logvar.max()))),
        ],
        3,
    ):
        bar = _colour_bar(figure, row)
        picture = _picture(times, bins, values.T, scale, name, "", zmin=limits[0], zmax=limits[1], colorbar=bar)
        figure.add_trace(picture, row=row, col=1)
    figure.update_xaxes(range=[0, t[-1]])
    return figure


def _colour_bar(figure: go.Figure, row: int) -> dict[str, object]:
    low, high = figure.get_subplot(row, 1).yaxis.domain
    return {"y": (low + high) / 2, "len": high - low, "lenmode": "fraction", "thickness": 12, "x": 1.01}


def music_figure(
    roll: Float[np.ndarray, "n 88"],
    roll_times: Float[np.ndarray, "n"],
    times: Float[np.ndarray, "t"],
    kl: Float[np.ndarray, "t"],
    changes: Int[np.ndarray, "c"],
    mean: Float[np.ndarray, "t 88"],
) -> go.Figure:
    """Piano roll, KL per frame and p(note) under the posterior over one axis of quarter notes.

    Args:
        roll: The notes that are played.
        roll_times: Middle of each of its frames, in quarter notes.
        times: Middle of each scored frame, in quarter notes.
        kl: Nats per frame.
        changes: Frames in which the chord changes.
        mean: p(note).
    """
    figure = _rows(
        ["Piano roll", "KL(q ‖ p) per frame; dotted: the chord changes", "p(note) under the posterior"],
        [1.2, 1.0, 1.2],
        ["MIDI pitch", "nats", "MIDI pitch"],
        "time (quarter notes)",
    )
    pitches = LOWEST_PITCH + np.arange(roll.shape[1])
    figure.add_trace(
        _picture(roll_times, pitches, roll.T, NOTES, "note", "", showscale=False, zmin=0, zmax=1), row=1, col=1
    )
    _kl_row(figure, 2, times, kl, changes, "hvh")
    bar = _colour_bar(figure, 3)
    figure.add_trace(_picture(times, pitches, mean.T, NOTES, "p(note)", "", zmin=0, zmax=1, colorbar=bar), row=3, col=1)
    for row in (1, 3):
        figure.update_yaxes(range=_pitch_range(roll), row=row, col=1)
    return figure


def _pitch_range(roll: np.ndarray) -> list[float]:
    shown = np.flatnonzero(roll.any(0)) if roll.any() else np.array([0, roll.shape[1] - 1])
    return [LOWEST_PITCH + shown.min() - 3.5, LOWEST_PITCH + shown.max() + 3.5]


def roll_figure(roll: Float[np.ndarray, "t 88"], times: Float[np.ndarray, "t"], title: str) -> go.Figure:
    """A piano roll over quarter notes."""
    figure = _rows([title], [1.0], ["MIDI pitch"], "time (quarter notes)")
    pitches = LOWEST_PITCH + np.arange(roll.shape[1])
    figure.add_trace(_picture(times, pitches, roll.T, NOTES, "note", "", showscale=False, zmin=0, zmax=1), row=1, col=1)
    figure.update_yaxes(range=_pitch_range(roll))
    return figure
