"""The choice of checkpoint and clip, which is the same on all pages and in all their addresses."""

import argparse
import re
import sys
import time
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.analysis.export import parquet_bytes
from srnn_lab.checkpoint import list_checkpoints, read_header
from srnn_lab.config import DataConfig
from srnn_lab.dashboard.cache import (
    Choice,
    cached_checkpoint,
    cached_midi_words,
    cached_own_tables,
    cached_sequences,
    cached_signal,
    features_of,
)
from srnn_lab.dashboard.linked import choose_linked, choose_titled
from srnn_lab.dashboard.own_clips import cached_own_clips, is_own
from srnn_lab.dashboard.uploads import (
    AUDIO,
    BOXES,
    CHECKPOINT_MEGABYTES,
    HEARD,
    MEGABYTES,
    TABLES,
    UPLOADS,
    ClipBytes,
    Uploaded,
    harmless,
)
from srnn_lab.dashboard.visit import remember, visit, want
from srnn_lab.dashboard.words import ABOUT, GROUPS, SPLITS_IN_WORDS, plain
from srnn_lab.data.bundled import bundled_clips, clips_of_kind, music_of
from srnn_lab.data.kinds import KINDS, QUARTERS_PER_MINUTE, Series

FIRST = next(iter(ABOUT))
AGES = (("day", 24 * 60), ("hour", 60), ("minute", 1))
"""Units of age and their minutes."""


def choose(features: tuple[str, ...] = HEARD) -> Choice | None:
    """The checkpoint and the clip chosen at the side, with what the clip's reader warned of.

    Args:
        features: Kinds of frames that the page is for.

    Returns:
        The paths, bytes and settings from which model and signal can be read again. None of a model
        of tables before a table is given, which the page then asks for.

    Raises:
        ValueError: The file is no such checkpoint or clip.
    """
    found, known = checkpoints(features), checkpoints()
    name = choose_checkpoint(st.sidebar, found, known)
    if (wanted := visit().wanted["checkpoint"]) in known and wanted != name:
        needed = (
            "not a music model, which this page needs"
            if all(KINDS[kind].notes for kind in features)
            else "a model of tables, which this page does not take; Explore, Compare and Latents do"
        )
        st.info(f"{plain(wanted)} is {needed}; showing {plain(name)}.")
    path, modified = str(found[name]), found[name].stat().st_mtime
    kind = cached_checkpoint(path, modified).config.data.features
    clip = choose_clip(found[name], kind)
    semitones = choose_transposition(st.sidebar) if KINDS[kind].notes else 0
    if KINDS[kind].notes:
        st.sidebar.caption(
            "The bundled chorales are in C, an octave above what is written, as in the training "
            "data of jsb-paper; the other music models were trained on other keys too. Music is "
            f"played at {QUARTERS_PER_MINUTE:.0f} quarter notes a minute; the page Studio and "
            "MIDI files keep the tempo of the file."
        )
    # Below the clip, whose list then unfolds without scrolling in a window of 720 pixels.
    st.sidebar.caption(f"**{plain(name)}**: {ABOUT.get(name) or plain(describe_own(found[name]))}")
    list_models(found)
    upload_checkpoint(features)
    if clip is None:
        return None
    choice = Choice(path, modified, *clip, semitones)
    if messages := cached_signal(*choice)[1]:
        # What is left out of a bundled clip is no one's mistake.
        say = st.sidebar.caption if bundled_clip(choice) else st.warning
        for message in messages:
            say(plain(message))
    return choice


def bundled_clip(choice: Choice) -> Path | None:
    """The file of the clip, if it is a bundled one."""
    clips = bundled_clips(choice.checkpoint.config.data.features).values()
    alike = (path for path in clips if path.name == choice.name)
    return next((path for path in alike if ClipBytes(path.read_bytes()) == choice.content), None)


def fold_choice() -> None:
    """The choice, folded away where it is not needed; without its boxes addresses would lose it."""
    with st.sidebar.expander("Checkpoint and clip of the other pages") as side:
        found = checkpoints()
        path = found[choose_checkpoint(side, found, found)]
        kind = features_of(path)
        if kind is not None:
            choose_offered(side, path, kind)
        if kind is not None and KINDS[kind].notes:
            choose_transposition(side)


