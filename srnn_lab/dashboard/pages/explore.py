"""The first page: one checkpoint and one clip, seen, heard and questioned."""

import time
from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.analysis.export import csv_text, label_track
from srnn_lab.analysis.inspection import Inspection
from srnn_lab.analysis.transitions import Spikes
from srnn_lab.dashboard.address import PLAYER, around, frames_inside, settle_place, share_place
from srnn_lab.dashboard.choice import Choice, cached_inspection, explain, time_unit
from srnn_lab.dashboard.panels.figure3 import show_figure3_view
from srnn_lab.dashboard.panels.keep import chart_files, keep, scene_files, sound_file, stem_of
from srnn_lab.dashboard.panels.labels import choose_labels, show_words
from srnn_lab.dashboard.panels.posterior import show_frame
from srnn_lab.dashboard.panels.sounds import (
    Ready,
    Sound,
    make_missing,
    ready,
    settle_sounds,
    show_sound_controls,
    sounds_of_clip,
)
from srnn_lab.dashboard.panels.spike_list import choose_changes, show_spikes
from srnn_lab.dashboard.panels.tour import show_tour
from srnn_lab.dashboard.visit import remember, visit
from srnn_lab.dashboard.words import WORDS
from srnn_lab.data import Labels
from srnn_lab.pictures.clip import clip_scene
from srnn_lab.pictures.clip_rows import clip_rows
from srnn_lab.pictures.scene import Scene
from srnn_lab.player.component import jump, place_of, player

HEAD_START = 1.2
"""Seconds after which a visitor's first rows are followed by the rest: its program keeps a browser busy for longer."""


def show(choice: Choice) -> None:
    """The page; what takes long comes after everything else has been shown."""
    clip = cached_inspection(*choice)
    unit = time_unit(choice.checkpoint.config.data)
    settle_place(PLAYER, choice, choice.length)
    settle_sounds(choice)
    labels = choose_labels(choice)
    show_words(choice)
    show_figure3_view(choice, clip)
    show_tour(partial(jump, PLAYER, around(clip, clip.largest_spike)))
    with st.container():  # its place, whether or not something is selected: the player below would be mounted anew
        show_numbers(clip, unit)
    slot = st.container()
    clip, match, change = choose_changes(choice, clip, labels)
    wanted = sounds_of_clip(choice)
    sounds = ready(wanted, at_hand=not choice.checkpoint.config.data.kind.notes)
    scene = show_player(choice, clip, match, change, sounds(), slot, labels)
    place = place_of(PLAYER)
    share_place(PLAYER)
    charts = show_frame(choice, clip, place, unit)
    table, null = show_spikes(clip, match, change, unit, place)
    arrays = clip.arrays() | (labels.arrays() if labels else {})
    keep_clip(choice, clip, scene, sounds, match, table, charts + null, arrays)
    make_missing(PLAYER, wanted)


def show_numbers(clip: Inspection, unit: str) -> None:
    """The clip's averages in one line, and those of the selection in another."""
    peak = clip.largest_spike
    st.markdown(
        f"ELBO **{(clip.log_px - clip.kl).mean():.2f}** nats per frame "
        f"(reconstruction term {clip.log_px.mean():.2f}, KL {clip.kl.mean():.2f}). "
        f"The largest spike after the start, **{clip.kl[peak]:.1f}** nats, is at {clip.times[peak]:.2f} {unit}."
    )
    if (place := place_of(PLAYER)) and len(inside := frames_inside(clip.times, place)):
        kl = clip.kl[inside]
        st.markdown(f"In the selection: ELBO **{(clip.log_px[inside] - kl).mean():.2f}**, KL **{kl.mean():.2f}**.")


def show_player(
    choice: Choice,
    clip: Inspection,
    match: Spikes,
    change: str,
    sounds: dict[str, Sound],
    slot: DeltaGenerator,
    labels: Labels | None,
) -> Scene:
    """The rows and the sounds."""
    checkpoint, data = choice.checkpoint, choice.checkpoint.config.data
    unit = time_unit(data)
    rows = clip_rows(checkpoint, choice.signal, clip, match)
    with slot:
        shown = st.pills(
            "Rows",
            list(rows),
            selection_mode="multi",
            default=list(rows),
            key=f"rows-{data.features}",
            bind="query-params",
        )
        scene = clip_scene(
            checkpoint,
            choice.signal,
            clip,
            choice.name,
            rows={name: row for name, row in rows.items() if name in (shown or ["KL"])},
            labels=labels,
            change=change,
        )
        player(scene, sounds, PLAYER)
        if not visit().rows_shown:
            remember(rows_shown=True)
            time.sleep(HEAD_START)
        show_sound_controls(choice, clip, unit)
        explain_player(data.features)
    return scene


def keep_clip(
    choice: Choice,
    clip: Inspection,
    scene: Scene,
    sounds: Ready,
    match: Spikes,
    table: dict[str, list],
    charts: list[go.Figure],
    arrays: dict[str, np.ndarray],
) -> None:
    """Files of what is on the page."""
    keep(
        stem_of(choice.name),
        {
            **scene_files(f"{choice.name}, model {st.session_state['checkpoint']}", scene, sounds, PLAYER, arrays),
            **sound_file(sounds, PLAYER),
            **chart_files(*charts),
            "Spikes (CSV)": (lambda: csv_text(table), "csv"),
            "Label track": (lambda: label_track(clip, match), "txt"),
        },
        "The player opens in any browser, with the sounds that are made. The label track opens in Audacity (File, "
        "Import, Labels); a star marks a spike at a transition.",
    )


def explain_player(features: str) -> None:
    """How to read the rows."""
    words = WORDS[features]
    explain(
        "**KL** (nats per frame; 1 nat ≈ 1.44 bit): how far what the posterior q has read (with smoothing, up to the "
        "clip's end) moves the belief about z at a frame from the prior p, which knows the past. **Mean** and "
        "**log-variance** are those of x under the posterior, over 8 sampled paths. The **ELBO**, in nats per frame, "
        "is the reconstruction term less the KL; those of different frames do not compare. The lowest row divides the "
        "KL among the dimensions of z, the most used on top: twice as many as are active units, at least 8 and at most "
        "64; a few values may exceed its brightest colour. Frames are counted from 0 at the first that is "
        "scored, as in the arrays (.npz). Triangles at the edge of a row mark values that lie outside its axis.\n\n"
        f"**Look for**: {words.look_for} Circles are spikes: filled at a transition, open elsewhere.\n\n"
        f"**Listen**: all sounds have one gain. {words.heard} The continuation draws z from the prior and feeds each "
        "frame back as the next input.",
        r"\mathcal{F} = \sum_t \underbrace{\mathbb{E}_q[\log p(x_t \mid z_t, d_t)]}_{\text{reconstruction}} - "
        r"\mathbb{E}_q\big[\underbrace{\mathrm{KL}(q(z_t \mid z_{t-1}, a_t) \,\|\, p(z_t \mid z_{t-1}, d_t))}"
        r"_{\text{surprise at } t}\big]",
        {"05_bound_over_time": "builds the bound over time", words.notebook: "looks at more clips"},
    )
