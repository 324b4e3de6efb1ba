"""A run's own files, from the page Train to Explore, and whose files a page may read."""

from dataclasses import replace
from pathlib import Path

import pytest
from processes import wait_for
from streamlit.testing.v1 import AppTest
from tiny import SIZES, midi_folder, table_folder
from views import open_view, save_runs, small_run

from srnn_lab.config import PRESETS
from srnn_lab.dashboard.choice import clips_of
from srnn_lab.dashboard.own_clips import cached_own_clips
from srnn_lab.dashboard.pages import train
from srnn_lab.data.datasets import held_out_files
from srnn_lab.training.runs import progress

# Streamlit warns of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def _no_cache():
    yield
    cached_own_clips.clear()


def run_on(folder, data, preset="jsb"):
    """An untrained run ``mine`` of a folder of files; the path of its checkpoint."""
    config = small_run(preset)
    config = replace(config, data=replace(config.data, data=str(data)))
    save_runs(folder, mine=config)
    return Path("runs/mine/best.safetensors")


@pytest.mark.slow
def test_tables_are_trained_on_and_shown_in_explore(tmp_path, monkeypatch):
    data = table_folder(tmp_path / "my tables", *[30] * 12)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["dashboard.py"])
    monkeypatch.setattr(train, "show_reading", lambda *_: None)  # which takes seconds
    monkeypatch.setitem(train.SIZES, "small", SIZES)

    def page():
        from srnn_lab.dashboard.pages import train
        from srnn_lab.dashboard.words import guarded

        guarded(train.show)()

    shown = AppTest.from_function(page, default_timeout=60)
    shown.query_params.update({"recipe": "My tables"})
    shown.run()
    shown.number_input[0].set_value(1)
    shown.text_input(key="folder").set_value(f'"{data}"').run()
    shown.button(key="begin").click().run()
    assert not shown.error
    run = Path("runs/series-small")
    wait_for(lambda: progress(run).test and not progress(run).running)
    assert progress(run).test["sequences"] == 1

    page = open_view("explore", "runs/series-small", monkeypatch, tmp_path)
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="sequence").options[:2] == ["9.csv", "3.csv"]  # test, validation
    assert "ELBO" in page.markdown[0].value
    assert page.get("bidi_component")


def test_own_files_of_a_run_come_first_among_its_clips(tmp_path, monkeypatch):
    data = midi_folder(tmp_path / "songs", 12)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["dashboard.py"])
    checkpoint = run_on(tmp_path, data)
    clips = clips_of(checkpoint, "roll")
    config = replace(PRESETS["jsb"].data, data=str(data))
    ((test, path),) = held_out_files(config, "test").items()
    assert next(iter(clips)) == f"test: {test}"
    assert clips[f"test: {test}"] == path == data / test
    assert list(clips)[1].startswith("validation: ")
    assert "bwv270" in clips
    for split in ("valid", "test"):
        assert not set(held_out_files(config, split)) & set(held_out_files(config, "train"))


def test_a_visitor_reads_no_own_files_of_an_upload_or_of_a_server_that_is_read_only(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["dashboard.py"])
    checkpoint = run_on(tmp_path, midi_folder(tmp_path / "songs", 12))
    elsewhere = tmp_path / "upload" / "own.safetensors"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(checkpoint.read_bytes())
    assert not any(": " in name for name in clips_of(elsewhere, "roll"))
    assert any(": " in name for name in clips_of(checkpoint, "roll"))
    monkeypatch.setattr("sys.argv", ["dashboard.py", "--read-only"])
    assert not any(": " in name for name in clips_of(checkpoint, "roll"))


def test_a_folder_that_is_gone_or_a_data_set_has_no_own_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["dashboard.py"])
    assert "bwv270" in clips_of(run_on(tmp_path, tmp_path / "gone"), "roll")
    assert held_out_files(PRESETS["jsb"].data, "test") == {}
