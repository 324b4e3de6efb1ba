"""What does z carry? Replace it, and see and hear what is left of the reconstruction."""

import numpy as np
import streamlit as st

from srnn_lab.audio import wav_bytes
from srnn_lab.figures import reconstructions_figure
from srnn_lab.interventions import Reconstruction, replace_latents
from srnn_lab.views.shared import (
    Choice,
    cached_checkpoint,
    cached_inspection,
    cached_music,
    cached_signal,
    cached_sound,
    choose,
    choose_other,
    explain,
    show_figure,
)

MEANING = {
    "posterior sample": "what the model believes after hearing the clip: the reference",
    "posterior mean": "the same without its uncertainty",
    "prior sample": "what the model would have expected, given the clip's own past",
    "zero": "nothing: only d is left",
    "another clip": "a path that belongs to another sound",
}


@st.cache_data(max_entries=8, show_spinner="Replacing z …")
def cached_replacements(
    choice: tuple[str, float, bytes, str, int], other: tuple[bytes, str], start: float, stop: float, seed: int
) -> dict[str, Reconstruction]:
    """A clip with z from each source; ``other`` is the bytes and the name of the other clip."""
    checkpoint = cached_checkpoint(*choice[:2])
    signals = (cached_signal(*choice)[0], cached_signal(*choice[:2], *other, choice[4])[0])
    return replace_latents(checkpoint, signals[0], other=signals[1], start=start, stop=stop, seed=seed)


def show() -> None:
    """The page."""
    st.header("What does z carry?")
    st.caption(
        "Each frame is drawn from p(x | z, d): d knows the past, z adds what the past could not tell. Put something "
        "else in the place of z, leave the clip's own past in d, and see what is lost. Where d depends on z (VRNN, "
        "STORN), d is computed again along the new z."
    )
    choice = choose()
    checkpoint = choice.checkpoint
    if checkpoint.model.z_dim == 0:
        st.info("This model has no z: its reconstruction follows from the past alone. Choose another checkpoint.")
        return
    clip = cached_inspection(*choice)
    data, music = checkpoint.config.data, checkpoint.config.data.features == "roll"
    other = choose_other(choice)
    step = data.hop / data.rate
    length = round(len(choice.signal) // data.hop * step, 6)
    left, right = st.columns([3, 1])
    start, stop = left.slider(
        f"Replace z from … to ({'quarter notes' if music else 's'})",
        0.0,
        length,
        value=(0.0, length),
        step=step,
        key="replaced",
        bind="query-params",
        help="Snapped to the model's frames; outside, z is the posterior sample.",
    )
    seed = int(right.number_input("Seed", 0, 9999, 0, key="seed-z", bind="query-params"))
    found = cached_replacements(tuple(choice), other, start, stop, seed)
    inside = (clip.times >= start) & (clip.times < stop)
    if not inside.any():
        st.info("No frame lies in this stretch; make it longer.")
        return
    show_averages(found, inside)
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
    show_picture(choice, {name: found[name] for name in found if name in shown}, (start, stop))
    show_sound(choice, found, music)


def show_averages(found: dict[str, Reconstruction], inside: np.ndarray) -> None:
    """The average of log p(x | z, d) by source, and what z is worth."""
    lost = {name: found["posterior sample"].log_px[inside] - r.log_px[inside] for name, r in found.items()}
    median = {name: float(np.median(values)) for name, values in lost.items()}
    st.dataframe(
        {
            "z from": list(found),
            "that is": [MEANING[name] for name in found],
            "log p(x | z, d)": [float(r.log_px[inside].mean()) for r in found.values()],
            "lost, mean": [float(values.mean()) for values in lost.values()],
            "lost, median": list(median.values()),
        },
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
    explain(
        "Nats per frame over the frames where z is replaced, one path each, all with the same noise. The posterior "
        "has seen x_t, so it reconstructs best; the KL is the price of that. The prior knows only the past: what it "
        "loses is what z carried. If it lost nothing, the decoder would ignore z (posterior collapse). A Gaussian "
        "that is sure of the wrong sound loses thousands of nats, so a few frames can make the mean: hence the median. "
        "Notebook 02 draws from the prior, notebook 06 says when the posterior collapses.",
        r"z_t \sim q(z_t \mid z_{t-1}, a_t),\quad z_t = \mu_q,\quad z_t \sim p(z_t \mid z_{t-1}, d_t),\quad z_t = 0,"
        r"\quad z_t = z_t^{\text{other}}",
    )


def show_picture(choice: Choice, found: dict[str, Reconstruction], replaced: tuple[float, float]) -> None:
    """The reconstructions below the clip, and log p(x | z, d) per frame."""
    checkpoint = choice.checkpoint
    figure = reconstructions_figure(checkpoint, choice.signal, cached_inspection(*choice), found, replaced)
    show_figure(
        figure,
        "reconstructions",
        f"The clip, below it its reconstruction with z from {', '.join(found)}, and log p(x | z, d) per frame of each.",
    )
    what = {
        "raw": "amplitude of the waveform, all rows on the clip's scale",
        "log-mel": "standardised log-mel energies, all rows on the clip's colours",
        "roll": "p(note) between 0 and 1",
    }[checkpoint.config.data.features]
    explain(
        f"Rows: the clip, then E[x | z, d] along each path of z ({what}). Last row: log p(x | z, d) of the clip's own "
        f"frames, in nats per frame; shaded where z is replaced; rare frames far below the others lie outside the "
        f"axis (“Autoscale” over the figure shows them). Look where the lines part: there z carries what d "
        f"cannot know. Where they meet, the past was enough. Notebook 08 (speech) and 09 (music) go on from here.",
        r"\mathbb{E}[x_t \mid z_t, d_t], \qquad \log p(x_t \mid z_t, d_t)",
    )


def show_sound(choice: Choice, found: dict[str, Reconstruction], music: bool) -> None:
    """The clip or one reconstruction, at one gain."""
    checkpoint = choice.checkpoint
    data = checkpoint.config.data
    heard = st.segmented_control(
        "Hear", ["the clip", *found], default="the clip", required=True, key="hear-z", bind="query-params"
    )
    if music:
        roll = choice.signal if heard == "the clip" else (found[heard].mean > 0.5).astype(np.float32)
        if not roll.any():
            st.info("No note has p(note) above 0.5 here, so there is nothing to play.")
            return
        st.audio(cached_music(roll, data.frames_per_quarter)[1], alt=heard)
        st.caption("Of a reconstruction, the notes whose p(note) is above 0.5 are played.")
        return
    if heard == "the clip":
        sound = wav_bytes(choice.signal, data.sample_rate)
    else:
        sound = cached_sound(choice.path, choice.modified, found[heard].mean)
    st.audio(sound, alt=heard)
    if data.features == "log-mel":
        st.caption("Log-mel energies hold no phases: Griffin-Lim finds some that fit.")
