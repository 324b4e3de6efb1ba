"""The page Steer."""

import numpy as np
import pytest
from browser import open_dashboard, wait_until_it_moves
from payload import unpacked
from playwright.sync_api import expect
from views import arrays_of, kept_by, open_view, save_runs, small_run, text_of

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.interventions import decode_path
from srnn_lab.analysis.steering import towards
from srnn_lab.checkpoint import ASSETS, load_checkpoint
from srnn_lab.dashboard.panels import sounds as listen
from srnn_lab.dashboard.panels.classes import bass_notes
from srnn_lab.dashboard.words import number
from srnn_lab.data import read_signal
from srnn_lab.pictures.side_by_side import change_row
from srnn_lab.player.component import Place

pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns of things that are not ours

CLIP, STRETCH = "bwv102-7", "steered-bwv102-7-48.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("steer")
    save_runs(
        found,
        jsb=small_run("jsb"),
        rnn=small_run("jsb", model="rnn"),
        tsbn=small_run("jsb", model="tsbn"),
    )
    save_runs(found, mel=small_run(), raw=small_run("voice"))
    return found


@pytest.fixture(autouse=True)
def few_sounds(monkeypatch):
    monkeypatch.setitem(listen.ALL_AT_ONCE_SECONDS, "roll", 0)


@pytest.fixture
def kept(monkeypatch):
    return kept_by("steer", monkeypatch)


@pytest.fixture(scope="module")
def tested(folder):
    model = load_checkpoint(folder / "runs" / "jsb" / "best.safetensors")
    paths = sorted((ASSETS / "chorales").glob("*.mid"))
    signals = {path.stem: read_signal(path, model.config.data) for path in paths}
    return model, signals, {name: inspect_signal(model, signal) for name, signal in signals.items()}


def opened(folder, monkeypatch, **params):
    page = open_view("steer", "runs/jsb", monkeypatch, folder, **params)
    assert not page.exception
    return page


def test_a_dimension_is_moved_in_the_stretch_by_its_deviation(folder, monkeypatch, kept, tested):
    model, signals, clips = tested
    page = opened(folder, monkeypatch, dimension="z2", alpha="-2.0", **{STRETCH: ["4.0", "12.0"]})
    clip, arrays = clips[CLIP], arrays_of(kept["Arrays (.npz)"])
    inside = (clip.times >= 4) & (clip.times < 12)
    expected = clip.mu_q.copy()
    expected[inside, 2] -= 2 * clip.mu_q[:, 2].std()
    np.testing.assert_allclose(arrays["z_after"], expected, atol=1e-5)
    np.testing.assert_allclose(arrays["z_before"], clip.mu_q, atol=1e-6)
    after = decode_path(model, signals[CLIP], expected)
    np.testing.assert_allclose(arrays["mean_after"], after.mean, atol=1e-4)
    np.testing.assert_allclose(arrays["logvar_after"], after.logvar, atol=1e-3)
    assert f"to **{number(np.median(after.log_px[inside]))}** nats." in text_of(page)
    page.toggle(key="growing").set_value(True).run()
    z = arrays_of(kept["Arrays (.npz)"])["z_after"]
    first, last = np.flatnonzero(inside)[[0, -1]]
    np.testing.assert_allclose(
        z[[first, last], 2], [clip.mu_q[first, 2], expected[last, 2]], atol=1e-5
    )


def test_a_direction_leads_from_one_selection_to_another(folder, monkeypatch, kept, tested):
    clip = tested[2][CLIP]
    page = opened(folder, monkeypatch, direction="two selections")
    assert "for A and for B" in text_of(page)
    np.testing.assert_array_equal(
        *(arrays_of(kept["Arrays (.npz)"])[f"z_{name}"] for name in ("before", "after"))
    )
    for name, place in (("A", Place(0.0, 8.0)), ("B", Place(16.0, 20.0))):
        page.session_state["steer-player place"] = place
        page.run()
        next(
            button for button in page.button if button.label == f"The selection is {name}"
        ).click().run()
    assert not page.exception
    first, second = (clip.times < 8), (clip.times >= 16) & (clip.times < 20)
    direction = clip.mu_q[second].mean(0) - clip.mu_q[first].mean(0)
    np.testing.assert_allclose(
        arrays_of(kept["Arrays (.npz)"])["z_after"], clip.mu_q + direction, atol=1e-5
    )
    assert "A: bar 1, beat 1 to bar" in text_of(page)


