import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from processes import wait_for
from streamlit.testing.v1 import AppTest
from tiny import SIZES, music_run, table_folder, untrained

from srnn_lab.checkpoint import save_checkpoint
from srnn_lab.cli import make_parser
from srnn_lab.dashboard.choice import describe_own
from srnn_lab.dashboard.pages import train
from srnn_lab.dashboard.panels import run_controls
from srnn_lab.pictures.charts import curves_figure
from srnn_lab.system.lock import is_running, terminate
from srnn_lab.training import runs
from srnn_lab.training.curves import COLUMNS

# Streamlit warns of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")


def _page():
    from srnn_lab.dashboard.pages import train
    from srnn_lab.dashboard.words import guarded

    guarded(train.show)()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that ``-- --runs DIR`` names."""
    monkeypatch.setattr("sys.argv", ["dashboard.py", "--runs", str(tmp_path / "mine")])
    yield tmp_path / "mine"
    for run in runs.list_runs(tmp_path / "mine").values():
        terminate(run)


@pytest.fixture
def page(folder, monkeypatch):
    monkeypatch.setattr(train, "show_reading", lambda *_: None)  # which takes seconds
    return AppTest.from_function(_page, default_timeout=60)


def curves(num_epochs):
    rows = np.linspace(1, 2, num_epochs * len(COLUMNS)).reshape(num_epochs, -1)
    return dict(zip(COLUMNS, [np.arange(1.0, num_epochs + 1), *rows.T[1:]], strict=True))


def finished(folder, name="done", epochs=3):
    """A run as ``fit`` leaves it."""
    test = {"elbo": -8.25, "average": "macro", "sequences": 3}
    valid = {"elbo": -8.0, "average": "macro", "sequences": 2}
    scores = {"epoch": 1, "test": test, "valid": valid, "train_sequences": 12}
    scores["z"] = "z is hardly used: of 2 units none."
    config = music_run(epochs=epochs)
    for file, figures in (("best", scores), ("last", {})):
        save_checkpoint(untrained(config, scores=figures), folder / name / f"{file}.safetensors")
    table = curves(epochs)
    lines = [
        ",".join(COLUMNS),
        *(",".join(map(str, row)) for row in zip(*table.values(), strict=True)),
    ]
    (folder / name / "curves.csv").write_text("\n".join(lines))


def test_a_table_is_described_by_its_columns_values_time_step_and_unit(
    folder, page, tmp_path, monkeypatch
):
    begun = []
    monkeypatch.setattr(train, "begin_alone", lambda arguments, _: begun.append(arguments))
    data = table_folder(tmp_path / "tables", 30, 30, 30, 30)
    page.query_params.update({"recipe": "My tables"})
    page.run()
    page.text_input(key="folder").set_value(str(data))
    page.text_input(key="columns").set_value("flow")
    page.selectbox(key="values").set_value("count")
    page.number_input(key="time_step").set_value(0.25)
    page.text_input(key="time_unit").set_value("hours")
    page.button(key="begin").click().run()
    assert not page.exception
    ((preset, _, *options),) = begun
    data_options = {"--columns=flow", "--values=count", "--time-step=0.25", "--time-unit=hours"}
    assert preset == "series"
    assert data_options | {f"--data={data}"} <= set(options)
    # The command line takes them.
    given = vars(make_parser().parse_args(["train", preset, *options]))
    assert (given["time_step"], given["time_unit"], given["values"]) == (0.25, "hours", "count")


def buttons(page):
    return [button.label for button in page.button]


def test_a_link_brings_the_recipe_with_its_epochs_and_its_name(page):
    page.query_params.update({"recipe": "A minute of a voice", "size": "medium"})
    page.query_params.update({"epochs-2": "7", "name-2-medium": "mine"})
    page.run()
    assert not page.exception
    assert page.number_input(key="epochs-2").value == 7
    assert page.text_input(key="name-2-medium").value == "mine"
    page.selectbox(key="recipe").select("Six chorales").run()
    assert [box.value for box in page.number_input] == [60]
    assert page.text_input[0].value == "jsb-medium"


def test_a_missing_folder_of_runs_is_a_sentence(page, folder):
    page.run()
    assert not page.exception
    assert "has no runs yet" in page.info[0].value
    assert buttons(page) == ["Start"]


def test_a_folder_of_runs_that_is_not_named_is_a_sentence(page, monkeypatch):
    monkeypatch.setattr("sys.argv", ["dashboard.py", "--runs"])
    page.run()
    assert not page.exception
    assert "was given no folder; start with" in page.error[0].value


def test_a_finished_run_is_shown_with_its_score_and_its_curves(page, folder):
    finished(folder)
    page.run()
    assert not page.exception
    assert not page.error
    done = "Done\\: 3 of 3 epochs. Test ELBO −8.25 nats per frame (macro average over 3 test"
    assert done in page.success[0].value
    assert any("z is hardly used" in caption.value for caption in page.caption)
    (chart,) = page.get("plotly_chart")
    assert "best checkpoint" in chart.proto.spec
    assert [button.label for button in page.get("download_button")][:1] == [
        "Download the best checkpoint"
    ]
    assert [(link.proto.label, link.proto.url) for link in page.get("link_button")] == [
        ("Open in Explore", "./?checkpoint=mine%2Fdone"),
        ("Open in Studio", "./studio?checkpoint=mine%2Fdone"),
    ]
    assert any("12 to train on, 2 to validate on, 3 to test on" in c.value for c in page.caption)
    assert buttons(page) == ["Start", "Train 20 more epochs", "Rename it", "Delete it"]


def test_a_finished_run_is_trained_further(page, folder, monkeypatch):
    finished(folder)
    begun = []
    monkeypatch.setattr(run_controls, "begin", lambda *given: begun.append(given))
    page.run().button(key="more").click().run()
    assert not page.exception
    assert begun == [([f"--resume={folder / 'done'}", "--epochs=23"], folder / "done")]


def test_a_run_is_renamed_and_then_deleted(page, folder):
    finished(folder, "first")
    finished(folder, "second")
    os.utime(folder / "first" / "curves.csv", (1000, 1000))
    os.utime(folder / "first" / "last.safetensors", (1000, 1000))
    page.query_params["run"] = "first"
    page.run()
    assert page.selectbox(key="run").options == ["second", "first"]  # the newest first
    page.text_input(key="rename-first").set_value("second").run()
    page.button(key="rename").click().run()
    assert "A run 'second' exists already" in page.error[0].value
    assert page.button(key="delete")  # the run is still there to be seen
    assert page.get("plotly_chart")
    page.text_input(key="rename-first").set_value("third").run()
    page.button(key="rename").click().run()
    assert not page.exception
    assert page.selectbox(key="run").value == "third"
    page.button(key="delete").click().run()
    assert not page.exception
    assert not page.warning
    assert page.selectbox(key="run").value == "second"
    assert sorted(path.name for path in folder.iterdir()) == ["second"]


def test_several_runs_are_compared_in_one_chart_and_a_table_of_what_differs(page, folder):
    finished(folder, "first")
    finished(folder, "second", epochs=5)
    page.query_params["run"] = "first"
    page.run()
    assert len(page.get("plotly_chart")) == 1
    page.multiselect(key="others").select("second").run()
    assert not page.exception
    chart = page.get("plotly_chart")[-1].proto.spec
    assert all(name in chart for name in ("first", "second", "ELBO, validation"))
    table = page.table[0].value
    assert table.columns.tolist() == ["", "first", "second"]
    rows = {row[0]: row[1:] for row in table.to_numpy().tolist()}
    assert rows["epochs"] == ["3", "5"]
    assert rows["test ELBO (sequences)"] == ["−8.25 (3)", "−8.25 (3)"]
    assert "batch size" not in rows


def test_curves_can_be_kept(page, folder, monkeypatch):
    finished(folder)
    kept = {}
    monkeypatch.setattr(train, "download_buttons", lambda _, files: kept.update(files))
    page.run()
    assert kept["Curves (CSV)"][0]().decode().splitlines()[0] == ",".join(COLUMNS)
    assert "Plotly.newPlot" in kept["Charts (HTML)"][0]()


def test_a_run_of_ones_own_is_among_the_checkpoints(page, folder):
    finished(folder)

    def show():
        import streamlit as st

        from srnn_lab.dashboard.choice import checkpoints

        st.text(" ".join(checkpoints(("roll",))))

    shown = AppTest.from_function(show, default_timeout=60).run().text[0].value
    assert "mine/done" in shown
    (folder / "done" / "best.safetensors").write_bytes(b"broken")
    assert "mine/done" not in AppTest.from_function(show, default_timeout=60).run().text[0].value


@pytest.mark.parametrize(
    ("minutes", "ago"),
    [(0, "just now"), (5, "5 minutes ago"), (60, "1 hour ago"), (3 * 24 * 60, "3 days ago")],
)
def test_a_run_of_ones_own_says_when_and_on_what_it_was_trained(
    tmp_path, monkeypatch, minutes, ago
):
    path = tmp_path / "best.safetensors"
    config = music_run()
    save_checkpoint(
        untrained(replace(config, data=replace(config.data, data="/home/me/midifolder"))), path
    )
    os.utime(path, 2 * (time.time() - 60 * minutes,))
    monkeypatch.setattr("streamlit.session_state", {})
    assert describe_own(path) == f"Your run, trained {ago} on midifolder."


def test_a_training_is_begun_watched_after_a_reload_stopped_and_continued(
    page, folder, monkeypatch
):
    monkeypatch.setitem(train.SIZES, "small", SIZES)
    page.run()
    page.number_input[0].set_value(9000)
    page.text_input[0].set_value("first").run()
    page.button(key="begin").click().run()
    assert not page.error
    run = folder / "first"
    assert page.selectbox(key="run").value == "first"
    wait_for(lambda: len(runs.read_curves(run)["epoch"]))
    reloaded = AppTest.from_function(_page, default_timeout=60).run()
    assert "of 9000 epochs" in reloaded.get("progress")[0].proto.text
    assert reloaded.get("plotly_chart")
    assert buttons(reloaded) == ["Start", "Stop"]
    reloaded.text_input[0].set_value("second").run()
    reloaded.button(key="begin").click().run()
    assert "is being trained; stop it first" in reloaded.error[0].value
    reloaded.button(key="stop").click().run()
    wait_for(lambda: not is_running(run))
    again = AppTest.from_function(_page, default_timeout=60).run()
    assert "It can be continued" in again.info[0].value
    continued = []
    monkeypatch.setattr(run_controls, "begin", lambda *given: continued.append(given))
    again.button(key="continue").click().run()
    assert continued == [([f"--resume={run}"], run)]


@pytest.mark.parametrize("name", ["../evil", "", "-x", ".hidden", "a/b", "<b>x</b>"])
def test_a_name_that_is_no_folder_of_ours_is_refused(page, folder, name):
    page.run()
    page.text_input[0].set_value(name).run()
    page.button(key="begin").click().run()
    assert "cannot name a run" in page.error[0].value
    assert not folder.exists()


def test_a_taken_name_and_a_folder_that_is_none_are_refused(page, folder):
    finished(folder, "jsb-small")
    page.run()
    page.button(key="begin").click().run()
    assert "A run 'jsb-small' exists already" in page.error[0].value
    page.selectbox(key="recipe").select("My MIDI files").run()
    page.text_input(key="folder").set_value("'/nowhere/at/all'").run()
    page.button(key="begin").click().run()
    assert (
        "Enter the path of a folder with MIDI files; '/nowhere/at/all' is not a folder"
        in page.error[0].value
    )


def test_of_two_who_begin_at_once_one_is_asked_to_wait(folder, monkeypatch):
    begun, slowly = [], threading.Barrier(2)

    def begin(arguments, run):
        time.sleep(0.3)
        begun.append(run.name)

    def one(name):
        slowly.wait()
        try:
            train.begin_training(folder, name, "jsb", [])
        except ValueError as error:
            return str(error)

    monkeypatch.setattr(run_controls, "begin", begin)
    monkeypatch.setattr(run_controls, "list_runs", lambda _: {n: folder / n for n in begun})
    monkeypatch.setattr(run_controls, "is_running", lambda run: run.name in begun)
    monkeypatch.setattr("streamlit.session_state", {})
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(one, ["mine", "yours"]))
    assert len(begun) == 1
    assert sum(text is not None and "is being trained" in text for text in said) == 1


def test_a_dashboard_that_is_read_only_shows_runs_and_cannot_touch_them(page, folder, monkeypatch):
    finished(folder, epochs=3)
    (folder / "done" / "curves.csv").write_text(
        (folder / "done" / "curves.csv").read_text().rsplit("\n", 1)[0]
    )
    page.run()
    assert buttons(page) == ["Start", "Continue", "Rename it", "Delete it"]
    monkeypatch.setattr("sys.argv", ["dashboard.py", "--runs", str(folder), "--read-only"])
    again = AppTest.from_function(_page, default_timeout=60).run()
    assert not again.exception
    assert buttons(again) == []
    assert not [box.key for box in again.selectbox if box.key != "run"]
    assert not again.text_input
    assert again.get("plotly_chart")
    assert "cannot start or stop one" in again.info[0].value


@pytest.mark.parametrize("asked", ["--readonly", "--read-only=no", "--runs", "more"])
def test_a_misspelt_option_lets_nobody_in(page, folder, monkeypatch, asked):
    monkeypatch.setattr("sys.argv", ["dashboard.py", "--runs", str(folder), asked])
    page.run()
    assert "start with: streamlit run dashboard.py -- --runs DIR --read-only" in page.error[
        0
    ].value.replace("\\", "")
    assert buttons(page) == []


def test_a_training_that_failed_says_why(page, folder, monkeypatch):
    folder.mkdir()
    runs.begin(["jsb", f"--out={folder / 'bad'}", "--data=/nowhere"], folder / "bad")
    wait_for(lambda: not is_running(folder / "bad"))
    page.run()
    assert "Training did not start" in page.error[0].value
    assert "is neither a data set" in page.error[0].value
    monkeypatch.setattr("sys.executable", shutil.which("true"))  # a training that prints nothing
    page.text_input[0].set_value("bad").run()
    page.button(key="begin").click().run()  # which takes no name
    wait_for(lambda: not is_running(folder / "bad"))
    page.run()
    assert (folder / "bad" / runs.LOG).read_text().count("$ srnn-lab train") == 2
    assert "Training did not start\\: its log is empty" in page.error[0].value


def test_damaged_files_of_a_run_are_sentences(page, folder):
    finished(folder)
    (folder / "done" / "curves.csv").write_text("words")
    page.run()
    assert not page.exception
    assert "is not a table of training curves" in page.error[0].value
    shutil.copy(folder / "done" / "curves.csv", folder / "done" / "last.safetensors")
    page.run()
    assert "is not a readable .safetensors file" in page.error[0].value


@pytest.mark.parametrize("epochs", [1, 2, 9])
def test_of_a_few_epochs_each_is_on_the_axis(epochs):
    table = curves(epochs)
    low, high = curves_figure(table, "ELBO", "nats per frame").layout.yaxis.range
    assert low < table["train_bound"].min() < table["valid_bound"].max() < high


def test_curves_in_two_units_do_not_share_an_axis():
    table = curves(40)
    one, two = (curves_figure(table, "ELBO", f"nats per {unit}") for unit in ("frame", "sequence"))
    titles = [[a.text for a in figure.layout.annotations] for figure in (one, two)]
    assert titles[0] == ["ELBO", "KL", "Schedules"]
    assert titles[1] == [
        "ELBO, training",
        "ELBO, validation",
        "KL, training",
        "KL, validation",
        "Schedules",
    ]
    for figure in (one, two):
        drawn = {(trace.name, trace.yaxis): trace.y for trace in figure.data}
        assert np.allclose(drawn["training", "y"], table["train_bound"])
        (star,) = (trace for trace in figure.data if "best" in trace.name)
        assert star.x.tolist() == [40.0]
    low, high = one.layout.yaxis.range
    assert (
        table["train_bound"].min()
        < low
        < table["train_bound"][10]
        < table["valid_bound"].max()
        < high
    )
