"""Posterior against prior at one frame, dimension by dimension."""

from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.analysis.inspection import Inspection
from srnn_lab.dashboard.address import chosen_frame
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.words import explain, number
from srnn_lab.pictures.charts import MAX_LATENTS, latent_figure
from srnn_lab.player.component import Place


def show_frame(choice: Choice, clip: Inspection, place: Place | None) -> list[go.Figure]:
    """The chosen frame: its terms of the bound, and prior and posterior of each dimension of z.

    Returns:
        The charts of the prior and the posterior.
    """
    # Which frame it is.
    frame = chosen_frame(clip, place)
    how = (
        "the largest spike"
        if place is None
        else "of the selection"
        if place.end > place.start
        else "the playhead"
    )
    st.subheader("Posterior against prior", anchor="one-frame")
    st.caption(
        f"Frame {frame}, at {choice.moment(clip.times[frame], 3)} "
        f"({'the largest KL of the selection' if how == 'of the selection' else how})."
    )
    # Its terms of the bound.
    terms = {
        "KL": clip.kl[frame],
        "log p(x | z, d)": clip.log_px[frame],
        "ELBO term": clip.log_px[frame] - clip.kl[frame],
    }
    values = {
        name: f"{number(nats, 2 if abs(nats) < 100 else 0)} nats" for name, nats in terms.items()
    }
    values["Active units"] = f"{clip.active_units} of {clip.kl_z.shape[1]}"
    for column, (name, value) in zip(st.columns(len(values)), values.items(), strict=True):
        column.metric(name, value)
    if not clip.kl_z.shape[1]:
        st.info("This model has no latent state, so there is no posterior to compare.")
        return []
    # The chart of its dimensions, and where else the largest one is large.
    order = np.argsort(-clip.use, kind="stable")
    sd_p, sd_q = (np.exp(logvar[frame] / 2) for logvar in (clip.logvar_p, clip.logvar_q))
    residual = choice.checkpoint.model.residual
    figure = latent_figure(
        order, clip.mu_p[frame], sd_p, clip.mu_q[frame], sd_q, clip.kl_z[frame], residual
    )
    shown, first = f"{len(order)}", order[:MAX_LATENTS]
    if len(first) < len(order):
        shown = f"the {len(first)} most used of {len(order)}"
        st.caption(f"Shown are {shown} dimensions; double-click in the chart for all.")
    moved = np.abs(clip.mu_q[frame] - clip.mu_p[frame]) / sd_p
    furthest = int(first[moved[first].argmax()])
    alt = (
        f"Prior and posterior of {shown} latent dimensions at frame {frame}; the posterior mean "
        f"of z{furthest} lies furthest from the prior's, by {moved[furthest]:.1f} prior standard "
        "deviations."
    )
    show_chart(figure, "latents", alt)
    of = f"z{int(clip.kl_z[frame].argmax())}"
    if choice.checkpoint.config.data.kind.heard:
        address = urlencode({"checkpoint": st.session_state.get("checkpoint", ""), "of": of})
        st.markdown(
            f"The KL of **{of}** is the largest here. [Where else is it "
            f"large?](./clips?{address}#moments)"
        )
    explain(
        "What are prior and posterior?",
        "Each dimension of z at this frame, sorted by its KL over the whole clip. **Circles**: "
        "what was predicted from the past. **Diamonds**: what is believed once the frame (and, "
        "with smoothing, what follows) is known; bars are one standard deviation. Means and "
        "log-variances are averaged over 8 paths. A dimension is an **active unit** if its KL, "
        "averaged over the clip, is above 0.01 nats. With **Res_q** the posterior network gives "
        "only a residual, which is added to the prior's mean; the lowest row shows the two "
        "parts.\n\n**Look for**: few dimensions carry most of a spike; where nothing happens, "
        "residuals are near zero and q lies on p; the posterior is narrower where the frame tells "
        "much.",
        r"\mathrm{KL}_i = \tfrac12\Big[\log\tfrac{v_{p,i}}{v_{q,i}} + \tfrac"
        r"{v_{q,i} + (\mu_{q,i} - \mu_{p,i})^2}"
        r"{v_{p,i}} - 1\Big], \qquad \mu_q = \mu_p + \mathrm{NN}(z_{t-1}, a_t)\ \text{(Res}_q)",
        {
            "04_posterior_structure#A posterior with this structure": "takes the posterior apart",
            "06_inference_network#Equation (12): learn only the correction": "derives Res_q",
        },
    )
    return [figure]
