"""A map of z: each frame of a set of clips is a point, which a click or the pointer plays."""

import html
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from srnn_lab.analysis.latent_map import Cloud, Components, evenly, gather, principal_components
from srnn_lab.analysis.moments import AROUND, Moment, Summary
from srnn_lab.dashboard.cache import Choice, cache_resource
from srnn_lab.dashboard.linked import choose_linked
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.panels.classes import SILENCE, UNLABELLED, bass_notes, phones_at
from srnn_lab.dashboard.panels.clip_set import (
    cached_stretch,
    cached_summary,
    choose_set,
    labels_of,
    say_none_is_read,
    show_moment,
    summarise_all,
    titles_of,
)
from srnn_lab.dashboard.words import explain, number, time_unit, unit_seconds
from srnn_lab.data.phones import phone_kind
from srnn_lab.pictures.charts import MAX_CLASSES, map_figure
from srnn_lab.player.component import hear_on_hover

MOST_POINTS = 50_000
MOST_HEARD = 600
"""Seconds of clips that hovering plays, in about 20 MB."""
COMPONENTS = 4
OTHERS = "others"
COLOURS = {
    "KL": "",
    "phone": "Colours and shapes are the kinds of phones; frames of clips without labels are grey.",
    "pitch class": "Colours and shapes are the pitch class of the lowest note that sounds.",
    "clip": (
        f"Colours and shapes are clips, the {MAX_CLASSES} longest if there are more; the others "
        "are grey."
    ),
}
"""What points can be coloured by, and how that is explained."""


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "Each point is a frame of a clip of the set, placed by the posterior mean of its z. "
        "Frames that lie close together are alike to the model. **Click on a point to hear the "
        "sound around it**; rest on it to read what it is. Drag to zoom, shift and drag to move, "
        "double-click to see all again."
    )
    if choice.checkpoint.model.z_dim == 0:
        st.info("This model has no z, so there is nothing to map. Choose another checkpoint.")
        return
    slot = st.container()  # above the box for a folder, so that the map begins high on a phone
    clips = choose_set(choice)
    with slot:
        found = summarise_all(clips)
    if not found:
        say_none_is_read()
        return
    cloud, components, texts = cached_cloud(tuple((name, clips[name]) for name in found))
    axes = axes_of(components, cloud)
    labelled = any(labels_of(clips[name]) for name in found)
    notes = choice.checkpoint.config.data.kind.notes
    offered = [
        name for name in COLOURS if {"phone": labelled, "pitch class": notes}.get(name, True)
    ]
    with slot:
        with st.container(horizontal=True):
            across = choose_linked(st.selectbox, "Horizontal axis", list(axes), "across")
            up = choose_linked(
                st.selectbox, "Vertical axis", [*list(axes)[1:], next(iter(axes))], "up"
            )
            colour = choose_linked(st.selectbox, "Colour", offered, "colour")
        show_map(choice, clips, found, cloud, texts, (axes[across], axes[up]), colour)
        if st.toggle("Play on hover", key="hover", bind="query-params"):
            hear_points(choice, {name: clips[name] for name in cloud.names})
        told = [
            describe(components, int(name[2:]) - 1)
            for name in (across, up)
            if name.startswith("PC")
        ]
        st.caption(" ".join([*told, COLOURS[colour]]))
    explain(
        "How is the map made?",
        "The posterior means of z of all frames of the set are centred, and their principal "
        "components are computed exactly, by a singular value decomposition: PC1 is the direction "
        "in which they vary most, PC2 the next one at right angles to it. An axis can also be a "
        "single dimension of z, or the KL. The share of an axis is that of the variance of z. Of "
        f"more than {MOST_POINTS:,} frames, as many are shown, evenly spread; the components are "
        "those of all.\n\n**Look for**: islands. Does a phone, or a bass note, have one of its "
        "own? Where do the frames with a high KL lie? If the colours mix everywhere, these two "
        "axes do not hold that difference: choose others.",
        r"\mathrm{PC}_i = (\mu_q - \bar\mu)^\top v_i, \qquad \bar\mu = \tfrac1N \sum_n \mu_{q,n}, "
        r"\qquad "
        r"\tfrac1N \sum_n (\mu_{q,n} - \bar\mu)(\mu_{q,n} - \bar\mu)^\top v_i = \lambda_i v_i",
        {"04_posterior_structure#A posterior with this structure": "takes z apart"},
    )


@cache_resource(max_entries=2, show_spinner="Drawing the map …")
def cached_cloud(clips: tuple[tuple[str, Choice], ...]) -> tuple[Cloud, Components, list[str]]:
    """The frames of clips that are shown, the components of all, and what is said of each."""
    found = {name: cached_summary(*clip) for name, clip in clips}
    cloud = gather(found)
    components, shown = (
        principal_components(cloud.z),
        cloud.take(evenly(len(cloud.kl), MOST_POINTS)),
    )
    of, texts = dict(clips), []
    phones = {
        name: labels.at(found[name].times) for name, clip in clips if (labels := labels_of(clip))
    }
    titles = titles_of(of, clips[0][1])
    for i, frame, kl in zip(shown.clip, shown.frame, shown.kl, strict=True):
        name = cloud.names[i]
        said = f", “{phones[name][frame]}”" if name in phones else ""
        when = of[name].moment(float(found[name].times[frame]))
        texts.append(html.escape(f"{titles[name]}, {when}{said}: KL {number(kl)} nats"))
    return shown, components, texts


