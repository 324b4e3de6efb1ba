"""How a take moves from chord to chord, beside what is usual in its kind of music."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from srnn_lab.analysis.voice_leading import VoiceLeading, voice_leading
from srnn_lab.config import DataConfig
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.words import explain, number
from srnn_lab.data import read_signal
from srnn_lab.data.bundled import CHORALES, clips_of_kind, music_of
from srnn_lab.data.music import songs_at_hand

FIGURES = {
    "voices": "notes at a time",
    "overlaps": "changes with an overlap of voices",
    "fifths": "changes with parallel fifths",
    "octaves": "changes with parallel octaves",
    "repeated": "frames held or repeated",
}
"""Figures of ``VoiceLeading``, and what each is called."""


@st.cache_data(max_entries=16, show_spinner="Looking at the test songs …")
def cached_usual(config: DataConfig, data_dir: str) -> tuple[dict[str, tuple[float, ...]], str]:
    """What is usual of the kind of music that a model is trained on.

    Returns:
        Of each figure the mean over the pieces and their 10 % and 90 % quantiles, and what these
        pieces are: the test songs or, if they are not on this computer, the bundled clips.
    """
    songs = songs_at_hand(config.data, "test", Path(data_dir) if data_dir else None)
    pieces = (
        {name: read_signal(path, config) for name, path in clips_of_kind(config).items()}
        if songs is None
        else songs
    )
    found = zip(*(voice_leading(piece > 0) for piece in pieces.values()), strict=True)
    figures = {
        name: (float(np.nanmean(values)), *map(float, np.nanquantile(values, (0.1, 0.9))))
        for name, values in zip(VoiceLeading._fields, found, strict=True)
    }
    return figures, f"{len(pieces)} {'bundled clips' if songs is None else 'test songs'}"


def show_voice_leading(choice: Choice, parts: dict[str, np.ndarray]) -> None:
    """How each take moves from chord to chord, beside what is usual in the kind of its music.

    Args:
        choice: The model.
        parts: By name, what was drawn.
    """
    data = choice.checkpoint.config.data
    usual, pieces = cached_usual(data, os.environ.get("SRNN_LAB_DATA", ""))
    columns = {
        name: [figure_in_words(*figure) for figure in voice_leading(part > 0)._asdict().items()]
        for name, part in parts.items()
    }
    columns[pieces] = [
        f"{figure_in_words(name, mean)} ({figure_in_words(name, low)} to "
        f"{figure_in_words(name, high)})"
        for name, (mean, low, high) in usual.items()
    ]
    like = "chorale-like" if music_of(data) == CHORALES else "typical"
    st.markdown(f"**How {like} is it?**")
    st.table(pd.DataFrame(columns, index=list(FIGURES.values())), border="horizontal")
    explain(
        "What is counted?",
        "**A change** goes from one chord to another of as many notes, two or more. Voices are "
        "counted from below, since a piano roll does not name them; so they never cross, and "
        "what is counted is **overlap**: a voice goes beyond where its neighbour was. **Parallel "
        "fifths** and **octaves**: two voices are so far apart, whole octaves aside, and move by "
        "the same distance. **Held or repeated**: frames that are as the one before. In the last "
        "column: the mean over the pieces, and from which to which figure eight in ten of them "
        "reach. A take of few bars has few changes, so its shares are coarse.",
        r"x_{t,i} - x_{t,j} \equiv 7 \pmod{12}, \qquad x_{t+1,i} - x_{t,i} = x_{t+1,j} - x_{t,j} "
        r"\neq 0",
        {"09_music#Sampling": "listens"},
    )


def figure_in_words(name: str, value: float) -> str:
    """A figure of the table: a number of voices, or a share in per cent."""
    if np.isnan(value):
        return "–"
    return number(value, 1) if name == "voices" else f"{100 * value:.0f} %"
