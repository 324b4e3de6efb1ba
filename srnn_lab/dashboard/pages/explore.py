"""The first page: one checkpoint and one clip, seen, heard and questioned."""

import time

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.analysis.export import csv_text, label_track
from srnn_lab.analysis.inspection import Inspection
from srnn_lab.analysis.transitions import Spikes, match_spikes
from srnn_lab.dashboard.address import PLAYER, frames_inside, owned
from srnn_lab.dashboard.cache import Choice, cached_inspection
from srnn_lab.dashboard.panels.figure3 import show_figure3_view
from srnn_lab.dashboard.panels.forecast import show_forecast
from srnn_lab.dashboard.panels.keep import chart_files, keep, stem_of
from srnn_lab.dashboard.panels.labels import choose_labels, offer_labels, show_words
from srnn_lab.dashboard.panels.posterior import show_frame
from srnn_lab.dashboard.panels.rows_panel import RowsPanel, player_key
from srnn_lab.dashboard.panels.similar import show_similar
from srnn_lab.dashboard.panels.sounds import settle_sounds, show_sound_controls, sounds_of_clip
from srnn_lab.dashboard.panels.spike_list import choose_changes, show_spikes
from srnn_lab.dashboard.panels.use_of_z import show_use
from srnn_lab.dashboard.visit import remember, visit
from srnn_lab.dashboard.words import WORDS, explain, number, time_unit
from srnn_lab.data import Labels
from srnn_lab.pictures.clip_rows import clip_rows, describe_rows, with_labels
from srnn_lab.player.component import Place

FIRST_COLUMNS = 6
"""Columns of a table that are shown until others are chosen."""
LATER_START = 0.1
"""Seconds after which the rows of another clip are followed by the rest, so that they are drawn
first."""
HEAD_START = 1.2
"""Seconds after which a visitor's first rows are followed by the rest: its program keeps a browser
busy for longer."""


def show(choice: Choice) -> None:
    """The page; what takes long comes after everything else has been shown."""
    clip = cached_inspection(*choice)
    unit = time_unit(choice.checkpoint.config.data)
    panel = RowsPanel(player_key(PLAYER, choice), choice, choice.length)
    if not choice.checkpoint.config.data.kind.heard:
        show_table(panel, clip)
        return
    settle_sounds(choice)
    labels = choose_labels(choice)
    show_figure3_view(choice, clip)
    with (
        st.container()
    ):  # its place, whether or not something is selected: the player below would be mounted anew
        show_numbers(choice, clip, panel.place)
    slot = st.container()
    clip, match, change = choose_changes(choice, clip, labels)
    with slot:
        draw_rows(panel, clip, match, change, labels)
        explain_player(choice.checkpoint.config.data.features)
    slot = st.container()
    charts = show_frame(choice, clip, panel.place)
    show_similar(choice, clip, panel.place)
    table, null = show_spikes(clip, match, change, unit, panel.place, choice.moment)
    arrays = clip.arrays() | (labels.arrays() if labels else {})
    keep_clip(panel, clip, match, table, charts + null, arrays)
    with slot:
        show_use(choice)
    offer_labels()
    panel.make_missing_sounds()


def show_table(panel: RowsPanel, clip: Inspection) -> None:
    """The page for a table, which is no sound: its columns, and one row of them questioned."""
    choice = panel.choice
    kind = choice.checkpoint.config.data.kind
    with st.container():
        show_numbers(choice, clip, panel.place)
    draw_rows(panel, clip, match_spikes(clip, 0), kind.change, None)
    explain_player(choice.checkpoint.config.data.features)
    slot = st.container()
    fans, forecasts = show_forecast(choice)
    charts = show_frame(choice, clip, panel.place)
    keep(
        stem_of(choice),
        {
            **panel.files(f"{choice.name}, model {choice.model}", clip.arrays()),
            **chart_files(*fans, *charts),
            **forecasts,
        },
        "The player opens in any browser.",
    )
    with slot:
        show_use(choice)


def show_numbers(choice: Choice, clip: Inspection, place: Place | None) -> None:
    """The clip's averages in one line, and those of the selection in another."""
    peak = clip.largest_spike
    largest = number(clip.kl[peak], 1 if clip.kl[peak] >= 1 else 2)
    left_out, panels = (
        (
            "the start, silence",
            "[one frame](#one-frame), [similar](#similar), [spikes](#spikes), [export](#export)",
        )
        if choice.checkpoint.config.data.kind.heard
        else ("the start", "[forecast](#forecast), [one frame](#one-frame), [export](#export)")
    )
    st.markdown(
        f"ELBO **{number((clip.log_px - clip.kl).mean())}** nats per frame: reconstruction term "
        f"{number(clip.log_px.mean())}, less the KL, {number(clip.kl.mean())}. The largest spike, "
        f"**{largest}** nats, is at {choice.moment(clip.times[peak])}; grey frames "
        f"({left_out}) are left out. Below: {panels}."
    )
    if place and len(inside := frames_inside(clip.times, place)):
        kl = clip.kl[inside]
        st.markdown(
            f"In the selection: ELBO **{number((clip.log_px[inside] - kl).mean())}**, KL "
            f"**{number(kl.mean())}**."
        )


