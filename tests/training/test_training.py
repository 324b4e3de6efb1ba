import csv
import json
import os
import random
import shlex
import shutil
import signal
import socket
import sys
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from processes import epochs_done, finish, position, start, wait_for
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import SIZES, midi_folder, music_run, speech_run, wav_folder

from srnn_lab.checkpoint import load_checkpoint, save_checkpoint
from srnn_lab.cli import main
from srnn_lab.config import CONVENTIONS, RunConfig, TrainConfig
from srnn_lab.data import load_split
from srnn_lab.inference.evaluation import evaluate
from srnn_lab.models import MODELS
from srnn_lab.system import lock
from srnn_lab.system.interrupts import Stopped
from srnn_lab.system.lock import LOCK, hold, is_running
from srnn_lab.training import fitting, objectives, state
from srnn_lab.training.curves import COLUMNS, read_curves
from srnn_lab.training.fitting import fit
from srnn_lab.training.precision import use_bf16
from srnn_lab.training.state import SKIPS

UPDATES = 6
"""Updates of an epoch of the tiny songs: about 150 frames, of which 3 x 8 are trained on in one
update."""


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return str(midi_folder(tmp_path_factory.mktemp("data") / "songs"))


@pytest.fixture(scope="module")
def run(songs, tmp_path_factory):
    """A finished run of four epochs."""
    out = tmp_path_factory.mktemp("run")
    config = music_run(songs, epochs=4, precision="fp32")
    return config, out, fit(config, out).best


