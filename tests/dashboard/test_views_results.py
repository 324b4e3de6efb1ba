"""The page of results with Streamlit's AppTest."""

import html
import json
import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest
from tiny import a_result
from views import kept_by

from srnn_lab.config import PRESETS, TrainConfig
from srnn_lab.dashboard.pages import results as view
from srnn_lab.reports.records import record
from srnn_lab.reports.tables import TABLES, make_tables

# Streamlit warns of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page, on a results file that is still empty."""
    file = tmp_path / "results.jsonl"
    file.touch()
    monkeypatch.setattr(view, "RESULTS", file)
    page = AppTest.from_string(
        "from srnn_lab.dashboard.pages import results\nresults.show()", default_timeout=60
    )
    page.file = file
    return page


def figures(page):
    return [chart.proto.spec for chart in page.get("plotly_chart")]


def test_every_table_has_its_label():
    assert view.LABELS.keys() == TABLES.keys()


@pytest.mark.parametrize("name", TABLES)
def test_without_recorded_rows_each_table_is_shown_with_what_is_published_and_no_figure(page, name):
    page.query_params["table"] = view.LABELS[name]
    page.run()
    assert not page.exception
    tables = make_tables(name, {})
    shown = [m.value for m in page.markdown]
    assert [f"**{table.title}.** {table.caption}" for table in tables] == shown[: len(tables)]
    assert [list(t.value.columns) for t in page.table] == [
        [title for title, *_ in t.columns()] for t in tables
    ]
    assert not figures(page)
    empty = [
        caption.value
        for caption in page.caption
        if caption.value == "We have not recorded any number here yet."
    ]
    assert len(empty) == sum("row" in table.header[-1] for table in tables)
    assert "srnn-lab evaluate CHECKPOINT --record" in page.info[0].value


def test_a_recorded_row_is_shown_with_its_convention_its_errors_and_its_command(page):
    figures_of_it = {"elbo": -4.321, "elbo_se": 0.25}
    conventions = {"data": "fraccaro/jsb", "average": "macro", "first_frame": False}
    record(a_result("table2/jsb/seed1", figures=figures_of_it, **conventions), page.file)
    page.run()
    assert not page.exception
    assert "fraccaro/SET (test), macro average, first frame not scored" in page.markdown[0].value
    paper, ours, _, _ = page.table[0].value["JSB chorales"]
    assert (paper, ours.split("\N{NO-BREAK SPACE}")) == ("−4.74", ["−4.32", "±", "0.25"])
    (only,) = page.get("plotly_chart")  # of the sets, one has a figure of ours
    assert "JSB chorales" in only.proto.spec
    assert json.loads(only.proto.config)["displayModeBar"] is False
    captions = [caption.value for caption in page.caption]
    assert "Filled circles: ours; open diamonds: published." in captions
    assert captions.count("We have not recorded any number here yet.") == 1  # of TSBN
    assert page.code[0].value.splitlines() == a_result("table2/jsb/seed1", **conventions).commands
    assert any("srnn-lab reproduce table2/jsb/seed1 --run" in caption for caption in captions)


def test_tables_and_charts_can_be_kept(page, monkeypatch):
    kept = kept_by("results", monkeypatch)
    page.run()
    assert list(kept) == ["Tables (Markdown)", "Tables (JSON)"]  # nothing is drawn yet
    conventions = {"data": "fraccaro/jsb", "average": "macro", "first_frame": False}
    record(
        a_result("table2/jsb/seed1", figures={"elbo": -4.321, "elbo_se": 0.25}, **conventions),
        page.file,
    )
    page.run()
    assert "| SRNN smooth+Res_q (ours)" in kept["Tables (Markdown)"]
    assert json.loads(kept["Tables (JSON)"])[0]["rows"][1][2]["value"] == -4.321
    assert "Table 2: SRNN, on its authors' version of the data: JSB chorales" in html.unescape(
        kept["Charts (HTML)"]
    )


def test_a_row_is_chosen_of_those_in_the_open_table(page):
    measured = {"data": "bl/jsb", "average": "micro", "first_frame": True}
    for row in ("bundled/a", "fivo/bl-jsb/vrnn", "family/bl-jsb/rnn", "family/bl-jsb/vrnn"):
        record(a_result(row, figures={"elbo": -7.0, "fivo:128": -6.5}, **measured), page.file)
    page.query_params["table"] = view.LABELS["family"]
    page.run()
    assert page.selectbox(key="row").options == ["family/bl-jsb/rnn", "family/bl-jsb/vrnn"]
    page.selectbox(key="row").select("family/bl-jsb/vrnn").run()
    assert "runs/family-bl-jsb-vrnn" in page.code[0].value
    page.segmented_control(key="table").set_value("bundled").run()
    assert not page.exception
    assert page.selectbox(key="row").value == "bundled/a"
    assert "bundled/a" in page.code[0].value
    assert "Filled circles: ours; open diamonds: published." not in [
        caption.value for caption in page.caption
    ]


def test_what_a_model_was_trained_on_tells_its_dots_apart(page):
    measured = {"data": "bl/jsb", "average": "micro", "first_frame": True}
    measured["figures"] = {"elbo": -7.0, "fivo:128": -6.5}
    config = replace(PRESETS["bl-jsb"], train=TrainConfig(objective="fivo", num_particles=8))
    record(a_result("family/bl-jsb/vrnn", **measured), page.file)
    record(a_result("fivo/bl-jsb/vrnn", config=config, **measured), page.file)
    page.query_params["table"] = view.LABELS["fivo"]
    page.run()
    elbo, fivo, gain = (json.loads(spec)["layout"]["yaxis"]["ticktext"] for spec in figures(page))
    assert elbo == fivo == ["VRNN, elbo", "VRNN, fivo:8"]
    assert gain == ["VRNN, fivo:8"]


@pytest.mark.parametrize(
    ("changes", "said", "not_said"),
    [
        (
            {"figures": {"elbo": -5.0, "kl": 0.002}},
            "On the test data the KL is 0.002 nats per frame (0.0% of the negative ELBO). z is "
            "hardly used. To train it to be used, try --free-bits",
            "clip",
        ),
        (
            {"figures": {"elbo": -8.0, "kl": 2.0}, "checkpoint": "jsb"},
            "the KL is 2 nats per frame (25.0% of the negative ELBO). On 6 bundled clips, z is "
            "used: the KL is",
            "hardly",
        ),
        ({"figures": {"elbo": 300.0, "kl": 60.0}}, "the KL is 60 nats per frame.", "%"),
        (
            {"figures": {"elbo": -50.0, "kl": 0.05}, "average": "sequence"},
            "the KL is 0.05 nats per sequence (0.1% of",
            "hardly",
        ),
        ({"figures": {"elbo": -50.0, "kl": 0.0}}, "", "z"),
    ],
)
def test_a_row_says_whether_z_is_used(monkeypatch, changes, said, not_said):
    shown = []
    monkeypatch.setattr(view.st, "markdown", shown.append)
    view.show_use(a_result("x", **changes))
    text = re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", "".join(shown))
    assert said in text
    assert not_said not in text.removeprefix("**Is z used?**").replace("z is used", "")
    assert bool(said) == bool(text)
