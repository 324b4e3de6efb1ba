"""Takes of a music model: what decides one, which of them are shown, and which are kept."""

import re
from collections.abc import Iterable, Mapping
from itertools import count
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.dashboard.address import share
from srnn_lab.dashboard.cache import Choice, cache_data, cached_checkpoint
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.visit import remember, visit, went_through_history
from srnn_lab.data.midi import Timing
from srnn_lab.data.sound import DEFAULT_TIMING
from srnn_lab.inference.infilling import infill_frames
from srnn_lab.inference.sampling import continue_frames

CONTINUE, REDRAW = "Continue the opening", "Redraw a stretch"
MOST_BARS, MOST_SEED, MOST_TAKES, HOTTEST = 32, 9999, 4, 2.0
"""Bars that are given or composed, first seed, takes that are drawn and temperature: the most."""
MOST_KEPT = 8
"""Takes that are kept at the most."""


@st.cache_data(max_entries=64, show_spinner="Drawing from the model …")
def cached_draw(
    path: str, modified: float, steps: int, seed: int, temperature: float, prefix: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """A piano roll that the model draws, after its prefix if there is one.

    Returns:
        The roll (T, 88), where T counts the prefix and ``steps``, and p(note) for each of its
        values, from 0 to 1. The notes of the prefix have p(note) 1, since they are given.
    """
    checkpoint = cached_checkpoint(path, modified)
    return continue_frames(checkpoint, prefix, steps, temperature=temperature, seed=seed)


@cache_data(max_entries=64, show_spinner=False)
def cached_infilled(
    path: str,
    modified: float,
    content: ClipBytes,
    name: str,
    semitones: int,
    start: int,
    stop: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """A clip with the frames from ``start`` to ``stop`` drawn anew, and p(note), as above."""
    clip = Choice(path, modified, content, name, semitones)
    return infill_frames(clip.checkpoint, clip.signal, start, stop, seed=seed)


class Take(NamedTuple):
    """What decides a take, beside the model and the clip; few enough numbers for an address.

    Attributes:
        seed: Of the draw.
        start: The first frame of the clip that is given or, without ``steps``, redrawn.
        stop: The frame after the last of these.
        steps: Frames that are composed after what is given.
        temperature: At which they are.
    """

    seed: int
    start: int
    stop: int
    steps: int = 0
    temperature: float = 1.0

    @property
    def part(self) -> tuple[int, int]:
        """The frames of the take that are drawn: the first, and the one after the last."""
        given = self.stop - self.start
        return (given, given + self.steps) if self.steps else (self.start, self.stop)

    def draw(self, choice: Choice) -> tuple[np.ndarray, np.ndarray]:
        """The notes and p(note), as ``cached_draw`` gives them."""
        if not self.steps:
            return cached_infilled(*choice, self.start, self.stop, self.seed)
        prefix = choice.signal[self.start : self.stop] if self.stop > self.start else None
        return cached_draw(
            choice.path, choice.modified, self.steps, self.seed, self.temperature, prefix
        )

    def timing(self, choice: Choice) -> Timing:
        """The tempo and metre of the take; without anything given, those of no file."""
        if not self.steps:
            return choice.timing
        if self.start == self.stop:
            return DEFAULT_TIMING
        per_quarter = choice.checkpoint.config.data.frames_per_quarter
        return choice.timing.part(self.start / per_quarter, self.stop / per_quarter)


def choose_takes(left: DeltaGenerator, right: DeltaGenerator) -> range:
    """Ask for the first seed and for the number of takes.

    Returns:
        Their seeds.
    """
    seed = int(left.number_input("First seed", 0, MOST_SEED, 0, key="seed", bind="query-params"))
    takes = right.segmented_control(
        "Takes",
        [*range(1, MOST_TAKES + 1)],
        default=2,
        required=True,
        key="takes",
        bind="query-params",
        width="stretch",
    )
    return range(seed, seed + takes)


def numbered(drawn: Iterable[Take], kept: Mapping[int, Take]) -> dict[int, Take]:
    """Takes by number: those that are kept have theirs, and the drawn ones fill the gaps."""
    free = (number for number in count(1) if number not in kept)
    others = {next(free): take for take in drawn if take not in kept.values()}
    return dict(sorted({**kept, **others}.items()))


def kept_takes(choice: Choice, task: str) -> Mapping[int, Take]:
    """The takes that are kept of a clip and a model, by number; at first those of the address."""
    if visit().kept is None or went_through_history():
        remember_kept(choice, task, parse_kept(st.query_params.get("kept", ""), choice, task))
    return (visit().kept or {}).get((choice, task), {})


def remember_kept(choice: Choice, task: str, kept: Mapping[int, Take]) -> None:
    """Keep these takes, by number, of a clip and a model."""
    found = {**(visit().kept or {}), (choice, task): kept}
    remember(kept={what: takes for what, takes in found.items() if takes})


def parse_kept(text: str, choice: Choice, task: str) -> dict[int, Take]:
    """The takes that an address names, without those that the page could not have drawn."""
    data, found = choice.checkpoint.config.data, {}
    bar = max(signature.quarters for signature in choice.timing.signatures)
    most_steps = round(MOST_BARS * bar * data.frames_per_quarter)
    first = choice.checkpoint.config.evaluation.unscored if task == REDRAW else 0
    for one in text.split(";")[:MOST_KEPT]:
        try:
            *whole, temperature = one.split(",")
            number, seed, start, stop, steps = map(int, whole)
            take = Take(seed, start, stop, steps, float(temperature))
        except ValueError:
            continue
        if (
            0 < number < 100
            and 0 <= seed < MOST_SEED + MOST_TAKES
            and first <= start <= stop <= len(choice.signal)
            and (steps == 0 and start < stop if task == REDRAW else 0 < steps <= most_steps)
            and 0 <= take.temperature <= HOTTEST
        ):
            found[number] = take
    return found


def choose_kept(
    choice: Choice, takes: Mapping[int, Take], kept: Mapping[int, Take], seeds: range
) -> None:
    """Ask which takes stay while others are drawn, and offer to draw others.

    Args:
        choice: The model and the clip.
        takes: All that are shown, by number.
        kept: Those of them that stay.
        seeds: Of the takes that the page asks for.
    """
    state, task = st.session_state, st.session_state["task"]
    share("kept", ";".join(",".join(map(str, (number, *take))) for number, take in kept.items()))
    state["kept-takes"] = [*kept]

    def keep_chosen() -> None:
        first_kept = sorted(state["kept-takes"], key=lambda number: number not in kept)
        stay = sorted(first_kept[:MOST_KEPT])
        remember_kept(choice, task, {number: takes[number] for number in stay})

    def draw_others() -> None:
        state["seed"] = seeds.stop if seeds.stop <= MOST_SEED else 0

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.pills(
            "Keep while others are drawn",
            [*takes],
            selection_mode="multi",
            format_func=lambda number: f"Keep {take_of(number)}",
            key="kept-takes",
            on_change=keep_chosen,
            help=f"Kept takes stay with their numbers, whatever is drawn beside them; at most "
            f"{MOST_KEPT}.",
        )
        st.button("Draw others", on_click=draw_others, help="With the next seeds.")


def take_of(number: int) -> str:
    """What the take of a number is called."""
    return f"Take {number}"


def follow_older_link(first: int) -> None:
    """Older addresses name a take by its seed."""
    for name in ("sound", "keep"):
        if older := re.fullmatch(r"seed (\d{1,5})", st.query_params.get(name, "")):
            st.session_state[name] = st.query_params[name] = take_of(int(older[1]) - first + 1)