def curves(out):
    with (out / "curves.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def contents(out):
    """A run's files but its lock, by byte: weights, Adam's state, configuration, scores, curves."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != LOCK}


def command(songs, out, **train):
    """The line that begins a run of eighteen updates an epoch in ``out``, or continues it."""
    sizes = (
        SIZES | {"epochs": 4, "batch_size": 2, "segment_length": 4, "learning_rate": 0.01} | train
    )
    flags = {f"--{name.replace('_', '-')}": value for name, value in sizes.items()}
    options = [name if value is True else f"{name}={value}" for name, value in flags.items()]
    return ["train", "jsb", f"--data={songs}", f"--resume={out}", *options]


def test_training_improves_the_bound_on_training_and_validation_data(run):
    rows = curves(run[1])
    for name in ("train_bound", "valid_elbo"):
        assert rows[-1][name] > rows[0][name] + 10  # nats per frame, of about 61 at the start


def test_the_curves_have_one_row_an_epoch_that_hangs_together(run):
    config, out, _ = run
    rows = curves(out)
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        assert (
            row["valid_bound"]
            == row["valid_elbo"]
            == pytest.approx(row["valid_log_px"] - row["valid_kl"])
        )
        assert row["learning_rate"] == config.train.learning_rate
        assert row["skipped"] == 0
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
        frames = best.frontend.sequences(
            load_split(config.data, split).values(), config.model.x_dim
        )
        assert evaluate(best.model, frames, config.evaluation).to_dict() == best.scores[split]


@pytest.mark.parametrize(
    ("objective", "resampling"),
    [("iwae", "systematic"), ("fivo", "multinomial"), ("nasmc", "systematic")],
)
def test_the_bound_that_is_trained_on_improves_and_chooses_the_best_epoch(
    objective, resampling, songs, tmp_path
):
    config = music_run(
        songs, epochs=4, objective=objective, num_particles=16, resampling=resampling
    )
    best, rows = fit(config, tmp_path).best, curves(tmp_path)
    for name in ("train_bound", "valid_elbo", "valid_bound"):
        assert rows[-1][name] > rows[0][name] + 10
    assert best.scores["valid"][config.train.bound] == max(row["valid_bound"] for row in rows)
    assert best.scores["valid"]["elbo"] < best.scores["valid"][config.train.bound]
    frames = best.frontend.sequences(load_split(config.data, "test").values(), config.model.x_dim)
    found = evaluate(
        best.model, frames, config.evaluation, bounds=[config.train.bound], resampling=resampling
    )
    assert found.to_dict() == best.scores["test"]


def test_best_is_not_the_last_epoch_when_validation_gets_worse(songs, tmp_path, monkeypatch):
    bounds = iter([-3.0, -1.0, -2.0])

    def worsening(*args, **kwargs):
        return replace(evaluate(*args, **kwargs), elbo=next(bounds, -9.0))

    monkeypatch.setattr(fitting, "evaluate", worsening)
    assert fit(music_run(songs, epochs=3), tmp_path).best.scores["epoch"] == 2
    assert not torch.equal(
        *(
            load_file(tmp_path / f"{name}.safetensors")["model.gru_d.weight_hh_l0"]
            for name in ("best", "last")
        )
    )


REGULARISED = {
    "whole_sequences": True,
    "transposition": 2,
    "start_from_mean": True,
    "centred_inputs": True,
    "dropout_features": 0.1,
    "dropout_d": 0.2,
    "dropout_heads": 0.1,
    "dropout_emission": 0.3,
    "weight_decay": 0.1,
}
"""All that needs random numbers, or numbers of the training set, of its own."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"objective": "fivo"}, REGULARISED], ids=["elbo", "fivo", "regularised"]
)
def test_a_run_killed_at_random_moments_and_resumed_is_the_run_that_was_never_killed(
    options, songs, tmp_path
):
    seed = random.randrange(2**32)
    print(f"{seed = }")
    moments, chance, log = [], random.Random(seed), tmp_path / "log"
    killed, whole = tmp_path / "killed", tmp_path / "whole"

    def written():
        path = killed / "last.safetensors"
        return path.stat().st_mtime_ns if path.exists() else 0

    while len(moments) < 4 or not any(
        0 < update < 18 for _, update in moments
    ):  # within an epoch states are carried
        before, process = (
            written(),
            start(command(songs, killed, **options, epochs=5000), log, write_every=0),
        )
        for _ in range(chance.randrange(20)):  # writes, of which there is one an update
            wait_for(
                lambda before=before, process=process: (
                    process.exitcode is not None or written() > before
                )
            )
            before = written()
        time.sleep(chance.random() / 20)
        process.kill()
        assert finish(process) == [-signal.SIGKILL], log.read_text()
        moments.append(position(killed))
    print(f"{moments = }")
    for out in (killed, whole):
        assert finish(start(command(songs, out, **options, epochs=moments[-1][0] + 1), log)) == [
            0
        ], log.read_text()
    assert contents(killed) == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_after_a_whole_update_and_names_the_command_that_continues_it(
    number, status, songs, tmp_path, capsys
):
    log, out, whole = tmp_path / "log", tmp_path / "a run", tmp_path / "whole"
    process = start([*command(songs, out, epochs=5000), "--device=cpu"], log)
    wait_for(lambda: epochs_done(out) or process.exitcode is not None)
    os.kill(process.pid, number)
    assert finish(process) == [status], log.read_text()
    epochs, update = position(out)
    assert update > 0
    line = log.read_text().splitlines()[-1]
    said, _, again = line.rpartition(": ")
    assert said.endswith("srnn-lab: stopped, with all written; continue with")
    assert shlex.split(again) == ["srnn-lab", "train", "--resume", str(out), "--device=cpu"]

    assert main([*shlex.split(again)[1:], f"--epochs={epochs + 1}"]) == 0
    assert main(command(songs, whole, epochs=epochs + 1)) == 0
    assert contents(out) == contents(whole)


@pytest.mark.parametrize("likelihood", ["bernoulli", "nade"])
@pytest.mark.parametrize("model", MODELS)
def test_any_model_that_is_stopped_within_an_epoch_and_resumed_is_as_if_it_had_not_been(
    model, likelihood, songs, tmp_path, monkeypatch
):
    config = music_run(songs, epochs=1)
    config = replace(config, model=replace(config.model, model=model, likelihood=likelihood))
    fit(config, tmp_path / "whole")
    with monkeypatch.context() as impatient, pytest.raises(Stopped):
        impatient.setattr(fitting, "noted_signals", lambda: nullcontext([signal.SIGTERM]))
        fit(config, tmp_path / "stopped")
    assert position(tmp_path / "stopped") == (0, 1)
    fit(config, tmp_path / "stopped", resume=True)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_last_validation_ends_the_run_before_the_test_set_is_scored(
    number, songs, tmp_path, monkeypatch
):
    calls = []

    def signalled(*args, **kwargs):
        calls.append(1)
        os.kill(os.getpid(), number)
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(fitting, "evaluate", signalled)
    with pytest.raises(Stopped) as caught:
        fit(music_run(songs, epochs=1), tmp_path / "run")
    assert caught.value.exit_status == 128 + number
    assert (len(calls), len(curves(tmp_path / "run"))) == (1, 1)
    monkeypatch.undo()
    assert "test" in fit(music_run(songs, epochs=1), tmp_path / "run", resume=True).best.scores


