from dataclasses import replace

import linear_gaussian
import numpy as np
import pytest
import torch
from linear_gaussian import LinearDKF
from scipy import stats

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.cli import main
from srnn_lab.config import PRESETS
from srnn_lab.data import Frontend
from srnn_lab.inference.forecasting import Forecast, forecast
from srnn_lab.models import build_model
from srnn_lab.training.fitting import fit


def test_a_forecast_of_a_linear_gaussian_model_is_the_kalman_filters():
    model = LinearDKF()
    run = PRESETS["series"]
    config = replace(run, model=replace(model.config, missing=False))
    past, steps, n = np.random.default_rng(0).standard_normal((12, 2)), 5, 20_000
    checkpoint = Checkpoint(config, model, Frontend.plain(config.data))
    found = forecast(checkpoint, past.astype(np.float32), steps, paths=n)
    a, c, q, r = (getattr(linear_gaussian, name) for name in "ACQR")
    mean, variance = np.zeros(2), np.zeros(2)
    for x_t in past:  # the filter, chain by chain
        mean, variance = a * mean, a**2 * variance + q
        gain = variance * c / (c**2 * variance + r)
        mean, variance = mean + gain * (x_t - c * mean), (1 - gain * c) * variance
    for t in range(steps):
        mean, variance = a * mean, a**2 * variance + q
        of_x = c**2 * variance + r
        assert (np.abs(found.mean[t] - c * mean) < 5 * np.sqrt(of_x / n)).all()
        assert (np.abs(found.samples[:, t].var(0) / of_x - 1) < 5 * np.sqrt(2 / n)).all()
    np.testing.assert_allclose(found.times, 12.5 + np.arange(5))


def test_the_score_of_draws_is_its_definition_and_that_of_a_gaussian():
    samples, came = (
        np.random.default_rng(0).standard_normal((7, 2, 3)),
        np.array([[0.3, -2.0, 0.0], [1.0, 5.0, -0.1]]),
    )
    found = Forecast(samples, np.arange(2.0)).crps(came)
    pairs = np.abs(samples[:, None] - samples[None]).sum((0, 1)) / (7 * 6)
    np.testing.assert_allclose(found, np.abs(samples - came).mean(0) - pairs / 2)
    many = Forecast(np.random.default_rng(1).standard_normal((200_000, 1, 1)), np.zeros(1))
    for y in (-1.0, 0.0, 2.5):
        exact = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
        assert float(many.crps(np.array([[y]]))[0, 0]) == pytest.approx(exact, abs=0.01)
    with pytest.raises(ValueError, match="cannot be scored"):
        Forecast(samples[:1], np.arange(2.0)).crps(came)


def test_quantiles_and_coverage_by_hand():
    drawn = Forecast(np.arange(101.0)[:, None, None].repeat(4, 1), np.arange(4.0))
    assert drawn.quantile(0.25).tolist() == [[25.0]] * 4
    assert drawn.coverage(np.array([[9.0], [10.0], [90.0], [91.0]]), 0.8) == 0.5
    # What is missing does not count.
    assert drawn.coverage(np.array([[9.0], [10.0], [90.0], [np.nan]]), 0.8) == 2 / 3
    assert np.isnan(drawn.coverage(np.full((4, 1), np.nan), 0.8))


def test_the_command_line_writes_quantiles(tmp_path, capsys):
    run = PRESETS["series"]
    run = replace(
        run,
        model=replace(run.model, d_dim=5, z_dim=2, hidden_dim=6),
        train=replace(run.train, epochs=1, batch_size=2, segment_length=8),
    )
    tables = [
        torch.randn(16, 2, generator=torch.Generator().manual_seed(i)).numpy() for i in range(4)
    ]
    fit(run, tmp_path, data=dict.fromkeys(("train", "valid", "test"), tables))
    np.save(tmp_path / "past.npy", tables[0])
    given = [
        "forecast",
        str(tmp_path / "best.safetensors"),
        str(tmp_path / "past.npy"),
        "--steps=3",
        "--paths=9",
    ]
    assert main([*given, f"--out={tmp_path / 'next.csv'}"]) == 0
    lines = (tmp_path / "next.csv").read_text().splitlines()
    assert lines[0].startswith("time,0 mean,0 q05,0 q25,0 q50,0 q75,0 q95,1 mean")
    rows = np.array([line.split(",") for line in lines[1:]], float)
    np.testing.assert_allclose(rows[:, 0], [16.5, 17.5, 18.5])
    assert (np.diff(rows[:, 2:7]) >= 0).all()
    assert main(["forecast", "jsb", str(tmp_path / "past.npy"), f"--out={tmp_path / 'a.csv'}"]) == 1
    assert "a forecast is made of tables" in capsys.readouterr().err


@pytest.mark.parametrize(("likelihood", "values"), [("nade", "binary"), ("conv-ar", "real")])
def test_a_forecast_is_scored_by_a_likelihood_with_weights_of_its_own(likelihood, values):
    torch.manual_seed(0)
    run = PRESETS["series"]
    sizes = {"x_dim": 2, "d_dim": 6, "z_dim": 3, "hidden_dim": 8, "likelihood": likelihood}
    config = replace(run, model=replace(run.model, **sizes), data=replace(run.data, values=values))
    checkpoint = Checkpoint(config, build_model(config.model).eval(), Frontend.plain(config.data))
    table = (np.random.default_rng(0).random((14, 2)) > 0.5).astype(np.float32)
    scores = forecast(checkpoint, table[:10], 4, paths=5).log_score(table[10:])
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()


def test_a_forecast_without_a_path_is_refused():
    config = PRESETS["series"]
    checkpoint = Checkpoint(config, build_model(config.model), Frontend.plain(config.data))
    with pytest.raises(ValueError, match="paths is 0; at least 1"):
        forecast(checkpoint, np.zeros((4, 1), np.float32), 2, paths=0)
