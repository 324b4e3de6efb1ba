"""Compare: two to four checkpoints on one clip, with the same noise where they can have it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from srnn_lab.analysis.comparison import Comparison, closest, compare, differences, frame_kind
from srnn_lab.analysis.export import csv_text
from srnn_lab.analysis.inspection import NEAR
from srnn_lab.checkpoint import Checkpoint, read_config
from srnn_lab.config import RunConfig
from srnn_lab.dashboard.address import frames_inside, go_to_row
from srnn_lab.dashboard.cache import Choice, cached_inspection
from srnn_lab.dashboard.choice import checkpoints
from srnn_lab.dashboard.linked import say_gone
from srnn_lab.dashboard.panels.keep import keep, stem_of
from srnn_lab.dashboard.panels.rows_panel import RowsPanel, player_key
from srnn_lab.dashboard.panels.sounds import (
    MEAN,
    ORIGINAL,
    Wanted,
    clip_sound,
)
from srnn_lab.dashboard.visit import visit, want, went_through_history
from srnn_lab.dashboard.words import (
    ABOUT,
    WORDS,
    explain,
    number,
    numbers_in_words,
    plain,
    setting_in_words,
    time_unit,
)
from srnn_lab.pictures.side_by_side import comparison_rows
from srnn_lab.player.component import Place

PLAYER = "compare-player"
MOMENTS = 8
"""Rows of the table of differences."""
READY_MADE = {
    "Smoothing or filtering": ("voice-mel", "voice-mel-filt-res"),
    "With or without Res_q": ("voice", "voice-smooth"),
    "SRNN or VRNN": ("voice", "voice-vrnn"),
    "Factorised or autoregressive samples": ("voice", "voice-ar"),
    "Factorised or autoregressive notes": ("bl-jsb", "bl-jsb-nade"),
}
"""Bundled checkpoints that answer a question of the paper, by what is on the button."""


@st.cache_data(max_entries=256, show_spinner=False)
def cached_config(path: str, modified: float) -> RunConfig:  # noqa: ARG001 (a new file is a new entry)
    """The configuration of a checkpoint, whose weights are not read."""
    return read_config(path)


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "Two to four checkpoints on the same clip. Nats per frame are comparable only between "
        "models with the same kind of frame; only those are listed. The address of this page is a "
        "link to exactly this comparison."
    )
    with st.container(horizontal=True):
        for question, pair in READY_MADE.items():
            st.button(question, on_click=set_side_by_side, args=pair)
    panel = RowsPanel(player_key(PLAYER, choice), choice, choice.length)
    first = st.session_state["checkpoint"]
    against = choose_against(first, choice.checkpoint.config)
    if not against:
        return
    names = {
        first: choice,
        **{name: choice._replace(path=str(p), modified=p.stat().st_mtime) for name, p in against},
    }
    found = {name: one.checkpoint for name, one in names.items()}
    clips = {name: cached_inspection(*one) for name, one in names.items()}
    comparison = compare(found, clips)
    show_averages(comparison, found, panel.place)
    moments = comparison.moments(MOMENTS, apart=2 * NEAR)
    draw_rows(panel, comparison, moments, sounds_of(names))
    table = show_moments(panel, comparison, moments)
    keep_comparison(panel, comparison, table)
    panel.make_missing_sounds()


def set_side_by_side(first: str, other: str) -> None:
    """Choose a checkpoint at the side and one to compare it with."""
    want("checkpoint", first)
    want("against", "")
    st.session_state["against"] = [other]


def choose_against(first: str, config: RunConfig) -> list[tuple[str, Path]]:
    """The checkpoints that are compared with the first, of those that have its frames."""
    alike, configs, other, unreadable, key = {}, {}, [], [], "against"
    known = checkpoints()
    if key not in visit().wanted or went_through_history():
        want(key, ", ".join(name for name in st.query_params.get_all(key) if name not in known))
    # The checkpoints by whether they have the frames of the first one.
    for name, path in known.items():
        try:
            found = cached_config(str(path), path.stat().st_mtime)
        except (ValueError, OSError):
            unreadable.append(name)
            continue
        if name != first and frame_kind(found) == frame_kind(config):
            alike[name], configs[name] = path, found
        elif name != first:
            other.append(name)
    # The box, and what is not offered in it.
    left_out = [f"Other frames: {', '.join(other)}."] * bool(other)
    left_out += [f"Not readable: {', '.join(unreadable)}."] * bool(unreadable)
    if not alike:
        st.info(
            f"No other checkpoint has the frames of {plain(first)}. Choose another at the side, "
            "or train one on the same data (for instance with `--no-smoothing`) and leave it in "
            "`runs/NAME/best.safetensors`."
        )
    else:
        chosen = st.multiselect(
            f"Compare {plain(first)} with",
            list(alike),
            default=closest(
                {name: found for name, found in configs.items() if name in ABOUT} or configs, config
            ),
            max_selections=3,
            key=key,
            bind="query-params",
            on_change=partial(want, key, ""),
            help=plain(" ".join(left_out)) or None,
        )
        if gone := visit().wanted[key]:
            say_gone(gone, ", ".join(chosen))
        if chosen:
            return [(name, alike[name]) for name in chosen]
        st.info("Choose at least one checkpoint to compare with.")
    if left_out:
        st.caption(plain(" ".join(left_out)))
    return []


def show_averages(
    comparison: Comparison, found: dict[str, Checkpoint], place: Place | None
) -> None:
    """What each model is, and its averages over the selection, or over the clip without one."""
    # The values over the selection or over the clip.
    first = comparison.names[0]
    what = [differences(c.config, found[first].config) for c in found.values()]
    inside = frames_inside(comparison.times, place) if place else []
    over, frames = ("the selection", inside) if len(inside) else ("this clip", slice(None))
    kl = comparison.kl[:, frames]
    elbo, difference = comparison.elbo[:, frames].mean(1), f"difference from {first}"
    # The table.
    meanings = {
        "bound": f"ELBO, averaged over the frames of {over}",
        difference: f"ELBO less that of {plain(first)}",
        "log p(x | z, d)": "Reconstruction term of the ELBO",
        "KL": "KL term of the ELBO",
        "largest KL": "The KL at the most surprising frame",
    }
    table = {
        "model": list(comparison.names),
        "differs in": [
            ", ".join(setting_in_words(*setting) for setting in one.items()) or "–" for one in what
        ],
        "bound": elbo,
        difference: elbo - elbo[0],
        "log p(x | z, d)": comparison.log_px[:, frames].mean(1),
        "KL": kl.mean(1),
        "largest KL": kl.max(1),
    }
    st.dataframe(
        numbers_in_words(table, dict.fromkeys(meanings, 2)),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(help=f"{meaning}, nats per frame")
            for name, meaning in meanings.items()
        },
        alt=f"The average bound of each model over {over}, in nats per frame.",
    )
    # What it says, in words.
    best = plain(comparison.names[int(elbo.argmax())])
    others = [
        name for name, same in zip(comparison.names, comparison.same_noise, strict=True) if not same
    ]
    noise = "All models use the same noise samples, so differences come from the models."
    if others:
        noise = (
            f"{plain(', '.join(others))} cannot use the noise samples of {plain(first)}, because "
            "the size of z or the number of scored frames differs; so part of the difference is "
            "chance."
        )
    st.markdown(
        f"Averaged over {over}, **{best}** has the highest bound, {number(elbo.max())} nats per "
        f"frame (8 posterior paths each). {noise}"
    )
    explain(
        "What is compared?",
        "Nats per frame, averaged over the frames that all of these models score, or over those "
        "of a selection in the rows. A density depends on the scale of its values: where "
        "normalisations differ, log p is converted to the scale of the first model. One clip does "
        "not show which model is better; `srnn-lab evaluate` uses a whole test set.",
        r"\mathcal{F} = \sum_t \mathbb{E}_q\left[\log p(x_t \mid z_t, d_t)\right]"
        r" - \mathbb{E}_q\left[\mathrm{KL}\left(q(z_t \mid z_{t-1}, a_t)\,\|\,"
        r"p(z_t \mid z_{t-1}, d_t)\right)\right]",
        {
            "04_posterior_structure#What looking ahead is worth": (
                "compares smoothing with filtering"
            ),
            "06_inference_network#Equation (12): learn only the correction": "derives Res_q",
            "10_beyond_the_paper#The family of Figure 4": "has the family of models",
        },
    )


def draw_rows(
    panel: RowsPanel, comparison: Comparison, moments: np.ndarray, wanted: Wanted
) -> None:
    """The clip and what each model makes of it, overlaid, and to hear one after the other."""
    choice, data = panel.choice, panel.choice.checkpoint.config.data
    names, first = ", ".join(comparison.names[1:]), comparison.names[0]
    panel.draw(
        comparison_rows(data, choice.signal, comparison, moments),
        comparison.times,
        f"The clip; below it over the same time axis the KL per frame of {first}, {names}; its "
        f"difference from that of {first}, the largest marked; and the bound per frame.",
        wanted,
        marks=comparison.times[comparison.changes],
        mark_name=data.kind.change,
    )
    words = WORDS[data.features]
    if data.kind.heard:
        st.caption(
            f"Besides the original, you can hear each model's reconstruction: "
            f"{words.reconstruction}."
        )
    axis = "bars" if data.kind.notes else time_unit(data)
    explain(
        "How do I read these rows?",
        f"All rows share the time axis ({axis}). **KL**: by how many nats the clip "
        "moves the belief about z away from the prediction. **Difference**: above 0 the other "
        f"model is more surprised than {plain(first)}, below 0 less; circles mark the rows of the "
        "table. **Bound**: the frame's share of the ELBO. Triangles at the edge of an axis mark "
        "frames outside it. A smoothing model has seen what comes, so it can move z before the "
        "sound changes; a filtering model is surprised when it hears it. A higher KL is not "
        "worse by itself: check whether the bound gains more than the KL costs.",
        r"\Delta_t = \mathrm{KL}_t^{\text{other}} - \mathrm{KL}_t^{\text{first}}",
        {
            "04_posterior_structure#What looking ahead is worth": (
                "says what looking ahead is worth"
            ),
            words.notebook: "has pictures of the same kind",
        },
    )


def show_moments(
    panel: RowsPanel, comparison: Comparison, moments: np.ndarray
) -> dict[str, np.ndarray | list]:
    """The frames in which the models differ most, as columns by name."""
    st.subheader("Where the models differ most")
    choice, kind = panel.choice, panel.choice.checkpoint.config.data.kind
    music = kind.notes
    near = 0 if music else NEAR
    at_change = [bool((np.abs(comparison.changes - t) <= near).any()) for t in moments]
    columns = {f"KL {name}": comparison.kl[i, moments] for i, name in enumerate(comparison.names)}
    most, best = comparison.kl[:, moments].argmax(0), comparison.elbo[:, moments].argmax(0)
    times, time = comparison.times[moments], f"time ({time_unit(choice.checkpoint.config.data)})"
    table = {
        time: times,
        **({"at a chord change" if music else "at an onset": at_change} if kind.heard else {}),
        "most surprised": [comparison.names[i] for i in most],
        "highest bound": [comparison.names[i] for i in best],
        **columns,
    }
    in_words = {"bar and beat": [choice.moment(one) for one in times]} if music else {}
    st.dataframe(
        numbers_in_words(
            in_words | table, dict.fromkeys(columns, 1) | ({} if music else {time: 3})
        ),
        hide_index=True,
        key="moments",
        on_select=lambda: go_to_row("moments", panel.key, times),
        selection_mode="single-row",
        column_config={time: None} if music else {},
        alt=(
            "The frames where the KL differs most, the most surprised model, and each model's KL "
            "in nats."
        ),
    )
    st.caption("Select a row to jump to it.")
    explain(
        "How are these frames chosen?",
        "The frames whose KL differs most from that of the first model, in nats, the largest "
        f"difference first. They are at least {2 * NEAR} frames apart; the first frames, which "
        "start from a zero state, are left out."
        + (
            f" Check whether the differences cluster at {'chord changes' if music else 'onsets'}."
            if kind.heard
            else ""
        ),
        r"t^\star = \arg\max_t \max_m \left|\mathrm{KL}_t^{(m)} - \mathrm{KL}_t^{(1)}\right|",
        {"05_bound_over_time#A VAE at each frame": "takes such a frame apart"},
    )
    return table


def keep_comparison(panel: RowsPanel, comparison: Comparison, table: Mapping) -> None:
    """Files of what is on the page."""
    arrays = {
        "models": np.array(comparison.names),
        "times": comparison.times,
        "kl": comparison.kl,
        "log_px": comparison.log_px,
    }
    keep(
        f"{stem_of(panel.choice)} and others",
        {
            **panel.files(f"{panel.choice.name}: {', '.join(comparison.names)}", arrays),
            "Differences (CSV)": (partial(csv_text, table), "differences.csv"),
        },
        "The rows of the arrays are the models; nats per frame.",
    )


def sounds_of(names: dict[str, Choice]) -> Wanted:
    """The clip, and each model's reconstruction of it; nothing of a table."""
    first = next(iter(names.values()))
    if not first.checkpoint.config.data.kind.heard:
        return {}
    return {
        ORIGINAL: clip_sound(first, ORIGINAL),
        **{name: clip_sound(one, MEAN) for name, one in names.items()},
    }