def axes_of(components: Components, cloud: Cloud) -> dict[str, tuple[str, np.ndarray]]:
    """What an axis can be, by name: its title, and where each point lies."""
    axes = {}
    for i, share in enumerate(components.shares[:COMPONENTS]):
        title = f"PC{i + 1} ({number(100 * share, 0)} % of the variance of z)"
        axes[f"PC{i + 1}"] = title, components.along(cloud.z, i)
    variances = cloud.z.var(0)
    for i in np.argsort(-variances, kind="stable"):
        share = variances[i] / (variances.sum() or 1)
        axes[f"z{i}"] = f"z{i} ({number(100 * share, 1)} % of the variance of z)", cloud.z[:, i]
    return axes | {"KL": ("KL (nats)", cloud.kl)}


def describe(components: Components, i: int) -> str:
    """The dimensions that weigh most in a component."""
    weights = components.directions[i]
    most = np.argsort(-np.abs(weights), kind="stable")[:3]
    return f"PC{i + 1} is mostly {', '.join(f'{number(weights[j])} z{j}' for j in most)}."


@st.fragment
def show_map(
    choice: Choice,
    clips: Mapping[str, Choice],
    found: Mapping[str, Summary],
    cloud: Cloud,
    texts: list[str],
    axes: tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]],
    colour: str,
) -> None:
    """The points, and the sound around the clicked one; a click runs only this part again."""
    (across, x), (up, y) = axes
    groups = (
        {"KL (nats)": np.arange(len(cloud.kl))}
        if colour == "KL"
        else groups_of(clips, found, cloud, colour)
    )
    if colour == "clip":
        titles = titles_of(groups, choice)
        groups = {titles[name]: points for name, points in groups.items()}
    left, right = st.columns([3, 1])
    values, others = cloud.kl if colour == "KL" else None, (UNLABELLED, SILENCE, OTHERS)
    figure = map_figure(x, y, (across, up), texts, groups, values, others)
    seconds = unit_seconds(choice.checkpoint.config.data)
    times = [found[cloud.names[i]].times[t] for i, t in zip(cloud.clip, cloud.frame, strict=True)]
    points = np.stack([cloud.clip, seconds * np.array(times)], 1).astype(np.float32)
    figure.for_each_trace(lambda trace: trace.update(customdata=points[groups[trace.name]]))
    with left:
        alt = (
            f"{len(cloud.kl):,} frames of {len(cloud.names)} clips by {across} and {up}, "
            f"coloured by {colour}."
        )
        clicked = show_chart(figure, "map", alt, clicks=True)
    with right.container(border=True):
        if not clicked:
            st.markdown("Click on a point: its sound is played here.")
            return
        trace: Any = figure.data[clicked[0]["curve_number"]]
        i = groups[trace.name][clicked[0]["point_index"]]
        name, frame = cloud.names[cloud.clip[i]], int(cloud.frame[i])
        moment = Moment(name, frame, float(cloud.kl[i]))
        show_moment(choice, clips[name], moment, found[name].times, of="KL ", autoplay=True)


def hear_points(choice: Choice, clips: Mapping[str, Choice]) -> None:
    """Give the browser the sounds of the clips, by which it plays what the pointer rests on.

    Args:
        choice: What is chosen at the side.
        clips: The clips of the points, in their order; of a long set the first are heard.
    """
    data, sounds, heard = choice.checkpoint.config.data, [], 0.0
    text, seconds = "Making the sounds of the clips …", unit_seconds(data)
    bar = st.progress(0.0, text)
    for clip in clips.values():
        heard += clip.length * seconds
        if heard > MOST_HEARD and sounds:
            st.caption(f"The first {len(sounds)} of {len(clips)} clips are heard.")
            break
        sounds.append(cached_stretch(*clip, 0, len(clip.signal)))
        bar.progress(len(sounds) / len(clips), text)
    bar.empty()
    half = seconds * AROUND[time_unit(data)] / 2
    hear_on_hover("map-hover", sounds, half, half)


def groups_of(
    clips: Mapping[str, Choice], found: Mapping[str, Summary], cloud: Cloud, colour: str
) -> dict[str, np.ndarray]:
    """The points of each phone, pitch class or clip.

    Returns:
        Their indices by name, the most frequent first; beyond ``MAX_CLASSES``, of all others.
    """
    of_clips = {name: classes_of(clips[name], found[name], name, colour) for name in cloud.names}
    classes = np.array(
        [of_clips[cloud.names[i]][t] for i, t in zip(cloud.clip, cloud.frame, strict=True)]
    )
    apart = [name for name in (UNLABELLED, SILENCE) if colour != "clip" and name in classes]
    counted = Counter(classes[~np.isin(classes, apart)].tolist())
    shown = [*(name for name, _ in counted.most_common(MAX_CLASSES)), *apart]
    groups = {name: np.flatnonzero(classes == name) for name in shown}
    rest = np.flatnonzero(~np.isin(classes, shown))
    return groups | ({OTHERS: rest} if len(rest) else {})


def classes_of(clip: Choice, summary: Summary, name: str, colour: str) -> list[str]:
    """What each frame of a clip is coloured by."""
    if colour == "clip":
        return [name] * len(summary.kl)
    if colour == "phone":
        return [
            one if one == UNLABELLED else phone_kind(one) for one in phones_at(clip, summary.times)
        ]
    return bass_notes(summary.frames)
