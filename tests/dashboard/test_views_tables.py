"""Explore for a run of tables: its own sequences, an upload, what is wrong with one."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from test_uploads import give, unescaped
from tiny import SIZES
from views import arrays_of, kept_by, open_view, text_of

from srnn_lab.analysis.inspection import MAX_FRAMES, inspect_signal
from srnn_lab.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from srnn_lab.config import PRESETS
from srnn_lab.dashboard.uploads import Uploaded
from srnn_lab.dashboard.visit import Visit
from srnn_lab.data import Frontend, read_signal
from srnn_lab.data.series import complete, read_sequences
from srnn_lab.models import build_model

# Streamlit warns of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")

HEAD = "load (MW),temperature,hour"


def csv_of(n=30, seed=0, head=HEAD):
    """A table of a load with holes, a temperature and the hour, as a file."""
    rng = np.random.default_rng(seed)
    lines = [
        f"{'' if t in (4, 6) else round(400 + 9 * rng.standard_normal(), 2)},"
        f"{round(12 + rng.standard_normal(), 2)},{t % 24}"
        for t in range(n)
    ]
    return "\n".join([head, *lines]).encode()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with tables, and an untrained model of them among the runs."""
    monkeypatch.setattr("srnn_lab.dashboard.pages.explore.HEAD_START", 0)
    (tmp_path / "data").mkdir()
    for i in range(6):
        (tmp_path / "data" / f"town-{i}.csv").write_bytes(csv_of(seed=i))
    run = PRESETS["series"]
    run = complete(
        replace(
            run,
            model=replace(run.model, **SIZES),
            data=replace(run.data, data=str(tmp_path / "data"), inputs="hour"),
        )
    )
    signals = [*read_sequences(run.data).values()]
    frontend = Frontend.fit(run.data, run.model.x_dim, signals)
    model = build_model(run.model).eval()
    save_checkpoint(
        Checkpoint(run, model, frontend), tmp_path / "runs" / "towns" / "best.safetensors"
    )
    return tmp_path


def explore(folder, monkeypatch, **params):
    return open_view("explore", "runs/towns", monkeypatch, folder, **params)


def test_a_run_of_tables_shows_its_own_sequences_with_a_row_for_each_column(folder, monkeypatch):
    kept = kept_by("explore", monkeypatch)
    page = explore(folder, monkeypatch)
    assert not page.exception
    assert not page.error
    box = page.sidebar.selectbox(key="sequence")
    assert sorted(box.options) == [f"town-{i}.csv" for i in range(6)]
    assert "this run's test data" in text_of(page.sidebar)
    checkpoint = load_checkpoint(folder / "runs" / "towns" / "best.safetensors")
    table = read_signal(folder / "data" / box.value, checkpoint.config.data)
    clip, arrays = inspect_signal(checkpoint, table), arrays_of(kept["Arrays (.npz)"])
    np.testing.assert_array_equal(arrays["load (MW): x (MW)"], table[:, 0])
    std, mean = checkpoint.frontend.std[0], checkpoint.frontend.mean[0]
    expected = clip.mean[:, 0] * std + mean
    np.testing.assert_allclose(arrays["load (MW): mean (MW)"], expected, rtol=1e-5)
    np.testing.assert_allclose(
        arrays["load (MW): mean + 2 sd (MW)"],
        expected + 2 * std * np.exp(clip.logvar[:, 0] / 2),
        rtol=1e-5,
    )
    np.testing.assert_array_equal(arrays["load (MW): x between gaps (MW)"], table[5:6, 0])
    np.testing.assert_array_equal(arrays["Known input hour: hour (value)"], table[:, 2])
    assert "temperature: x" in arrays
    assert "Sound (WAV)" not in kept


def test_a_table_is_uploaded_and_one_that_is_wrong_gets_a_sentence_with_its_name(
    folder, monkeypatch
):
    kept = kept_by("explore", monkeypatch)
    page = explore(folder, monkeypatch)
    assert give(page, "upload-tables", "further.csv", csv_of(40, seed=9)) == []
    assert len(arrays_of(kept["Arrays (.npz)"])["kl"]) == 40
    for name, content, sentence in (
        ("a.csv", b"load (MW),hour\n1,2\n", "a.csv cannot be read as a table: it has no column "
         "'temperature'; it has load (MW), hour; expected load (MW), temperature, hour: rename"),
        ("b.csv", HEAD.encode() + b"\n1,2,Monday\n", "b.csv cannot be read as a table: column "
         "'hour' holds 'Monday' in row 1, which is no number"),
        ("c.csv", csv_of(MAX_FRAMES + 1), f"c.csv: The clip has {MAX_FRAMES + 1} frames; at most"),
        ("d.csv", HEAD.encode() + b"\n1,2,\n3,4,5\n", "d.csv: A known input (hour) is missing"),
        ("e.npy", b"no array", "e.npy cannot be read as a table"),
        ("f.csv", b"\xff\xfe\x00", "f.csv cannot be read as a table"),
    ):  # fmt: skip
        (error,) = give(page, "upload-tables", name, content)
        assert sentence in unescaped(error)


def test_a_checkpoint_from_elsewhere_shows_no_file_of_the_server(folder, monkeypatch):
    monkeypatch.chdir(folder)
    content = (folder / "runs" / "towns" / "best.safetensors").read_bytes()
    uploaded = Uploaded("towns", content, ("series",))
    page = explore(folder, monkeypatch)
    page.session_state["visit"] = Visit(checkpoint=uploaded, wanted={"checkpoint": uploaded.name})
    page.query_params["checkpoint"] = uploaded.name
    page.run()
    assert not page.exception
    assert not [box for box in page.sidebar.selectbox if box.key == "sequence"]
    assert "Upload a table at the side" in text_of(page)
    assert "load (MW),temperature" in unescaped(text_of(page))


def test_other_pages_say_that_they_take_no_tables(folder, monkeypatch):
    monkeypatch.chdir(folder)
    page = AppTest.from_string(
        "from srnn_lab.dashboard.app import show_head\nshow_head('Clips')", default_timeout=60
    )
    page.query_params["checkpoint"] = "runs/towns"
    page.run()
    assert "is a model of tables, which this page does not take" in unescaped(text_of(page))
