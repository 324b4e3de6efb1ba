import csv
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tiny import midi_folder, music_run, speech_run, wav_folder

from srnn_lab import training
from srnn_lab.bounds import evaluate
from srnn_lab.checkpoint import load_checkpoint, save_checkpoint
from srnn_lab.config import RunConfig, TrainConfig
from srnn_lab.data import load_split
from srnn_lab.training import CURVES, fit, use_bf16

UPDATES = 6
"""Updates of an epoch of the tiny songs: about 150 frames, of which 3 x 8 are trained on in one update."""


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return str(midi_folder(tmp_path_factory.mktemp("data") / "songs"))


@pytest.fixture(scope="module")
def run(songs, tmp_path_factory):
    """A finished run of four epochs."""
    out = tmp_path_factory.mktemp("run")
    config = music_run(songs, epochs=4)
    return config, out, fit(config, out)


def curves(out):
    with (out / "curves.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def without_seconds(out):
    return [line.rsplit(",", 1)[0] for line in (out / "curves.csv").read_text().splitlines()]


def test_training_improves_the_bound_on_training_and_validation_data(run):
    rows = curves(run[1])
    for name in ("train_elbo", "valid_elbo"):
        assert rows[-1][name] > rows[0][name] + 10  # nats per frame, of about 61 at the start


def test_the_curves_have_one_row_an_epoch_that_hangs_together(run):
    config, out, _ = run
    rows = curves(out)
    assert all(tuple(row) == CURVES for row in rows)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        assert row["valid_elbo"] == pytest.approx(row["valid_log_px"] - row["valid_kl"])
        assert row["learning_rate"] == config.train.learning_rate
        assert row["seconds"] > 0
    last_of_first_epoch = 0.2 + 0.8 * (UPDATES - 1) / 10
    assert [row["kl_weight"] for row in rows] == pytest.approx([last_of_first_epoch, 1, 1, 1])


def test_best_is_the_epoch_with_the_highest_validation_bound(run):
    config, out, returned = run
    rows, best = curves(out), load_checkpoint(out / "best.safetensors")
    highest = max(rows, key=lambda row: row["valid_elbo"])
    assert best.scores == returned.scores
    assert best.scores["epoch"] == highest["epoch"]
    assert best.scores["valid"]["elbo"] == highest["valid_elbo"]
    for split in ("valid", "test"):
        frames = list(load_split(config.data, split).values())
        assert vars(evaluate(best.model, frames, config.evaluation)) == best.scores[split]


def test_best_is_not_the_last_epoch_when_validation_gets_worse(songs, tmp_path, monkeypatch):
    bounds = iter([-3.0, -1.0, -2.0])

    def worsening(*args, **kwargs):
        return replace(evaluate(*args, **kwargs), elbo=next(bounds, -9.0))

    monkeypatch.setattr(training, "evaluate", worsening)
    assert fit(music_run(songs, epochs=3), tmp_path).scores["epoch"] == 2
    assert not torch.equal(
        *(load_file(tmp_path / f"{name}.safetensors")["model.gru_d.weight_hh_l0"] for name in ("best", "last"))
    )


@pytest.mark.parametrize("stop", [3, 3 * UPDATES], ids=["in epoch 1", "in epoch 3"])
def test_an_interrupted_run_continues_as_if_it_had_not_stopped(stop, run, tmp_path, monkeypatch):
    config, whole, _ = run
    updates = 0

    def interrupting(*args, **kwargs):
        nonlocal updates
        updates += 1
        if updates == stop:
            raise KeyboardInterrupt
        return elbo(*args, **kwargs)

    elbo = training.elbo
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "elbo", interrupting)
        fit(config, tmp_path)
    fit(config, tmp_path, resume=True)

    assert without_seconds(tmp_path) == without_seconds(whole)
    for name in ("best.safetensors", "last.safetensors"):
        expected, found = load_file(whole / name), load_file(tmp_path / name)
        assert expected.keys() == found.keys()
        different = [k for k in expected if k != "extra.curves" and not torch.equal(expected[k], found[k])]
        assert different == []


