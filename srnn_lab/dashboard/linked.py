"""A choice whose name stands in the address."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import streamlit as st

from srnn_lab.dashboard.visit import visit, want, went_through_history
from srnn_lab.dashboard.words import plain
from srnn_lab.data.bundled import clip_titles


def choose_linked(
    box: Callable[..., str],
    label: str,
    options: Sequence[str],
    key: str,
    former: str = "",
    known: Collection[str] = (),
    *,
    disabled: bool = False,
) -> str:
    """One of several things, by its name in the address.

    It is what is wanted or, where that is not offered, the first.

    A page says so if what is wanted is nowhere to be found.

    Args:
        box: What shows a select box.
        label: Of the box.
        options: What it offers.
        key: Of the box, in the session and in the address.
        former: What older addresses call it.
        known: What there is besides, though not for this box.
        disabled: Whether nothing can be chosen now.

    Returns:
        The chosen name, one of ``options``.
    """
    state, params = st.session_state, st.query_params
    if key not in visit().wanted or went_through_history():
        want(key, params.get(key) or params.get(former) or options[0])
    if (wanted := visit().wanted[key]) in options and state.get(key) != wanted:
        state[key] = wanted
    name = box(
        label,
        options,
        key=key,
        bind="query-params",
        on_change=lambda: want(key, state[key]),
        disabled=disabled,
    )
    if wanted not in {*options, *known} and not disabled:
        say_gone(wanted, name)
    return name


def choose_titled(
    box: Callable[..., str],
    label: str,
    clips: Mapping[str, Path],
    key: str,
    former: str = "",
    known: Collection[str] = (),
    *,
    disabled: bool = False,
) -> str:
    """One of several clips, by its name in the address and by its title on the page.

    Streamlit puts what a box shows into the address. So there are two boxes. The first has the
    names and is hidden by the style of the pages, and takes over what is chosen in the second.

    Args:
        box: What shows a select box.
        label: Of the box.
        clips: Files by name.
        key: Of the name, in the session and in the address.
        former: What older addresses call it.
        known: What there is besides, though not for this box.
        disabled: Whether nothing can be chosen now.

    Returns:
        The chosen name, one of ``clips``.
    """
    state, shown, names = st.session_state, f"titled-{key}", list(clips)
    name = choose_linked(box, f"{label}, by name", names, key, former, known, disabled=disabled)
    if state.get(shown) != name:
        state[shown] = name
    titles = clip_titles(clips)
    box(
        label,
        names,
        format_func=lambda name: titles.get(name, name),
        key=shown,
        on_change=lambda: want(key, state[shown]),
        disabled=disabled,
    )
    return name


def say_gone(wanted: str, shown: str) -> None:
    """Say that what an address names is not there."""
    st.warning(
        f"This link names {plain(wanted)}, which is not on this computer; showing {plain(shown)}."
    )
