"""Labels and words of a clip on the first page, and the paper's Figure 3, live."""

import pytest
from views import open_view, save_runs, small_run

from srnn_lab.checkpoint import ASSETS
from srnn_lab.dashboard.choice import bundled_clips
from srnn_lab.data.bundled import LONGEST_TITLE, clip_titles
from srnn_lab.data.transcripts import transcripts


@pytest.fixture
def folder(tmp_path):
    save_runs(tmp_path, raw=small_run("voice"))
    return tmp_path


def captions(page):
    return " ".join(caption.value for caption in page.caption)


def test_a_bundled_sentence_has_its_words_and_its_phones_to_score_spikes_against(
    folder, monkeypatch
):
    page = open_view(
        "explore",
        "runs/raw",
        monkeypatch,
        folder,
        prompt="reader/ru_0697",
        changes="phone boundaries",
    )
    assert not page.exception
    assert not page.error
    assert "Затем он снова" in captions(page)
    assert page.session_state["changes"] == "phone"
    assert {metric.label: metric.value for metric in page.metric}["Spikes at “phone boundary”"]
    page.sidebar.selectbox(key="prompt").select("vm-rec-temp").run()
    assert not page.exception
    assert page.session_state["changes"] == "onset"
    assert "After the tone, say your temporary message" in captions(page)


def test_an_uploaded_label_file_is_used_and_a_bad_one_is_one_sentence(folder, monkeypatch):
    page = open_view("explore", "runs/raw", monkeypatch, folder, prompt="vm-rec-temp")
    box = page.sidebar.file_uploader(key="labels")
    box.set_value(("mine.csv", b"time,label\n0.1,AH0\n0.5,S\n1.0,sil\n", "text/csv")).run()
    assert not page.error
    page.session_state["changes"] = "vowel-to-fricative"
    page.run()
    assert not page.exception
    assert page.session_state["changes"] == "vowel-to-fricative"
    missed = {metric.label: metric.value for metric in page.metric}[
        "“vowel to fricative” without a spike"
    ]
    assert missed.endswith("of 1")
    for content, said in ((b"1\n", "one column"), (b"99.0,a\n", "after the end of the recording")):
        page.sidebar.file_uploader(key="labels").set_value(("<b>.csv", content, "text/csv")).run()
        assert not page.exception
        (error,) = page.error
        assert said in error.value
        assert page.session_state["changes"] == "onset"


def test_a_button_shows_the_rows_of_the_papers_figure(folder, monkeypatch):
    page = open_view("explore", "runs/raw", monkeypatch, folder, prompt="vm-rec-temp")
    (button,) = [button for button in page.button if "Figure 3" in button.label]
    button.click().run()
    assert not page.exception
    assert page.session_state["rows-raw"] == ["waveform", "KL", "mean", "log-variance"]
    assert page.session_state["changes"] == "silence-to-sound"
    look = page.session_state["player look"]
    assert 0.5 < look.end - look.start <= 1.0


@pytest.mark.parametrize("folder", ["voice", "reader", "chorales", "folk", "piano", "chamber"])
def test_every_bundled_clip_has_its_words(folder):
    clips = {
        p.relative_to(ASSETS / folder).with_suffix("").as_posix()
        for kind in ("*.flac", "*.mid")
        for p in (ASSETS / folder).rglob(kind)
    }
    assert clips
    assert transcripts(ASSETS / folder).keys() == clips
    assert all(text.strip() for text in transcripts(ASSETS / folder).values())
    names = bundled_clips("raw") | bundled_clips("roll")
    prefix = "" if folder in ("voice", "chorales") else f"{folder}/"
    assert {f"{prefix}{clip}" for clip in clips} <= names.keys()


def test_clips_are_called_by_their_words_as_far_as_a_box_has_room(tmp_path):
    titles = clip_titles(bundled_clips("raw") | {"test: own": tmp_path / "own.wav"})
    assert titles["call-fwd-no-ans"] == "Call-Forward on No Answer."
    assert titles["vm-rec-temp"] == "After the tone, say your …"
    assert titles["dir-multi3"] == "extension"  # between dots
    assert titles["reader/ru_0697"].startswith("Затем он снова")
    assert titles["test: own"] == "test: own"
    assert len({*titles.values()}) == len(titles)
    assert max(map(len, titles.values())) <= LONGEST_TITLE
    twice = bundled_clips("roll")["bwv270"]
    assert clip_titles({"a": twice, "b": twice}) == {
        "a": "Befiehl du deine Wege (a)",
        "b": "Befiehl du deine Wege (b)",
    }


def test_addresses_and_files_keep_the_names_of_clips(folder, monkeypatch):
    kept = {}
    monkeypatch.setattr(
        "srnn_lab.dashboard.pages.explore.keep", lambda stem, *_: kept.update(stem=stem)
    )
    page = open_view("explore", "runs/raw", monkeypatch, folder, prompt="vm-rec-temp")
    box = page.sidebar.selectbox(key="titled-prompt")
    assert box.label == "Clip"
    assert box.value == "vm-rec-temp"
    assert box.options[box.index] == "After the tone, say your …"
    box.select_index(1).run()
    assert not page.exception
    assert box.options[1] == "Call-Forward on No Answer."
    assert page.query_params["prompt"] == "call-fwd-no-ans"
    assert kept["stem"].startswith("call-fwd-no-ans, ")
    page.sidebar.selectbox(key="titled-prompt").select_index(0).run()
    assert "prompt" not in page.query_params  # which is where a page without it begins


def test_a_damaged_file_of_words_is_named(tmp_path):
    assert transcripts(tmp_path) == {}
    (tmp_path / "transcripts.tsv").write_text("no tab\n")
    with pytest.raises(ValueError, match="the line 'no tab' has no tab"):
        transcripts(tmp_path)
