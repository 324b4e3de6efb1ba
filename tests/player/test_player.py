"""The player: what is sent to the browser, and one that plays, drags, seeks and switches sounds."""

import io
import re
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from browser import (
    PLAYER,
    drag,
    launch,
    open_page,
    serve,
    times_between_places,
    wait_until_it_moves,
)
from payload import unpacked
from playwright.sync_api import expect

from srnn_lab.dashboard.panels.sounds import MAX_PLAYED_SECONDS
from srnn_lab.pictures.scene import (
    MAX_COLUMNS,
    Line,
    Lines,
    Packer,
    Picture,
    Scene,
    colour_table,
    limits_of,
    pack_row,
    shades,
)
from srnn_lab.pictures.svg import png, scene_svg
from srnn_lab.player.component import (
    Look,
    Place,
    _ask,
    _remember,
    _remember_look,
    look_of,
    place_of,
)
from srnn_lab.player.page import scene_html
from srnn_lab.player.sound import small_sound_file, wav_file

STEP = 0.0125
TIMES = (np.arange(80) + 0.5) * STEP


def test_rows_arrive_as_they_were_sent():
    packer = Packer()
    values = np.random.default_rng(0).normal(size=80).astype(np.float32)
    rows = [
        Lines(
            "KL",
            "nats",
            [Line("one", TIMES, values, "#123456"), Line("two", TIMES[:3], values[:3], "#000000")],
        )
    ]
    described = [pack_row(row, packer) for row in rows]
    head, array = unpacked(packer.finish({"rows": described}, {"jump": None}))
    (row,) = head["rows"]
    assert row["limits"] == [float(values.min()), float(values.max())]
    assert [line["name"] for line in row["lines"]] == ["one", "two"]
    np.testing.assert_array_equal(array(row["lines"][0]["values"]), values)
    np.testing.assert_allclose(array(row["lines"][1]["times"]), TIMES[:3], rtol=1e-6)


def test_the_digest_tells_of_every_change_but_a_jump():
    def digest(values, title="KL", jump=None):
        packer = Packer()
        row = pack_row(
            Lines(title, "nats", [Line("one", TIMES, values, "#123456")], (0.0, 1.0)), packer
        )
        return unpacked(packer.finish({"rows": [row]}, {"jump": jump}))[0]["digest"]

    values = np.zeros(80)
    assert digest(values) == digest(values, jump={"start": 1, "end": 1, "number": 1})
    assert len({digest(values), digest(values, title="other"), digest(values + np.eye(80)[3])}) == 3


def test_a_long_line_is_thinned_out_and_keeps_its_extremes():
    packer = Packer()
    values = np.random.default_rng(0).normal(size=960_000).astype(np.float32)
    row = pack_row(
        Lines("w", "", [Line("w", np.arange(960_000) / 16000, values, "#123456")]), packer
    )
    head, array = unpacked(packer.finish({"row": row}, {}))
    sent = array(head["row"]["lines"][0]["values"])
    assert len(sent) < 32_000
    assert (sent.min(), sent.max()) == (values.min(), values.max())


def test_a_gap_in_a_line_does_not_spoil_its_scale():
    assert limits_of(Lines("", "", [Line("", TIMES[:3], np.array([1, np.nan, 3]), "#123456")])) == (
        1,
        3,
    )
    assert limits_of(Lines("", "", [Line("", TIMES[:2], np.array([2.0, 2.0]), "#123456")])) == (
        1.5,
        2.5,
    )
    assert limits_of(Lines("", "", [Line("", TIMES[:0], TIMES[:0], "#123456")])) == (0, 1)


def test_a_picture_is_sent_as_indices_of_its_colours():
    picture = Picture(
        "p",
        "",
        TIMES[:2],
        np.array([[0.0, 0.5], [1.0, 2.0]]),
        ["#000000", "#ffffff80"],
        limits=(0.0, 1.0),
    )
    times, index = shades(picture)
    np.testing.assert_array_equal(index, [[0, 128], [255, 255]])
    np.testing.assert_array_equal(times, TIMES[:2])
    table = colour_table(picture.colours)
    assert table.shape == (256, 4)
    np.testing.assert_array_equal(table[[0, 255]], [[0, 0, 0, 255], [255, 255, 255, 128]])


def test_a_long_picture_keeps_its_largest_values_where_they_were():
    frames = 3 * MAX_COLUMNS - 1
    values = np.zeros((frames, 2))
    values[30_00] = 1
    times, index = shades(
        Picture("p", "", np.arange(frames) * STEP, values, ["#000000", "#ffffff"])
    )
    assert len(times) == len(index) == MAX_COLUMNS
    assert times[index[:, 0].argmax()] == pytest.approx(3001 * STEP)
    assert (index == 255).sum() == 2


def test_a_picture_of_one_frame_is_as_wide_as_that():
    one = Picture("p", "", TIMES[:1], np.ones((1, 2)), ["#000000", "#ffffff"])
    head, _ = unpacked(Packer().finish({"row": pack_row(one, Packer())}, {}))
    assert (head["row"]["start"], head["row"]["end"]) == (0, STEP)
    assert Scene([one], TIMES[:1], "").length == STEP


