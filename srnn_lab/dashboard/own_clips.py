"""A run's own files that it was not trained on, which come first among its clips."""

from contextlib import suppress
from pathlib import Path

import streamlit as st

from srnn_lab.checkpoint import read_config
from srnn_lab.dashboard.uploads import MEGABYTES, UPLOADS
from srnn_lab.dashboard.words import SPLITS_IN_WORDS
from srnn_lab.data.datasets import held_out_files
from srnn_lab.data.notices import collect_notices

FRESH = 300.0
"""Seconds after which the folder is looked at again."""
HELD_OUT = {split: SPLITS_IN_WORDS[split] for split in ("test", "valid")}
"""By split, what the name of a clip begins with."""


def is_own(name: str) -> bool:
    """Whether a clip's name is that of some run's own file."""
    return name.partition(": ")[0] in HELD_OUT.values()


@st.cache_data(max_entries=100, ttl=FRESH, show_spinner="Looking for the run's own files …")
def cached_own_clips(path: str, modified: float) -> dict[str, Path]:  # noqa: ARG001 (a new file is a new entry)
    """The files of the folder that a checkpoint was trained on which pages can show, by name.

    Args:
        path: The checkpoint.
        modified: When it was last written.

    Returns:
        The test files and then those for validation; none where the folder is gone, or the data
        are no folder.
    """
    data, found = read_config(path).data, {}
    kinds, limit = UPLOADS[data.features], MEGABYTES[UPLOADS[data.features]] * 2**20
    with suppress(ValueError, OSError), collect_notices():  # the training has told what it left out
        for split, called in HELD_OUT.items():
            for name, file in held_out_files(data, split).items():
                if file.suffix.lower()[1:] in kinds and file.stat().st_size <= limit:
                    found[f"{called}: {name}"] = file
    return found
