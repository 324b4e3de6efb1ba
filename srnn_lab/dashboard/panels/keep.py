"""Files of what is on a page, and the link to it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.analysis.export import npz_bytes
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.uploads import harmless
from srnn_lab.pictures.scene import Scene, row_arrays
from srnn_lab.pictures.svg import scene_svg
from srnn_lab.player.component import look_of, place_of
from srnn_lab.player.page import scene_html
from srnn_lab.player.sound import Sounds, wav_file

MIME = {
    "html": "text/html",
    "svg": "image/svg+xml",
    "npz": "application/octet-stream",
    "csv": "text/csv",
    "txt": "text/plain",
    "md": "text/markdown",
    "json": "application/json",
    "mid": "audio/midi",
    "wav": "audio/wav",
}
SILENCE = np.zeros(1, np.int16), 16000
Content = str | bytes | Callable[[], str | bytes]
Files = Mapping[str, tuple[Content, str]]
"""By the name on its button, what is in a file, or what makes it when it is asked for; and the end
of its name."""


def scene_files(
    title: str,
    scene: Scene,
    sounds: Callable[[], Sounds],
    key: str,
    arrays: Mapping[str, np.ndarray],
) -> Files:
    """The player of that key as it stands, and what it shows.

    Args:
        title: Heading of the page and of the picture.
        scene: What is drawn.
        sounds: Gives the sounds that are then made.
        key: The player's.
        arrays: What is kept beside the rows as they are drawn.

    Returns:
        An HTML page that plays, an SVG picture and an .npz file. Each is made when it is asked for.
    """
    selection, look = place_of(key), look_of(key)
    view = (look.start, look.end) if look.end > look.start else None
    return {
        "Player (HTML)": (
            lambda: scene_html(scene, sounds(), title, selection, view, look.sound),
            "player.html",
        ),
        "Picture (SVG)": (lambda: scene_svg(scene, selection, view, title=title), "rows.svg"),
        "Arrays (.npz)": (lambda: npz_bytes({**arrays, **row_arrays(scene)}), "arrays.npz"),
    }


def sound_file(sounds: Callable[[], Sounds], key: str) -> Files:
    """What is heard in that key's player; if not made yet, the first of its sounds, or silence."""
    heard, names = look_of(key).sound, list(sounds())
    name = heard if heard in names or not names else names[0]

    def content() -> bytes:
        made = sounds()
        return wav_file(*made.get(name, next(iter(made.values()), SILENCE)))

    return {"Sound (WAV)": (content, f"{name or 'sound'}.wav")}


def chart_files(*figures: go.Figure) -> Files:
    """Plotly's charts, if any, as a page, dark on white, each with a button that saves an SVG."""
    config = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}
    white = {"font_color": "#31333f", "paper_bgcolor": "#fff", "plot_bgcolor": "#fff"}

    def html() -> str:
        shown = [go.Figure(figure).update_layout(white) for figure in figures]
        parts = [
            one.to_html(full_html=False, include_plotlyjs=not i, config=config)
            for i, one in enumerate(shown)
        ]
        return f'<!doctype html><meta charset="utf-8">{"".join(parts)}'

    return {"Charts (HTML)": (html, "charts.html")} if figures else {}


def keep(stem: str, files: Files, note: str = "") -> None:
    """Buttons for files of what is on the page, and the link to it.

    Args:
        stem: What the names of the files begin with.
        files: What is in them.
        note: What a reader should know of the files.
    """
    st.subheader("Export and share", anchor="export")
    download_buttons(stem, files)
    params = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    address = f"{st.context.url or ''}?{urlencode(params)}"
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.markdown(f"The address of this page is a [link to this view]({address}).")
    with right.popover("Copy the link", width="stretch"):
        st.code(address, language=None, wrap_lines=True)
        st.caption(
            "The button at the corner copies it. Others can follow it while this dashboard lets "
            "them in: start it with `--server.address 0.0.0.0 --server.allowedHosts NAME`, where "
            "NAME is what their browsers call this computer, and use NAME in the link. Player "
            "(HTML) needs no dashboard: send the file."
        )
    if "Charts (HTML)" in files:
        note = f"{note} In Charts (HTML) each chart has a button that saves it as SVG."
    if "Arrays (.npz)" in files:
        note = f"{note} Arrays are named after their row and use the units shown."
    st.caption(f"A link cannot contain your own files: they stay on your computer. {note}")


def download_buttons(stem: str, files: Files) -> None:
    """A button for each file, side by side."""
    with st.container(horizontal=True):
        for name, (content, end) in files.items():
            file = harmless(f"{stem}, {end}")
            st.download_button(
                name,
                content,
                file,
                MIME[end.rsplit(".", 1)[1]],
                on_click="ignore",
                key=f"keep-{name}",
            )


def stem_of(choice: Choice) -> str:
    """What the files of a clip and a model begin with."""
    return f"{Path(choice.name).stem}, {choice.model}"
