"""Charts of trainings and of what they reach: curves over epochs, and the column of a table."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float

from srnn_lab.pictures.colours import (
    CHANGE,
    KL,
    LOGVAR,
    MEAN,
    MEASURED,
    OVERLAID,
    PUBLISHED,
    SIGNAL,
)
from srnn_lab.pictures.panels import line_trace, stacked_panels

LABEL_WIDTH = 25
"""Characters of a row's label in one line; more would leave no room for the dots on a phone."""


def results_figure(
    labels: Sequence[str],
    title: str,
    values: Float[np.ndarray, "r"],
    errors: Float[np.ndarray, "r"],
    published: Bool[np.ndarray, "r"],
) -> go.Figure:
    """A table's column: dots with a standard error to either side, diamonds for what is published.

    Args:
        labels: One for each row.
        title: Title of the column.
        values: Nats, higher is better.
        errors: Standard errors; NaN where none is known.
        published: Whether a value stands in a publication, rather than being measured here.

    Returns:
        A figure with one line for each row of the table, and an axis in nats.
    """
    figure = stacked_panels([""], [1.0], [""], "nats")
    # Dots and diamonds with their errors.
    for name, rows, colour, symbol in (
        ("measured here", np.flatnonzero(~published), MEASURED, "circle"),
        ("published", np.flatnonzero(published), PUBLISHED, "diamond-open"),
    ):
        dots = go.Scatter(
            x=values[rows],
            y=rows,
            error_x={"array": errors[rows]},
            mode="markers",
            marker={
                "color": colour,
                "symbol": symbol,
                "size": 8,
                "line": {"color": colour, "width": 2},
            },
            name=name,
            text=[labels[int(row)] for row in rows],
            hovertemplate=f"%{{text}}: %{{x:.2f}} nats<extra>{name}</extra>",
        )
        figure.add_trace(dots)
    # The axes: few numbers, and long labels on several lines.
    figure.update_xaxes(nticks=5, tickangle=0, showgrid=True, gridcolor="rgba(128,128,128,0.25)")
    if len(values) == 1:  # alone, its error would fill the axis
        reach = max(abs(values[0]) / 10, 2 * np.nan_to_num(errors[0]))
        figure.update_xaxes(range=[values[0] - reach, values[0] + reach])
    lines = ["<br>".join(wrap(label, LABEL_WIDTH)) for label in labels]
    figure.update_yaxes(
        tickvals=np.arange(len(labels)),
        ticktext=lines,
        range=[len(labels) - 0.5, -0.5],
        automargin=True,
    )
    figure.update_layout(
        title={"text": title, "font_size": 14, "x": 0, "y": 1, "yanchor": "top", "pad_t": 8},
        height=80 + 36 * len(labels),
        margin={"l": 0, "r": 16},
    )
    return figure


