"""Words that pages share: what is said of models, errors and units, and how to read a panel."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas
import streamlit as st

from srnn_lab.config import DataConfig
from srnn_lab.dashboard.panels.lessons import read_about

SPLITS_IN_WORDS = {"train": "training", "valid": "validation", "test": "test"}
GROUPS = {
    "Speech as log-mel frames": {
        "voice-mel": "One voice, trained on log-mel frames: spikes where the sound changes.",
        "voice-mel-filt-res": "voice-mel with filtering: q(z) at a frame sees no later sound.",
    },
    "Speech as raw samples": {
        "voice": (
            "The same voice, on raw samples as in the paper: the KL follows voicing, and jumps at "
            "a break."
        ),
        "voice-smooth": "voice without Res_q: the posterior mean is predicted whole.",
        "voice-filt-res": "voice with filtering: q(z) at a frame sees no later sound.",
        "voice-filt": "voice with filtering and without Res_q.",
        "voice-vrnn": "A VRNN of the same size on the frames of voice.",
        "voice-ar": (
            "voice with an output that predicts each sample from those before it in the frame: "
            "less hiss."
        ),
    },
    "Music, as the paper has it": {
        "jsb": "Bach chorales in many keys: spikes where the chord changes.",
        "jsb-paper": (
            "Chorales in C, trained as in the paper: the model that the notebooks dissect."
        ),
        "nottingham": ("Folk tunes with chords (Nottingham): hear it compose in Studio."),
        "muse": "Orchestral and chamber music (MuseData) in many keys.",
        "piano": "Classical piano music (Piano-midi.de) in many keys.",
    },
    "Music, the version of most papers": {
        "bl-jsb": (
            "Chorales in quarter notes, the version of most papers: nine frames in ten are a new "
            "chord."
        ),
        "bl-jsb-nade": (
            "The chorales of bl-jsb, with an autoregressive (NADE) output: notes are drawn one by "
            "one."
        ),
        "bl-muse": ("Orchestral and chamber music (MuseData) in C, the version of most papers."),
        "bl-nottingham": (
            "Folk tunes with chords in C, the version of most papers; hear it compose in Studio."
        ),
        "bl-piano": "Piano-midi.de in C, the version of most papers.",
    },
}
"""The bundled checkpoints and what is said of each, in the order in which they are offered, the
first page's first."""
ABOUT = {name: about for group in GROUPS.values() for name, about in group.items()}
"""What is said of each bundled checkpoint."""
SETTINGS = {
    "posterior": {"networks": "posterior of networks", "tridiagonal": "one Gaussian as posterior"},
    "smoothing": {True: "smoothing posterior", False: "filtering posterior"},
    "residual": {True: "with Res_q", False: "without Res_q"},
    "gated_transition": {True: "gated transition", False: "plain transition"},
    "whole_sequences": {True: "trained on whole songs", False: "trained on one stream"},
    "model": {
        "srnn": "SRNN",
        "vrnn": "VRNN",
        "vrnn-i": "VRNN-I",
        "storn": "STORN",
        "dkf": "DKF",
        "rnn": "RNN",
        "tsbn": "TSBN",
        "vrae": "VRAE",
    },
    "likelihood": {"nade": "NADE output", "student-t-ar": "autoregressive output"},
}
"""Settings by name, and what each value is called."""
SIZES = {
    "d_dim": "{} units in d",
    "z_dim": "{} dimensions of z",
    "hidden_dim": "{} hidden units",
    "u_dim": "{} known inputs",
    "epochs": "{} epochs",
    "batch_size": "batches of {}",
    "dropout_features": "dropout {} on u and x",
    "dropout_d": "dropout {} on d and a",
    "likelihood": "{} output",
    "learning_rate_decay_start": "learning rate decays from epoch {}",
    "data": "trained on {}",
}
"""Settings by name, as a phrase around a value."""
MAX_SENTENCE = 600
"""Characters of a message that are shown; a file can put as many as it likes into one."""


@dataclass(frozen=True)
class Words:
    """What the pages say of one kind of frame.

    Attributes:
        look_for: What to look for in the KL.
        heard: What mean and sample sound like.
        reconstruction: What is heard of a model's reconstruction.
        mean: What a row of E[x] shows, and on which scale.
        notebook: Where a notebook is about such frames.
        note: How the sound of frames is made, where that needs a word.
    """

    look_for: str
    heard: str
    reconstruction: str
    mean: str
    notebook: str
    note: str = ""