def checkpoints(features: tuple[str, ...] | None = None) -> dict[str, Path]:
    """Checkpoints by name, in the order of ``ABOUT``: bundled, in the folder of runs, and uploaded.

    Args:
        features: Kinds of frames, where what cannot be read is left out; by default everything.

    Returns:
        The path of each checkpoint. One of the folder of runs is named ``FOLDER/RUN``.
    """
    folder = runs_folder()
    paths = (
        path for path in sorted(folder.glob("*/best.safetensors")) if path.parent.name.isprintable()
    )
    own = {f"{folder.name}/{path.parent.name}": path for path in paths}
    if uploaded := visit().checkpoint:
        own[uploaded.name] = uploaded.file
    found = list_checkpoints() | own
    if features:
        found = {name: path for name, path in found.items() if features_of(path) in features}
    return {
        name: found[name]
        for name in [*ABOUT, *(name for name in found if name not in ABOUT)]
        if name in found
    }


def list_models(found: Collection[str]) -> None:
    """All checkpoints in groups, with a line each, in one text: a browser draws it at each run."""
    groups = {
        title: [f"- **{name}**: {about}" for name, about in group.items() if name in found]
        for title, group in GROUPS.items()
    }
    groups["Yours"] = [f"- **{plain(name)}**" for name in found if name not in ABOUT]
    texts = ["\n".join([title, "", *lines]) for title, lines in groups.items() if lines]
    st.sidebar.popover("What are these models?", width="stretch").markdown("\n\n".join(texts))


def describe_own(path: Path) -> str:
    """What a checkpoint of one's own was trained on, and when."""
    minutes, ago = max(0, int(time.time() - path.stat().st_mtime)) // 60, "just now"
    for unit, size in AGES:
        if count := minutes // size:
            ago = f"{count} {unit}{'' if count == 1 else 's'} ago"
            break
    data = Path(read_header(path).config.data.data).name
    if (uploaded := visit().checkpoint) and path == uploaded.file:
        return f"Your upload, trained on {data}."
    return f"Your run, trained {ago} on {data}."


def choose_checkpoint(side: DeltaGenerator, found: Collection[str], known: Collection[str]) -> str:
    """The name of a checkpoint; the page Studio once had a choice of its own."""
    return choose_linked(side.selectbox, "Checkpoint", list(found), "checkpoint", "music", known)


def upload_checkpoint(features: tuple[str, ...]) -> None:
    """A box at the side for one's own checkpoint; one with frames of these kinds is then chosen."""

    def keep() -> None:
        if (last := visit().checkpoint) and visit().wanted["checkpoint"] == last.name:
            want("checkpoint", next(iter(checkpoints(features))))
        remember(checkpoint=None, refused_checkpoint="")
        given = st.session_state["upload-checkpoint"]
        if given is None:
            return
        try:
            uploaded = Uploaded(harmless(given.name), given.getvalue(), features)
        except (ValueError, OSError) as error:
            remember(refused_checkpoint=str(error))
        else:
            remember(checkpoint=uploaded)
            want("checkpoint", uploaded.name)

    with st.sidebar.expander("Upload a checkpoint"):
        given = st.file_uploader(
            "A .safetensors file written by srnn-lab. It is read as data; no code in it is run.",
            type="safetensors",
            key="upload-checkpoint",
            on_change=keep,
            max_upload_size=CHECKPOINT_MEGABYTES,
        )
    if given is not None and (refused := visit().refused_checkpoint):
        st.error(plain(refused))


def choose_clip(path: Path, features: str) -> tuple[ClipBytes, str] | None:
    """The content and the name of the chosen, uploaded or recorded file.

    The boxes for files are emptied when another page is opened, so the visit remembers what they
    held.

    Args:
        path: The chosen checkpoint.
        features: The kind of its frames.

    Returns:
        The bytes, and the file's name with its ending, which says how the bytes are read. None
        where nothing is given and nothing can be offered.
    """
    state, kinds = st.session_state, UPLOADS[features]
    boxes = [f"{way}-{BOXES[kinds]}" for way in ("upload", "record")]

    def keep(*given: str) -> None:
        file = next((state[box] for box in given if state.get(box) is not None), None)
        own = None if file is None else (ClipBytes(file.getvalue()), harmless(file.name))
        fitting = (ends for ends in BOXES if file is not None and suffix_of(file.name) in ends)
        remember(clips={**visit().clips, BOXES[next(fitting, kinds)]: own})

    own = visit().clips.get(BOXES[kinds])
    offered = choose_offered(st.sidebar, path, features, disabled=own is not None)
    st.sidebar.file_uploader(
        "Upload a file",
        type=[*kinds, *(end for ends in MEGABYTES if ends != kinds for end in ends)],
        key=boxes[0],
        max_upload_size=max(MEGABYTES.values()),
        on_change=partial(keep, *boxes),
    )
    if kinds == AUDIO:
        st.sidebar.audio_input(
            "Record", sample_rate=16000, key=boxes[1], on_change=partial(keep, *reversed(boxes))
        )
    if (given := state.get(boxes[0])) is not None and suffix_of(given.name) not in kinds:
        offer_other_model(given.name)
    if own is None:
        return offered or ask_for_table(path)
    if kinds == TABLES:
        own = choose_sequence(path, own)
    if KINDS[features].notes and (read := cached_midi_words(own[0])):
        st.sidebar.caption(f"Read: {plain(read)}.")
    if any(state.get(box) is not None for box in boxes):
        st.sidebar.caption(
            f"Remove your file{' or recording' * (kinds == AUDIO)} to choose a clip again."
        )
    else:
        st.sidebar.caption(f"Your file, {plain(own[1])}, is still the clip.")
        st.sidebar.button("Choose a clip again", on_click=keep)
    return own


