import math

import numpy as np
import pytest
import torch
from scipy import stats
from tiny import RATE, wav_folder

from srnn_lab.config import DataConfig
from srnn_lab.models.linear_prediction import predictor, step_up
from srnn_lab.reports.untrained import gaussian_nats, measure, predictor_nats

SMALL = {"order": 3, "window": 15, "memory": 4.0, "share": 0.5, "df": 5.0}


def waveform(num_frames, n=10, seed=0):
    return (
        np.random.default_rng(seed).normal(size=(num_frames, n))
        * np.linspace(0.1, 1, num_frames)[:, None]
    )


@pytest.mark.parametrize("inside", [False, True])
def test_the_predictor_by_hand_sample_by_sample(inside):
    x, scored = waveform(5), predictor_nats(waveform(5), **SMALL, inside=inside)
    signal, mean, expected = np.concatenate([np.zeros(15), x.ravel()]), 0.0, np.zeros(5)
    for i in range(50):
        frame, place = divmod(i, 10)
        kappa, _ = predictor(torch.as_tensor(signal[None, 10 * frame : 10 * frame + 15]), 3, 1e-9)
        m = min(3, place) if inside else 3
        taps = step_up(kappa[:, :m])[0].numpy() if m else []
        known = signal[15 + i - m : 15 + i][::-1]
        growth = math.sqrt(float(1 / (1 - kappa[0, m:] ** 2).prod()))
        e = (signal[15 + i] - np.dot(taps, known)) / growth
        scale = math.sqrt(0.5 * (mean + 1e-9))
        expected[frame] += stats.t(5, 0, scale).logpdf(e) - math.log(growth)
        mean = math.exp(-1 / 4) * mean + (1 - math.exp(-1 / 4)) * e**2
    np.testing.assert_allclose(scored, expected, rtol=1e-9)


@pytest.mark.parametrize("inside", [False, True])
def test_the_predictor_reads_the_past_alone(inside):
    """Another future changes no frame before it, and another past changes those after it."""
    x = waveform(8)
    changed = x.copy()
    changed[4] += 1.0
    before, after = (predictor_nats(values, **SMALL, inside=inside) for values in (x, changed))
    np.testing.assert_array_equal(before[:4], after[:4])
    assert (before[4:6] != after[4:6]).all()


def test_the_predictor_finds_what_a_gaussian_of_frames_cannot():
    """Filtered noise of changing level: a Gaussian knows the spectrum, the predictor both."""
    generator = np.random.default_rng(0)
    level = np.repeat(np.exp(generator.normal(size=60)), 200)
    x = np.zeros(12_000)
    for i, e in enumerate(level * generator.normal(size=12_000)):
        x[i] = 0.9 * x[i - 1] + e if i else e
    frames = x.reshape(-1, 200)
    seen, scored = np.split(frames[:, :20], 2)
    distances = scored - seen.mean(0)
    squares = (distances * np.linalg.solve(np.cov(seen.T), distances.T).T).sum(1)
    logdet = np.linalg.slogdet(2 * np.pi * np.cov(seen.T))[1]
    np.testing.assert_allclose(gaussian_nats(seen, scored), -0.5 * (squares + logdet))
    independent = stats.norm(x.mean(), x.std()).logpdf(frames).sum(1)
    assert predictor_nats(frames, order=2)[1:].mean() > independent[1:].mean() + 100


def test_all_and_active_frames_of_a_folder_are_measured(tmp_path):
    config = DataConfig(
        data=str(wav_folder(tmp_path / "sounds")), features="raw", sample_rate=RATE, frame_length=80
    )
    found = measure(config, 80, order=4)
    assert [name.partition(",")[0] for name in found] == [
        "linear predictor",
        "linear predictor",
        "Gaussian",
    ]
    lengths = {
        tuple((len(nats), len(active)) for nats, active in clips) for clips in found.values()
    }
    assert len(lengths) == 1
    assert all(num_frames == num_active > 10 for num_frames, num_active in lengths.pop())
    assert all(np.isfinite(nats).all() for clips in found.values() for nats, _ in clips)
