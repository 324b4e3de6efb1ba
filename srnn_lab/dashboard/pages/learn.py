"""The notebooks, read from files: the paper section by section, with buttons for its views."""

import re
from collections.abc import Mapping
from functools import partial

import streamlit as st

from srnn_lab.dashboard.linked import choose_linked
from srnn_lab.dashboard.panels.lessons import address_of
from srnn_lab.dashboard.visit import remember, visit, want
from srnn_lab.dashboard.words import plain
from srnn_lab.site.notebooks import (
    SERVER,
    Code,
    Notebook,
    Part,
    Picture,
    Printed,
    Section,
    Sound,
    Text,
    View,
    notebooks,
    search,
)

CONTENTS = "Contents"
LINKED = ("checkpoint", "prompt", "clip")
"""What all pages keep in their addresses, whose boxes stand at the side."""
MOST_FOUND = 12
"""Sections that a search lists."""


def show() -> None:
    """The page."""
    st.caption(
        "The paper, equation by equation. These are the notebooks of the folder `notebooks`, as "
        "they are stored: nothing in them is run here. Open one in JupyterLab to change it."
    )
    found = notebooks()
    if not found:
        st.info(
            "The notebooks are not installed: they are part of the repository, not of the "
            "package. Start the dashboard in a copy of the repository to read them here."
        )
        return
    titles = {notebook.title: notebook for notebook in found.values()}
    left, middle, right = st.columns(3)
    title = choose_linked(left.selectbox, "Notebook", [CONTENTS, *titles], "notebook")
    words = right.text_input(
        "Search all sections", key="search", placeholder="such as: importance weights"
    )
    if title == CONTENTS:
        middle.empty()
        show_found(found, words)
        show_contents(found)
        return
    notebook = titles[title]
    names = [section.name for section in notebook.sections]
    elsewhere = {section.name for other in found.values() for section in other.sections}
    name = choose_linked(middle.selectbox, "Section", names, "section", known=elsewhere)
    show_found(found, words)
    show_section(notebook, names.index(name))


def go_to(notebook: Notebook, section: Section) -> None:
    """Open a section, and close the list of what was found."""
    want("notebook", notebook.title)
    want("section", section.name)
    st.session_state["search"] = ""


def show_found(found: Mapping[str, Notebook], words: str) -> None:
    """The sections in which all words of a search occur."""
    if not words.strip():
        return
    hits = search(found, words)
    with st.container(border=True):
        many = f"the first {MOST_FOUND} are listed" if len(hits) > MOST_FOUND else "all are listed"
        st.caption(
            f"{len(hits)} sections have all of these words; {many}."
            if hits
            else "No section has these words."
        )
        for i, (notebook, section, around) in enumerate(hits[:MOST_FOUND]):
            label = (
                f"{notebook.title}: {section.name}"
                if section.name != notebook.title
                else notebook.title
            )
            st.button(
                plain(label),
                on_click=go_to,
                args=(notebook, section),
                type="tertiary",
                key=f"found-{i}",
            )
            st.caption(plain(around))


def show_contents(found: Mapping[str, Notebook]) -> None:
    """All notebooks and their sections."""
    for notebook in found.values():
        with st.expander(plain(notebook.title)):
            for section in notebook.sections:
                name = "Before you begin" if section is notebook.sections[0] else section.name
                key = f"{notebook.file} {section.name}"
                st.button(
                    plain(name), on_click=go_to, args=(notebook, section), type="tertiary", key=key
                )


def show_section(notebook: Notebook, index: int) -> None:
    """A section, the views that it speaks of, and the way to the next."""
    section = notebook.sections[index]
    st.subheader(section.heading)
    if not notebook.executed:
        st.caption(
            "This notebook was saved without what its code draws and prints; run it in JupyterLab "
            "to see that."
        )
    for part in section.parts:
        show_part(part)
    if section.views:
        with st.container(horizontal=True):
            for i, view in enumerate(section.views):
                if st.button(label_of(view), icon=":material/open_in_full:", key=f"view-{i}"):
                    open_view(view)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for step, word in ((-1, "Previous"), (1, "Next")):
            other = index + step
            beside = notebook.sections[other] if 0 <= other < len(notebook.sections) else None
            label = f"{word}: {plain(beside.name)}" if beside else word
            act = partial(go_to, notebook, beside) if beside else None
            st.button(
                label, on_click=act, disabled=beside is None, type="tertiary", key=f"step-{word}"
            )


def show_part(part: Part) -> None:
    """Text, code folded away, or what the code had drawn, printed or played when it was saved."""
    match part:
        case Text(markdown):
            st.markdown(for_page(markdown))
        case Code(source, solution):
            lines = source.count("\n") + 1
            with st.expander("Solution" if solution else f"Code ({lines} line{'s' * (lines > 1)})"):
                st.code(source, language="python")
        case Printed(text):
            st.code(text, language=None, wrap_lines=True)
        case Picture(content, kind):
            st.image(content.decode() if kind == "image/svg+xml" else content)
        case Sound(content, kind):
            st.audio(content, format=kind)


def for_page(markdown: str) -> str:
    """Markdown of a notebook for this page.

    Displayed formulas get lines of their own, which the page needs. Links to other notebooks and to
    the dashboard lead to its pages; those to other files become plain words.

    Returns:
        Markdown whose formulas and links work on this page.
    """
    titles = {notebook.file: notebook.title for notebook in notebooks().values()}

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if target.startswith(SERVER):
            return f"[{words}](.{target.removeprefix(SERVER)})"
        stem = target.removesuffix(".ipynb")
        return f"[{words}]({address_of(titles[stem])})" if stem in titles else words

    markdown = re.sub(r"\$\$(.+?)\$\$", r"\n\n$$\n\1\n$$\n\n", markdown, flags=re.DOTALL)
    return re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", link, markdown)


def label_of(view: View) -> str:
    """What the button of a view says: its page, and what it shows."""
    page = view.page.replace("-", " ").capitalize() or "Explore"
    named = (
        *("checkpoint", "music", "against", "prompt", "clip"),
        *("table", "sound", "changes", "task", "colour"),
    )
    shown = [view.params[name] for name in named if name in view.params]
    words = [word for one in shown for word in ([one] if isinstance(one, str) else one)]
    return plain(f"{page}: {', '.join(words)}" if words else page)


def open_view(view: View) -> None:
    """Open a page as a link to it does: what the visit chose there gives way to the address."""
    params = dict(view.params)
    for box in (*LINKED, "music"):  # which older addresses call what plays in Studio
        if box in params:
            want("checkpoint" if box == "music" else box, str(params.pop(box)))
    for key in params:
        st.session_state.pop(key, None)
    last = visit()
    remember(wanted={key: name for key, name in last.wanted.items() if key not in params}, shown={})
    st.switch_page(last.pages[view.page], query_params=params)
