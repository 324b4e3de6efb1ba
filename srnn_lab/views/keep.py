"""Files of what is on the first page, and the link to it."""

from urllib.parse import urlencode

import streamlit as st

from srnn_lab.export import csv_text, label_track, npz_bytes
from srnn_lab.figures import clip_figure
from srnn_lab.inspection import Inspection
from srnn_lab.player import place_of, rows_svg
from srnn_lab.transitions import Spikes
from srnn_lab.views.place import PLAYER
from srnn_lab.views.rows import clip_rows
from srnn_lab.views.shared import Choice


def show_exports(choice: Choice, clip: Inspection, match: Spikes, table: dict[str, list], unit: str) -> None:
    """Files of what is on the page, made when they are asked for, and the link to it."""
    st.subheader("Keep and share")
    checkpoint, signal, place = choice.checkpoint, choice.signal, place_of(PLAYER)
    stem = choice.name.rsplit(".", 1)[0]
    end = len(signal) / checkpoint.config.data.rate

    def svg() -> str:
        rows = clip_rows(checkpoint, signal, clip, match)
        return rows_svg(list(rows.values()), end, unit=unit, marks=clip.times[clip.changes], selection=place)

    files = {
        "Figure (HTML)": (
            lambda: clip_figure(checkpoint, signal, clip).to_html(include_plotlyjs=True),
            "html",
            "text/html",
        ),
        "Figure (SVG)": (svg, "svg", "image/svg+xml"),
        "Arrays (.npz)": (lambda: npz_bytes(clip.arrays()), "npz", "application/octet-stream"),
        "Spikes (CSV)": (lambda: csv_text(table), "csv", "text/csv"),
        "Label track": (lambda: label_track(clip, match), "txt", "text/plain"),
    }
    with st.container(horizontal=True):
        for name, (content, ending, mime) in files.items():
            st.download_button(name, content, f"{stem}.{ending}", mime, on_click="ignore", key=f"keep-{ending}")
    st.markdown("The address of this page is a link to this view:")
    st.code(f"{st.context.url or ''}?{urlencode(st.query_params.to_dict())}", language=None, wrap_lines=True)
    st.caption(
        "A file of your own stays on your computer, so a link cannot carry it. The label track opens in Audacity "
        "(File, Import, Labels); a star marks a spike at a transition."
    )
