"""Plotly's charts in the look of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st


def show_chart(
    figure: go.Figure, key: str, alt: str | None = None, *, clicks: bool = False
) -> Sequence[Mapping[str, Any]]:
    """A chart in the colours of the page.

    Args:
        figure: The chart.
        key: Names it on the page.
        alt: Describes it to who cannot see it.
        clicks: Whether a click on a point is answered by another run of the page.

    Returns:
        The points that were clicked; none if that is not answered.
    """
    dark = st.context.theme.type == "dark"
    figure.update_layout(font_color="#e6e6e6" if dark else "#31333f")
    # On a phone the tools would cover the titles; each page has its own way to save a chart.
    look: dict[str, Any] = {
        "theme": None,
        "width": "stretch",
        "alt": alt,
        "config": {"displayModeBar": False},
    }
    if not clicks:
        st.plotly_chart(figure, key=key, **look)
        return []
    return st.plotly_chart(figure, key=key, on_select="rerun", selection_mode="points", **look)[
        "selection"
    ]["points"]
