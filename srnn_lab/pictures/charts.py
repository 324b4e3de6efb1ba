"""NumPy in, Plotly figure out: the pictures of the dashboard, the command line and the notebooks."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike
from plotly.colors import sequential
from plotly.subplots import make_subplots

from srnn_lab.pictures.limits import beyond, robust_limits

SIGNAL, KL, MEAN, LOGVAR, CHANGE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#888888"
"""Colours that read on a light and on a dark page and that colour-blind eyes tell apart (Okabe and Ito)."""
PRIOR, POSTERIOR = SIGNAL, KL
MEASURED, PUBLISHED = "#3b8fd0", "#d9822b"
"""Blue and orange, which those who see red and green alike tell apart; the shapes differ too."""
OVERLAID = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#9030f0")
"""Colours of lines over each other, which colour-blind eyes tell apart (after Okabe and Ito)."""
# Streamlit swaps some near-black colours, the first of Plotly's own Magma among them, for its theme's.
MAGMA = ["rgb(1,1,6)", *sequential.Magma[1:]]
NOTES = [[0, "rgba(0,114,178,0)"], [1, "rgb(0,114,178)"]]
LOWEST_PITCH = 21
LABEL_WIDTH = 25
"""Characters of a row's label in one line; more would leave no room for the dots on a phone."""
MAX_MARKS = 150
"""Changes that are marked over the whole height; more become ticks at the top."""
MAX_TICKS = 11
"""Dimensions of z that have their number at the axis, which a phone shows side by side; hovering tells the others'."""
MAX_LATENTS = 32
"""Dimensions of z that a figure shows at first; a double click shows all."""
MAX_POINTS = 2000
"""Points of a waveform that are drawn; more are reduced to the extremes of each stretch."""


