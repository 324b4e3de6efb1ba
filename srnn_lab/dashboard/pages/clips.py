"""Every clip of a set with its numbers, and the set's strongest moments, to be heard and opened."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from srnn_lab.analysis.moments import APART, MOMENTS, Summary, strongest, thumbnail
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.choice import bundled_clips
from srnn_lab.dashboard.linked import choose_linked
from srnn_lab.dashboard.panels.clip_set import (
    address_of,
    choose_set,
    is_listed,
    say_none_is_read,
    show_moment,
    summarise_all,
    titles_of,
)
from srnn_lab.dashboard.panels.sounds import sound_of
from srnn_lab.dashboard.uploads import BOXES, UPLOADS
from srnn_lab.dashboard.visit import remember, visit
from srnn_lab.dashboard.words import WORDS, explain, numbers_in_words, plain, time_unit
from srnn_lab.data.bundled import words_of

BINS = 60
"""Values of a curve in the table."""
OF_ONSETS = {
    True: ", and an AUC near 0.5, where the KL does not follow the onsets. If the AUC is high in "
    "all of them, it is no accident.",
    False: ".",
}
"""What to look for in the table, by whether there is something to hear."""
OF = {"KL": "the KL", "x": "the surprise in x, −log p(x | z, d)"}
"""What moments can be of, beside the dimensions of z."""


def show(choice: Choice) -> None:
    """The page."""
    hear = " Press ▶ to hear a clip." if choice.checkpoint.config.data.kind.heard else ""
    st.caption(
        "What one clip shows may be an accident. Here are all clips of a set, and the moments at "
        f"which the model is most surprised in any of them.{hear}"
    )
    clips = choose_set(choice)
    found = summarise_all(clips)
    if not found:
        say_none_is_read()
        return
    show_table(choice, clips, found)
    show_moments(choice, clips, found)


def show_table(choice: Choice, clips: Mapping[str, Choice], found: Mapping[str, Summary]) -> None:
    """A row for each clip; the chosen one can be heard, or made the clip of all pages."""
    # The columns and what their heads explain.
    data = choice.checkpoint.config.data
    bundled, words, heard = bundled_clips(data.features), WORDS[data.features], data.kind.heard
    in_words = data.kind.notes or not heard  # when the largest spike is, as bar and beat, or a row
    when = "at" if in_words else f"at ({time_unit(data)})"
    peaks = {name: float(summary.times[summary.peak]) for name, summary in found.items()}
    titles = titles_of(found, choice)
    columns = {
        "clip": list(titles.values()),
        **({"hear": ["▶"] * len(found)} if heard else {}),
        "ELBO": [summary.elbo for summary in found.values()],
        "KL": [float(summary.kl.mean()) for summary in found.values()],
        **({"AUC": [summary.auc for summary in found.values()]} if heard else {}),
        "largest spike": [float(summary.kl[summary.peak]) for summary in found.values()],
        when: [clips[name].moment(time) for name, time in peaks.items()]
        if in_words
        else list(peaks.values()),
        "KL over time": [thumbnail(summary.kl, BINS) for summary in found.values()],
    }
    meanings = {
        "ELBO": "nats per frame",
        "KL": "nats per frame",
        "AUC": "The chance that a frame at an onset or chord change has a higher KL than another",
        "largest spike": "nats",
    } | ({} if in_words else {when: "When the largest spike is"})
    meanings = {name: meaning for name, meaning in meanings.items() if name in columns}
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(help=meaning) for name, meaning in meanings.items()
    }
    config["hear"] = st.column_config.ButtonColumn(type="tertiary", key="hear")
    config["KL over time"] = st.column_config.LineChartColumn(y_min=0.0)
    # Clips that are listed at the side can be opened on the page Explore, and some have a text.
    if all(is_listed(name, choice) for name in found):
        columns = {
            "clip": columns["clip"],
            **({"hear": columns["hear"]} if heard else {}),
            "open": [address_of(name, choice, peaks[name]) for name in found],
        } | columns
        config["open"] = st.column_config.LinkColumn(display_text="Explore")
        if heard and any(said := [words_of(bundled[name]) for name in found]):
            columns["piece" if data.kind.notes else "said"] = said
    if columns["clip"] != list(found):
        columns["file"] = list(found)
    # The table, and the clip that is chosen in it.
    chosen = st.dataframe(
        numbers_in_words(columns, dict.fromkeys([*meanings, *([] if in_words else [when])], 2)),
        hide_index=True,
        key="clips-of-the-set",
        on_select="rerun",
        selection_mode="single-row",
        column_config=config,
        alt=(
            f"Each clip of the set with its ELBO, its KL, {'the AUC of its KL at onsets, ' * heard}"
            "and its largest spike."
        ),
    )["selection"]["rows"]
    pressed = st.session_state.get("hear")  # in the run after a click alone
    rows = [pressed["row"]] if pressed else chosen
    if rows and rows[0] < len(found):
        remember(heard=list(found)[rows[0]])
    if (name := visit().heard) in found:
        st.markdown(f"**{plain(titles[name])}**")
        if heard:
            samples, rate = sound_of(clips[name], clips[name].signal)
            st.audio(samples, sample_rate=rate, autoplay=bool(pressed))
        if not is_listed(name, choice):
            st.button("Make it the clip of all pages", on_click=partial(take, clips[name]))
    explain(
        "What does the table say?",
        "**ELBO** and **KL** are averages over the frames of a clip, in nats. The **largest "
        "spike** is the largest KL of a frame that is neither silent nor one of the first, whose "
        "states start from zero. Click on the head of a column to sort by it.\n\n**Look for**: "
        "clips with a low ELBO, which the model reconstructs badly" + OF_ONSETS[heard],
        r"\mathcal{F} = \tfrac1T \sum_t \mathbb{E}_q[\log p(x_t \mid z_t, d_t)] - \mathrm{KL}_t",
        {
            "05_bound_over_time#A VAE at each frame": "takes one clip apart",
            words.notebook: "looks at more clips",
        },
    )


def take(clip: Choice) -> None:
    """Make a file of a folder the clip of all pages, as if it had been uploaded."""
    box = BOXES[UPLOADS[clip.checkpoint.config.data.features]]
    remember(clips={**visit().clips, box: (clip.content, clip.name)})


def show_moments(choice: Choice, clips: Mapping[str, Choice], found: Mapping[str, Summary]) -> None:
    """The strongest moments of the set, each to be heard if there is something to hear."""
    heard = choice.checkpoint.config.data.kind.heard
    st.subheader("The strongest moments", anchor="moments")
    of_z = {f"z{i}": f"dimension {i} of z" for i in by_use(found)}
    of = choose_linked(st.selectbox, "Largest values of", [*OF, *of_z], "of")
    values = {name: values_of(summary, of) for name, summary in found.items()}
    left_out = {name: summary.left_out for name, summary in found.items()}
    moments = strongest(values, left_out, MOMENTS, APART)
    st.markdown(
        f"Where {(OF | of_z)[of]} is largest; two moments of a clip are at least {APART} frames "
        "apart."
    )
    for i in range(0, len(moments), 3):
        for column, moment in zip(st.columns(3), moments[i : i + 3], strict=False):
            with column.container(border=True):
                show_moment(choice, clips[moment.clip], moment, found[moment.clip].times)
    explain(
        "How are the moments found?",
        "All clips of the table are searched. A dimension of z is named by its index, as in the "
        "heat map of the first page, and the most used over the set comes first."
        f"{' What is heard is the sound around the moment.' if heard else ''}"
        "\n\n**Look for**: what the moments of one dimension have in "
        f"common{': the same phone, the same chord, a breath' if heard else ''}. A dimension "
        "whose moments have nothing in common is not about one thing.",
        r"t^\star = \arg\max_t \mathrm{KL}\left(q(z_{t,i} \mid z_{t-1}, a_t)\,\|\,"
        r"p(z_{t,i} \mid z_{t-1}, d_t)\right)",
        {"04_posterior_structure#A posterior with this structure": "takes z apart"},
    )


def by_use(found: Mapping[str, Summary]) -> list[int]:
    """The dimensions of z, the most used over the set first."""
    total = np.sum([summary.kl_z.sum(0) for summary in found.values()], 0)
    return np.argsort(-total, kind="stable").tolist()


def values_of(summary: Summary, of: str) -> np.ndarray:
    """What a moment is of: ``KL``, ``x``, or ``z`` and the number of a dimension."""
    return (
        {"KL": summary.kl, "x": summary.surprise}[of] if of in OF else summary.kl_z[:, int(of[1:])]
    )
