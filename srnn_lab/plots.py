"""NumPy in, Plotly figure out: the pictures of the dashboard, the command line and the notebooks."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
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


def envelope(
    t: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], max_points: int = MAX_POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """At most about ``max_points`` points with the same minima and maxima."""
    stretch = 2 * len(y) // max_points
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


def _kl_row(
    figure: go.Figure, row: int, times: np.ndarray, kl: np.ndarray, changes: np.ndarray, shape: str = "linear"
) -> None:
    figure.add_trace(_line(times, kl, KL, "KL", "nats").update(line_shape=shape), row=row, col=1)
    top = 1.05 * float(kl.max(initial=0.01))
    # One trace for all marks: Plotly is slow with a shape for each.
    marks = np.repeat(times[changes], 3)
    bottom = 0.0 if len(changes) <= MAX_MARKS else 0.94 * top
    heights = np.tile([bottom, top, np.nan], len(changes))
    mark = go.Scatter(
        x=marks, y=heights, line={"color": CHANGE, "width": 1, "dash": "dot"}, name="change", hoverinfo="skip"
    )
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


def curves_figure(curves: Mapping[str, Float[np.ndarray, "e"]], bound: str, valid_unit: str) -> go.Figure:
    """Training curves over epochs: the bound and the KL on training and validation data, and the schedules.

    Args:
        curves: Columns of ``curves.csv``, a value for each epoch.
        bound: Name of the bound that is trained on.
        valid_unit: Unit of the validation figures; training figures are in nats per frame.
    """
    rows = [(bound, ("train_elbo", "valid_bound")), ("KL", ("train_kl", "valid_kl"))]
    panels = [(title, "nats per frame", {"training": train, "validation": valid}) for title, (train, valid) in rows]
    if valid_unit != "nats per frame":  # on one axis, one of the two would be a line at 0
        panels = [
            (f"{title}, {name}", unit, {name: column})
            for title, columns in rows
            for name, unit, column in zip(
                ("training", "validation"), ("nats per frame", valid_unit), columns, strict=True
            )
        ]
    figure = _rows(
        [*(title for title, _, _ in panels), "Schedules"],
        [1.0] * (len(panels) + 1),
        [*(unit for _, unit, _ in panels), "share"],
        "epoch",
    )
    epochs = curves["epoch"]
    rate = curves["learning_rate"] / curves["learning_rate"].max(initial=1e-30)
    lines = [
        *(
            (row, curves[column], name, unit)
            for row, (_, unit, columns) in enumerate(panels, 1)
            for name, column in columns.items()
        ),
        (len(panels) + 1, curves["kl_weight"], "KL weight", ""),
        (len(panels) + 1, rate, "learning rate", "of its largest"),
    ]
    looks = {"training": (SIGNAL, "solid"), "validation": (KL, "dash"), "KL weight": (LOGVAR, "solid")}
    seen = set()
    for row, values, name, unit in lines:
        colour, dash = looks.get(name, (MEAN, "dash"))
        mode = "lines+markers" if len(epochs) < 30 else "lines"
        line = _line(epochs, values, colour, name, unit).update(line={"width": 2, "dash": dash}, mode=mode)
        figure.add_trace(line.update(legendgroup=name, showlegend=name not in seen), row=row, col=1)
        seen.add(name)
    best = int(curves["valid_bound"].argmax())
    row = next(i for i, (_, _, columns) in enumerate(panels, 1) if "validation" in columns)
    star = {"symbol": "star", "size": 12, "color": KL, "line": {"width": 1, "color": CHANGE}}
    mark = go.Scatter(
        x=epochs[[best]], y=curves["valid_bound"][[best]], mode="markers", marker=star, name="best epoch, which is kept"
    )
    figure.add_trace(mark, row=row, col=1)
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"}
    )
    figure.update_layout(margin_t=72)
    return figure
