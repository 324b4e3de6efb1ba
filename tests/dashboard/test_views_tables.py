"""Explore for a run of tables: its own sequences, an upload, what is wrong with one."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import PLAYER, open_dashboard
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest
from test_uploads import give, unescaped
from tiny import SIZES
from views import arrays_of, kept_by, open_view, text_of

from srnn_lab.analysis.comparison import compare
from srnn_lab.analysis.inspection import MAX_FRAMES, inspect_signal
from srnn_lab.analysis.interventions import SOURCES, posterior_path, replace_latents
from srnn_lab.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from srnn_lab.config import PRESETS
from srnn_lab.dashboard import cache
from srnn_lab.dashboard.panels.forecast import category_shares, score_table
from srnn_lab.dashboard.uploads import ClipBytes, Uploaded
from srnn_lab.dashboard.visit import Visit
from srnn_lab.data import Frontend, read_signal
from srnn_lab.data.series import complete, read_sequences
from srnn_lab.inference.forecasting import Forecast, forecast
from srnn_lab.inference.use_of_z import use_of_z
from srnn_lab.models import build_model
from srnn_lab.pictures.side_by_side import reconstruction_rows

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
def folder(tmp_path):
    """A folder with tables, and an untrained model of them among the runs."""
    (tmp_path / "data").mkdir()
    for i in range(6):
        (tmp_path / "data" / f"town-{i}.csv").write_bytes(csv_of(seed=i))
    save_model(tmp_path, "towns", inputs="hour")
    return tmp_path


def save_model(folder, name, **data):
    """An untrained model of the tables."""
    run = PRESETS["series"]
    run = complete(
        replace(
            run,
            model=replace(run.model, **SIZES),
            data=replace(run.data, data=str(folder / "data"), **data),
        )
    )
    signals = [*read_sequences(run.data).values()]
    frontend = Frontend.fit(run.data, run.model.x_dim, signals)
    model = build_model(run.model).eval()
    save_checkpoint(Checkpoint(run, model, frontend), folder / "runs" / name / "best.safetensors")


def model_and_table(folder, name, table):
    """A model of the tables and one of them as it reads it."""
    checkpoint = load_checkpoint(folder / "runs" / name / "best.safetensors")
    return checkpoint, read_signal(folder / "data" / table, checkpoint.config.data)


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
    assert [*page.get("button_group")[0].options][-2:] == ["Known input hour", "KL of z"]
    frames = checkpoint.frontend.frames(table, 2)
    use = use_of_z(checkpoint.model, [frames], checkpoint.config.evaluation)
    assert f"**Is z used?** On this clip, {use.sentence()}" in unescaped(text_of(page))
    assert "Sound (WAV)" not in kept


def test_a_first_visit_to_a_table_is_offered_no_tour_that_begins_with_a_sound(folder, monkeypatch):
    monkeypatch.chdir(folder)
    page = AppTest.from_string(
        "from srnn_lab.dashboard.app import show\nshow()", default_timeout=180
    )
    page.query_params["checkpoint"] = "runs/towns"
    page.run()
    assert not page.exception
    assert not [button for button in page.button if button.key == "tour-close"]
    page.sidebar.selectbox(key="checkpoint").select("jsb").run()
    assert page.button(key="tour-close").label == "Close the tour"


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
        ("d.csv", HEAD.encode() + b"\n1,2,\n3,4,5\n", "d.csv: A known input is missing "
         "(NaN), and the model was trained on data without such gaps"),
        ("e.npy", b"no array", "e.npy cannot be read as a table"),
        ("f.csv", b"\xff\xfe\x00", "f.csv cannot be read as a table"),
    ):  # fmt: skip
        (error,) = give(page, "upload-tables", name, content)
        assert sentence in unescaped(error)


def test_a_table_is_parsed_once(folder, monkeypatch):
    read, parsed = cache.read_signals, []

    def counted(path, *given):
        parsed.append(path)
        return read(path, *given)

    monkeypatch.setattr(cache, "read_signals", counted)
    path = folder / "runs" / "towns" / "best.safetensors"
    key = str(path), path.stat().st_mtime, ClipBytes(csv_of(50, seed=11)), "once.csv"
    (rows,) = cache.cached_sequences(*key)[0].values()
    np.testing.assert_array_equal(cache.cached_signal(*key, 0)[0], rows)
    assert len(parsed) == 1


def test_of_a_table_with_several_sequences_one_is_chosen(folder, monkeypatch):
    lines = [csv_of(20, seed=i).decode().splitlines()[1:] for i in range(2)]
    rows = [f"{who},{line}" for who, own in zip("ab", lines, strict=True) for line in own]
    for file in (folder / "data").iterdir():
        file.write_text("\n".join([f"who,{HEAD}", *rows]))
    save_model(folder, "patients", inputs="hour", sequence_column="who")
    kept = kept_by("explore", monkeypatch)
    page = open_view("explore", "runs/patients", monkeypatch, folder)
    content = "\n".join([f"who,{HEAD}", *rows]).encode()
    assert give(page, "upload-tables", "ward.csv", content) == []
    box = page.sidebar.selectbox(key="own-sequence")
    assert box.options == ["a", "b"]
    box.set_value("b").run()
    assert not page.exception
    found = arrays_of(kept["Arrays (.npz)"])["temperature: x"]
    expected = [float(line.split(",")[1]) for line in lines[1]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


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
        "from srnn_lab.dashboard.app import show_head\nshow_head('Steer')", default_timeout=60
    )
    page.query_params["checkpoint"] = "runs/towns"
    page.run()
    assert "is a model of tables, which this page does not take" in unescaped(text_of(page))


def test_clips_lists_a_runs_own_tables_and_those_of_a_folder(folder, monkeypatch):
    page = open_view("clips", "runs/towns", monkeypatch, folder)
    assert not page.exception
    assert not page.error
    table = page.dataframe[0].value
    assert sorted(table["clip"]) == [f"town-{i}.csv" for i in range(6)]
    columns = ["clip", "open", "ELBO", "KL", "largest spike", "at", "KL over time"]
    assert list(table.columns) == columns
    for row in table.itertuples():
        clip = inspect_signal(*model_and_table(folder, "towns", row.clip))
        assert pytest.approx((clip.log_px - clip.kl).mean(), rel=1e-4) == row.ELBO
        assert pytest.approx(clip.kl.mean(), rel=1e-4) == row.KL
        assert row.at == f"row {1 + clip.largest_spike}"
        assert f"sequence={row.clip}" in row.open
    assert len(page.get("audio")) == 0
    assert "Open in Explore" in text_of(page)
    page.text_input(key="set").set_value(str(folder / "data")).run()
    assert not page.exception
    assert sorted(page.dataframe[0].value["clip"]) == [f"town-{i}" for i in range(6)]


def test_clips_takes_the_sequences_of_a_table_that_holds_several(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    lines = [f"{line},{'abc'[i // 10]}" for i, line in enumerate(csv_of().decode().split()[2:])]
    content = "\n".join([f"{HEAD},town", *lines])
    (tmp_path / "data" / "all.csv").write_text(content)
    save_model(tmp_path, "many", inputs="hour", sequence_column="town")
    page = open_view("clips", "runs/many", monkeypatch, tmp_path)
    own = page.dataframe[0].value
    page.text_input(key="set").set_value(str(tmp_path / "data")).run()
    assert not page.exception
    found = page.dataframe[0].value
    assert list(found["clip"]) == [f"all / {town}" for town in "abc"]
    assert sorted(found["ELBO"]) == pytest.approx(sorted(own["ELBO"]))


def test_a_forecast_is_that_of_the_library_and_its_scores_are_of_what_came(folder, monkeypatch):
    kept = kept_by("explore", monkeypatch)
    page = explore(folder, monkeypatch)
    name = page.sidebar.selectbox(key="sequence").value
    page.number_input(key=f"held-{Path(name).stem}.csv, towns-30").set_value(8).run()
    page.number_input(key=f"steps-{Path(name).stem}.csv, towns-8-8").set_value(5).run()
    page.number_input(key="paths").set_value(40).run()
    assert not page.exception
    assert not page.error
    checkpoint = load_checkpoint(folder / "runs" / "towns" / "best.safetensors")
    table = read_signal(folder / "data" / name, checkpoint.config.data)
    found = forecast(checkpoint, table[:22], 5, u=table[22:27, 2:], paths=40)
    written = list(csv.reader(io.StringIO(kept["Forecast (CSV)"])))
    assert written[0][:3] == ["time", "load (MW) mean", "load (MW) q05"]
    numbers = np.array(written[1:], float)
    np.testing.assert_allclose(numbers[:, 0], np.arange(22.5, 27))
    np.testing.assert_allclose(numbers[:, 1], found.mean[:, 0], rtol=1e-6)
    np.testing.assert_allclose(numbers[:, 6 + 6], found.quantile(0.95)[:, 1], rtol=1e-6)
    scores = page.table[0].value
    crps = found.crps(table[22:27, :2]).mean(0)
    assert scores["CRPS"].tolist() == [f"{value:.3f}" for value in crps]
    last = np.abs(table[22:27, :2] - table[21, :2]).mean(0)
    assert scores["CRPS of the last value"].tolist() == [f"{value:.3f}" for value in last]
    assert scores["unit"].tolist() == ["MW", ""]


def test_rows_whose_columns_are_empty_are_forecast_with_the_inputs_that_stand_there(
    folder, monkeypatch
):
    kept = kept_by("explore", monkeypatch)
    page = explore(folder, monkeypatch)
    later = b"".join(f"\n,,{hour}".encode() for hour in (6, 7, 8, 9))
    assert give(page, "upload-tables", "next.csv", csv_of(30, seed=3) + later) == []
    assert "4 rows, given the first 30 rows" in text_of(page)
    assert not page.table  # nobody knows yet how good it is
    assert len(kept["Forecast (CSV)"].splitlines()) == 1 + 4


def test_of_categories_the_paths_are_counted():
    samples = np.array([[0.0, 2.0], [0.0, 1.0], [2.0, 2.0], [0.0, 2.0]])[:, :, None]
    shares = category_shares(Forecast(samples, np.arange(2.0)), 3)
    assert {name: share.tolist() for name, share in shares.items()} == {
        "0": [0.75, 0.0],
        "1": [0.0, 0.25],
        "2": [0.25, 0.75],
    }


def test_the_scores_of_a_column_by_hand():
    samples = np.array([[[0.0, 1.0]], [[2.0, 1.0]], [[4.0, 1.0]]]).repeat(2, 1)
    came = np.array([[2.0, np.nan], [10.0, np.nan]])
    past = np.array([[1.0, 5.0], [np.nan, np.nan]])
    table = score_table(Forecast(samples, np.arange(2.0)), came, past, ["a (m)", "b"])
    # |0 - 2| + 0 + |4 - 2| = 4 and 10 + 8 + 6 = 24, over 3; the pairs are 2, 2 and 4 apart.
    assert table["CRPS"] == [f"{(4 / 3 + 24 / 3) / 2 - 8 / 3 / 2:.3f}", "–"]
    assert table["CRPS of the last value"] == ["5.000", "–"]
    assert table["in the 90 % interval"] == ["50 %", "–"]


def test_models_with_and_without_a_known_input_are_compared_on_a_table(folder, monkeypatch):
    save_model(folder, "blind", columns="load (MW),temperature")
    save_model(folder, "other", columns="temperature,load (MW)")
    kept = kept_by("compare", monkeypatch)
    page = open_view("compare", "runs/towns", monkeypatch, folder)
    assert not page.exception
    assert not page.error
    assert page.multiselect(key="against").options == ["runs/blind"]
    name = page.sidebar.selectbox(key="sequence").value
    names = ("towns", "blind")
    models = {f"runs/{one}": model_and_table(folder, one, name) for one in names}
    found = compare(
        {one: model for one, (model, _) in models.items()},
        {one: inspect_signal(*pair) for one, pair in models.items()},
    )
    averages, moments = (table.value for table in page.dataframe)
    np.testing.assert_allclose(averages["bound"], found.elbo.mean(1), rtol=1e-4)
    assert averages["differs in"].tolist() == ["–", "0 known inputs"]
    assert "at an onset" not in moments
    arrays = arrays_of(kept["Arrays (.npz)"])
    table = models["runs/towns"][1]
    for i, unit in (("load", "load (MW) (MW)"), ("temperature", "temperature (value)")):
        of = table[:, 0 if i == "load" else 1]
        np.testing.assert_array_equal(arrays[f"The clip: {i}: {unit}"], of)
    np.testing.assert_allclose(arrays["log_px"], found.log_px, rtol=1e-4)
    assert "Sound (WAV)" not in kept
    assert "you can hear" not in text_of(page)


def test_z_of_a_table_is_replaced_by_that_of_another_sequence_of_the_run(folder, monkeypatch):
    page = open_view("latents", "runs/towns", monkeypatch, folder)
    assert not page.exception
    assert not page.error
    name, other = (box.value for box in (page.sidebar.selectbox(key="sequence"), page.selectbox[0]))
    assert name != other
    checkpoint, table = model_and_table(folder, "towns", name)
    path = posterior_path(checkpoint, model_and_table(folder, "towns", other)[1])
    found = replace_latents(checkpoint, table, other=path, seed=0)
    (shown,) = (element.value for element in page.dataframe)
    assert tuple(shown["z from"]) == SOURCES
    np.testing.assert_allclose(
        shown["log p(x | z, d)"], [one.log_px.mean() for one in found.values()], rtol=1e-3
    )
    # Each column has a row in its unit, with the clip and what each source of z makes of it.
    clip = inspect_signal(checkpoint, table)
    load, temperature, _ = reconstruction_rows(checkpoint, table, clip, found)
    assert (load.title, load.unit) == ("load (MW)", "MW")
    assert [line.name for line in load.lines] == ["the clip", *(f"z: {one}" for one in SOURCES)]
    np.testing.assert_array_equal(temperature.lines[0].values, table[:, 1])
    prior = checkpoint.frontend.signal(found["prior sample"].mean)
    np.testing.assert_array_equal(temperature.lines[3].values, prior[:, 1])


def test_z_of_a_table_alone_is_replaced_by_that_of_no_other(folder, monkeypatch):
    page = open_view("latents", "runs/towns", monkeypatch, folder)
    monkeypatch.setattr("srnn_lab.dashboard.choice.tables_of", lambda _: {})
    assert give(page, "upload-tables", "mine.csv", csv_of(25, seed=4)) == []
    (shown,) = (element.value for element in page.dataframe)
    assert tuple(shown["z from"]) == SOURCES[:-1]


@pytest.mark.browser
def test_a_table_that_is_uploaded_is_forecast_and_stays_the_clip_on_other_pages(folder):
    save_model(folder, "blind", columns="load (MW),temperature")
    later = b"".join(f"\n,,{hour}".encode() for hour in (6, 7, 8, 9))
    (folder / "next.csv").write_bytes(csv_of(30, seed=3) + later)
    with open_dashboard(folder) as (page, address):
        page.goto(f"{address}/?checkpoint=runs/towns")
        page.locator(PLAYER).wait_for(timeout=180_000)
        expect(page.get_by_text("this run's test data")).to_be_visible()
        box = page.locator("[data-testid=stSidebar] [data-testid=stFileUploader] input").first
        box.set_input_files(str(folder / "next.csv"))
        page.locator(f"{PLAYER}[aria-label^='next.csv']").wait_for(timeout=120_000)
        expect(page.get_by_text("4 rows, given the first 30 rows")).to_be_visible(timeout=60_000)
        expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=60_000)
        page.get_by_role("link", name="Compare").click()
        label = "The clip; below it over the same time axis the KL per frame of runs/towns"
        page.locator(f"{PLAYER}[aria-label^='{label}']").wait_for(timeout=60_000)
        expect(page.get_by_text("of 34.00 steps")).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