def test_resuming_a_finished_run_changes_nothing(run):
    config, out, returned = run
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert fit(config, out, resume=True).scores == returned.scores
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_run_is_not_resumed_with_another_configuration(run):
    config, out, _ = run
    other = replace(config, train=replace(config.train, learning_rate=0.5, epochs=5))
    with pytest.raises(ValueError, match="another configuration") as caught:
        fit(other, out, resume=True)
    assert "train.epochs was 4, now 5, train.learning_rate was 0.01, now 0.5" in str(caught.value)


def test_a_checkpoint_without_the_state_of_its_training_is_not_resumed(run, tmp_path):
    config, out, _ = run
    save_checkpoint(load_checkpoint(out / "best.safetensors"), tmp_path / "last.safetensors")
    with pytest.raises(ValueError, match=r"last\.safetensors holds no state of a training"):
        fit(config, tmp_path, resume=True)


def test_a_run_is_not_overwritten(run):
    config, out, _ = run
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(FileExistsError, match="already holds a run; continue it with --resume"):
        fit(config, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_file_is_no_folder_for_a_run(songs, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(NotADirectoryError, match="run is a file; a run needs a folder"):
        fit(music_run(songs), tmp_path / "run")


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_named(device, songs, tmp_path):
    with pytest.raises(ValueError, match=f"The device '{device}' cannot be used") as caught:
        fit(music_run(songs), tmp_path, device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train", "said"),
    [({}, "epoch 1, update 2"), ({"segment_length": 40}, "validation bound is not a finite number after epoch 1")],
    ids=["in training", "in validation"],
)
def test_a_bound_that_is_no_number_stops_the_run(train, said, songs, tmp_path):
    with pytest.raises(FloatingPointError, match=f"{said}; lower the learning rate"):
        fit(music_run(songs, learning_rate=1e30, **train), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_seed_gives_another_run(songs, tmp_path):
    for seed in (1, 2):
        fit(music_run(songs, seed=seed, epochs=1), tmp_path / str(seed))
    assert curves(tmp_path / "1")[0]["train_elbo"] != curves(tmp_path / "2")[0]["train_elbo"]


def test_each_epoch_has_noise_and_an_order_of_its_own(songs, tmp_path):
    fit(music_run(songs, epochs=2, learning_rate=1e-30), tmp_path)  # the weights stay as they are
    first, second = curves(tmp_path)
    assert first["valid_elbo"] == second["valid_elbo"]
    assert first["train_elbo"] != second["train_elbo"]


def test_bf16_training_runs_and_comes_close_to_fp32(run, songs, tmp_path):
    fit(music_run(songs, epochs=4, precision="bf16"), tmp_path)
    expected, found = ([row["valid_elbo"] for row in curves(out)] for out in (run[1], tmp_path))
    assert found != expected
    assert found == pytest.approx(expected, abs=2)
    assert {
        value.dtype for name, value in load_file(tmp_path / "last.safetensors").items() if name.startswith("model.")
    } == {torch.float32}


@pytest.mark.parametrize(("precision", "expected"), [("fp32", {False}), ("bf16", {True}), ("auto", {False, True})])
def test_precision_is_as_configured_or_left_to_the_hardware(precision, expected):
    assert use_bf16(TrainConfig(precision=precision), "cpu") in expected
    assert use_bf16(TrainConfig(precision="auto"), "mps") is False


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_a_folder_of_speech_trains(features, tmp_path):
    config = speech_run(str(wav_folder(tmp_path / "clips")), features)
    train = TrainConfig(epochs=2, batch_size=2, segment_length=8, segments_per_reset=2, precision="auto")
    best = fit(RunConfig(model=config.model, data=config.data, train=train), tmp_path / "run")
    assert len(curves(tmp_path / "run")) == 2
    assert best.frontend.mean.shape == (() if features == "raw" else (6,))