def draw_rows(
    panel: RowsPanel, clip: Inspection, match: Spikes, change: str, labels: Labels | None
) -> None:
    """The rows and the sounds."""
    choice = panel.choice
    data = choice.checkpoint.config.data
    rows = clip_rows(choice.checkpoint, choice.signal, clip, match)
    peak = clip.largest_spike
    names = [*rows]
    first = names if data.kind.heard else [*names[:FIRST_COLUMNS], *names[names.index("KL") :]]
    key = f"rows-{data.features}" if data.kind.heard else owned("rows", choice.model)
    player_slot = st.container()  # above the names of its rows, so that all of it fits on a screen
    shown = st.pills(
        "Rows",
        names,
        selection_mode="multi",
        default=[name for name in names if name in first],
        key=key,
        bind="query-params",
    )
    rows = {name: row for name, row in rows.items() if name in (shown or ["KL"])}
    description = describe_rows(choice.name, rows, clip, choice.moment(clip.times[peak]))
    with player_slot:
        panel.draw(
            with_labels(rows, labels),
            clip.times,
            description,
            sounds_of_clip(choice) if data.kind.heard else {},
            marks=clip.times[clip.changes],
            mark_name=change,
        )
    if (before := visit().rows_of) != choice:
        remember(rows_of=choice)
        time.sleep(LATER_START if before else HEAD_START)
    if data.kind.heard:
        with player_slot:
            show_words(choice)
            show_sound_controls(choice, clip)


def keep_clip(
    panel: RowsPanel,
    clip: Inspection,
    match: Spikes,
    table: dict[str, list],
    charts: list[go.Figure],
    arrays: dict[str, np.ndarray],
) -> None:
    """Files of what is on the page."""
    keep(
        stem_of(panel.choice),
        {
            **panel.files(f"{panel.choice.name}, model {panel.choice.model}", arrays),
            **chart_files(*charts),
            "Spikes (CSV)": (lambda: csv_text(table), "spikes.csv"),
            "Label track": (lambda: label_track(clip, match), "label track.txt"),
        },
        "The player opens in any browser, with the sounds that are made. The label track opens in "
        "Audacity (File, Import, Labels); a star marks a spike at a dotted line.",
    )


def explain_player(features: str) -> None:
    """How to read the rows."""
    words = WORDS[features]
    events = ": filled at an event (dotted), open elsewhere" if words.heard else ""
    listen = (
        f"\n\n**Listen**: all sounds have one gain. {words.heard} The continuation draws z from "
        "the prior and feeds each frame back as the next input."
        if words.heard
        else " Gaps are missing values, for which the mean is what the model makes of the others."
    )
    explain(
        "What is the KL?",
        "**KL** (nats per frame; 1 nat ≈ 1.44 bit): how far the posterior q, which has "
        f"{'heard' if words.heard else 'seen'} the clip (with smoothing all of it, with filtering "
        "up to this frame), is from the prior p, which predicts z from the past. **Mean** and "
        "**log-variance** are those of x under the posterior, over 8 sampled paths. The **ELBO** "
        "(nats per frame) is the reconstruction "
        "term minus the KL; ELBOs of different kinds of frames are not comparable. The lowest row "
        "divides the KL among the dimensions of z, the most used on top: twice as many as there "
        "are active units, at least 8 and at most 64; a few values may exceed its brightest "
        "colour. Frames are counted from 0 at the first that is scored, as in the arrays (.npz). "
        "Triangles at the edge of a row mark values outside its axis.\n\n**Look for**: "
        f"{words.look_for} Circles are spikes{events}."
        f"{listen}",
        r"\mathcal{F} = \sum_t \underbrace{\mathbb{E}_q[\log p(x_t \mid z_t, d_t)]}"
        r"_{\text{reconstruction}} - \mathbb{E}_q\big[\underbrace"
        r"{\mathrm{KL}(q(z_t \mid z_{t-1}, a_t) \,\|\, p(z_t \mid z_{t-1}, d_t))}"
        r"_{\text{surprise at } t}\big]",
        {
            "05_bound_over_time#A VAE at each frame": "builds the bound over time",
            words.notebook: "looks at more clips",
        },
    )
