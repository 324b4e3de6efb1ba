"""Do the spikes of the KL fall on onsets or other events?

Counts, the null, and a list that moves the player.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.analysis.event_kinds import EVENT_KINDS, PHONE_EVENTS
from srnn_lab.analysis.events import clip_events
from srnn_lab.analysis.export import event_table
from srnn_lab.analysis.inspection import NEAR, Inspection
from srnn_lab.analysis.transitions import Spikes, match_spikes
from srnn_lab.dashboard.address import PLAYER, frames_inside, go_to_row
from srnn_lab.dashboard.cache import Choice, cache_data, cached_inspection
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.words import WORDS, explain, numbers_in_words
from srnn_lab.data import Labels, widen
from srnn_lab.data.kinds import EVENTS, Raw, Roll, Sound
from srnn_lab.pictures.charts import null_figure
from srnn_lab.player.component import Place

CHANGES = {
    "onset": "onsets",
    "offset": "offsets",
    "change": "spectral changes",
    "silence-to-sound": "silence to sound",
    "phone": "phone boundaries",
    "closure-to-burst": "bursts",
    "vowel-to-fricative": "vowel to fricative",
    "pause-to-speech": "pause to speech",
}
"""What the spikes of a recording can be compared with; phones where it has labels."""
EVENTS_IN_WORDS = {
    **{title: (f"“{title}”", f"“{title}”") for title in EVENT_KINDS.values()},
    "onset": ("an onset", "onsets"),
    "offset": ("an offset", "offsets"),
    "change": ("a spectral change", "spectral changes"),
    "chord change": ("a chord change", "chord changes"),
}
"""One event and several of them, by what the spikes are compared with."""


@cache_data(max_entries=64, show_spinner=False)
def cached_events(
    path: str, modified: float, content: ClipBytes, name: str, semitones: int, kind: str
) -> np.ndarray:
    """Scored frames of a recording at which something of that kind happens."""
    choice = Choice(path, modified, content, name, semitones)
    data, scored = choice.checkpoint.config.data, len(cached_inspection(*choice).kl)
    first = choice.checkpoint.config.evaluation.unscored
    if not isinstance(data.kind, Sound):
        raise ValueError(f"{name} is no sound, so nothing is known to happen in it.")
    frames = data.kind.events(widen(choice.signal), scored + first, kind)
    return frames[frames >= first] - first


def choose_changes(
    choice: Choice, clip: Inspection, labels: Labels | None = None
) -> tuple[Inspection, Spikes, str]:
    """The clip with changes to compare its spikes with, the comparison, and what a change is."""
    # With phones there are too many kinds for a part of the page.
    left, right = st.columns([3, 2]) if labels is None else (st.container(), st.container())
    if choice.checkpoint.config.data.kind.notes:
        kind, near = Roll.change, 0
        left.markdown("The spikes are compared with **chord changes** (dotted).")
    else:
        kinds = [kind for kind in CHANGES if labels is not None or kind not in PHONE_EVENTS]
        if st.session_state.get("changes", "onset") not in kinds:  # the clip before had labels
            del st.session_state["changes"]
        kind = left.segmented_control(
            "Events (dotted)",
            kinds,
            default="onset",
            required=True,
            format_func=CHANGES.__getitem__,
            key="changes",
            bind="query-params",
        )
        near = NEAR
        if kind in EVENTS:
            clip = replace(clip, changes=cached_events(*choice, kind))
        else:
            events = clip_events(clip, choice.signal, choice.checkpoint.config.data, labels)
            clip, kind = replace(clip, changes=events[kind]), EVENT_KINDS[kind]
    prominence = right.slider(
        "Spike prominence (robust SDs)",
        0.25,
        4.0,
        1.0,
        0.25,
        key="prominence",
        bind="query-params",
        help="How far a spike must rise above its surroundings. One robust standard deviation (SD) "
        "is 1.48 times the median distance of the KL from its median; single frames cannot "
        "inflate it.",
    )
    return clip, match_spikes(clip, near, prominence), kind


def show_spikes(
    clip: Inspection,
    match: Spikes,
    change: str,
    unit: str,
    place: Place | None,
    moment: Callable[..., str] = str,
) -> tuple[dict[str, list], list[go.Figure]]:
    """Whether spikes fall on events: counts, the null and the list of spikes.

    Args:
        clip: The clip.
        match: Its spikes.
        change: What they are compared with.
        unit: Unit of the times.
        place: What is chosen in the player.
        moment: A point of music in words.

    Returns:
        The columns of the list (``event_table``), and the charts that are shown, one or none.
    """
    # The words for this kind of clip.
    music = change == Roll.change
    words = WORDS[(Roll if music else Raw).name]
    event, events = EVENTS_IN_WORDS[change]
    at = f"at {event}" if music else f"within {NEAR} frames of {event}"
    st.subheader(f"Do the spikes fall on {events}?", anchor="spikes")
    # How many spikes and events there are, and how well they agree.
    hits, heard = int(match.hits.sum()), clip.active[clip.changes]
    missed = heard & ~match.found
    left, right = st.columns(2)
    left.metric(f"Spikes at {event}", f"{hits} of {len(match.frames)}", help=f"Spikes {at}.")
    right.metric(
        f"{events.capitalize()} without a spike",
        f"{missed.sum()} of {heard.sum()}",
        help="Silent frames are left out.",
    )
    for column, name, value, null, meaning in zip(
        st.columns(3),
        ("Precision", "Recall", "AUC"),
        (match.precision, match.recall, match.auc),
        (match.null_precision, match.null_recall, match.null_auc),
        (
            f"Share of the spikes that lie {at}.",
            f"Share of the {events} that have a spike.",
            f"Area under the ROC curve: the chance that a frame at {event} has a higher KL than "
            "another. 0.5 is chance.",
        ),
        strict=True,
    ):
        known = not math.isnan(value)
        chance = f"chance level {null.mean():.2f}" if known and len(null) else None
        column.metric(
            name,
            f"{value:.2f}" if known else "–",
            chance,
            delta_color="off",
            delta_arrow="off",
            help=meaning,
        )
    # The same in the selection.
    if place and len(inside := frames_inside(clip.times, place)):
        chosen, changes = np.isin(match.frames, inside), np.isin(clip.changes, inside)
        st.caption(
            f"In the selection: {match.hits[chosen].sum()} of {chosen.sum()} spikes are at "
            f"{event}; {missed[changes].sum()} of {heard[changes].sum()} {events} have no spike."
        )
    # The list, of which a row leads to its place in the player.
    table = event_table(clip, replace(match, found=~missed), change, unit)
    left, right = st.columns([3, 2])
    with left:
        frames, times = table["frame"], table[f"time ({unit})"]
        in_words = {"bar and beat": [moment(time) for time in times]} if music else {}
        off = f"frames to the nearest {change}"
        st.dataframe(
            numbers_in_words(in_words | table, {f"time ({unit})": 3, "KL (nats)": 2, off: 0}),
            hide_index=True,
            height=300,
            key="events",
            on_select=lambda: go_to_row("events", PLAYER, clip.times[frames]),
            selection_mode="single-row",
            alt=(
                f"Spikes, and {events} without a spike, in order of time: when, how large, and "
                "how far apart."
            ),
            column_config={
                f"time ({unit})": None if music else st.column_config.NumberColumn(),
                "what": st.column_config.TextColumn(width="medium"),
                off: st.column_config.NumberColumn("frames off", width="small"),
            },
        )
        st.caption("Select a row to jump to it.")
    # The null.
    charts = []
    with right:
        if math.isnan(match.auc):
            st.info(f"There is no AUC: every frame is at {event}, or none is.")
        else:
            note = compare_with_shifts(match)
            charts.append(null_figure(match.null_auc, match.auc, "AUC"))
            show_chart(charts[0], "null", f"Histogram of the AUC of shifted copies. {note}")
            if match.auc < match.null_auc.mean():
                note += f" In this clip the KL is no higher {at} than elsewhere."
            st.caption(note)
    guess = (
        ""
        if music
        else (
            "Onsets are estimated from the spectral flux: compare offsets and spectral changes too."
        )
    )
    explain(
        "What counts as a spike, and what would chance give?",
        "A **spike** is a local maximum of the KL that rises above its surroundings by the chosen "
        "number of robust standard deviations. Silent frames are left out. **Precision** is the "
        f"share of the spikes that lie {at}, **recall** the share of the {events} that have a "
        "spike. The **AUC**, the area under the ROC curve, needs no threshold: it is the chance "
        f"that a frame at {event} has a higher KL than another; ½ is chance. For the **null**, "
        "the KL is shifted against the sound in a circle, by every possible number of frames: "
        "this keeps the shape of both and breaks their alignment.\n\n**Look for**: an AUC above "
        "that of nearly all shifted copies. One clip is weak evidence: `srnn-lab transitions` "
        f"measures all clips of a test set, and splices. {guess}",
        r"\mathrm{AUC} = P(\mathrm{KL}_t > \mathrm{KL}_s), "
        r"\quad t \text{ at an event},\ s \text{ elsewhere}",
        {
            "05_bound_over_time#A VAE at each frame": "does the same for one clip",
            words.notebook: "for a test set",
        },
    )
    return table, charts


def compare_with_shifts(match: Spikes) -> str:
    """How many of the shifted copies reach the AUC of the clip, and the p-value of that."""
    reach, shifts = int((match.null_auc >= match.auc).sum()), len(match.null_auc)
    p = (reach + 1) / (shifts + 1)
    how_many = f"{reach} of the {shifts} shifted copies {'reaches' if reach == 1 else 'reach'}"
    if not reach:
        how_many = f"None of the {shifts} shifted copies reaches"
    exactly = f"p = {p:.3f}" if reach else f"p < {math.ceil(1000 * p) / 1000:.3f}"
    return f"{how_many} an AUC of {match.auc:.2f} ({exactly})."
