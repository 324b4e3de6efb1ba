"""A tour of the pages on a first visit: each step moves to what it speaks of, and outlines it."""

from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from srnn_lab.analysis.inspection import NEAR, Inspection
from srnn_lab.dashboard.address import PLAYER, around, frames_inside
from srnn_lab.dashboard.cache import cached_inspection
from srnn_lab.dashboard.visit import remember, visit
from srnn_lab.dashboard.words import number
from srnn_lab.pictures.scene import spacing
from srnn_lab.player.component import jump, place_of

COOKIE = "srnn_lab_tour"
LINKED = {"place", "zoom", "sound", "continue"}
FIRST = "Explore"
"""The page on which a first visitor is offered the tour."""


class Step(NamedTuple):
    """A step of the tour.

    Attributes:
        page: Title of the page that it is about.
        target: What it speaks of, as CSS selectors; the page moves to the first that it has.
        title: What to do.
        text: What one sees then.
    """

    page: str
    target: str
    title: str
    text: str


SPIKE = 1
"""The step that shows a spike."""
STEPS = (
    Step(
        FIRST,
        ".st-key-player",
        "Press play",
        "The rows show one clip and what the model makes of it, on one time axis; the playhead "
        "runs through all of them. Click anywhere to jump there.",
    ),
    Step(
        FIRST,
        ".st-key-player",
        "Find a surprise",
        "The KL row shows how far the clip moved the model's belief away from its own prediction. "
        "Drag over a spike, press *Loop*, and listen to what was unexpected.",
    ),
    Step(
        FIRST,
        ".st-key-player",
        "Hear what the model believes",
        "Switch between the original, its reconstruction, a sample from the posterior and a "
        "continuation from the prior while it plays. The position and the loudness stay the same.",
    ),
    Step(
        FIRST,
        "#one-frame, .st-key-latents",
        "Ask one frame",
        "Here are the prior and the posterior of every latent dimension at the chosen frame: "
        "which of them moved, and by how many standard deviations? Below, a selection finds the "
        "stretches of other clips that are most like it.",
    ),
    Step(
        FIRST,
        "#spikes, .st-key-events",
        "Check it and share it",
        "The list compares the spikes with onsets or chord changes, and with what chance would "
        "give. Select a row to jump to it. The address of this page is a link to exactly what you "
        "see.",
    ),
    Step(
        "Compare",
        ".st-key-compare-player",
        "Ask another model",
        "The same clip, and the KL of two models. Circles mark where they differ most; the "
        "buttons at the top set ready pairs side by side, such as smoothing and filtering.",
    ),
    Step(
        "Latents",
        ".st-key-latents-player",
        "Take z away",
        "Between the dotted lines z is replaced, and what is generated without its news can be "
        "seen and heard. What is missing then is what z carried.",
    ),
    Step(
        "Steer",
        ".st-key-steer-player",
        "Push z",
        "Here z is moved along a direction: one dimension, the way from one selection to another, "
        "or towards a phone. Move α and listen; a morph leads from one clip to another.",
    ),
    Step(
        "Clips",
        "#moments",
        "Look at all clips",
        "One clip may be an accident. These are the moments of all clips at which the KL is "
        "largest; choose a dimension of z instead, and hear what makes it move.",
    ),
    Step(
        "Map",
        ".st-key-map",
        "Walk through z",
        "Each point is a frame, and frames that the model finds alike lie together. Click on a "
        "point to hear it; colour them by phone, by bass note or by clip.",
    ),
    Step(
        "Studio",
        ".st-key-studio-player",
        "Let it compose",
        "A music model hears the first bars and goes on alone; each take draws other notes. "
        "Change the temperature, listen, and save a take as MIDI. *Redraw a stretch* composes "
        "bars in the middle, so that both ends fit.",
    ),
    Step(
        "Train",
        ".st-key-recipe, #runs",
        "Train one of your own",
        "Choose what to train on, a bundled data set or your own folder, and press *Start*. The "
        "curves follow below, and the finished model is listed on all pages. This is the end of "
        "the tour.",
    ),
)

_REMEMBER = component(
    "srnn_tour", js="export default ({ data }) => { document.cookie = data.cookie; }"
)
_MOVE = component(
    "srnn_tour_target",
    js="""
// Bring what a step speaks of into view, once, while the page around it still grows; whoever
// scrolls has the say.
const HIGHEST = 60; // pixels of the page's header
export default ({ data }) => {
  if (window.srnnTour === data.step) return;
  window.srnnTour = data.step;
  const end = performance.now() + 10_000;
  let touched = false;
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    window.addEventListener(kind, () => (touched = true), { once: true, passive: true });
  }
  const look = () => {
    if (touched || window.srnnTour !== data.step || performance.now() > end) return;
    const top = document.querySelector(data.target)?.getBoundingClientRect().top;
    if (top < HIGHEST || top > innerHeight / 3)
      document.querySelector(data.target).scrollIntoView();
    setTimeout(look, 250);
  };
  look();
};
""",
)
_STYLE = """<style>
{target} {{
  outline: 3px solid #0072b2; outline-offset: 4px; border-radius: 4px; scroll-margin-top: 4.5rem;
}}
:is(h2, h3):is({target}) {{ padding-bottom: 0.25rem; margin-bottom: 0.75rem; }}
.st-key-tour {{
  position: fixed; bottom: 0.75rem; right: 0.75rem; z-index: 1000;
  width: min(60rem, calc(100vw - 1.5rem));
  padding: 0.75rem 1rem; gap: 0.5rem; border: 2px solid #0072b2; border-radius: 0.5rem;
  background: {background};
}}
[data-testid="stMainBlockContainer"] {{ padding-bottom: 16rem; }}
</style>"""
"""What is spoken of has an outline, and the step stays in view below it."""


