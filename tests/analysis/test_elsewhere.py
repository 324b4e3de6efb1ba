"""What is found in a clip, in the containers of other tools."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray
from tiny import music_run, roll, untrained

from srnn_lab.analysis.elsewhere import to_arviz
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.checkpoint import Checkpoint, save_checkpoint
from srnn_lab.cli import main
from srnn_lab.config import PRESETS
from srnn_lab.data import Frontend
from srnn_lab.models import build_model

SIGNAL = roll(16)


@pytest.fixture(scope="module")
def checkpoint():
    return untrained(music_run())


def test_a_data_frame_has_a_row_for_each_frame(checkpoint):
    clip = inspect_signal(checkpoint, SIGNAL)
    table = clip.to_dataframe()
    np.testing.assert_array_equal(table.index, clip.times)
    np.testing.assert_array_equal(table["kl"], clip.kl)
    np.testing.assert_allclose(table.filter(like="kl_z").sum(axis=1), clip.kl, rtol=1e-4)
    assert np.flatnonzero(table["change"]).tolist() == clip.changes.tolist()


def test_a_data_set_of_xarray_has_all_arrays_and_is_written_as_netcdf(checkpoint, tmp_path):
    clip = inspect_signal(checkpoint, SIGNAL)
    clip.to_xarray().to_netcdf(tmp_path / "clip.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "clip.nc", engine="scipy") as found:
        for name, values in clip.arrays().items():
            if name not in ("changes", "times"):
                np.testing.assert_array_equal(found[name], values)
        np.testing.assert_array_equal(found["time"], clip.times)
        assert np.flatnonzero(found["change"]).tolist() == clip.changes.tolist()
        assert (found["kl_z"].dims, found["mean"].dims) == (("time", "z"), ("time", "x"))


def test_the_draws_for_arviz_are_those_of_the_inspection(checkpoint):
    clip = inspect_signal(checkpoint, SIGNAL, num_samples=5, seed=3)
    tree = to_arviz(checkpoint, SIGNAL, num_samples=5, seed=3)
    z = tree.posterior["z"]
    assert z.dims == ("chain", "draw", "time", "dimension")
    assert z.shape == (1, 5, len(clip.kl), checkpoint.model.z_dim)
    np.testing.assert_array_equal(z["time"], clip.times)
    np.testing.assert_allclose(
        tree.log_likelihood["x"].mean(("chain", "draw")), clip.log_px, rtol=1e-5
    )
    np.testing.assert_array_equal(tree.observed_data["x"], clip.frames)


@pytest.mark.filterwarnings("default")
def test_a_folder_is_inspected_into_one_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = PRESETS["series"]
    sizes = {"x_dim": 2, "d_dim": 5, "z_dim": 2, "hidden_dim": 6}
    config = replace(run, model=replace(run.model, **sizes), data=replace(run.data, columns="0,1"))
    save_checkpoint(
        Checkpoint(config, build_model(config.model), Frontend.plain(config.data)),
        "model.safetensors",
    )
    (tmp_path / "tables").mkdir()
    rows = torch.randn(3, 9, 2, generator=torch.Generator().manual_seed(0)).numpy()
    for name, table in zip("abc", rows, strict=True):
        np.save(f"tables/{name}.npy", table[: 5 if name == "b" else 9])
    (tmp_path / "tables" / "d.csv").write_text("words")
    assert main(["inspect", "model.safetensors", "tables", "--out=seen"]) == 0
    assert "d.csv is left out" in capsys.readouterr().err
    with Path("seen/clips.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [(row["file"], row["frames"]) for row in found] == [
        ("a.npy", "9"),
        ("b.npy", "5"),
        ("c.npy", "9"),
    ]
    assert main(["inspect", "model.safetensors", "tables", "--picture=a.svg"]) == 1
    assert "are of one file" in capsys.readouterr().err
