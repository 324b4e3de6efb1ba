"""Several seeds side by side: each run is the one that it would be alone."""

import json
import os
import signal
from dataclasses import replace

import pytest
from processes import finish, position, start, wait_for
from test_capture import recorded  # noqa: F401
from test_training import REGULARISED, contents
from tiny import SIZES, midi_folder, music_run

from srnn_lab.cli import main
from srnn_lab.system.interrupts import Stopped
from srnn_lab.training.fitting import fit
from srnn_lab.training.seeds import MOST_ON_A_GPU, fit_in_turns


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return str(midi_folder(tmp_path_factory.mktemp("data") / "songs"))


def runs(songs, folder, seeds=(1, 2, 3), **train):
    return {
        folder / f"jsb-seed{seed}": music_run(songs, **{"epochs": 2, "seed": seed} | train)
        for seed in seeds
    }


def line(songs, *options, **train):
    sizes = SIZES | {"epochs": 1, "batch_size": 3, "segment_length": 8, "precision": "fp32"} | train
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in sizes.items()]
    return ["train", "jsb", f"--data={songs}", *flags, *map(str, options)]


@pytest.mark.slow
@pytest.mark.usefixtures("recorded")
def test_runs_in_turns_on_one_device_are_those_that_are_trained_alone(songs, tmp_path, capsys):
    together = runs(songs, tmp_path / "together", whole_sequences=True)
    found = fit_in_turns(together, device="cpu", data_dir=None, eager=False)
    said = capsys.readouterr().out
    for out, config in together.items():
        alone = fit(config, tmp_path / "alone" / out.name)
        assert found[out].best.scores == alone.best.scores
        assert contents(out) == contents(tmp_path / "alone" / out.name)
        assert said.count(f"{out.name}: epoch ") == 2


def test_runs_in_turns_draw_their_own_dropout(songs, tmp_path):
    model = {name: value for name, value in REGULARISED.items() if name.startswith("dropout")}
    together = {
        out: replace(config, model=replace(config.model, **model))
        for out, config in runs(songs, tmp_path / "together", seeds=(1, 2)).items()
    }
    fit_in_turns(together, device="cpu", data_dir=None, eager=False)
    for out, config in together.items():
        fit(config, tmp_path / out.name)
        assert contents(out) == contents(tmp_path / out.name)


@pytest.mark.slow
def test_a_signal_stops_all_runs_in_turns_and_they_continue(songs, tmp_path, monkeypatch):
    whole, stopped = runs(songs, tmp_path / "whole"), runs(songs, tmp_path / "stopped", epochs=5000)
    options = {"device": "cpu", "data_dir": None, "eager": False}
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 3)
    with pytest.raises(Stopped, match="with all written; the same command continues"):
        fit_in_turns(stopped, **options)
    reached = [position(out) for out in stopped]
    assert max(reached) > (0, 0)
    epochs = 1 + max(epochs for epochs, _ in reached)
    fit_in_turns(runs(songs, tmp_path / "stopped", epochs=epochs), **options)
    fit_in_turns(runs(songs, tmp_path / "whole", epochs=epochs), **options)
    for one, other in zip(whole, stopped, strict=True):
        assert contents(one) == contents(other)


def test_a_run_that_fails_is_named_and_the_others_come_to_their_end(songs, tmp_path):
    several = runs(songs, tmp_path, seeds=(1, 2)) | runs(
        songs, tmp_path, seeds=(3,), learning_rate=1e30
    )
    with pytest.raises(
        ValueError, match=r"1 of the runs failed, .* jsb-seed3: The bound or its gradient was not"
    ):
        fit_in_turns(several, device="cpu", data_dir=None, eager=False)
    assert [position(out)[0] for out in several] == [2, 2, 0]


def test_more_runs_than_a_gpu_has_streams_are_refused(songs, tmp_path):
    several = runs(songs, tmp_path, seeds=range(MOST_ON_A_GPU + 1))
    with pytest.raises(ValueError, match="--seeds names 17 runs; at most 16 fit"):
        fit_in_turns(several, device="cpu")


@pytest.mark.slow
def test_seeds_train_in_processes_and_the_output_says_which(songs, tmp_path, capsys):
    out = tmp_path / "runs" / "tiny"
    assert main(line(songs, "--seeds=3,1", f"--out={out}", "--device=cpu", "--json")) == 0
    printed = capsys.readouterr().out.splitlines()
    found = json.loads(printed[-1])
    assert list(found) == ["seed 3", "seed 1"]
    for seed in (1, 3):
        assert sum(text.startswith(f"tiny-seed{seed}: epoch 1: train") for text in printed) == 1
        assert main(line(songs, f"--seed={seed}", f"--out={tmp_path / str(seed)}")) == 0
        assert contents(tmp_path / "runs" / f"tiny-seed{seed}") == contents(tmp_path / str(seed))
        assert found[f"seed {seed}"]["checkpoint"] == str(
            tmp_path / "runs" / f"tiny-seed{seed}" / "best.safetensors"
        )


@pytest.mark.slow
def test_ctrl_c_stops_all_processes_and_each_run_continues(songs, tmp_path):
    argv = line(songs, "--seeds=1,2", f"--out={tmp_path / 'run'}", "--device=cpu", epochs=5000)
    outs = [tmp_path / f"run-seed{seed}" for seed in (1, 2)]
    process = start(argv, tmp_path / "log")
    wait_for(lambda: all(position(out) > (0, 0) for out in outs) or process.exitcode is not None)
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == [130], (tmp_path / "log").read_text()
    said = (tmp_path / "log").read_text().splitlines()
    assert (
        said[-1] == "srnn-lab: stopped, with all written; the same command continues what has begun"
    )
    assert sum("run-seed" in text and "stopped, with all written" in text for text in said) == 2
    for seed, out in enumerate(outs, 1):
        epochs = position(out)[0] + 1
        options = [f"--seed={seed}", f"--resume={out}"]
        assert main(line(songs, *options, epochs=epochs)) == 0
        assert position(out) == (epochs, 0)


@pytest.mark.parametrize(
    "options",
    [["--seeds=1,2", "--seed=3"], ["--seeds=1", "--resume=run"], ["--seeds=1,x"], ["--seeds="]],
)
def test_seeds_that_make_no_sense_are_refused(options, songs, capsys):
    with pytest.raises(SystemExit):
        main(line(songs, *options))
    assert "--seeds" in capsys.readouterr().err