def envelope(
    t: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], max_points: int = MAX_POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """At most about ``max_points`` points with the same minima and maxima."""
    stretch = 2 * len(y) // max_points
    if stretch < 2:
        return t, y
    n = -(-len(y) // stretch)
    parts = np.pad(y, (0, n * stretch - len(y)), "edge").reshape(n, stretch)
    extremes = np.stack([parts.argmin(1), parts.argmax(1)], 1) + np.arange(n)[:, None] * stretch
    index = np.unique(np.minimum(extremes, len(y) - 1))
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


Columns = tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n c"], Sequence[str]]
"""Times, the rows of a table, and the names of its columns."""
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
    _limit(figure, row, times, kl, robust_limits([kl]))
    top = figure.get_subplot(row, 1).yaxis.range[1]
    # One trace for all marks: Plotly is slow with a shape for each.
    marks = np.repeat(times[changes], 3)
    bottom = 0.0 if len(changes) <= MAX_MARKS else 0.94 * top
    heights = np.tile([bottom, top, np.nan], len(changes))
    dots = {"color": CHANGE, "width": 1, "dash": "dot"}
    mark = go.Scatter(x=marks, y=heights, mode="lines", line=dots, name="change", hoverinfo="skip")
    figure.add_trace(mark, row=row, col=1)
    figure.update_xaxes(showticklabels=True, row=row, col=1)


def _limit(figure: go.Figure, row: int, times: np.ndarray, values: np.ndarray, limits: tuple[float, float]) -> None:
    """Limit the axis of a KL; what lies beyond gets triangles, and a note above."""
    figure.update_yaxes(range=limits, row=row, col=1)
    if not (note := beyond([(times, values)], limits, "nats")):
        return
    figure.layout.annotations[row - 1].text += f"; {note}"
    outside = (values < limits[0]) | (values > limits[1])
    triangles = go.Scatter(
        x=times[outside],
        y=np.clip(values[outside].astype(float), *limits),  # as a float32, an edge may lie beyond itself
        mode="markers",
        marker={
            "symbol": np.where(values[outside] > limits[1], "triangle-up", "triangle-down"),
            "size": 9,
            "color": KL,
        },
        customdata=values[outside],
        name="beyond the axis",
        hovertemplate="%{x:.3f}: %{customdata:.4g} nats<extra>beyond the axis</extra>",
        cliponaxis=False,
        showlegend=False,
    )
    figure.add_trace(triangles, row=row, col=1)


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
        changes: Frames that are marked.
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
        changes: Frames that are marked.
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


def table_figure(
    signal: Columns, mean: Columns, times: Float[np.ndarray, "t"], kl: Float[np.ndarray, "t"], time_unit: str
) -> go.Figure:
    """A table, KL per frame and the means under the posterior over one axis of time.

    Args:
        signal: Times, rows and names of the columns of the table.
        mean: The same of the means.
        times: Middle of each scored frame.
        kl: Nats per frame.
        time_unit: Unit of the times.
    """
    titles = ["Table", "KL(q ‖ p) per frame", "Mean under the posterior"]
    figure = _rows(titles, [1.2, 1.0, 1.2], ["value", "nats", "value"], f"time ({time_unit})")
    for row, (at, rows, names) in ((1, signal), (3, mean)):
        for i, (name, values) in enumerate(zip(names, rows.T, strict=True)):
            figure.add_trace(_line(at, values, COLOURS[i % len(COLOURS)], name, ""), row=row, col=1)
    _kl_row(figure, 2, times, kl, np.zeros(0, int))
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


def results_figure(
    labels: Sequence[str],
    title: str,
    values: Float[np.ndarray, "r"],
    errors: Float[np.ndarray, "r"],
    published: Bool[np.ndarray, "r"],
) -> go.Figure:
    """A column of a table: dots with one standard error to either side, and diamonds for what is published.

    Args:
        labels: One for each row.
        title: Title of the column.
        values: Nats, higher is better.
        errors: Standard errors; NaN where none is known.
        published: Whether a value stands in a publication, rather than being measured here.
    """
    figure = _rows([""], [1.0], [""], "nats")
    for name, rows, colour, symbol in (
        ("measured here", np.flatnonzero(~published), MEASURED, "circle"),
        ("published", np.flatnonzero(published), PUBLISHED, "diamond-open"),
    ):
        dots = go.Scatter(
            x=values[rows],
            y=rows,
            error_x={"array": errors[rows]},
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 8, "line": {"color": colour, "width": 2}},
            name=name,
            text=[labels[row] for row in rows],
            hovertemplate=f"%{{text}}: %{{x:.2f}} nats<extra>{name}</extra>",
        )
        figure.add_trace(dots)
    figure.update_xaxes(nticks=5, tickangle=0, showgrid=True, gridcolor="rgba(128,128,128,0.25)")
    if len(values) == 1:  # alone, its error would fill the axis
        reach = max(abs(values[0]) / 10, 2 * np.nan_to_num(errors[0]))
        figure.update_xaxes(range=[values[0] - reach, values[0] + reach])
    lines = ["<br>".join(wrap(label, LABEL_WIDTH)) for label in labels]
    figure.update_yaxes(
        tickvals=np.arange(len(labels)), ticktext=lines, range=[len(labels) - 0.5, -0.5], automargin=True
    )
    figure.update_layout(
        title={"text": title, "font_size": 14, "x": 0, "y": 1, "yanchor": "top", "pad_t": 8},
        height=80 + 36 * len(labels),
        margin={"l": 0, "r": 16},
    )
    return figure


def curves_figure(curves: Mapping[str, Float[np.ndarray, "e"]], bound: str, valid_unit: str) -> go.Figure:
    """Training curves over epochs: the bound and the KL on training and validation data, and the schedules.

    Args:
        curves: Columns of ``curves.csv``, a value for each epoch.
        bound: Name of the bound that is trained on.
        valid_unit: Unit of the validation figures; training figures are in nats per frame.
    """
    rows = [(bound, ("train_bound", "valid_bound")), ("KL", ("train_kl", "valid_kl"))]
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
        x=epochs[[best]], y=curves["valid_bound"][[best]], mode="markers", marker=star, name="best checkpoint"
    )
    figure.add_trace(mark, row=row, col=1)
    for row, (title, _, columns) in enumerate(panels, 1):
        if title.startswith(bound):  # the first epochs are far below all others
            values = np.concatenate([curves[column] for column in columns.values()])
            low, high = float(np.quantile(values, 0.2)), float(values.max())
            margin = 0.1 * (high - low) + 1e-3
            figure.update_yaxes(range=[low - margin, high + margin], row=row, col=1)
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"}
    )
    figure.update_layout(margin_t=72)
    return figure


