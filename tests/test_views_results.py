"""The page of results with Streamlit's AppTest."""

import pytest
from streamlit.testing.v1 import AppTest
from tiny import a_result

from srnn_lab.results import record
from srnn_lab.tables import TABLES, Figure, make_tables
from srnn_lab.views import results as view

# Streamlit warns of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page, on a results file that is still empty."""
    file = tmp_path / "results.jsonl"
    file.touch()
    monkeypatch.setattr(view, "RESULTS", file)
    page = AppTest.from_string("from srnn_lab.views import results\nresults.show()", default_timeout=60)
    page.file = file
    return page


def figures(page):
    return [chart.proto.spec for chart in page.get("plotly_chart")]


def test_every_table_has_its_label():
    assert view.LABELS.keys() == TABLES.keys()


@pytest.mark.parametrize("name", TABLES)
def test_without_recorded_rows_each_table_is_shown_with_what_is_published(page, name):
    page.query_params["table"] = view.LABELS[name]
    page.run()
    assert not page.exception
    tables = make_tables(name, {})
    shown = [m.value for m in page.markdown]
    assert [table.markdown() for table in tables] == shown[: len(tables)]
    figured = [{i for row in t.rows for i, cell in enumerate(row) if isinstance(cell, Figure)} for t in tables]
    assert len(figures(page)) == sum(map(len, figured))
    assert any(figured) == (name in ("table2", "field", "table1"))
    assert "srnn-lab evaluate CHECKPOINT --record" in page.info[0].value


def test_a_recorded_row_is_shown_with_its_convention_its_errors_and_its_command(page):
    figures_of_it = {"elbo": -4.321, "elbo_se": 0.25}
    conventions = {"data": "fraccaro/jsb", "average": "macro", "first_frame": False}
    record(a_result("table2/jsb/seed1", figures=figures_of_it, **conventions), page.file)
    page.run()
    assert not page.exception
    shown = page.markdown[0].value
    assert "fraccaro/SET (test), macro average, first frame not scored" in shown
    assert "-4.32 ± 0.25" in shown
    assert "-4.74" in shown
    assert "measured here" in figures(page)[0]
    assert page.code[0].value.splitlines() == a_result("table2/jsb/seed1", **conventions).commands
    assert "srnn-lab reproduce table2/jsb/seed1 --run" in page.caption[-1].value


def test_a_row_is_chosen_and_tables_are_switched(page):
    for row in ("first", "second"):
        record(a_result(row), page.file)
    page.run()
    page.selectbox(key="row").select("second").run()
    assert "runs/second" in page.code[0].value
    page.segmented_control(key="table").set_value("family").run()
    assert not page.exception
    assert "The family on bl/jsb" in page.markdown[1].value
    assert "runs/second" in page.code[0].value
