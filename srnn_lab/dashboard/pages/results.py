"""The page of results: the paper's tables beside ours, and the commands that reproduce a number."""

import json
import re

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.checkpoint import list_checkpoints
from srnn_lab.dashboard.linked import choose_linked
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.panels.figure3 import show_figure3
from srnn_lab.dashboard.panels.keep import chart_files, keep
from srnn_lab.dashboard.panels.use_of_z import cached_use_on_clips
from srnn_lab.dashboard.words import explain, number, plain
from srnn_lab.inference.use_of_z import ADVICE, LITTLE
from srnn_lab.pictures.charts import results_figure
from srnn_lab.reports.records import RESULTS, Result, read_results
from srnn_lab.reports.table import Figure, Table, rows_of
from srnn_lab.reports.tables import TABLES, make_tables

LABELS = {
    "table2": "Table 2",
    "field": "Compared with published results",
    "family": "The family",
    "fivo": "Training on FIVO",
    "objectives": "Objectives",
    "systems": "Every system of the paper",
    "table1": "Table 1",
    "figure3": "Figure 3",
    "probe": "Phones",
    "bundled": "Bundled checkpoints",
}

STYLE = """<style>
@media (max-width: 640px) { [data-testid="stTable"] td:last-child { min-width: 10rem; } }
</style>"""
"""On a phone, a source has a few words a line; with one, a row would be as high as a page."""
FORMER_LABELS = {"Against the field": "field"}
"""What older addresses call a table."""


def show() -> None:
    """The page."""
    st.html(STYLE)
    st.caption(
        "Bounds on the log-likelihood of test data, in nats; higher is better. Only numbers in "
        "the same column are comparable: the line above a table names the version of the data and "
        "how the numbers were made. A dash means that nothing is recorded."
    )
    show_figure3()
    # The table that is chosen; older addresses have another name for it.
    results = read_results(RESULTS)
    if (
        former := FORMER_LABELS.get(st.query_params.get("table", ""))
    ) and "table" not in st.session_state:
        st.session_state["table"] = former
    name = st.segmented_control(
        "Table",
        list(TABLES),
        default="table2",
        required=True,
        format_func=LABELS.__getitem__,
        key="table",
        bind="query-params",
    )
    # The tables and their charts.
    tables = make_tables(name, results)
    charts = []
    for i, table in enumerate(tables):
        show_table(table)
        charts += show_charts(table, f"{name}-{i}")
    explain(
        "What do the numbers mean?",
        "Nats per frame (or per sequence, where the line above a table says so), averaged over "
        "the test set: **micro** over all frames, **macro** over sequences first. ± is one "
        "standard error over sequences. **IWAE-128** and **FIVO-128** are tighter bounds from 128 "
        "paths or particles.\n\n**Look for**: differences that are large compared with their "
        "standard errors, within one column. The gap between the ELBO and the tighter bounds of a "
        "row is a lower bound on what the posterior costs, rather than the model.",
        r"\mathcal{F} \le \mathcal{L}_{\text{IWAE-}K} \le \log p(x_{1:T}), \quad "
        r"\mathcal{L}_{\text{FIVO-}K} \le \log p(x_{1:T})",
        {
            "03_bound#A bound on the evidence": "derives the ELBO",
            "09_music#Table 2, sorted": "has Table 2",
            "10_beyond_the_paper#Importance weights": "tightens the bound and has the family",
        },
    )
    # The commands of one row.
    st.subheader("Reproduce a number")
    rows = {
        found.row: found
        for table in tables
        for row in table.rows
        for found in rows_of(results, f"{row[-1]}")
    }
    if not rows:
        st.info(
            "Nothing is recorded for this table yet; `srnn-lab evaluate CHECKPOINT --record` adds "
            "a record."
        )
    else:
        show_row(rows[choose_linked(st.selectbox, "Row", list(rows), "row")])
    keep(
        f"srnn_lab, {LABELS[name]}",
        {
            **chart_files(*charts),
            "Tables (Markdown)": ("\n\n".join(table.markdown() for table in tables), "tables.md"),
            "Tables (JSON)": (
                json.dumps([table.to_dict() for table in tables], indent=1),
                "tables.json",
            ),
        },
        "The JSON has all digits.",
    )


