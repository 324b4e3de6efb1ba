"""The page of results: the paper's tables beside ours, and the commands that make a figure again."""

import numpy as np
import streamlit as st

from srnn_lab.plots import results_figure
from srnn_lab.results import RESULTS, Result, read_results
from srnn_lab.tables import TABLES, Figure, Table, make_tables
from srnn_lab.views.shared import explain, show_figure

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
        show_charts(table, f"{name}-{i}")
    explain(
        "Nats per frame (or per sequence, where the line above a table says so), averaged over the test set: **micro** "
        "over all frames, **macro** over sequences first. ± is one standard error over sequences. **IWAE-128** and "
        "**FIVO-128** are tighter bounds from 128 paths or particles.\n\n"
        "**Look for**: differences that are large beside their standard errors, within one column. A gap between the "
        "ELBO and the tighter bounds of a row says how much of its deficit is the posterior's and not the model's.",
        r"\mathcal{F} \le \mathcal{L}_{\text{IWAE-}K} \le \log p(x_{1:T}), \quad "
        r"\mathcal{L}_{\text{FIVO-}K} \le \log p(x_{1:T})",
        {
            "03_bound": "derives the ELBO",
            "09_music": "has Table 2",
            "10_beyond_the_paper": "tightens the bound and has the family",
        },
    )
    st.subheader("Make a figure again")
    if not results:
        st.info("No row is recorded yet; `srnn-lab evaluate CHECKPOINT --record` records one.")
        return
    show_row(results[st.selectbox("Row", list(results), key="row", bind="query-params")])


def show_charts(table: Table, key: str) -> None:
    """Each column of figures with its standard errors; two beside each other, on a phone all below each other."""
    columns = [i for i in range(len(table.header)) if any(isinstance(row[i], Figure) for row in table.rows)]
    places = [place for _ in columns[::2] for place in st.columns(2)]
    for place, i in zip(places, columns, strict=False):
        rows = [row for row in table.rows if isinstance(row[i], Figure)]
        values = np.array([[float(row[i].value)] for row in rows])
        errors = np.array([[np.nan if row[i].se is None else row[i].se] for row in rows])
        published = np.array([[row[i].published] for row in rows])
        figure = results_figure([f"{row[0]}" for row in rows], [table.header[i]], values, errors, published)
        best = rows[int(values.argmax())]
        alt = f"{table.header[i]}: {len(rows)} figures in nats; the highest is that of {best[0]}, {values.max():.2f}."
        with place:
            show_figure(figure, f"{key}-{i}", alt)


def show_row(result: Result) -> None:
    """The commands of a row, and what its figure was measured with."""
    st.code("\n".join(result.commands), language="bash", wrap_lines=True)
    if result.checkpoint:
        st.caption(f"The checkpoint is bundled; it was trained by `{result.train}`.")
    st.caption(f"`srnn-lab reproduce {result.row} --run` runs this.")
    with st.expander("All that is recorded"):
        st.json(result.to_dict())
