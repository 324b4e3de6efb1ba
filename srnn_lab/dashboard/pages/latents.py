"""What does z carry? Replace it, and see and hear what is left of the reconstruction."""

from functools import partial

import numpy as np
import streamlit as st
from jaxtyping import Float

from srnn_lab.analysis.export import csv_text
from srnn_lab.analysis.interventions import Reconstruction, posterior_path, replace_latents
from srnn_lab.dashboard.address import settle_place, share_place
from srnn_lab.dashboard.choice import (
    Choice,
    ClipBytes,
    cache_data,
    cached_checkpoint,
    cached_inspection,
    cached_signal,
    explain,
    owned,
    signal_of,
    sound_of,
    time_unit,
    unit_seconds,
)
from srnn_lab.dashboard.panels.keep import keep, scene_files, sound_file, stem_of
from srnn_lab.dashboard.panels.sounds import (
    RECORDING,
    Ready,
    Sound,
    Wanted,
    all_sounds,
    clip_sound,
    make_missing,
    offer_sounds,
    ready,
)
from srnn_lab.dashboard.sidebar import choose_other
from srnn_lab.dashboard.words import WORDS
from srnn_lab.pictures.scene import Scene
from srnn_lab.pictures.side_by_side import reconstruction_rows
from srnn_lab.player.component import place_of, player

PLAYER = "latents-player"
MEANING = {
    "posterior sample": "what the model believes after hearing the clip: the reference",
    "posterior mean": "the same without its uncertainty",
    "prior sample": "what the model would have expected, given the clip's own past",
    "zero": "nothing: only d is left",
    "another clip": "a path that belongs to another sound",
}


@cache_data(max_entries=4, show_spinner="Running the model over the other clip …")
def cached_path(choice: tuple[str, float, ClipBytes, str, int], seed: int) -> np.ndarray:
    """A path of z from the posterior of a clip."""
    return posterior_path(cached_checkpoint(*choice[:2]), cached_signal(*choice)[0], seed=seed)


@cache_data(max_entries=4, show_spinner="Replacing z …")
def cached_replacements(
    choice: tuple[str, float, ClipBytes, str, int], other: tuple[ClipBytes, str], start: float, stop: float, seed: int
) -> dict[str, Reconstruction]:
    """A clip with z from each source; ``other`` is the content and the name of the other clip."""
    checkpoint = cached_checkpoint(*choice[:2])
    path = cached_path((*choice[:2], *other, choice[4]), seed)
    return replace_latents(checkpoint, cached_signal(*choice)[0], other=path, start=start, stop=stop, seed=seed)


def show(choice: Choice) -> None:
    """The page."""
    st.caption(
        "Each frame is drawn from p(x | z, d): d knows the past, z adds what the past could not tell. Put something "
        "else in the place of z, leave the clip's own past in d, and see what is lost. Where d depends on z (VRNN, "
        "STORN), d is computed again along the new z."
    )
    checkpoint = choice.checkpoint
    if checkpoint.model.z_dim == 0:
        st.info("This model has no z: its reconstruction follows from the past alone. Choose another checkpoint.")
        return
    clip = cached_inspection(*choice)
    data = checkpoint.config.data
    unit = time_unit(data)
    other = choose_other(choice)
    step = data.hop / data.rate
    length = round(len(choice.signal) // data.hop * step, 6)
    key = owned("replaced", stem_of(choice.name), length)
    left, right = st.columns([3, 1])
    start, stop = left.slider(
        f"Replace z from … to ({unit})",
        0.0,
        length,
        value=(0.0, length),
        step=step,
        key=key,
        bind="query-params",
        help="Snapped to the model's frames; outside, z is the posterior sample.",
    )
    seed = int(right.number_input("Seed", 0, 9999, 0, key="seed-z", bind="query-params"))
    settle_place(PLAYER, choice, length)
    place = place_of(PLAYER)
    if place and place.start < place.end and place.start < length:
        chosen = tuple(min(float(round(time / step) * step), length) for time in (place.start, place.end))
        st.button(
            f"Replace z only in the player's selection, {chosen[0]:.2f} to {chosen[1]:.2f} {unit}",
            on_click=lambda: st.session_state.update({key: chosen}),
        )
    replaced = (*choice,), other, start, stop, seed
    found = cached_replacements(*replaced)
    inside = (clip.times >= start) & (clip.times < stop)
    if not inside.any():
        st.info("No frame lies in this stretch; make it longer.")
        return
    table = show_averages(found, inside)
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
    wanted = sounds_of(choice, sources, replaced)
    sounds = ready(wanted, at_hand=not data.kind.notes)
    scene = show_player(choice, sources, (start, stop), length, sounds())
    keep_latents(choice, sources, scene, sounds, table)
    make_missing(PLAYER, wanted)


def show_averages(found: dict[str, Reconstruction], inside: np.ndarray) -> dict[str, list]:
    """The average of log p(x | z, d) by source, as columns by name, and what z is worth."""
    lost = {name: found["posterior sample"].log_px[inside] - r.log_px[inside] for name, r in found.items()}
    median = {name: float(np.median(values)) for name, values in lost.items()}
    table = {
        "z from": list(found),
        "that is": [MEANING[name] for name in found],
        "log p(x | z, d)": [float(r.log_px[inside].mean()) for r in found.values()],
        "lost, median": list(median.values()),
        "lost, mean": [float(values.mean()) for values in lost.values()],
    }
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="%.2f", help=meaning)
            for name, meaning in {
                "log p(x | z, d)": "Nats per frame, averaged over the frames where z is replaced",
                "lost, mean": "Nats per frame less than with the posterior sample, averaged",
                "lost, median": "The same in the middle frame: half of the frames lose more",
            }.items()
        },
        alt="The average of log p(x | z, d) for each source of z, and what is lost, in nats per frame.",
    )
    st.markdown(
        f"Where z is replaced, the middle frame loses **{median['prior sample']:.1f}** nats with z from the prior and "
        f"**{median['zero']:.1f}** nats without z."
    )
    if dominated := [name for name in found if few_lose_most(lost[name])]:
        st.markdown(
            f"A few frames that lose very much dominate the mean with z from {' and '.join(dominated)}: "
            f"compare the medians instead."
        )
    explain(
        "Nats per frame over the frames where z is replaced, one path each, all with the same noise. The posterior "
        "has seen x_t, so it reconstructs best; the KL is the price of that. The prior knows only the past: what it "
        "loses is what z carried. If it lost nothing, the decoder would ignore z (posterior collapse). A Gaussian "
        "that is sure of the wrong sound loses thousands of nats, so a few frames can make the mean: hence the median.",
        r"z_t \sim q(z_t \mid z_{t-1}, a_t),\quad z_t = \mu_q,\quad z_t \sim p(z_t \mid z_{t-1}, d_t),\quad z_t = 0,"
        r"\quad z_t = z_t^{\text{other}}",
        {
            "02_generative_model": "draws from the prior",
            "06_inference_network": "says when the posterior collapses",
        },
    )
    return table


