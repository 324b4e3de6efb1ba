"""The studio: a music model goes on from a few bars, or redraws some, in several takes.

They are seen, heard and saved.
"""

import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.analysis.novelty import Copied, longest_copied
from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.cache import Choice, cache_data, cached_checkpoint
from srnn_lab.dashboard.panels.keep import keep, scene_files, stem_of
from srnn_lab.dashboard.panels.rows_panel import RowsPanel
from srnn_lab.dashboard.panels.sounds import ORIGINAL, play
from srnn_lab.dashboard.panels.stretch import choose_stretch, framed_length
from srnn_lab.dashboard.panels.voice_leading import show_voice_leading
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.words import explain, plain
from srnn_lab.data.midi import Timing
from srnn_lab.data.music import songs_at_hand
from srnn_lab.data.sound import DEFAULT_TIMING, midi_to_wav, roll_to_midi
from srnn_lab.inference.infilling import PARTICLES, infill_frames
from srnn_lab.inference.sampling import continue_frames
from srnn_lab.pictures.clip_rows import octave_ticks, pitch_range
from srnn_lab.pictures.colours import KL, SIGNAL
from srnn_lab.pictures.scene import Picture

PLAYER = "studio-player"
CONTINUE, REDRAW = "Continue the opening", "Redraw a stretch"
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
        "keeps one by its weight. All takes have different seeds."
    )
    data, timing = choice.checkpoint.config.data, choice.timing
    panel = RowsPanel(PLAYER, choice, length := framed_length(choice))
    bars = np.append(timing.bars(length), length)
    third_and_fourth = (float(bars[2]), float(bars[4])) if len(bars) > 4 else None
    stretch = choose_stretch(
        st.container(), panel, "redrawn", "Redraw", "the notes stay", third_and_fourth
    )
    left, right = st.columns(2)
    seed, takes = choose_takes(left, right)
    # The first frame of a clip is only an input where the model does not score it.
    start, stop = (round(time * data.frames_per_quarter) for time in stretch)
    start = max(start, choice.checkpoint.config.evaluation.unscored)
    if start >= stop:
        st.info("This range contains no frame that the model can draw; make it longer.")
        return
    drawn, text = {}, "Redrawing …"
    bar = st.progress(0.0, text)
    for i in range(takes):
        drawn[take_of(seed + i, seed)] = cached_infilled(*choice, start, stop, seed + i)
        bar.progress((i + 1) / takes, text)
    bar.empty()
    show_takes(panel, drawn, (start, stop), timing, clip=choice.signal)


def choose_takes(left: DeltaGenerator, right: DeltaGenerator) -> tuple[int, int]:
    """Ask for the first seed and for the number of takes."""
    seed = int(left.number_input("First seed", 0, 9999, 0, key="seed", bind="query-params"))
    takes = right.segmented_control(
        "Takes",
        [1, 2, 3, 4],
        default=2,
        required=True,
        key="takes",
        bind="query-params",
        width="stretch",
    )
    return seed, takes


def show_continued(choice: Choice) -> None:
    """What the model composes after the opening bars of the clip."""
    st.caption(
        "The model hears the opening bars, infers the latent state at their end, and composes "
        "from there: z from its prior, notes from p(note), each frame fed back as the next input. "
        "All takes start alike and have different seeds: Take 1 has the first seed, and each "
        "further take the next."
    )
    per_quarter = choice.checkpoint.config.data.frames_per_quarter
    left, middle, right = st.columns(3)
    prefix, timing = choose_prefix(choice.signal, choice.timing, per_quarter, left, middle)
    above = right.container()
    st.caption(f"{plain(choice.name)} is in {choice.timing}.")
    left, middle, right = st.columns(3)
    bars = left.slider("Bars to compose", 1, 32, 6, key="bars", bind="query-params")
    temperature = middle.slider(
        "Temperature", 0.0, 2.0, 1.0, 0.05, key="temperature", bind="query-params"
    )
    seed, takes = choose_takes(above, right)
    follow_older_link(seed)
    steps = max(1, round(bars * timing.signatures[-1].quarters * per_quarter))
    drawn = {
        take_of(s, seed): cached_draw(choice.path, choice.modified, steps, s, temperature, prefix)
        for s in range(seed, seed + takes)
    }
    given = 0 if prefix is None else len(prefix)
    panel = RowsPanel(PLAYER, choice, (given + steps) / per_quarter)
    if temperature == 0 and takes > 1:
        st.info("At temperature 0 nothing is random: every seed gives the same take.")
    show_takes(panel, drawn, (given, given + steps), timing)