def test_sounds_keep_their_gain_and_are_clipped_at_full_scale():
    samples, rate = soundfile.read(
        io.BytesIO(wav_file(np.array([0.0, 0.25, -0.5, 3.0]), 16000)), dtype="int16"
    )
    assert rate == 16000
    np.testing.assert_array_equal(samples, [0, 8192, -16384, 32767])
    given = np.array([1, -2, 3], np.int16)
    np.testing.assert_array_equal(
        soundfile.read(io.BytesIO(wav_file(given, 16000)), dtype="int16")[0], given
    )


def test_a_sound_of_a_low_rate_is_played_at_a_multiple_of_it():
    tone = 0.5 * np.sin(2 * np.pi * 50 * np.arange(3000) / 3000)
    samples, rate = soundfile.read(io.BytesIO(wav_file(tone, 3000)))
    assert rate == 9000
    np.testing.assert_allclose(samples[300:-300:3], tone[100:-100], atol=0.01)


def test_a_sound_on_a_page_of_its_own_is_packed_without_a_loss():
    tone = np.round(9000 * np.sin(2 * np.pi * 220 * np.arange(16000) / 16000)).astype(np.int16)
    content, kind = small_sound_file(tone, 16000)
    assert kind == "audio/flac"
    assert len(content) < 0.6 * len(wav_file(tone, 16000))
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(samples, tone)
    assert small_sound_file(np.zeros(1, np.int16), 16000)[1] == "audio/wav"


@pytest.mark.parametrize(("rows", "times"), [([], TIMES), ([Lines("", "", [])], TIMES[:0])])
def test_a_player_of_nothing_is_refused(rows, times):
    said = f"given {len(rows)} rows and {len(times)} frames; it needs at least one of each"
    with pytest.raises(ValueError, match=said):
        Scene(rows, times, "Nothing.")


@pytest.mark.parametrize(
    "reported", [{"start": 1.0}, {"start": "x", "end": 2}, {"start": 0, "end": "nan"}, [1, 2], 3.0]
)
def test_a_place_that_is_not_two_numbers_is_not_taken_over(monkeypatch, reported):
    state = {"rows": {"place": {"start": 0.5, "end": 1}}}
    monkeypatch.setattr("streamlit.session_state", state)
    _remember("rows")
    assert place_of("rows") == Place(0.5, 1.0)
    state["rows"]["place"] = reported
    _remember("rows")
    assert place_of("rows") == Place(0.5, 1.0)
    state["rows"]["place"] = None
    _remember("rows")
    assert place_of("rows") is None


@pytest.mark.parametrize(
    "reported",
    [
        None,
        {"start": 1.0},
        {"start": "x", "end": 2, "sound": ""},
        {"start": 0, "end": "nan", "sound": ""},
        [1],
    ],
)
def test_a_look_that_is_none_is_not_taken_over(monkeypatch, reported):
    state = {"rows": {"look": {"start": 0.5, "end": 1, "sound": "mean"}}}
    monkeypatch.setattr("streamlit.session_state", state)
    _remember_look("rows")
    state["rows"]["look"] = reported
    _remember_look("rows")
    assert look_of("rows") == Look(0.5, 1.0, "mean")


@pytest.mark.parametrize(
    ("reported", "asked"),
    [
        ({"name": "sample", "at": 1.0}, ["sample"]),
        ({"name": "mean"}, []),
        ({"name": []}, []),
        ([1], []),
        (None, []),
    ],
)
def test_only_a_sound_that_is_on_request_can_be_asked_for(monkeypatch, reported, asked):
    monkeypatch.setattr("streamlit.session_state", {"rows": {"ask": reported}})
    found = []
    _ask("rows", ["sample"], found.append)
    assert found == asked


def test_the_svg_shows_each_row_and_its_marks_and_its_picture():
    rows = [
        Lines(
            "KL <q & p>",
            "nats",
            [Line("KL", TIMES, np.arange(80.0), "#123456"), Line("x", TIMES, TIMES, "#654321")],
        ),
        Lines("steps", "", [Line("s", TIMES[:3], np.array([1, np.nan, 2]), "#123456", "steps")]),
        Lines("dots", "", [Line("d", TIMES[:3], np.array([1, np.nan, 2]), "#123456", "dots")]),
        Picture("p", "", TIMES, np.eye(80), ["#000000", "#ffffff"], {0: "low", 79: "high"}),
        Picture("q", "nats", TIMES, 7 * np.eye(80), ["#000000", "#ffffff"]),
        Lines(
            "cut",
            "nats",
            [Line("c", TIMES, np.arange(80.0), "#abcdef", "under")],
            (1.0, 77.5),
            "3 frames beyond",
        ),
    ]
    scene = Scene(rows, TIMES, "Everything.", end=1.0, marks=TIMES[:5])
    tree = ElementTree.fromstring(scene_svg(scene, (0.1, 0.2)))
    names = [element.tag.split("}")[1] for element in tree.iter()]
    texts = {element.text for element in tree.iter() if element.text}
    assert names.count("image") == 3  # one of them the scale of the picture with a unit
    assert names.count("circle") == 2
    assert sum("stroke-dasharray" in element.attrib for element in tree.iter()) == 5
    assert {"low", "high", "time (s)", "7 nats"} <= texts
    written = [
        (element.text, element.attrib.get("y"))
        for element in tree.iter()
        if element.tag.endswith("}text")
    ]
    for heading in (
        ["KL <q & p>", "KL", "x"],
        ["cut", "3 frames beyond"],
    ):  # title, legend and note on one line
        first = [text for text, _ in written].index(heading[0])
        texts_there, heights = zip(*written[first : first + len(heading)], strict=True)
        assert list(texts_there) == heading
        assert len({*heights}) == 1
    triangles = [e.attrib["d"] for e in tree.iter() if e.attrib.get("fill") == "#abcdef"]
    assert ["l4 6h" in d for d in triangles] == [True, True, False]  # above, above, below
    (steps,) = [e.attrib["d"] for e in tree.iter() if e.attrib.get("d", "").count("M") == 2]
    assert steps.count("L") == 2


