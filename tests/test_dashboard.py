"""The dashboard: each view with Streamlit's AppTest, and the README's command in a real browser."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import sync_playwright
from streamlit.testing.v1 import AppTest

from srnn_lab.audio import roll_to_midi

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# Streamlit and its server warn of things that are not ours.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def page():
    return AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=180)


def figures(page):
    return [chart.proto.spec for chart in page.get("plotly_chart")]


@pytest.mark.parametrize(
    ("checkpoint", "title"),
    [
        ("voice-mel", "Log-mel energies"),
        ("voice", "Reconstructed log-variance"),
        ("jsb", "p(note) under the posterior"),
    ],
)
def test_each_checkpoint_has_its_view(page, checkpoint, title):
    page.query_params["checkpoint"] = checkpoint
    page.run()
    assert not page.exception
    assert not page.error
    assert page.sidebar.selectbox(key="checkpoint").value == checkpoint
    assert title in figures(page)[0]
    assert "nats per frame" in " ".join(m.value for m in page.markdown)


def test_the_first_view_is_that_of_the_voice_on_log_mel_frames(page):
    page.run()
    assert page.sidebar.selectbox(key="checkpoint").value == "voice-mel"
    assert len(figures(page)) == 1


def test_another_clip_gives_another_figure(page):
    page.run()
    before = figures(page)[0]
    clips = page.sidebar.selectbox(key="prompt")
    clips.select(clips.options[1]).run()
    assert not page.exception
    assert figures(page)[0] != before


def upload(page, checkpoint, name, content):
    page.query_params["checkpoint"] = checkpoint
    page.run()
    page.sidebar.file_uploader[0].upload(name, content).run()
    assert not page.exception
    return page


def wav(samples, rate, subtype="PCM_16", kind="WAV"):
    import io

    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=kind, subtype=subtype)
    return content.getvalue()


TONE = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)


@pytest.mark.parametrize(
    ("checkpoint", "name", "content"),
    [
        ("voice-mel", "stereo.wav", wav(np.stack([TONE, TONE], 1), 48000)),
        ("voice", "deep.flac", wav(TONE, 96000, "PCM_24", "FLAC")),
        ("voice-mel", "slow.ogg", wav(TONE, 8000, "VORBIS", "OGG")),
        ("jsb", "chords.mid", roll_to_midi(np.repeat(np.eye(88, dtype=np.float32)[40:46], 4, 0), 2)),
    ],
)
def test_an_upload_is_shown(page, checkpoint, name, content):
    upload(page, checkpoint, name, content)
    assert not page.error
    assert figures(page)


@pytest.mark.parametrize(
    ("checkpoint", "name", "content", "sentence"),
    [
        ("voice-mel", "empty.wav", b"", "empty"),
        ("voice-mel", "text.wav", b"this is no sound", "cannot be read as audio"),
        ("voice-mel", "silent.wav", wav(np.zeros(16000), 16000), "silent"),
        ("voice-mel", "nan.wav", wav(np.full(16000, np.nan), 16000, "FLOAT"), "not finite"),
        ("voice-mel", "short.wav", wav(TONE[:100], 16000), "fewer than one frame"),
        ("jsb", "broken.mid", b"MThd", "cannot be read as MIDI"),
    ],
)
def test_a_bad_upload_gets_a_sentence_and_no_folder_of_the_server(page, checkpoint, name, content, sentence):
    upload(page, checkpoint, name, content)
    assert [sentence in error.value for error in page.error] == [True]
    assert "/tmp" not in page.error[0].value
    assert not figures(page)


def browser_executable():
    """An installed Chromium or Chrome, or else Playwright's own, which is then installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    return None


@pytest.fixture
def server():
    """The README's first command from where its installation ends."""
    command = next(
        line for line in README.splitlines() if "streamlit run dashboard.py" in line and "pip install" in line
    )
    last = re.split(r"&&", command)[-1].strip().split()
    program = Path(sys.executable).parent / Path(last[0]).name
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_HEADLESS": "true"}
    process = subprocess.Popen([str(program), *last[1:]], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).read()
            break
        except OSError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(10)


def test_the_readme_command_shows_a_figure_and_nothing_leaves_the_machine(server):
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    outside, errors = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_executable(), args=flags)
        page = browser.new_page()
        page.on(
            "request", lambda r: outside.append(r.url) if not r.url.startswith((server, "data:", "blob:")) else None
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server)
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=90_000)
        drawn = page.locator(".js-plotly-plot path.js-line").first.get_attribute("d")
        assert len(drawn) > 1000
        page.get_by_label("Clip").click()
        page.get_by_role("option").nth(1).click()
        page.wait_for_function(
            "before => document.querySelector('.js-plotly-plot path.js-line').getAttribute('d') !== before", arg=drawn
        )
        browser.close()
    assert outside == []
    assert errors == []
