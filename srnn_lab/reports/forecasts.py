"""Is an SRNN worth it on small series? ``python -m srnn_lab.reports.forecasts``.

It needs the extra ``forecast``. Trains small models on two public sets that statsmodels ships, and
scores their forecasts of the last fifth of each beside those of naive forecasts, exponential
smoothing and ARIMA: from each row of it that has so many after it, a number of rows ahead. Prints
the table; with ``--write`` keeps the figures and writes the table into docs/forecasts.md.

All see the same rows: the baselines are fitted to the first four fifths, of which the networks take
the last eighth to choose their epoch. Nobody is fitted again as the origin moves on.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from jaxtyping import Float

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import PRESETS, RunConfig
from srnn_lab.inference.baselines import BASELINES
from srnn_lab.inference.forecasting import forecast
from srnn_lab.inference.scores import Predicted
from srnn_lab.reports.records import signals_sha256, surroundings
from srnn_lab.reports.table import Cell, Figure, Table
from srnn_lab.reports.tables import fill
from srnn_lab.system.extras import optional_packages
from srnn_lab.system.files import write_atomically

FORECASTS = Path(__file__).parent / "forecasts.json"
"""What was measured."""
SHARES = (0.7, 0.8)
"""Where training ends and validation does."""
WINDOW, STRIDE = 64, 4
"""Rows of a sequence that the networks are trained on, and from one to the next; they forecast from
as many."""
PATHS, INTERVAL = 200, 0.9
SEEDS = (1, 2, 3)
MEASURES = ("crps", "log_score", "coverage", "error")


@dataclass(frozen=True)
class Data:
    """A series with one column.

    Attributes:
        rows: Its values.
        inputs: What is known of each row, of the future too; for the networks.
        period: Rows of a season, for the baselines.
        steps: Rows ahead that are forecast.
        epochs: Of the networks' training.
        told: What it is.
    """

    rows: Float[np.ndarray, "n"]
    inputs: Float[np.ndarray, "n u"]
    period: int
    steps: int
    epochs: int
    told: str

    @property
    def ends(self) -> tuple[int, int]:
        """Where training ends and validation does."""
        train, valid = (round(share * len(self.rows)) for share in SHARES)
        return train, valid

    @property
    def origins(self) -> range:
        """Rows from which is forecast."""
        return range(self.ends[1], len(self.rows) - self.steps + 1)


def load() -> dict[str, Data]:
    """The public data sets, by name."""
    with optional_packages():
        from statsmodels.datasets import elnino, sunspots
    tables: Any = sunspots.load_pandas().data, elnino.load_pandas().data
    spots = tables[0]["SUNACTIVITY"].to_numpy(np.float32)
    sea = tables[1].to_numpy(np.float32)[:, 1:].reshape(-1)
    angle = 2 * np.pi * np.arange(len(sea)) / 12
    month = np.stack([np.sin(angle), np.cos(angle)], 1).astype(np.float32)
    return {
        "sunspots": Data(
            spots,
            np.zeros((len(spots), 0), np.float32),
            11,
            8,
            100,
            "sunspots a year, 1700 to 2008",
        ),
        "elnino": Data(
            sea,
            month,
            12,
            12,
            40,
            "temperature of the sea in degrees Celsius by month, 1950 to 2010",
        ),
    }


def config_of(model: str, seed: int, epochs: int) -> RunConfig:
    """A small network."""
    run = PRESETS["series"]
    return replace(
        run,
        model=replace(
            run.model,
            model=model,
            d_dim=32,
            z_dim=4,
            hidden_dim=32,
            dropout_features=0.1,
            dropout_d=0.1,
        ),
        train=replace(
            run.train,
            epochs=epochs,
            batch_size=16,
            segment_length=WINDOW,
            learning_rate=3e-3,
            seed=seed,
        ),
    )


def train_network(data: Data, config: RunConfig) -> Checkpoint:
    """Trained on overlapping windows of the training part."""
    from srnn_lab.training.fitting import fit

    end, valid_end = data.ends
    x = data.rows[:, None]
    parts = [slice(start, start + WINDOW) for start in range(0, end - WINDOW + 1, STRIDE)]
    held_out = slice(end, valid_end)  # told of the end of training; the test part is not looked at
    splits = {"train": parts, "valid": [held_out], "test": [held_out]}
    known = data.inputs.shape[1] > 0
    sequences = {
        split: [(x[part], data.inputs[part]) if known else x[part] for part in chosen]
        for split, chosen in splits.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        return fit(config, Path(folder) / "run", data=sequences, device="cpu").best


def forecasts_of_network(data: Data, checkpoint: Checkpoint) -> list[Predicted]:
    """From each origin."""
    table = np.concatenate([data.rows[:, None], data.inputs], 1)
    found: list[Predicted] = []
    for t in data.origins:
        u = data.inputs[t : t + data.steps] if data.inputs.shape[1] else None
        found.append(
            forecast(checkpoint, table[t - WINDOW : t], data.steps, u=u, paths=PATHS, seed=t)
        )
    return found


def score(data: Data, forecasts: list[Predicted]) -> dict[str, float]:
    """Averages over all origins and rows ahead; the error is that of the median."""
    parts: dict[str, list[float]] = {name: [] for name in MEASURES}
    for t, predicted in zip(data.origins, forecasts, strict=True):
        came = data.rows[t : t + data.steps, None].astype(float)
        parts["crps"].append(float(predicted.crps(came).mean()))
        parts["log_score"].append(float(predicted.log_score(came).mean()))
        parts["coverage"].append(predicted.coverage(came, INTERVAL))
        parts["error"].append(float(np.abs(predicted.quantile(0.5) - came).mean()))
    return {name: fmean(values) for name, values in parts.items()}


def measure(name: str, data: Data) -> dict[str, list[dict[str, float]]]:
    """Of each model and baseline, the scores; of a network those of each seed."""
    found = {}
    fitted_to = data.rows[: data.ends[1]].astype(float)
    for baseline, fit in BASELINES.items():
        forecaster = fit(fitted_to, data.period)
        made = [forecaster(data.rows[:t].astype(float), data.steps) for t in data.origins]
        found[baseline] = [score(data, list(made))]
        print(f"{name}, {baseline}: {found[baseline][0]}", flush=True)
    for model in ("rnn", "srnn"):
        checkpoints = [train_network(data, config_of(model, seed, data.epochs)) for seed in SEEDS]
        found[model] = [
            score(data, forecasts_of_network(data, checkpoint)) for checkpoint in checkpoints
        ]
        print(f"{name}, {model}: {found[model]}", flush=True)
    return found


def tables(kept: Mapping[str, Any]) -> list[Table]:
    """What was measured, a table for each data set, the best CRPS first."""
    made = []
    for record in kept.values():
        rows: list[tuple[Cell, ...]] = []
        for model, scores in sorted(
            record["scores"].items(), key=lambda item: fmean(s["crps"] for s in item[1])
        ):
            cells = [
                _figure([one[name] * (100 if name == "coverage" else 1) for one in scores])
                for name in MEASURES
            ]
            rows.append((model, *cells, "python -m srnn_lab.reports.forecasts"))
        caption = (
            f"{record['told']}: {record['rows']} rows, {record['origins']} origins, "
            f"{record['steps']} rows ahead of each. CRPS and error (of the median) in the units "
            "of the table, log score in nats a row: the lower, the better; coverage of the "
            "interval of 90 %, in percent. sd: over training seeds."
        )
        header = ("forecast", "CRPS", "log score", "coverage", "error", "command")
        made.append(Table(f"Forecasts of {record['name']}", caption, header, tuple(rows)))
    return made


def _figure(values: list[float]) -> Figure:
    return Figure(fmean(values), sd=stdev(values) if len(values) > 1 else None, seeds=len(values))


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="*", help="sunspots or elnino. Default: both.")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE.md",
        help=f"Keep the figures in {FORECASTS.name}, and fill in FILE.md.",
    )
    chosen = parser.parse_args()
    kept = json.loads(FORECASTS.read_text()) if FORECASTS.exists() else {}
    for name, data in load().items():
        if chosen.data and name not in chosen.data:
            continue
        about = {
            "name": name,
            "told": data.told,
            "rows": len(data.rows),
            "origins": len(data.origins),
        }
        sha = signals_sha256([data.rows, data.inputs])
        about |= {
            "steps": data.steps,
            "data_sha256": sha,
            "epochs": data.epochs,
            "seeds": SEEDS,
            **surroundings(),
        }
        kept[name] = {**about, "scores": measure(name, data)}
    print("\n\n".join(table.text() for table in tables(kept)))
    if chosen.write:
        write_atomically(FORECASTS, f"{json.dumps(kept, indent=1)}\n".encode())
        page = fill(chosen.write.read_text(), {"forecasts": lambda: tables(kept)})
        write_atomically(chosen.write, page.encode())


if __name__ == "__main__":
    main()
