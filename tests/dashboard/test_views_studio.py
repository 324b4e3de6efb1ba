import io
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from browser import open_dashboard, wait_until_it_moves
from playwright.sync_api import expect
from test_midi import scale, signature, song, tempo
from tiny import roll
from views import arrays_of, kept_by, open_view, page_of, save_runs, small_run, text_of

from srnn_lab.analysis.novelty import Copied
from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.dashboard.pages import studio
from srnn_lab.dashboard.panels import rows_panel, takes, voice_leading
from srnn_lab.dashboard.panels import sounds as listen
from srnn_lab.dashboard.panels.takes import cached_draw
from srnn_lab.data.midi import Timing
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.inference.sampling import generate
from srnn_lab.player.component import Place

# Streamlit warns of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def shown(monkeypatch):
    """What the page gave to the player: the scene's attributes, and the sounds."""
    given = {}
    monkeypatch.setattr(
        rows_panel, "player", lambda scene, sounds, *_: given.update(vars(scene), sounds=sounds)
    )
    monkeypatch.setattr(listen, "deliver", lambda _, sounds, *__: given.update(sounds=sounds))
    return given


@pytest.fixture
def page(shown):
    return page_of("studio")


def notes(row):
    return row.values > 0


def test_every_take_has_the_same_beginning_and_another_end(page, shown):
    page.query_params["takes"] = "3"
    page.run()
    assert not page.exception
    assert not page.error
    rolls = [notes(row) for row in shown["rows"]]
    assert (
        [row.title for row in shown["rows"]]
        == list(shown["sounds"])
        == ["Take 1", "Take 2", "Take 3"]
    )
    assert shown["marks"].tolist() == [8.0]  # two bars
    given = 8 * 2
    assert {row.ends for row in shown["rows"]} == {("p(note): 1, silent", "1, sounding")}
    for other in rolls[1:]:
        assert (rolls[0][:given] == other[:given]).all()
        assert (rolls[0][given:] != other[given:]).any()
    assert len(shown["times"]) == len(rolls[0]) == (2 + 6) * 8
    for wave, rate in shown["sounds"].values():
        assert len(wave) / rate > len(shown["times"]) / 2 * shown["seconds"]
        assert wave.ndim == 1
        assert np.abs(wave).max() > 0.01


def test_the_controls_are_in_the_address_and_decide_what_is_drawn(page, shown):
    for name, value in {
        "takes": "1",
        "seed": "5",
        "bars": "2",
        "temperature": "0.5",
        "prime-12": "1",
        "from": "3",
    }.items():
        page.query_params[name] = value
    page.run()
    assert not page.error
    (row,) = shown["rows"]
    assert row.title == "Take 1"
    assert len(row.values) == 3 * 8
    before = row.values
    page.slider(key="temperature").set_value(1.5).run()
    assert not np.array_equal(shown["rows"][0].values, before)
    page.slider(key="prime-12").set_value(0).run()
    assert not len(shown["marks"])
    assert len(shown["rows"][0].values) == 2 * 8


def test_at_temperature_0_the_takes_are_one_and_the_page_says_so(page, shown):
    page.query_params["temperature"] = "0.0"
    page.run()
    assert "every seed gives the same take" in page.info[0].value
    assert all(np.array_equal(row.values, shown["rows"][0].values) for row in shown["rows"])


def test_an_uploaded_song_is_continued_and_kept(page, shown):
    song = roll(32, 30)
    page.run()
    page.sidebar.file_uploader(key="upload-chorales").upload(
        "mine.mid", roll_to_midi(song, 2)
    ).run()
    assert not page.error
    row = shown["rows"][0]
    index, label = next(iter(row.ticks.items()))
    low = 12 * (int(label[1:]) + 1) - 21 - int(index)
    assert np.array_equal(notes(row)[:16], song[:16, low : low + row.values.shape[1]] > 0)
    assert [button.label for button in page.get("download_button")] == [
        "MIDI",
        "WAV",
        "Player (HTML)",
        "Picture (SVG)",
        "Arrays (.npz)",
    ]


def song_in_three_four(pickup=0):
    metre = (
        [(0, signature(pickup, 2)), (480 * pickup, signature(3, 2))]
        if pickup
        else [(0, signature(3, 2))]
    )
    return song((0, tempo(400_000)), *metre, *scale(), *scale())


