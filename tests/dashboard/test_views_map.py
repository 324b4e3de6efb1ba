"""The page Map."""

import time

import numpy as np
import pytest
import soundfile
from browser import PLAYER, open_dashboard
from views import open_view, save_runs, small_run, text_of

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.latent_map import principal_components
from srnn_lab.analysis.moments import summarise
from srnn_lab.checkpoint import ASSETS, load_checkpoint
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.pages import z_map as view
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.words import number
from srnn_lab.data import read_signal
from srnn_lab.data.bundled import bundled_clips, clip_titles
from srnn_lab.pictures.charts import MAX_CLASSES, map_figure

pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns of things that are not ours


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("map")
    save_runs(found, jsb=small_run("jsb"), rnn=small_run("jsb", model="rnn"), mel=small_run())
    rng = np.random.default_rng(0)
    for i in range(2):
        soundfile.write(found / f"clip{i}.wav", 0.1 * rng.normal(size=16000), 16000)
    return found


@pytest.fixture
def figures(monkeypatch):
    """What is drawn, the last at the end."""
    drawn = []
    monkeypatch.setattr(
        view, "map_figure", lambda *given: drawn.append(map_figure(*given)) or drawn[-1]
    )
    return drawn


def clips_of(folder):
    model = load_checkpoint(folder / "runs" / "jsb" / "best.safetensors")
    paths = sorted((ASSETS / "chorales").glob("*.mid"))
    return {
        path.stem: inspect_signal(model, read_signal(path, model.config.data)) for path in paths
    }


def test_the_points_are_the_frames_along_the_axes_that_are_chosen(folder, monkeypatch, figures):
    page = open_view("z_map", "runs/jsb", monkeypatch, folder)
    assert not page.exception
    clips = clips_of(folder)
    z, kl = (
        np.concatenate([getattr(clip, name) for clip in clips.values()]) for name in ("mu_q", "kl")
    )
    found, figure = principal_components(z), figures[-1]
    np.testing.assert_allclose(figure.data[0].x, found.along(z, 0), atol=1e-5)
    np.testing.assert_allclose(figure.data[0].y, found.along(z, 1), atol=1e-5)
    np.testing.assert_array_equal(figure.data[0].marker.color, kl)
    assert (
        figure.layout.xaxis.title.text
        == f"PC1 ({number(100 * found.shares[0], 0)} % of the variance of z)"
    )
    assert (
        figure.data[0]
        .text[0]
        .startswith(f"{clip_titles(bundled_clips('roll'))['bwv102-7']}, bar 1, beat ")
    )
    page.selectbox(key="across").select("KL").run()
    page.selectbox(key="up").select("z2").run()
    np.testing.assert_array_equal(figures[-1].data[0].x, kl)
    np.testing.assert_array_equal(figures[-1].data[0].y, z[:, 2])
    share = z[:, 2].var() / z.var(0).sum()
    assert (
        figures[-1].layout.yaxis.title.text
        == f"z2 ({number(100 * share, 1)} % of the variance of z)"
    )


def test_a_click_plays_the_moment_and_leads_to_it(folder, monkeypatch, figures):
    page = open_view("z_map", "runs/jsb", monkeypatch, folder, colour="clip")
    assert not page.get("audio")
    point = {"curve_number": 3, "point_index": 20}
    page.session_state["map"] = {
        "selection": {"points": [point], "point_indices": [20], "box": [], "lasso": []}
    }
    page.run()
    assert not page.exception
    title, clips = figures[-1].data[3].name, clips_of(folder)
    name = next(name for name, one in clip_titles(bundled_clips("roll")).items() if one == title)
    assert f"**{number(clips[name].kl[20])}** nats · {title}, bar" in text_of(page)
    time = clips[name].times[20]
    assert f"clip={name}&place={time - 2:.4f}-{time + 2:.4f}" in text_of(page)
    assert len(page.get("audio")) == 1


def test_notes_are_coloured_by_the_lowest_and_clips_beyond_the_colours_are_grey(
    folder, monkeypatch
):
    roll = np.zeros((3, 88), np.float32)
    roll[0, [39, 43]] = roll[1, [37, 39]] = (
        1  # middle C with an E; the B flat below with C; nothing
    )
    model = load_checkpoint(folder / "runs" / "jsb" / "best.safetensors")
    clip = Choice("", 0.0, ClipBytes(b""), "a", 0)
    summary = summarise(inspect_signal(model, np.concatenate([roll[:1], roll])), 0)
    assert view.classes_of(clip, summary, "a", "pitch class") == ["C", "B♭", "silence"]
    found = {f"c{i:02d}": summary for i in range(MAX_CLASSES + 2)}
    groups = view.groups_of(dict.fromkeys(found, clip), found, view.gather(found), "clip")
    assert len(groups) == MAX_CLASSES + 1
    assert len(groups[view.OTHERS]) == 6
    assert sorted(np.concatenate(list(groups.values()))) == list(range(3 * len(found)))


