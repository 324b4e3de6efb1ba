"""Find similar, on the first page."""

import time
from urllib.parse import urlencode

import numpy as np
import pytest
from browser import PLAYER, drag, open_dashboard
from playwright.sync_api import expect
from views import open_view, save_runs, small_run, text_of

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.similar import nearest_stretches
from srnn_lab.checkpoint import ASSETS, load_checkpoint
from srnn_lab.dashboard.panels import sounds as listen
from srnn_lab.dashboard.panels.similar import SHOWN, in_words
from srnn_lab.data import read_signal
from srnn_lab.data.bundled import bundled_clips, clip_titles
from srnn_lab.player.component import Place

pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns of things that are not ours

PLACE = "4.0000-6.0000"
SPACES = {"z": "z (posterior means)", "d": "d (deterministic states)", "x": "x (piano roll frames)"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("similar")
    save_runs(found, jsb=small_run("jsb"), rnn=small_run("jsb", model="rnn"))
    return found


@pytest.fixture(autouse=True)
def few_sounds(monkeypatch):
    """The other sounds of the clip take longer than all that is tested here."""
    for kind in ("roll", "log-mel"):
        monkeypatch.setitem(listen.ALL_AT_ONCE_SECONDS, kind, 0)


def stretches(page):
    return [m.value for m in page.markdown if "as far as the median stretch" in m.value]


def test_the_nearest_stretches_of_the_set_are_shown_and_heard(folder, monkeypatch):
    page = open_view(
        "explore", "runs/jsb", monkeypatch, folder, place=PLACE, similar=SPACES["z"], clip="bwv270"
    )
    model = load_checkpoint(folder / "runs" / "jsb" / "best.safetensors")
    paths = (ASSETS / "chorales").glob("*.mid")
    clips = {
        path.stem: inspect_signal(model, read_signal(path, model.config.data))
        for path in sorted(paths)
    }
    times = clips["bwv270"].times
    selected = np.flatnonzero((times >= 4) & (times < 6))
    for space in SPACES:
        page.segmented_control(key="similar").set_value(space).run()
        assert not page.exception
        values = {
            name: {"z": clip.mu_q, "d": clip.d, "x": clip.frames}[space]
            for name, clip in clips.items()
        }
        own = ("bwv270", int(selected[0]))
        found = nearest_stretches(values["bwv270"][selected], values, own, SHOWN)
        assert len(found) == len(stretches(page)) == len(page.get("audio")) == SHOWN
        for said, moment in zip(stretches(page), found, strict=True):
            title = clip_titles(bundled_clips("roll"))[moment.clip]
            assert said.startswith(f"{in_words(moment.value)} · {title}, bar ")
        start = clips[found[0].clip].times[found[0].frame] - (times[1] - times[0]) / 2
        assert f"clip={found[0].clip}&place={start:.4f}-{start + 2:.4f}" in text_of(page)


def test_before_a_selection_one_is_asked_for_and_without_z_none_is_sought_in_it(
    folder, monkeypatch
):
    page = open_view("explore", "runs/rnn", monkeypatch, folder)
    assert "Select a stretch first" in text_of(page)
    assert page.segmented_control(key="similar").options == [SPACES["d"], SPACES["x"]]


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "**The same**: 0 %"), (0.3, "**Very alike**: 30 %"), (0.5, "**Alike**: 50 %"),
     (0.8, "**Somewhat alike**: 80 %"), (1.2, "**Hardly nearer than any**: 120 %")],
)  # fmt: skip
def test_a_distance_is_told_in_words(share, said):
    assert in_words(share) == f"{said} as far as the median stretch"


def test_once_the_set_is_known_another_selection_is_answered_within_a_second_of_processor_time(
    folder, monkeypatch
):
    page = open_view(
        "explore", "voice-mel", monkeypatch, folder, place="1.0000-1.3000", similar=SPACES["z"]
    )
    before = stretches(page)
    spent = []
    for place in ("0.5000-0.8000", "1.2000-1.5000"):
        page.session_state["player place"] = Place(*map(float, place.split("-")))
        start = time.process_time()
        page.run()
        spent.append(time.process_time() - start)
        assert len(stretches(page)) == SHOWN
        assert stretches(page) != before
    assert min(spent) < 1


@pytest.mark.browser
def test_what_is_like_a_selection_is_found_anew_when_another_is_dragged_and_opened(folder):
    with open_dashboard(folder) as (page, at):
        asked = {"checkpoint": "runs/jsb", "clip": "bwv270", "place": PLACE, "similar": SPACES["z"]}
        page.goto(f"{at}/?{urlencode(asked)}")
        found = page.get_by_text("as far as the median stretch")
        expect(found).to_have_count(SHOWN, timeout=90_000)
        before = found.all_inner_texts()
        drag(page, 20, 23)
        expect(found.first).not_to_have_text(before[0], timeout=60_000)
        link = page.get_by_role("link", name="Open in Explore").last.get_attribute("href")
        page.goto(f"{at}/{link}")
        page.locator(PLAYER).wait_for(timeout=60_000)
        assert "place=" in page.url
