"""Five steps through the first page, shown on a first visit."""

from collections.abc import Callable

import streamlit as st
from streamlit.components.v2 import component

from srnn_lab.dashboard.visit import remember, visit

COOKIE = "srnn_lab_tour"
LINKED = {"place", "zoom", "sound", "continue"}
STEPS = (
    (
        "Press play",
        "The rows show one clip and what the model makes of it, on one time axis; the playhead runs through all of "
        "them. Click anywhere to jump there.",
    ),
    (
        "Find a surprise",
        "The KL row shows how far the clip moved the model's belief away from its own prediction. Drag over a "
        "spike, press *Loop*, and listen to what was unexpected.",
    ),
    (
        "Hear what the model believes",
        "Switch between the original, its reconstruction, a sample from the posterior and a continuation from the "
        "prior while it plays. The position and the loudness stay the same.",
    ),
    (
        "Ask one frame",
        "Below the rows are the prior and the posterior of every latent dimension at the chosen frame: which of them "
        "moved, and by how many standard deviations?",
    ),
    (
        "Check it and share it",
        "The list compares the spikes with onsets or chord changes, and with what chance would give. Select a row to "
        "jump to it. The address of this page is a link to exactly what you see.",
    ),
)

_REMEMBER = component("srnn_tour", js="export default ({ data }) => { document.cookie = data.cookie; }")


def show_tour(show_me: Callable[[], None]) -> None:
    """The current step, if it is a first visit that does not follow a link, or if the tour was asked for.

    Args:
        show_me: What the second step's button does: select the largest spike.
    """
    if not visit().tour_offered:
        known = st.context.cookies.get(COOKIE) == "seen"
        remember(tour_offered=True, tour=None if known or LINKED & set(st.query_params) else 0)
    st.sidebar.button("Take the tour", on_click=_go, args=(0,), icon=":material/explore:", key="tour-again")
    step = visit().tour
    if step is None:
        if visit().tour_closed:
            _REMEMBER(data={"cookie": f"{COOKIE}=seen; path=/; max-age=31536000; SameSite=Lax"}, key="tour-seen")
        return
    title, text = STEPS[step]
    with st.container(border=True):
        st.markdown(f"**{step + 1} of {len(STEPS)}: {title}.** {text}")
        with st.container(horizontal=True):
            st.button("Back", on_click=_go, args=(step - 1,), disabled=step == 0, key="tour-back")
            if step == 1:
                st.button("Show me", on_click=show_me, key="tour-show")
            if step < len(STEPS) - 1:
                st.button("Next", on_click=_go, args=(step + 1,), type="primary", key="tour-next")
            st.button("Close the tour", on_click=_go, args=(None,), key="tour-close")


def _go(step: int | None) -> None:
    remember(tour=step, tour_closed=step is None)
