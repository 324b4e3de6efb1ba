"""The page of results: the paper's tables beside ours, and the commands that make a figure again."""

import json

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from srnn_lab.dashboard.choice import explain, show_figure
from srnn_lab.dashboard.panels.figure3 import show_figure3
from srnn_lab.dashboard.panels.keep import chart_files, keep
from srnn_lab.dashboard.sidebar import choose_linked
from srnn_lab.pictures.charts import results_figure
from srnn_lab.reports.records import RESULTS, Result, read_results
from srnn_lab.reports.tables import TABLES, Figure, Table, make_tables, rows_of

LABELS = {
    "table2": "Table 2",
    "field": "Against the field",
    "family": "The family",
    "fivo": "Training on FIVO",
    "table1": "Table 1",
    "figure3": "Figure 3",
    "probe": "Phones",
    "bundled": "Bundled checkpoints",
}


def show() -> None:
    """The page."""
    st.caption(
        "Bounds on the log-likelihood of test data, in nats; higher is better. Only figures in one column of one table "
        "compare: the line above a table says on which version of the data they are, and how they are made. A dash "
        "stands where nothing is recorded."
    )
    show_figure3()
    results = read_results(RESULTS)
    name = st.segmented_control(
        "Table",
        list(TABLES),
        default="table2",
        required=True,
        format_func=LABELS.__getitem__,
        key="table",
        bind="query-params",
    )
    tables = make_tables(name, results)
    charts = []
    for i, table in enumerate(tables):
        show_table(table)
        charts += show_charts(table, f"{name}-{i}")
    explain(
        "Nats per frame (or per sequence, where the line above a table says so), averaged over the test set: **micro** "
        "over all frames, **macro** over sequences first. ± is one standard error over sequences. **IWAE-128** and "
        "**FIVO-128** are tighter bounds from 128 paths or particles.\n\n"
        "**Look for**: differences that are large beside their standard errors, within one column. A gap between the "
        "ELBO and the tighter bounds of a row says how much of its deficit is, at the least, the posterior's and not "
        "the model's.",
        r"\mathcal{F} \le \mathcal{L}_{\text{IWAE-}K} \le \log p(x_{1:T}), \quad "
        r"\mathcal{L}_{\text{FIVO-}K} \le \log p(x_{1:T})",
        {
            "03_bound": "derives the ELBO",
            "09_music": "has Table 2",
            "10_beyond_the_paper": "tightens the bound and has the family",
        },
    )
    st.subheader("Make a figure again")
    rows = {found.row: found for table in tables for row in table.rows for found in rows_of(results, f"{row[-1]}")}
    if not rows:
        st.info("No row of this choice is recorded yet; `srnn-lab evaluate CHECKPOINT --record` records one.")
    else:
        show_row(rows[choose_linked(st.selectbox, "Row", list(rows), "row")])
    keep(
        f"srnn-{name}",
        {
            **chart_files(*charts),
            "Tables (Markdown)": ("\n\n".join(table.markdown() for table in tables), "md"),
            "Tables (JSON)": (json.dumps([table.to_dict() for table in tables], indent=1), "json"),
        },
        "In the JSON, figures have all their digits.",
    )


def show_table(table: Table) -> None:
    """A table, which scrolls by itself where a page is too narrow for it."""
    st.markdown(f"**{table.title}.** {table.caption}")
    # A figure stays in one line with its standard error.
    st.table(
        {
            title: [text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}") for text in texts]
            for title, *texts in table.columns()
        },
        hide_header=False,
    )
    if "row" in table.header[-1] and not table.measured:
        st.caption("Nothing of ours is recorded here yet.")


def show_charts(table: Table, key: str) -> list[go.Figure]:
    """Each column with measured figures; two beside each other, on a phone all below each other."""
    charts = []
    figures = [[cell for row in table.rows if isinstance(cell := row[i], Figure)] for i in range(len(table.header))]
    columns = [i for i, column in enumerate(figures) if not all(figure.published for figure in column)]
    if any(figure.published for i in columns for figure in figures[i]):
        st.caption("Dots are measured here, open diamonds are published.")
    trained = [i for i, title in enumerate(table.header) if title == "trained on"]
    places = [place for _ in columns[::2] for place in st.columns(2)]
    for place, i in zip(places, columns, strict=False):
        rows = [(row, figure) for row in table.rows if isinstance(figure := row[i], Figure)]
        labels = [", ".join(f"{row[j]}" for j in (0, *trained)) for row, _ in rows]
        values = np.array([float(figure.value) for _, figure in rows])
        errors = np.array([np.nan if figure.se is None else figure.se for _, figure in rows])
        published = np.array([figure.published for _, figure in rows])
        figure = results_figure(labels, table.header[i], values, errors, published)
        best = labels[values.argmax()]
        alt = f"{table.header[i]}: {len(rows)} figures in nats; the highest is that of {best}, {values.max():.2f}."
        with place:
            show_figure(figure, f"{key}-{i}", alt)
        charts.append(go.Figure(figure).update_layout(title_text=f"{table.title}: {table.header[i]}"))
    return charts


def show_row(result: Result) -> None:
    """The commands of a row, and what its figure was measured with."""
    st.code("\n".join(result.commands), language="bash", wrap_lines=True)
    if result.checkpoint:
        st.caption(f"The checkpoint is bundled; it was trained by `{result.train}`.")
    st.caption(f"`srnn-lab reproduce {result.row} --run` runs this.")
    with st.expander("The record of this row"):
        st.json(result.to_dict())
