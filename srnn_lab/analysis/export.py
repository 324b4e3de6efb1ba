"""What is found in a clip as files: arrays, and its spikes as a table and as a label track."""

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from srnn_lab.analysis.inspection import Inspection
from srnn_lab.analysis.transitions import Spikes
from srnn_lab.inference.forecasting import Forecast
from srnn_lab.system.extras import optional_packages


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as an .npz file."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # pyright: ignore[reportArgumentType] (no array is named allow_pickle)
    return content.getvalue()


def parquet_bytes(table: Float[np.ndarray, "t c"], names: Sequence[str]) -> bytes:
    """A table with names of its columns as a Parquet file."""
    with optional_packages():
        import pyarrow
        from pyarrow import parquet
    content = io.BytesIO()
    columns = dict(zip(names, table.T, strict=True))
    parquet.write_table(pyarrow.table(columns), content)
    return content.getvalue()


def event_table(clip: Inspection, match: Spikes, change: str, unit: str) -> dict[str, list]:
    """The spikes of a clip and the changes without one, in the order of time, as columns by name.

    Args:
        clip: The clip.
        match: Its spikes.
        change: What a change is, for instance ``onset``.
        unit: Unit of the times.

    Returns:
        Columns of equal length. The distance to the nearest change is in frames, below 0 if the
        change comes first; it is None for a clip without a change.
    """
    frames = np.concatenate([match.frames, clip.changes[~match.found]])
    what = np.concatenate(
        [
            np.where(match.hits, f"spike at {change}", "spike elsewhere"),
            np.full(int((~match.found).sum()), f"{change} without a spike"),
        ]
    )
    order = np.argsort(frames, kind="stable")
    away = [
        int(clip.changes[np.abs(clip.changes - f).argmin()] - f) if len(clip.changes) else None
        for f in frames
    ]
    return {
        f"time ({unit})": clip.times[frames[order]].tolist(),
        "frame": frames[order].tolist(),
        "KL (nats)": clip.kl[frames[order]].tolist(),
        "what": what[order].tolist(),
        f"frames to the nearest {change}": [away[i] for i in order],
    }


def csv_text(table: Mapping[str, list | np.ndarray]) -> str:
    """Columns by name as comma-separated values."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return content.getvalue()


SHARES = {"mean": None, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
"""What is written of each column of a forecast: the mean, and quantiles."""


def forecast_csv(found: Forecast, names: list[str]) -> str:
    """A forecast as comma-separated values.

    Args:
        found: The forecast.
        names: Of its columns.

    Returns:
        A line for each step: its time, and of each column the mean and quantiles.
    """
    columns = {"time": found.times}
    for what, share in SHARES.items():
        values = found.mean if share is None else found.quantile(share)
        columns |= {f"{name} {what}": values[:, i] for i, name in enumerate(names)}
    ordered = ["time", *(f"{name} {what}" for name in names for what in SHARES)]
    return csv_text({name: [f"{value:.9g}" for value in columns[name]] for name in ordered})


def label_track(clip: Inspection, match: Spikes) -> str:
    """The spikes as a label track, as for Audacity: start, end, text, in seconds of the sound."""
    lines = [
        f"{clip.seconds[frame]:.6f}\t{clip.seconds[frame]:.6f}\tKL {clip.kl[frame]:.1f} "
        f"nats{' *' * bool(hit)}"
        for frame, hit in zip(match.frames, match.hits, strict=True)
    ]
    return "".join(f"{line}\n" for line in lines)