def test_the_svg_of_a_stretch_has_its_marks_its_axis_and_the_part_of_a_selection_that_lies_in_it():
    rows = [Lines("KL", "nats", [Line("KL", TIMES, np.arange(80.0), "#123456")])]
    scene = Scene(rows, TIMES, "", marks=np.array([0.1, 0.4, 0.9]))
    tree = ElementTree.fromstring(scene_svg(scene, (0.45, 8.0), (0.25, 0.5)))
    assert sum("stroke-dasharray" in element.attrib for element in tree.iter()) == 1
    assert {"0.25", "0.5"} <= {element.text for element in tree.iter()}
    (shaded,) = [e.attrib for e in tree.iter() if e.attrib.get("opacity") == "0.15"]
    # The right margin begins there.
    assert float(shaded["x"]) + float(shaded["width"]) == pytest.approx(980)
    assert float(shaded["width"]) == pytest.approx((980 - 70) * 0.2, abs=0.1)


def test_the_svg_of_a_stretch_has_the_points_that_lie_in_it_and_no_others():
    times = np.arange(48_000) / 16_000
    wave = np.sin(2 * np.pi * 200 * times)
    scene = Scene([Lines("wave", "", [Line("wave", times, wave, "#123456")])], TIMES, "", end=3.0)
    (line,) = [
        e
        for e in ElementTree.fromstring(scene_svg(scene, None, (1.0, 1.1))).iter()
        if e.get("stroke") == "#123456"
    ]
    x = np.array([float(point.split(" ")[0]) for point in line.attrib["d"][1:].split("L")])
    assert len(x) > 1000  # of 1,600 samples, and not 2,000 of the whole clip
    assert 69 < x.min() < x.max() < 981


@pytest.mark.parametrize(
    "view", [(0.0, 5e-324), (1.0, 1.0 + 2**-52), (100.0, 200.0), (-1.0, 0.005)]
)
def test_the_svg_of_a_stretch_that_no_clip_has_shows_a_frame_at_least_and_no_more_than_there_is(
    view,
):
    scene = Scene([Lines("KL", "nats", [Line("KL", TIMES, np.arange(80.0), "#123456")])], TIMES, "")
    begin, end = scene.stretch(*view)
    assert 0 <= begin < end <= scene.length
    assert end - begin >= scene.step - 1e-9
    assert len(scene_svg(scene, None, view)) < 10_000


def test_a_png_holds_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4), np.uint8)
    content = png(pixels)
    start = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[start - 4 : start])
    rows = zlib.decompress(content[start + 4 : start + 4 + length])
    np.testing.assert_array_equal(
        np.frombuffer(rows, np.uint8).reshape(3, -1)[:, 1:].reshape(3, 5, 4), pixels
    )


