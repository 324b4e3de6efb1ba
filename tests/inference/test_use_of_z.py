"""Is z used: models whose use of it is known, the same by another way, and the words."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.interventions import replace_latents
from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.cli import main
from srnn_lab.config import EvaluationConfig, ModelConfig
from srnn_lab.data import DATASETS
from srnn_lab.inference import use_of_z as module
from srnn_lab.inference.evaluation import evaluate
from srnn_lab.inference.use_of_z import UseOfZ, use_of_z
from srnn_lab.models import MODELS, build_model
from srnn_lab.training.fitting import fit

SIZES = {"d_dim": 6, "z_dim": 3, "hidden_dim": 8, "x_dim": 88}
SONGS = [roll(20 + i, 36 + i) for i in range(5)]


def model_of(**options):
    torch.manual_seed(0)
    return build_model(ModelConfig(**SIZES | options)).eval()


@pytest.mark.parametrize("model", [name for name in MODELS if "z_dim" in MODELS[name].reads])
def test_what_is_lost_is_what_latents_shows_of_each_frame_alone(model):
    config = music_run()
    checkpoint = untrained(replace(config, model=replace(config.model, model=model)))
    song, frames = SONGS[0][:8], 7
    found = use_of_z(checkpoint.model, [song], checkpoint.config.evaluation, seed=3)
    whole = replace_latents(checkpoint, song, seed=3)["posterior sample"].log_px
    times = checkpoint.frontend.times(len(song))[-frames:]
    alone = [
        replace_latents(checkpoint, song, seed=3, start=time - 1e-6, stop=time + 1e-6)[
            "prior sample"
        ].log_px[t]
        for t, time in enumerate(times)
    ]
    assert found.log_px == pytest.approx(whole.mean(), rel=1e-5)
    assert found.lost == pytest.approx(whole.mean() - np.mean(alone), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("first_frame", [True, False])
def test_kl_and_reconstruction_are_those_of_the_bound(first_frame):
    model, config = model_of(), EvaluationConfig(first_frame=first_frame)
    score, found = evaluate(model, SONGS, config), use_of_z(model, SONGS, config)
    assert (found.kl, found.log_px) == pytest.approx((score.kl, score.log_px), rel=1e-5)
    assert found.frames == score.frames
    assert found.share == pytest.approx(score.kl / -score.elbo, rel=1e-5)


def test_a_posterior_that_is_the_prior_loses_nothing_and_has_no_active_unit():
    model = model_of(likelihood="bernoulli")
    model.posterior.load_state_dict(model.prior.state_dict())
    with torch.no_grad():
        for parameter in (*model.prior.parameters(), *model.posterior.parameters()):
            parameter.zero_()  # both N(0, 1), whatever a is
    found = use_of_z(model, SONGS, EvaluationConfig())
    assert (found.kl, found.lost, found.active, found.units) == (0.0, 0.0, 0, 3)
    assert found.little
    assert found.sentence().startswith(
        "z is hardly used: the KL is 0 nats per frame (0.0% of the negative ELBO), 0 of 3"
    )
    assert "--free-bits" in found.sentence()


def test_a_unit_is_active_by_its_own_kl():
    """The posterior is the prior but for one unit's mean, which is off by m: its KL is m^2 / 2."""
    model = model_of(residual=True)
    with torch.no_grad():
        for parameter in (*model.prior.parameters(), *model.posterior.parameters()):
            parameter.zero_()
        last = [parameter for parameter in model.posterior.parameters() if parameter.shape == (3,)]
        last[0][1] = 0.8
    found = use_of_z(model, SONGS, EvaluationConfig())
    assert found.kl == pytest.approx(0.32)
    assert (found.active, found.units) == (1, 3)


def test_an_output_that_does_not_hear_z_loses_nothing_however_large_the_kl():
    model = model_of()
    with torch.no_grad():
        model.emission[0].weight[:, SIZES["d_dim"] :] = 0
    found = use_of_z(model, SONGS, EvaluationConfig())
    assert found.kl > 0.01
    assert found.lost == 0
    assert found.little


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_of_every_model_it_is_known_but_of_one_without_z(name, likelihood):
    found = use_of_z(model_of(model=name, likelihood=likelihood), SONGS, EvaluationConfig())
    assert (found is None) == ("z_dim" not in MODELS[name].reads)
    if found:
        assert np.isfinite([found.kl, found.log_px, found.lost]).all()
        assert (found.share is None) == (found.log_px >= 0)


def test_of_much_data_every_nth_sequence_is_taken_and_memory_changes_nothing(monkeypatch):
    model, songs = model_of(), [roll(40, 30 + i % 9) for i in range(30)]
    whole = use_of_z(model, songs[::3], EvaluationConfig())
    monkeypatch.setattr(module, "MAX_FRAMES", 400)
    assert use_of_z(model, songs, EvaluationConfig()) == whole
    monkeypatch.setattr("srnn_lab.inference.evaluation.MEMORY", 1)
    alone = use_of_z(model, songs, EvaluationConfig())
    assert (alone.kl, alone.lost) == pytest.approx((whole.kl, whole.lost), rel=1e-5)


def test_a_value_that_is_impossible_without_z_is_no_number_that_json_lacks():
    checkpoint = untrained(speech_run())
    with torch.no_grad():
        checkpoint.model.emission[-1].bias[:80] = torch.inf
    found = use_of_z(
        checkpoint.model, checkpoint.frontend.sequences([wave()], 80), EvaluationConfig()
    )
    assert np.isfinite([found.log_px, found.lost]).all()


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (
            UseOfZ(2.0, -6.0, 3.5, 20, 100, 50),
            "z is used: the KL is 2 nats per frame (25.0% of the negative ELBO), 20 of",
        ),
        (
            UseOfZ(0.003, -8.0, 0.01, 0, 100, 50),
            "z is hardly used: the KL is 0.003 nats per frame (0.0% of the",
        ),
        (
            UseOfZ(40.0, 400.0, 90.0, 20, 100, 50),
            "z is used: the KL is 40 nats per frame, 20 of 100 units are active, and 90",
        ),
    ],
)
def test_it_is_said_in_words_with_the_numbers(use, said):
    assert use.sentence().startswith(said)
    assert ("--free-bits" in use.sentence()) == use.little


@pytest.mark.parametrize(
    ("lost", "said"), [(-0.4, "nothing is"), (0.05, "0.05 nats per frame are")]
)
def test_a_kl_that_buys_nothing_is_called_so(lost, said):
    use = UseOfZ(15.05, -14.3, lost, 2, 2, 40)
    assert use.sentence() == (
        "z is hardly used: the KL is 15.1 nats per frame (51.3% of the negative ELBO), 2 of 2 "
        f"units are active, but {said} lost when z_t comes from the prior. {module.WASTED}"
    )


def test_a_training_and_evaluate_end_with_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(
        DATASETS,
        "tiny",
        lambda config, split, folder: {f"{i}": song > 0 for i, song in enumerate(SONGS)},
    )
    run = fit(music_run("tiny", epochs=1), tmp_path)
    best = load_checkpoint(tmp_path / "best.safetensors")
    assert best.scores["z"] == run.use.sentence()
    capsys.readouterr()
    assert (
        main(["evaluate", str(tmp_path / "best.safetensors"), "--data=tiny", "--split=test"]) == 0
    )
    assert run.use.sentence() in capsys.readouterr().out
