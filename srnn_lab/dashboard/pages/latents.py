"""What does z carry? Replace it, and see and hear what is left of the reconstruction."""

from functools import partial

import numpy as np
import streamlit as st
from jaxtyping import Float

from srnn_lab.analysis.export import csv_text
from srnn_lab.analysis.interventions import Reconstruction, posterior_path, replace_latents
from srnn_lab.dashboard.cache import (
    Choice,
    cache_data,
    cached_checkpoint,
    cached_inspection,
    cached_signal,
)
from srnn_lab.dashboard.choice import choose_other, choose_other_table
from srnn_lab.dashboard.panels.keep import keep, stem_of
from srnn_lab.dashboard.panels.rows_panel import RowsPanel, player_key
from srnn_lab.dashboard.panels.sounds import (
    ORIGINAL,
    Sound,
    Wanted,
    clip_sound,
    signal_of,
    sound_of,
)
from srnn_lab.dashboard.panels.stretch import EDGE, choose_stretch, framed_length
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.words import WORDS, explain, number, numbers_in_words
from srnn_lab.pictures.side_by_side import reconstruction_rows

PLAYER = "latents-player"
MEANING = {
    "posterior sample": "what the model believes after hearing the clip; the reference",
    "posterior mean": "the same without its uncertainty",
    "prior sample": "what the model would have expected, given the clip's own past",
    "zero": "nothing: only d is left",
    "another clip": "a path of z from a different clip",
}


@cache_data(max_entries=4, show_spinner="Running the model over the other clip …")
def cached_path(choice: tuple[str, float, ClipBytes, str, int], seed: int) -> np.ndarray:
    """A path of z from the posterior of a clip."""
    return posterior_path(cached_checkpoint(*choice[:2]), cached_signal(*choice)[0], seed=seed)


@cache_data(max_entries=4, show_spinner="Replacing z …")
def cached_replacements(
    choice: tuple[str, float, ClipBytes, str, int],
    other: tuple[ClipBytes, str] | None,
    start: float,
    stop: float,
    seed: int,
) -> dict[str, Reconstruction]:
    """A clip with z from each source; ``other`` is the content and the name of another clip."""
    checkpoint = cached_checkpoint(*choice[:2])
    path = cached_path((*choice[:2], *other, choice[4]), seed) if other else None
    return replace_latents(
        checkpoint, cached_signal(*choice)[0], other=path, start=start, stop=stop, seed=seed
    )


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "Each frame is generated from p(x | z, d): d summarises the past, and z adds what the "
        "past could not predict. Replace z, keep the clip's own past in d, and see what is lost. "
        "Where d depends on z (VRNN, STORN), d is recomputed along the new z."
    )
    checkpoint = choice.checkpoint
    if checkpoint.model.z_dim == 0:
        st.info(
            "This model has no z: its reconstruction follows from the past alone. Choose another "
            "checkpoint."
        )
        return
    # The other clip, and the stretch in which z is replaced.
    clip = cached_inspection(*choice)
    heard = checkpoint.config.data.kind.heard
    other = choose_other(choice) if heard else choose_other_table(choice)
    length = framed_length(choice)
    panel = RowsPanel(player_key(PLAYER, choice), choice, length)
    left, right = st.columns([3, 1])
    seed = int(right.number_input("Seed", 0, 9999, 0, key="seed-z", bind="query-params"))
    start, stop = choose_stretch(left, panel, "replaced", "Replace z", "z is the posterior sample")
    # The reconstructions with each source of z, and their averages.
    replaced = choice[:], other, start, stop, seed
    found = cached_replacements(*replaced)
    inside = (clip.times >= start) & (clip.times < stop)
    if not inside.any():
        st.info("This range contains no frame; make it longer.")
        return
    table = show_averages(found, inside)
    # The rows of the sources that are chosen, their sounds and their files.
    shown = st.pills(
        "Show z from",
        list(found),
        selection_mode="multi",
        default=["posterior sample", "prior sample", "zero"],
        key="sources",
        bind="query-params",
    )
    if not shown:
        st.info("Choose at least one source of z.")
        return
    sources = {name: found[name] for name in found if name in shown}
    sounds = sounds_of(choice, sources, replaced) if heard else {}
    draw_rows(panel, sources, (start, stop), length, sounds)
    keep_latents(panel, sources, table)
    panel.make_missing_sounds()