def choose_offered(
    side: DeltaGenerator, path: Path, features: str, *, disabled: bool = False
) -> tuple[ClipBytes, str] | None:
    """A listed clip or, of a run of tables, one of its own sequences; None where there is none."""
    if KINDS[features].heard:
        clips = clips_of(path, features)
        if KINDS[features].notes:
            follow_music(read_header(path).config.data, clips)
        clip = clips[choose_listed_clip(side, clips, features, disabled=disabled)]
        return ClipBytes(clip.read_bytes()), clip.name
    if not (tables := tables_of(path)):
        return None
    # Another run has other sequences: that is no link to something that is gone.
    known = {visit().wanted[key]} if (key := clip_key(features)) in visit().wanted else ()
    name = choose_linked(side.selectbox, "Clip", list(tables), key, "", known, disabled=disabled)
    if not disabled:
        side.caption(f"A sequence of this run's {SPLITS_IN_WORDS[tables[name][0]]} data.")
    return table_as_file(path, name)


def choose_sequence(path: Path, own: tuple[ClipBytes, str]) -> tuple[ClipBytes, str]:
    """A table of a visitor's or, of one that holds several sequences, one of them."""
    found, _ = cached_sequences(str(path), path.stat().st_mtime, *own)
    if len(found) < 2:
        return own
    name = st.sidebar.selectbox("Sequence of your file", list(found), key="own-sequence")
    return as_file(path, found[name], f"{Path(own[1]).stem}, {name}")