def test_ctrl_c_while_the_test_set_is_scored_names_the_command_that_continues(
    songs, tmp_path, monkeypatch
):
    calls = []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:  # after the validation of the one epoch
            raise KeyboardInterrupt
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(fitting, "evaluate", interrupted)
    with pytest.raises(Stopped, match=f"continue with: srnn-lab train --resume {tmp_path / 'run'}"):
        fit(music_run(songs, epochs=1), tmp_path / "run")
    monkeypatch.undo()
    assert "test" in fit(music_run(songs, epochs=1), tmp_path / "run", resume=True).best.scores


def test_processes_that_read_different_data_are_told_so(songs, tmp_path, monkeypatch):
    def from_rank_0(make):
        made = make()
        return made + 1 if isinstance(made, torch.Tensor) else made

    monkeypatch.setattr(fitting.distributed, "from_rank_0", from_rank_0)
    with pytest.raises(
        ValueError, match="Process 0 reads other data than process 0; put the same files on each"
    ):
        fit(music_run(songs), tmp_path / "run")


def test_resuming_a_finished_run_changes_nothing(run):
    config, out, returned = run
    before = contents(out)
    assert fit(config, out, resume=True).best.scores == returned.scores
    assert contents(out) == before


def test_a_finished_run_is_extended_as_if_it_had_been_longer_from_the_start(run, tmp_path):
    config, whole, _ = run
    for epochs in (2, 4):
        fit(replace(config, train=replace(config.train, epochs=epochs)), tmp_path, resume=True)
    assert contents(tmp_path) == contents(whole)


