"""What all charts begin with: panels below one another with one axis, and lines in them."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

PANEL_HEIGHT, GAP = 190, 60
"""Pixels of a panel with its title, and of what lies between two of them or around all."""


def line_trace(x: np.ndarray, y: np.ndarray, colour: str, name: str, unit: str) -> go.Scatter:
    """A line whose values are told when one points at it.

    Args:
        x: Where the values lie.
        y: The values.
        colour: ``#rrggbb``.
        name: What the legend calls it.
        unit: Unit of the values.

    Returns:
        A trace, which may be added to any panel.
    """
    return go.Scatter(
        x=np.asarray(x, np.float32),
        y=np.asarray(y, np.float32),
        line={"color": colour, "width": 1.2},
        name=name,
        hovertemplate=f"%{{x:.3f}}: %{{y:.3g}} {unit}<extra>{name}</extra>",
    )


def stacked_panels(
    titles: Sequence[str], heights: Sequence[float], units: Sequence[str], x_title: str
) -> go.Figure:
    """Empty panels below one another, which share the axis below the last of them.

    Args:
        titles: One for each panel, from the top.
        heights: Their heights, as shares of each other.
        units: Units of their values.
        x_title: Title of the axis that they share, with its unit.

    Returns:
        A figure 190 pixels high for each panel, and 60 for what is around them.
    """
    figure = make_subplots(
        rows=len(titles),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=GAP / (PANEL_HEIGHT * len(titles)),
        row_heights=list(heights),
        subplot_titles=titles,
    )
    for row, unit in enumerate(units, 1):
        figure.update_yaxes(title_text=unit, title_standoff=4, row=row, col=1)
    figure.update_xaxes(title_text=x_title, row=len(titles), col=1)
    figure.update_annotations(font_size=14, x=0, xanchor="left")
    figure.update_layout(
        height=PANEL_HEIGHT * len(titles) + GAP,
        margin={"l": 64, "r": 90, "t": 32, "b": 48},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
    )
    figure.update_xaxes(showgrid=False, zeroline=False, ticks="outside")
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    return figure
