"""The page of results: the paper's tables beside ours, and the commands that make a figure again."""

import numpy as np
import streamlit as st

from srnn_lab.plots import results_figure
from srnn_lab.results import RESULTS, Result, read_results
from srnn_lab.tables import TABLES, Figure, Table, make_tables
from srnn_lab.views.shared import show_figure

LABELS = {
    "table2": "Table 2",
    "field": "Against the field",
    "family": "The family",
    "fivo": "Training on FIVO",
    "table1": "Table 1",
    "figure3": "Figure 3",
    "bundled": "Bundled checkpoints",
}


def show() -> None:
    """The page."""
    st.header("What does it reach?")
    st.caption(
        "Bounds on the log-likelihood of test data, in nats; higher is better. Only figures in one column of one table "
        "compare: the line above a table says on which version of the data they are, and how they are made. A dash "
        "stands where nothing is recorded."
    )
    results = read_results(RESULTS)
    name = st.segmented_control(
        "Table", list(TABLES), default="table2", required=True, format_func=LABELS.get, key="table", bind="query-params"
    )
    for i, table in enumerate(make_tables(name, results)):
        st.markdown(table.markdown())
        show_chart(table, f"{name}-{i}")
    st.subheader("Make a figure again")
    if not results:
        st.info("No row is recorded yet; `srnn-lab evaluate CHECKPOINT --record` records one.")
        return
    show_row(results[st.selectbox("Row", list(results), key="row", bind="query-params")])


def show_chart(table: Table, key: str) -> None:
    """The figures of a table with their standard errors, if it has any."""
    columns = [i for i in range(len(table.header)) if any(isinstance(row[i], Figure) for row in table.rows)]
    rows = [row for row in table.rows if any(isinstance(cell, Figure) for cell in row)]
    if not rows:
        return
    cells = [[row[i] if isinstance(row[i], Figure) else Figure(np.nan) for i in columns] for row in rows]
    values = np.array([[float(cell.value) for cell in row] for row in cells])
    errors = np.array([[np.nan if cell.se is None else cell.se for cell in row] for row in cells])
    published = np.array([[cell.published for cell in row] for row in cells])
    titles = [table.header[i] for i in columns]
    show_figure(results_figure([f"{row[0]}" for row in rows], titles, values, errors, published), key)


def show_row(result: Result) -> None:
    """The commands of a row, and what its figure was measured with."""
    st.code("\n".join(result.commands), language="bash", wrap_lines=True)
    if result.checkpoint:
        st.caption(f"The checkpoint is bundled; it was trained by `{result.train}`.")
    st.caption(f"`srnn-lab reproduce {result.row} --run` runs this.")
    with st.expander("All that is recorded"):
        st.json(result.to_dict())
