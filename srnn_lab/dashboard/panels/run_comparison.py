"""Several runs side by side: their curves in one chart, and what differs between their settings."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from srnn_lab.checkpoint import Header
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.words import number, plain
from srnn_lab.pictures.charts import compared_curves_figure
from srnn_lab.training.runs import progress, read_curves

MOST = 5
"""Runs beside the chosen one; more could not be told apart."""


def show_comparison(name: str, runs: Mapping[str, Path]) -> None:
    """A box for other runs and, once some are chosen, their curves and settings.

    Args:
        name: Of the run that is shown above.
        runs: All runs.
    """
    others = [other for other in runs if other != name]
    if not others:
        return
    st.subheader("Compare runs", anchor="compare")
    chosen = st.multiselect(
        f"Compare {plain(name)} with",
        others,
        max_selections=MOST,
        key="others",
        bind="query-params",
        placeholder="Choose other runs",
    )
    if not chosen:
        return
    headers, curves, waiting = {}, {}, []
    for other in (name, *chosen):
        header, own = progress(runs[other]).header, read_curves(runs[other])
        if header and len(own["epoch"]):
            headers[other], curves[other] = header, own
        else:
            waiting.append(other)
    if waiting:
        st.caption(plain(f"No whole epoch yet: {', '.join(waiting)}."))
    if name not in headers or len(headers) < 2:
        return
    # A bound on other data, or over another unit, has another scale.
    first = headers[name].config
    unit = first.evaluation.unit
    alike = {
        other: own for other, own in curves.items() if headers[other].config.evaluation.unit == unit
    }
    if left_out := [other for other in curves if other not in alike]:
        st.caption(plain(f"Not in the chart, as it is not in {unit}: {', '.join(left_out)}."))
    bounds = {headers[other].config.train.bound.upper() for other in alike}
    figure = compared_curves_figure(alike, bounds.pop() if len(bounds) == 1 else "Bound", unit)
    best = max(alike, key=lambda other: alike[other]["valid_bound"].max())
    show_chart(
        figure,
        "compared",
        f"Validation curves of {', '.join(alike)}. The bound of {best} is the highest, "
        f"{number(alike[best]['valid_bound'].max())} {unit}.",
    )
    if len({headers[other].config.data for other in alike}) > 1:
        st.caption("They were trained on different data, so their bounds cannot be compared.")
    st.table(comparison_table(headers, {n: own["valid_bound"].max() for n, own in curves.items()}))


def comparison_table(
    headers: Mapping[str, Header], bounds: Mapping[str, float]
) -> dict[str, list[str]]:
    """What differs between runs, and what came of it.

    Args:
        headers: By name, the configuration and the scores of each run; the first is that which the
            others are compared with.
        bounds: The best validation bound of each.

    Returns:
        Columns of words: the names of the figures and of the settings that are not the same in all
        runs, and each run's.
    """
    configs = {name: header.config for name, header in headers.items()}
    settings = {name: config.settings() for name, config in configs.items()}
    first = next(iter(configs.values()))
    differing = list(
        dict.fromkeys(
            setting for config in configs.values() for setting in config.differences(first)
        )
    )
    rows = {
        "test ELBO (sequences)": [_tested(header) for header in headers.values()],
        "best validation bound": [number(bounds[name]) for name in headers],
        "best epoch": [str(header.scores.get("epoch", "–")) for header in headers.values()],
    }
    for setting in differing:
        rows[setting.replace("_", " ")] = [_value(own[setting]) for own in settings.values()]
    columns = zip(*rows.values(), strict=True)
    return {"": list(rows)} | {
        plain(name): list(own) for name, own in zip(headers, columns, strict=True)
    }


def _value(value: object) -> str:
    if isinstance(value, str):
        return plain(Path(value).name or "none")
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}"


def _tested(header: Header) -> str:
    test = header.scores.get("test")
    return f"{number(test['elbo'])} ({test.get('sequences', '?')})" if test else "–"
