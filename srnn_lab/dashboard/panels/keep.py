"""Files of what is on a page, and the link to it."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.analysis.export import npz_bytes
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
"""By the name on its button, what is in a file, or what makes it when it is asked for; and its ending."""


def scene_files(
    title: str, scene: Scene, sounds: Callable[[], Sounds], key: str, arrays: Mapping[str, np.ndarray]
) -> Files:
    """The player of that key as it stands, and what it shows.

    Args:
        title: Heading of the page and of the picture.
        scene: What is drawn.
        sounds: Gives the sounds that are then made.
        key: The player's.
        arrays: What is kept beside the rows as they are drawn.
    """
    selection, look = place_of(key), look_of(key)
    view = (look.start, look.end) if look.end > look.start else None
    return {
        "Player (HTML)": (lambda: scene_html(scene, sounds(), title, selection, view, look.sound), "html"),
        "Figure (SVG)": (lambda: scene_svg(scene, selection, view, title=title), "svg"),
        "Arrays (.npz)": (lambda: npz_bytes({**arrays, **row_arrays(scene)}), "npz"),
    }


def sound_file(sounds: Callable[[], Sounds], key: str) -> Files:
    """What is heard in the player of that key; the first of its sounds, or silence, where that is not made yet."""
    heard = look_of(key).sound

    def content() -> bytes:
        made = sounds()
        return wav_file(*made.get(heard, next(iter(made.values()), SILENCE)))

    return {"Sound (WAV)": (content, "wav")}


def chart_files(*figures: go.Figure) -> Files:
    """Plotly's figures, if any, as a page of their own, dark on white, each with a button that keeps it as SVG."""
    config = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}
    white = {"font_color": "#31333f", "paper_bgcolor": "#fff", "plot_bgcolor": "#fff"}

    def html() -> str:
        shown = [go.Figure(figure).update_layout(white) for figure in figures]
        parts = [one.to_html(full_html=False, include_plotlyjs=not i, config=config) for i, one in enumerate(shown)]
        return f'<!doctype html><meta charset="utf-8">{"".join(parts)}'

    return {"Figure (HTML)": (html, "html")} if figures else {}


def keep(stem: str, files: Files, note: str = "") -> None:
    """Buttons for files of what is on the page, and the link to it.

    Args:
        stem: Name of the files without its ending.
        files: What is in them.
        note: What a reader should know of the files.
    """
    st.subheader("Keep and share")
    download_buttons(stem, files)
    params = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    address = f"{st.context.url or ''}?{urlencode(params)}"
    st.markdown(f"The address of this page is a [link to this view]({address}).")
    if "Figure (HTML)" in files:
        note = f"{note} In Figure (HTML) each figure has a button that keeps it as SVG."
    if "Arrays (.npz)" in files:
        note = f"{note} Arrays of a row are named by its title and have the unit that is drawn."
    st.caption(f"A file of your own stays on your computer, so a link cannot carry it. {note}")


def download_buttons(stem: str, files: Files) -> None:
    """A button for each file, side by side."""
    with st.container(horizontal=True):
        for name, (content, ending) in files.items():
            st.download_button(name, content, f"{stem}.{ending}", MIME[ending], on_click="ignore", key=f"keep-{name}")


def stem_of(name: str) -> str:
    """A file's name without its ending."""
    return name.rsplit(".", 1)[0]