def test_what_a_killed_write_left_behind_is_cleared_away(run, tmp_path):
    config, whole, _ = run
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "last.safetensors.abc.part").touch()
    fit(config, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(whole)


def test_a_run_is_not_resumed_with_another_configuration(run):
    config, out, _ = run
    other = replace(config, train=replace(config.train, learning_rate=0.5, epochs=5))
    with pytest.raises(ValueError, match="another configuration") as caught:
        fit(other, out, resume=True)
    assert "(--learning-rate was 0.01, now 0.5)" in str(caught.value)


def test_a_run_is_not_resumed_on_other_data(run, songs, tmp_path):
    config = replace(run[0], data=replace(run[0].data, data=str(tmp_path / "songs")))
    shutil.copytree(songs, tmp_path / "songs")
    fit(config, tmp_path / "run")
    first, second, *_ = sorted((tmp_path / "songs").iterdir())
    shutil.copy(first, second)  # as many songs, and perhaps as many updates
    with pytest.raises(
        ValueError, match="run was trained on other data; continue it on the data it began with"
    ):
        fit(config, tmp_path / "run", resume=True)


def test_a_run_of_an_earlier_version_is_read_and_continued(run, songs, tmp_path):
    """Its curves call any trained bound an ELBO; its states have no names of columns."""
    config, whole, _ = run
    out, rows = tmp_path / "run", curves(whole)
    fit(replace(config, train=replace(config.train, epochs=2)), out)
    old = (out / "curves.csv").read_text().replace("train_bound", "train_elbo")
    (out / "curves.csv").write_text(old)
    assert read_curves(out)["train_bound"].tolist() == [row["train_bound"] for row in rows[:2]]
    fit(config, out, resume=True)
    assert curves(out) == rows


def test_a_run_is_not_resumed_with_fewer_epochs_than_it_has(run):
    config, out, _ = run
    with pytest.raises(ValueError, match="has 4 epochs behind it; give --epochs as many or more"):
        fit(replace(config, train=replace(config.train, epochs=3)), out, resume=True)


def test_a_checkpoint_without_the_state_of_its_training_is_not_resumed(run, tmp_path):
    config, out, _ = run
    save_checkpoint(load_checkpoint(out / "best.safetensors"), tmp_path / "last.safetensors")
    with pytest.raises(ValueError, match=r"last\.safetensors holds no state of a training"):
        fit(config, tmp_path, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda extra: extra.pop("position"),
        lambda extra: extra.pop("curves"),
        lambda extra: extra.pop("state.z"),
        lambda extra: extra.pop("adam.3.exp_avg"),
        lambda extra: extra.update(curves=torch.zeros(1, 2)),
        lambda extra: extra.update(position=torch.full((6,), torch.nan)),
        lambda extra: extra.update({"state.d": torch.zeros(3, 7)}),
        lambda extra: extra.update({"adam.0.exp_avg_sq": torch.zeros(2)}),
    ],
)
def test_a_state_of_which_a_part_is_missing_or_misshapen_is_not_resumed(
    change, songs, tmp_path, monkeypatch
):
    config, last = music_run(songs), tmp_path / "last.safetensors"
    monkeypatch.setattr(state, "WRITE_EVERY", 0)
    break_updates(monkeypatch, *range(1, 9))
    with pytest.raises(FloatingPointError):
        fit(config, tmp_path)
    monkeypatch.undo()
    with safe_open(last, "pt") as opened:
        header, tensors = (
            opened.metadata(),
            {name: opened.get_tensor(name) for name in opened.keys()},  # noqa: SIM118
        )
    extra = {
        name.removeprefix("extra."): tensors.pop(name)
        for name in list(tensors)
        if name.startswith("extra.")
    }
    change(extra)
    stored = json.loads(header["srnn_lab"])
    del stored["sha256"]  # as in a file of an earlier version
    header = {"srnn_lab": json.dumps(stored)}
    save_file(tensors | {f"extra.{name}": value for name, value in extra.items()}, last, header)
    with pytest.raises(
        ValueError, match=r"last\.safetensors holds no state of a training to continue"
    ):
        fit(config, tmp_path, resume=True)


def test_a_run_is_not_overwritten(run):
    config, out, _ = run
    before = contents(out)
    with pytest.raises(FileExistsError, match="already holds a run; continue it with --resume"):
        fit(config, out)
    assert contents(out) == before


def test_one_process_at_a_time_trains_in_a_folder(songs, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0)
    with hold(tmp_path), pytest.raises(ValueError, match="is being trained already; stop it first"):
        fit(music_run(songs), tmp_path)
    assert not is_running(tmp_path)
    assert list(contents(tmp_path)) == []


def test_a_training_is_known_by_its_number_while_it_lives_and_leaves_nothing_if_it_cannot_begin(
    tmp_path, monkeypatch
):
    out = tmp_path / "run"

    def load(config, data_dir):
        assert is_running(out)
        raise ValueError(f"process {(out / LOCK).read_text()} has no data")

    monkeypatch.setattr(fitting, "load_frames", load)
    with pytest.raises(
        ValueError, match=f"process {os.getpid()} {socket.gethostname()} has no data"
    ):
        fit(music_run(), out)
    assert not out.exists()


def test_a_best_epoch_is_neither_overwritten_nor_missed(run, songs, tmp_path):
    config, out, _ = run
    for name, message in (
        ("best", "no last.safetensors to continue"),
        ("last", "best.safetensors is missing"),
    ):
        part = tmp_path / name
        part.mkdir()
        shutil.copy(out / f"{name}.safetensors", part)
        with pytest.raises(OSError, match=message):
            fit(config, part, resume=name == "last")


