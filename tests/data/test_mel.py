"""Mel filters, inversion and limiter against librosa, and without it."""

import os
import subprocess
import sys
import time

import librosa
import numpy as np
import pytest
import soundfile

from srnn_lab.config import DataConfig
from srnn_lab.data import speech
from srnn_lab.data.frames import Frontend
from srnn_lab.data.kinds import LOG_FLOOR
from srnn_lab.data.limiter import limit
from srnn_lab.data.mel import griffin_lim, mel_filters, mel_to_power
from srnn_lab.data.speech import read_audio

LOG_MEL = DataConfig(features="log-mel", frame_length=160)
HOP, WIDTH = LOG_MEL.frame_length, LOG_MEL.window_length
CLIP = speech.BUNDLED_VOICE / "vm-password.flac"


def clip():
    return read_audio(CLIP, 16000)


def powers_of(wave):
    windows = np.lib.stride_tricks.sliding_window_view(wave, WIDTH)[::HOP]
    return (np.abs(np.fft.rfft(windows * np.hanning(WIDTH + 1)[:-1])) ** 2).astype(np.float32)


@pytest.mark.parametrize(
    ("rate", "width", "bins"),
    [(16000, 512, 80), (16000, 512, 40), (22050, 1024, 128), (8000, 256, 20), (1500, 64, 8)],
)
def test_mel_filters_are_librosas(rate, width, bins):
    np.testing.assert_array_equal(
        mel_filters(rate, width, bins), librosa.filters.mel(sr=rate, n_fft=width, n_mels=bins)
    )


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_is_librosas(tmp_path, rate):
    wave = (0.3 * np.random.default_rng(0).standard_normal(rate)).clip(-1, 1).astype(np.float32)
    wave -= np.round(32768 * wave.mean(dtype=float)) / 32768
    soundfile.write(tmp_path / "a.wav", wave, rate, "FLOAT")
    expected = librosa.resample(wave, orig_sr=rate, target_sr=16000)
    found = read_audio(tmp_path / "a.wav", 16000)
    assert abs(len(found) - len(expected)) <= 1
    count = min(len(found), len(expected))
    np.testing.assert_allclose(found[:count], expected[:count], atol=1e-6)


def test_griffin_lim_is_librosas():
    magnitudes = np.sqrt(powers_of(clip()))
    found = griffin_lim(magnitudes, HOP, WIDTH)
    expected = librosa.griffinlim(
        magnitudes.T, n_iter=32, hop_length=HOP, n_fft=WIDTH, center=False, random_state=0
    )
    assert found.shape == expected.shape
    inside = slice(WIDTH, -WIDTH)  # at the ends both divide by almost 0
    np.testing.assert_allclose(
        found[inside], expected[inside], atol=0.01 * np.abs(expected[inside]).max()
    )


def test_powers_have_the_mel_energies_asked_for_more_nearly_than_librosas():
    filters = mel_filters(16000, WIDTH, 80)
    asked = powers_of(clip()) @ filters.T
    theirs = librosa.feature.inverse.mel_to_stft(asked.T, sr=16000, n_fft=WIDTH, power=2.0).T ** 2
    found = mel_to_power(asked, filters)
    assert (found >= 0).all()
    errors = [
        np.abs(np.log(p @ filters.T + LOG_FLOOR) - np.log(asked + LOG_FLOOR)).mean()
        for p in (found, theirs)
    ]
    assert errors[0] < 0.1
    assert errors[0] < errors[1]


def exploding():
    """A front end, and a clip's frames among which a few explode, as some draws have them."""
    frontend = Frontend.fit(LOG_MEL, 80, [clip()])
    frames = np.tile(frontend.frames(clip(), 80), (30, 1))[:2400]
    frames[1200::97] = 3000
    frames[1250::97, 10:40] = 90
    frames[1230::97] = -2000
    return frontend, frames


@pytest.mark.parametrize("ranges", [True, False], ids=["new checkpoint", "old checkpoint"])
def test_frames_that_explode_are_heard_neither_late_nor_loud(ranges):
    frontend, frames = exploding()
    if not ranges:
        frontend = Frontend(frontend.config, frontend.mean, frontend.std)
    began = time.process_time()
    wave = frontend.waveform(frames)
    assert time.process_time() - began < 5
    assert len(wave) == WIDTH + HOP * (len(frames) - 1)
    assert np.abs(wave).max() <= 1
    level = np.sqrt((wave[: 2400 * HOP].reshape(-1, HOP) ** 2).mean(1))
    assert 20 * np.log10(level.max() / np.median(level)) < 60
    assert 20 * np.log10(level[1200:].max() / level[:1150].max()) < (6 if ranges else 20)


def test_the_range_of_a_front_end_is_that_of_its_training_set_in_each_bin():
    signals = [clip()[:8000], clip()[8000:]]
    frontend = Frontend.fit(LOG_MEL, 80, signals)
    plain = Frontend(LOG_MEL, np.zeros((), np.float32), np.ones((), np.float32))
    frames = np.concatenate([plain.frames(signal, 80) for signal in signals])
    np.testing.assert_array_equal(frontend.low, frames.min(0))
    np.testing.assert_array_equal(frontend.high, frames.max(0))
    inside = frontend.frames(clip(), 80)
    beyond = np.where(inside == inside.max(0), 1e6, inside)
    np.testing.assert_allclose(frontend.waveform(beyond), frontend.waveform(inside), atol=1e-3)


def test_the_limiter_changes_only_what_is_near_a_peak_and_without_a_click():
    rate = 16000
    wave = (0.2 * np.sin(2 * np.pi * 100 * np.arange(rate) / rate)).astype(np.float32)
    assert limit(wave, rate) is wave
    wave[8000:8100] *= 30
    found = limit(wave, rate)
    assert (found.dtype, np.abs(found).max() <= 1) == (np.float32, True)
    far = np.r_[0:7800, 8300:rate]
    np.testing.assert_array_equal(found[far], wave[far])
    gain = found[7800:8300] / np.where(wave[7800:8300] == 0, 1, wave[7800:8300])
    assert np.abs(np.diff(gain[wave[7800:8300] != 0])).max() < 0.05
    assert np.isfinite(limit(np.array([1e30, 0.5, -1e30], np.float32), rate)).all()


@pytest.mark.slow
def test_sounds_need_no_compiler_no_home_and_no_place_for_a_cache(tmp_path):
    """What a container has for a user without a home, from packages that it may not write."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("numba", "librosa")))  # to import them is an error
from srnn_lab.cli import main
assert main(["inspect", "voice-mel", {str(CLIP)!r}, "--out", {str(tmp_path / "out")!r}]) == 0
prime = ["--prime", {str(CLIP)!r}, "--steps=5"]
assert main(["sample", "voice-mel", *prime, "--out", {str(tmp_path / "a.wav")!r}]) == 0
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG"))} | {
        "HOME": "/nonexistent"
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "a.wav").duration > 1
