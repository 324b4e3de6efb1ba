"""What the model believes, as sound: the sounds of a clip that the player switches between."""

import io
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import takewhile

import numpy as np
import streamlit as st

from srnn_lab.analysis.inspection import Inspection, draw_reconstruction
from srnn_lab.dashboard.address import PLAYER, frame_at, share
from srnn_lab.dashboard.cache import (
    Choice,
    cache_data,
    cached_inspection,
    cached_music,
    cached_signal_of,
)
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.visit import remember, visit, went_through_history
from srnn_lab.dashboard.words import WORDS, plain, unit_seconds
from srnn_lab.data.edits import insert_silence
from srnn_lab.data.kinds import KINDS, QUARTERS_PER_MINUTE
from srnn_lab.data.sound import frame_seconds
from srnn_lab.inference.sampling import continue_frames
from srnn_lab.pictures.scene import spacing
from srnn_lab.player.component import deliver, place_of
from srnn_lab.player.sound import MEAN, ORIGINAL

Sound = tuple[np.ndarray, int]
"""Samples (16 bits, or floats with full scale 1), and their number a second."""
Wanted = Mapping[str, tuple[Hashable, Callable[[], Sound]]]
"""By the name on its button, what a sound is of, and what makes it."""
Ready = Callable[[], dict[str, Sound]]
"""Gives the sounds that are made, by name."""
SAMPLE, CONTINUATION = "posterior sample", "prior continuation"
MAX_PLAYED_SECONDS = 300
"""Of music, as much as is played; a MIDI file of a few kilobytes can last an hour."""
ALL_AT_ONCE_SECONDS = {name: 120 if kind.notes else 10 for name, kind in KINDS.items()}
"""Longest clip, by its frames, whose reconstructions are made without being asked for."""


def settle_sounds(choice: Choice) -> None:
    """Begin anew with another clip or checkpoint; the address may name a place to continue from."""
    linked = visit().sounds_of is None or went_through_history()
    if visit().sounds_of == choice and not linked:
        return
    asked = st.query_params.get("continue", "") if linked else ""
    frames = len(cached_inspection(*choice).kl)
    start = int(asked) if asked.isdecimal() and len(asked) < 10 else 0
    remember(sounds_of=choice, continue_from=start if 0 < start < frames - 1 else _middle(frames))


def sounds_of_clip(choice: Choice) -> Wanted:
    """What is heard of a clip."""
    first = choice.checkpoint.config.evaluation.unscored
    start, scored = visit().continue_from, len(cached_inspection(*choice).kl)
    kinds = {
        ORIGINAL: 0,
        MEAN: 0,
        SAMPLE: 0,
        **({CONTINUATION: start + first} if start < scored else {}),
    }
    return {kind: clip_sound(choice, kind, at) for kind, at in kinds.items()}


def clip_sound(choice: Choice, kind: str, start: int = 0) -> tuple[Hashable, Callable[[], Sound]]:
    """One of the sounds of a clip, as ``cached_clip_sound`` makes it."""
    return (choice, kind, start), partial(cached_clip_sound, *choice, kind, start)


def ready(wanted: Wanted, *, at_hand: bool = False) -> Ready:
    """What gives the sounds that are made, whenever it is called; others are given up.

    Those that follow one that is missing wait for it: the first that a player gets is what it
    plays.

    Args:
        wanted: The sounds.
        at_hand: Whether the first of them is, like a recording, so that it need not follow the
            rows.

    Returns:
        A function without arguments. It returns the samples, with their rate, by name; sounds that
        are made later are in its later answers.
    """
    made = visit().sounds  # not the session itself: a file is asked for outside of it
    for gone in made.keys() - {what for what, _ in wanted.values()}:
        del made[gone]
    if at_hand:
        what, make = next(iter(wanted.values()))
        made[what] = made.get(what) or make()

    def prefix() -> dict[str, Sound]:
        known = takewhile(lambda one: one[1][0] in made, wanted.items())
        return {name: made[what] for name, (what, _) in known}

    return prefix


def make_missing(player: str, wanted: Wanted, on_request: Sequence[str] = ()) -> None:
    """Make the missing sounds, one by one, and bring them to a player that has been shown.

    Args:
        player: Its key.
        wanted: The sounds that are to be made.
        on_request: Names of those that are not.
    """
    made, sounds, below = visit().sounds, ready(wanted), st.empty()
    for name, (what, make) in wanted.items():
        if what not in made:
            with below, st.spinner(f"Making the sound: {plain(name)} …"):
                made[what] = make()
            with below:
                deliver(player, sounds(), [*wanted], on_request)