def test_a_file_is_no_folder_for_a_run(songs, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(NotADirectoryError, match="run is a file; a run needs a folder"):
        fit(music_run(songs), tmp_path / "run")


def test_a_model_that_does_not_fit_into_memory_is_said_to_be_too_large(tmp_path, monkeypatch):
    def build(config):
        raise RuntimeError("not enough memory: you tried to allocate 4000000000000 bytes")

    monkeypatch.setattr(fitting, "build_model", build)
    with pytest.raises(
        ValueError, match="does not fit into memory; lower --hidden-dim, --d-dim or --z-dim"
    ):
        fit(music_run(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000000000 bytes."
        ),
    ],
)
def test_an_update_that_does_not_fit_into_memory_names_what_to_lower(
    error, songs, tmp_path, monkeypatch
):
    def too_large(*args):
        raise error

    monkeypatch.setattr(objectives, "elbo", too_large)
    with pytest.raises(
        ValueError,
        match="lower --batch-size, --segment-length or --num-particles, and another --out",
    ):
        fit(music_run(songs), tmp_path / "run")


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_named(device, songs, tmp_path):
    with pytest.raises(ValueError, match=f"The device '{device}' cannot be used") as caught:
        fit(music_run(songs), tmp_path, device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({}, f"not a finite number {SKIPS} times in a row, up to update {SKIPS + 1} of epoch 1"),
        ({"segment_length": 40}, "The validation bound is not a finite number in epoch 1"),
    ],
    ids=["in training", "in validation"],
)
def test_a_bound_that_stays_no_number_stops_the_run_with_advice_and_is_not_written(
    train, said, songs, tmp_path
):
    with pytest.raises(
        FloatingPointError, match=f"{said}; lower --learning-rate or --gradient-norm, or train with"
    ):
        fit(music_run(songs, learning_rate=1e30, **train), tmp_path)
    assert sorted(contents(tmp_path)) == ["curves.csv", "last.safetensors"]
    assert all(
        value.isfinite().all() for value in load_file(tmp_path / "last.safetensors").values()
    )


def break_updates(monkeypatch, *broken):
    """Make the bound of some updates of a run, counted from 0, and states after them, no numbers.

    Returns:
        The bounds of the others, to which it adds one after another.
    """
    update, elbo, others = -1, objectives.elbo, []

    def breaking(model, batch, state, noise):
        nonlocal update
        update += 1
        bound = elbo(model, batch, state, noise)
        assert bound.log_px.isfinite().all()  # the states after a broken update are not carried on
        if update not in broken:
            others.append(bound.elbo.mean().item())
            return bound
        nowhere = type(bound.trace.state)(*(values * torch.nan for values in bound.trace.state))
        return replace(
            bound, log_px=bound.log_px * torch.nan, trace=bound.trace._replace(state=nowhere)
        )

    monkeypatch.setattr(objectives, "elbo", breaking)
    return others


def test_an_update_that_is_no_number_is_skipped_and_counted(songs, tmp_path, monkeypatch):
    others = break_updates(monkeypatch, 1, 2, UPDATES + 3)
    fit(music_run(songs, epochs=2), tmp_path)
    rows = curves(tmp_path)
    assert [row["skipped"] for row in rows] == [2, 1]
    assert load_file(tmp_path / "last.safetensors")["extra.adam.0.step"] == 2 * UPDATES - 3
    means = [sum(part) / len(part) for part in (others[: UPDATES - 2], others[UPDATES - 2 :])]
    assert [row["train_bound"] for row in rows] == pytest.approx(means)


def test_updates_that_are_no_numbers_in_a_row_are_counted_across_epochs_and_a_resumption(
    songs, tmp_path, monkeypatch
):
    config = music_run(songs, epochs=3)
    monkeypatch.setattr(state, "WRITE_EVERY", 0)
    break_updates(monkeypatch, *range(UPDATES - 3, UPDATES - 3 + SKIPS))
    with pytest.raises(
        FloatingPointError, match=f"{SKIPS} times in a row, up to update 2 of epoch 2"
    ):
        fit(config, tmp_path)
    assert position(tmp_path) == (1, 1)
    break_updates(monkeypatch, 0)
    with pytest.raises(
        FloatingPointError, match=f"{SKIPS} times in a row, up to update 2 of epoch 2"
    ):
        fit(config, tmp_path, resume=True)
    monkeypatch.undo()
    assert [row["skipped"] for row in fit(config, tmp_path, resume=True).curves] == [3, 1, 0]


