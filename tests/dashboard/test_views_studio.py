import io

import numpy as np
import pretty_midi
import pytest
from test_midi import scale, signature, song, tempo
from tiny import roll
from views import arrays_of, kept_by, open_view, page_of, save_runs, small_run, text_of

from srnn_lab.analysis.novelty import Copied
from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.dashboard.pages import studio
from srnn_lab.dashboard.pages.studio import cached_draw
from srnn_lab.dashboard.panels import rows_panel, voice_leading
from srnn_lab.dashboard.panels import sounds as listen
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


def test_a_silent_take_is_said_to_be_one(page, shown, monkeypatch):
    monkeypatch.setattr(
        studio,
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
    length = (sounding[-1] - sounding[0] + 1) / 2
    assert f"Take 1: {length:g} of {len(part) / 2:g} quarter notes" in text_of(page)
    assert "the song" in text_of(page)
    # The voices are compared with those of the test songs, here the take itself.
    table = page.table[0].value
    assert (table["Take 1"] == [cell.split(" (")[0] for cell in table["1 test songs"]]).all()
    assert table["Take 1"].str.endswith("%").sum() >= 4


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "none."),
        (Copied(3, 4, "song", 0, 0), "1.5 of 8 quarter notes, from bar 2, beat 1 on (song)."),
        (
            Copied(2, 0, "song", 9, -1),
            "1 of 8 quarter notes, from bar 2, beat 1 on (song, there 1 semitone lower).",
        ),
        (
            Copied(2, 0, "song", 9, 5),
            "1 of 8 quarter notes, from bar 2, beat 1 on (song, there 5 semitones higher).",
        ),
    ],
)
def test_a_copy_in_words(found, words):
    assert studio.copied_in_words(found, "bar 2, beat 1", 16, 2) == words


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
    assert page.dataframe[0].value["clip"].str.startswith("folk/").all()
    side.selectbox(key="clip").select("bwv270").run()
    assert side.selectbox(key="clip").value == "bwv270"
    side.selectbox(key="checkpoint").select("runs/jsb").run()
    assert side.selectbox(key="clip").value == "bwv270"
