"""Every clip of a set with its numbers, and the set's strongest moments, to be heard and opened."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from srnn_lab.analysis.inspection import NEAR, inspect_signal
from srnn_lab.analysis.moments import Moment, Summary, strongest, summarise, thumbnail
from srnn_lab.dashboard.cache import Choice, ClipBytes, cache_data, cached_checkpoint, cached_signal
from srnn_lab.dashboard.choice import bundled_clips, choose_linked, clip_key, options
from srnn_lab.dashboard.panels.labels import bundled_clip, words_of
from srnn_lab.dashboard.panels.sounds import sound_of
from srnn_lab.dashboard.uploads import MEGABYTES, UPLOADS, harmless
from srnn_lab.dashboard.visit import remember, visit
from srnn_lab.dashboard.words import WORDS, explain, number, plain, time_unit
from srnn_lab.data.labels import labels_beside, read_labels

MOST = 200
"""Files of a folder that are read."""
MOMENTS = 12
APART = 4 * NEAR
"""Frames between two moments of a clip, at least."""
BINS = 60
"""Values of a curve in the table."""
HEARD = {"s": 0.4, "quarter notes": 2.0}
"""By the unit of the time axis, what is heard on either side of a moment."""
OF = {"KL": "the KL", "x": "the surprise in x, −log p(x | z, d)"}
"""What moments can be of, beside the dimensions of z."""


@cache_data(max_entries=500, show_spinner=False)
def cached_summary(path: str, modified: float, content: ClipBytes, name: str, semitones: int) -> Summary:
    """What is kept of a clip; not its inspection, which would push those of the other pages out of their cache."""
    checkpoint = cached_checkpoint(path, modified)
    signal = cached_signal(path, modified, content, name, semitones)[0]
    near = 0 if checkpoint.config.data.kind.notes else NEAR
    return summarise(inspect_signal(checkpoint, signal), near)


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "What one clip shows may be an accident. Here are all clips of a set, and the moments at which the model is "
        "most surprised in any of them. Select a row to hear the clip."
    )
    clips = choose_set(choice)
    found = summarise_all(clips)
    if not found:
        st.info("No clip of this set can be read by this model. Choose another folder, or the bundled clips.")
        return
    show_table(choice, clips, found)
    show_moments(choice, clips, found)


def choose_set(choice: Choice) -> dict[str, Choice]:
    """The bundled clips, or the files of a folder, by name.

    Raises:
        ValueError: There is no such folder.
    """
    features = choice.checkpoint.config.data.features
    given = "" if options().read_only else st.text_input("Folder of more files (empty: the bundled clips)", key="set")
    paths = bundled_clips(features)
    if given:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{given!r} is not a folder; enter the path of one with files that this model takes.")
        kinds, limit = UPLOADS[features], MEGABYTES[UPLOADS[features]] * 2**20
        files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower()[1:] in kinds and path.is_file())
        small = [path for path in files if path.name[0] != "." and path.stat().st_size <= limit]
        paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in small[:MOST]}
        if len(small) > MOST:
            st.info(f"The first {MOST} of {len(small)} files are shown.")
    return {
        name: choice._replace(content=ClipBytes(path.read_bytes()), name=harmless(path.name))
        for name, path in paths.items()
    }


def summarise_all(clips: Mapping[str, Choice]) -> dict[str, Summary]:
    """What is kept of each clip; those that cannot be read are named."""
    found, wrong = {}, []
    bar = st.progress(0.0, "Running the model over each clip …")
    for i, (name, clip) in enumerate(clips.items()):
        try:
            found[name] = cached_summary(*clip)
        except (ValueError, FloatingPointError) as error:
            wrong.append(f"{name}: {error}")
        bar.progress((i + 1) / len(clips))
    bar.empty()
    if wrong:
        st.caption(plain(f"Left out: {' '.join(wrong)}"))
    return found


def show_table(choice: Choice, clips: Mapping[str, Choice], found: Mapping[str, Summary]) -> None:
    """A row for each clip; the chosen one can be heard."""
    data = choice.checkpoint.config.data
    unit, bundled, words = time_unit(data), bundled_clips(data.features), WORDS[data.features]
    peaks = {name: float(summary.times[summary.peak]) for name, summary in found.items()}
    columns = {
        "clip": list(found),
        "ELBO": [summary.elbo for summary in found.values()],
        "KL": [float(summary.kl.mean()) for summary in found.values()],
        "AUC": [summary.auc for summary in found.values()],
        "largest spike": [float(summary.kl[summary.peak]) for summary in found.values()],
        f"at ({unit})": list(peaks.values()),
        "KL over time": [thumbnail(summary.kl, BINS) for summary in found.values()],
    }
    meanings = {
        "ELBO": "nats per frame",
        "KL": "nats per frame",
        "AUC": "The chance that a frame at an onset or chord change has a higher KL than another",
        "largest spike": "nats",
        f"at ({unit})": "When the largest spike is",
    }
    config = {name: st.column_config.NumberColumn(format="%.2f", help=meaning) for name, meaning in meanings.items()}
    config["KL over time"] = st.column_config.LineChartColumn(y_min=0.0)
    if all(name in bundled for name in found):
        columns = {"clip": list(found), "open": [address_of(name, choice, peaks[name]) for name in found]} | columns
        config["open"] = st.column_config.LinkColumn(display_text="Explore")
        if any(said := [words_of(bundled[name]) for name in found]):
            columns["said"] = said
    chosen = st.dataframe(
        columns,
        hide_index=True,
        key="clips-of-the-set",
        on_select="rerun",
        selection_mode="single-row",
        column_config=config,
        alt="Each clip of the set with its ELBO, its KL, the AUC of its KL at onsets, and its largest spike.",
    )["selection"]["rows"]
    if chosen and chosen[0] < len(found):
        name = list(found)[chosen[0]]
        st.markdown(f"**{plain(name)}**")
        samples, rate = sound_of(clips[name], clips[name].signal)
        st.audio(samples, sample_rate=rate)
        if name not in bundled:
            st.button("Make it the clip of all pages", on_click=partial(take, clips[name]))
    explain(
        "What does the table say?",
        "**ELBO** and **KL** are averages over the frames of a clip, in nats. The **largest spike** is the largest KL "
        "of a frame that is neither silent nor one of the first, whose states start from zero. Click on the head of a "
        "column to sort by it.\n\n"
        "**Look for**: clips with a low ELBO, which the model reconstructs badly, and an AUC near 0.5, where the KL "
        "does not follow the onsets. If the AUC is high in all of them, it is no accident.",
        r"\mathcal{F} = \tfrac1T \sum_t \mathbb{E}_q[\log p(x_t \mid z_t, d_t)] - \mathrm{KL}_t",
        {"05_bound_over_time": "takes one clip apart", words.notebook: "looks at more clips"},
    )


def take(clip: Choice) -> None:
    """Make a file of a folder the clip of all pages, as if it had been uploaded."""
    kind = "chorales" if clip.checkpoint.config.data.kind.notes else "voice"
    remember(clips={**visit().clips, kind: (clip.content, clip.name)})


def address_of(clip: str, choice: Choice, start: float, end: float | None = None) -> str:
    """The address of the first page that shows a bundled clip at a place."""
    place = f"{start:.4f}" if end is None else f"{start:.4f}-{end:.4f}"
    key = clip_key(choice.checkpoint.config.data.features)
    return f"./?{urlencode({'checkpoint': st.session_state['checkpoint'], key: clip, 'place': place})}"


def show_moments(choice: Choice, clips: Mapping[str, Choice], found: Mapping[str, Summary]) -> None:
    """The strongest moments of the set, each to be heard."""
    st.subheader("The strongest moments", anchor="moments")
    of_z = {f"z{i}": f"dimension {i} of z" for i in by_use(found)}
    of = choose_linked(st.selectbox, "Largest values of", [*OF, *of_z], "of")
    values = {name: values_of(summary, of) for name, summary in found.items()}
    left_out = {name: summary.left_out for name, summary in found.items()}
    moments = strongest(values, left_out, MOMENTS, APART)
    st.markdown(f"Where {(OF | of_z)[of]} is largest; two moments of a clip are at least {APART} frames apart.")
    for i in range(0, len(moments), 3):
        for column, moment in zip(st.columns(3), moments[i : i + 3], strict=False):
            with column.container(border=True):
                show_moment(choice, clips[moment.clip], moment, found[moment.clip].times)
    explain(
        "How are the moments found?",
        "All clips of the table are searched. A dimension of z is named by its index, as in the heat map of the first "
        "page, and the most used over the set comes first. What is heard is the sound around the moment.\n\n"
        "**Look for**: what the moments of one dimension have in common: the same phone, the same chord, a breath. A "
        "dimension whose moments have nothing in common is not about one thing.",
        r"t^\star = \arg\max_t \mathrm{KL}\left(q(z_{t,i} \mid z_{t-1}, a_t)\,\|\,p(z_{t,i} \mid z_{t-1}, d_t)\right)",
        {"04_posterior_structure": "takes z apart"},
    )


def by_use(found: Mapping[str, Summary]) -> list[int]:
    """The dimensions of z, the most used over the set first."""
    total = np.sum([summary.kl_z.sum(0) for summary in found.values()], 0)
    return np.argsort(-total, kind="stable").tolist()


def values_of(summary: Summary, of: str) -> np.ndarray:
    """What a moment is of: ``KL``, ``x``, or ``z`` and the number of a dimension."""
    return {"KL": summary.kl, "x": summary.surprise}[of] if of in OF else summary.kl_z[:, int(of[1:])]


def show_moment(choice: Choice, clip: Choice, moment: Moment, times: np.ndarray) -> None:
    """A moment: how strong, in which clip and when, what is said there, and its sound."""
    data, time = choice.checkpoint.config.data, float(times[moment.frame])
    half = HEARD[time_unit(data)]
    start, end = max(0.0, time - half), min(clip.length, time + half)
    said = f", “{plain(name)}”" if (name := label_at(clip, time)) else ""
    st.markdown(f"**{number(moment.value)}** nats · {plain(moment.clip)}, {clip.moment(time)}{said}")
    samples, rate = sound_of(clip, clip.signal[round(start * data.rate) : round(end * data.rate)])
    st.audio(samples, sample_rate=rate)
    if moment.clip in bundled_clips(data.features):
        st.markdown(f"[Open in Explore]({address_of(moment.clip, choice, start, end)})")


def label_at(clip: Choice, time: float) -> str:
    """The phone or word at a time, if the clip is a bundled one that has labels."""
    path = bundled_clip(clip)
    beside = labels_beside(path) if path else None
    if beside is None:
        return ""
    labels = read_labels(beside)
    i = int(np.searchsorted(labels.times, time, side="right")) - 1
    return labels.names[i] if i >= 0 else ""