def show_table(table: Table) -> None:
    """A table, which scrolls by itself where a page is too narrow for it."""
    st.markdown(f"**{table.title}.** {table.caption}")
    columns = {title: [in_one_line(text) for text in texts] for title, *texts in table.columns()}
    st.table(columns, hide_header=False)
    if "row" in table.header[-1] and not table.measured:
        st.caption("We have not recorded any number here yet.")


def in_one_line(text: str) -> str:
    """A cell whose number stays in one line with its standard error, with a true minus sign."""
    text = text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def show_charts(table: Table, key: str) -> list[go.Figure]:
    """Each column with measured results; two beside each other, on a phone all below each other."""
    charts = []
    figures = [
        [cell for row in table.rows if isinstance(cell := row[i], Figure)]
        for i in range(len(table.header))
    ]
    columns = [i for i, column in enumerate(figures) if not all(cell.published for cell in column)]
    if any(cell.published for i in columns for cell in figures[i]):
        st.caption("Filled circles: ours; open diamonds: published.")
    trained = [i for i, title in enumerate(table.header) if title == "trained on"]
    places = [place for _ in columns[::2] for place in st.columns(2)]
    for place, i in zip(places, columns, strict=False):
        rows = [(row, cell) for row in table.rows if isinstance(cell := row[i], Figure)]
        labels = [", ".join(f"{row[j]}" for j in (0, *trained)) for row, _ in rows]
        values = np.array([float(cell.value) for _, cell in rows])
        errors = np.array([np.nan if cell.se is None else cell.se for _, cell in rows])
        published = np.array([cell.published for _, cell in rows])
        figure = results_figure(labels, table.header[i], values, errors, published)
        best = labels[values.argmax()]
        alt = (
            f"{table.header[i]}: {len(rows)} results in nats; the highest is that of {best}, "
            f"{number(values.max())}."
        )
        with place:
            show_chart(figure, f"{key}-{i}", alt)
        charts.append(
            go.Figure(figure).update_layout(title_text=f"{table.title}: {table.header[i]}")
        )
    return charts


def show_row(result: Result) -> None:
    """The commands of a row, and what its number was measured with."""
    st.code("\n".join(result.commands), language="bash", wrap_lines=True)
    if result.checkpoint:
        st.caption(f"The checkpoint is bundled; it was trained by `{result.train}`.")
    st.caption(f"`srnn-lab reproduce {result.row} --run` runs this.")
    show_use(result)
    with st.expander("The record of this row"):
        st.json(result.to_dict())


def show_use(result: Result) -> None:
    """How much the model of a row uses z: by its record and, of a bundled one, on clips."""
    said = []
    if (kl := result.figures.get("kl")) and (elbo := result.figures.get("elbo")) is not None:
        per = "sequence" if result.average == "sequence" else "frame"
        share = f" ({-kl / elbo:.1%} of the negative ELBO)" if kl + elbo < 0 else ""
        little = f" z is hardly used. {ADVICE}" if per == "frame" and kl < LITTLE else ""
        said.append(f"On the {result.split} data the KL is {kl:.3g} nats per {per}{share}.{little}")
    if path := list_checkpoints().get(result.checkpoint):
        use, clips = cached_use_on_clips(str(path), path.stat().st_mtime)
        if use is not None:
            of = f"{clips} bundled clips" if clips > 1 else "a bundled clip"
            said.append(f"On {of}, {use.sentence()}")
    if said:
        st.markdown(f"**Is z used?** {plain(' '.join(said))}")
