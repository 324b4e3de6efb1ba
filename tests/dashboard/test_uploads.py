"""Bad and hostile files through the upload boxes: a sentence, a page that stays alive, no more."""

import errno
import io
import json
import os
import re
import struct
import sys
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import torch
from browser import launch, open_page, serve
from safetensors.torch import load_file, save
from test_checkpoint import rewrite
from test_decode import COMPLETE
from test_music import write_midi
from test_speech import sine, write_sphere
from tiny import music_run, roll, speech_run, untrained
from views import page_of

from srnn_lab.checkpoint import list_checkpoints, save_checkpoint
from srnn_lab.dashboard.cache import cached_signal
from srnn_lab.dashboard.uploads import ClipBytes, harmless
from srnn_lab.dashboard.words import plain
from srnn_lab.data.sound import roll_to_midi

ROOT = Path(__file__).parents[2]

# Streamlit warns of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")

HOSTILE = (
    "<img src=x onerror=alert(1)>![](http://evil.example/x.png) "
    "[a](http://evil.example) $x$ :red[b] `c`"
)


def made(tmp_path, make, name="file"):
    """The bytes of what a function writes to a path."""
    path = tmp_path / name
    make(path)
    return path.read_bytes()


def wav(samples, rate=16000, subtype="PCM_16", kind="WAV"):
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=kind, subtype=subtype)
    return content.getvalue()


def zipped():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../../evil.txt", "words" * 1000)
    return content.getvalue()