def test_a_direction_leads_to_the_mean_of_a_bass_note(folder, monkeypatch, kept, tested):
    clips = tested[2]
    page = opened(folder, monkeypatch, direction="bass note", alpha="0.5")
    note = page.selectbox(key="class").options[3]
    page.selectbox(key="class").select(note).run()
    z = np.concatenate([clip.mu_q for clip in clips.values()])
    chosen = np.concatenate([np.array(bass_notes(clip.frames)) == note for clip in clips.values()])
    expected = clips[CLIP].mu_q + 0.5 * (z[chosen].mean(0) - z.mean(0))
    np.testing.assert_allclose(arrays_of(kept["Arrays (.npz)"])["z_after"], expected, atol=1e-5)


def test_a_morph_is_half_way_between_two_clips(folder, monkeypatch, kept, tested):
    clips = tested[2]
    page = opened(folder, monkeypatch, direction="another clip", morph="0.5")
    assert (page.slider(key="morph").min, page.slider(key="morph").max) == (0, 1)
    other = page.selectbox(key="morphed-clip").value
    expected = clips[CLIP].mu_q + 0.5 * towards(clips[CLIP].mu_q, clips[other].mu_q)
    np.testing.assert_allclose(arrays_of(kept["Arrays (.npz)"])["z_after"], expected, atol=1e-5)


def test_speech_is_moved_towards_a_phone_and_its_rows_show_the_change_of_both_moments(
    folder, monkeypatch, kept
):
    page = open_view("steer", "runs/mel", monkeypatch, folder, direction="phone")
    assert not page.exception
    assert {"aa", "t"} < set(page.selectbox(key="class").options)
    assert "pau" not in page.selectbox(key="class").options
    (player,) = [
        c.proto for c in page.get("bidi_component") if c.proto.component_name == "srnn_player"
    ]
    titles = [row["title"] for row in unpacked(player.bytes)[0]["rows"]]
    assert titles[3:5] == ["Change of the mean", "Change of the log-variance"]
    arrays = arrays_of(kept["Arrays (.npz)"])
    assert np.abs(arrays["mean_after"] - arrays["mean_before"]).max() > 0


@pytest.mark.parametrize("name", ["rnn", "tsbn"])
def test_a_model_whose_z_cannot_be_moved_says_so(folder, monkeypatch, name):
    page = open_view("steer", f"runs/{name}", monkeypatch, folder)
    assert "cannot be moved" in text_of(page)


def test_a_change_is_drawn_around_0(tested):
    model, signals, clips = tested
    change = np.zeros_like(clips[CLIP].mean)
    change[3, 40] = -0.25
    row = change_row("Change", model, signals[CLIP], clips[CLIP], change, "")
    assert row.limits == (-0.25, 0.25)
    assert row.values.min() == -0.25
    assert row.colours[len(row.colours) // 2].endswith("00")


@pytest.mark.browser
def test_alpha_is_moved_by_keyboard_and_the_steered_sound_is_played(folder):
    with open_dashboard(folder) as (page, at):
        page.goto(f"{at}/steer?checkpoint=runs/jsb&alpha=0.0")
        said = page.get_by_text("In the stretch z moves by")
        expect(said).to_contain_text("z moves by 0.00", timeout=90_000)
        page.get_by_role("slider", name="α").press("End")
        expect(said).not_to_contain_text("z moves by 0.00", timeout=30_000)
        assert "alpha=3" in page.url
        page.get_by_role("button", name="z steered").click(timeout=60_000)
        page.get_by_role("button", name="Play", exact=True).click()
        wait_until_it_moves(page)
