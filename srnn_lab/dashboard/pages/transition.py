"""Make a transition: edit a clip at a point, and see the KL before and after."""

import math
from functools import partial

import numpy as np
import streamlit as st

from srnn_lab.analysis.inspection import NEAR
from srnn_lab.analysis.transitions import EditEffect, measure_edit, moved
from srnn_lab.dashboard.address import settle_place, share_place
from srnn_lab.dashboard.choice import (
    Choice,
    ClipBytes,
    cache_data,
    cached_checkpoint,
    cached_inspection,
    cached_signal,
    explain,
    owned,
    sound_of,
    time_unit,
    unit_seconds,
)
from srnn_lab.dashboard.panels.keep import keep, scene_files, sound_file, stem_of
from srnn_lab.dashboard.panels.sounds import RECORDING, Ready, Sound, clip_sound, make_missing, ready
from srnn_lab.dashboard.sidebar import choose_other
from srnn_lab.data.edits import insert_silence, splice, transpose
from srnn_lab.data.sound import roll_to_midi, wav_bytes
from srnn_lab.pictures.scene import Scene
from srnn_lab.pictures.side_by_side import edit_rows
from srnn_lab.player.component import place_of, player

PLAYER = "transition-player"
SPLICE, SILENCE, TRANSPOSE = "splice in another clip", "insert silence", "transpose a bar"


@cache_data(max_entries=4, show_spinner="Running the model over the edited clip …")
def cached_edit(
    choice: tuple[str, float, ClipBytes, str, int],
    other: tuple[ClipBytes, str],
    edit: str,
    at: int,
    amount: int,
    length: int,
) -> tuple[np.ndarray, EditEffect]:
    """The edited clip, and what that does to the KL.

    Args:
        choice: Checkpoint and clip.
        other: Bytes and name of the clip that is spliced in.
        edit: ``SPLICE``, ``SILENCE`` or ``TRANSPOSE``.
        at: Samples (frames of a roll) before the edit.
        amount: What is left out of the other clip, in samples; or semitones.
        length: Of the silence or of the bar, in samples.
    """
    signal = cached_signal(*choice)[0]
    if edit == SPLICE:
        after, joints = splice(signal, at, cached_signal(*choice[:2], *other, choice[4])[0], amount), [(at, at)]
    elif edit == SILENCE:
        after, joints = insert_silence(signal, at, length), [(at, at), (at, at + length)]
    else:
        stop = at + length
        after, joints = transpose(signal, amount, at, stop), [(at, at), (stop, stop)]
    return after, measure_edit(cached_checkpoint(*choice[:2]), signal, after, joints)


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "Break the clip at a point of your choice and see whether the model notices: the KL before and after, over "
        "each other. Both are computed with the same noise, so that what differs is the edit's doing."
    )
    data = choice.checkpoint.config.data
    unit, step = time_unit(data), data.hop / data.rate
    length = len(choice.signal) // data.hop
    if length < 4:
        raise ValueError(f"The clip has {length} of the 4 frames that an edit needs at least. Give a longer one.")
    edits = [SPLICE, SILENCE, *([TRANSPOSE] if data.kind.notes else [])]
    edit = st.segmented_control("Edit", edits, default=SPLICE, required=True, key="edit", bind="query-params")
    last, middle = round((length - 1) * step, 6), length // 2 * step
    key = owned("at", stem_of(choice.name), last)
    left, right = st.columns(2)
    at = left.slider(
        f"At ({unit})",
        step,
        last,
        middle,
        step,
        key=key,
        bind="query-params",
        help="Snapped to the model's frames.",
    )
    settle_place(PLAYER, choice)
    place = place_of(PLAYER)
    if place:
        chosen = min(max(1, round(place.start / step)) * step, last)
        left.button(
            f"Edit where the player stands, at {chosen:.2f} {unit}",
            on_click=lambda: st.session_state.update({key: chosen}),
        )
    at, amount, size = round(at / step) * data.hop, 0, 0
    with right:
        other = choose_other(choice, "spliced") if edit == SPLICE else (choice.content, choice.name)
        if edit == SPLICE:
            rest = cached_signal(choice.path, choice.modified, *other, choice.semitones)[0]
            amount = len(rest) // 2 // data.hop * data.hop
            st.caption(f"Its second half follows, from {amount / data.rate:.2f} {unit} on.")
        elif edit == SILENCE:
            size = st.slider(
                f"Silence ({unit})",
                step,
                160 * step,
                40 * step,
                step,
                key=owned("silence", step),
                bind="query-params",
            )
            size = round(size / step) * data.hop
        else:
            amount = int(st.slider("Semitones", -12, 12, 1, key="semitones", bind="query-params"))
            bars = st.slider("Length (quarter notes)", 1, 16, 4, key="bar", bind="query-params")
            size = min(bars * data.rate, len(choice.signal) - at)
    edited = (*choice,), other, edit, at, amount, size
    after, effect = cached_edit(*edited)
    show_numbers(effect, unit)
    others = {}
    if edit == SPLICE:
        uncut = cached_inspection(choice.path, choice.modified, *other, choice.semitones)
        others["the other clip, uncut"] = moved(uncut, amount / data.rate, math.inf, at / data.rate)
    wanted = {
        "after": (edited, lambda: sound_of(choice, after)),
        "before": clip_sound(choice, RECORDING),
    }
    sounds = ready(wanted, at_hand=not data.kind.notes)
    scene = show_player(choice, after, effect, others, sounds())
    keep_edit(choice, after, effect, scene, sounds)
    make_missing(PLAYER, wanted)