WORDS = {
    "raw": Words(
        look_for="On raw samples the KL follows voicing: every voiced frame costs. It leaps "
        "where the sound breaks off.",
        heard=(
            "The sample adds the noise that p(x | z) allows, so it hisses where the log-variance "
            "is high."
        ),
        reconstruction="the mean of x under the posterior",
        mean="amplitude of the waveform, all rows on the clip's scale",
        notebook="08_speech#At transitions, measured",
    ),
    "log-mel": Words(
        look_for=(
            "On log-mel frames a steady vowel is predicted well, and the KL rises where the sound "
            "changes."
        ),
        heard="The sample adds the noise that p(x | z) allows, so it is rougher than the mean.",
        reconstruction="the mean of x under the posterior, with phases estimated by Griffin-Lim",
        mean="standardised log-mel energies, all rows in the clip's colours",
        notebook="08_speech#At transitions, measured",
        note="Log-mel frames have no phase; it is estimated with Griffin-Lim.",
    ),
    "series": Words(
        look_for="Where a table does what the rows before did not foretell, the KL rises.",
        heard="",
        reconstruction="the mean of x under the posterior",
        mean="the columns in their units",
        notebook="11_your_own_sequences#Gaps",
    ),
    "roll": Words(
        look_for=(
            "The KL is small while a chord is held and rises with the next one, most where it is "
            "unusual."
        ),
        heard="The mean plays the notes with p above ½; the sample draws each note with its p. "
        "The page *Studio* continues a clip from any bar, at any temperature.",
        reconstruction="the notes with p above ½",
        mean="p(note) as opacity",
        notebook="09_music#Where the chord changes",
        note="A reconstruction plays the notes whose p(note) is above 0.5.",
    ),
}
"""Kind of frame -> what is said of it."""


def plain(text: str) -> str:
    """A text as Markdown that shows it character by character.

    Returns:
        The Markdown; in it a file's name or metadata are neither links nor HTML.
    """
    text = text if len(text) <= MAX_SENTENCE else f"{text[:MAX_SENTENCE]} …"
    # What looks like an address would be made a link, even where each of its characters is escaped.
    text = re.sub(r"www(?=\.)|https?:(?=//)|@(?!\u2060)", "\\g<0>\u2060", text, flags=re.IGNORECASE)
    return re.sub(r"([\\`*_{}\[\]<>#|~$:!&@])", r"\\\1", " ".join(text.split()))


def guarded(show: Callable[[], None]) -> Callable[[], None]:
    """A page on which what goes wrong with a file or a value is a sentence."""

    def page() -> None:
        try:
            show()
        except (ValueError, OSError, FloatingPointError) as error:
            st.error(plain(str(error)))

    return page


def time_unit(data: DataConfig) -> str:
    """The unit of the time axis."""
    return data.kind.time_unit


def unit_seconds(data: DataConfig) -> float:
    """Seconds of sound in one unit of the time axis."""
    return data.kind.unit_seconds


def setting_in_words(name: str, value: object) -> str:
    """A setting of a model or of its training, as a person would say it."""
    phrase = SIZES.get(name, f"{name.replace('_', ' ')} {{}}").format(value)
    return SETTINGS.get(name, {}).get(value, phrase)


def number(value: float | int | np.number, digits: int = 2) -> str:
    """A number for a sentence: with a true minus sign, and with commas between thousands."""
    return f"{round(float(value), digits) + 0.0:,.{digits}f}".replace("-", "−")  # + 0.0: no −0


def numbers_in_words(table: Mapping[str, Any], digits: Mapping[str, int]) -> Any:
    """A table with its numbers written as in a sentence; they are still sorted by their values.

    Args:
        table: Columns by name.
        digits: Decimals by column; the others stay as they are.

    Returns:
        What ``st.dataframe`` shows.
    """
    written = {name: partial(number, digits=found) for name, found in digits.items()}
    return pandas.DataFrame(dict(table)).style.format(written, na_rep="–")


def explain(question: str, text: str, equation: str, places: Mapping[str, str]) -> None:
    """How to read a panel, folded away.

    Args:
        question: What it answers, the words on the fold.
        text: Units, and what to look for.
        equation: What is shown, in LaTeX.
        places: Where to read about it: what is done there, by notebook and section (see
            ``read_about``).
    """
    with st.expander(question):
        st.latex(equation)
        st.markdown(text)
        st.markdown(read_about(places))
