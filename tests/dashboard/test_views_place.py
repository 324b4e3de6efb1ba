"""The place that the first page chooses by itself."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import music_run, roll, untrained
from views import open_view, save_runs, small_run

from srnn_lab.analysis.inspection import SETTLING, inspect_signal
from srnn_lab.dashboard.address import chosen_frame
from srnn_lab.player.component import Place

CLIP = inspect_signal(untrained(music_run()), roll(24))
KL = np.linspace(1, 2, len(CLIP.kl), dtype=np.float32)


def test_the_largest_spike_is_no_frame_of_the_settling_state():
    kl = KL.copy()
    kl[[SETTLING - 1, SETTLING + 3]] = 9, 5
    assert replace(CLIP, kl=kl).largest_spike == SETTLING + 3


def test_the_largest_spike_is_heard_unless_everything_is_silent():
    active = np.arange(len(KL)) < 12
    clip = replace(CLIP, kl=KL, active=active)
    assert clip.largest_spike == chosen_frame(clip, None) == 11
    assert replace(clip, active=np.zeros(len(KL), bool)).largest_spike == len(KL) - 1


@pytest.mark.parametrize("view", ["latents", "transition"])
def test_a_selection_is_left_with_its_clip(view, tmp_path, monkeypatch):
    save_runs(tmp_path, tiny=small_run())
    page = open_view(view, "tiny", monkeypatch, tmp_path)
    key = f"{view}-player place"
    page.session_state[key] = Place(1.0, 1.5)
    page.run()
    assert page.session_state[key] == Place(1.0, 1.5)
    clips = page.sidebar.selectbox(key="prompt")
    clips.select(clips.options[1]).run()
    assert not page.exception
    assert page.session_state[key] is None