def show_averages(found: dict[str, Reconstruction], inside: np.ndarray) -> dict[str, list]:
    """The average of log p(x | z, d) by source, as columns by name, and what z is worth."""
    # What each source of z loses against the posterior sample.
    lost = {
        name: found["posterior sample"].log_px[inside] - r.log_px[inside]
        for name, r in found.items()
    }
    median = {name: float(np.median(values)) for name, values in lost.items()}
    table = {
        "z from": list(found),
        "that is": [MEANING[name] for name in found],
        "log p(x | z, d)": [float(r.log_px[inside].mean()) for r in found.values()],
        "lost, median": list(median.values()),
        "lost, mean": [float(values.mean()) for values in lost.values()],
    }
    # The table.
    means = ["log p(x | z, d)", "lost, median", "lost, mean"]
    st.dataframe(
        numbers_in_words(table, dict.fromkeys(means, 2)),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(help=meaning)
            for name, meaning in {
                "log p(x | z, d)": "Nats per frame, averaged over the frames where z is replaced",
                "lost, mean": "Nats per frame less than with the posterior sample, averaged",
                "lost, median": "The median over the frames: half of them lose more",
            }.items()
        },
        alt=(
            "The average of log p(x | z, d) for each source of z, and what is lost, in nats per "
            "frame."
        ),
    )
    st.markdown(
        f"Where z is replaced, the **median loss is {number(median['prior sample'], 1)} nats per "
        f"frame** with z from the prior, and **{number(median['zero'], 1)}** without z."
    )
    # Where mean and median tell different stories.
    if dominated := [name for name in found if few_lose_most(lost[name])]:
        st.markdown(
            f"For {' and '.join(f'“{name}”' for name in dominated)} a few extreme frames dominate "
            "the mean; compare medians."
        )
    explain(
        "What does the loss mean?",
        "Nats per frame over the frames where z is replaced, one path each, all with the same "
        "noise. The posterior has seen x_t, so it reconstructs best; the KL is the price of that. "
        "The prior knows only the past: what it loses is the information that z carried. If it "
        "lost nothing, the decoder would ignore z (posterior collapse). A Gaussian that is "
        "confident of the wrong sound loses thousands of nats, so a few frames can dominate the "
        "mean; the median is robust.",
        r"z_t \sim q(z_t \mid z_{t-1}, a_t),\quad z_t = \mu_q,"
        r"\quad z_t \sim p(z_t \mid z_{t-1}, d_t),\quad z_t = 0,"
        r"\quad z_t = z_t^{\text{other}}",
        {
            "02_generative_model#Ancestral sampling": "draws from the prior",
            "06_inference_network#Why the KL collapses": "says when the posterior collapses",
        },
    )
    return table


def few_lose_most(lost: Float[np.ndarray, "t"]) -> bool:
    """Whether a twentieth of the frames makes most of a loss that is above 1 nat per frame."""
    worst = np.sort(lost)[-max(1, len(lost) // 20) :]
    return bool(lost.mean() > 1 and worst.sum() > lost.sum() / 2)


def sounds_of(choice: Choice, found: dict[str, Reconstruction], replaced: tuple) -> Wanted:
    """The clip, and each reconstruction; ``replaced`` is what they were made from."""
    unscored = choice.checkpoint.config.evaluation.unscored

    def make(mean: np.ndarray) -> Sound:
        return sound_of(choice, signal_of(choice, mean, unscored))

    return {
        "the clip": clip_sound(choice, ORIGINAL),
        **{name: ((*replaced, name), partial(make, one.mean)) for name, one in found.items()},
    }


def draw_rows(
    panel: RowsPanel,
    found: dict[str, Reconstruction],
    replaced: tuple[float, float],
    length: float,
    wanted: Wanted,
) -> None:
    """The clip and its reconstructions to see and to hear, and log p(x | z, d) per frame."""
    choice, clip = panel.choice, cached_inspection(*panel.choice)
    data = choice.checkpoint.config.data
    panel.draw(
        reconstruction_rows(choice.checkpoint, choice.signal, clip, found),
        clip.times,
        (
            f"The clip, below it its reconstruction with z from {', '.join(found)}, and log p(x | "
            "z, d) per frame of each."
        ),
        wanted,
        end=length,
        marks=np.array(replaced),
        mark_name=EDGE,
    )
    words = WORDS[data.features]
    if words.note:
        st.caption(words.note)
    explain(
        "How do I read these rows?",
        f"Rows: the clip, then E[x | z, d] along each path of z ({words.mean}). Last row: log p(x "
        "| z, d) of the clip's own frames, in nats per frame; triangles mark frames that lie "
        "outside the axis. Dotted: where the replacement starts and ends; drag in the rows to "
        "choose another range. Where the lines differ, z carries what d cannot know. Where they "
        "coincide, the past was enough.",
        r"\mathbb{E}[x_t \mid z_t, d_t], \qquad \log p(x_t \mid z_t, d_t)",
        {
            "02_generative_model#The emission": "writes the emission",
            words.notebook: "goes on from here",
        },
    )


def keep_latents(
    panel: RowsPanel, found: dict[str, Reconstruction], table: dict[str, list]
) -> None:
    """Files of what is on the page."""
    arrays = {
        f"{kind} {name}".replace(" ", "_"): values
        for name, one in found.items()
        for kind, values in (("z", one.z), ("log_px", one.log_px), ("mean", one.mean))
    }
    keep(
        f"{stem_of(panel.choice)}, z replaced",
        {
            **panel.files(f"{panel.choice.name}: another z", arrays | {"times": panel.scene.times}),
            "Averages (CSV)": (partial(csv_text, table), "averages.csv"),
        },
        "Player, picture and arrays contain the sources shown.",
    )
