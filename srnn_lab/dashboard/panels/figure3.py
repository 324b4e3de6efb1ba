"""The paper's Figure 3, live: raw signal, KL, and mean and log-variance of the reconstruction."""

from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from srnn_lab.analysis.events import clip_events
from srnn_lab.analysis.inspection import NEAR, Inspection
from srnn_lab.analysis.transitions import match_spikes
from srnn_lab.checkpoint import list_checkpoints
from srnn_lab.dashboard.address import PLAYER
from srnn_lab.dashboard.cache import Choice, cached_inspection
from srnn_lab.dashboard.choice import bundled_clips
from srnn_lab.dashboard.panels.sounds import sound_of
from srnn_lab.dashboard.panels.spike_list import CHANGES
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.data.kinds import Raw
from srnn_lab.pictures.clip_rows import clip_rows
from srnn_lab.pictures.scene import Scene
from srnn_lab.player.component import Look, look_at, player

MODELS = {"voice": "SRNN smooth+Res_q", "voice-filt": "SRNN filt", "voice-vrnn": "VRNN"}
"""Bundled models of raw samples; the first is that of the paper's figure."""
CLIP = "vm-rec-temp"
"""A bundled clip in which sound sets in after silence."""
ROWS = ("waveform", "KL", "mean", "log-variance")
EVENT = "silence-to-sound"
SECONDS = 0.5
"""What is shown on either side of the place where sound sets in."""


def show_figure3_view(choice: Choice, clip: Inspection) -> None:
    """On the first page, a button that shows a model of raw samples as the paper's figure does."""
    if isinstance(choice.checkpoint.config.data.kind, Raw):
        st.button(
            "View as in the paper's Figure 3",
            on_click=lambda: _set_view(clip, _events(choice, clip)),
            help=(
                "The raw signal, the KL, the mean and the log-variance, where sound sets in after "
                "silence."
            ),
        )


def show_figure3() -> None:
    """On the page of results, the same picture of bundled models and a clip."""
    st.subheader("Figure 3, live")
    name = st.segmented_control(
        "Model", list(MODELS), default="voice", required=True, format_func=MODELS.__getitem__
    )
    clips, path = bundled_clips(Raw.name), list_checkpoints()[name]
    choice = Choice(
        str(path), path.stat().st_mtime, ClipBytes(clips[CLIP].read_bytes()), clips[CLIP].name, 0
    )
    clip = cached_inspection(*choice)
    events = _events(choice, clip)
    clip = replace(clip, changes=events)
    rows = clip_rows(choice.checkpoint, choice.signal, clip, match_spikes(clip, NEAR))
    scene = Scene(
        [rows[row] for row in ROWS],
        clip.times,
        f"{CLIP}: raw signal, KL, reconstructed mean and log-variance; sound sets in after silence "
        f"{len(events)} times.",
        end=choice.length,
        marks=clip.times[events],
        mark_name="silence to sound",
    )
    player(scene, {"original": sound_of(choice, choice.signal)}, "figure3")
    address = urlencode(
        [
            ("checkpoint", name),
            ("prompt", CLIP),
            ("changes", CHANGES[EVENT]),
            *(("rows-raw", row) for row in ROWS),
        ]
    )
    st.caption(
        f"The model {name} on the clip {CLIP}, drawn as in Figure 3 of the paper. The KL is "
        f"{clip.kl[events].mean():.0f} nats on average in the frames in which sound sets in, and "
        f"{np.median(clip.kl):.0f} in the median frame. How often that holds, for which model and "
        f"at which kind of event: the table *Figure 3* below. [Open it in Explore](./?{address})."
    )


def _events(choice: Choice, clip: Inspection) -> np.ndarray:
    return clip_events(clip, choice.signal, choice.checkpoint.config.data)[EVENT]


def _set_view(clip: Inspection, events: np.ndarray) -> None:
    st.session_state["rows-raw"] = list(ROWS)
    st.session_state["changes"] = EVENT
    if len(events):
        time = float(clip.times[events[clip.kl[events].argmax()]])
        look_at(PLAYER, Look(max(0.0, time - SECONDS), min(float(clip.times[-1]), time + SECONDS)))
