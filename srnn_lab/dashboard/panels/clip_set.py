"""The clips of a set: what is kept of each once the model has run over it, and a moment of one that can be heard."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from srnn_lab.analysis.inspection import NEAR, inspect_signal
from srnn_lab.analysis.moments import Moment, Summary, summarise
from srnn_lab.dashboard.cache import Choice, ClipBytes, cache_data, cached_checkpoint, cached_signal
from srnn_lab.dashboard.choice import bundled_clips, clip_key, options
from srnn_lab.dashboard.panels.labels import bundled_clip
from srnn_lab.dashboard.panels.sounds import sound_of
from srnn_lab.dashboard.uploads import MEGABYTES, UPLOADS, harmless
from srnn_lab.dashboard.words import number, plain, time_unit
from srnn_lab.data.labels import labels_beside, read_labels

MOST = 200
"""Files of a folder that are read."""
HEARD = {"s": 0.4, "quarter notes": 2.0}
"""By the unit of the time axis, what is heard on either side of a moment."""


@cache_data(max_entries=500, show_spinner=False)
def cached_summary(path: str, modified: float, content: ClipBytes, name: str, semitones: int) -> Summary:
    """What is kept of a clip; not its inspection, which would push those of the other pages out of their cache."""
    checkpoint = cached_checkpoint(path, modified)
    signal = cached_signal(path, modified, content, name, semitones)[0]
    near = 0 if checkpoint.config.data.kind.notes else NEAR
    return summarise(inspect_signal(checkpoint, signal), near)


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


def address_of(clip: str, choice: Choice, start: float, end: float | None = None) -> str:
    """The address of the first page that shows a bundled clip at a place."""
    place = f"{start:.4f}" if end is None else f"{start:.4f}-{end:.4f}"
    key = clip_key(choice.checkpoint.config.data.features)
    return f"./?{urlencode({'checkpoint': st.session_state['checkpoint'], key: clip, 'place': place})}"


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