def test_an_epoch_without_any_number_stops_the_run(songs, tmp_path, monkeypatch):
    break_updates(monkeypatch, 0)
    with pytest.raises(
        FloatingPointError, match="bound or its gradient, at every update, is not a finite number"
    ):
        fit(music_run(songs, segment_length=40), tmp_path)


def test_tensorboard_shows_the_curves_and_forgets_what_was_not_kept(songs, tmp_path):
    config = music_run(songs, epochs=2)
    fit(config, tmp_path, tensorboard=True)
    kept = (tmp_path / "last.safetensors").read_bytes()
    longer = replace(config, train=replace(config.train, epochs=3))
    fit(longer, tmp_path, resume=True, tensorboard=True)
    (tmp_path / "last.safetensors").write_bytes(kept)  # as if killed before epoch 3 was written
    fit(longer, tmp_path, resume=True, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == {*COLUMNS, "frames_per_second"}
    rows = curves(tmp_path)
    for name in COLUMNS:
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(row["epoch"], pytest.approx(row[name], rel=1e-6)) for row in rows]


def test_a_training_goes_on_without_events_that_cannot_be_written(songs, tmp_path, monkeypatch):
    class Full:
        def __init__(self, *args, **options):
            pass

        def fails(self, *args):
            raise OSError(28, "No space left on device")

        add_scalar = flush = close = fails

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", Full)
    with pytest.warns(
        UserWarning, match=r"Epoch 1 could not be written to TensorBoard \(.*No space left"
    ):
        fit(music_run(songs, epochs=1), tmp_path / "run", tensorboard=True)
    with pytest.raises(
        ValueError, match="the true cause"
    ):  # and closing the events does not hide it
        monkeypatch.setattr(fitting, "evaluate", raising(ValueError("the true cause")))
        fit(music_run(songs, epochs=1), tmp_path / "other", tensorboard=True)


def raising(error):
    def fail(*args, **options):
        raise error

    return fail


def test_a_training_does_not_write_into_a_folder_that_took_the_place_of_its_own(
    songs, tmp_path, monkeypatch
):
    """Nor does it remake one that was removed, moved or lost its lock, where another may train."""
    config = music_run(songs, epochs=1)

    def remove(out):
        shutil.rmtree(out)

    def replace_it(out):
        out.rename(tmp_path / "elsewhere")
        out.mkdir()
        (out / "best.safetensors").write_text("a newer one")

    def unlock(out):
        (out / LOCK).unlink()

    for act in (remove, replace_it, unlock):
        out = tmp_path / act.__name__
        before = {}

        def meddling(*args, act=act, out=out, before=before, **options):
            act(out)
            before.update(contents(out) if out.exists() else {})
            return evaluate(*args, **options)

        with monkeypatch.context() as patched:
            patched.setattr(fitting, "evaluate", meddling)
            with pytest.raises(
                ValueError, match=f"{out} is not the folder any more that this training locked"
            ):
                fit(config, out)
        assert (contents(out) if out.exists() else {}) == before
        assert out.exists() == (act is not remove)


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_flipped_bit_is_found_before_a_training_goes_on(name, run, tmp_path):
    config, whole, _ = run
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    content = bytearray((out / f"{name}.safetensors").read_bytes())
    content[-5] ^= 1  # of the last tensor's last number but one
    (out / f"{name}.safetensors").write_bytes(content)
    longer = replace(config, train=replace(config.train, epochs=5))
    with pytest.raises(
        ValueError, match=rf"{name}\.safetensors was damaged or changed after it was written"
    ):
        fit(longer, out, resume=True)


def test_a_best_epoch_of_another_training_is_not_continued(run, tmp_path):
    config, whole, _ = run
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    best = load_checkpoint(out / "best.safetensors")
    for epoch in (6, 5, 0, "1"):  # and 5 belongs to a training that is to have as many
        save_checkpoint(
            replace(best, scores={**best.scores, "epoch": epoch}), out / "best.safetensors"
        )
        with pytest.raises(
            ValueError,
            match=rf"best\.safetensors is of epoch {epoch!r}, of which this training of 4 epochs",
        ):
            fit(config, out, resume=True)


def test_tensorboard_that_is_not_installed_is_asked_for(songs, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        ValueError, match=r"needs the package tensorboard, .*pip install 'srnn-lab\[tensorboard\]'"
    ):
        fit(music_run(songs), tmp_path, tensorboard=True)
    assert contents(tmp_path) == {}