def curves_figure(
    curves: Mapping[str, Float[np.ndarray, "e"]], bound: str, valid_unit: str
) -> go.Figure:
    """Training curves over epochs: bound and KL on training and validation data, and the schedules.

    Args:
        curves: Columns of ``curves.csv``, a value for each epoch.
        bound: Name of the bound that is trained on.
        valid_unit: Unit of the validation figures; training figures are in nats per frame.

    Returns:
        A figure of three panels, or of five where training and validation have different units. A
        star marks the best epoch.
    """
    # The panels: a bound and a KL, each divided in two where the units differ.
    rows = [(bound, ("train_bound", "valid_bound")), ("KL", ("train_kl", "valid_kl"))]
    panels = [
        (title, "nats per frame", {"training": train, "validation": valid})
        for title, (train, valid) in rows
    ]
    if valid_unit != "nats per frame":  # on one axis, one of the two would be a line at 0
        panels = [
            (f"{title}, {name}", unit, {name: column})
            for title, columns in rows
            for name, unit, column in zip(
                ("training", "validation"), ("nats per frame", valid_unit), columns, strict=True
            )
        ]
    figure = stacked_panels(
        [*(title for title, _, _ in panels), "Schedules"],
        [1.0] * (len(panels) + 1),
        [*(unit for _, unit, _ in panels), "share"],
        "epoch",
    )
    # The lines, with one entry of the legend for each kind.
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
    looks = {
        "training": (SIGNAL, "solid"),
        "validation": (KL, "dash"),
        "KL weight": (LOGVAR, "solid"),
    }
    seen = set()
    for row, values, name, unit in lines:
        colour, dash = looks.get(name, (MEAN, "dash"))
        mode = "lines+markers" if len(epochs) < 30 else "lines"
        line = line_trace(epochs, values, colour, name, unit).update(
            line={"width": 2, "dash": dash}, mode=mode
        )
        figure.add_trace(line.update(legendgroup=name, showlegend=name not in seen), row=row, col=1)
        seen.add(name)
    # The best epoch.
    best = int(curves["valid_bound"].argmax())
    row = next(i for i, (_, _, columns) in enumerate(panels, 1) if "validation" in columns)
    star = {"symbol": "star", "size": 12, "color": KL, "line": {"width": 1, "color": CHANGE}}
    mark = go.Scatter(
        x=epochs[[best]],
        y=curves["valid_bound"][[best]],
        mode="markers",
        marker=star,
        name="best checkpoint",
    )
    figure.add_trace(mark, row=row, col=1)
    # The axes.
    for row, (title, _, columns) in enumerate(panels, 1):
        if title.startswith(bound):  # the first epochs are far below all others
            values = np.concatenate([curves[column] for column in columns.values()])
            share = 0.2 if len(epochs) >= 10 else 0  # of a few epochs, each is worth seeing
            low, high = float(np.quantile(values, share)), float(values.max())
            margin = 0.1 * (high - low) + 1e-3
            figure.update_yaxes(range=[low - margin, high + margin], row=row, col=1)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    figure.update_layout(margin_t=72)
    return figure


def compared_curves_figure(
    curves: Mapping[str, Mapping[str, Float[np.ndarray, "_"]]], bound: str, unit: str
) -> go.Figure:
    """The validation curves of several runs over epochs: bound and KL, a colour for each run.

    Args:
        curves: By the name of each run, the columns of its ``curves.csv``.
        bound: What the bounds are called.
        unit: Of their values.

    Returns:
        A figure of two panels. A star marks the best epoch of each run.
    """
    figure = stacked_panels(
        [f"{bound}, validation", "KL, validation"], [1.0, 1.0], [unit, unit], "epoch"
    )
    colours = dict(zip(curves, cycle(OVERLAID), strict=False))
    for row, column in enumerate(("valid_bound", "valid_kl"), 1):
        for name, own in curves.items():
            line = line_trace(own["epoch"], own[column], colours[name], name, unit)
            mode = "lines+markers" if len(own["epoch"]) < 30 else "lines"
            line.update(line={"width": 2}, mode=mode, legendgroup=name, showlegend=row == 1)
            figure.add_trace(line, row=row, col=1)
    for name, own in curves.items():
        best = int(own["valid_bound"].argmax())
        mark = go.Scatter(
            x=own["epoch"][[best]],
            y=own["valid_bound"][[best]],
            mode="markers",
            marker={"symbol": "star", "size": 12, "color": colours[name]},
            name=f"{name}, best",
            legendgroup=name,
            showlegend=False,
        )
        figure.add_trace(mark, row=1, col=1)
    # The first epochs are far below all others.
    low = min(float(np.quantile(own["valid_bound"], 0.2)) for own in curves.values())
    high = max(float(own["valid_bound"].max()) for own in curves.values())
    margin = 0.1 * (high - low) + 1e-3
    figure.update_yaxes(range=[low - margin, high + margin], row=1, col=1)
    figure.update_layout(
        showlegend=True,
        margin_t=72,
        legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return figure
