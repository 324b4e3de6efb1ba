"""Charts of what a model finds: z at one frame, an AUC beside its null, and a map of frames."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int

from srnn_lab.pictures.colours import CHANGE, KL, OVERLAID, POSTERIOR, PRIOR
from srnn_lab.pictures.panels import stacked_panels

MAX_TICKS = 11
"""Dimensions of z that have their number at the axis, which a phone shows side by side; hovering
tells the others'."""
SHAPES = ("circle", "diamond", "square", "triangle-up")
"""Of points; their number and that of the colours have no common divisor, so that all pairs differ.
"""
MAX_CLASSES = len(SHAPES) * len(OVERLAID)
MAX_LATENTS = 32
"""Dimensions of z that a figure shows at first; a double click shows all."""


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
    figure = stacked_panels(
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
    figure = stacked_panels(
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
        values: What the colours of the points of a single group stand for; the group's name is
            their title.
        others: Groups that are grey, below the others.

    Returns:
        A chart with a trace for each group.
    """
    # A trace for each group, the grey ones below: coloured by value, or a colour and a shape.
    figure = stacked_panels([""], [1.0], [axes[1]], axes[0])
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
    # The axes and the legend.
    figure.update_xaxes(showgrid=True, gridcolor="rgba(128,128,128,0.25)", nticks=7)
    figure.update_yaxes(nticks=7)
    figure.update_layout(
        height=480,
        dragmode="zoom",  # which Streamlit changes where clicks are answered
        margin={"l": 56, "r": 8, "t": 8, "b": 48},
        showlegend=values is None,
        legend={"orientation": "h", "y": -0.16, "yanchor": "top", "itemsizing": "constant"},
    )
    return figure