def test_weight_decay_takes_its_share_of_each_weight(songs, tmp_path):
    """AdamW: an update takes learning_rate x weight_decay off a weight, here 1 % in each of 6."""
    norms = []
    for decay in (0.0, 10.0):
        config = music_run(songs, epochs=1, learning_rate=1e-3, weight_decay=decay)
        weights = fit(config, tmp_path / str(decay)).best.model.parameters()
        norms.append(torch.cat([w.detach().flatten() for w in weights]).norm())
    assert norms[1] / norms[0] == pytest.approx(0.99**UPDATES, abs=0.02)


def test_free_bits_take_the_kl_of_a_frame_out_of_the_loss_up_to_their_number(songs, tmp_path):
    """More of them than any frame has: the same weights as with a weight of the KL of 0."""
    options = {
        "free": {"free_bits": 1e6},
        "weightless": {"kl_weight_start": 0.0, "kl_weight_updates": 10**15},
    }
    free, weightless = (
        fit(music_run(songs, **({"epochs": 1} | train)), tmp_path / name).best.model.state_dict()
        for name, train in options.items()
    )
    for name, value in free.items():
        torch.testing.assert_close(value, weightless[name], msg=name)


def test_a_run_on_whole_sequences_counts_its_frames_and_scores_as_it_is_evaluated(songs, tmp_path):
    config = replace(
        music_run(songs, whole_sequences=True, epochs=1), evaluation=CONVENTIONS["field-music"]
    )
    run = fit(config, tmp_path)
    frames = [len(song) for song in load_split(config.data, "train").values()]
    assert run.updates == sum(-(-n // 8) for n in frames) // 3
    # Nats per frame, of which an untrained model needs 88 log 2 = 61.
    assert -61.5 < run.curves[0]["train_bound"] < 0


def test_another_seed_gives_another_run(songs, tmp_path):
    for seed in (1, 2):
        fit(music_run(songs, seed=seed, epochs=1), tmp_path / str(seed))
    assert curves(tmp_path / "1")[0]["train_bound"] != curves(tmp_path / "2")[0]["train_bound"]


def test_each_epoch_has_noise_and_an_order_of_its_own(songs, tmp_path):
    fit(music_run(songs, epochs=2, learning_rate=1e-30), tmp_path)  # the weights stay as they are
    first, second = curves(tmp_path)
    assert first["valid_elbo"] == second["valid_elbo"]
    assert first["train_bound"] != second["train_bound"]


def test_bf16_training_runs_and_comes_close_to_fp32(run, songs, tmp_path):
    fit(music_run(songs, epochs=4, precision="bf16"), tmp_path)
    expected, found = ([row["valid_elbo"] for row in curves(out)] for out in (run[1], tmp_path))
    assert found != expected
    assert found == pytest.approx(expected, abs=2)
    assert {
        value.dtype
        for name, value in load_file(tmp_path / "last.safetensors").items()
        if name.startswith("model.")
    } == {torch.float32}


@pytest.mark.parametrize(
    ("capabilities", "made_for_it"),
    [
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_f": True}, False),
    ],
)
def test_precision_is_as_configured_or_left_to_the_hardware(capabilities, made_for_it, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation: made_for_it or including_emulation,
    )
    for device, auto in {"cpu": made_for_it, "cuda": made_for_it, "mps": False}.items():
        found = {
            name: use_bf16(TrainConfig(precision=name), device) for name in ("auto", "fp32", "bf16")
        }
        assert found == {"auto": auto, "fp32": False, "bf16": True}


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_a_folder_of_speech_trains(features, tmp_path):
    config = speech_run(str(wav_folder(tmp_path / "clips")), features)
    train = TrainConfig(
        epochs=2, batch_size=2, segment_length=8, segments_per_reset=2, precision="auto"
    )
    best = fit(RunConfig(model=config.model, data=config.data, train=train), tmp_path / "run").best
    assert len(curves(tmp_path / "run")) == 2
    assert best.frontend.mean.shape == (() if features == "raw" else (6,))
