"""Is z used? In words with the numbers, of a clip and of a bundled model."""

from itertools import accumulate

import streamlit as st

from srnn_lab.analysis.inspection import clip_batch
from srnn_lab.dashboard.cache import Choice, cache_data, cached_checkpoint
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.words import plain
from srnn_lab.data import read_signal
from srnn_lab.data.bundled import clips_of_kind
from srnn_lab.inference.use_of_z import UseOfZ, use_of_z

MOST_FRAMES = 1500
"""Frames that are looked at: of those of raw samples about a second's work."""


@cache_data(max_entries=64, show_spinner=False)
def cached_use(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int
) -> UseOfZ | None:
    """How much z is used over the beginning of a clip; None of a model without z."""
    choice = Choice(path, modified, content, name, semitones)
    frames, _ = clip_batch(choice.checkpoint, choice.signal)
    config = choice.checkpoint.config.evaluation
    return use_of_z(choice.checkpoint.model, [frames[:MOST_FRAMES]], config)


@st.cache_data(max_entries=32, show_spinner="Looking at how much z is used …")
def cached_use_on_clips(path: str, modified: float) -> tuple[UseOfZ | None, int]:
    """How much z is used on the first bundled clips, and how many these are."""
    checkpoint = cached_checkpoint(path, modified)
    data = checkpoint.config.data
    clips = [
        clip_batch(checkpoint, read_signal(file, data))[0]
        for file in list(clips_of_kind(data).values())[:6]
    ]
    inside = [total <= MOST_FRAMES for total in accumulate(map(len, clips))]
    chosen = clips[: max(1, sum(inside))]
    return use_of_z(checkpoint.model, chosen, checkpoint.config.evaluation), len(chosen)


def show_use(choice: Choice) -> None:
    """A sentence on how much z is used over the clip."""
    if (use := cached_use(*choice)) is not None:
        long = len(choice.signal) // choice.checkpoint.config.data.hop > MOST_FRAMES + 1
        beginning = f"the first {use.frames:,} frames of " * long
        st.markdown(f"**Is z used?** On {beginning}this clip, {plain(use.sentence())}")
