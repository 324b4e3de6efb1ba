"""NumPy in, Plotly figure out: charts of what is no clip. A clip is drawn as a ``Scene``."""

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from srnn_lab.pictures.colours import (
    CHANGE,
    COLOURS,
    KL,
    LOGVAR,
    MEAN,
    MEASURED,
    OVERLAID,
    POSTERIOR,
    PRIOR,
    PUBLISHED,
    SIGNAL,
)

LABEL_WIDTH = 25
"""Characters of a row's label in one line; more would leave no room for the dots on a phone."""
MAX_TICKS = 11
"""Dimensions of z that have their number at the axis, which a phone shows side by side; hovering
tells the others'."""
SHAPES = ("circle", "diamond", "square", "triangle-up")
"""Of points; their number and that of the colours have no common divisor, so that all pairs differ.
"""
MAX_CLASSES = len(SHAPES) * len(OVERLAID)
MAX_LATENTS = 32
"""Dimensions of z that a figure shows at first; a double click shows all."""


def _line(x: np.ndarray, y: np.ndarray, colour: str, name: str, unit: str) -> go.Scatter:
    return go.Scatter(
        x=np.asarray(x, np.float32),
        y=np.asarray(y, np.float32),
        line={"color": colour, "width": 1.2},
        name=name,
        hovertemplate=f"%{{x:.3f}}: %{{y:.3g}} {unit}<extra>{name}</extra>",
    )


def _rows(
    titles: Sequence[str], heights: Sequence[float], units: Sequence[str], x_title: str
) -> go.Figure:
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


def line_figure(
    x: ArrayLike, lines: Mapping[str, ArrayLike], x_title: str, y_title: str, title: str = ""
) -> go.Figure:
    """Lines over one axis.

    Args:
        x: Where the n values of each line lie.
        lines: Values by the name that the legend shows.
        x_title: Title of the axis, with its unit.
        y_title: Title of the values, with their unit.
        title: Title of the figure.

    Returns:
        A figure 320 pixels high. It has a legend if there are several lines.
    """
    figure = _rows([title], [1.0], [y_title], x_title)
    for i, (name, y) in enumerate(lines.items()):
        figure.add_trace(_line(np.asarray(x), np.asarray(y), COLOURS[i % len(COLOURS)], name, ""))
    figure.update_layout(
        height=320, showlegend=len(lines) > 1, legend={"orientation": "h", "y": -0.25}
    )
    return figure


def fan_figure(
    past: tuple[ArrayLike, ArrayLike],
    times: ArrayLike,
    quantiles: Mapping[float, ArrayLike],
    x_title: str,
    y_title: str,
    title: str = "",
    came: ArrayLike | None = None,
) -> go.Figure:
    """A forecast as a fan: a band between each quantile and its counterpart, and the median.

    Args:
        past: Times and values of what was observed.
        times: Of the forecast.
        quantiles: Values by the share of the draws that lie below: 1/2, and pairs q and 1 - q.
        x_title: Title of the axis, with its unit.
        y_title: Title of the values, with their unit.
        title: Title of the figure.
        came: What came, if it is known.

    Returns:
        The figure.
    """
    figure, x = _rows([title], [1.0], [y_title], x_title), np.asarray(times, np.float32)
    figure.add_trace(_line(np.asarray(past[0]), np.asarray(past[1]), COLOURS[0], "observed", ""))
    for low in sorted(share for share in quantiles if share < 0.5):
        edges = np.concatenate(
            [np.asarray(quantiles[low]), np.asarray(quantiles[round(1 - low, 9)])[::-1]]
        )
        band = {
            "fill": "toself",
            "fillcolor": "rgba(213, 94, 0, 0.2)",
            "line": {"width": 0},
            "hoverinfo": "skip",
        }
        name = f"{round(100 * (1 - 2 * low))} %"
        figure.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=edges.astype(np.float32),
            mode="lines",
            name=name,
            **band,
        )
    figure.add_trace(_line(x, np.asarray(quantiles[0.5]), "#d55e00", "median", ""))
    if came is not None:
        figure.add_scatter(
            x=x, y=np.asarray(came, np.float32), mode="markers", name="came", marker_color="#000000"
        )
    figure.update_layout(height=320, showlegend=True, legend={"orientation": "h", "y": -0.25})
    return figure


