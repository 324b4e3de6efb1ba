"""NumPy in, Plotly figure out: the pictures of the dashboard, the command line and the notebooks."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from plotly.colors import sequential
from plotly.subplots import make_subplots

SIGNAL, KL, MEAN, LOGVAR, CHANGE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#888888"
"""Colours that read on a light and on a dark page and that colour-blind eyes tell apart (Okabe and Ito)."""
PRIOR, POSTERIOR = SIGNAL, KL
OVERLAID = [
    ("#0072b2", "solid"),
    ("#d55e00", "dash"),
    ("#009e73", "dot"),
    ("#cc79a7", "dashdot"),
    ("#a07a00", "longdash"),
]
"""Colours that colour-blind eyes tell apart (after Okabe and Ito), and dashes, of lines over each other."""
# Streamlit swaps some near-black colours, the first of Plotly's own Magma among them, for its theme's.
MAGMA = ["rgb(1,1,6)", *sequential.Magma[1:]]
NOTES = [[0, "rgba(0,114,178,0)"], [1, "rgb(0,114,178)"]]
LOWEST_PITCH = 21
MAX_MARKS = 150
"""Changes that are marked over the whole height; more become ticks at the top."""
MAX_POINTS = 2000
"""Points of a waveform that are drawn; more are reduced to the extremes of each stretch."""


def envelope(
    t: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], max_points: int = MAX_POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """At most about ``max_points`` points with the same minima and maxima."""
    stretch = 2 * len(y) // max_points
    if stretch < 2:
        return t, y
    n = len(y) // stretch
    parts = y[: n * stretch].reshape(n, stretch)
    extremes = np.sort(np.stack([parts.argmin(1), parts.argmax(1)], 1), 1) + np.arange(n)[:, None] * stretch
    index = extremes.ravel()
    return t[index], y[index]


def _line(x: np.ndarray, y: np.ndarray, colour: str, name: str, unit: str) -> go.Scatter:
    return go.Scatter(
        x=np.asarray(x, np.float32),
        y=np.asarray(y, np.float32),
        line={"color": colour, "width": 1.2},
        name=name,
        hovertemplate=f"%{{x:.3f}}: %{{y:.3g}} {unit}<extra>{name}</extra>",
    )


def _picture(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, scale: str | list, name: str, unit: str, **more: object
) -> go.Heatmap:
    return go.Heatmap(
        x=np.asarray(x, np.float32),
        y=y,
        z=np.asarray(z, np.float32),
        colorscale=scale,
        name=name,
        hovertemplate=f"%{{x:.3f}}, %{{y}}: %{{z:.3g}} {unit}<extra>{name}</extra>",
        **more,
    )


def _rows(titles: Sequence[str], heights: Sequence[float], units: Sequence[str], x_title: str) -> go.Figure:
    figure = make_subplots(
        rows=len(titles),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=60 / (190 * len(titles)),
        row_heights=list(heights),
        subplot_titles=titles,
    )
    for row, unit in enumerate(units, 1):
        figure.update_yaxes(title_text=unit, title_standoff=4, row=row, col=1)
    figure.update_xaxes(title_text=x_title, row=len(titles), col=1)
    figure.update_annotations(font_size=14, x=0, xanchor="left")
    figure.update_layout(
        height=190 * len(titles) + 60,
        margin={"l": 64, "r": 90, "t": 32, "b": 48},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
    )
    figure.update_xaxes(showgrid=False, zeroline=False, ticks="outside")
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    return figure


def _kl_row(
    figure: go.Figure, row: int, times: np.ndarray, kl: np.ndarray, changes: np.ndarray, shape: str = "linear"
) -> None:
    figure.add_trace(_line(times, kl, KL, "KL", "nats").update(line_shape=shape), row=row, col=1)
    top = 1.05 * float(kl.max(initial=0.01))
    # One trace for all marks: Plotly is slow with a shape for each.
    marks = np.repeat(times[changes], 3)
    bottom = 0.0 if len(changes) <= MAX_MARKS else 0.94 * top
    heights = np.tile([bottom, top, np.nan], len(changes))
    mark = go.Scatter(
        x=marks, y=heights, line={"color": CHANGE, "width": 1, "dash": "dot"}, name="change", hoverinfo="skip"
    )
    figure.add_trace(mark, row=row, col=1)
    figure.update_yaxes(range=[0, top], row=row, col=1)
    figure.update_xaxes(showticklabels=True, row=row, col=1)


def waveform_figure(
    waveform: Float[np.ndarray, "n"],
    mean: Float[np.ndarray, "m"],
    logvar: Float[np.ndarray, "m"],
    start: float,
    sample_rate: int,
    times: Float[np.ndarray, "t"],
    kl: Float[np.ndarray, "t"],
    changes: Int[np.ndarray, "c"],
) -> go.Figure:
    """The paper's Figure 3: waveform, KL per frame, reconstructed mean and log-variance over one time axis.

    Args:
        waveform: Samples in [-1, 1].
        mean: Reconstructed mean of each sample, in the units of ``waveform``.
        logvar: Reconstructed log-variance of each sample.
        start: Time of the first reconstructed sample, in seconds.
        sample_rate: Samples a second.
        times: Middle of each frame, in seconds.
        kl: Nats per frame.
        changes: Frames with an onset.
    """
    figure = _rows(
        [
            "Waveform",
            "KL(q ‖ p) per frame; dotted: onsets of the sound",
            "Reconstructed mean",
            "Reconstructed log-variance",
        ],
        [1.0, 1.0, 1.0, 1.0],
        ["amplitude", "nats", "amplitude", "log-variance"],
        "time (s)",
    )
    t = np.arange(len(waveform)) / sample_rate
    t_mean = start + np.arange(len(mean)) / sample_rate
    figure.add_trace(_line(*envelope(t, waveform), SIGNAL, "waveform", ""), row=1, col=1)
    _kl_row(figure, 2, times, kl, changes)
    figure.add_trace(_line(*envelope(t_mean, mean), MEAN, "mean", ""), row=3, col=1)
    figure.add_trace(_line(*envelope(t_mean, logvar), LOGVAR, "log-variance", ""), row=4, col=1)
    loudest = float(np.abs(waveform).max())
    for row in (1, 3):
        figure.update_yaxes(range=[-1.05 * loudest, 1.05 * loudest], row=row, col=1)
    figure.update_xaxes(range=[0, t[-1]])
    return figure


def mel_figure(
    waveform: Float[np.ndarray, "n"],
    sample_rate: int,
    times: Float[np.ndarray, "t"],
    kl: Float[np.ndarray, "t"],
    changes: Int[np.ndarray, "c"],
    frames: Float[np.ndarray, "t x"],
    mean: Float[np.ndarray, "t x"],
    logvar: Float[np.ndarray, "t x"],
) -> go.Figure:
    """Waveform, KL per frame, and the log-mel energies: observed, reconstructed mean and log-variance.

    Args:
        waveform: Samples in [-1, 1].
        sample_rate: Samples a second.
        times: Middle of each frame, in seconds.
        kl: Nats per frame.
        changes: Frames with an onset.
        frames: Standardised log-mel energies.
        mean: Their reconstructed mean.
        logvar: Their reconstructed log-variance.
    """
    figure = _rows(
        [
            "Waveform",
            "KL(q ‖ p) per frame; dotted: onsets of the sound",
            "Log-mel energies (standardised)",
            "Reconstructed mean",
            "Reconstructed log-variance",
        ],
        [0.8, 1.1, 1.0, 1.0, 1.0],
        ["amplitude", "nats", "mel bin", "mel bin", "mel bin"],
        "time (s)",
    )
    t = np.arange(len(waveform)) / sample_rate
    figure.add_trace(_line(*envelope(t, waveform), SIGNAL, "waveform", ""), row=1, col=1)
    _kl_row(figure, 2, times, kl, changes)
    bins = np.arange(frames.shape[1])
    low, high = float(frames.min()), float(frames.max())
    for row, (values, name, scale, limits) in enumerate(
        [
            (frames, "energy", MAGMA, (low, high)),
            (mean, "mean", MAGMA, (low, high)),
            (logvar, "log-variance", "Viridis", (float(logvar.min()), float(logvar.max()))),
        ],
        3,
    ):
        bar = _colour_bar(figure, row)
        picture = _picture(times, bins, values.T, scale, name, "", zmin=limits[0], zmax=limits[1], colorbar=bar)
        figure.add_trace(picture, row=row, col=1)
    figure.update_xaxes(range=[0, t[-1]])
    return figure


def _signal_row(figure: go.Figure, row: int, times: np.ndarray, signal: np.ndarray, name: str) -> None:
    """A waveform (n,) as a line, or a piano roll (n, 88) as a picture."""
    if signal.ndim == 1:
        figure.add_trace(_line(*envelope(times, signal), SIGNAL, name, ""), row=row, col=1)
        loudest = 1.05 * max(float(np.abs(signal).max()), 1e-3)
        figure.update_yaxes(range=[-loudest, loudest], row=row, col=1)
        return
    pitches = LOWEST_PITCH + np.arange(signal.shape[1])
    picture = _picture(times, pitches, signal.T, NOTES, name, "", showscale=False, zmin=0, zmax=1)
    figure.add_trace(picture, row=row, col=1)
    figure.update_yaxes(range=_pitch_range(signal), row=row, col=1)


def _overlay(
    figure: go.Figure, row: int, lines: Mapping[str, tuple[np.ndarray, np.ndarray]], unit: str, first: int = 0
) -> None:
    """Lines (times, values) by name over each other; a name has the same look in each row, from ``first`` on."""
    known = {trace.legendgroup for trace in figure.data}
    for (name, (times, values)), (colour, dash) in zip(lines.items(), OVERLAID[first:], strict=False):
        line = _line(times, values, colour, name, unit)
        line.update(line_dash=dash, line_width=1.5, legendgroup=name, showlegend=name not in known)
        figure.add_trace(line, row=row, col=1)
    figure.update_layout(
        showlegend=True, margin_t=72, legend={"orientation": "h", "y": 1, "yref": "container", "yanchor": "top", "x": 0}
    )
    figure.update_traces(showlegend=False, selector={"legendgroup": None})


def _cut_below(figure: go.Figure, row: int, values: Float[np.ndarray, "m t"]) -> None:
    """The axis of a row without the rare frames of far lower values, which would flatten all the others."""
    high = float(values.max())
    low = max(float(values.min()), high - 4 * (high - float(np.median(values, 1).min())))
    margin = 0.05 * max(high - low, 1e-3)
    figure.update_yaxes(range=[low - margin, high + margin], row=row, col=1)


def comparison_figure(
    signal: Float[np.ndarray, "n *x"],
    signal_times: Float[np.ndarray, "n"],
    names: Sequence[str],
    times: Float[np.ndarray, "t"],
    kl: Float[np.ndarray, "m t"],
    elbo: Float[np.ndarray, "m t"],
    moments: Int[np.ndarray, "k"],
    x_title: str,
) -> go.Figure:
    """One clip, and over each other the KL of several models, its difference from the first one's, and their bounds.

    Args:
        signal: A waveform or a piano roll.
        signal_times: Time of each of its samples or frames.
        names: The models.
        times: Middle of each frame, in the same unit.
        kl: Nats per frame.
        elbo: Nats per frame.
        moments: Frames of the largest differences, which get a mark.
        x_title: Title of the time axis, with its unit.
    """
    figure = _rows(
        [
            "Waveform" if signal.ndim == 1 else "Piano roll",
            "KL(q ‖ p) per frame",
            f"KL less that of {names[0]}; marked: the largest differences",
            "Bound per frame, log p(x | z, d) − KL",
        ],
        [0.7, 1.1, 1.1, 1.1],
        ["amplitude" if signal.ndim == 1 else "MIDI pitch", "nats", "nats", "nats"],
        x_title,
    )
    _signal_row(figure, 1, signal_times, signal, "clip")
    _overlay(figure, 2, {name: (times, values) for name, values in zip(names, kl, strict=True)}, "nats")
    _overlay(figure, 3, {n: (times, v) for n, v in zip(names[1:], kl[1:] - kl[0], strict=True)}, "nats", first=1)
    _overlay(figure, 4, {name: (times, values) for name, values in zip(names, elbo, strict=True)}, "nats")
    _cut_below(figure, 4, elbo)
    difference = kl[1:, moments] - kl[0, moments]
    largest = np.abs(difference).argmax(0)
    marks = go.Scatter(
        x=times[moments],
        y=difference[largest, np.arange(len(moments))],
        mode="markers",
        marker={"symbol": "circle-open", "size": 10, "color": CHANGE, "line_width": 2},
        name="moment",
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_trace(marks, row=3, col=1)
    figure.add_hline(0, line={"color": CHANGE, "width": 1}, row=3, col=1)
    figure.update_xaxes(range=[0, float(signal_times[-1])], showticklabels=True)
    return figure


def reconstructions_figure(
    observed: Float[np.ndarray, "n *x"],
    observed_times: Float[np.ndarray, "n"],
    means: Mapping[str, Float[np.ndarray, "m *x"]],
    mean_times: Float[np.ndarray, "m"],
    log_px: Mapping[str, Float[np.ndarray, "t"]],
    times: Float[np.ndarray, "t"],
    unit: str,
    x_title: str,
    replaced: tuple[float, float],
) -> go.Figure:
    """A clip, its reconstructions along several paths of z on one scale, and log p(x | z, d) per frame of all of them.

    Args:
        observed: Samples of a waveform, or frames.
        observed_times: Time of each of them.
        means: The reconstructions by where z comes from, of the same kind.
        mean_times: Time of each of their samples or frames.
        log_px: Nats per frame, by the same names.
        times: Middle of each frame.
        unit: What the rows show: ``amplitude``, ``mel bin`` or ``MIDI pitch``.
        x_title: Title of the time axis, with its unit.
        replaced: Start and end of the stretch in which z is replaced, which is shaded.
    """
    names, count = list(means), len(means) + 2
    figure = _rows(
        ["The clip", *(f"Reconstructed mean, z: {name}" for name in names), "log p(x | z, d) per frame"],
        [1.0] * (count - 1) + [1.3],
        [unit] * (count - 1) + ["nats"],
        x_title,
    )
    figure.update_layout(height=150 * count + 90)
    pitched = unit == "MIDI pitch"
    low, high = (0.0, 1.0) if pitched else (float(observed.min()), float(observed.max()))
    for row, values in enumerate([observed, *means.values()], 1):
        t, name = (observed_times, "clip") if row == 1 else (mean_times, names[row - 2])
        if observed.ndim == 1:
            _signal_row(figure, row, t, values, name)
            figure.update_yaxes(range=[-1.05 * max(high, -low), 1.05 * max(high, -low)], row=row, col=1)
            continue
        y = np.arange(values.shape[1]) + (LOWEST_PITCH if pitched else 0)
        picture = _picture(t, y, values.T, NOTES if pitched else MAGMA, name, "", zmin=low, zmax=high)
        picture.update(showscale=row == 1, colorbar=_colour_bar(figure, row))
        figure.add_trace(picture, row=row, col=1)
        if pitched:
            figure.update_yaxes(range=_pitch_range(observed), row=row, col=1)
    _overlay(figure, count, {name: (times, values) for name, values in log_px.items()}, "nats")
    _cut_below(figure, count, np.stack(list(log_px.values())))
    figure.add_vrect(*replaced, row=count, col=1, fillcolor=CHANGE, opacity=0.15, line_width=0)
    figure.update_xaxes(range=[0, float(observed_times[-1])])
    return figure


def edit_figure(
    before: Float[np.ndarray, "n *x"],
    before_times: Float[np.ndarray, "n"],
    after: Float[np.ndarray, "m *x"],
    after_times: Float[np.ndarray, "m"],
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
    joints_before: Sequence[float],
    joints_after: Sequence[float],
    x_title: str,
) -> go.Figure:
    """A clip before and after an edit, and the KL of both over each other, with the joints marked.

    Args:
        before: A waveform or a piano roll.
        before_times: Time of each of its samples or frames.
        after: The edited one.
        after_times: Time of each of its samples or frames.
        lines: KL by name: times, and nats per frame; NaN leaves a gap.
        joints_before: Times at which the clip is cut.
        joints_after: Where these places are in the edited one.
        x_title: Title of the time axis, with its unit.
    """
    unit = "amplitude" if before.ndim == 1 else "MIDI pitch"
    figure = _rows(
        ["Before", "After; dashed: the joints", "KL(q ‖ p) per frame, before and after"],
        [0.8, 0.8, 1.4],
        [unit, unit, "nats"],
        x_title,
    )
    _signal_row(figure, 1, before_times, before, "before")
    _signal_row(figure, 2, after_times, after, "after")
    figure.update_yaxes(range=figure.layout.yaxis.range, row=2, col=1)
    _overlay(figure, 3, lines, "nats")
    for row, joints in enumerate((joints_before, joints_after, joints_after), 1):
        for joint in joints:
            figure.add_vline(joint, row=row, col=1, line={"color": CHANGE, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(range=[0, max(float(before_times[-1]), float(after_times[-1]))], showticklabels=True)
    return figure


def _colour_bar(figure: go.Figure, row: int) -> dict[str, object]:
    low, high = figure.get_subplot(row, 1).yaxis.domain
    return {"y": (low + high) / 2, "len": high - low, "lenmode": "fraction", "thickness": 12, "x": 1.01}


def music_figure(
    roll: Float[np.ndarray, "n 88"],
    roll_times: Float[np.ndarray, "n"],
    times: Float[np.ndarray, "t"],
    kl: Float[np.ndarray, "t"],
    changes: Int[np.ndarray, "c"],
    mean: Float[np.ndarray, "t 88"],
) -> go.Figure:
    """Piano roll, KL per frame and p(note) under the posterior over one axis of quarter notes.

    Args:
        roll: The notes that are played.
        roll_times: Middle of each of its frames, in quarter notes.
        times: Middle of each scored frame, in quarter notes.
        kl: Nats per frame.
        changes: Frames in which the chord changes.
        mean: p(note).
    """
    figure = _rows(
        ["Piano roll", "KL(q ‖ p) per frame; dotted: the chord changes", "p(note) under the posterior"],
        [1.2, 1.0, 1.2],
        ["MIDI pitch", "nats", "MIDI pitch"],
        "time (quarter notes)",
    )
    pitches = LOWEST_PITCH + np.arange(roll.shape[1])
    figure.add_trace(
        _picture(roll_times, pitches, roll.T, NOTES, "note", "", showscale=False, zmin=0, zmax=1), row=1, col=1
    )
    _kl_row(figure, 2, times, kl, changes, "hvh")
    bar = _colour_bar(figure, 3)
    figure.add_trace(_picture(times, pitches, mean.T, NOTES, "p(note)", "", zmin=0, zmax=1, colorbar=bar), row=3, col=1)
    for row in (1, 3):
        figure.update_yaxes(range=_pitch_range(roll), row=row, col=1)
    return figure


def _pitch_range(roll: np.ndarray) -> list[float]:
    shown = np.flatnonzero(roll.any(0)) if roll.any() else np.array([0, roll.shape[1] - 1])
    return [LOWEST_PITCH + shown.min() - 3.5, LOWEST_PITCH + shown.max() + 3.5]


def roll_figure(roll: Float[np.ndarray, "t 88"], times: Float[np.ndarray, "t"], title: str) -> go.Figure:
    """A piano roll over quarter notes."""
    figure = _rows([title], [1.0], ["MIDI pitch"], "time (quarter notes)")
    pitches = LOWEST_PITCH + np.arange(roll.shape[1])
    figure.add_trace(_picture(times, pitches, roll.T, NOTES, "note", "", showscale=False, zmin=0, zmax=1), row=1, col=1)
    figure.update_yaxes(range=_pitch_range(roll))
    return figure


def curves_figure(curves: Mapping[str, Float[np.ndarray, "e"]], bound: str, valid_unit: str) -> go.Figure:
    """Training curves over epochs: the bound and the KL on training and validation data, and the schedules.

    Args:
        curves: Columns of ``curves.csv``, a value for each epoch.
        bound: Name of the bound that is trained on.
        valid_unit: Unit of the validation figures; training figures are in nats per frame.
    """
    rows = [(bound, ("train_elbo", "valid_bound")), ("KL", ("train_kl", "valid_kl"))]
    panels = [(title, "nats per frame", {"training": train, "validation": valid}) for title, (train, valid) in rows]
    if valid_unit != "nats per frame":  # on one axis, one of the two would be a line at 0
        panels = [
            (f"{title}, {name}", unit, {name: column})
            for title, columns in rows
            for name, unit, column in zip(
                ("training", "validation"), ("nats per frame", valid_unit), columns, strict=True
            )
        ]
    figure = _rows(
        [*(title for title, _, _ in panels), "Schedules"],
        [1.0] * (len(panels) + 1),
        [*(unit for _, unit, _ in panels), "share"],
        "epoch",
    )
    epochs = curves["epoch"]
    rate = curves["learning_rate"] / curves["learning_rate"].max(initial=1e-30)
    lines = [
        *(
            (row, curves[column], name, unit)
            for row, (_, unit, columns) in enumerate(panels, 1)
            for name, column in columns.items()
        ),
        (len(panels) + 1, curves["kl_weight"], "KL weight", ""),
        (len(panels) + 1, rate, "learning rate", "of its largest"),
    ]
    looks = {"training": (SIGNAL, "solid"), "validation": (KL, "dash"), "KL weight": (LOGVAR, "solid")}
    seen = set()
    for row, values, name, unit in lines:
        colour, dash = looks.get(name, (MEAN, "dash"))
        mode = "lines+markers" if len(epochs) < 30 else "lines"
        line = _line(epochs, values, colour, name, unit).update(line={"width": 2, "dash": dash}, mode=mode)
        figure.add_trace(line.update(legendgroup=name, showlegend=name not in seen), row=row, col=1)
        seen.add(name)
    best = int(curves["valid_bound"].argmax())
    row = next(i for i, (_, _, columns) in enumerate(panels, 1) if "validation" in columns)
    star = {"symbol": "star", "size": 12, "color": KL, "line": {"width": 1, "color": CHANGE}}
    mark = go.Scatter(
        x=epochs[[best]], y=curves["valid_bound"][[best]], mode="markers", marker=star, name="best epoch, which is kept"
    )
    figure.add_trace(mark, row=row, col=1)
    for row, (title, _, columns) in enumerate(panels, 1):
        if title.startswith(bound):  # the first epochs are far below all others
            values = np.concatenate([curves[column] for column in columns.values()])
            low, high = float(np.quantile(values, 0.2)), float(values.max())
            margin = 0.1 * (high - low) + 1e-3
            figure.update_yaxes(range=[low - margin, high + margin], row=row, col=1)
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"}
    )
    figure.update_layout(margin_t=72)
    return figure


def latent_figure(
    order: Int[np.ndarray, "z"],
    mu_p: Float[np.ndarray, "z"],
    sd_p: Float[np.ndarray, "z"],
    mu_q: Float[np.ndarray, "z"],
    sd_q: Float[np.ndarray, "z"],
    kl: Float[np.ndarray, "z"],
    residual: bool,
) -> go.Figure:
    """One frame's prior and posterior of each dimension of z, its KL, and for Res_q what is added to the prior mean.

    Args:
        order: The dimensions, from left to right.
        mu_p: Prior means.
        sd_p: Prior standard deviations.
        mu_q: Posterior means.
        sd_q: Posterior standard deviations.
        kl: Nats of each dimension.
        residual: Whether the posterior mean is the prior mean plus a residual.
    """
    titles = ["Mean ± standard deviation: prior p (circles) and posterior q (diamonds)", "KL(q ‖ p) of each dimension"]
    units = ["z", "nats"]
    if residual:
        titles.append("Posterior mean = predictive mean (pale) + residual of Res_q (full)")
        units.append("z")
    figure = _rows(titles, [1.4, 0.8, 1.0][: len(titles)], units, "dimension of z, the most used over the clip first")
    rank = np.arange(len(order))
    for name, mu, sd, colour, symbol, shift in (
        ("prior p", mu_p, sd_p, PRIOR, "circle", -0.15),
        ("posterior q", mu_q, sd_q, POSTERIOR, "diamond", 0.15),
    ):
        figure.add_trace(
            go.Scatter(
                x=rank + shift,
                y=mu[order],
                error_y={"array": sd[order], "thickness": 1.2, "width": 2},
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 7},
                name=name,
                customdata=np.stack([order, sd[order]], 1),
                hovertemplate=f"z[%{{customdata[0]:.0f}}]: %{{y:.3g}} ± %{{customdata[1]:.3g}}<extra>{name}</extra>",
            ),
            row=1,
            col=1,
        )
    bars = [(2, "KL", kl, KL, 1.0)]
    if residual:
        bars += [(3, "predictive mean", mu_p, PRIOR, 0.45), (3, "residual", mu_q - mu_p, POSTERIOR, 1.0)]
    for row, name, values, colour, opacity in bars:
        figure.add_trace(
            go.Bar(
                x=rank,
                y=values[order],
                marker_color=colour,
                opacity=opacity,
                name=name,
                customdata=order,
                hovertemplate=f"z[%{{customdata}}]: %{{y:.3g}}<extra>{name}</extra>",
            ),
            row=row,
            col=1,
        )
    figure.update_layout(barmode="group", bargap=0.25)
    shown = min(len(order), 32)
    every = -(-shown // 32)
    figure.update_xaxes(tickvals=rank[::every], ticktext=order[::every], range=[-0.6, shown - 0.4])
    return figure


def null_figure(null: Float[np.ndarray, "n"], value: float, name: str) -> go.Figure:
    """How a figure is distributed under circular shifts, and where the one that was found lies.

    Args:
        null: The figure after each shift.
        value: The figure as found.
        name: What it is.
    """
    figure = _rows(["Shifted copies; line: as found"], [1.0], ["shifts"], name)
    counts, edges = np.histogram(null, 40, (min(0.0, float(null.min())), max(1.0, float(null.max()))))
    middles = (edges[1:] + edges[:-1]) / 2
    bar = go.Bar(
        x=middles, y=counts, marker_color=CHANGE, width=edges[1] - edges[0], name="shifts", hovertemplate="%{y} shifts"
    )
    figure.add_trace(bar)
    top = float(counts.max())
    line = go.Scatter(x=[value, value], y=[0, top], line={"color": KL, "width": 3}, name="as found", mode="lines")
    figure.add_trace(line)
    return figure
