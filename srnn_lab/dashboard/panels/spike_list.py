"""Is a KL spike a transition? What counts as one, how many are hit, and the list that takes the player there."""

import math
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
from srnn_lab.dashboard.choice import Choice, ClipBytes, cache_data, cached_inspection, explain, show_figure
from srnn_lab.dashboard.words import WORDS
from srnn_lab.data import Labels, widen
from srnn_lab.data.kinds import EVENTS, Raw, Roll
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
HITS = {
    "onset": f"within {NEAR} frames of an onset",
    "offset": f"within {NEAR} frames of an offset",
    "change": f"within {NEAR} frames of a spectral change",
    **{title: f"within {NEAR} frames of the event “{title}”" for title in EVENT_KINDS.values()},
    "chord change": "at a chord change",
}
"""Where a spike lies that is a hit, by what it is compared with."""


@cache_data(max_entries=64, show_spinner=False)
def cached_events(path: str, modified: float, content: ClipBytes, name: str, semitones: int, kind: str) -> np.ndarray:
    """Scored frames of a recording at which something of that kind happens."""
    choice = Choice(path, modified, content, name, semitones)
    data, scored = choice.checkpoint.config.data, len(cached_inspection(*choice).kl)
    first = choice.checkpoint.config.evaluation.unscored
    frames = data.kind.events(widen(choice.signal), scored + first, kind)
    return frames[frames >= first] - first


def choose_changes(choice: Choice, clip: Inspection, labels: Labels | None = None) -> tuple[Inspection, Spikes, str]:
    """The clip with the changes that its spikes are compared with, the comparison, and what a change is."""
    # With phones there are too many kinds for a part of the page.
    left, right = st.columns([3, 2]) if labels is None else (st.container(), st.container())
    if choice.checkpoint.config.data.kind.notes:
        kind, near = Roll.change, 0
        left.markdown("Compared with the spikes: **chord changes** (dotted).")
    else:
        kinds = [kind for kind in CHANGES if labels is not None or kind not in PHONE_EVENTS]
        if st.session_state.get("changes", "onset") not in kinds:  # the clip before had labels
            del st.session_state["changes"]
        kind = left.segmented_control(
            "Transitions (dotted)",
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
        "A spike rises by (robust standard deviations of the KL)",
        0.25,
        4.0,
        1.0,
        0.25,
        key="prominence",
        bind="query-params",
        help="1.48 times the median distance of the KL from its median, which no single frame can inflate.",
    )
    return clip, match_spikes(clip, near, prominence), kind


def show_spikes(
    clip: Inspection, match: Spikes, change: str, unit: str, place: Place | None
) -> tuple[dict[str, list], list[go.Figure]]:
    """Whether spikes are transitions: counts, the null, which is returned, and so is the list of spikes."""
    music = change == Roll.change
    words = WORDS[(Roll if music else Raw).name]
    st.subheader("Is a spike a transition?")
    hits, heard = int(match.hits.sum()), clip.active[clip.changes]
    missed = heard & ~match.found
    left, middle, *shares = st.columns(5)
    left.metric("Hits", f"{hits} / {len(match.frames)}", help=f"Spikes that lie {HITS[change]}.")
    middle.metric("Missed", f"{missed.sum()} / {heard.sum()}", help=f"Every {change} without a spike.")
    for column, name, value, null, meaning in zip(
        shares,
        ("Precision", "Recall", "ROC area"),
        (match.precision, match.recall, match.auc),
        (match.null_precision, match.null_recall, match.null_auc),
        (f"Share of the spikes that lie {HITS[change]}.", "Share of the transitions with a spike.", "See below."),
        strict=True,
    ):
        known = not math.isnan(value)
        chance = f"{null.mean():.2f} by chance" if known and len(null) else None
        column.metric(
            name, f"{value:.2f}" if known else "–", chance, delta_color="off", delta_arrow="off", help=meaning
        )
    if place and len(inside := frames_inside(clip.times, place)):
        chosen, changes = np.isin(match.frames, inside), np.isin(clip.changes, inside)
        st.caption(
            f"In the selection: {match.hits[chosen].sum()} of {chosen.sum()} spikes are hits, and "
            f"{missed[changes].sum()} of {heard[changes].sum()} transitions are missed."
        )
    table = event_table(clip, replace(match, found=~missed), change, unit)
    left, right = st.columns([3, 2])
    with left:
        frames = table["frame"]
        st.dataframe(
            table,
            hide_index=True,
            height=300,
            key="events",
            on_select=lambda: go_to_row("events", PLAYER, clip.times[frames]),
            selection_mode="single-row",
            alt="Spikes and missed transitions in the order of time: when, how large, and whether one meets the other.",
            column_config={
                f"time ({unit})": st.column_config.NumberColumn(format="%.3f"),
                "KL (nats)": st.column_config.NumberColumn(format="%.2f"),
                "what": st.column_config.TextColumn(width="medium"),
                f"frames to the nearest {change}": st.column_config.NumberColumn("frames off", width="small"),
            },
        )
        st.caption("A row takes the player there.")
    charts = []
    with right:
        if math.isnan(match.auc):
            st.info("There is no ROC area: every frame is at a transition, or none is.")
        else:
            better = float((match.null_auc >= match.auc).mean())
            alt = f"The ROC area is {match.auc:.2f}; {100 * better:.1f} % of the shifted copies reach it."
            charts.append(null_figure(match.null_auc, match.auc, "ROC area"))
            show_figure(charts[0], "null", alt)
            note = f"{100 * better:.1f} % of the {len(match.null_auc)} shifts reach an area of {match.auc:.2f}."
            if match.auc < match.null_auc.mean():
                note += f" In this clip the KL is no higher {HITS[change]} than elsewhere."
            st.caption(note)
    guess = "" if music else "The spectral flux is only a guess at them: try offsets and spectral changes."
    explain(
        "A **spike** is a local maximum of the KL that rises above its surroundings by the chosen number of robust "
        f"standard deviations; it is a **hit** if it lies {HITS[change]}. Only frames that are not silent count. "
        "**Precision** is the share of the spikes that are hits, **recall** the share of the transitions with a "
        "spike. The **ROC area** needs no threshold: the probability that the KL of a frame at a transition exceeds "
        "that of another; ½ is chance. For the **null**, the KL is shifted against the sound in a circle by every "
        "possible number of frames, which keeps the shape of both and breaks their alignment.\n\n"
        "**Look for**: an area beyond nearly all shifts. One clip is little evidence: `srnn-lab transitions` measures "
        f"all clips of a test set, and splices. {guess}",
        r"\mathrm{AUC} = P(\mathrm{KL}_t > \mathrm{KL}_s), \quad t \text{ at a transition},\ s \text{ elsewhere}",
        {"05_bound_over_time": "does the same for one clip", words.notebook: "for a test set"},
    )
    return table, charts