def take_of(seed: int, first: int) -> str:
    """What the take of a seed is called where the takes begin with the first seed."""
    return f"Take {seed - first + 1}"


def follow_older_link(first: int) -> None:
    """Older addresses name a take by its seed."""
    for name in ("sound", "keep"):
        if older := re.fullmatch(r"seed (\d{1,5})", st.query_params.get(name, "")):
            st.session_state[name] = st.query_params[name] = take_of(int(older[1]), first)


def choose_prefix(
    signal: np.ndarray,
    timing: Timing,
    per_quarter: int,
    left: DeltaGenerator,
    right: DeltaGenerator,
) -> tuple[np.ndarray | None, Timing]:
    """The bars of the clip that are given, or None, and the tempo and metre in which they go on."""
    bars = timing.bars(len(signal) / per_quarter)
    length, edges = len(bars), np.append(bars, len(signal) / per_quarter)
    key = owned("prime", length)
    given = left.slider(
        "Prompt length (bars)", 0, min(32, length), min(2, length), key=key, bind="query-params"
    )
    first = right.number_input(
        "From bar", 1, length, 1, key="from", bind="query-params", disabled=not given
    )
    start, stop = edges[int(first) - 1], edges[min(int(first) - 1 + given, length)]
    prefix = signal[round(start * per_quarter) : round(stop * per_quarter)]
    return (prefix, timing.part(start, stop)) if len(prefix) else (None, DEFAULT_TIMING)


def show_takes(
    panel: RowsPanel,
    drawn: dict[str, tuple[np.ndarray, np.ndarray]],
    part: tuple[int, int],
    timing: Timing,
    clip: np.ndarray | None = None,
) -> None:
    """All takes below each other, with their sounds and files.

    Args:
        panel: What they are shown in.
        drawn: By name, the notes of a take and p(note).
        part: The frames that were drawn: the first, and the one after the last.
        timing: Their tempo and metre.
        clip: The notes that are redrawn, which are shown above the takes.
    """
    # What the rows show: the notes and p(note), over the pitches that occur.
    checkpoint = panel.choice.checkpoint
    per_quarter, tempo = checkpoint.config.data.frames_per_quarter, timing.tempo
    if not any(roll.any() for roll, _ in drawn.values()):
        st.info("Nothing sounds in these takes; choose another seed or a higher temperature.")
        return
    rows_of = ({} if clip is None else {ORIGINAL: (clip, clip)}) | drawn
    rolls = [roll for roll, _ in rows_of.values()]
    pitches = pitch_range(*rolls)
    octaves, shown = octave_ticks(pitches), slice(*pitches)
    times = checkpoint.frontend.times(len(rolls[0]))
    rows = [
        Picture(
            name,
            SIGNED,
            times,
            np.where(roll > 0, p, -p)[:, shown],
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
        mark_name="continuation starts" if clip is None else "start or end of the stretch",
        all_at_once=True,
    )
    parts = {name: roll[slice(*part)] for name, (roll, _) in drawn.items()}
    show_novelty(panel.choice, parts, part[0], timing)
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
    midi = partial(roll_to_midi, heard[name], per_quarter, timing)
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


def show_novelty(choice: Choice, parts: dict[str, np.ndarray], given: int, timing: Timing) -> None:
    """What of each take a training song has too.

    Args:
        choice: The model.
        parts: By name, what was drawn.
        given: Frames before it.
        timing: Tempo and metre of the takes.
    """
    data, told = choice.checkpoint.config.data, []
    for name, part in parts.items():
        found = cached_copied(data.data, os.environ.get("SRNN_LAB_DATA", ""), part)
        if isinstance(found, str):
            st.caption(found)
            return
        start = (given + found.start) / data.frames_per_quarter if found else 0.0
        words = copied_in_words(found, timing.moment(start), len(part), data.frames_per_quarter)
        told.append(f"{name}: {words}")
    st.caption(f"Longest stretch copied from the training songs, in any key. {' '.join(told)}")


def copied_in_words(found: Copied | None, start: str, frames: int, per_quarter: int) -> str:
    """A stretch that was found, as a phrase.

    Args:
        found: The stretch.
        start: Where it begins, in words.
        frames: Of the part in which it was found.
        per_quarter: Frames in a quarter note.

    Returns:
        How long it is, where it begins and whose it is.
    """
    if found is None:
        return "none."
    semitones, side = abs(found.semitones), "higher" if found.semitones > 0 else "lower"
    key = f", there {semitones} semitone{'s' * (semitones > 1)} {side}" if semitones else ""
    return (
        f"{found.frames / per_quarter:g} of {frames / per_quarter:g} quarter notes, from "
        f"{start} on ({plain(found.song)}{key})."
    )