@cache_data(max_entries=12, show_spinner=False)
def cached_clip_sound(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int, kind: str, start: int
) -> Sound:
    """A clip, or what the model believes of it, as a sound that begins with the clip.

    Args:
        path: Of the checkpoint; with the next four, a ``Choice``.
        modified: When the checkpoint was written.
        content: The clip's bytes.
        name: The clip's file name.
        semitones: Semitones by which music is transposed up.
        kind: ``ORIGINAL``, ``MEAN`` (of notes: those with p above 1/2), ``SAMPLE``, or
            ``CONTINUATION``: the clip's first frames and then, to its end, what the model draws
            from its prior.
        start: Frames of the clip before the continuation.

    Returns:
        The samples and their rate. Music is played by a piano.
    """
    choice = Choice(path, modified, content, name, semitones)
    checkpoint, data = choice.checkpoint, choice.checkpoint.config.data
    if kind == ORIGINAL:
        signal = choice.signal
    elif kind == CONTINUATION:
        frames = checkpoint.frontend.frames(choice.signal, checkpoint.config.model.x_dim)
        signal = signal_of(
            choice, continue_frames(checkpoint, frames[:start], len(frames) - start).frames
        )
    else:
        frames = (
            cached_inspection(*choice).mean
            if kind == MEAN
            else draw_reconstruction(checkpoint, choice.signal)
        )
        signal = signal_of(choice, frames, checkpoint.config.evaluation.unscored)
    return sound_of(choice, signal) if data.kind.notes else _sixteen_bit(signal, data.sample_rate)


def _sixteen_bit(wave: np.ndarray, rate: int) -> Sound:
    """Samples beyond full scale are clipped, and nothing is rescaled."""
    return np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16), rate


def show_sound_controls(choice: Choice, clip: Inspection) -> None:
    """From where the prior goes on, and a button for what takes long."""
    start = visit().continue_from
    left, right = st.columns([3, 2], vertical_alignment="center")
    share("continue", "" if start == _middle(len(clip.kl)) else str(start))
    notes = []
    if start < len(clip.kl):
        at = choice.moment(clip.times[start] - spacing(clip.times) / 2)
        heard = (
            f"the clip up to {at}"
            if choice.checkpoint.config.data.kind.notes
            else f"the first {at}"
        )
        notes.append(f"Prior continuation: the model hears {heard} and generates the rest.")
    data = choice.checkpoint.config.data
    if data.kind.notes and clip.seconds[-1] > MAX_PLAYED_SECONDS:
        notes.append(f"Only the first {MAX_PLAYED_SECONDS // 60} minutes are played.")
    if not data.kind.notes and (note := WORDS[data.features].note):
        notes.append(note)
    left.caption(" ".join(notes))
    with right.container(horizontal=True, horizontal_alignment="right"):
        place = place_of(PLAYER)
        here = max(1, frame_at(clip, place.start)) if place else start
        st.button(
            "Continue from the playhead",
            on_click=partial(remember, continue_from=here),
            disabled=place is None or here == start or here >= len(clip.kl) - 1,
            key="continue",
            help="Click in the rows to move the playhead.",
        )


def _middle(frames: int) -> int:
    return max(1, frames // 2)


def unasked(choice: Choice, wanted: Wanted) -> Wanted:
    """Those of the sounds of a page that are made.

    Returns:
        All of a short clip; of a long one the first and those asked for.
    """
    data = choice.checkpoint.config.data
    if choice.length * unit_seconds(data) <= ALL_AT_ONCE_SECONDS[data.features]:
        return wanted
    first, asked = next(iter(wanted), None), visit().sounds_asked_for
    return {name: sound for name, sound in wanted.items() if name == first or sound[0] in asked}


def ask_for(what: Hashable) -> None:
    """Have a sound of a long clip made."""
    remember(sounds_asked_for=visit().sounds_asked_for | {what})


def signal_of(choice: Choice, frames: np.ndarray, silent: int = 0) -> np.ndarray:
    """The signal that frames stand for (notes with p above 1/2), after ``silent`` silent frames."""
    data = choice.checkpoint.config.data
    signal = cached_signal_of(choice.path, choice.modified, frames)
    return insert_silence(signal, 0, silent * data.hop)


def sound_of(choice: Choice, signal: np.ndarray) -> tuple[np.ndarray, int]:
    """Samples and their number a second: of a waveform itself, of a piano roll as it is played."""
    data = choice.checkpoint.config.data
    return play(signal, data.frames_per_quarter) if data.kind.notes else (signal, data.sample_rate)


def play(
    roll: np.ndarray, frames_per_quarter: int, tempo: float = QUARTERS_PER_MINUTE
) -> tuple[np.ndarray, int]:
    """The sound of the first minutes of notes.

    Returns:
        16-bit samples, and their number a second; silence if there are no notes.
    """
    roll = roll[: int(MAX_PLAYED_SECONDS / frame_seconds(frames_per_quarter, tempo))]
    if not roll.any():
        return np.zeros(1, np.int16), 16000
    import soundfile

    content = cached_music(roll, frames_per_quarter, tempo)
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16", always_2d=True)
    return samples.mean(1).astype(np.int16), rate
