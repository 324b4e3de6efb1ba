import io

import IPython.display
import numpy as np
import plotly.graph_objects as go
import pytest
import soundfile

from srnn_lab.data.sound import wav_bytes
from srnn_lab.pictures.notebook import hear, show


def test_a_figure_is_shown_as_data_alone_which_needs_no_browser(monkeypatch):
    """Neither a picture nor the page that would carry all of plotly.js."""
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: shown.append(bundle))
    show(go.Figure(go.Scatter(y=[1, 2])))
    assert [list(bundle) for bundle in shown] == [["application/vnd.plotly.v1+json"]]
    assert shown[0]["application/vnd.plotly.v1+json"]["layout"]["paper_bgcolor"] == "white"


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
