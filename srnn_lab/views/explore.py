"""The first page: one checkpoint and one clip, and where the model is surprised."""

import streamlit as st

from srnn_lab.audio import wav_bytes
from srnn_lab.figures import clip_figure
from srnn_lab.inspection import Inspection
from srnn_lab.views.shared import (
    Choice,
    cached_inspection,
    cached_music,
    cached_sound,
    choose,
    show_figure,
)


def show() -> None:
    """The page."""
    st.header("Where is a stochastic recurrent network surprised?")
    st.caption(
        "The KL at a frame, in nats, is how far the recording (up to its end) moves the model's belief about its "
        "latent state from what it had predicted at that frame. The ELBO is the reconstruction term less the KL: a "
        "lower bound on the log-likelihood. Figures of different models do not compare, since their frames differ."
    )
    choice = choose()
    music = choice.checkpoint.config.data.features == "roll"
    (show_music if music else show_speech)(choice, cached_inspection(*choice))


def show_numbers(clip: Inspection, unit: str) -> None:
    """The clip's averages in one line."""
    start = min(5, len(clip.kl) - 1)  # the first frames pay for the zero state
    peak = start + int(clip.kl[start:].argmax())
    st.markdown(
        f"ELBO **{(clip.log_px - clip.kl).mean():.2f}** nats per frame "
        f"(reconstruction term {clip.log_px.mean():.2f}, KL {clip.kl.mean():.2f}). "
        f"The largest spike after the start, **{clip.kl[peak]:.1f}** nats, is at {clip.times[peak]:.2f} {unit}."
    )


def show_speech(choice: Choice, clip: Inspection) -> None:
    """Figure 3 of the paper, and the sound of the clip and of its reconstruction."""
    checkpoint, signal = choice.checkpoint, choice.signal
    show_numbers(clip, "s")
    show_figure(clip_figure(checkpoint, signal, clip), "figure")
    rate = checkpoint.config.data.sample_rate
    left, right = st.columns(2)
    left.markdown("**The clip**")
    left.audio(wav_bytes(signal, rate))
    right.markdown("**Its reconstruction** (posterior mean)")
    if len(signal) <= 30 * rate or right.button("Make its sound (this takes a while)", key="sound"):
        right.audio(cached_sound(choice.path, choice.modified, clip.mean))
    if checkpoint.config.data.features == "log-mel":
        right.caption("Log-mel energies hold no phases: Griffin-Lim finds some that fit.")


def show_music(choice: Choice, clip: Inspection) -> None:
    """Piano roll, KL and p(note); samples to hear and to keep."""
    checkpoint, signal = choice.checkpoint, choice.signal
    show_numbers(clip, "quarter notes")
    show_figure(clip_figure(checkpoint, signal, clip), "figure")
    per_quarter = checkpoint.config.data.frames_per_quarter
    st.markdown("**The clip**")
    st.audio(cached_music(signal, per_quarter)[1])
    st.markdown("What does the model make of it? The page *Studio* continues this clip.")
