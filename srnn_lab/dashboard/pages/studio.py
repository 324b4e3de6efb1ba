"""The studio: a music model goes on from a few bars, or redraws some, in several takes.

They are seen, heard and saved.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.analysis.novelty import Copied, longest_copied
from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.panels.keep import keep, scene_files, stem_of
from srnn_lab.dashboard.panels.rows_panel import RowsPanel
from srnn_lab.dashboard.panels.sounds import ORIGINAL, play
from srnn_lab.dashboard.panels.stretch import EDGE, choose_stretch, framed_length
from srnn_lab.dashboard.panels.takes import (
    CONTINUE,
    HOTTEST,
    MOST_BARS,
    REDRAW,
    Take,
    choose_kept,
    choose_takes,
    follow_older_link,
    kept_takes,
    numbered,
    take_of,
)
from srnn_lab.dashboard.panels.voice_leading import show_voice_leading
from srnn_lab.dashboard.words import explain, plain
from srnn_lab.data.midi import Timing
from srnn_lab.data.music import songs_at_hand
from srnn_lab.data.sound import midi_to_wav, roll_to_midi
from srnn_lab.inference.infilling import PARTICLES
from srnn_lab.pictures.clip_rows import octave_ticks, pitch_range
from srnn_lab.pictures.colours import KL, SIGNAL
from srnn_lab.pictures.scene import Picture

PLAYER = "studio-player"
FAINTEST = 0.15
"""Opacity of a note that sounds although the model had ruled it out."""
NOTES = [
    f"{KL}{round(255 * -p):02x}" if p <= 0 else f"{SIGNAL}{round(255 * max(p, FAINTEST)):02x}"
    for p in np.linspace(-1, 1, 255)
]
"""From -1, orange, for -p(note) of a note that is silent, to 1, blue, for p(note) of one that
sounds."""
SIGNED = "p(note), negative where it is silent"
ENDS = "p(note): 1, silent", "1, sounding"
"""What the ends of the colours are; in the middle p(note) is 0."""


def show(choice: Choice) -> None:
    """The page."""
    pages = {CONTINUE: show_continued, REDRAW: show_redrawn}
    task = st.segmented_control(
        "Task", list(pages), default=CONTINUE, required=True, key="task", bind="query-params"
    )
    pages[task](choice)


def show_redrawn(choice: Choice) -> None:
    """A stretch of the clip, drawn anew between what comes before it and after it."""
    st.caption(
        f"The model draws a stretch of the clip anew, so that both ends fit. It draws {PARTICLES} "
        "fillings from what comes before, goes on from each through what really comes after, and "
        "chooses one by its weight. All takes have different seeds. Those that you keep stay "
        "while you draw others."
    )
    data, timing = choice.checkpoint.config.data, choice.timing
    panel = RowsPanel(PLAYER, choice, length := framed_length(choice))
    bars = np.append(timing.bars(length), length)
    third_and_fourth = (float(bars[2]), float(bars[4])) if len(bars) > 4 else None
    stretch = choose_stretch(
        st.container(), panel, "redrawn", "Redraw", "the notes stay", third_and_fourth
    )
    left, right = st.columns(2)
    seeds = choose_takes(left, right)
    # The first frame of a clip is only an input where the model does not score it.
    start, stop = (round(time * data.frames_per_quarter) for time in stretch)
    start = max(start, choice.checkpoint.config.evaluation.unscored)
    if start >= stop:
        st.info("This range contains no frame that the model can draw; make it longer.")
        return
    kept = kept_takes(choice, REDRAW)
    takes = numbered((Take(seed, start, stop) for seed in seeds), kept)
    text = "Redrawing …"
    bar = st.progress(0.0, text)
    for i, take in enumerate(takes.values()):
        take.draw(choice)
        bar.progress((i + 1) / len(takes), text)
    bar.empty()
    show_takes(panel, takes, kept, seeds, (start, stop), timing, clip=choice.signal)


def show_continued(choice: Choice) -> None:
    """What the model composes after the opening bars of the clip."""
    st.caption(
        "The model hears the opening bars, infers the latent state at their end, and composes "
        "from there: z from its prior, notes from p(note), each frame fed back as the next input. "
        "All takes start alike and have different seeds: Take 1 has the first seed, and each "
        "further take the next. Those that you keep stay while you draw others."
    )
    per_quarter = choice.checkpoint.config.data.frames_per_quarter
    left, middle, right = st.columns(3)
    start, stop = choose_prefix(choice, left, middle)
    above = right.container()
    st.caption(f"{plain(choice.name)} is in {choice.timing}.")
    left, middle, right = st.columns(3)
    bars = left.slider("Bars to compose", 1, MOST_BARS, 6, key="bars", bind="query-params")
    temperature = middle.slider(
        "Temperature", 0.0, HOTTEST, 1.0, 0.05, key="temperature", bind="query-params"
    )
    seeds = choose_takes(above, right)
    follow_older_link(seeds[0])
    timing = Take(seeds[0], start, stop, 1).timing(choice)
    steps = max(1, round(bars * timing.signatures[-1].quarters * per_quarter))
    kept = kept_takes(choice, CONTINUE)
    takes = numbered((Take(seed, start, stop, steps, temperature) for seed in seeds), kept)
    given = stop - start
    panel = RowsPanel(PLAYER, choice, max(take.part[1] for take in takes.values()) / per_quarter)
    if temperature == 0 and len(seeds) > 1:
        st.info("At temperature 0 nothing is random: every seed gives the same take.")
    show_takes(panel, takes, kept, seeds, (given, given + steps), timing)


def choose_prefix(choice: Choice, left: DeltaGenerator, right: DeltaGenerator) -> tuple[int, int]:
    """The bars of the clip that are given: their first frame, and the one after the last."""
    per_quarter = choice.checkpoint.config.data.frames_per_quarter
    whole = len(choice.signal) / per_quarter
    bars = choice.timing.bars(whole)
    length, edges = len(bars), np.append(bars, whole)
    key = owned("prime", length)
    given = left.slider(
        "Prompt length (bars)",
        0,
        min(MOST_BARS, length),
        min(2, length),
        key=key,
        bind="query-params",
    )
    first = right.number_input(
        "From bar", 1, length, 1, key="from", bind="query-params", disabled=not given
    )
    if not given:
        return 0, 0
    start, stop = edges[int(first) - 1], edges[min(int(first) - 1 + given, length)]
    return round(start * per_quarter), round(stop * per_quarter)


def show_takes(
    panel: RowsPanel,
    takes: Mapping[int, Take],
    kept: Mapping[int, Take],
    seeds: range,
    part: tuple[int, int],
    timing: Timing,
    clip: np.ndarray | None = None,
) -> None:
    """All takes below each other, with their sounds and files.

    Args:
        panel: What they are shown in.
        takes: All that are shown, by number.
        kept: Those of them that stay while others are drawn.
        seeds: Of the others, and of those kept that the page would draw now.
        part: The frames that are drawn now: the first, and the one after the last.
        timing: The tempo and metre of what is drawn now.
        clip: The notes that are redrawn, which are shown above the takes.
    """
    drawn = {take_of(number): take.draw(panel.choice) for number, take in takes.items()}
    of_name = {take_of(number): take for number, take in takes.items()}
    # What the rows show: the notes and p(note), over the pitches that occur.
    checkpoint = panel.choice.checkpoint
    per_quarter, tempo = checkpoint.config.data.frames_per_quarter, timing.tempo
    if not any(roll.any() for roll, _ in drawn.values()):
        st.info("Nothing sounds in these takes; choose another seed or a higher temperature.")
        choose_kept(panel.choice, takes, kept, seeds)
        return
    rows_of = ({} if clip is None else {ORIGINAL: (clip, clip)}) | drawn
    rolls = [roll for roll, _ in rows_of.values()]
    pitches = pitch_range(*rolls)
    octaves, shown = octave_ticks(pitches), slice(*pitches)
    times = checkpoint.frontend.times(longest := max(map(len, rolls)))
    rows = [
        Picture(
            name,
            SIGNED,
            times,
            np.pad(np.where(roll > 0, p, -p)[:, shown], ((0, longest - len(roll)), (0, 0))),
            NOTES,
            octaves,
            (-1.0, 1.0),
            "pitch",
            ENDS,
        )
        for name, (roll, p) in rows_of.items()
    ]
    # The rows, and the sounds of those that have notes.
    heard = {name: roll for name, (roll, _) in rows_of.items() if roll.any()}
    wanted = {
        name: ((roll.tobytes(), per_quarter, tempo), partial(play, roll, per_quarter, tempo))
        for name, roll in heard.items()
    }
    panel.draw(
        rows,
        times,
        f"{len(rows)} piano rolls over bars, one for each take; outside of the frames "
        f"from {part[0]} to {part[1]} they are the same. Notes that sound are blue, silent ones "
        "that might have sounded orange.",
        wanted,
        end=None,
        seconds=60 / tempo,
        bars=timing.beats(len(times) / per_quarter),
        marks=np.array([at / per_quarter for at in part if 0 < at < len(times)]),
        mark_name="continuation starts" if clip is None else EDGE,
        all_at_once=True,
    )
    choose_kept(panel.choice, takes, kept, seeds)
    parts = {name: roll[slice(*of_name[name].part)] for name, (roll, _) in drawn.items()}
    show_novelty(panel.choice, parts, of_name)
    show_voice_leading(panel.choice, parts)
    if clip is None:
        explain_continuation()
    else:
        explain_redrawing()
    # The files of all takes, and MIDI and WAV of one.
    arrays = {
        f"{kind} {name}".replace(" ", "_"): values
        for name, take in drawn.items()
        for kind, values in zip(("notes", "p"), take, strict=True)
    }
    savable = [name for name in drawn if name in heard]
    name = st.segmented_control(
        "Take to save",
        savable,
        default=savable[0],
        required=True,
        key="keep",
        bind="query-params",
    )
    midi = partial(roll_to_midi, heard[name], per_quarter, of_name[name].timing(panel.choice))
    keep(
        f"{stem_of(panel.choice)}, {'continued' if clip is None else 'redrawn'}",
        {
            "MIDI": (midi, f"{name}.mid"),
            "WAV": (lambda: midi_to_wav(midi()), f"{name}.wav"),
            **scene_files(
                f"Takes of {', '.join(drawn)}", panel.scene, panel.sounds, PLAYER, arrays
            ),
        },
        "Player, picture and arrays contain all takes.",
    )
    panel.make_missing_sounds()


def explain_redrawing() -> None:
    """How to read takes of a stretch that is redrawn."""
    explain(
        "How is a stretch drawn so that both ends fit?",
        "A particle filter: before the stretch z is drawn from the posterior; in it z is drawn "
        "from the prior and the notes from p(note); after it z is drawn from the posterior again, "
        "and each filling gains weight by how well the model foresees, from it, the notes that "
        "really come. One is kept, by its weight. The more fillings there are, the nearer a take "
        "is to a draw from p(stretch | all other notes); here there are "
        f"{PARTICLES}.\n\n**Colours**: as in a continuation; p(note) is that of the take's own "
        "path, and outside of the dotted lines all notes are those of the clip.\n\n**Look for**: "
        "the last chords of the stretch. A continuation may end anywhere; here they lead on to "
        "what comes.",
        r"w^{(k)} = \prod_{t\ \text{after it}} \frac{p(x_t \mid z_t, d_t)\, "
        r"p(z_t \mid z_{t-1}, d_t)}{q(z_t \mid z_{t-1}, a_t)}",
        {
            "02_generative_model#Ancestral sampling": "draws from the model step by step",
            "09_music#Sampling": "listens",
        },
    )


def explain_continuation() -> None:
    """How to read takes of a continuation."""
    explain(
        "What do the colours mean, and the temperature?",
        "**Blue**: notes that sound; their opacity is p(note), the probability that the model "
        "gave them just before they were drawn (the prompt is fully opaque). A faint blue note is "
        "a surprise. **Orange**: notes that stayed silent; the stronger the colour, the likelier "
        "they were. The continuation starts at the dotted line. A column is a frame. Bars and "
        "tempo are those of the file, a pickup counts as bar 1, and the continuation has the "
        "metre of the last bar of the prompt; without a prompt, 4/4 at 90 quarter notes a minute. "
        "If the tempo changes, the median is used.\n\n**Temperature** τ multiplies the standard "
        "deviation of z, under the prior and under the posterior of the prompt, and divides the "
        "logits of the notes; p(note) is shown as the model has it, at τ = 1. At 0 the likeliest "
        "notes follow from the mean of z: expect one held chord. Above 1 the harmony "
        "dissolves.\n\n**Look for**: takes that agree at first and differ later (where orange and "
        "blue are both strong, the music could have gone either way); chords that arrive "
        "together, which the notes' independence given z forces the latent state to arrange.\n\n"
        "**Copied** is the longest run of frames after the prompt that a song of the training set "
        "has too, note for note, in any key; it begins and ends with a sound. Held chords count "
        "with their length, so that a few beats are no sign of memory.",
        r"z_t \sim \mathcal{N}\big(\mu_p(z_{t-1}, d_t),\ \tau^2 v_p(z_{t-1}, d_t)\big), \qquad "
        r"x_{t,i} \sim \mathrm{Bernoulli}\big(\sigma(\ell_i(z_t, d_t) / \tau)\big), \qquad "
        r"u_{t+1} = x_t",
        {
            "02_generative_model#Ancestral sampling": "draws from the model step by step",
            "09_music#Sampling": "listens",
        },
    )


@st.cache_data(max_entries=64, show_spinner="Looking for copies …")
def cached_copied(data: str, data_dir: str, part: np.ndarray) -> Copied | str | None:
    """The longest stretch that a training song has too, None, or why that is not known."""
    songs = songs_at_hand(data, "train", Path(data_dir) if data_dir else None)
    if songs is None:
        return (
            "The training songs are not on this computer, so it is not known what is copied from "
            "them."
        )
    return longest_copied(part > 0, songs)


def show_novelty(choice: Choice, parts: dict[str, np.ndarray], takes: Mapping[str, Take]) -> None:
    """What of each take a training song has too.

    Args:
        choice: The model.
        parts: By name, what was drawn.
        takes: By name, the takes.
    """
    data, told = choice.checkpoint.config.data, []
    for name, part in parts.items():
        found = cached_copied(data.data, os.environ.get("SRNN_LAB_DATA", ""), part)
        if isinstance(found, str):
            st.caption(found)
            return
        begin, timing = takes[name].part[0] / data.frames_per_quarter, takes[name].timing(choice)
        words = copied_in_words(found, timing, begin, len(part), data.frames_per_quarter)
        told.append(f"{name}: {words}")
    st.caption(f"Longest stretch copied from the training songs, in any key. {' '.join(told)}")


def copied_in_words(
    found: Copied | None, timing: Timing, begin: float, frames: int, per_quarter: int
) -> str:
    """A stretch that was found, as a phrase.

    Args:
        found: The stretch.
        timing: The metre of the take.
        begin: Where the part begins in which it was found, in quarter notes.
        frames: Of that part.
        per_quarter: Frames in a quarter note.

    Returns:
        How long it is, where it begins and whose it is.
    """
    if found is None:
        return "none."
    semitones, side = abs(found.semitones), "higher" if found.semitones > 0 else "lower"
    key = f", there {semitones} semitone{'s' * (semitones > 1)} {side}" if semitones else ""
    start = begin + found.start / per_quarter
    return (
        f"{timing.length(found.frames / per_quarter, start)} of "
        f"{timing.length(frames / per_quarter, begin)}, from {timing.moment(start)} on "
        f"({plain(found.song)}{key})."
    )