class Evil:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def written(tmp_path_factory, monkeypatch):
    """Files that Python opens to write outside the temporary folder, which is empty at the end."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    found, listening = [], [True]

    def listen(event, arguments):
        if (
            event == "open"
            and listening
            and isinstance(arguments[2], int)
            and isinstance(arguments[0], str)
        ):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR) and not arguments[0].startswith(
                (str(folder), "/dev/")
            ):
                found.append(arguments[0])
        elif event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn") and listening:
            found.append((event, *arguments))

    sys.addaudithook(listen)
    yield found
    listening.clear()
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def give(page, box, name, content):
    page.sidebar.file_uploader(key=box).set_value((name, content, "application/octet-stream")).run()
    assert not page.exception
    return [error.value for error in page.error]


def refused(page, box, files, written):
    """Each bad file's error, by the sentence that it holds; none writes a file or runs a program.

    Args:
        page: The page.
        box: Key of its box for files.
        files: By sentence, a file's name and its bytes, all of them made before the first is given.
        written: The fixture.
    """
    del written[:]  # what the tests themselves wrote
    for sentence, (name, content) in files.items():
        (error,) = give(page, box, name, content)
        assert sentence in unescaped(error)
        assert written == [], sentence
        yield error


def unescaped(text):
    """What a reader sees of a text that was made plain."""
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", text)


AUDIO = {
    "is empty": ("a.wav", lambda t: b""),
    "holds no samples": ("a.wav", lambda t: wav(sine(440)[:0])),
    "a.wav cannot be read as audio": ("a.wav", lambda t: b"These are words.\n" * 20),
    "a.mp3 cannot be read as audio": ("a.mp3", lambda t: b"These are words.\n" * 20),
    "zip.wav cannot be read as audio": ("zip.wav", lambda t: zipped()),
    "song.wav cannot be read as audio": ("song.wav", lambda t: roll_to_midi(roll(8), 2)),
    "is silent": ("a.flac", lambda t: wav(np.zeros(8000), kind="FLAC")),
    "are not finite": ("nan.wav", lambda t: wav(np.full(8000, np.nan), subtype="FLOAT")),
    "not finite": ("inf.wav", lambda t: wav(np.full(8000, np.inf), subtype="FLOAT")),
    "where full scale is 1": ("loud.wav", lambda t: wav(np.full(8000, 1e6), subtype="FLOAT")),
    "fewer than one frame": ("a.wav", lambda t: wav(sine(440)[:100])),
    "cut.flac cannot be read": ("cut.flac", lambda t: wav(sine(440), kind="FLAC")[:30]),
    "cut.ogg cannot be read": (
        "cut.ogg",
        lambda t: wav(sine(440), subtype="VORBIS", kind="OGG")[:200],
    ),
    "sphere.wav cannot be read": (
        "sphere.wav",
        lambda t: made(t, lambda p: write_sphere(p, sine(440)))[:500],
    ),
    "lasts 500 s; at most 180 s": ("slow.wav", lambda t: wav(sine(440)[:500], rate=1)),
    "too many to be read": (
        "wide.wav",
        lambda t: wav(np.tile(sine(440, seconds=3)[:, None], 800), subtype="PCM_U8"),
    ),
}
MIDI = {
    "empty or cut short": ("a.mid", lambda t: b""),
    "cut.mid cannot be read as MIDI": ("cut.mid", lambda t: roll_to_midi(roll(20), 2)[:60]),
    "MThd not found": ("a.mid", lambda t: b"These are words.\n" * 20),
    "zip.mid cannot be read as MIDI": ("zip.mid", lambda t: zipped()),
    "has no notes; give": ("a.mid", lambda t: made(t, lambda p: write_midi(p, []))),
    "apart from drums": (
        "a.mid",
        lambda t: made(t, lambda p: write_midi(p, [(0, 480, 36)], channel=9)),
    ),
    "no note within": ("a.mid", lambda t: made(t, lambda p: write_midi(p, [(0, 480, 20)]))),
    "at most 20000": (
        "a.mid",
        lambda t: made(t, lambda p: write_midi(p, [(480 * 10_000, 480 * 10_001, 60)])),
    ),
    "division by zero": (
        "a.mid",
        lambda t: made(t, lambda p: write_midi(p, [(0, 480, 60)], ticks_per_quarter=0)),
    ),
    "has 2 MB; at most 1 MB": ("big.mid", lambda t: bytes(2**21)),
}


def test_bad_recordings_each_get_a_sentence_and_the_page_lives_on(tmp_path, written):
    page = page_of("explore").run()
    files = {sentence: (name, make(tmp_path)) for sentence, (name, make) in AUDIO.items()}
    for error in refused(page, "upload-voice", files, written):
        assert str(tmp_path.parent) not in error
    assert give(page, "upload-voice", "good.wav", wav(sine(440))) == []
    assert written == []
    page.sidebar.file_uploader(key="upload-voice").clear().run()
    assert not page.error


def test_bad_songs_each_get_a_sentence_and_the_page_lives_on(tmp_path, written):
    page = page_of("studio").run()
    good = roll_to_midi(roll(32), 2)
    files = {sentence: (name, make(tmp_path)) for sentence, (name, make) in MIDI.items()}
    assert len(list(refused(page, "upload-chorales", files, written))) == len(MIDI)
    assert give(page, "upload-chorales", "good.mid", good) == []
    assert written == []


def test_what_can_be_read_is_read_and_what_was_dropped_is_said(tmp_path):
    page = page_of("studio").run()
    notes = [
        (480 * i, 480 * (i + 1), pitch)
        for i, pitch in enumerate((20, 60, 64, 67, 109, 60, 64, 67, 60))
    ]
    content = made(tmp_path, lambda p: write_midi(p, notes, tempi=[(0, 90), (960, 200)]))
    assert give(page, "upload-chorales", "wide.mid", content) == []
    assert "2 of 9 notes lie outside MIDI pitch 21 to 108" in unescaped(page.warning[0].value)


@pytest.mark.parametrize(("checkpoint", "name"), [("jsb", "a.wav"), ("voice", "a.mid")])
def test_a_file_whose_name_ends_otherwise_is_not_read_whoever_let_it_through(checkpoint, name):
    with pytest.raises(
        ValueError, match=rf"^{name} does not end as the files that this model takes \("
    ):
        cached_signal(str(list_checkpoints()[checkpoint]), 0.0, ClipBytes(b""), name, 0)


@pytest.mark.parametrize("name", ["song.kar", "song.RMI", "song.smf", "song.midi"])
def test_other_endings_of_midi_files_are_read(name):
    content = ClipBytes(roll_to_midi(roll(8), 2))
    assert np.array_equal(
        cached_signal(str(list_checkpoints()["jsb"]), 0.0, content, name, 0)[0], roll(8)
    )


@pytest.mark.parametrize(
    "name", [name for name in COMPLETE if name.startswith(("a.", "pipe.aiff"))]
)
def test_recordings_of_phones_and_browsers_are_read(name):
    content = ClipBytes(COMPLETE[name]())
    assert len(cached_signal(str(list_checkpoints()["voice-mel"]), 0.0, content, name, 0)[0]) > 8000


@pytest.mark.parametrize(
    ("checkpoint", "box", "file", "other"),
    [("voice-mel", "voice", "song.mid", "jsb"), ("jsb", "chorales", "tone.wav", "voice-mel")],
)
def test_a_file_for_another_kind_of_model_is_shown_with_one_when_that_is_wanted(
    checkpoint, box, file, other
):
    page = page_of("explore")
    page.query_params["checkpoint"] = checkpoint
    page.run()
    content = roll_to_midi(roll(24), 2) if file.endswith("mid") else wav(sine(440))
    before = page.session_state["visit"].choice
    assert give(page, f"upload-{box}", file, content) == []
    assert page.session_state["visit"].choice == before
    page.button(key="other-model").click().run()
    assert not page.exception
    assert page.sidebar.selectbox(key="checkpoint").value == other
    assert page.session_state["visit"].choice.name == file


NAMES = [HOSTILE, "../../../evil", "..\\..\\evil", "/etc/evil", "ä" * 300, "a\nb", ".", "con:"]


def test_a_hostile_name_is_only_ever_shown(tmp_path, written, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = page_of("explore").run()
    del written[:]
    for name in NAMES:
        (error,) = give(page, "upload-voice", f"{name}.wav", b"no sound")
        assert error == plain(unescaped(error))
        assert "![" not in error
        assert "cannot be read as audio" in error
    assert give(page, "upload-voice", f"{HOSTILE}.wav", wav(sine(440))) == []
    assert not any(
        "![" in m.value or "<img" in m.value for m in [*page.markdown, *page.caption, *page.warning]
    )
    assert written == []
    assert list(tmp_path.iterdir()) == []


def test_hostile_metadata_of_a_song_is_not_shown(tmp_path):
    song = mido.MidiFile(file=io.BytesIO(roll_to_midi(roll(32), 2)))
    for kind in ("track_name", "lyrics", "text", "copyright", "instrument_name"):
        text = {"name" if kind.endswith("name") else "text": HOSTILE}
        song.tracks[0].insert(0, mido.MetaMessage(kind, **text))
    page = page_of("studio").run()
    assert give(page, "upload-chorales", "song.mid", made(tmp_path, song.save)) == []
    assert "evil.example" not in str(page.main) + str(page.sidebar)


def declared(**tensors):
    """A .safetensors file whose header says what it likes of tensors that are not there."""
    stored = {"__metadata__": {"srnn_lab": json.dumps({"format": "srnn_lab/1", "config": {}})}}
    header = json.dumps({**stored, **tensors}).encode()
    return struct.pack("<Q", len(header)) + header


def changed(path, change):
    """A checkpoint changed by someone who knows that one without a checksum is taken as it is."""

    def change_unseen(header, tensors):
        change(header, tensors)
        header.pop("sha256")

    save_checkpoint(untrained(music_run()), path)
    rewrite(path, change_unseen)


def configure(section, key, value):
    return lambda path: changed(
        path, lambda header, tensors: header["config"][section].update({key: value})
    )


def whole(path):
    save_checkpoint(untrained(music_run()), path)


CHECKPOINTS = {
    "may be truncated": lambda path: path.write_bytes(b""),
    "file not fully covered": lambda path: (
        whole(path),
        path.write_bytes(path.read_bytes()[:-100]),
    ),
    "header too large": lambda path: path.write_bytes(zipped()),
    "not a readable .safetensors file": lambda path: torch.save(
        {"a": Evil(path.parent / "evil")}, path
    ),
    "takes 'raw' frames; this page is for roll": lambda path: save_checkpoint(
        untrained(speech_run()), path
    ),
    "its format is None": lambda path: path.write_bytes(save({"a": torch.zeros(2)})),
    "incomplete metadata": lambda path: path.write_bytes(
        declared(a={"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]})
    ),
    "overflow": lambda path: path.write_bytes(
        declared(a={"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]})
    ),
    "it has only 0 weights": lambda path: path.write_bytes(
        declared(a={"dtype": "F32", "shape": [0, 10**15], "data_offsets": [0, 0]})
    ),
    "too large to build": configure("model", "d_dim", 2**52),
    "expected a whole number of at most": configure("model", "d_dim", 10**30),
    "has shape": configure("model", "z_dim", 10**6),
    "num_layers is 1000000000": configure("model", "num_layers", 10**9),
    "sample_rate is 1000000000": configure("data", "sample_rate", 10**9),
    "has no key 'evil'": configure("model", "evil", 1),
    "choose one of srnn": configure("model", "model", HOSTILE),
    "no part of the model": lambda path: changed(
        path, lambda header, tensors: header["config"]["model"].update(model="rnn")
    ),
    "is of type torch.float8_e4m3fn": lambda path: changed(
        path,
        lambda header, tensors: tensors.update(
            {"normalisation.mean": torch.zeros(88).to(torch.float8_e4m3fn)}
        ),
    ),
    "its scores are {'test': 5}": lambda path: changed(
        path, lambda header, tensors: header["scores"].update({"test": 5})
    ),
    "not a finite number": lambda path: changed(
        path, lambda header, tensors: tensors["model.gru_d.bias_hh_l0"].fill_(float("nan"))
    ),
}


def test_bad_checkpoints_each_get_a_sentence_and_the_page_lives_on(tmp_path, written):
    page = page_of("studio").run()
    files = {
        sentence: (f"{HOSTILE}.safetensors", made(tmp_path, make))
        for sentence, make in CHECKPOINTS.items()
    }
    for error in refused(page, "upload-checkpoint", files, written):
        assert "/own.safetensors" not in error
        assert "![" not in error
        assert page.sidebar.selectbox(key="checkpoint").value == "jsb"
    assert not (tmp_path / "evil").exists()
    page.sidebar.file_uploader(key="upload-checkpoint").clear().run()
    assert not page.error


def test_a_full_disk_is_a_sentence(tmp_path, monkeypatch):
    def full(folder, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    page = page_of("studio").run()
    content = made(tmp_path, whole)
    monkeypatch.setattr(Path, "write_bytes", full)
    (error,) = give(page, "upload-checkpoint", "mine.safetensors", content)
    assert "No space left on device" in error


def test_a_good_checkpoint_is_used_as_long_as_the_visit_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page = page_of("studio").run()
    content = made(tmp_path, whole)
    (tmp_path / "file").unlink()
    assert give(page, "upload-checkpoint", f"{HOSTILE}.safetensors", content) == []
    assert (
        page.sidebar.selectbox(key="checkpoint").value
        == f"yours: {harmless(f'{HOSTILE}.safetensors')}"
    )
    (folder,) = tmp_path.iterdir()
    assert [path.name for path in folder.iterdir()] == ["own.safetensors"]
    assert load_file(folder / "own.safetensors")


def test_finite_weights_that_overflow_are_a_sentence(tmp_path):
    page = page_of("studio").run()
    overflowing = made(
        tmp_path,
        lambda path: changed(
            path,
            lambda header, tensors: [v.fill_(3e38) for k, v in tensors.items() if "model" in k],
        ),
    )
    (error,) = give(page, "upload-checkpoint", "huge.safetensors", overflowing)
    assert "not of finite numbers" in error


def test_a_text_is_shown_as_it_is_and_not_at_any_length():
    assert plain("a_b *c* <d> [e](f) $g$ :h: `i` | # ~ !") == (
        r"a\_b \*c\* \<d\> \[e\](f) \$g\$ \:h\: \`i\` \| \# \~ \!"
    )
    assert plain("a\n\n# b") == r"a \# b"
    assert len(plain("x" * 10**7)) < 1000


def test_a_recording_is_a_clip_beside_the_others_and_a_silent_one_a_sentence():
    page = page_of("explore").run()
    page.sidebar.audio_input(key="record-voice").set_value(
        ("audio.wav", wav(np.zeros(8000)), "audio/wav")
    ).run()
    assert "audio.wav is silent" in unescaped(page.error[0].value)
    page.sidebar.audio_input(key="record-voice").set_value(
        ("audio.wav", wav(sine(440)), "audio/wav")
    ).run()
    assert not page.error
    assert page.sidebar.selectbox(key="prompt").disabled
    assert page.sidebar.audio_input(key="record-voice").sample_rate == 16000


@pytest.mark.browser
def test_200_megabytes_and_a_hostile_name_in_a_browser(tmp_path):
    big, named = (
        tmp_path / "big.wav",
        tmp_path / "<img src=x onerror=alert(1)>![](http:evil.example).wav",
    )
    with big.open("wb") as file:
        file.truncate(200 * 2**20)
    linked = tmp_path / "www.evil.example.wav"
    for file in (named, linked):
        file.write_bytes(b"no sound")
    dialogs = []
    with (
        serve(
            "run", str(ROOT / "dashboard.py"), "--", "--runs", str(tmp_path), cwd=ROOT
        ) as address,
        launch() as browser,
        open_page(browser, address) as page,
    ):
        page.set_default_timeout(120_000)
        page.goto(address)
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        box = page.locator("[data-testid=stSidebar] [data-testid=stFileUploader] input").first
        box.wait_for(state="attached")
        # The first run of a page may put another box in the place of the first one.
        page.locator("[data-test-script-state=notRunning]").wait_for(state="attached")
        box.set_input_files(str(big))
        page.get_by_text("File must be 50.0MB or smaller.").wait_for()
        box.set_input_files(str(named))
        sentence = page.get_by_test_id("stAlert").get_by_text("cannot be read as audio")
        sentence.wait_for()
        assert harmless(named.name) in sentence.inner_text()
        assert sentence.locator("img, a").count() == 0
        box.set_input_files(str(linked))
        page.get_by_test_id("stAlert").get_by_text(
            "evil.example.wav cannot be read as audio"
        ).wait_for()
        assert page.get_by_test_id("stAlert").locator("a").count() == 0
    assert dialogs == []