def few_lose_most(lost: Float[np.ndarray, "t"]) -> bool:
    """Whether a twentieth of the frames makes most of the loss, and the loss is above 1 nat per frame."""
    worst = np.sort(lost)[-max(1, len(lost) // 20) :]
    return bool(lost.mean() > 1 and worst.sum() > lost.sum() / 2)


def sounds_of(choice: Choice, found: dict[str, Reconstruction], replaced: tuple) -> Wanted:
    """The clip, and each reconstruction if it is not too long; ``replaced`` is what they were made from."""
    unscored = choice.checkpoint.config.evaluation.unscored

    def make(mean: np.ndarray) -> Sound:
        return sound_of(choice, signal_of(choice, mean, unscored))

    heard = found if all_sounds(choice) else {}
    return {
        "the clip": clip_sound(choice, RECORDING),
        **{name: ((*replaced, name), partial(make, one.mean)) for name, one in heard.items()},
    }


def show_player(
    choice: Choice,
    found: dict[str, Reconstruction],
    replaced: tuple[float, float],
    length: float,
    sounds: dict[str, Sound],
) -> Scene:
    """The clip and its reconstructions to see and to hear, and log p(x | z, d) per frame."""
    data, clip = choice.checkpoint.config.data, cached_inspection(*choice)
    scene = Scene(
        reconstruction_rows(choice.checkpoint, choice.signal, clip, found),
        clip.times,
        f"The clip, below it its reconstruction with z from {', '.join(found)}, and log p(x | z, d) per frame of each.",
        end=length,
        unit=time_unit(data),
        seconds=unit_seconds(data),
        marks=np.array(replaced),
        mark_name="begin or end of the stretch in which z is replaced",
    )
    player(scene, sounds, PLAYER)
    share_place(PLAYER)
    words = WORDS[data.features]
    if words.note:
        st.caption(words.note)
    offer_sounds(choice)
    explain(
        f"Rows: the clip, then E[x | z, d] along each path of z ({words.mean}). Last row: log p(x | z, d) of the "
        f"clip's own frames, in nats per frame; triangles mark frames that lie outside the axis. Dotted: where the "
        f"replacement begins and ends; drag in the rows to choose another stretch. Look where the lines part: there z "
        f"carries what d cannot know. Where they meet, the past was enough.",
        r"\mathbb{E}[x_t \mid z_t, d_t], \qquad \log p(x_t \mid z_t, d_t)",
        {"02_generative_model": "writes the emission", words.notebook: "goes on from here"},
    )
    return scene


def keep_latents(
    choice: Choice,
    found: dict[str, Reconstruction],
    scene: Scene,
    sounds: Ready,
    table: dict[str, list],
) -> None:
    """Files of what is on the page."""
    arrays = {
        f"{kind} {name}".replace(" ", "_"): values
        for name, one in found.items()
        for kind, values in (("z", one.z), ("log_px", one.log_px), ("mean", one.mean))
    }
    keep(
        f"{stem_of(choice.name)}-latents",
        {
            **scene_files(f"{choice.name}: another z", scene, sounds, PLAYER, arrays | {"times": scene.times}),
            **sound_file(sounds, PLAYER),
            "Averages (CSV)": (partial(csv_text, table), "csv"),
        },
        "Player, figure and arrays are of the sources that are shown.",
    )