@pytest.mark.parametrize(("pickup", "given"), [(0, 6.0), (1, 4.0)])
def test_a_song_goes_on_in_its_tempo_and_metre_from_its_bars(
    page, shown, monkeypatch, pickup, given
):
    kept = kept_by("studio", monkeypatch)
    page.run()
    page.sidebar.file_uploader(key="upload-chorales").upload(
        "waltz.mid", song_in_three_four(pickup)
    ).run()
    assert not page.exception
    words = "3/4 after a pickup of 1 quarter note" if pickup else "3/4"
    assert f"waltz.mid is in {words} at 150 quarter notes a minute." in [
        caption.value for caption in page.caption
    ]
    assert shown["marks"].tolist() == [given]  # two bars
    assert len(shown["times"]) == (given + 6 * 3) * 2
    assert shown["seconds"] == 0.4
    for wave, rate in shown["sounds"].values():
        assert 0 <= len(wave) / rate - len(shown["times"]) / 2 * 0.4 < 3
    written = pretty_midi.PrettyMIDI(io.BytesIO(kept["MIDI"]))
    assert written.get_tempo_changes()[1].tolist() == [pytest.approx(150)]
    metre = [
        (s.numerator, s.denominator, round(s.time / 0.4, 3)) for s in written.time_signature_changes
    ]
    assert metre == ([(1, 4, 0), (3, 4, 1)] if pickup else [(3, 4, 0)])


def test_without_bars_of_the_clip_the_tempo_and_metre_are_not_those_of_the_clip(page, shown):
    page.run()
    page.sidebar.file_uploader(key="upload-chorales").upload(
        "waltz.mid", song_in_three_four()
    ).run()
    page.slider(key="prime-6").set_value(0).run()
    assert len(shown["times"]) == 6 * 4 * 2
    assert shown["seconds"] == 60 / 90


def test_bars_that_a_shorter_clip_does_not_have_are_not_asked_of_it(page, shown):
    page.query_params["prime-12"] = "12"
    page.run()
    page.sidebar.selectbox(key="clip").select("bwv110-7").run()
    page.run()
    assert not page.exception
    assert page.slider(key="prime-11").value == 2
    assert shown["marks"].tolist() == [8.0]


def test_a_take_is_what_the_command_line_draws_with_its_seed_and_p_is_between_0_and_1():
    checkpoint = load_checkpoint("jsb")
    drawn, p = cached_draw("jsb", 0.0, 12, 7, 0.8, None)
    expected = generate(checkpoint.model, 12, first_frame=False, temperature=0.8, seed=7)[0]
    assert np.array_equal(drawn, expected)
    assert p.shape == drawn.shape
    assert 0 < p.min() < p.max() < 1
    assert p[drawn > 0].mean() > 0.2 > p[drawn == 0].mean()


def test_what_is_heard_and_kept_are_the_notes_that_are_seen(page, monkeypatch):
    kept = kept_by("studio", monkeypatch)
    page.run()
    assert not page.exception
    drawn = arrays_of(kept["Arrays (.npz)"])["notes_Take_1"]
    heard = {
        note.pitch for note in pretty_midi.PrettyMIDI(io.BytesIO(kept["MIDI"])).instruments[0].notes
    }
    assert heard == {21 + i for i in np.flatnonzero(drawn.any(0))}
    assert kept["WAV"].startswith(b"RIFF")


def test_an_older_link_to_a_take_by_its_seed_is_followed(page, shown):
    page.query_params["seed"] = "5"
    page.query_params["takes"] = "3"
    page.query_params["keep"] = page.query_params["sound"] = "seed 6"
    page.run()
    assert not page.exception
    assert page.segmented_control(key="keep").value == "Take 2"
    assert page.session_state["studio-player look"].sound == "Take 2"


def pitches_of(content):
    (instrument,) = pretty_midi.PrettyMIDI(io.BytesIO(content)).instruments
    return [(note.pitch, round(note.start, 3)) for note in instrument.notes]


