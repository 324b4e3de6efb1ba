"""What TensorBoard, Weights & Biases and MLflow are told, without a network; what a callback is."""

import json
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
from test_training import contents, curves
from tiny import midi_folder, music_run

from srnn_lab.cli import main
from srnn_lab.training.fitting import fit
from srnn_lab.training.loggers import LOGGERS, _lasting
from srnn_lab.training.runs import read_curves


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return str(midi_folder(tmp_path_factory.mktemp("data") / "songs"))


def test_a_callback_gets_each_epoch_once_it_is_written(songs, tmp_path):
    seen = []

    def look(row):
        seen.append(row)
        assert [r["epoch"] for r in curves(tmp_path)] == [r["epoch"] for r in seen]

    run = fit(music_run(songs, epochs=2), tmp_path, on_epoch=look)
    assert [
        {k: v for k, v in row.items() if k != "frames_per_second"} for row in seen
    ] == run.curves
    assert all(row["frames_per_second"] > 0 for row in seen)


def test_what_a_callback_raises_ends_the_training_which_is_resumed_bit_for_bit(songs, tmp_path):
    config = music_run(songs, epochs=2)

    def enough(row):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        fit(config, tmp_path / "stopped", on_epoch=enough)
    assert read_curves(tmp_path / "stopped")["epoch"].tolist() == [1]
    fit(config, tmp_path / "stopped", resume=True)
    fit(config, tmp_path / "whole")
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_logger_that_is_none_is_named(songs, tmp_path, capsys):
    with pytest.raises(
        ValueError, match="no logger 'paper'; choose from tensorboard, wandb, mlflow"
    ):
        fit(music_run(songs), tmp_path / "run", loggers=["paper"])
    with pytest.raises(SystemExit):
        main(["train", "jsb", "--log=tensorboard,paper"])
    assert "'paper' is no logger; choose from tensorboard, wandb, mlflow" in capsys.readouterr().err


@pytest.mark.parametrize("name", LOGGERS)
def test_a_logger_that_is_not_installed_is_asked_for(name, songs, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"pip install 'srnn-lab\[{name}\]'"):
        fit(music_run(songs), tmp_path, loggers=[name])
    assert contents(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of SQLAlchemy and of its own
def test_mlflow_has_one_run_of_a_training_that_was_continued(songs, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    config = music_run(songs, epochs=1)
    for epochs in (1, 2):
        longer = replace(config, train=replace(config.train, epochs=epochs))
        rows = fit(longer, tmp_path / "run", resume=True, loggers=["mlflow"]).curves
    client = MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("srnn_lab").experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.params["z_dim"] == str(config.model.z_dim)
    for name in ("train_bound", "valid_bound", "kl_weight"):
        history = client.get_metric_history(run.info.run_id, name)
        assert {point.step: point.value for point in history} == {
            row["epoch"]: row[name] for row in rows
        }

    def fails(row):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):  # it does not stay "RUNNING"
        fit(config, tmp_path / "failed", loggers=["mlflow"], on_epoch=fails)
    (failed, _) = client.search_runs([run.info.experiment_id])
    assert (failed.info.run_name, failed.info.status) == ("failed", "FAILED")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_writes_a_run_that_can_be_sent_later(songs, tmp_path, monkeypatch):
    from wandb.sdk.wandb_run import Run

    for name, value in {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_CONFIG_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    logged, log = [], Run.log

    def note(run, row, step):
        logged.append((step, row["valid_bound"]))
        log(run, row, step=step)

    monkeypatch.setattr(Run, "log", note)
    rows = fit(music_run(songs, epochs=2), tmp_path / "run", loggers=["wandb"]).curves
    assert logged == [(row["epoch"], row["valid_bound"]) for row in rows]
    (written,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    content = written.read_bytes()
    assert b"valid_bound" in content
    assert json.dumps(rows[1]["valid_bound"])[:10].encode() in content


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_training_goes_on_where_a_logger_fails(songs, tmp_path, monkeypatch):
    def fails(row):
        raise OSError("the disk is full")

    @contextmanager
    def full(out, config, epochs):
        yield _lasting("Paper", fails, OSError)

    monkeypatch.setitem(LOGGERS, "paper", full)
    with pytest.warns(
        UserWarning, match=r"Epoch 1 could not be written to Paper \(the disk is full\)"
    ):
        fit(music_run(songs, epochs=1), tmp_path, loggers=["paper"])
