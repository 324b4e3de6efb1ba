"""What comes after a table: fans of intervals, and how good they were where it is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.analysis.export import csv_text, forecast_csv
from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.cache import Choice, cache_data
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.panels.keep import Files, stem_of
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.words import explain, number
from srnn_lab.data.kinds import name_and_unit
from srnn_lab.inference.forecasting import Forecast, forecast
from srnn_lab.pictures.charts import fan_figure, line_figure
from srnn_lab.pictures.colours import SIGNAL

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Edges of the intervals of 90 % and 50 %, and the median."""
STEPS, PATHS = 24, 200
"""Rows and paths until others are asked for."""
MAX_STEPS, MAX_PATHS = 1000, 1000
MOST_PAST = 500
"""Rows that a forecast is given: so many paths through more would take seconds."""
SHOWN = 4
"""Columns that have a chart each until others are chosen."""


@cache_data(max_entries=16, show_spinner="Drawing the forecast …")
def cached_forecast(
    path: str,
    modified: float,
    content: ClipBytes,
    name: str,
    semitones: int,
    stop: int,
    steps: int,
    paths: int,
) -> Forecast:
    """Paths after the rows of a table before ``stop``, with times from the table's start."""
    choice = Choice(path, modified, content, name, semitones)
    table, kind = choice.signal, choice.checkpoint.config.data.kind
    past = table[max(0, stop - MOST_PAST) : stop]
    _, u = kind.parts(table[stop : stop + steps]) if kind.input_names else (None, None)
    found = forecast(choice.checkpoint, past, steps, u=u, paths=paths)
    # Without its density, a function, which cannot be kept.
    return replace(found, times=found.times + (stop - len(past)) / kind.rate, log_px=None)


def show_forecast(choice: Choice) -> tuple[list[go.Figure], Files]:
    """The panel: what is asked for, a fan for each column, and scores against what came.

    Returns:
        The charts, and a file of the quantiles.
    """
    data, table = choice.checkpoint.config.data, choice.signal
    columns = data.kind.parts(table)[0]
    names = data.kind.column_names(columns)
    st.subheader("Forecast", anchor="forecast")
    if len(table) < 3:
        st.info("A table of fewer than 3 rows is too short to forecast from.")
        return [], {}
    held, steps, paths = _asked(choice, columns)
    stop = len(table) - held
    found = cached_forecast(*choice, stop, steps, paths)
    if data.values == "category":
        _say(choice, stop, steps, paths, False)
        return _show_categories(choice, found, columns[stop : stop + steps, 0], stop)
    came = np.full_like(found.mean, np.nan)
    came[: len(table) - stop] = columns[stop : stop + steps]
    _say(choice, stop, steps, paths, bool(np.isfinite(came).any()))
    if np.isfinite(came).any():
        st.table(score_table(found, came, columns[:stop], names))
    shown = names[:SHOWN]
    if len(names) > SHOWN:
        shown = st.pills(
            "Columns",
            names,
            selection_mode="multi",
            default=shown,
            key=owned("fans", choice.model),
        )
    charts = [
        _fan(choice, found, names.index(name), name, columns[:stop], came) for name in shown or []
    ]
    for name, figure in zip(shown or [], charts, strict=True):
        alt = f"{name}: observed, and a forecast of {steps} rows with intervals of 50 and 90 %."
        show_chart(figure, f"fan-{name}", alt)
    explain(
        "How is it drawn, and what are the scores?",
        "Along each path, z is drawn from the posterior of the rows before, then from the prior, "
        "and each drawn row is the next input. The bands hold the middle 50 % and 90 % of the "
        "paths, the line is their median. **CRPS** is the mean distance of the draws from what "
        "came, less half their mean distance from one another, in the unit of the column: lower is "
        "better, and of a certain forecast it is the absolute error, as for the **last value** "
        "beside it. **Coverage** is the share of what came that lies in an interval. Rows that "
        "follow each other are alike, so one forecast says little of an interval.\n\n**Look for**: "
        "a CRPS well below that of the last value, and coverage near 50 and 90 %. Known inputs of "
        "the rows to come are those of the table: leave its other columns empty there to forecast "
        "what nobody knows yet.",
        r"\mathrm{CRPS} = \mathbb{E}|X - x_t| - \tfrac12\, \mathbb{E}|X - X'|",
        {"11_your_own_sequences#A forecast": "makes one in Python"},
    )
    return charts, _csv_file(lambda: forecast_csv(found, names), stop)


def _show_categories(
    choice: Choice, found: Forecast, came: np.ndarray, stop: int
) -> tuple[list[go.Figure], Files]:
    """How many of the paths are in each category; they have no order, so no intervals either."""
    shares = category_shares(found, choice.checkpoint.config.model.x_dim)
    if len(came):
        given = float(np.mean([shares[f"{int(value)}"][t] for t, value in enumerate(came)]))
        st.markdown(f"What came was drawn by **{_percent(given)}** of the paths, on average.")
    unit = f"time ({choice.checkpoint.config.data.kind.time_unit})"
    figure = line_figure(found.times, shares, unit, "share of the paths")
    show_chart(figure, "fan-categories", "The share of the paths that are in each category.")
    table = {"time": found.times, **shares}
    return [figure], _csv_file(lambda: csv_text(table), stop)


