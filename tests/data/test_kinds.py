from dataclasses import fields
from typing import get_args

import pytest

from srnn_lab.config import DataConfig, RunConfig
from srnn_lab.dashboard.words import WORDS
from srnn_lab.data.frame_kind import VALUES, KindName, Values
from srnn_lab.data.kinds import KINDS
from srnn_lab.models.likelihoods import LIKELIHOODS


def test_the_names_that_a_type_checker_knows_are_those_there_are():
    assert get_args(KindName) == tuple(KINDS)
    assert get_args(Values) == tuple(VALUES)
    assert set(WORDS) == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_reads_settings_of_the_data_and_has_a_likelihood_of_its_values(name):
    config = DataConfig(features=name)
    assert {f.name for f in fields(config.kind)} <= {f.name for f in fields(DataConfig)}
    assert (config.window, config.hop, config.rate) == (
        config.kind.window,
        config.kind.hop,
        config.kind.rate,
    )
    assert LIKELIHOODS[config.kind.likelihood].values == config.kind.values


@pytest.mark.parametrize(
    ("name", "wrong", "values"),
    [
        ("sample_rate", {}, ["raw", "log-mel"]),
        ("frames_per_quarter", {"data": {"features": "raw"}}, ["roll"]),
        ("z_dim", {"model": {"model": "rnn"}}, ["srnn", "dkf"]),
        ("gated_transition", {}, ["dkf"]),
        ("student_df", {}, ["student-t", "conv-ar"]),
        ("num_particles", {}, ["iwae", "fivo"]),
        ("dither_seed", {}, ["True"]),
    ],
)
def test_a_setting_without_effect_is_refused_with_what_would_give_it_one(name, wrong, values):
    sizes = {"x_dim": 200, "likelihood": "gaussian"} if "data" in wrong else {}
    config = RunConfig.from_dict({**wrong, "model": {**sizes, **wrong.get("model", {})}})
    with pytest.raises(ValueError, match=f"{name} has no effect") as caught:
        config.check_read([name, "out"])
    assert [value for value in values if value not in str(caught.value)] == []
