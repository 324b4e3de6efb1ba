"""NumPy in, Plotly figure out: charts of what is no clip. A clip is drawn as a ``Scene``.

Charts of any numbers are here. Those of trainings and of what a model finds are in modules of their
own, and can be imported from here as well.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from srnn_lab.pictures.colours import CHANGE, COLOURS, KL, LOGVAR, MEAN, SIGNAL
from srnn_lab.pictures.latent_charts import (
    MAX_CLASSES,
    MAX_LATENTS,
    MAX_TICKS,
    latent_figure,
    map_figure,
    null_figure,
)
from srnn_lab.pictures.panels import line_trace, stacked_panels
from srnn_lab.pictures.result_charts import (
    LABEL_WIDTH,
    compared_curves_figure,
    curves_figure,
    results_figure,
)

__all__ = [
    "CHANGE",
    "COLOURS",
    "KL",
    "LABEL_WIDTH",
    "LOGVAR",
    "MAX_CLASSES",
    "MAX_LATENTS",
    "MAX_TICKS",
    "MEAN",
    "SIGNAL",
    "compared_curves_figure",
    "curves_figure",
    "fan_figure",
    "graph_figure",
    "grid_figure",
    "latent_figure",
    "line_figure",
    "map_figure",
    "null_figure",
    "results_figure",
]


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
    figure = stacked_panels([title], [1.0], [y_title], x_title)
    for i, (name, y) in enumerate(lines.items()):
        figure.add_trace(
            line_trace(np.asarray(x), np.asarray(y), COLOURS[i % len(COLOURS)], name, "")
        )
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
    figure, x = stacked_panels([title], [1.0], [y_title], x_title), np.asarray(times, np.float32)
    figure.add_trace(
        line_trace(np.asarray(past[0]), np.asarray(past[1]), COLOURS[0], "observed", "")
    )
    for i, low in enumerate(sorted(share for share in quantiles if share < 0.5)):
        edges = np.concatenate(
            [np.asarray(quantiles[low]), np.asarray(quantiles[round(1 - low, 9)])[::-1]]
        )
        band = {
            "fill": "toself",
            "fillcolor": f"rgba(213, 94, 0, {min(1, 0.2 * (i + 1)):.1f})",  # KL, pale
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
    figure.add_trace(line_trace(x, np.asarray(quantiles[0.5]), KL, "median", ""))
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
    figure = stacked_panels([title], [1.0], [y_title], x_title)
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
    figure = stacked_panels([title], [1.0], [""], "")
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