def tables_of(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """A run's own sequences, where a visitor may see them.

    Whoever uploads a checkpoint may put the name of any folder of the server into it.

    Returns:
        By name, the split and the rows.
    """
    uploaded = visit().checkpoint
    if options().read_only or (uploaded and path == uploaded.file):
        return {}
    return cached_own_tables(str(path), path.stat().st_mtime)


def table_as_file(path: Path, name: str) -> tuple[ClipBytes, str]:
    """One of a run's own sequences, as if it were uploaded."""
    return as_file(path, tables_of(path)[name][1], name)


def as_file(path: Path, rows: np.ndarray, name: str) -> tuple[ClipBytes, str]:
    """Rows as a file with the names of their columns, which other models can choose among."""
    kind = read_header(path).config.data.kind
    columns = [*kind.names, *kind.input_names]
    return ClipBytes(parquet_bytes(rows, columns)), table_name(name)


def table_name(name: str) -> str:
    """What the file of a sequence is called."""
    stretch = re.sub(r"\[(\d+):(\d+)\]$", r", rows \1 to \2", name)
    return harmless(f"{stretch}.parquet")


def ask_for_table(path: Path) -> None:
    """Say which table a model takes that has none to show."""
    kind = read_header(path).config.data.kind
    if isinstance(kind, Series):
        inputs = f", with the known inputs {plain(kind.inputs)}" if kind.inputs else ""
        st.info(
            f"Upload a table at the side (CSV, NPY, NPZ or Parquet), with a row for each step and "
            f"the columns {plain(kind.columns)}{inputs}."
        )


def suffix_of(name: str) -> str:
    """The ending of a file's name, without its dot."""
    return Path(name).suffix.lower()[1:]


def offer_other_model(name: str) -> None:
    """Offer the first checkpoint that takes a file which the chosen one does not.

    An example is music that is given to a checkpoint of speech.

    Args:
        name: Of the file.
    """
    kinds = {other: features_of(path) for other, path in checkpoints().items()}
    fitting = (
        other for other, kind in kinds.items() if kind and suffix_of(name) in UPLOADS.get(kind, ())
    )
    if (model := next(fitting, None)) is None:
        st.warning(
            f"{plain(harmless(name))} is a table, and no model here takes tables. Train one on the "
            "page Train, or by `srnn-lab train series --data FOLDER`."
        )
        return
    st.warning(
        f"{plain(harmless(name))} is not a file that this model takes; {plain(model)} takes it."
    )
    st.button(
        f"Show it with {plain(model)}",
        on_click=partial(want, "checkpoint", model),
        key="other-model",
    )


def clips_of(path: Path, features: str) -> dict[str, Path]:
    """The clips that a model of sound or music can take.

    A run's own files come first, then the bundled ones of the kind that it is trained on.

    Own files are those of a run in the folder of runs. An uploaded checkpoint could name any
    folder of the server, and on one that is read-only visitors read no folder.

    Args:
        path: The checkpoint.
        features: The kind of its frames.

    Returns:
        The files by name.
    """
    is_run = path.parent.parent == runs_folder() and not options().read_only
    own = cached_own_clips(str(path), path.stat().st_mtime) if is_run else {}
    kind = clips_of_kind(read_header(path).config.data)
    return own | kind | bundled_clips(features)


def follow_music(data: DataConfig, clips: Collection[str]) -> None:
    """Where a model of another kind of music is chosen, so is a clip of its kind.

    Args:
        data: What the model is trained on.
        clips: The clips that it can take, the first ones of its kind.
    """
    kind, former, key = music_of(data), visit().music, clip_key(data.features)
    if former not in ("", kind) and visit().wanted.get(key) not in clips_of_kind(data):
        want(key, next(iter(clips)))
    remember(music=kind)


def choose_listed_clip(
    side: DeltaGenerator, clips: Mapping[str, Path], features: str, *, disabled: bool = False
) -> str:
    """The name of a clip; that of another run's own file gives way without a word."""
    wanted = visit().wanted.get(key := clip_key(features), "")
    others = {wanted} if is_own(wanted) and not any(map(is_own, clips)) else ()
    return choose_titled(side.selectbox, "Clip", clips, key, "", others, disabled=disabled)


def clip_key(features: str) -> str:
    """What the address calls a clip of such frames."""
    kind = KINDS[features]
    return "clip" if kind.notes else "prompt" if kind.heard else "sequence"


def choose_other(choice: Choice, role: str = "other") -> tuple[ClipBytes, str]:
    """The content and the name of another listed clip of the same kind.

    Args:
        choice: What is chosen at the side.
        role: What the address calls it; each page has its own word, since Streamlit takes what one
            page has in its address out of that of another.

    Returns:
        The bytes, and the file's name with its ending.
    """
    features = choice.checkpoint.config.data.features
    key, clips = f"{role}-{clip_key(features)}", clips_of(Path(choice.path), features)
    others = {name: path for name, path in clips.items() if path.name != choice.name}
    former = f"other-{clip_key(features)}"
    name = choose_titled(st.selectbox, "Another clip", others, key, former, clips)
    return ClipBytes(clips[name].read_bytes()), clips[name].name


def choose_other_table(choice: Choice) -> tuple[ClipBytes, str] | None:
    """What ``choose_other`` gives, of a run's own sequences; None where it has no other one."""
    path, key = Path(choice.path), "other-sequence"
    names = [name for name in tables_of(path) if table_name(name) != choice.name]
    if not names:
        return None
    known = {visit().wanted[key]} if key in visit().wanted else ()
    name = choose_linked(st.selectbox, "Another clip", names, key, "", known)
    return table_as_file(path, name)


def choose_transposition(side: DeltaGenerator) -> int:
    """Semitones up."""
    return int(
        side.number_input("Transpose (semitones)", -24, 24, 0, key="transpose", bind="query-params")
    )


_START = "start with: streamlit run dashboard.py -- --runs DIR --read-only (both can be left out)."


def options() -> argparse.Namespace:
    """What follows ``--`` in ``streamlit run dashboard.py -- --runs DIR --read-only``.

    Returns:
        ``runs``, the folder of one's own trainings, by default ``runs``, here; and ``read_only``,
        whether no visitor may start or stop one.

    Raises:
        ValueError: It is something else; a misspelt ``--read-only`` must not let everyone in.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--read-only", action="store_true")
    try:
        found, unknown = parser.parse_known_args(sys.argv[1:])
    except argparse.ArgumentError as error:
        lacking = "was given no folder" if error.argument_name == "--runs" else "takes no value"
        raise ValueError(f"{error.argument_name} {lacking}; {_START}") from error
    if (
        unknown and Path(sys.argv[0]).name == "dashboard.py"
    ):  # elsewhere they are those of another program
        raise ValueError(f"{unknown[0]!r} is no option of the dashboard; {_START}")
    return found


def runs_folder() -> Path:
    """The folder of one's own trainings."""
    return options().runs