def test_a_kept_take_stays_with_its_number_its_sound_and_its_midi_while_others_are_drawn(
    page, shown, monkeypatch
):
    files = kept_by("studio", monkeypatch)
    page.query_params["keep"] = "Take 2"
    page.query_params["bars"] = "2"
    page.run()
    row, sound, midi = shown["rows"][1], shown["sounds"]["Take 2"][0], pitches_of(files["MIDI"])
    page.pills(key="kept-takes").set_value([2]).run()
    assert [one.title for one in shown["rows"]] == ["Take 1", "Take 2"]  # as they were
    first = notes(shown["rows"][0])
    (others,) = [button for button in page.button if button.label == "Draw others"]
    others.click().run()
    assert not page.exception
    assert page.number_input(key="seed").value == 2
    page.slider(key="temperature").set_value(1.5).run()
    assert [one.title for one in shown["rows"]] == ["Take 1", "Take 2", "Take 3"]
    # The rows show the pitches of all takes, so that the lowest row can be another one.
    (at,) = [
        i
        for i in range(shown["rows"][1].values.shape[1] - row.values.shape[1] + 1)
        if np.array_equal(shown["rows"][1].values[:, i : i + row.values.shape[1]], row.values)
    ]
    assert at >= 0
    assert first.sum() != notes(shown["rows"][0]).sum()
    assert np.array_equal(shown["sounds"]["Take 2"][0], sound)
    assert page.segmented_control(key="keep").value == "Take 2"
    assert pitches_of(files["MIDI"]) == midi
    # Longer takes beside it leave it as it is, and who follows the link gets it too.
    page.slider(key="bars").set_value(3).run()
    assert {len(one.values) for one in shown["rows"]} == {(2 + 3) * 8}
    assert not shown["rows"][1].values[(2 + 2) * 8 :].any()
    assert pitches_of(files["MIDI"]) == midi
    assert page.query_params["kept"] == "2,1,0,16,16,1.0"
    other = page_of("studio")
    other.query_params.update(page.query_params)
    other.run()
    assert not other.exception
    assert [one.title for one in shown["rows"]] == ["Take 1", "Take 2", "Take 3"]
    assert pitches_of(files["MIDI"]) == midi
    # Another clip has kept takes of its own.
    page.sidebar.selectbox(key="clip").select("bwv110-7").run()
    assert [one.title for one in shown["rows"]] == ["Take 1", "Take 2"]
    assert "kept" not in page.query_params
    page.sidebar.selectbox(key="clip").select("bwv102-7").run()
    page.pills(key="kept-takes").set_value([]).run()
    assert [one.title for one in shown["rows"]] == ["Take 1", "Take 2"]
    assert not np.array_equal(shown["sounds"]["Take 2"][0], sound)


@pytest.mark.parametrize(
    "kept",
    [
        "2",
        "a,b,c,d,e,f",
        "0,1,0,16,16,1.0",
        "2,-1,0,16,16,1.0",
        "2,1,16,0,16,1.0",
        "2,1,0,9999,16,1.0",
        "2,1,0,16,99999,1.0",
        "2,1,0,16,0,1.0",
        "2,1,0,16,16,nan",
        "2,1,0,16,16,3.0",
    ],
)
def test_an_address_keeps_no_take_that_the_page_does_not_draw(page, kept):
    page.run()
    choice = page.session_state["visit"].choice
    assert list(takes.parse_kept("2,1,0,16,16,1.0", choice, studio.CONTINUE)) == [2]
    assert list(takes.parse_kept("2,1,4,16,0,1.0", choice, studio.REDRAW)) == [2]
    assert takes.parse_kept(kept, choice, studio.CONTINUE) == {}


def test_takes_fill_the_numbers_that_are_not_kept():
    first, second, third = (takes.Take(seed, 0, 16, 8) for seed in range(3))
    assert takes.numbered([first, second], {}) == {1: first, 2: second}
    assert takes.numbered([first, second], {2: second}) == {1: first, 2: second}
    assert takes.numbered([first, third], {2: second}) == {1: first, 2: second, 3: third}
    assert list(takes.numbered([first, third], {1: second})) == [1, 2, 3]


def test_a_visitor_plays_each_take_by_its_own_button_and_keeps_one_while_others_are_drawn(
    tmp_path,
):
    with open_dashboard(tmp_path) as (page, address):
        page.goto(f"{address}/studio?bars=2")
        second = page.get_by_role("button", name="Play Take 2", exact=True)
        second.click(timeout=180_000)
        wait_until_it_moves(page)
        heard = page.get_by_role("button", name="Take 2", exact=True)
        expect(heard).to_have_attribute("aria-pressed", "true")
        # Another take goes on from there; its button then pauses it.
        page.get_by_role("button", name="Play Take 1", exact=True).click()
        expect(second).to_be_visible()
        page.get_by_role("button", name="Pause Take 1", exact=True).click()
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
        # The second take is kept, and its file stays the same.
        page.wait_for_url("**place=*")
        settle(page)
        page.get_by_role("radio", name="Take 2", exact=True).click()
        page.wait_for_url("**keep=Take+2*")
        before = midi_from(page)
        page.get_by_role("button", name="Keep Take 2").click()
        page.wait_for_url("**kept=2*")
        page.get_by_role("button", name="Draw others").click()
        page.get_by_role("button", name="Play Take 3", exact=True).wait_for(timeout=60_000)
        expect(page.locator(".plays button")).to_have_count(3)
        assert midi_from(page) == before
        page.get_by_role("radio", name="Take 3", exact=True).click()
        page.wait_for_url("**keep=Take+3*")
        assert midi_from(page) != before


def settle(page):
    """Wait until a run of the page, if one begins, has ended."""
    page.wait_for_timeout(500)
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached", timeout=60_000)


def midi_from(page):
    """What the button MIDI saves, after what was clicked before has had its effect."""
    settle(page)
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="MIDI", exact=True).click()
    return Path(download.value.path()).read_bytes()


