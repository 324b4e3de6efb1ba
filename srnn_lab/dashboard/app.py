"""The pages of the dashboard and their order."""

from contextlib import suppress
from pathlib import Path

import pandas  # noqa: F401 -- else two threads of a first visit import it at once, and one finds half of it
import streamlit as st
import torch

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.dashboard.choice import FIRST, bundled_clips, guarded, plain, runs_folder
from srnn_lab.dashboard.pages import compare, explore, latents, results, studio, train, transition
from srnn_lab.data import read_signal
from srnn_lab.system.memory import share_arenas

PAGES = {
    "Explore": explore.show,
    "Compare": compare.show,
    "Latents": latents.show,
    "Make a transition": transition.show,
    "Studio": studio.show,
    "Train": train.show,
    "Results": results.show,
}


def warm_up() -> None:
    """Inspect a clip, since everything takes longer the first time; what is wrong with a file, its page will say."""
    share_arenas()
    with suppress(ValueError, OSError):
        checkpoint = load_checkpoint(FIRST)
        inspect_signal(checkpoint, read_signal(next(iter(bundled_clips("log-mel").values())), checkpoint.config.data))


def show() -> None:
    """Choose a page and show it; what goes wrong with a file is a sentence on the page."""
    st.set_page_config(page_title="srnn_lab", layout="wide")
    torch.set_num_threads(1)  # many small products: a second thread costs more than it brings
    st.sidebar.title("srnn_lab")
    guarded(warn_of_runs)()
    pages = [
        st.Page(guarded(page), title=title, url_path=title.lower().replace(" ", "-"), default=title == "Explore")
        for title, page in PAGES.items()
    ]
    page = st.navigation(pages)
    st.session_state["page turned"] = st.session_state.get("page") not in (None, page.title)
    st.session_state["page"] = page.title
    page.run()


def warn_of_runs() -> None:
    """Say so if the folder of runs that was asked for is not there."""
    folder = runs_folder()
    if folder != Path("runs") and not folder.is_dir():
        st.sidebar.warning(plain(f"The folder of runs, {folder}, does not exist yet; the page Train can make it."))