APP = """
import numpy as np
import streamlit as st
from srnn_lab.pictures.scene import Line, Lines, Picture, Scene
from srnn_lab.player.component import Look, Place, deliver, jump, look_at, look_of, place_of, player

RATE = 16000
LENGTH = int(st.query_params.get("seconds", 4))
wave = 0.2 * np.sin(2 * np.pi * 220 * np.arange(LENGTH * RATE) / RATE)
times = (np.arange(LENGTH * 100) + 0.5) * 0.01
coarse, end = st.checkbox("Coarser"), 3.5 if st.checkbox("Shorter") else None
kl = np.abs(np.sin(times * 3))
gappy, known = times[:350], (times < 2) | (times > 2.5)
rows = [
    Lines("Waveform", "amplitude", [Line("wave", np.arange(len(wave)) / RATE, wave, "#0072b2")]),
    Lines(
        "KL",
        "nats",
        [
            Line("one", gappy, np.where(known, kl, np.nan)[:350], "#d55e00"),
            Line("two", times, kl / 2, "#0072b2", "steps"),
        ],
        (0.0, 0.9),
        "2 frames above",
    ),
    Picture(
        "Frames",
        "nats",
        times,
        np.outer(kl, np.arange(8.0)),
        ["#000000", "#ffffff"],
        limits=(0.0, 7.0),
    ),
]
sounds = {"recording": (wave, RATE), "mean": (wave / 2, RATE)}
st.button("Jump", on_click=jump, args=("rows", Place(1.0, 1.5)))
st.button("Back", on_click=jump, args=("rows", None))
if st.checkbox("Shown", True):
    if "linked" in st.query_params and "looked" not in st.session_state:
        st.session_state.looked = True
        look_at("rows", Look(1.0, 2.0, "sample"))
    frames = (np.arange(LENGTH * 20) + 0.5) * 0.05 if coarse else times
    offered = ["rare"] if st.checkbox("Offer") else []
    if st.session_state.get("asked"):
        sounds["rare"] = (wave / 8, RATE)
    scene = Scene(rows, frames, "A tone.", end, marks=np.array([1.0, 2.0]))
    player(scene, sounds, "rows", [], offered, lambda name: st.session_state.update(asked=name))
    place = place_of("rows")
    st.text(f"place {place.start:.4f} {place.end:.4f}" if place else "place none")
    look = look_of("rows")
    st.text(f"look {look.start:.4f} {look.end:.4f} {look.sound or 'nothing'}")
    if st.checkbox("More"):
        deliver("rows", sounds | {"sample": (wave / 4, RATE)})
st.session_state.runs = st.session_state.get("runs", 0) + 1
st.text(f"runs {st.session_state.runs}")
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    app = tmp_path_factory.mktemp("player") / "app.py"
    app.write_text(APP)
    with serve(
        "run", str(app), "--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false"
    ) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with launch() as launched:
        yield launched


@pytest.fixture(scope="module")
def visitor(browser):
    """Whose pages share what the browser has loaded."""
    return browser.new_context()


@pytest.fixture
def page(visitor, address):
    with open_page(visitor, address) as opened:
        opened.goto(address)
        opened.locator("canvas[aria-valuenow]").wait_for(timeout=60_000)
        yield opened


def at(page):
    return float(page.locator("canvas").get_attribute("data-time"))


def place(page, start, end):
    page.get_by_text(f"place {start:.4f} {end:.4f}", exact=True).wait_for(timeout=10_000)


def test_dragging_selects_whole_frames_and_tells_python(page):
    drag(page, 1.004, 2.006)
    place(page, 1.0, 2.01)
    assert at(page) == 1
    drag(page, 2.01, 3)  # the edge is dragged on
    place(page, 1.0, 3.0)


def test_a_click_seeks_and_a_selection_of_the_same_again_is_told_again(page):
    drag(page, 1, 2)
    place(page, 1.0, 2.0)
    page.get_by_role("button", name="Jump").click()
    place(page, 1.0, 1.5)
    drag(page, 3, 3)
    page.get_by_text("place 3.0").wait_for()
    assert at(page) == pytest.approx(3, abs=0.02)
    page.get_by_role("button", name="Jump").click()
    place(page, 1.0, 1.5)
    assert at(page) == 1
    page.get_by_role("button", name="Back").click()
    page.get_by_text("place none").wait_for()


def test_the_playhead_moves_while_it_plays_and_keeps_its_place_when_the_sound_is_switched(
    page, address
):
    page.goto(f"{address}/?seconds=60")  # which a slow machine does not reach the end of
    drag(page, 20, 20)
    start = at(page)
    page.get_by_role("button", name="Play").click()
    canvas = page.locator(PLAYER).element_handle()
    page.wait_for_function(
        "([canvas, time]) => canvas.dataset.time > time", arg=[canvas, start + 1], timeout=60_000
    )
    first = at(page)
    page.get_by_role("button", name="mean").click()
    assert page.get_by_role("button", name="mean").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="recording").get_attribute("aria-pressed") == "false"
    second = at(page)
    wait_until_it_moves(page)
    page.get_by_role("button", name="Pause").click()
    third = at(page)
    assert start + 1 < first <= second < third < 60
    page.get_by_text(f"place {third:.4f}"[:-2]).wait_for()  # where it has stopped is told
    assert at(page) == third


def test_a_sound_that_follows_its_rows_is_heard_and_the_others_play_on(page):
    page.get_by_role("button", name="mean").click()
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Play").click()
    page.get_by_text("look 0.0000 0.0000 mean", exact=True).wait_for(timeout=10_000)
    page.get_by_text("More").click()  # once nothing runs that could replace the box meanwhile
    sample = page.get_by_role("button", name="sample")
    sample.wait_for(timeout=10_000)
    page.get_by_role("button", name="Pause").wait_for()
    assert page.get_by_role("button", name="mean").get_attribute("aria-pressed") == "true"
    sample.click()
    wait_until_it_moves(page)
    page.get_by_role("button", name="Pause").click()


def test_the_view_follows_the_playhead_of_the_keyboard(page):
    drag(page, 0, 0)
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
    canvas = page.locator("canvas")
    for key in ("End", "Home"):
        canvas.press(key)
        low, high = page.locator(".player").evaluate("root => root.player.view")
        assert high - low == pytest.approx(0.5)
        assert low <= at(page) <= high


def test_a_sound_that_went_is_heard_again_when_it_returns_and_its_button_was_not_another_one(page):
    page.get_by_role("button", name="mean").click()
    names = page.locator(".player").evaluate("""({ player }) => {
        const { sounds } = player;
        const all = sounds.sounds;
        const button = player.find(".sounds").firstChild;
        player.takeSounds(all.slice(0, 1));
        const without = sounds.name;
        player.takeSounds(all);
        return [without, sounds.name, button === player.find(".sounds").firstChild];
    }""")
    assert names == ["recording", "mean", True]


def test_a_player_that_is_resized_after_many_changes_is_drawn_anew(page):
    for _ in range(5):
        page.get_by_role(
            "button", name="Jump"
        ).click()  # calls of the component that may overtake each other
    place(page, 1.0, 1.5)
    page.wait_for_timeout(300)
    page.set_viewport_size({"width": 600, "height": 800})
    page.wait_for_timeout(300)
    assert page.locator("canvas").evaluate("c => c.width === c.clientWidth * devicePixelRatio")


def test_what_plays_plays_on_when_its_sounds_go_and_come_back_later(page):
    page.get_by_role("button", name="Play").click()
    wait_until_it_moves(page)
    page.locator(".player").evaluate("""({ player }) => {
        window.all = player.sounds.sounds;
        player.takeSounds([]);
    }""")
    page.get_by_role("button", name="Pause").wait_for()
    page.locator(".player").evaluate("({ player }) => player.takeSounds(window.all)")
    wait_until_it_moves(page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").wait_for()


def test_a_selection_snaps_to_the_frames_of_another_model_and_ends_with_them(page):
    drag(page, 1.004, 2.006)
    place(page, 1.0, 2.01)
    page.get_by_text("Coarser").click()
    place(page, 1.0, 2.05)
    drag(page, 3.12, 3.88)
    place(page, 3.1, 3.9)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_text("Shown").click()
    page.locator("canvas").wait_for(state="detached")
    page.get_by_text("Shorter").click()
    page.get_by_text("Shown").click()
    page.locator("canvas[data-view='0.0000-3.5000']").wait_for()
    place(page, 3.1, 3.5)
    page.get_by_text("look 0.0000 0.0000 recording", exact=True).wait_for(timeout=10_000)
    assert "selected 3.100 to 3.500 s" in page.locator("canvas").get_attribute("aria-valuetext")


def test_a_linked_selection_of_a_frame_that_no_four_digits_hold_stays_one_frame(page):
    selected = page.locator(".player").evaluate("""({ player }) => {
        player.content.frame = { start: 0, step: 1 / 3, count: 12 };
        player.selection = [0.3333, 0.6667];
        player.keepSelection();
        return player.selection;
    }""")
    assert selected == [0.3333, 0.6667]


def test_keys_select_whole_frames_from_the_playhead_and_move_the_end_of_a_selection(page):
    canvas = page.locator("canvas")
    drag(page, 1.004, 1.004)
    for keys, selected in {
        "Shift+ArrowRight": (1.0, 1.02),
        "Shift+PageUp": (1.0, 1.12),
        "Shift+ArrowLeft": (1.0, 1.11),
        "Shift+PageDown": (1.0, 1.01),
        "Shift+ArrowDown": (0.99, 1.01),  # beyond where it began
        "Shift+Home": (0.0, 1.01),
        "Shift+End": (1.0, 4.0),
    }.items():
        canvas.press(keys)
        place(page, *selected)
    drag(page, 2, 3)
    place(page, 2.0, 3.0)
    canvas.press("Shift+ArrowRight")
    place(page, 2.0, 3.01)
    canvas.press("ArrowRight")
    place(page, 2.015, 2.015)


def test_a_sound_that_has_ended_tells_where_the_playhead_stands(page):
    drag(page, 3.8, 3.8)
    page.get_by_text("place 3.8").wait_for()
    page.locator("canvas").press(" ")
    place(page, 0.0, 0.0)


def test_a_loop_stays_in_its_selection_and_a_single_play_ends_with_it(page):
    drag(page, 1.004, 1.196)
    place(page, 1.0, 1.2)
    canvas = page.locator("canvas")
    canvas.press(" ")
    page.get_by_role("button", name="Play").wait_for(timeout=60_000)
    assert at(page) == 1
    canvas.press("l")
    canvas.press(" ")
    wait_until_it_moves(page)
    for _ in range(8):
        page.wait_for_timeout(90)
        assert 1 <= at(page) <= 1.2
    page.get_by_role("button", name="Pause").wait_for()


def test_of_a_very_long_axis_the_first_minutes_are_played(page, address):
    page.goto(f"{address}/?seconds=1000")
    page.get_by_role("button", name="Play").click()
    wait_until_it_moves(page)
    canvas = page.locator("canvas")
    canvas.press(" ")
    lengths = page.locator(".player").evaluate(
        "async ({ player }) => (await Promise.all(player.sounds.buffers.values())).map(({ "
        "duration }) => duration)"
    )
    assert lengths == [MAX_PLAYED_SECONDS] * 2
    drag(page, 900, 950)
    for key in ("l", " "):
        canvas.press(key)
    page.wait_for_timeout(200)
    page.get_by_role("button", name="Play").wait_for(timeout=10_000)
    assert at(page) == pytest.approx(900, abs=2)


def test_slowly_it_plays_at_the_pitch_of_the_recording_and_a_loop_stays_in_its_selection(page):
    """The tone of the recording has 220 Hz; at half speed by a slower clock it would have 110."""
    drag(page, 1.0, 1.6)
    canvas = page.locator("canvas")
    canvas.press("<")
    page.get_by_label("Speed").select_option("0.5")
    canvas.press("l")
    page.evaluate(
        """() => {
          const connect = GainNode.prototype.connect;
          GainNode.prototype.connect = function (target) {
            window.ear = new AnalyserNode(this.context, { fftSize: 16384 });
            connect.call(this, window.ear);
            return connect.call(this, target);
          };
        }"""
    )
    canvas.press(" ")
    wait_until_it_moves(page)
    start, begin = at(page), page.evaluate("performance.now()")
    page.wait_for_timeout(300)
    passed = (page.evaluate("performance.now()") - begin) / 1000
    assert 1.0 <= at(page) <= 1.6
    # At full speed it would be as much, or begin again after 0.6 s.
    assert at(page) - start < 0.75 * passed
    page.wait_for_timeout(700)
    loudest = page.evaluate(
        """() => {
          const heard = new Float32Array(window.ear.frequencyBinCount);
          window.ear.getFloatFrequencyData(heard);
          const loudest = heard.indexOf(Math.max(...heard));
          return (loudest * window.ear.context.sampleRate) / window.ear.fftSize;
        }"""
    )
    assert loudest == pytest.approx(220, abs=10)
    assert 1.0 <= at(page) <= 1.6
    canvas.press(" ")
    page.get_by_role("button", name="Play").wait_for()


def test_a_sound_that_is_not_made_yet_stands_in_the_switch_and_is_made_when_it_is_asked_for(page):
    page.get_by_text("Offer").click()
    rare = page.get_by_role("button", name="rare")
    expect(rare).to_have_class("unmade")
    rare.click()
    expect(rare).not_to_have_class("unmade", timeout=20_000)
    expect(rare).to_have_attribute("aria-pressed", "true")


def test_keys_step_by_frames_choose_sounds_and_drop_the_selection(page):
    canvas = page.locator("canvas")
    canvas.press("Home")
    canvas.press("ArrowRight")
    canvas.press("PageUp")
    assert at(page) == pytest.approx(0.115)
    place(page, 0.115, 0.115)
    canvas.press("2")
    assert page.get_by_role("button", name="mean").get_attribute("aria-pressed") == "true"
    canvas.press("End")
    assert at(page) == pytest.approx(3.995)
    drag(page, 1, 2)
    place(page, 1.0, 2.0)
    canvas.press("Escape")
    place(page, 1.0, 1.0)


def test_a_player_that_comes_back_stands_where_it_was(page):
    drag(page, 1, 2)
    place(page, 1.0, 2.0)
    page.locator("canvas").press("2")
    page.get_by_text("Shown").click()
    page.locator("canvas").wait_for(state="detached")
    page.get_by_text("Shown").click()
    page.locator("canvas[aria-valuenow]").wait_for()
    place(page, 1.0, 2.0)
    assert at(page) == 1
    assert "selected 1.000 to 2.000 s" in page.locator("canvas").get_attribute("aria-valuetext")
    assert page.get_by_role("button", name="mean").get_attribute("aria-pressed") == "true"


def test_what_was_not_told_yet_when_a_player_goes_is_told_when_it_comes_back(page):
    both = [page.get_by_role("button", name="Zoom in"), page.get_by_role("checkbox", name="Shown")]
    # On a slow machine the player would have settled before the page takes it away.
    slowed = """both => {
        window.soon = window.setTimeout;
        window.setTimeout = (act, wait) => window.soon(act, wait === 250 ? 600_000 : wait);
        both.forEach((one) => one.click());
    }"""
    page.evaluate(slowed, [one.element_handle() for one in both])
    canvas = page.locator("canvas")
    canvas.wait_for(state="detached")
    page.evaluate("window.setTimeout = window.soon")
    page.get_by_text("Shown").click()
    canvas.wait_for()
    zoomed = canvas.get_attribute("data-view")
    assert zoomed != "0.0000-4.0000"
    page.get_by_text(f"look {zoomed.replace('-', ' ')} recording", exact=True).wait_for(
        timeout=10_000
    )


def test_zoom_makes_room_for_finer_selections(page):
    drag(page, 1, 2)
    place(page, 1.0, 2.0)
    page.get_by_role("button", name="Fit").click()
    # The view is now 1 to 2 s, so that a quarter of the width is a quarter of a second.
    drag(page, 1, 2)
    place(page, 1.25, 1.5)


CANVAS = """
window.written = [];
const fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  window.written.push({ text, x, y, width: this.measureText(text).width, colour: this.fillStyle });
  fill.call(this, text, x, y);
};
"""


def test_values_stand_in_the_colours_of_their_lines_and_only_where_there_are_some(browser, address):
    with open_page(browser, address, viewport={"width": 1280, "height": 900}) as page:
        page.add_init_script(CANVAS)
        page.goto(address)
        canvas = page.locator("canvas[aria-valuenow]")
        canvas.wait_for(timeout=60_000)

        def written_at(time):
            page.evaluate("window.written = []")
            drag(page, time, time)
            page.wait_for_timeout(200)
            return {one["colour"]: one["text"] for one in page.evaluate("window.written")}

        assert {"#d55e00", "#0072b2"} <= set(written_at(1.505))
        assert set(written_at(3.9)) & {"#d55e00", "#0072b2"} == {"#0072b2"}
        assert set(written_at(2.25)) & {"#d55e00", "#0072b2"} == {"#0072b2"}
        page.set_viewport_size({"width": 600, "height": 900})
        page.wait_for_function("window.written.some(({ text }) => text === '7.00 nats')")
        texts = {one["text"]: one for one in page.evaluate("window.written")}
        assert texts["KL"]["x"] > 66 + 1  # beside the playhead at time 0, which is two pixels wide
        assert {"2 frames above", "0.000", "7.00 nats"} <= set(texts)


def test_legends_that_find_no_room_beside_the_title_stand_below_it(browser, tmp_path):
    names = [f"model-with-a-name-{i}" for i in range(4)]
    rows = [
        Lines(
            "KL(q ‖ p)", "nats", [Line(name, TIMES, np.full(80, 3.25), "#d55e00") for name in names]
        ),
        Picture(
            "Log-mel energies of three recordings", "sd", TIMES, np.eye(80), ["#000000", "#ffffff"]
        ),
    ]
    file = tmp_path / "kept.html"
    file.write_text(scene_html(Scene(rows, TIMES, "Four models."), {}, "mine"))
    heights, lines = [], []
    for width in (1280, 380):
        with open_page(browser, file.as_uri(), viewport={"width": width, "height": 800}) as page:
            page.add_init_script(CANVAS)
            page.goto(file.as_uri())
            canvas = page.locator("canvas[aria-valuenow]")
            canvas.wait_for()
            heights.append(canvas.bounding_box()["height"])
            edge = canvas.bounding_box()["width"] - 14
            texts = {one["text"]: one for one in page.evaluate("window.written")}
            assert all(
                texts[name]["x"] + texts[name]["width"] <= edge for name in [*names, "1.00 sd"]
            )
            lines.append(len({texts[name]["y"] for name in names}))
    assert lines[0] == 1 < lines[1]
    assert heights[0] < heights[1]


def test_a_finger_selects_sideways_drags_an_edge_seeks_and_moves_the_page(browser, address):
    with open_page(
        browser, address, has_touch=True, viewport={"width": 600, "height": 400}
    ) as page:
        page.goto(address)
        page.locator("canvas[aria-valuenow]").wait_for(timeout=60_000)
        page.locator("canvas").evaluate("canvas => canvas.scrollIntoView()")
        box = page.locator("canvas").bounding_box()
        session = page.context.new_cdp_session(page)

        def swipe(*way):
            """A finger goes from one (time, height) to the next."""
            for i, (time, y) in enumerate(way):
                point = {"x": box["x"] + 66 + time / 4 * (box["width"] - 80), "y": box["y"] + y}
                kind = "touchMove" if i else "touchStart"
                session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
                page.wait_for_timeout(50)
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        swipe((1, 60), (1.2, 60), (1.6, 60), (2, 60))
        place(page, 1.0, 2.0)
        swipe((2.05, 60), (2.4, 60), (3, 60))  # beside the edge, as a finger is
        place(page, 1.0, 3.0)
        scrolled = """() =>
          [...document.querySelectorAll("*")].reduce((sum, one) => sum + one.scrollTop, 0)"""
        before = page.evaluate(scrolled)
        swipe((1.5, 200), (1.5, 160), (1.5, 100), (1.5, 40))
        page.wait_for_function(f"before => ({scrolled})() > before", arg=before)
        place(page, 1.0, 3.0)
        box = page.locator("canvas").bounding_box()
        swipe((2, 150))
        page.get_by_text(re.compile(r"place (1\.9|2\.0)\d+ \1")).wait_for(timeout=10_000)
        assert at(page) == pytest.approx(2, abs=0.02)


def test_over_a_long_clip_a_strip_shows_all_of_it_and_moves_what_is_shown(page, address):
    page.goto(f"{address}/?seconds=60")
    canvas = page.locator(PLAYER)
    canvas.wait_for(timeout=60_000)
    box = canvas.bounding_box()
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(
        "canvas => canvas.dataset.view === '0.0000-30.0000'", arg=canvas.element_handle()
    )
    page.mouse.move(box["x"] + 66 + 0.5 * (box["width"] - 80), box["y"] + 10)
    page.mouse.down()
    page.wait_for_function(
        "canvas => canvas.dataset.view === '15.0000-45.0000'", arg=canvas.element_handle()
    )
    page.mouse.move(box["x"] + box["width"] - 14, box["y"] + 10)
    page.mouse.up()
    page.wait_for_function(
        "canvas => canvas.dataset.view === '30.0000-60.0000'", arg=canvas.element_handle()
    )
    assert at(page) == 0  # the playhead stays


def test_the_strip_loses_no_note_though_it_has_fewer_pixels_than_a_picture_has_values(
    browser, tmp_path
):
    times = np.arange(40) * 0.4 + 0.2
    row = Picture("p", "", times, np.eye(40), ["#ffffff00", "#000000"])
    file = tmp_path / "long.html"
    file.write_text(scene_html(Scene([row], times, "One note a frame."), {}, "mine"))
    with open_page(browser, file.as_uri()) as page:
        page.goto(file.as_uri())
        page.locator("canvas[aria-valuenow]").wait_for()
        dark = page.locator("canvas[aria-valuenow]").evaluate("""canvas => {
          const scale = devicePixelRatio, width = canvas.width / scale - 80;
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 19 * scale);
          return [...Array(32).keys()].filter((i) => {
            const x = Math.round((66 + ((i + 4.5) / 40) * width) * scale);
            for (let y = 2; y < 18 * scale; y++) {
              const at = 4 * (y * canvas.width + x);
              if (data[at + 3] > 8 && data[at] < 250) return true;
            }
          }).length;
        }""")
        assert dark == 32  # all but those beside the frame


def test_the_playhead_runs_smoothly_over_a_minute_of_sound(browser, address):
    with open_page(browser, address) as page:
        page.goto(f"{address}/?seconds=60")
        page.locator("canvas[aria-valuenow]").wait_for(timeout=60_000)
        page.get_by_role("button", name="Play").click()
        wait_until_it_moves(page)
        gaps = times_between_places(page)
        assert len(gaps) > 20  # 10 places a second
        assert gaps.max() < 1000


def test_the_picture_is_sharp_and_follows_the_width_of_the_page(browser, address):
    with open_page(
        browser, address, device_scale_factor=2, viewport={"width": 1280, "height": 800}
    ) as page:
        page.goto(address)
        page.locator("canvas[aria-valuenow]").wait_for(timeout=60_000)
        canvas = page.locator("canvas")
        wide = canvas.evaluate("c => [c.width, c.clientWidth]")
        assert wide[0] == 2 * wide[1]
        page.set_viewport_size({"width": 600, "height": 800})
        page.wait_for_timeout(300)
        narrow = canvas.evaluate("c => [c.width, c.clientWidth]")
        assert narrow[0] == 2 * narrow[1] < wide[0]


def test_zoom_and_sound_are_told_and_a_link_to_them_is_followed_when_the_sound_arrives(
    page, address
):
    canvas = page.locator("canvas")
    page.get_by_text("look 0.0000 0.0000 nothing", exact=True).wait_for()
    page.get_by_role("button", name="Zoom in").click()
    zoomed = canvas.get_attribute("data-view")
    page.get_by_text(f"look {zoomed.replace('-', ' ')} recording", exact=True).wait_for(
        timeout=10_000
    )
    page.get_by_role("button", name="mean", exact=True).click()
    page.get_by_text(f"look {zoomed.replace('-', ' ')} mean", exact=True).wait_for(timeout=10_000)
    page.get_by_role("button", name="Fit").click()
    page.get_by_text("look 0.0000 0.0000 mean", exact=True).wait_for(timeout=10_000)
    page.goto(f"{address}/?linked=1")
    page.locator("canvas[data-view='1.0000-2.0000']").wait_for(timeout=60_000)
    page.get_by_role("button", name="Fit").click()  # what is wanted is still what is told
    page.get_by_text("look 0.0000 0.0000 sample", exact=True).wait_for(timeout=10_000)
    page.get_by_text("More").click()
    page.locator("button[aria-pressed=true]", has_text="sample").wait_for(timeout=10_000)


def test_a_player_that_is_kept_as_a_file_plays_and_selects_without_a_server(browser, tmp_path):
    wave = 0.2 * np.sin(2 * np.pi * 220 * np.arange(16000) / 16000)
    rows = [Lines("KL", "nats", [Line("KL", TIMES, np.arange(80.0), "#d55e00")])]
    file = tmp_path / "kept.html"
    sounds = {"recording": (wave, 16000), "mean": (wave, 16000)}
    file.write_text(
        scene_html(Scene(rows, TIMES, "A <tone>."), sounds, "<b>mine</b>.wav", (0.25, 0.5))
    )
    with open_page(browser, file.as_uri()) as page:
        page.goto(file.as_uri())
        page.get_by_text("<b>mine</b>.wav").wait_for()
        page.get_by_text("A <tone>.").wait_for()
        canvas = page.locator("canvas[aria-valuenow='0.2500']")
        canvas.wait_for()
        assert "selected 0.250 to 0.500 s" in canvas.get_attribute("aria-valuetext")
        page.get_by_role("button", name="Play").click()
        wait_until_it_moves(page)
        page.get_by_role("button", name="mean").click()
        drag(page, 0.606, 0.794)
        page.locator("canvas[aria-valuetext*='selected 0.600 to 0.800 s']").wait_for()


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ((1.0, 1.0 + 2**-52), "1.0000-1.0100"),
        ((100.0, 200.0), "0.0000-4.0000"),
        ((3.5, 9.0), "0.0000-4.0000"),
    ],
)
def test_a_zoom_that_no_clip_has_shows_a_frame_at_least_and_no_more_than_there_is(
    page, asked, shown
):
    page.locator(".player").evaluate(
        "(p, [start, end]) => { p.player.painter.look(start, end); p.player.paint(); }", asked
    )
    assert page.locator("canvas").get_attribute("data-view") == shown
