"""Words that the pages share: what is said of the models, of errors and of units, and how to read a panel."""

import re
from collections.abc import Callable, Mapping

import numpy as np
import streamlit as st

from srnn_lab.config import DataConfig
from srnn_lab.data.sound import QUARTERS_PER_MINUTE

ABOUT = {
    "voice-mel": "One voice, trained on log-mel frames: spikes where the sound changes.",
    "voice-mel-filt-res": "voice-mel with filtering: q(z) at a frame sees no later sound.",
    "voice": "The same voice, trained on raw samples as in the paper: the KL follows voicing, and jumps at a break.",
    "voice-smooth": "voice without Res_q: the posterior mean is predicted whole.",
    "voice-filt-res": "voice with filtering: q(z) at a frame sees no later sound.",
    "voice-filt": "voice with filtering and without Res_q.",
    "voice-vrnn": "A VRNN of the same size on the frames of voice.",
    "jsb": "Bach chorales in many keys: spikes where the chord changes.",
    "jsb-paper": "Chorales in C, trained as in the paper: the model that the notebooks dissect.",
    "nottingham": "Folk tunes with chords (Nottingham): hear it compose on the page Studio; the clips are chorales.",
    "muse": "Orchestral and chamber music (MuseData) in many keys; the clips are chorales.",
    "piano": "Classical piano music (Piano-midi.de) in many keys; the clips are chorales.",
    "bl-jsb": "Chorales in quarter notes, the version of most papers: nine frames in ten are a new chord.",
    "bl-jsb-nade": "The chorales of bl-jsb, with an autoregressive (NADE) output: notes are drawn one by one.",
    "bl-muse": "Orchestral and chamber music (MuseData) in C, the version of most papers; the clips are chorales.",
    "bl-nottingham": "Folk tunes with chords in C, the version of most papers; hear it compose on the page Studio.",
    "bl-piano": "Piano-midi.de in C, the version of most papers; the clips are chorales.",
}
"""The bundled checkpoints in the order in which they are offered, the first page's first, and what is said of each."""
BY_KIND = {"raw": "08_speech", "log-mel": "08_speech", "roll": "09_music"}
"""The notebook about frames of a kind."""
MAX_SENTENCE = 600
"""Characters of a message that are shown; a file can put as many as it likes into one."""


def plain(text: str) -> str:
    """A text as Markdown that shows it character by character: a file's name or metadata are neither links nor HTML."""
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
    return "quarter notes" if data.features == "roll" else "s"


def unit_seconds(data: DataConfig) -> float:
    """Seconds of sound in one unit of the time axis."""
    return 60 / QUARTERS_PER_MINUTE if data.features == "roll" else 1.0


def number(value: float | np.floating, digits: int = 2) -> str:
    """A number for a sentence: with a true minus sign, and with commas between thousands."""
    return f"{round(float(value), digits) + 0.0:,.{digits}f}".replace("-", "−")  # + 0.0: no −0


def explain(question: str, text: str, equation: str, notebooks: Mapping[str, str]) -> None:
    """How to read a panel, folded away.

    Args:
        question: What it answers, the words on the fold.
        text: Units, and what to look for.
        equation: What is shown, in LaTeX.
        notebooks: Where to read on: what each notebook does, by its name without ``.ipynb``.
    """
    with st.expander(question):
        st.latex(equation)
        st.markdown(text)
        read_on = "; ".join(f"`notebooks/{name}.ipynb` {does}" for name, does in notebooks.items())
        st.markdown(f"**Read on**: {read_on}.")