def grid_figure(values: ArrayLike, x_title: str, y_title: str, title: str = "") -> go.Figure:
    """A matrix as a picture, row 1 at the top; a value that is not a number stays white.

    Args:
        values: What the colours stand for, (m, n).
        x_title: Title of the columns.
        y_title: Title of the rows.
        title: Title of the figure.

    Returns:
        A figure 400 pixels high, with rows and columns numbered from 1.
    """
    figure = _rows([title], [1.0], [y_title], x_title)
    rows, columns = (1 + np.arange(size) for size in np.shape(values))
    picture = go.Heatmap(
        x=columns,
        y=rows,
        z=np.asarray(values, np.float32),
        colorscale="Viridis",
        colorbar={"thickness": 12},
        hovertemplate="%{x}, %{y}: %{z:.3g}<extra></extra>",
    )
    figure.add_trace(picture)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(height=400)
    return figure


def graph_figure(
    nodes: Mapping[str, tuple[float | int, float | int]],
    edges: Sequence[tuple[str, str]],
    title: str = "",
) -> go.Figure:
    """A graphical model: diamonds are deterministic (d, a), circles random (z, x) or given (u).

    x and u are shaded.

    Args:
        nodes: Places by name, ``z_t-1`` for instance; what follows the underscore becomes an index.
        edges: Pairs of names, from and to.
        title: Title of the figure.

    Returns:
        A figure without axes, the higher the more levels the nodes are on.
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
    figure.add_trace(
        go.Scatter(x=x, y=y, mode="markers+text", marker=marker, text=texts, hoverinfo="skip")
    )
    for start, end in edges:
        (x_tail, y_tail), (x_head, y_head) = nodes[start], nodes[end]
        arrow = {
            "ax": x_tail,
            "ay": y_tail,
            "axref": "x",
            "ayref": "y",
            "arrowhead": 2,
            "arrowcolor": CHANGE,
        }
        figure.add_annotation(x=x_head, y=y_head, text="", standoff=26, startstandoff=26, **arrow)
    figure.update_xaxes(visible=False, range=[x.min() - 0.6, x.max() + 0.6])
    figure.update_yaxes(visible=False, range=[y.min() - 0.5, y.max() + 0.5])
    figure.update_layout(height=95 * len(set(y)) + 40, margin_b=8)
    return figure


def results_figure(
    labels: Sequence[str],
    title: str,
    values: Float[np.ndarray, "r"],
    errors: Float[np.ndarray, "r"],
    published: Bool[np.ndarray, "r"],
) -> go.Figure:
    """A table's column: dots with a standard error to either side, diamonds for what is published.

    Args:
        labels: One for each row.
        title: Title of the column.
        values: Nats, higher is better.
        errors: Standard errors; NaN where none is known.
        published: Whether a value stands in a publication, rather than being measured here.

    Returns:
        A figure with one line for each row of the table, and an axis in nats.
    """
    figure = _rows([""], [1.0], [""], "nats")
    # Dots and diamonds with their errors.
    for name, rows, colour, symbol in (
        ("measured here", np.flatnonzero(~published), MEASURED, "circle"),
        ("published", np.flatnonzero(published), PUBLISHED, "diamond-open"),
    ):
        dots = go.Scatter(
            x=values[rows],
            y=rows,
            error_x={"array": errors[rows]},
            mode="markers",
            marker={
                "color": colour,
                "symbol": symbol,
                "size": 8,
                "line": {"color": colour, "width": 2},
            },
            name=name,
            text=[labels[int(row)] for row in rows],
            hovertemplate=f"%{{text}}: %{{x:.2f}} nats<extra>{name}</extra>",
        )
        figure.add_trace(dots)
    # The axes: few numbers, and long labels on several lines.
    figure.update_xaxes(nticks=5, tickangle=0, showgrid=True, gridcolor="rgba(128,128,128,0.25)")
    if len(values) == 1:  # alone, its error would fill the axis
        reach = max(abs(values[0]) / 10, 2 * np.nan_to_num(errors[0]))
        figure.update_xaxes(range=[values[0] - reach, values[0] + reach])
    lines = ["<br>".join(wrap(label, LABEL_WIDTH)) for label in labels]
    figure.update_yaxes(
        tickvals=np.arange(len(labels)),
        ticktext=lines,
        range=[len(labels) - 0.5, -0.5],
        automargin=True,
    )
    figure.update_layout(
        title={"text": title, "font_size": 14, "x": 0, "y": 1, "yanchor": "top", "pad_t": 8},
        height=80 + 36 * len(labels),
        margin={"l": 0, "r": 16},
    )
    return figure


def curves_figure(
    curves: Mapping[str, Float[np.ndarray, "e"]], bound: str, valid_unit: str
) -> go.Figure:
    """Training curves over epochs: bound and KL on training and validation data, and the schedules.

    Args:
        curves: Columns of ``curves.csv``, a value for each epoch.
        bound: Name of the bound that is trained on.
        valid_unit: Unit of the validation figures; training figures are in nats per frame.

    Returns:
        A figure of three panels, or of five where training and validation have different units. A
        star marks the best epoch.
    """
    # The panels: a bound and a KL, each divided in two where the units differ.
    rows = [(bound, ("train_bound", "valid_bound")), ("KL", ("train_kl", "valid_kl"))]
    panels = [
        (title, "nats per frame", {"training": train, "validation": valid})
        for title, (train, valid) in rows
    ]
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
    # The lines, with one entry of the legend for each kind.
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
    looks = {
        "training": (SIGNAL, "solid"),
        "validation": (KL, "dash"),
        "KL weight": (LOGVAR, "solid"),
    }
    seen = set()
    for row, values, name, unit in lines:
        colour, dash = looks.get(name, (MEAN, "dash"))
        mode = "lines+markers" if len(epochs) < 30 else "lines"
        line = _line(epochs, values, colour, name, unit).update(
            line={"width": 2, "dash": dash}, mode=mode
        )
        figure.add_trace(line.update(legendgroup=name, showlegend=name not in seen), row=row, col=1)
        seen.add(name)
    # The best epoch.
    best = int(curves["valid_bound"].argmax())
    row = next(i for i, (_, _, columns) in enumerate(panels, 1) if "validation" in columns)
    star = {"symbol": "star", "size": 12, "color": KL, "line": {"width": 1, "color": CHANGE}}
    mark = go.Scatter(
        x=epochs[[best]],
        y=curves["valid_bound"][[best]],
        mode="markers",
        marker=star,
        name="best checkpoint",
    )
    figure.add_trace(mark, row=row, col=1)
    # The axes.
    for row, (title, _, columns) in enumerate(panels, 1):
        if title.startswith(bound):  # the first epochs are far below all others
            values = np.concatenate([curves[column] for column in columns.values()])
            low, high = float(np.quantile(values, 0.2)), float(values.max())
            margin = 0.1 * (high - low) + 1e-3
            figure.update_yaxes(range=[low - margin, high + margin], row=row, col=1)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    figure.update_layout(margin_t=72)
    return figure


def compared_curves_figure(
    curves: Mapping[str, Mapping[str, Float[np.ndarray, "_"]]], bound: str, unit: str
) -> go.Figure:
    """The validation curves of several runs over epochs: bound and KL, a colour for each run.

    Args:
        curves: By the name of each run, the columns of its ``curves.csv``.
        bound: What the bounds are called.
        unit: Of their values.

    Returns:
        A figure of two panels. A star marks the best epoch of each run.
    """
    figure = _rows([f"{bound}, validation", "KL, validation"], [1.0, 1.0], [unit, unit], "epoch")
    colours = dict(zip(curves, cycle(OVERLAID), strict=False))
    for row, column in enumerate(("valid_bound", "valid_kl"), 1):
        for name, own in curves.items():
            line = _line(own["epoch"], own[column], colours[name], name, unit)
            mode = "lines+markers" if len(own["epoch"]) < 30 else "lines"
            line.update(line={"width": 2}, mode=mode, legendgroup=name, showlegend=row == 1)
            figure.add_trace(line, row=row, col=1)
    for name, own in curves.items():
        best = int(own["valid_bound"].argmax())
        mark = go.Scatter(
            x=own["epoch"][[best]],
            y=own["valid_bound"][[best]],
            mode="markers",
            marker={"symbol": "star", "size": 12, "color": colours[name]},
            name=f"{name}, best",
            legendgroup=name,
            showlegend=False,
        )
        figure.add_trace(mark, row=1, col=1)
    # The first epochs are far below all others.
    low = min(float(np.quantile(own["valid_bound"], 0.2)) for own in curves.values())
    high = max(float(own["valid_bound"].max()) for own in curves.values())
    margin = 0.1 * (high - low) + 1e-3
    figure.update_yaxes(range=[low - margin, high + margin], row=1, col=1)
    figure.update_layout(
        showlegend=True,
        margin_t=72,
        legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
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
    """A frame's prior, posterior and KL by dimension of z, and what Res_q adds to the prior mean.

    Args:
        order: The dimensions, from left to right.
        mu_p: Prior means.
        sd_p: Prior standard deviations.
        mu_q: Posterior means.
        sd_q: Posterior standard deviations.
        kl: Nats of each dimension.
        residual: Whether the posterior mean is the prior mean plus a residual.

    Returns:
        A figure of two panels, or of three for Res_q.
    """
    titles = ["Mean ± sd of p (circles), q (diamonds)", "KL(q ‖ p) of each dimension"]
    units = ["z", "nats"]
    if residual:
        titles.append("Mean of q = mean of p (blue) + residual")
        units.append("z")
    figure = _rows(
        titles,
        [1.4, 0.8, 1.0][: len(titles)],
        units,
        "dimension of z, the most used over the clip first",
    )
    # Prior and posterior beside each other: means and deviations.
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
                hovertemplate=(
                    f"z[%{{customdata[0]:.0f}}]: %{{y:.3g}} ± "
                    f"%{{customdata[1]:.3g}}<extra>{name}</extra>"
                ),
            ),
            row=1,
            col=1,
        )
    # Bars: the KL, and with Res_q the two parts of the posterior's mean.
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
    # The axes.
    figure.update_layout(barmode="group", bargap=0.25, margin_r=16)
    shown = min(len(order), MAX_LATENTS)
    every = -(-shown // MAX_TICKS)
    figure.update_xaxes(
        tickvals=rank[::every], ticktext=order[::every], tickangle=0, range=[-0.6, shown - 0.4]
    )
    return figure


def null_figure(null: Float[np.ndarray, "n"], value: float, name: str) -> go.Figure:
    """How a measure is distributed under circular shifts, and where that of the clip lies.

    Args:
        null: The measure after each shift.
        value: The measure of the clip.
        name: What it is.

    Returns:
        A histogram of the null, with a line at ``value``.
    """
    figure = _rows(
        [f"{name} of shifted copies (grey)<br>and of this clip (orange)"], [1.0], ["shifts"], name
    )
    counts, edges = np.histogram(
        null, 40, (min(0.0, float(null.min())), max(1.0, float(null.max())))
    )
    middles = (edges[1:] + edges[:-1]) / 2
    bar = go.Bar(
        x=middles,
        y=counts,
        marker_color=CHANGE,
        width=edges[1] - edges[0],
        name="shifts",
        hovertemplate="%{y} shifts",
    )
    figure.add_trace(bar)
    top = float(counts.max())
    line = go.Scatter(
        x=[value, value], y=[0, top], line={"color": KL, "width": 3}, name="this clip", mode="lines"
    )
    figure.add_trace(line)
    return figure.update_layout(margin_t=48)  # the title has two lines


def map_figure(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    axes: tuple[str, str],
    texts: Sequence[str],
    groups: Mapping[str, Int[np.ndarray, "_"]],
    values: Float[np.ndarray, "n"] | None = None,
    others: Collection[str] = (),
) -> go.Figure:
    """Points that can be clicked, drawn by WebGL; the frames of a set, for instance.

    Args:
        x: Where they lie from left to right.
        y: Where they lie from bottom to top.
        axes: Titles of the axes.
        texts: What is said of each.
        groups: By the name in the legend, the indices of its points: each has a shape and a colour
            of its own.
        values: What the colours of a single group stand for; its name is their title.
        others: Groups that are grey, below the others.

    Returns:
        A chart with a trace for each group.
    """
    figure = _rows([""], [1.0], [axes[1]], axes[0])
    number = 0
    for name, chosen in sorted(groups.items(), key=lambda group: group[0] not in others):
        marker: dict[str, Any] = {"size": 5, "opacity": 0.75}
        if values is not None:
            limit = float(np.quantile(values, 0.99))
            bar = {"title": name, "thickness": 12, "len": 0.9}
            marker |= {
                "color": values[chosen],
                "colorscale": "Viridis",
                "cmin": 0,
                "cmax": limit,
                "colorbar": bar,
            }
        elif name in others:
            marker |= {"color": CHANGE, "opacity": 0.3}
        else:
            marker |= {
                "color": OVERLAID[number % len(OVERLAID)],
                "symbol": SHAPES[number % len(SHAPES)],
            }
            number += 1
        points = go.Scattergl(
            x=np.asarray(x[chosen], np.float32),
            y=np.asarray(y[chosen], np.float32),
            mode="markers",
            marker=marker,
            name=name,
            text=[texts[i] for i in chosen],
            hovertemplate="%{text}<extra></extra>",
            selected={"marker": {"size": 16, "color": KL, "opacity": 1}},
            unselected={"marker": {"opacity": marker["opacity"]}},
        )
        figure.add_trace(points)
    figure.update_xaxes(showgrid=True, gridcolor="rgba(128,128,128,0.25)", nticks=7)
    figure.update_yaxes(nticks=7)
    figure.update_layout(
        height=480,
        margin={"l": 56, "r": 8, "t": 8, "b": 48},
        showlegend=values is None,
        legend={"orientation": "h", "y": -0.16, "yanchor": "top", "itemsizing": "constant"},
    )
    return figure