def test_speech_is_coloured_by_the_kinds_of_its_phones_where_they_are_known(
    folder, monkeypatch, figures
):
    few = {name: bundled_clips("log-mel")[name] for name in ("reader/ru_0259", "letters/v")}
    monkeypatch.setattr("srnn_lab.dashboard.panels.clip_set.clips_of_kind", lambda config: few)
    page = open_view("z_map", "runs/mel", monkeypatch, folder, colour="phone")
    assert not page.exception
    names = [trace.name for trace in figures[-1].data]
    assert names[0] == view.UNLABELLED
    assert {"vowel", "fricative", "pause", "stop"} < set(names)
    looks = [(trace.marker.color, trace.marker.symbol) for trace in figures[-1].data]
    assert len(set(looks)) == len(looks)
    page.text_input(key="set").set_value(str(folder)).run()  # no labels there
    assert page.selectbox(key="colour").options == ["KL", "clip"]
    assert not page.exception


def test_a_model_without_z_has_no_map(folder, monkeypatch):
    assert "has no z" in text_of(open_view("z_map", "runs/rnn", monkeypatch, folder))


def test_fifty_thousand_points_are_drawn_within_a_second_of_processor_time():
    rng = np.random.default_rng(0)
    x, y, texts = (
        rng.normal(size=50_000),
        rng.normal(size=50_000),
        ["a clip, 1.23 s: KL 1.00 nats"] * 50_000,
    )
    start = time.process_time()
    content = map_figure(x, y, ("a", "b"), texts, {"KL": np.arange(50_000)}, np.abs(x)).to_json()
    assert time.process_time() - start < 1
    assert len(content) < 4e6


WHERE = """(i) => {
    const chart = document.querySelector('.js-plotly-plot'), {xaxis, yaxis} = chart._fullLayout;
    const box = chart.getBoundingClientRect(), {x, y} = chart._fullData[0];
    return [
      box.left + xaxis._offset + xaxis.c2p(x[i]), box.top + yaxis._offset + yaxis.c2p(y[i])
    ];
}"""
"""In the window, the point with an index."""


@pytest.mark.browser
def test_a_point_is_clicked_heard_and_opened(folder):
    with open_dashboard(folder) as (page, address):
        page.goto(f"{address}/map?checkpoint=runs/jsb")
        page.locator(".js-plotly-plot .gl-canvas").first.wait_for(timeout=90_000)
        page.wait_for_function(
            "() => document.querySelector('.js-plotly-plot')?._fullData?.[0]?.x?.length > 50"
        )
        drag = "document.querySelector('.js-plotly-plot')._fullLayout.dragmode"
        assert page.evaluate(drag) == "zoom"  # as the page says
        page.mouse.click(*page.evaluate(WHERE, 50))
        page.get_by_test_id("stAudio").wait_for(timeout=60_000)
        link = page.get_by_role("link", name="Open in Explore").get_attribute("href")
        page.goto(f"{address}/{link}")
        page.locator(PLAYER).wait_for(timeout=60_000)


@pytest.mark.browser
def test_the_pointer_plays_points_whose_clip_is_fetched_once(folder):
    started = """
        window.played = [];
        const start = AudioBufferSourceNode.prototype.start;
        AudioBufferSourceNode.prototype.start = function (...given) {
            window.played.push(given);
            return start.apply(this, given);
        };"""
    with open_dashboard(folder) as (page, address):
        page.add_init_script(started)
        fetched = []
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(f"{address}/map?checkpoint=runs/jsb")
        page.get_by_text("Play on hover").click(timeout=90_000)
        page.get_by_test_id("stBidiComponentRegular").or_(
            page.get_by_test_id("stBidiComponentIsolated")
        ).first.wait_for(state="attached", timeout=90_000)
        page.wait_for_function("() => document.querySelector('.js-plotly-plot')?._fullData?.[0]?.x")
        page.wait_for_timeout(500)
        for i in (10, 40):
            page.mouse.move(20, 20)
            page.mouse.move(*page.evaluate(WHERE, i))
            page.wait_for_function(
                "(n) => window.played.length >= n", arg=1 + (i == 40), timeout=30_000
            )
        assert len([url for url in fetched if ".wav" in url]) == 1
        (_, at, length), *_ = page.evaluate("window.played")
        assert at >= 0
        assert length == pytest.approx(2 * 60 / 80, abs=1)
