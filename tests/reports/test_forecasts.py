"""The table of forecasts: its data, its scores, and that it stands in docs/forecasts.md."""

import json
from pathlib import Path

import numpy as np
import pytest

from srnn_lab.inference.scores import GaussianForecast
from srnn_lab.reports.forecasts import FORECASTS, INTERVAL, Data, load, score, tables
from srnn_lab.reports.records import signals_sha256

PAGE = Path(__file__).parents[2] / "docs" / "forecasts.md"


def test_the_page_has_what_was_measured_on_the_data_that_are_loaded():
    kept, data = json.loads(FORECASTS.read_text()), load()
    assert kept.keys() == data.keys()
    for table in tables(kept):
        assert table.markdown() in PAGE.read_text()
    for name, one in data.items():
        about = kept[name]
        assert about["data_sha256"] == signals_sha256([one.rows, one.inputs])
        assert (about["rows"], about["origins"], about["steps"]) == (
            len(one.rows),
            len(one.origins),
            one.steps,
        )
        assert {len(scores) for model, scores in about["scores"].items() if "rnn" in model} == {
            len(about["seeds"])
        }


def test_the_data_are_the_known_ones():
    data = load()
    assert (data["sunspots"].rows.shape, data["elnino"].rows.shape) == ((309,), (732,))
    assert data["sunspots"].rows.argmax() == 1957 - 1700
    assert np.isfinite(data["elnino"].rows).all()
    np.testing.assert_allclose(data["elnino"].inputs[:12] ** 2 @ [1, 1], 1, rtol=1e-6)


def test_each_origin_is_scored_by_the_rows_that_come_after_it():
    data = Data(np.arange(20.0), np.zeros((20, 0)), 1, 2, 1, "counting")
    assert (data.ends, list(data.origins)) == ((14, 16), [16, 17, 18])
    right = [GaussianForecast(np.array([[t], [t + 1.0]]), np.ones((2, 1))) for t in data.origins]
    found = score(data, list(right))
    assert (found["error"], found["coverage"]) == (0.0, 1.0)
    assert found["log_score"] == pytest.approx(0.5 * np.log(2 * np.pi))
    assert found["crps"] == pytest.approx(2 / np.sqrt(2 * np.pi) - 1 / np.sqrt(np.pi))
    one_off = [GaussianForecast(f.mean + 3, f.deviation) for f in right]
    assert (score(data, list(one_off))["error"], score(data, list(one_off))["coverage"]) == (
        3.0,
        0.0,
    )
    assert INTERVAL == 0.9
