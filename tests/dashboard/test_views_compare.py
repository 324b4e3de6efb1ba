"""The page Compare."""

import base64
import csv
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from payload import made, unpacked
from views import arrays_of, kept_by, open_view, save_runs, small_run, text_of

from srnn_lab.analysis.comparison import compare, differences
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.checkpoint import ASSETS, list_checkpoints, load_checkpoint, read_config
from srnn_lab.dashboard.pages import compare as compare_page
from srnn_lab.dashboard.panels import sounds as listen
from srnn_lab.dashboard.words import setting_in_words
from srnn_lab.data import read_signal

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


def shown(page):
    (player,) = [
        c.proto for c in page.get("bidi_component") if c.proto.component_name == "srnn_player"
    ]
    return unpacked(player.bytes)[0]


def sounds(page):
    delivered = [
        c.proto.json for c in page.get("bidi_component") if c.proto.component_name == "srnn_sounds"
    ]
    return [
        sound["name"] for sound in made(json.loads(delivered[-1]) if delivered else shown(page))
    ]


def test_the_tables_and_the_figure_are_those_of_the_models(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/filt", "runs/plain"])
    assert not page.exception
    names = ["runs/smooth", "runs/filt", "runs/plain"]
    models = {name: load_checkpoint(folder / name / "best.safetensors") for name in names}
    found = compare(
        models, {n: inspect_signal(m, read_signal(CLIP, m.config.data)) for n, m in models.items()}
    )
    averages, moments = (table.value for table in page.dataframe)
    assert list(averages["model"]) == names
    assert list(averages["differs in"]) == ["–", "filtering posterior", "without Res_q"]
    np.testing.assert_allclose(averages["bound"], found.elbo.mean(1), rtol=1e-4)
    np.testing.assert_allclose(
        averages["difference from runs/smooth"],
        found.elbo.mean(1) - found.elbo[0].mean(),
        rtol=1e-3,
        atol=1e-4,
    )
    frames = found.moments(8, apart=4)
    np.testing.assert_allclose(moments["time (s)"], found.times[frames])
    np.testing.assert_allclose(moments["KL runs/plain"], found.kl[2, frames], rtol=1e-4)
    assert list(moments["most surprised"]) == [names[i] for i in found.kl[:, frames].argmax(0)]
    assert [line["name"] for line in shown(page)["rows"][1]["lines"]] == names
    assert "the same noise samples" in text_of(page)


def test_what_is_kept_is_what_is_shown(folder, monkeypatch):
    kept = kept_by("compare", monkeypatch)
    page = open_page(folder, monkeypatch, against=["runs/filt", "runs/plain"])
    assert not page.exception
    arrays = arrays_of(kept["Arrays (.npz)"])
    assert arrays["models"].tolist() == ["runs/smooth", "runs/filt", "runs/plain"]
    bounds = (arrays["log_px"] - arrays["kl"]).mean(1)
    np.testing.assert_allclose(page.dataframe[0].value["bound"], bounds, rtol=1e-5)
    rows = list(csv.DictReader(io.StringIO(kept["Differences (CSV)"])))
    assert [row["most surprised"] for row in rows] == list(
        page.dataframe[1].value["most surprised"]
    )
    titles = {
        element.text
        for element in ElementTree.fromstring(kept["Picture (SVG)"]).iter()
        if element.text
    }
    assert {"The clip", "runs/filt", "runs/plain"} <= titles
    assert any(title.startswith("KL: difference from runs/smooth") for title in titles)
    assert (
        "<h1>agent-newlocation.flac: runs/smooth, runs/filt, runs/plain</h1>"
        in kept["Player (HTML)"]
    )
    wave, rate = soundfile.read(io.BytesIO(kept["Sound (WAV)"]))
    # The recording, which is heard first.
    assert (len(wave) / rate, rate) == (
        soundfile.info(CLIP).duration,
        16000,
    )


def test_the_link_to_a_comparison_names_all_its_models(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/filt", "runs/plain"])
    assert "against=runs%2Ffilt&against=runs%2Fplain" in text_of(page)


def test_only_checkpoints_with_the_same_frames_are_offered_and_the_page_says_so(
    folder, monkeypatch
):
    page = open_page(folder, monkeypatch)
    offered = page.multiselect(key="against")
    assert {"voice-mel", "runs/filt", "runs/plain", "runs/larger"} <= set(offered.options)
    assert not {"voice", "jsb", "runs/raw", "runs/alone", "runs/smooth", "runs/broken"} & set(
        offered.options
    )
    assert len(offered.value) == 1
    assert "the same kind of frame" in text_of(page)
    assert "Not readable\\: runs/broken" in offered.help
    assert "runs/raw" in offered.help


def test_a_first_visit_compares_what_the_other_pages_show(folder, monkeypatch):
    page = open_page(folder, monkeypatch, None)
    assert not page.exception
    assert page.sidebar.selectbox(key="checkpoint").value == "voice-mel"
    assert list(page.dataframe[0].value["model"]) == ["voice-mel", "voice-mel-filt-res"]
    assert list(page.dataframe[0].value["differs in"]) == [
        "–",
        "352 units in d, filtering posterior",
    ]


def test_a_ready_made_comparison_chooses_both_models(folder, monkeypatch):
    page = open_page(folder, monkeypatch, None)
    for question, pair in compare_page.READY_MADE.items():
        next(button for button in page.button if button.label == question).click().run()
        assert not page.exception
        assert (
            page.sidebar.selectbox(key="checkpoint").value,
            *page.multiselect(key="against").value,
        ) == pair
        assert list(page.dataframe[0].value["model"]) == list(pair)


def test_every_setting_that_tells_bundled_models_apart_is_said_in_words():
    configs = {name: read_config(path) for name, path in list_checkpoints().items()}
    for first, other in compare_page.READY_MADE.values():
        told = differences(configs[other], configs[first])
        assert told
        assert not [
            name
            for name, value in told.items()
            if f"{name} {value}" == setting_in_words(name, value)
        ]


def test_a_checkpoint_that_stands_alone_gets_a_sentence(folder, monkeypatch):
    page = open_page(folder, monkeypatch, "runs/alone")
    assert not page.exception
    assert "No other checkpoint has the frames of runs/alone" in page.info[0].value
    assert not [c for c in page.get("bidi_component") if c.proto.component_name == "srnn_player"]


def test_averages_are_those_of_the_selection(folder, monkeypatch):
    kept = kept_by("compare", monkeypatch)
    page = open_page(folder, monkeypatch, against=["runs/filt"], place="0.5000-1.0000")
    arrays = arrays_of(kept["Arrays (.npz)"])
    inside = (arrays["times"] >= 0.5) & (arrays["times"] < 1)
    np.testing.assert_allclose(
        page.dataframe[0].value["KL"], arrays["kl"][:, inside].mean(1), rtol=1e-4
    )
    np.testing.assert_allclose(
        page.dataframe[0].value["largest KL"], arrays["kl"][:, inside].max(1), rtol=1e-4
    )
    assert "Averaged over the selection" in text_of(page)


def test_noise_that_cannot_be_shared_is_told(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/larger"])
    assert "runs/larger cannot use the noise samples of runs/smooth" in text_of(page)


def test_no_more_than_four_and_no_unknown_name_can_be_asked_for(folder, monkeypatch):
    asked = [
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "runs/filt",
        "runs/plain",
        "runs/larger",
        "voice-mel",
    ]
    page = open_page(folder, monkeypatch, against=asked)
    assert not page.exception
    assert 1 <= len(page.multiselect(key="against").value) <= 3
    assert "script" not in text_of(page)


def test_models_can_be_taken_away(folder, monkeypatch):
    page = open_page(folder, monkeypatch, against=["runs/filt"])
    page.multiselect(key="against").set_value([]).run()
    assert not page.exception
    assert "at least one" in page.info[0].value


@pytest.mark.parametrize(
    ("first", "other"), [("runs/raw", "voice"), ("runs/smooth", "runs/filt"), ("jsb", "muse")]
)
def test_the_clip_and_each_reconstruction_can_be_heard(folder, monkeypatch, first, other):
    page = open_page(folder, monkeypatch, first, against=[other])
    assert not page.exception
    at_hand = [] if first == "jsb" else ["original"]
    assert [sound["name"] for sound in made(shown(page))] == at_hand  # the others follow
    assert sounds(page) == ["original", first, other]
    (clip, _), *others = page.session_state["visit"].sounds.values()
    assert all(np.abs(wave).max() > 100 and not np.array_equal(wave, clip) for wave, _ in others)
    page.run()
    assert [sound["name"] for sound in made(shown(page))] == ["original", first, other]


def test_the_reconstructions_of_a_long_clip_are_offered_and_made_when_they_are_asked_for(
    folder, monkeypatch
):
    monkeypatch.setitem(listen.ALL_AT_ONCE_SECONDS, "log-mel", 0.5)
    page = open_page(folder, monkeypatch, against=["runs/filt"])
    assert sounds(page) == ["original"]
    offered = [(sound["name"], sound["onRequest"]) for sound in shown(page)["sounds"]]
    assert offered == [("original", False), ("runs/smooth", True), ("runs/filt", True)]
    visit = page.session_state["visit"]
    filt = visit.choice._replace(path="runs/filt/best.safetensors")
    filt = filt._replace(modified=(folder / filt.path).stat().st_mtime)
    page.session_state["visit"] = replace(
        visit, sounds_asked_for=frozenset({(filt, listen.MEAN, 0)})
    )
    page.run()
    assert not page.exception
    assert sounds(page) == ["original", "runs/filt"]


def test_a_player_that_is_kept_has_the_sounds_that_were_made_after_the_page_was_shown(
    folder, monkeypatch
):
    files = {}
    monkeypatch.setattr(
        "srnn_lab.dashboard.pages.compare.keep", lambda _, given, note: files.update(given)
    )
    page = open_page(folder, monkeypatch, "jsb", against=["muse"])
    assert not page.exception
    with ThreadPoolExecutor(1) as pool:  # Streamlit asks for a file in a thread that has no session
        kept = pool.submit(files["Player (HTML)"][0]).result()
    (data,) = re.findall(r'atob\("([^"]+)"\)', kept)
    assert [sound["name"] for sound in unpacked(base64.b64decode(data))[0]["sounds"]] == [
        "original",
        "jsb",
        "muse",
    ]


def test_a_link_goes_to_a_place_a_zoom_and_a_sound(folder, monkeypatch):
    link = {"place": "0.5000-0.7500", "zoom": "0.2500-1.0000", "sound": "runs/filt"}
    page = open_page(folder, monkeypatch, against=["runs/filt"], **link)
    head = shown(page)
    assert (head["jump"]["start"], head["jump"]["end"]) == (0.5, 0.75)
    assert (head["look"]["start"], head["look"]["end"], head["look"]["sound"]) == (
        0.25,
        1.0,
        "runs/filt",
    )
    assert {name: page.query_params[name] for name in link} == link
