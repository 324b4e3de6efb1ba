"""Plotly's charts in the look of the page."""

import plotly.graph_objects as go
import streamlit as st


def show_chart(figure: go.Figure, key: str, alt: str | None = None) -> None:
    """A chart in the colours of the page; ``alt`` describes it to who cannot see it."""
    dark = st.context.theme.type == "dark"
    figure.update_layout(font_color="#e6e6e6" if dark else "#31333f")
    # On a phone the tools would cover the titles; each page has its own way to save a chart.
    st.plotly_chart(figure, theme=None, width="stretch", key=key, alt=alt, config={"displayModeBar": False})
