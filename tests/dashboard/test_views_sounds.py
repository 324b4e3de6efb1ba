"""The signals and sounds that the pages make, without a page."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny import music_run, speech_run, untrained

from srnn_lab.checkpoint import save_checkpoint
from srnn_lab.dashboard import cache
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.panels import sounds as listen
from srnn_lab.dashboard.panels.sounds import signal_of
from srnn_lab.dashboard.uploads import ClipBytes
from srnn_lab.dashboard.visit import Visit
from srnn_lab.data.notices import notify


def chosen(run, folder):
    path = folder / "best.safetensors"
    save_checkpoint(untrained(run), path)
    return Choice(str(path), path.stat().st_mtime, ClipBytes(b""), "clip", 0)


@pytest.mark.parametrize("run", [music_run(), speech_run()])
def test_what_frames_stand_for_begins_with_the_clip(run, tmp_path):
    frames = np.random.default_rng(0).random((5, run.model.x_dim)).astype(np.float32)
    choice = chosen(run, tmp_path)
    without, later = signal_of(choice, frames), signal_of(choice, frames, 1)
    np.testing.assert_array_equal(later[run.data.hop :], without)
    assert not later[: run.data.hop].any()


def test_of_music_that_lasts_an_hour_the_first_minutes_are_played(monkeypatch):
    lengths = []

    def cached_music(roll, frames_per_quarter, tempo):
        lengths.append(len(roll))
        raise KeyboardInterrupt

    monkeypatch.setattr(listen, "cached_music", cached_music)
    with pytest.raises(KeyboardInterrupt):
        listen.play(np.ones((12_000, 88), np.float32), 2)
    assert lengths == [listen.MAX_PLAYED_SECONDS * 3]
    with pytest.raises(KeyboardInterrupt):
        listen.play(np.ones((12_000, 88), np.float32), 2, 180.0)
    assert lengths[1] == 2 * lengths[0]
    late = np.zeros((12_000, 88), np.float32)
    late[-1] = 1
    assert not listen.play(late, 2)[0].any()


def test_a_sound_waits_for_those_before_it_since_the_first_to_arrive_is_played(monkeypatch):
    made = {"the old clip": (np.ones(3), 8000), "given up": (np.ones(3), 8000)}
    monkeypatch.setattr("streamlit.session_state", {"visit": Visit(sounds=made)})
    wanted = {
        "after": ("the new clip", lambda: (np.zeros(3), 8000)),
        "before": ("the old clip", None),
    }
    sounds = listen.ready(wanted)
    assert sounds() == {}
    assert list(made) == ["the old clip"]
    made["the new clip"] = wanted["after"][1]()
    assert list(sounds()) == ["after", "before"]
    del made["the old clip"]  # as another run of the page may do while a file is put together
    assert list(sounds()) == ["after"]
    assert list(
        listen.ready(wanted | {"after": ("another", wanted["after"][1])}, at_hand=True)()
    ) == ["after"]


def test_a_clip_is_read_once_and_known_by_its_digest(monkeypatch, tmp_path):
    read = []

    def read_signals(path, *_):
        read.append(path.read_bytes())
        return {"": np.zeros(400)}

    monkeypatch.setattr(cache, "read_signals", read_signals)
    one = chosen(speech_run(), tmp_path)._replace(name="clip.wav", content=ClipBytes(b"one"))
    for content in (b"one", b"other", b"one"):
        cache.cached_signal(*one._replace(content=ClipBytes(content)))
    one.content.bytes = None  # hashed when it was made, and not again
    cache.cached_signal(*one)
    assert read == [b"one", b"other"]


def test_visitors_read_at_the_same_time_and_each_is_told_of_the_own_file(monkeypatch, tmp_path):
    both = threading.Barrier(2)

    def read(path, config, seconds):
        both.wait(timeout=20)  # for ever, if the one held a lock that the other waits for
        notify(f"{path} holds {path.read_text()}")
        both.wait(timeout=20)
        return {"": np.zeros(400, np.float32)}

    monkeypatch.setattr(cache, "read_signals", read)
    choice = chosen(speech_run(), tmp_path)
    visits = [
        choice._replace(name=f"{who}.wav", content=ClipBytes(who.encode()))
        for who in ("one", "other")
    ]
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda visit: cache.cached_signal(*visit)[1], visits))
    assert found == [["one.wav holds one"], ["other.wav holds other"]]
