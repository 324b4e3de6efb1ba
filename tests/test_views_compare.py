"""The page Compare."""

import csv
import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from views import arrays_of, kept_by, open_view, save_runs, small_run, text_of

from srnn_lab.checkpoint import ASSETS, load_checkpoint
from srnn_lab.comparison import compare
from srnn_lab.data import read_signal
from srnn_lab.inspection import inspect_signal

pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns of things that are not ours
CLIP = ASSETS / "voice" / "agent-newlocation.flac"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four runs with the frames of ``voice-mel``, and two that have others."""
    found = tmp_path_factory.mktemp("compare")
    mel = small_run()
    save_runs(
        found,
        smooth=mel,
        filt=small_run(smoothing=False),
        plain=small_run(residual=False),
        larger=small_run(z_dim=5),
        raw=small_run("voice"),
        alone=replace(mel, data=replace(mel.data, frame_length=123)),
    )
    (found / "runs" / "broken").mkdir()
    (found / "runs" / "broken" / "best.safetensors").write_bytes(b"PK no checkpoint")
    return found


def open_page(folder, monkeypatch, checkpoint="runs/smooth", **params):
    return open_view("compare", checkpoint, monkeypatch, folder, **params)


def figure(page):
    (chart,) = page.get("plotly_chart")
    return json.loads(chart.proto.spec)


def test_the_tables_and_the_figure_are_those_of_the_models(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/filt", "runs/plain"])
    assert not page.exception
    names = ["runs/smooth", "runs/filt", "runs/plain"]
    models = {name: load_checkpoint(folder / name / "best.safetensors") for name in names}
    found = compare(models, {n: inspect_signal(m, read_signal(CLIP, m.config.data)) for n, m in models.items()})
    averages, moments = (table.value for table in page.dataframe)
    assert list(averages["model"]) == names
    assert list(averages["differs in"]) == ["–", "smoothing False", "residual False"]
    np.testing.assert_allclose(averages["bound"], found.elbo.mean(1), rtol=1e-4)
    np.testing.assert_allclose(
        averages["difference from runs/smooth"], found.elbo.mean(1) - found.elbo[0].mean(), rtol=1e-3, atol=1e-4
    )
    frames = found.moments(8, apart=4)
    np.testing.assert_allclose(moments["time (s)"], found.times[frames])
    np.testing.assert_allclose(moments["KL runs/plain"], found.kl[2, frames], rtol=1e-4)
    assert list(moments["most surprised"]) == [names[i] for i in found.kl[:, frames].argmax(0)]
    drawn = figure(page)
    assert [trace["name"] for trace in drawn["data"] if trace.get("showlegend")] == names
    assert "the same noise" in text_of(page)


def test_what_is_kept_is_what_is_shown(folder, monkeypatch):
    kept = kept_by("compare", monkeypatch)
    page = open_page(folder, monkeypatch, against=["runs/filt", "runs/plain"])
    assert not page.exception
    arrays = arrays_of(kept["Arrays (.npz)"])
    assert arrays["models"].tolist() == ["runs/smooth", "runs/filt", "runs/plain"]
    bounds = (arrays["log_px"] - arrays["kl"]).mean(1)
    np.testing.assert_allclose(page.dataframe[0].value["bound"], bounds, rtol=1e-5)
    rows = list(csv.DictReader(io.StringIO(kept["Differences (CSV)"])))
    assert [row["most surprised"] for row in rows] == list(page.dataframe[1].value["most surprised"])
    titles = {element.text for element in ElementTree.fromstring(kept["Figure (SVG)"]).iter() if element.text}
    assert {"The clip", "runs/filt", "runs/plain"} <= titles
    assert any(title.startswith("KL: difference from runs/smooth") for title in titles)
    assert "plotly" in kept["Figure (HTML)"]


def test_the_link_to_a_comparison_names_all_its_models(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/filt", "runs/plain"])
    assert "against=runs%2Ffilt&against=runs%2Fplain" in text_of(page)


def test_only_checkpoints_with_the_same_frames_are_offered_and_the_page_says_so(folder, monkeypatch):
    page = open_page(folder, monkeypatch)
    offered = page.multiselect(key="against")
    assert {"voice-mel", "runs/filt", "runs/plain", "runs/larger"} <= set(offered.options)
    assert not {"voice", "jsb", "runs/raw", "runs/alone", "runs/smooth", "runs/broken"} & set(offered.options)
    assert len(offered.value) == 1
    assert "see the same frames" in text_of(page)
    assert "Not readable: runs/broken" in offered.help
    assert "runs/raw" in offered.help


def test_a_first_visit_compares_what_the_other_pages_show(folder, monkeypatch):
    page = open_page(folder, monkeypatch, None)
    assert not page.exception
    assert page.sidebar.selectbox(key="checkpoint").value == "voice-mel"
    assert list(page.dataframe[0].value["model"]) == ["voice-mel", "voice-mel-filt-res"]
    assert list(page.dataframe[0].value["differs in"]) == ["–", "d_dim 352, smoothing False"]


def test_a_checkpoint_that_stands_alone_gets_a_sentence(folder, monkeypatch):
    page = open_page(folder, monkeypatch, "runs/alone")
    assert not page.exception
    assert "No other checkpoint has the frames of runs/alone" in page.info[0].value
    assert not page.get("plotly_chart")


def test_noise_that_cannot_be_shared_is_told(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/larger"])
    assert "The noise of runs/larger is not that of runs/smooth" in text_of(page)


def test_no_more_than_four_and_no_unknown_name_can_be_asked_for(folder, monkeypatch):
    asked = ["<script>alert(1)</script>", "../../etc/passwd", "runs/filt", "runs/plain", "runs/larger", "voice-mel"]
    page = open_page(folder, monkeypatch, against=asked)
    assert not page.exception
    assert 1 <= len(page.multiselect(key="against").value) <= 3
    assert "script" not in text_of(page)


def test_a_moment_can_be_looked_at_and_models_be_taken_away(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/filt"])
    whole = figure(page)["layout"]["xaxis"]["range"]
    where = page.selectbox(key="look-at")
    where.select(where.options[1]).run()
    near = figure(page)["layout"]["xaxis"]["range"]
    time = float(page.dataframe[1].value["time (s)"].iloc[0])
    assert near == pytest.approx([time - 0.25, time + 0.25])
    assert near[1] - near[0] < whole[1] - whole[0]
    page.multiselect(key="against").set_value([]).run()
    assert not page.exception
    assert "at least one" in page.info[0].value


def test_the_sound_of_a_reconstruction_can_be_heard(folder, monkeypatch):
    page = open_page(folder, monkeypatch, "runs/raw", against=["voice"])
    before = page.get("audio")[0].proto.url
    page.segmented_control(key="hear").set_value("voice").run()
    assert not page.exception
    assert page.get("audio")[0].proto.url != before