def test_a_silent_take_is_said_to_be_one(page, shown, monkeypatch):
    monkeypatch.setattr(
        takes,
        "cached_draw",
        lambda *_: (np.zeros((8, 88), np.float32), np.zeros((8, 88), np.float32)),
    )
    page.run()
    assert not page.exception
    assert "Nothing sounds" in page.info[0].value
    assert not shown


def test_the_checkpoints_are_those_of_music(page):
    page.run()
    options = page.sidebar.selectbox(key="checkpoint").options
    assert "jsb" in options
    assert "voice" not in options


def test_what_a_take_has_copied_is_told_or_why_that_is_not_known(page, shown, monkeypatch):
    page.query_params["takes"] = "1"
    monkeypatch.setattr(studio, "songs_at_hand", lambda *_: None)
    monkeypatch.setenv("SRNN_LAB_DATA", "a folder")  # of which nothing is cached
    page.run()
    assert not page.exception
    assert "not on this computer" in text_of(page)
    part = shown["rows"][0].values[16:] > 0  # which shows the pitches that sound
    song = np.zeros((len(part), 88), bool)
    song[:, : part.shape[1]] = part
    monkeypatch.setenv("SRNN_LAB_DATA", "another folder")  # nor of this one
    for module in (studio, voice_leading):
        monkeypatch.setattr(module, "songs_at_hand", lambda *_: {"the song": song})
    page.run()
    sounding = np.flatnonzero(part.any(1))
    length, whole = (
        Timing(90.0).length(frames / 2, 8.0)
        for frames in (sounding[-1] - sounding[0] + 1, len(part))
    )
    assert f"Take 1: {length} of {whole}, from bar 3" in text_of(page)
    assert "the song" in text_of(page)
    # The voices are compared with those of the test songs, here the take itself.
    table = page.table[0].value
    assert (table["Take 1"] == [cell.split(" (")[0] for cell in table["1 test songs"]]).all()
    assert table["Take 1"].str.endswith("%").sum() >= 4


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "none."),
        (Copied(3, 4, "song", 0, 0), "1.5 beats of 2 bars, from bar 2, beat 3 on (song)."),
        (
            Copied(2, 0, "song", 9, -1),
            "1 beat of 2 bars, from bar 2, beat 1 on (song, there 1 semitone lower).",
        ),
        (
            Copied(2, 0, "song", 9, 5),
            "1 beat of 2 bars, from bar 2, beat 1 on (song, there 5 semitones higher).",
        ),
    ],
)
def test_a_copy_in_words(found, words):
    assert studio.copied_in_words(found, Timing(90.0), 4.0, 16, 2) == words


def test_a_stretch_is_redrawn_between_what_stays(page, shown, monkeypatch):
    kept = kept_by("studio", monkeypatch)
    page.query_params["task"] = "Redraw a stretch"
    page.query_params["takes"] = "1"
    page.run()
    assert not page.exception
    assert not page.error
    clip, take = (notes(row) for row in shown["rows"])
    assert [row.title for row in shown["rows"]] == list(shown["sounds"]) == ["original", "Take 1"]
    assert shown["marks"].tolist() == [8.0, 16.0]  # bars 3 and 4
    changed = np.flatnonzero((clip != take).any(1))
    assert 16 <= changed.min() <= changed.max() < 32
    assert arrays_of(kept["Arrays (.npz)"])["notes_Take_1"].shape == (96, 88)
    assert len(pretty_midi.PrettyMIDI(io.BytesIO(kept["MIDI"])).instruments[0].notes) > 100
    # A selection in the rows is taken.
    page.session_state["studio-player place"] = Place(20.0, 22.6)
    page.run()
    (button,) = [b for b in page.button if "player's selection" in b.label]
    button.click().run()
    assert shown["marks"].tolist() == [20.0, 22.5]
    clip, take = (notes(row) for row in shown["rows"])
    again = np.flatnonzero((clip != take).any(1))
    assert 40 <= again.min() <= again.max() < 45


def test_a_model_of_other_music_comes_with_clips_of_its_kind(tmp_path, monkeypatch):
    save_runs(tmp_path, jsb=small_run("jsb"), folk=small_run("nottingham"))
    page = open_view("clips", "runs/jsb", monkeypatch, tmp_path)
    side = page.sidebar
    assert side.selectbox(key="clip").value == "bwv102-7"
    side.selectbox(key="checkpoint").select("runs/folk").run()
    assert not page.exception
    assert side.selectbox(key="clip").value == "folk/aloha-oe"
    assert page.dataframe[0].value["file"].str.startswith("folk/").all()
    side.selectbox(key="clip").select("bwv270").run()
    assert side.selectbox(key="clip").value == "bwv270"
    side.selectbox(key="checkpoint").select("runs/jsb").run()
    assert side.selectbox(key="clip").value == "bwv270"