def latent_figure(
    order: Int[np.ndarray, "z"],
    mu_p: Float[np.ndarray, "z"],
    sd_p: Float[np.ndarray, "z"],
    mu_q: Float[np.ndarray, "z"],
    sd_q: Float[np.ndarray, "z"],
    kl: Float[np.ndarray, "z"],
    residual: bool,
) -> go.Figure:
    """One frame's prior and posterior of each dimension of z, its KL, and for Res_q what is added to the prior mean.

    Args:
        order: The dimensions, from left to right.
        mu_p: Prior means.
        sd_p: Prior standard deviations.
        mu_q: Posterior means.
        sd_q: Posterior standard deviations.
        kl: Nats of each dimension.
        residual: Whether the posterior mean is the prior mean plus a residual.
    """
    titles = ["Mean ± sd of p (circles), q (diamonds)", "KL(q ‖ p) of each dimension"]
    units = ["z", "nats"]
    if residual:
        titles.append("Mean of q = mean of p (blue) + residual")
        units.append("z")
    figure = _rows(titles, [1.4, 0.8, 1.0][: len(titles)], units, "dimension of z, the most used over the clip first")
    rank = np.arange(len(order))
    for name, mu, sd, colour, symbol, shift in (
        ("prior p", mu_p, sd_p, PRIOR, "circle", -0.15),
        ("posterior q", mu_q, sd_q, POSTERIOR, "diamond", 0.15),
    ):
        figure.add_trace(
            go.Scatter(
                x=rank + shift,
                y=mu[order],
                error_y={"array": sd[order], "thickness": 1.2, "width": 2},
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 7},
                name=name,
                customdata=np.stack([order, sd[order]], 1),
                hovertemplate=f"z[%{{customdata[0]:.0f}}]: %{{y:.3g}} ± %{{customdata[1]:.3g}}<extra>{name}</extra>",
            ),
            row=1,
            col=1,
        )
    bars = [(2, "KL", kl, KL)]
    if residual:
        bars += [(3, "mean of p", mu_p, PRIOR), (3, "residual", mu_q - mu_p, POSTERIOR)]
    for row, name, values, colour in bars:
        figure.add_trace(
            go.Bar(
                x=rank,
                y=values[order],
                marker_color=colour,
                name=name,
                customdata=order,
                hovertemplate=f"z[%{{customdata}}]: %{{y:.3g}}<extra>{name}</extra>",
            ),
            row=row,
            col=1,
        )
    figure.update_layout(barmode="group", bargap=0.25, margin_r=16)
    shown = min(len(order), MAX_LATENTS)
    every = -(-shown // MAX_TICKS)
    figure.update_xaxes(tickvals=rank[::every], ticktext=order[::every], tickangle=0, range=[-0.6, shown - 0.4])
    return figure


def null_figure(null: Float[np.ndarray, "n"], value: float, name: str) -> go.Figure:
    """How a measure is distributed under circular shifts, and where that of the clip lies.

    Args:
        null: The measure after each shift.
        value: The measure of the clip.
        name: What it is.
    """
    figure = _rows([f"{name} of shifted copies (grey)<br>and of this clip (orange)"], [1.0], ["shifts"], name)
    counts, edges = np.histogram(null, 40, (min(0.0, float(null.min())), max(1.0, float(null.max()))))
    middles = (edges[1:] + edges[:-1]) / 2
    bar = go.Bar(
        x=middles, y=counts, marker_color=CHANGE, width=edges[1] - edges[0], name="shifts", hovertemplate="%{y} shifts"
    )
    figure.add_trace(bar)
    top = float(counts.max())
    line = go.Scatter(x=[value, value], y=[0, top], line={"color": KL, "width": 3}, name="this clip", mode="lines")
    figure.add_trace(line)
    return figure.update_layout(margin_t=48)  # the title has two lines
