"""Trainings with Optuna's settings: what may vary, what is tried, and what goes on after a stop."""

import json
import math
import signal
import sys

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from tiny import SIZES, midi_folder, table_folder

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.cli import main
from srnn_lab.system.interrupts import Stopped
from srnn_lab.training.runs import list_runs, progress
from srnn_lab.training.sweep import Varied, sweep


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return str(midi_folder(tmp_path_factory.mktemp("data") / "songs"))


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ("learning-rate=1e-4..1e-2", "learning_rate", FloatDistribution(1e-4, 1e-2, log=True)),
        ("--gradient-norm=1..2", "gradient_norm", FloatDistribution(1.0, 2.0)),
        ("free-bits=0..5", "free_bits", FloatDistribution(0.0, 5.0)),
        ("z_dim=8..100", "z_dim", IntDistribution(8, 100, log=True)),
        ("z-dim=20,50,100", "z_dim", CategoricalDistribution((20, 50, 100))),
        ("residual=true,False", "residual", CategoricalDistribution((True, False))),
        ("objective=elbo,fivo", "objective", CategoricalDistribution(("elbo", "fivo"))),
    ],
)
def test_a_setting_and_its_values_are_read(given, name, expected):
    varied = Varied.parse(given)
    assert (varied.name, varied.distribution()) == (name, expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("width=1,2", "'width' is no setting"),
        ("z-dim", "'' is no value of z_dim"),
        ("z-dim=1.5", "'1.5' is no value of z_dim"),
        ("learning-rate=1e-2..1e-4", "'1e-2..1e-4' is no range of learning_rate"),
        ("learning-rate=nan", "'nan' is no value of learning_rate"),
        ("learning-rate=1..inf", "'inf' is no value of learning_rate"),
        ("objective=elbo..fivo", "objective is no number, so it has no range"),
        ("objective=elbo,gan", "'gan' is no value of objective"),
        ("residual=1", "'1' is no value of residual"),
    ],
)
def test_what_is_no_setting_or_no_value_is_named(given, said, capsys):
    with pytest.raises(ValueError, match=said):
        Varied.parse(given)
    with pytest.raises(SystemExit):
        main(["sweep", "jsb", f"--vary={given}"])
    assert said in capsys.readouterr().err


def test_the_sampler_climbs_and_the_trials_have_folders_of_their_own(tmp_path):
    """Of a bound that is -(log10 rate + 3)^2, whose largest value is 0, at 1e-3."""
    tried = {}

    def train(run, settings):
        tried[run] = settings["learning_rate"]
        return -((math.log10(settings["learning_rate"]) + 3) ** 2)

    trials = sweep([Varied.parse("learning-rate=1e-6..1")], 40, tmp_path / "s", train)
    assert (
        [trial.run for trial in trials] == [tmp_path / f"s-{i}" for i in range(1, 41)] == [*tried]
    )
    assert [trial.settings["learning_rate"] for trial in trials] == [*tried.values()]
    assert max(trial.bound for trial in trials) > -0.05
    late = sum(trial.bound for trial in trials[20:]) / 20
    assert late > sum(trial.bound for trial in trials[:10]) / 10 + 1


def test_a_sweep_that_was_stopped_goes_on_with_the_trial_it_was_at(tmp_path):
    seen, varied = [], [Varied.parse("z-dim=1..1000")]

    def train(run, settings):
        seen.append((run.name, settings["z_dim"]))
        if len(seen) == 3:
            raise Stopped("stopped", signal.SIGTERM)
        return 0.0

    with pytest.raises(Stopped):
        sweep(varied, 5, tmp_path / "s", train)
    trials = sweep(varied, 5, tmp_path / "s", train)
    assert [name for name, _ in seen] == ["s-1", "s-2", "s-3", "s-3", "s-4", "s-5"]
    assert seen[2] == seen[3]
    assert len({settings for _, settings in seen}) > 3  # a sampler that goes on does not begin anew
    assert len(trials) == 5
    assert sweep(varied, 5, tmp_path / "s", train) == trials
    assert len(seen) == 6
    with pytest.raises(
        ValueError, match="was begun with other settings to vary; choose another --out"
    ):
        sweep([Varied.parse("d-dim=1,2")], 6, tmp_path / "s", train)


def test_a_trial_that_fails_is_one_of_many_and_if_all_do_it_says_why(tmp_path):
    def train(run, settings):
        if settings["z_dim"] == 2:
            raise FloatingPointError("no number")
        return 1.0

    trials = sweep([Varied.parse("z-dim=1,2")], 12, tmp_path / "s", train)
    assert {(trial.settings["z_dim"], trial.bound) for trial in trials} == {(1, 1.0), (2, None)}
    with pytest.raises(ValueError, match=r"None of 2 trials came to its end\. no number"):
        sweep([Varied.parse("z-dim=2")], 2, tmp_path / "t", train)


@pytest.mark.slow
def test_the_command_s_trials_are_runs_as_train_makes_them(songs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sizes = SIZES | {"epochs": 1, "batch_size": 3, "segment_length": 8}
    options = [
        f"--data={songs}",
        *(f"--{name.replace('_', '-')}={value}" for name, value in sizes.items()),
    ]
    assert (
        main(["sweep", "jsb", *options, "--vary=learning-rate=1e-4..1e-2", "--trials=2", "--json"])
        == 0
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(list_runs(tmp_path / "runs")) == ["jsb-sweep-1", "jsb-sweep-2"]
    for name in ("jsb-sweep-1", "jsb-sweep-2"):
        run = tmp_path / "runs" / name
        best = load_checkpoint(run / "best.safetensors")
        assert best.config.train.learning_rate == found[name]["learning_rate"]
        assert best.scores["valid"]["elbo"] == found[name]["valid"]
        assert progress(run).test == best.scores["test"]
    assert found["best"] == max(
        ["jsb-sweep-1", "jsb-sweep-2"], key=lambda name: found[name]["valid"]
    )
    assert (
        main(
            [
                "train",
                "jsb",
                *options,
                f"--learning-rate={found['jsb-sweep-1']['learning_rate']}",
                "--out=same",
            ]
        )
        == 0
    )
    same = (tmp_path / "same" / "best.safetensors").read_bytes()
    assert same == (tmp_path / "runs" / "jsb-sweep-1" / "best.safetensors").read_bytes()


@pytest.mark.slow
def test_a_sweep_makes_batches_that_few_rows_fill_as_train_does(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = table_folder(tmp_path / "tables", 30, 30, 30)
    sizes = [f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()]
    options = [f"--data={folder}", "--epochs=1", *sizes, "--vary=learning-rate=1e-3,1e-2"]
    command = ["sweep", "series", *options, "--json"]
    for trials in (1, 2):  # which goes on with what is there
        assert main([*command, f"--trials={trials}"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    best = load_checkpoint(tmp_path / found["checkpoint"])
    assert best.config.train.batch_size == 1
    assert best.config.data.columns == "flow,level"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--learning-rate=1"], "--learning-rate is given and varied"),
        (["--seeds=1,2"], "a sweep takes neither --resume nor --seeds"),
        (["--trials=0"], "'0' is not a whole number from 1"),
    ],
)
def test_options_that_contradict_a_sweep_are_refused(more, said, capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "jsb", "--vary=learning-rate=1e-4..1e-2", *more])
    assert said in capsys.readouterr().err


def test_optuna_that_is_not_installed_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'srnn-lab\[sweep\]'"):
        sweep([Varied.parse("z-dim=1,2")], 1, tmp_path / "s", lambda run, settings: 0.0)