def show_tour(page: str) -> None:
    """The current step, if it is a first visit that follows no link, or if the tour was asked for.

    It begins with a sound, and so it is not offered beside a table.

    Args:
        page: Title of the page that is shown.
    """
    choice = visit().choice
    heard = choice is None or choice.checkpoint.config.data.kind.heard
    if page == FIRST and heard and not visit().tour_offered:
        known = st.context.cookies.get(COOKIE) == "seen"
        remember(tour_offered=True, tour=None if known or LINKED & set(st.query_params) else 0)
    st.sidebar.button(
        "Take the tour", on_click=_go, args=(0,), icon=":material/explore:", key="tour-again"
    )
    number_of = visit().tour
    if number_of is None:
        if visit().tour_closed:
            remember(tour_closed=False)  # each mounting takes a browser 50 ms
            _REMEMBER(
                data={"cookie": f"{COOKIE}=seen; path=/; max-age=31536000; SameSite=Lax"},
                key="tour-seen",
            )
        return
    step = STEPS[number_of]
    if visit().tour_moves and step.page != page:
        remember(tour_moves=False)
        st.switch_page(_page_called(step.page), query_params={})  # None asks widgets for theirs
    remember(tour_moves=False)
    dark = st.context.theme.type == "dark"
    st.html(_STYLE.format(target=step.target, background="#1a1c24" if dark else "#ffffff"))
    with st.container(key="tour"):
        st.markdown(
            f"**{number_of + 1} of {len(STEPS)}: {step.title}.** {step.text}{_told(number_of)}"
        )
        with st.container(horizontal=True):
            st.button(
                "Back",
                on_click=_move,
                args=(-1,),
                disabled=number_of == 0,
                key="tour-back",
            )
            if step.page != page:
                st.button(f"Open {step.page}", on_click=_go, args=(number_of,), key="tour-open")
            if number_of == SPIKE and step.page == page:
                st.button("Show me", on_click=_show_spike, key="tour-show")
            if number_of < len(STEPS) - 1:
                st.button("Next", on_click=_move, args=(1,), type="primary", key="tour-next")
            st.button("Close the tour", on_click=_go, args=(None,), key="tour-close")
        _MOVE(data={"step": number_of, "target": step.target}, key="tour-moves")


def _go(step: int | None) -> None:
    remember(tour=step, tour_closed=step is None, tour_moves=True)


def _move(by: int) -> None:
    """Go on from the step of now: a second click may come before the page has its new step."""
    if (step := visit().tour) is not None:
        _go(min(max(step + by, 0), len(STEPS) - 1))


def _page_called(title: str) -> st.Page:
    return next(page for page in visit().pages.values() if page.title == title)


def audible_spike(clip: Inspection, signal: np.ndarray, rate: float | int) -> int:
    """The frame with the largest KL of those that are heard well.

    Around these the level is within 6 dB of the clip's.

    Args:
        clip: What the model makes of the signal.
        signal: The clip, over time.
        rate: Samples, or frames of music, in one unit of ``clip.times``.

    Returns:
        The frame; if none is heard well, that of the largest spike.
    """
    power = np.square(signal, dtype=float).reshape(len(signal), -1).mean(1)
    total = np.append(0, power.cumsum())
    half = (3 * NEAR + 0.5) * spacing(clip.times)  # as ``around`` selects
    start, end = (
        np.clip(np.round((clip.times + side) * rate).astype(int), 0, len(power))
        for side in (-half, half)
    )
    level = (total[end] - total[start]) / np.maximum(1, end - start)
    heard = (level >= power.mean() / 4) & ~clip.left_out
    return int(np.where(heard, clip.kl, -np.inf).argmax()) if heard.any() else clip.largest_spike


def _show_spike() -> None:
    if choice := visit().choice:
        clip = cached_inspection(*choice)
        spike = audible_spike(clip, choice.signal, choice.checkpoint.config.data.rate)
        jump(PLAYER, around(clip, spike))


def _told(step: int) -> str:
    """At the step of the spike, the KL of what is selected against that of the clip."""
    choice, place = visit().choice, place_of(PLAYER)
    if step != SPIKE or choice is None or place is None:
        return ""
    clip = cached_inspection(*choice)
    inside = frames_inside(clip.times, place)
    if not len(inside):
        return ""
    return (
        f" The KL of the selection is **{number(clip.kl[inside].mean())}** nats a frame, that of "
        f"the whole clip {number(clip.kl.mean())}."
    )
