"""Files of what is on a page, and the link to it."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import streamlit as st

MIME = {
    "html": "text/html",
    "svg": "image/svg+xml",
    "npz": "application/octet-stream",
    "csv": "text/csv",
    "txt": "text/plain",
    "mid": "audio/midi",
    "wav": "audio/wav",
}
Content = str | bytes | Callable[[], str | bytes]


def keep(stem: str, files: Mapping[str, tuple[Content, str]], note: str = "") -> None:
    """Buttons for files of what is on the page, and the link to it.

    Args:
        stem: Name of the files without its ending.
        files: By the name on its button, what is in a file, or what makes it when it is asked for; and its ending.
        note: What a reader should know of the files.
    """
    st.subheader("Keep and share")
    download_buttons(stem, files)
    params = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    address = f"{st.context.url or ''}?{urlencode(params)}"
    st.markdown(f"The address of this page is a [link to this view]({address}).")
    st.caption(f"A file of your own stays on your computer, so a link cannot carry it. {note}")


def download_buttons(stem: str, files: Mapping[str, tuple[Content, str]]) -> None:
    """A button for each file, side by side."""
    with st.container(horizontal=True):
        for name, (content, ending) in files.items():
            st.download_button(name, content, f"{stem}.{ending}", MIME[ending], on_click="ignore", key=f"keep-{ending}")


def stem_of(name: str) -> str:
    """A file's name without its ending."""
    return name.rsplit(".", 1)[0]
