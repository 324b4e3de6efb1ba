"""Make a transition: edit a clip at a point, and see the KL before and after."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from srnn_lab.analysis.inspection import NEAR
from srnn_lab.analysis.transitions import EditEffect, measure_edit, moved
from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.cache import (
    Choice,
    cache_data,
    cached_checkpoint,
    cached_inspection,
    cached_signal,
)
from srnn_lab.dashboard.choice import choose_other
from srnn_lab.dashboard.panels.keep import keep, stem_of
from srnn_lab.dashboard.panels.rows_panel import RowsPanel
from srnn_lab.dashboard.panels.sounds import ORIGINAL, Wanted, clip_sound, sound_of
from srnn_lab.dashboard.panels.times import choose_times
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.words import explain
from srnn_lab.data.edits import insert_silence, splice, transpose
from srnn_lab.data.sound import roll_to_midi, wav_bytes
from srnn_lab.pictures.side_by_side import edit_rows

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

    Returns:
        The edited waveform or piano roll, and the KL of both clips with the largest values near
        each joint, in nats.
    """
    signal = cached_signal(*choice)[0]
    if edit == SPLICE:
        after, joints = (
            splice(signal, at, cached_signal(*choice[:2], *other, choice[4])[0], amount),
            [(at, at)],
        )
    elif edit == SILENCE:
        after, joints = insert_silence(signal, at, length), [(at, at), (at, at + length)]
    else:
        stop = at + length
        after, joints = transpose(signal, amount, at, stop), [(at, at), (stop, stop)]
    return after, measure_edit(cached_checkpoint(*choice[:2]), signal, after, joints)


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "Edit the clip at a point of your choice and see whether the model notices: the KL before "
        "and after the edit, overlaid. Both are computed with the same noise, so differences come "
        "from the edit."
    )
    # Where the clip is edited, and how.
    data = choice.checkpoint.config.data
    step = data.hop / data.rate
    length = len(choice.signal) // data.hop
    if length < 4:
        raise ValueError(
            f"The clip has {length} of the 4 frames that an edit needs at least. Give a longer one."
        )
    edits = [SPLICE, SILENCE, *([TRANSPOSE] if data.kind.notes else [])]
    edit = st.segmented_control(
        "Edit", edits, default=SPLICE, required=True, key="edit", bind="query-params"
    )
    last, middle = round((length - 1) * step, 6), length // 2 * step
    key = owned("at", Path(choice.name).stem, last)
    left, right = st.columns(2)
    at = choose_times(
        left, choice, "At", (step, last), middle, key, "Snapped to the model's frames."
    )
    # The playhead can choose the place as well.
    panel = RowsPanel(PLAYER, choice)
    if panel.place:
        chosen = min(max(1, round(panel.place.start / step)) * step, last)
        left.button(
            f"Edit at the playhead, {choice.moment(chosen)}",
            on_click=lambda: st.session_state.update({key: chosen}),
        )
    at, amount, size = round(at / step) * data.hop, 0, 0

    def in_bars(lengths: Sequence[float]) -> list[str]:
        return [choice.timing.length(length, at / data.rate) for length in lengths]

    # What the edit needs to know.
    with right:
        other = choose_other(choice, "spliced") if edit == SPLICE else (choice.content, choice.name)
        if edit == SPLICE:
            rest = cached_signal(choice.path, choice.modified, *other, choice.semitones)[0]
            amount = len(rest) // 2 // data.hop * data.hop
            half = Choice(choice.path, choice.modified, *other, choice.semitones)
            st.caption(f"Its second half follows, from {half.moment(amount / data.rate)} on.")
        elif edit == SILENCE:
            silent = choose_times(
                right,
                choice,
                "Silence",
                (step, 160 * step),
                40 * step,
                owned("silence", step),
                words=in_bars,
            )
            size = round(silent / step) * data.hop
        else:
            amount = int(st.slider("Semitones", -12, 12, 1, key="semitones", bind="query-params"))
            moved_by = choose_times(
                right, choice, "Length", (step, 16.0), 4.0, "bar", words=in_bars
            )
            size = min(round(moved_by * data.rate), len(choice.signal) - at)
    # The edited clip, and the KL before and after.
    edited = choice[:], other, edit, at, amount, size
    after, effect = cached_edit(*edited)
    show_numbers(choice, effect)
    others = {}
    if edit == SPLICE:
        uncut = cached_inspection(choice.path, choice.modified, *other, choice.semitones)
        others["the other clip, uncut"] = moved(uncut, amount / data.rate, math.inf, at / data.rate)
    wanted = {
        "after": (edited, lambda: sound_of(choice, after)),
        "before": clip_sound(choice, ORIGINAL),
    }
    draw_rows(panel, after, effect, others, wanted)
    keep_edit(panel, after, effect)
    panel.make_missing_sounds()


