import io
import re

import IPython.display
import numpy as np
import plotly.graph_objects as go
import pytest
import soundfile

from srnn_lab.data.sound import wav_bytes
from srnn_lab.pictures.clip import roll_scene
from srnn_lab.pictures.notebook import hear, show


def test_a_figure_is_shown_as_data_alone_which_needs_no_browser(monkeypatch):
    """Neither a picture nor the page that would carry all of plotly.js."""
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: shown.append(bundle))
    show(go.Figure(go.Scatter(y=[1, 2])))
    assert [list(bundle) for bundle in shown] == [["application/vnd.plotly.v1+json"]]
    assert shown[0]["application/vnd.plotly.v1+json"]["layout"]["paper_bgcolor"] == "white"


def test_a_clip_is_shown_as_svg_whose_look_survives_pages_that_drop_styles(monkeypatch):
    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    times = np.arange(4.0) + 0.5
    show(roll_scene("Notes", np.eye(4, 88, dtype=np.float32), times), "a roll, model m")
    (svg,) = (picture.data for picture in shown)
    assert "a roll, model m" in svg
    assert "Notes" in svg
    assert not re.search("<style|<script|class=|style=", svg)


def test_a_sound_is_stored_small_and_as_loud_as_it_is():
    rate = 16000
    wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    wav = wav_bytes(wave, rate)
    player = hear(wav)
    assert player.mimetype == "audio/mpeg"
    assert len(player.data) < len(wav) / 4
    samples, found = soundfile.read(io.BytesIO(player.data))
    assert found == rate
    assert samples[1000:-1000].std() == pytest.approx(wave.std(), rel=0.05)
