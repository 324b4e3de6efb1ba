"""The pages of the dashboard and their order."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas  # noqa: F401 -- else two threads of a first visit import it at once, and one finds half of it
import streamlit as st
import torch

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.dashboard.choice import FIRST, bundled_clips, choose, fold_choice, runs_folder
from srnn_lab.dashboard.pages import (
    clips,
    compare,
    explore,
    latents,
    learn,
    results,
    steer,
    studio,
    train,
    transition,
    z_map,
)
from srnn_lab.dashboard.panels.tour import show_tour
from srnn_lab.dashboard.uploads import HEARD, UPLOADS
from srnn_lab.dashboard.visit import remember, visit
from srnn_lab.dashboard.words import guarded, plain
from srnn_lab.data import read_signal
from srnn_lab.data.kinds import LogMel, Roll
from srnn_lab.system.memory import share_arenas


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        heading: What stands above it.
        show: Shows the rest of it, of what is chosen at the side if it is for that.
        features: Kinds of frames that it is for; none if it does not need the choice.
    """

    heading: str
    show: Callable[..., None]
    features: tuple[str, ...] = HEARD


ALL = tuple(UPLOADS)
"""Kinds of frames of the pages that are for tables too."""
STYLE = """<style>
[data-testid="stCaptionContainer"], [data-testid="stMetricDelta"] { color: inherit; opacity: 0.9; }
[data-testid="stCaptionContainer"] * { color: inherit; }
[data-testid="stButtonGroup"] [data-selected], [data-selected] * { color: inherit !important; }
[data-testid="stMainBlockContainer"] h2 { font-size: 1.6rem; padding: 0.25rem 0 0.5rem; }
[data-testid="stMainBlockContainer"] h3 { font-size: 1.3rem; }
[data-testid="stMainBlockContainer"] { padding-top: 3.75rem; --player-top: 3.75rem; }
[data-testid="stElementContainer"]:has(+ [class*="st-key-titled-"]) { display: none; }
@media (max-width: 640px) { [data-testid="stElementToolbar"] { display: none; } }
</style>"""
"""Captions and pressed buttons that can be read (contrast 4.5:1); pages that begin close below the
header; no boxes that only hold names for the address; on a phone, no tools over the tables."""
PAGES = {
    "Explore": Page("Where is a stochastic recurrent network surprised?", explore.show, ALL),
    "Clips": Page("Where else is it surprised?", clips.show, ALL),
    "Compare": Page("Which model is surprised where?", compare.show, ALL),
    "Latents": Page("What does z carry?", latents.show, ALL),
    "Map": Page("Where do sounds lie in z?", z_map.show),
    "Steer": Page("Steer z", steer.show),
    "Make a transition": Page("Make a transition", transition.show),
    "Studio": Page("Studio: continue a piece", studio.show, (Roll.name,)),
    "Train": Page("Train a model of your own", train.show, ()),
    "Results": Page("Results", results.show, ()),
    "Learn": Page("Learn: the paper, section by section", learn.show, ()),
}


def warm_up() -> None:
    """Inspect a clip, since everything takes longer the first time.

    What is wrong with a file, its page will say.
    """
    share_arenas()
    with suppress(ValueError, OSError):
        checkpoint = load_checkpoint(FIRST)
        inspect_signal(
            checkpoint,
            read_signal(next(iter(bundled_clips(LogMel.name).values())), checkpoint.config.data),
        )


def show() -> None:
    """Choose a page and show it; what goes wrong with a file is a sentence on the page."""
    st.set_page_config(page_title=visit().title, layout="wide")
    st.html(STYLE)
    torch.set_num_threads(1)  # many small products: a second thread costs more than it brings
    guarded(warn_of_runs)()
    pages = [
        st.Page(
            body_of(title),
            title=title,
            url_path=title.lower().replace(" ", "-") if title != "Explore" else "first",
            default=title == "Explore",
        )
        for title in PAGES
    ]
    remember(pages={page.url_path: page for page in pages})
    # The first page has an empty address; its name, as an address like those of the others, too.
    alias = st.Page(body_of("Explore"), title="Explore", url_path="explore", visibility="hidden")
    page = st.navigation([*pages, alias])
    # What is chosen belongs to all pages: a box of the page itself would be another one on the
    # next.
    show_head(page.title)
    guarded(lambda: show_tour(page.title))()
    page.run()


def show_head(title: str) -> None:
    """The heading of a page, and the choice at the side."""
    page = PAGES[title]
    st.header(page.heading)
    remember(choice=None)
    if page.features:
        guarded(lambda: remember(choice=choose(page.features)))()
        if choice := visit().choice:
            name_tab(f"{title}: {choice.model}")
    else:
        name_tab(f"{title}: srnn_lab")
        fold_choice()


def name_tab(title: str) -> None:
    """Call the browser's tab something, unless it is called so: each time costs it some 10 ms."""
    if title != visit().title:
        remember(title=title)
        st.set_page_config(page_title=title)


def body_of(title: str) -> Callable[[], None]:
    """What a page shows below its heading; nothing if what is chosen cannot be read."""
    page = PAGES[title]

    def show_body() -> None:
        if not page.features:
            page.show()
        elif choice := visit().choice:
            page.show(choice)

    return guarded(show_body)


def warn_of_runs() -> None:
    """Say so if the folder of runs that was asked for is not there."""
    folder = runs_folder()
    if folder != Path("runs") and not folder.is_dir():
        st.sidebar.warning(
            plain(f"The folder of runs, {folder}, does not exist yet; the page Train creates it.")
        )