def show_numbers(choice: Choice, effect: EditEffect) -> None:
    """The KL at each splice point, and what of it the model saw coming."""
    joints = zip(effect.joints_after, effect.surprise_before, effect.surprise_after, strict=True)
    found = [
        f"**{after:.1f}** nats at {choice.moment(time)} (before: {before:.1f})"
        for time, before, after in joints
    ]
    ordinary = np.percentile(effect.before.kl, 95)
    st.markdown(
        f"Largest KL within {NEAR} frames of the splice point: {', '.join(found)}. 95th "
        f"percentile of the unedited clip: {ordinary:.1f} nats."
    )
    if not math.isnan(effect.foreseen):
        ahead = "looks ahead" if effect.foreseen > 1e-3 else "does not look ahead"
        st.markdown(
            "In the frames that end before the first splice point the KL changes by up to "
            f"**{effect.foreseen:.2f}** nats: this posterior {ahead}."
        )


def draw_rows(
    panel: RowsPanel,
    after: np.ndarray,
    effect: EditEffect,
    others: dict[str, tuple[np.ndarray, np.ndarray]],
    wanted: Wanted,
) -> None:
    """The clip before and after to see and to hear, and the KL of both."""
    signal, data = panel.choice.signal, panel.choice.checkpoint.config.data
    longer = max(len(signal), len(after)) // data.hop * data.hop
    panel.draw(
        edit_rows(data, signal, after, effect, others),
        max(effect.before.times, effect.after.times, key=len),
        "The clip before and after the edit, and the KL per frame of both, overlaid; splice "
        f"points at {' and '.join(map(panel.choice.moment, effect.joints_after))}.",
        wanted,
        end=longer / data.rate,
        marks=np.array(effect.joints_after),
        mark_name="splice point",
        all_at_once=True,
    )
    explain(
        "What does an edit do to the KL?",
        "KL per frame in nats over time, before (broad and pale) and after the edit; "
        "dotted: the splice points. Click in the rows to choose another point. What follows an "
        "inserted silence is drawn over the same sound before the edit, and a clip that is "
        "spliced in over its own uncut KL. Triangles mark frames outside the axis. Look for a "
        "spike at the splice point, and for how long the lines differ after it: that is how long "
        "the model remembers. A smoothing posterior can change before the splice point, because "
        "it reads the clip backwards; a filtering one cannot. The silence is digital zero, which "
        "recordings never contain, so the frames inside it are surprising too.",
        r"\mathrm{KL}\left(q(z_t \mid z_{t-1}, a_t)\,\|\,p(z_t \mid z_{t-1}, d_t)\right)",
        {
            "08_speech#A break that both notice": "measures splices over many clips",
            "09_music#Where the chord changes": "measures chord changes",
        },
    )


def keep_edit(panel: RowsPanel, after: np.ndarray, effect: EditEffect) -> None:
    """Files of what is on the page, the edited clip among them."""
    choice, data = panel.choice, panel.choice.checkpoint.config.data
    times, kl = effect.aligned
    arrays = {
        "times_before": times,
        "kl_before": kl,
        "times_after": effect.after.times,
        "kl_after": effect.after.kl,
        "joints": np.array(effect.joints_after),
    }

    edited = (partial(wav_bytes, after, data.sample_rate), "clip.wav")
    if data.kind.notes:
        edited = (partial(roll_to_midi, after, data.frames_per_quarter, choice.timing), "clip.mid")
    keep(
        f"{stem_of(choice)}, edited",
        {
            "The edited clip": edited,
            **panel.files(f"{choice.name}: a transition made", arrays),
        },
        (
            "The edited clip can be uploaded like any other; the KL before the edit is aligned "
            "with the sound after it."
        ),
    )
