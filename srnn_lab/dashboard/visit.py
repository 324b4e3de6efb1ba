"""What one visit remembers from run to run and from page to page, as one value."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.uploads import ClipBytes, Uploaded


@dataclass(frozen=True)
class Visit:
    """What is remembered between two runs of a page, beside the widgets that are shown.

    Attributes:
        pages: The pages of the dashboard by the ends of their addresses; the first one's is empty.
        choice: What is chosen at the side; None if that cannot be read.
        wanted: What the address or the visitor has last asked for, by the key of the box that
            offers it. A page that does not offer it shows something else, and the next one that
            does, this.
        checkpoint: The checkpoint that was uploaded.
        refused_checkpoint: Why the one uploaded last is none.
        music: The kind of music that the model shown last is trained on.
        clips: The file that was uploaded or recorded, and its name, by the kind of signal; None if
            it was given up.
        folder: The folder of the set of clips; empty for the bundled ones.
        heard: The clip of that set that was played last.
        shown: What each player shows, or what that is made of, by the player's key.
        sounds: The sounds that are made, by what each is of; it grows in place, since a file that
            is downloaded is put together outside of the session.
        sounds_of: The clip and checkpoint that the place of the continuation belongs to.
        sounds_asked_for: What the sounds of a long clip are of that someone has asked for.
        continue_from: Frames of the clip before the prior's continuation.
        kept: The takes of the studio that stay while others are drawn, by their clip, model and
            task, and by number; None before the address has been asked.
        title: What the browser's tab is called.
        rows_of: What the rows were last drawn of.
        tour: The step of the tour that is shown.
        tour_offered: Whether a first visit has been offered the tour.
        tour_closed: Whether it was closed, and the browser is still to remember it.
        tour_moves: Whether a step has been asked for whose page is not shown yet.
    """

    pages: Mapping[str, Any] = field(default_factory=dict)
    choice: Choice | None = None
    wanted: Mapping[str, str] = field(default_factory=dict)
    checkpoint: Uploaded | None = None
    refused_checkpoint: str = ""
    music: str = ""
    clips: Mapping[str, tuple[ClipBytes, str] | None] = field(default_factory=dict)
    folder: str = ""
    heard: str = ""
    shown: Mapping[str, tuple] = field(default_factory=dict)
    sounds: dict[object, tuple[np.ndarray, int]] = field(default_factory=dict)
    sounds_of: Choice | None = None
    sounds_asked_for: frozenset[Hashable] = frozenset()
    continue_from: int = 0
    kept: Mapping[Hashable, Mapping[int, Any]] | None = None
    title: str = "srnn_lab"
    rows_of: tuple | None = None
    tour: int | None = None
    tour_offered: bool = False
    tour_closed: bool = False
    tour_moves: bool = False


def visit() -> Visit:
    """The visit of the session."""
    return st.session_state.setdefault("visit", Visit())


def remember(**changes: object) -> None:
    """Change fields of the visit."""
    st.session_state["visit"] = replace(visit(), **changes)


def want(key: str, name: str) -> None:
    """Note what is asked for."""
    remember(wanted={**visit().wanted, key: name})


def went_through_history() -> bool:
    """Whether this run is due to the browser's Back or Forward, after which the address decides."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
