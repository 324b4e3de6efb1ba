"""The pages Latents and Make a transition, and one visit to all three pages in a browser."""

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from browser import PLAYER, drag, open_dashboard, wait_until_it_moves
from payload import made, unpacked
from playwright.sync_api import expect
from tiny import music_run, roll, speech_run, untrained, wave
from views import arrays_of, kept_by, open_view, save_runs, small_run, text_of

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.interventions import SOURCES, posterior_path, replace_latents
from srnn_lab.analysis.transitions import measure_edit
from srnn_lab.checkpoint import ASSETS, load_checkpoint
from srnn_lab.dashboard.pages.latents import few_lose_most
from srnn_lab.dashboard.panels import sounds as listen
from srnn_lab.dashboard.words import number
from srnn_lab.data import read_signal
from srnn_lab.data.edits import insert_silence, splice, transpose
from srnn_lab.data.midi import Timing
from srnn_lab.pictures.side_by_side import edit_rows, reconstruction_rows
from srnn_lab.player.component import Place

pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns of things that are not ours
SPEECH = [ASSETS / "voice" / name for name in ("agent-newlocation.flac", "call-fwd-no-ans.flac")]
CHORALES = [ASSETS / "chorales" / name for name in ("bwv102-7.mid", "bwv110-7.mid")]
RUNS = {"roll": music_run(), "raw": speech_run(), "log-mel": speech_run(features="log-mel")}
STRETCH = "replaced-bwv102-7-48.0"
CLIPS = {"roll": roll(24), "raw": wave(), "log-mel": wave()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small runs for each kind of frames."""
    found = tmp_path_factory.mktemp("latents")
    music = small_run("jsb")
    save_runs(
        found,
        mel=small_run(),
        raw=small_run("voice"),
        jsb=music,
        vrnn=small_run("jsb", model="vrnn"),
        filt=small_run("jsb", smoothing=False),
        rnn=small_run("jsb", model="rnn"),
    )
    return found


def checkpoint_and_clips(folder, name):
    checkpoint = load_checkpoint(folder / "runs" / name / "best.safetensors")
    files = CHORALES if checkpoint.config.data.features == "roll" else SPEECH
    return checkpoint, *(read_signal(file, checkpoint.config.data) for file in files)


@pytest.mark.parametrize("name", ["mel", "raw", "jsb", "vrnn"])
def test_the_table_has_what_each_source_of_z_loses(folder, monkeypatch, name):
    page = open_view("latents", f"runs/{name}", monkeypatch, folder)
    assert not page.exception
    checkpoint, clip, other = checkpoint_and_clips(folder, name)
    found = replace_latents(checkpoint, clip, other=posterior_path(checkpoint, other), seed=0)
    (table,) = (element.value for element in page.dataframe)
    assert tuple(table["z from"]) == SOURCES
    lost = [found["posterior sample"].log_px - one.log_px for one in found.values()]
    np.testing.assert_allclose(
        table["lost, mean"], [values.mean() for values in lost], rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(
        table["lost, median"], [np.median(values) for values in lost], rtol=1e-3, atol=1e-3
    )
    assert (
        f"the **median loss is {number(np.median(lost[2]), 1)} nats per frame** with z from"
        in text_of(page)
    )


@pytest.mark.parametrize(
    ("lost", "few"),
    [
        ([0.0] * 99 + [500.0], True),
        ([0.0] * 60 + [10.0] * 40, False),
        ([5.0] * 100, False),
        ([0.0] * 99 + [9.0], False),
    ],
)
def test_few_frames_lose_most_only_if_a_twentieth_makes_over_half_of_the_loss(lost, few):
    assert few_lose_most(np.array(lost)) == few


def test_a_mean_that_a_few_frames_make_is_told(folder, monkeypatch):
    def torn(*arguments, **options):
        found = replace_latents(*arguments, **options)
        found["zero"].log_px[10] -= 1e6
        return found

    monkeypatch.setattr("srnn_lab.dashboard.pages.latents.replace_latents", torn)
    page = open_view("latents", "runs/jsb", monkeypatch, folder, seed_z="77")
    assert "For “zero” a few extreme frames dominate the mean; compare medians." in text_of(page)


@pytest.mark.parametrize("other", ["bwv270", "bwv110-7"])  # of the same length and of another
@pytest.mark.parametrize(
    ("view", "address", "chosen", "words", "whole"),
    [
        (
            "latents",
            "replaced-bwv102-7-48.0",
            (4, 12),
            ["bar 2, beat 1", "bar 4, beat 1"],
            lambda end: (0, end),
        ),
        ("transition", "at-bwv102-7-47.5", 4, ["bar 2, beat 1"], None),
    ],
)
def test_another_clip_takes_a_stretch_or_a_point_back(
    folder, monkeypatch, view, address, chosen, words, whole, other
):
    value = [str(float(time)) for time in np.atleast_1d(chosen)]
    page = open_view(view, "runs/jsb", monkeypatch, folder, **{address: value})
    assert page.slider[0].value == chosen
    shown = page.select_slider[0]
    assert shown.value == chosen
    assert list(map(shown.format_func, np.atleast_1d(chosen))) == words
    page.sidebar.selectbox(key="clip").select(other).run()
    page.run()
    assert not page.exception
    stretch = page.slider[0]
    assert stretch.value == (whole(stretch.max) if whole else (stretch.max + 0.5) / 2)
    assert page.select_slider[0].value == stretch.value
    assert address not in page.query_params


def test_what_is_chosen_in_bars_and_beats_is_written_in_quarter_notes(folder, monkeypatch):
    page = open_view("latents", "runs/jsb", monkeypatch, folder)
    shown = page.select_slider[0]
    assert shown.label == "Replace z from … to"
    assert shown.options[9] == "bar 2, beat 1.5"
    shown.set_range(4.5, 12.0).run()
    assert not page.exception
    assert page.slider[0].value == page.select_slider[0].value == (4.5, 12.0)
    assert page.query_params[STRETCH] == ["4.5", "12"]
    page.slider[0].set_range(4.0, 6.0).run()  # as an address does
    assert page.select_slider[0].value == (4.0, 6.0)


def test_a_stretch_a_seed_and_another_clip_are_followed(folder, monkeypatch):
    page = open_view(
        "latents", "runs/jsb", monkeypatch, folder, seed_z="5", **{STRETCH: ["4.0", "12.0"]}
    )
    checkpoint, clip, other = checkpoint_and_clips(folder, "jsb")
    path = posterior_path(checkpoint, other, seed=5)
    found = replace_latents(checkpoint, clip, other=path, start=4.0, stop=12.0, seed=5)
    times = checkpoint.frontend.times(len(clip))[1:]
    inside = (times >= 4) & (times < 12)

    def means():
        return page.dataframe[0].value["log p(x | z, d)"]

    np.testing.assert_allclose(
        means(), [one.log_px[inside].mean() for one in found.values()], rtol=1e-3, atol=1e-3
    )
    before = list(means())
    clips = page.selectbox(key="other-clip")
    clips.select(clips.options[2]).run()
    assert [a != b for a, b in zip(before, means(), strict=True)] == [False] * 4 + [True]
    page.sidebar.selectbox(key="clip").select("bwv270").run()
    assert not page.exception
    assert "Befiehl du deine Wege" not in page.selectbox(key="other-clip").options


def test_what_is_selected_in_the_player_becomes_the_stretch(folder, monkeypatch):
    page = open_view("latents", "runs/raw", monkeypatch, folder)
    assert not page.button
    page.session_state["latents-player place"] = Place(0.5, 99.0)
    page.run()
    page.button[0].click().run()
    assert not page.exception
    assert page.slider[0].value == pytest.approx((0.5, page.slider[0].max), abs=0.013)


@pytest.mark.parametrize("name", ["raw", "jsb"])
def test_sources_are_shown_and_heard_as_chosen(folder, monkeypatch, name):
    page = open_view("latents", f"runs/{name}", monkeypatch, folder, sources=["zero"])
    assert not page.exception
    assert list(addresses(page)) == ["the clip", "zero"]
    page.pills(key="sources").set_value([]).run()
    assert "at least one source" in page.info[0].value


def addresses(page):
    """Where the sounds of the page's player are, by name; the same sound is at the same place."""
    delivered = [
        c.proto.json for c in page.get("bidi_component") if c.proto.component_name == "srnn_sounds"
    ]
    (player,) = [
        c.proto for c in page.get("bidi_component") if c.proto.component_name == "srnn_player"
    ]
    found = json.loads(delivered[-1]) if delivered else unpacked(player.bytes)[0]
    return {sound["name"]: sound["address"] for sound in made(found)}


def test_what_is_heard_follows_the_source_of_z(folder, monkeypatch):
    page = open_view("latents", "runs/raw", monkeypatch, folder, sources=["zero", "prior sample"])
    before = addresses(page)
    page.pills(key="sources").set_value(["zero", "posterior sample"]).run()
    after = addresses(page)
    assert list(before) == ["the clip", "prior sample", "zero"]
    assert list(after) == ["the clip", "posterior sample", "zero"]
    assert [before[name] == after[name] for name in ("the clip", "zero")] == [True, True]
    assert len({*before.values(), *after.values()}) == 4


class Everything(frozenset):
    """What has all that is asked for."""

    def __contains__(self, _):
        return True


def test_the_reconstructions_of_a_long_clip_are_made_when_they_are_asked_for(folder, monkeypatch):
    monkeypatch.setitem(listen.ALL_AT_ONCE_SECONDS, "raw", 0.5)
    page = open_view("latents", "runs/raw", monkeypatch, folder, sources=["zero"])
    assert list(addresses(page)) == ["the clip"]
    page.session_state["visit"] = replace(
        page.session_state["visit"], sounds_asked_for=Everything()
    )
    page.run()
    assert list(addresses(page)) == ["the clip", "zero"]


def test_the_clip_is_heard_before_and_after_its_edit(folder, monkeypatch):
    page = open_view("transition", "runs/raw", monkeypatch, folder, edit="insert silence")
    first = addresses(page)
    assert first["before"] != first["after"]
    page.slider[0].set_value(page.slider[0].min).run()
    second = addresses(page)
    assert second["before"] == first["before"]
    assert second["after"] not in first.values()


@pytest.mark.parametrize("name", ["mel", "jsb"])
def test_what_is_kept_is_what_is_shown(folder, monkeypatch, name):
    kept = kept_by("latents", monkeypatch)
    page = open_view(
        "latents", f"runs/{name}", monkeypatch, folder, sources=["posterior sample", "zero"]
    )
    assert not page.exception
    arrays = arrays_of(kept["Arrays (.npz)"])
    assert not arrays["z_zero"].any()
    assert arrays["log_px_zero"].mean() == pytest.approx(
        page.dataframe[0].value["log p(x | z, d)"][3], rel=1e-5
    )
    assert len(arrays["times"]) == len(arrays["mean_posterior_sample"])
    assert kept["Averages (CSV)"].splitlines()[4].startswith("zero,")
    assert "E[x | z, d], z: zero" in kept["Picture (SVG)"]


@pytest.mark.parametrize("name", ["mel", "jsb"])
def test_an_edited_clip_is_kept_as_it_is_heard(folder, monkeypatch, name):
    kept = kept_by("transition", monkeypatch)
    page = open_view("transition", f"runs/{name}", monkeypatch, folder, edit="insert silence")
    assert not page.exception
    checkpoint, clip, _ = checkpoint_and_clips(folder, name)
    file = folder / f"edited.{'mid' if name == 'jsb' else 'wav'}"
    file.write_bytes(kept["The edited clip"])
    edited = read_signal(file, checkpoint.config.data)
    assert len(edited) == len(clip) + 40 * checkpoint.config.data.hop
    arrays = arrays_of(kept["Arrays (.npz)"])
    assert np.isnan(arrays["kl_before"]).sum() == 1
    (first, second), step = (
        arrays["joints"],
        checkpoint.config.data.hop / checkpoint.config.data.rate,
    )
    assert second - first == pytest.approx(40 * step)
    unit = "quarter notes" if name == "jsb" else "s"
    np.testing.assert_array_equal(arrays["KL(q ‖ p) per frame: after (nats)"], arrays["kl_after"])
    times = arrays[f"KL(q ‖ p) per frame: after, times ({unit})"]
    np.testing.assert_array_equal(times, arrays["times_after"])
    (player,) = [
        c.proto for c in page.get("bidi_component") if c.proto.component_name == "srnn_player"
    ]
    scene, frame = unpacked(player.bytes)[0], unpacked(player.bytes)[0]["frame"]
    assert frame["count"] == len(times)
    # The model's frames, as on other pages.
    assert frame["start"] + frame["step"] / 2 == pytest.approx(times[0])
    assert scene["end"] == pytest.approx(len(edited) // checkpoint.config.data.hop * step)
    assert "KL(q ‖ p) per frame" in kept["Picture (SVG)"]


def test_a_model_without_z_is_told_apart(folder, monkeypatch):
    page = open_view("latents", "runs/rnn", monkeypatch, folder)
    assert not page.exception
    assert "has no z" in page.info[0].value


@pytest.mark.parametrize(
    ("name", "edit", "amount"),
    [
        ("jsb", "transpose a bar", {"semitones": "3"}),
        ("jsb", "insert silence", {"silence-0.5": "4.0"}),
        ("filt", "splice in another clip", {}),
        ("raw", "insert silence", {"silence-0.0125": "0.25"}),
        ("mel", "splice in another clip", {}),
    ],
)
def test_an_edit_says_what_it_does_to_the_kl_at_its_joints(folder, monkeypatch, name, edit, amount):
    checkpoint, clip, other = checkpoint_and_clips(folder, name)
    data = checkpoint.config.data
    at = 10 * data.hop
    last = round((len(clip) // data.hop - 1) * data.hop / data.rate, 6)
    point = {
        f"at-{'bwv102-7' if name in ('jsb', 'filt') else 'agent-newlocation'}-{last}": str(
            at / data.rate
        )
    }
    page = open_view(
        "transition", f"runs/{name}", monkeypatch, folder, edit=edit, **point, **amount
    )
    assert not page.exception
    if edit == "transpose a bar":
        stop = at + 4 * data.rate
        after, joints = transpose(clip, 3, at, stop), [(at, at), (stop, stop)]
    elif edit == "insert silence":
        length = round(float(*amount.values()) * data.rate)
        after, joints = insert_silence(clip, at, length), [(at, at), (at, at + length)]
    else:
        after, joints = splice(clip, at, other, len(other) // 2 // data.hop * data.hop), [(at, at)]
    effect = measure_edit(checkpoint, clip, after, joints)
    for time, before, found in zip(
        effect.joints_after, effect.surprise_before, effect.surprise_after, strict=True
    ):
        moment = Timing(90.0).moment(time) if data.kind.notes else f"{time:.2f} s"
        assert f"**{found:.1f}** nats at {moment} (" in text_of(page)
        assert f"(before: {before:.1f})" in text_of(page)
    assert (
        f"95th percentile of the unedited clip: {np.percentile(effect.before.kl, 95):.1f} nats"
        in text_of(page)
    )
    assert ("does not look ahead" in text_of(page)) == (name == "filt")
    assert ("transpose a bar" in page.segmented_control(key="edit").options) == (
        data.features == "roll"
    )


def test_the_place_in_the_player_becomes_the_point_of_the_edit_and_another_clip_stops_nothing(
    folder, monkeypatch
):
    page = open_view("transition", "runs/jsb", monkeypatch, folder)
    page.session_state["transition-player place"] = Place(999.0, 999.0)
    page.run()
    page.button[0].click().run()
    assert not page.exception
    assert page.slider[0].value == page.slider[0].max
    for name in page.sidebar.selectbox(key="clip").options[1:4]:
        page.sidebar.selectbox(key="clip").select(name).run()
        assert not page.exception
        assert page.slider[0].value <= page.slider[0].max


@pytest.mark.parametrize("features", RUNS)
def test_each_source_of_z_gets_a_row_on_the_clips_scale_and_a_line(features):
    tested, signal = untrained(RUNS[features]), CLIPS[features]
    clip, found = inspect_signal(tested, signal), replace_latents(tested, signal, seed=0)
    first, *rows, last = reconstruction_rows(tested, signal, clip, found)
    assert [row.title.split("z: ")[1] for row in rows] == list(found)
    for row, one in zip(rows, found.values(), strict=True):
        assert row.limits == first.limits
        if features == "raw":
            np.testing.assert_array_equal(row.lines[0].values, tested.frontend.waveform(one.mean))
            # The first frame is not scored.
            assert row.lines[0].times[0] == pytest.approx(80 / 8000)
        else:
            low = 37 if features == "roll" else 0
            np.testing.assert_array_equal(row.values, one.mean[:, low : low + row.values.shape[1]])
            np.testing.assert_array_equal(row.times, clip.times)
    for line, one in zip(last.lines, found.values(), strict=True):
        np.testing.assert_array_equal(line.values, one.log_px)
    assert len({line.colour for line in last.lines}) == len(found)


@pytest.mark.parametrize("features", RUNS)
def test_an_edit_shows_both_clips_on_one_scale_and_both_lines(features):
    tested, signal = untrained(RUNS[features]), CLIPS[features]
    data = tested.config.data
    at, length = 8 * data.hop, 3 * data.hop
    after = insert_silence(signal, at, length)
    effect = measure_edit(tested, signal, after, [(at, at), (at, at + length)])
    before, edited, kl = edit_rows(
        data, signal, after, effect, {"another": (np.zeros(2), np.ones(2))}
    )
    assert before.limits == edited.limits
    if features == "roll":
        # Pitches 61 to 80 and three more on both sides.
        assert edited.ticks == before.ticks == {2: "C4", 14: "C5"}
        np.testing.assert_array_equal(edited.values, after[:, 37:63])
    else:
        np.testing.assert_array_equal(edited.lines[0].values, after)
        assert edited.lines[0].times[-1] == (len(after) - 1) / data.rate
    assert [line.name for line in kl.lines] == ["before", "after", "another"]
    assert [line.style for line in kl.lines] == ["under", "line", "line"]
    np.testing.assert_array_equal(kl.lines[0].values, effect.aligned[1])
    np.testing.assert_array_equal(kl.lines[1].values, effect.after.kl)


@pytest.mark.browser
def test_a_visit_compares_replaces_and_edits_and_each_address_shows_the_same_again(folder):
    with open_dashboard(folder, height=1600) as (page, address):
        page.goto(f"{address}/compare?checkpoint=runs/jsb&against=runs/vrnn")
        page.locator(PLAYER).wait_for(timeout=90_000)
        page.locator(".player").get_by_role("button", name="runs/vrnn", exact=True).click(
            timeout=90_000
        )
        page.get_by_role("button", name="Play", exact=True).click()
        wait_until_it_moves(page)
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Zoom in").click()
        # The first row's box.
        page.get_by_test_id("stDataFrame").nth(1).click(position={"x": 20, "y": 36 + 18})
        page.wait_for_url(
            lambda url: all(f"{name}=" in url for name in ("against", "place", "zoom", "sound"))
        )
        (place,) = parse_qs(urlsplit(page.url).query)["place"]
        page.goto(page.url)
        page.locator(f"{PLAYER}[data-time='{place}']").wait_for(timeout=60_000)
        page.locator("button[aria-pressed=true]", has_text="runs/vrnn").wait_for(timeout=60_000)

        page.goto(f"{address}/latents?checkpoint=runs/jsb")
        page.locator("canvas[aria-valuenow]").wait_for(timeout=60_000)
        stretch = page.get_by_test_id("stSliderThumbValue").filter(visible=True)
        drag(page, 8.1, 15.9)
        page.get_by_role("button", name="Replace z only").click()
        page.wait_for_url(f"**{STRETCH}=8*{STRETCH}=16*")
        page.goto(page.url)
        page.get_by_text("Where z is replaced, the median loss is").wait_for(timeout=60_000)
        expect(stretch).to_have_text(["bar 3, beat 1", "bar 5, beat 1"], timeout=60_000)

        page.goto(f"{address}/make-a-transition?checkpoint=runs/jsb&edit=insert+silence")
        page.locator("canvas[aria-valuenow]").wait_for(timeout=60_000)
        drag(page, 10, 10)
        page.get_by_role("button", name="Edit at the playhead").click()
        page.wait_for_url("**at-bwv102-7-47.5=*")
        page.get_by_text("Largest KL within 2 frames of the splice point").wait_for()