def category_shares(found: Forecast, categories: int) -> dict[str, np.ndarray]:
    """The share of the paths in each category, step by step, by its number."""
    drawn = found.samples[:, :, 0]
    return {f"{i}": np.mean(drawn == i, axis=0) for i in range(categories)}


def _csv_file(content: Callable[[], str], stop: int) -> Files:
    return {"Forecast (CSV)": (content, f"forecast from row {stop + 1}.csv")}


def _asked(choice: Choice, columns: np.ndarray) -> tuple[int, int, int]:
    """How many rows are held back, how many are forecast, and by how many paths."""
    rows, inputs = len(columns), bool(choice.checkpoint.config.data.kind.input_names)
    known = np.flatnonzero(np.isfinite(columns).any(axis=1))
    empty = rows - 1 - int(known[-1]) if len(known) else rows  # rows to come, at the end
    most = rows - 2
    first = min(empty or STEPS, most if empty else max(1, rows // 5))
    left, middle, right = st.columns(3)
    held = left.number_input(
        "Hold back the last rows",
        min(1, int(inputs)),
        most,
        first,
        key=owned("held", stem_of(choice), rows),
        help="The forecast does not see these rows, and is compared with them. 0: from the end of "
        "the table. Rows at its end without any value are always to come.",
    )
    held = max(int(held), min(empty, most))
    limit = held if inputs else MAX_STEPS
    steps = middle.number_input(
        "Rows to forecast",
        1,
        limit,
        min(held or STEPS, limit),
        key=owned("steps", stem_of(choice), limit, held),
        help="At most as many as are held back, since their known inputs are read there."
        if inputs
        else None,
    )
    paths = right.number_input("Paths", 20, MAX_PATHS, PATHS, 20, key="paths")
    return held, int(steps), int(paths)


def _say(choice: Choice, stop: int, steps: int, paths: int, known: bool) -> None:
    inputs = choice.checkpoint.config.data.kind.input_names
    given = (
        f"the last {MOST_PAST} of the first {stop:,}" if stop > MOST_PAST else f"the first {stop}"
    )
    st.caption(
        f"{paths} paths of {steps} row{'s' * (steps > 1)}, given {given} rows"
        + (" and the known inputs of the rows to come" if inputs else "")
        + ("; below, how good they are against what came." if known else ".")
    )


def score_table(
    found: Forecast, came: np.ndarray, past: np.ndarray, names: list[str]
) -> dict[str, list[str]]:
    """How good a forecast was, column by column, beside the last value that was observed."""
    crps, table = found.crps(came), {}
    for i, name in enumerate(names):
        label, unit = name_and_unit(name)
        column = Forecast(found.samples[:, :, [i]], found.times)
        seen, known = past[np.isfinite(past[:, i]), i], np.isfinite(came[:, i])
        last = np.abs(came[known, i] - seen[-1]).mean() if len(seen) and known.any() else np.nan
        score = crps[known, i].mean() if known.any() else np.nan
        row = {
            "column": label,
            "unit": unit,
            "CRPS": _or_dash(score),
            "CRPS of the last value": _or_dash(last),
            **{
                f"in the {100 * share:.0f} % interval": _percent(
                    column.coverage(came[:, [i]], share)
                )
                for share in (0.5, 0.9)
            },
        }
        for title, text in row.items():
            table.setdefault(title, []).append(text)
    return table


def _or_dash(value: float | np.floating) -> str:
    return number(value, 3) if np.isfinite(value) else "–"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if np.isfinite(share) else "–"


def _fan(
    choice: Choice, found: Forecast, i: int, name: str, past: np.ndarray, came: np.ndarray
) -> go.Figure:
    """The end of what was observed of a column, the fan after it, and what came."""
    data, steps = choice.checkpoint.config.data, len(found.times)
    label, unit = name_and_unit(name)
    begin = max(0, len(past) - max(60, 3 * steps))
    times = choice.checkpoint.frontend.times(len(past))[begin:]
    quantiles = {share: found.quantile(share)[:, i] for share in QUANTILES}
    figure = fan_figure(
        (times, past[begin:, i]),
        found.times,
        quantiles,
        f"time ({data.kind.time_unit})",
        unit or "value",
        label,
        came[:, i] if np.isfinite(came[:, i]).any() else None,
    )
    figure.update_traces(
        mode="lines+markers", marker_size=3, selector={"name": "observed"}
    )  # a value between two gaps is a point
    figure.update_traces(marker_color=SIGNAL, marker_size=5, selector={"name": "came"})
    figure.update_layout(
        height=350, margin={"r": 8, "b": 100}, legend={"y": -0.22, "yanchor": "top"}
    )  # on a phone the legend takes two lines
    return figure