def show_numbers(effect: EditEffect, unit: str) -> None:
    """The KL at each joint, and what of it the model saw coming."""
    joints = zip(effect.joints_after, effect.surprise_before, effect.surprise_after, strict=True)
    found = [f"**{after:.1f}** nats at {time:.2f} {unit} (before: {before:.1f})" for time, before, after in joints]
    ordinary = np.percentile(effect.before.kl, 95)
    st.markdown(
        f"Largest KL within {NEAR} frames of the joint: {', '.join(found)}; 95 % of the frames of the clip as it was "
        f"stay below {ordinary:.1f} nats."
    )
    if not math.isnan(effect.foreseen):
        ahead = "looks ahead" if effect.foreseen > 1e-3 else "does not look ahead"
        st.markdown(
            f"In the frames that end before the first joint the KL changes by up to **{effect.foreseen:.2f}** nats: "
            f"this posterior {ahead}."
        )


def show_player(
    choice: Choice,
    after: np.ndarray,
    effect: EditEffect,
    others: dict[str, tuple[np.ndarray, np.ndarray]],
    sounds: dict[str, Sound],
) -> Scene:
    """The clip before and after to see and to hear, and the KL of both."""
    data = choice.checkpoint.config.data
    unit, longer = time_unit(data), max(len(choice.signal), len(after)) // data.hop * data.hop
    scene = Scene(
        edit_rows(data, choice.signal, after, effect, others),
        max(effect.before.times, effect.after.times, key=len),
        "The clip before and after the edit, and the KL per frame of both over each other; joints at "
        + " and ".join(f"{time:.2f} {unit}." for time in effect.joints_after),
        end=longer / data.rate,
        unit=unit,
        seconds=unit_seconds(data),
        marks=np.array(effect.joints_after),
        mark_name="joint",
    )
    player(scene, sounds, PLAYER)
    share_place(PLAYER)
    explain(
        f"KL per frame in nats over time ({unit}), before (broad and pale) and after the edit; dotted: the joints. "
        f"Click in the rows to choose another point. What follows an inserted silence is drawn over the same sound "
        f"before the edit; a clip that is spliced in, over its own KL uncut. Triangles mark frames outside the axis. "
        f"Look for a spike at the joint, and how "
        f"long the lines stay apart after it: so long does the model remember. A smoothing posterior may change before "
        f"the joint, since it reads the clip from its end; a filtering one cannot. The silence is digital zero, which "
        f"recordings never have, so the frames inside it are a surprise of their own.",
        r"\mathrm{KL}\left(q(z_t \mid z_{t-1}, a_t)\,\|\,p(z_t \mid z_{t-1}, d_t)\right)",
        {
            "08_speech": "measures splices over many clips",
            "09_music": "measures chord changes",
        },
    )
    return scene


def keep_edit(choice: Choice, after: np.ndarray, effect: EditEffect, scene: Scene, sounds: Ready) -> None:
    """Files of what is on the page, the edited clip among them."""
    data = choice.checkpoint.config.data
    times, kl = effect.aligned
    arrays = {
        "times_before": times,
        "kl_before": kl,
        "times_after": effect.after.times,
        "kl_after": effect.after.kl,
        "joints": np.array(effect.joints_after),
    }

    edited = (partial(wav_bytes, after, data.sample_rate), "wav")
    if data.kind.notes:
        edited = (partial(roll_to_midi, after, data.frames_per_quarter, choice.timing), "mid")
    keep(
        f"{stem_of(choice.name)}-edited",
        {
            "The edited clip": edited,
            **scene_files(f"{choice.name}: a transition made", scene, sounds, PLAYER, arrays),
            **sound_file(sounds, PLAYER),
        },
        "The edited clip can be uploaded like any other; the KL before the edit lies over the sound after it.",
    )
