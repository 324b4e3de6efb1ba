"""The clips of a set: what is kept of each after the model has run, and a moment to hear."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from srnn_lab.analysis.events import near_windows
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.moments import AROUND, Moment, Summary, summarise
from srnn_lab.dashboard.cache import (
    Choice,
    ClipBytes,
    cache_data,
    cache_resource,
    cached_checkpoint,
    cached_sequences,
    cached_signal,
)
from srnn_lab.dashboard.choice import (
    as_file,
    bundled_clip,
    clip_key,
    options,
    table_as_file,
    tables_of,
)
from srnn_lab.dashboard.panels.sounds import Sound, sound_of
from srnn_lab.dashboard.uploads import MEGABYTES, UPLOADS, harmless
from srnn_lab.dashboard.visit import remember, visit
from srnn_lab.dashboard.words import number, plain, time_unit
from srnn_lab.data.bundled import bundled_clips, clip_titles, clips_of_kind
from srnn_lab.data.kinds import Series
from srnn_lab.data.labels import Labels, labels_beside, read_labels
from srnn_lab.player.component import Place

MOST = 200
"""Files of a folder that are read."""
ROWS = 10
"""Rows on either side of a moment of a table that a link to it shows."""
MOST_FRAMES = 400_000
"""Frames of a set that are kept, in about 1 GB; further clips are left out."""


@cache_resource(max_entries=250, show_spinner=False)  # not copied whenever a page asks for it
def cached_summary(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int
) -> Summary:
    """What is kept of a clip; its inspection would push those of other pages out of their cache."""
    checkpoint = cached_checkpoint(path, modified)
    signal = cached_signal(path, modified, content, name, semitones)[0]
    return summarise(inspect_signal(checkpoint, signal), near_windows(checkpoint.config.data)[-1])


@cache_data(max_entries=100, show_spinner=False)
def cached_stretch(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int, start: int, stop: int
) -> Sound:
    """The sound of a stretch of a clip, from one sample, or frame of notes, to before another."""
    clip = Choice(path, modified, content, name, semitones)
    return sound_of(clip, clip.signal[start:stop])


def choose_set(choice: Choice) -> dict[str, Choice]:
    """The clips of a set by name, after a box for its folder, which the visit remembers.

    Returns:
        What a page needs to inspect each clip with the chosen model, in the order of the names.

    Raises:
        ValueError: There is no such folder.
    """
    heard = choice.checkpoint.config.data.kind.heard
    empty = "the bundled ones" if heard else "this run's own"
    label = f"Folder of {'clips' if heard else 'tables'} (empty: {empty})"
    given = "" if options().read_only else st.text_input(label, visit().folder, key="set")
    clips = clips_of_set(choice, given)
    remember(folder=given)
    return clips


def clips_of_set(choice: Choice, given: str) -> dict[str, Choice]:
    """The bundled clips of the model's kind or, if one is given, a folder's files, by name.

    Of a model of tables, they are the run's own sequences or those of the folder's files.

    Returns:
        Each clip with the chosen model; at most ``MOST`` of a folder. A file is named by its path
        in the folder, without its ending; of several sequences in it, each has its name behind it.

    Raises:
        ValueError: There is no such folder.
    """
    data = choice.checkpoint.config.data
    features, paths = data.features, clips_of_kind(data)
    if not (data.kind.heard or given):
        file = Path(choice.path)
        own = {name: table_as_file(file, name) for name in list(tables_of(file))[:MOST]}
        return {name: choice._replace(content=c, name=n) for name, (c, n) in own.items()}
    if given:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise ValueError(
                f"{given!r} is not a folder; enter the path of one with files that this model "
                "takes."
            )
        kinds, limit = UPLOADS[features], MEGABYTES[UPLOADS[features]] * 2**20
        files = (
            path
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower()[1:] in kinds and path.is_file()
        )
        small = [path for path in files if path.name[0] != "." and path.stat().st_size <= limit]
        paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in small[:MOST]}
        if len(small) > MOST:
            st.info(f"The first {MOST} of {len(small)} files are shown.")
    clips = {
        name: choice._replace(content=ClipBytes(path.read_bytes()), name=harmless(path.name))
        for name, path in paths.items()
    }
    if data.kind.heard:
        return clips
    parts = {
        " / ".join(filter(None, (name, part))): sequence
        for name, clip in clips.items()
        for part, sequence in _sequences_of(clip).items()
    }
    return dict(list(parts.items())[:MOST])


def _sequences_of(clip: Choice) -> dict[str, Choice]:
    """The sequences of a table by name; the table itself, without a name, if it holds but one."""
    kind = clip.checkpoint.config.data.kind
    if not (isinstance(kind, Series) and (kind.sequence_column or clip.name.endswith(".npz"))):
        return {"": clip}  # which need not be read to know that
    try:
        found, _ = cached_sequences(*clip[:4])
    except ValueError:  # which is said where it is inspected
        return {"": clip}
    if len(found) < 2:
        return {"": clip}
    files = {name: as_file(Path(clip.path), rows, name) for name, rows in found.items()}
    return {name: clip._replace(content=c, name=n) for name, (c, n) in files.items()}


def is_listed(name: str, choice: Choice) -> bool:
    """Whether the box at the side offers a clip of a set, so that a link may name it."""
    data = choice.checkpoint.config.data
    return name in (
        bundled_clips(data.features) if data.kind.heard else tables_of(Path(choice.path))
    )


def titles_of(names: Iterable[str], choice: Choice) -> dict[str, str]:
    """What clips of a set are called, by name: bundled ones as in the box at the side."""
    data = choice.checkpoint.config.data
    known = clip_titles(bundled_clips(data.features)) if data.kind.heard else {}
    return {name: known.get(name, name) for name in names}


def summarise_all(clips: Mapping[str, Choice]) -> dict[str, Summary]:
    """What is kept of each clip; those that cannot be read are named."""
    found, wrong, frames = {}, [], 0
    text = "Running the model over each clip …"
    bar = st.progress(0.0, text)
    for i, (name, clip) in enumerate(clips.items()):
        try:
            found[name] = cached_summary(*clip)
        except (ValueError, FloatingPointError) as error:
            wrong.append(f"{name}: {error}")
        bar.progress((i + 1) / len(clips), text)
        frames += len(found[name].kl) if name in found else 0
        if frames > MOST_FRAMES:
            st.info(
                f"The first {i + 1} of {len(clips)} clips are taken; they have {frames:,} frames."
            )
            break
    bar.empty()
    if wrong:
        st.caption(plain(f"Left out: {' '.join(wrong)}"))
    return found


def say_none_is_read() -> None:
    """Say that there is no clip to show."""
    st.info(
        "No clip of this set can be read by this model. Choose another folder, or the bundled "
        "clips."
    )


def address_of(clip: str, choice: Choice, start: float, end: float | None = None) -> str:
    """The address of the first page that shows a bundled clip at a place."""
    place = f"{start:.4f}" if end is None else f"{start:.4f}-{end:.4f}"
    key = clip_key(choice.checkpoint.config.data.features)
    return (
        f"./?{urlencode({'checkpoint': st.session_state['checkpoint'], key: clip, 'place': place})}"
    )


def show_moment(
    choice: Choice,
    clip: Choice,
    moment: Moment,
    times: np.ndarray,
    *,
    of: str = "",
    autoplay: bool = False,
) -> None:
    """A moment: how strong, in which clip and when, what is said there, and its sound."""
    time, data = float(times[moment.frame]), choice.checkpoint.config.data
    half = AROUND[time_unit(data)] if data.kind.heard else ROWS / data.kind.rate
    place = Place(max(0.0, time - half), min(clip.length, time + half))
    names = names_between(clip, Place(time, time))
    what, when = f"{of}**{number(moment.value)}** nats", clip.moment(time)
    show_stretch(choice, clip, moment.clip, place, what, when, names, autoplay=autoplay)


def show_stretch(
    choice: Choice,
    clip: Choice,
    name: str,
    place: Place,
    what: str,
    when: str,
    said: str,
    *,
    autoplay: bool = False,
) -> None:
    """A stretch of a clip of the set: what it is, its sound, and where it can be opened.

    Args:
        choice: What is chosen at the side.
        clip: The clip.
        name: What the set calls it.
        place: The stretch.
        what: What is to be said of it, as Markdown.
        when: Where it lies, in words.
        said: The phones there.
        autoplay: Whether it is played at once.
    """
    data = choice.checkpoint.config.data
    quoted = f", “{plain(said)}”" if said else ""
    title = titles_of([name], choice)[name].removesuffix(".")
    st.markdown(f"{what} · {plain(title)}, {when}{quoted}")
    if data.kind.heard:
        samples, rate = cached_stretch(
            *clip, round(place.start * data.rate), round(place.end * data.rate)
        )
        st.audio(samples, sample_rate=rate, autoplay=autoplay)
    if is_listed(name, choice):
        st.markdown(f"[Open in Explore]({address_of(name, choice, *place)})")


def labels_of(clip: Choice) -> Labels | None:
    """The phones of a clip, if it is a bundled one that has labels."""
    path = bundled_clip(clip)
    beside = labels_beside(path) if path else None
    return read_labels(beside) if beside else None


def names_between(clip: Choice, place: Place) -> str:
    """The phones of a stretch, or of a moment, if they are known."""
    if (labels := labels_of(clip)) is None:
        return ""
    first, last = np.searchsorted(labels.times, place, side="right") - 1
    return " ".join(filter(None, labels.names[max(0, first) : last + 1]))
