"""The words and the labels of a clip: those of a bundled one, or a label file of one's own."""

import streamlit as st

from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.choice import bundled_clip
from srnn_lab.dashboard.uploads import harmless
from srnn_lab.dashboard.words import plain
from srnn_lab.data.bundled import words_of
from srnn_lab.data.labels import (
    LABEL_SUFFIXES,
    MAX_BYTES,
    Labels,
    labels_beside,
    parse_labels,
    read_labels,
)

BOX = "labels"
"""Key of the box for a label file."""


def show_words(choice: Choice) -> None:
    """What is said or sung in a bundled clip, or what the piece is called."""
    if (path := bundled_clip(choice)) and (text := words_of(path)):
        st.caption(f"“{plain(text)}”")


def choose_labels(choice: Choice) -> Labels | None:
    """The labels of the clip: of the file in the box of ``offer_labels``, or of a bundled one."""
    given = st.session_state.get(BOX)
    if given is None:
        path = bundled_clip(choice)
        beside = labels_beside(path) if path else None
        return read_labels(beside) if beside else None
    try:
        return parse_labels(given.getvalue(), harmless(given.name)).within(choice.length)
    except ValueError as error:
        st.sidebar.error(plain(str(error)))
        return None


def offer_labels() -> None:
    """A box at the side for a label file of one's own."""
    st.sidebar.expander("Labels of the clip").file_uploader(
        "Phones or words: TextGrid, .lab, TIMIT's .PHN, an Audacity label track (.txt), or "
        ".csv with time and label. They are drawn as a row, and the spikes are scored against "
        "them.",
        type=[suffix[1:] for suffix in LABEL_SUFFIXES],
        key=BOX,
        max_upload_size=MAX_BYTES // 2**20,
    )
