import math
from dataclasses import asdict

import pytest
import torch

from srnn_lab.config import (
    CONVENTIONS,
    FEW,
    PRESETS,
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)
from srnn_lab.models import build_model
from srnn_lab.training.configuring import configured, for_few_files
from srnn_lab.training.schedules import kl_weight, learning_rate


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_the_way_through_plain_dictionaries(name):
    values = PRESETS[name].to_dict()
    assert {type(v) for section in values.values() for v in section.values()} <= {
        str,
        int,
        float,
        bool,
    }
    assert RunConfig.from_dict(values) == PRESETS[name]


def test_a_configuration_from_before_a_key_was_added_has_its_default():
    values = PRESETS["voice"].to_dict()
    for name in ("gated_transition", "num_components"):
        del values["model"][name]
    assert RunConfig.from_dict(values) == PRESETS["voice"]


def test_a_whole_number_is_taken_where_a_real_one_is_expected():
    rate = RunConfig.from_dict({"train": {"learning_rate": 1}}).train.learning_rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, ["configuration", "None", "model, data, train, evaluation"]),
        ([1], ["configuration", "[1]", "model, data, train, evaluation"]),
        ({"modle": {}}, ["'modle'", "model, data, train, evaluation"]),
        ({"model": "srnn"}, ["ModelConfig", "'srnn'", "keys and values"]),
        ({"train": {"epoch": 3}}, ["TrainConfig", "'epoch'", "epochs, batch_size"]),
        ({"model": {"d_dim": "300"}}, ["ModelConfig.d_dim", "'300'", "int"]),
        ({"model": {"d_dim": True}}, ["ModelConfig.d_dim", "True", "int"]),
        ({"model": {"d_dim": 3.0}}, ["ModelConfig.d_dim", "3.0", "int"]),
        ({"model": {"smoothing": 1}}, ["ModelConfig.smoothing", "1", "bool"]),
        ({"model": {"model": None}}, ["ModelConfig.model", "None", "str"]),
        ({"train": {"learning_rate": "fast"}}, ["TrainConfig.learning_rate", "'fast'", "float"]),
        ({"model": {"z_dim": 0}}, ["ModelConfig.z_dim", "0", "at least 1"]),
        (
            {"model": {"variance_floor": -1e-6}},
            ["ModelConfig.variance_floor", "-1e-06", "0 or more"],
        ),
        (
            {
                "model": {"likelihood": "gaussian", "x_dim": 600},
                "data": {"features": "log-mel", "window_length": 512},
            },
            ["ModelConfig.x_dim is 600", "512"],
        ),
        (
            {
                "model": {"likelihood": "gaussian", "x_dim": 80},
                "data": {"features": "log-mel", "frame_length": 513},
            },
            ["DataConfig.frame_length is 513", "512"],
        ),
        (
            {"data": {"frame_length": 192_001}},
            ["DataConfig.frame_length", "192001", "at most 192000"],
        ),
        ({"data": {"sample_rate": 999}}, ["DataConfig.sample_rate", "999", "at least 1000"]),
        ({"train": {"kl_weight_start": 1.1}}, ["TrainConfig.kl_weight_start", "1.1", "[0, 1]"]),
        (
            {"train": {"learning_rate_decay": 0.0}},
            ["TrainConfig.learning_rate_decay", "0.0", "(0, 1]"],
        ),
        ({"train": {"learning_rate": math.nan}}, ["TrainConfig.learning_rate", "nan", "above 0"]),
        (
            {"train": {"learning_rate": 10**400}},
            ["TrainConfig.learning_rate", "too large for type float"],
        ),
        ({"train": {"gradient_norm": math.inf}}, ["TrainConfig.gradient_norm", "inf", "finite"]),
        (
            {"train": {"free_bits": 1e300}},
            ["TrainConfig.free_bits is 1e+300", "finite number of at most 1e+38"],
        ),
        (
            {"train": {"epochs": 10**400}},
            ["TrainConfig.epochs is 1000", "000;", "whole number of at most 9007"],
        ),
        (
            {"train": {"num_particles": 10**6}},
            ["TrainConfig.num_particles is 1000000", "From 1 to 999999"],
        ),
        ({"model": {"num_layers": 101}}, ["ModelConfig.num_layers is 101", "from 1 to 100"]),
        (
            {"model": {"emission_layers": 101}},
            ["ModelConfig.emission_layers is 101", "at most 100"],
        ),
        ({"train": {"seed": -1}}, ["TrainConfig.seed", "-1", "from 0"]),
        ({"train": {"precision": "fp16"}}, ["TrainConfig.precision", "'fp16'", "auto, fp32, bf16"]),
        ({"data": {"features": "mfcc"}}, ["DataConfig.features", "'mfcc'", "roll, raw, log-mel"]),
        (
            {"evaluation": {"average": "mean"}},
            ["EvaluationConfig.average", "'mean'", "micro, macro, sequence"],
        ),
        ({"model": {"x_dim": 87}}, ["ModelConfig.x_dim", "87", "'roll'", "88"]),
        ({"data": {"features": "raw"}}, ["ModelConfig.x_dim", "88", "'raw'", "200"]),
        ({"model": {"dropout_d": 1.0}}, ["ModelConfig.dropout_d", "1.0", "[0, 1)"]),
        (
            {"train": {"free_bits": 1.0, "objective": "fivo"}},
            ["TrainConfig.free_bits", "1.0", "elbo only"],
        ),
        ({"train": {"weight_decay": -1.0}}, ["TrainConfig.weight_decay", "-1.0", "0 or more"]),
        (
            {"train": {"transposition": 3}, "data": {"features": "raw"}, "model": {"x_dim": 200}},
            ["TrainConfig.transposition", "3", "'raw'", "choose 0"],
        ),
        (
            {"train": {"whole_sequences": True, "segments_per_reset": 2}},
            ["segments_per_reset", "2", "choose 0"],
        ),
        ({"model": {"num_components": 0}}, ["ModelConfig.num_components", "0", "at least 1"]),
        (
            {"model": {"likelihood": "nade", "x_dim": 200}, "data": {"features": "raw"}},
            ["'nade'", "0 and 1", "'raw'", "gaussian or gaussian-mixture"],
        ),
        (
            {"model": {"likelihood": "gaussian-mixture"}},
            ["'gaussian-mixture'", "'roll'", "bernoulli or nade"],
        ),
    ],
)
def test_a_wrong_configuration_is_refused_by_name_value_and_what_is_expected(values, said):
    with pytest.raises(ValueError) as caught:
        RunConfig.from_dict(values)
    assert [part for part in said if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    "values",
    [
        10**6 * "x",
        {10**6 * "x": 1},
        {"model": 10**6 * "x"},
        {"model": {10**6 * "x": 1}},
        {"model": {"d_dim": 10**6 * "x"}},
        {"data": {"features": 10**6 * "x"}},
        {"train": {"epochs": 10**4000}},
        {"train": {"learning_rate": 10**4000}},
    ],
)
def test_a_message_repeats_no_megabyte(values):
    with pytest.raises(ValueError) as caught:
        RunConfig.from_dict(values)
    assert len(str(caught.value)) < 1500  # of which the names of all settings are the most


@pytest.mark.parametrize("config", [ModelConfig(), DataConfig(), TrainConfig(), EvaluationConfig()])
def test_every_value_is_documented(config):
    helps = {name: f.metadata["help"] for name, f in config.__dataclass_fields__.items()}
    assert helps.keys() == asdict(config).keys()
    assert all(text.endswith(".") for text in helps.values())


def test_the_hardware_decides_the_precision_unless_it_is_given():
    assert (
        {config.train.precision for config in PRESETS.values()}
        == {TrainConfig().precision}
        == {"auto"}
    )


def test_the_speech_presets_hold_appendix_a1():
    for name, sizes in {"timit": (1024, 256, 512), "blizzard": (2048, 256, 1024)}.items():
        config = PRESETS[name]
        assert (config.model.d_dim, config.model.z_dim, config.model.hidden_dim) == sizes
        assert (config.model.x_dim, config.model.likelihood) == (200, "gaussian")
        # The paper counts the output.
        assert (config.model.num_layers, config.model.emission_layers) == (
            1,
            2,
        )
        assert config.train.gradient_norm == 3000
        assert config.model.smoothing
        assert config.model.residual
        assert (config.data.features, config.data.sample_rate, config.data.frame_length) == (
            "raw",
            16000,
            200,
        )
        assert (config.train.segment_length, config.train.segments_per_reset) == (40, 4)
        assert config.evaluation == CONVENTIONS["srnn-speech"]
    assert (PRESETS["timit"].train.batch_size, PRESETS["timit"].train.learning_rate) == (64, 1e-3)
    assert (PRESETS["blizzard"].train.batch_size, PRESETS["blizzard"].train.learning_rate) == (
        128,
        3e-4,
    )


@pytest.mark.parametrize(
    "name", [name for name in PRESETS if not name.startswith(("best-", "tsbn-"))]
)
def test_what_the_paper_does_not_have_is_off_in_its_presets(name):
    config, plain = PRESETS[name], TrainConfig()
    off = ("free_bits", "start_from_mean", "weight_decay", "transposition", "objective")
    assert all(getattr(config.train, key) == getattr(plain, key) for key in off)
    off = ("centred_inputs", "dropout_features", "dropout_d", "dropout_heads", "dropout_emission")
    assert all(getattr(config.model, key) == getattr(ModelConfig(), key) for key in off)


@pytest.mark.parametrize("name", ["jsb", "nottingham", "muse", "piano"])
def test_the_music_presets_hold_appendix_a2(name):
    config = PRESETS[name]
    assert config.data.data == f"fraccaro/{name}"
    assert (config.model.d_dim, config.model.z_dim, config.model.hidden_dim) == (300, 100, 500)
    assert (config.model.x_dim, config.model.num_layers, config.model.likelihood) == (
        88,
        1,
        "bernoulli",
    )
    assert (config.train.batch_size, config.train.segment_length, config.train.learning_rate) == (
        16,
        100,
        1e-3,
    )
    assert (
        config.evaluation
        == CONVENTIONS["srnn-music"]
        == EvaluationConfig(average="macro", first_frame=False)
    )


def test_the_timit_model_has_the_parameters_of_the_authors():
    """512 units: one hidden layer in each of the four heads, two in features and in emission."""
    d, z, h = 1024, 256, 512
    features = 200 * h + h + h * h + h
    grus = 3 * d * (h + d + 2) + 3 * d * (d + h + d + 2)
    heads = 4 * ((d + z) * h + h + h * z + z)
    emission = (d + z) * h + h + h * h + h + h * 400 + 400
    with torch.device("meta"):
        model = build_model(PRESETS["timit"].model)
    assert sum(p.numel() for p in model.parameters()) == features + grus + heads + emission
    assert features + grus + heads + emission == pytest.approx(17.2e6, rel=0.01)


def test_the_kl_weight_of_timit_grows_by_0_0003_an_update_from_0_2():
    config = PRESETS["timit"].train
    assert kl_weight(config, 0) == 0.2
    for update in (1, 2, 100, 2600):
        assert kl_weight(config, update) == pytest.approx(0.2 + 0.0003 * update, rel=3e-4)
    assert kl_weight(config, 2666) < 1
    assert kl_weight(config, 2667) == kl_weight(config, 10**9) == 1


def test_the_kl_weight_of_jsb_reaches_1_after_20_epochs_of_17_updates():
    config = PRESETS["jsb"].train
    assert kl_weight(config, 10 * 17) == pytest.approx(0.6)
    assert kl_weight(config, 20 * 17 - 1) < 1
    assert kl_weight(config, 20 * 17) == 1


def test_the_kl_weight_can_be_1_throughout():
    assert kl_weight(TrainConfig(kl_weight_start=0.0, kl_weight_updates=0), 0) == 1


@pytest.mark.parametrize("name", ["nottingham", "muse", "piano"])
def test_the_learning_rate_of_music_is_divided_by_1_2_each_epoch_after_20(name):
    config = PRESETS[name].train
    rates = [learning_rate(config, epoch) for epoch in (0, 20, 21, 23)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3 / 1.2, 1e-3 / 1.2**3])


def test_the_learning_rate_of_jsb_is_multiplied_by_0_95_each_epoch_after_30():
    rates = [learning_rate(PRESETS["jsb"].train, epoch) for epoch in (0, 30, 31, 59)]
    assert rates == pytest.approx([1e-3, 1e-3, 0.95e-3, 0.95**29 * 1e-3])


def test_the_learning_rate_of_timit_is_divided_by_1_1_each_epoch_after_15():
    rates = [learning_rate(PRESETS["timit"].train, epoch) for epoch in (0, 15, 16, 18)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3 / 1.1, 1e-3 / 1.1**3])


def test_differences_are_the_values_of_one_configuration_where_another_has_others():
    run = RunConfig()
    other = RunConfig(
        model=ModelConfig(z_dim=3), data=DataConfig(data="muse"), train=TrainConfig(seed=9)
    )
    assert run.differences(run) == {}
    assert other.differences(run) == {"z_dim": 3, "data": "muse", "seed": 9}
    assert run.differences(other) == {"z_dim": 100, "data": "fraccaro/jsb", "seed": 1}


def test_no_two_settings_have_one_name():
    """So that a name says which is meant: on the command line and where configurations differ."""
    names = [name for section in RunConfig().to_dict().values() for name in section]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("files", "few"), [(1, True), (99, True), (100, False)])
def test_a_folder_of_few_files_gets_batches_that_they_fill_unless_options_say_otherwise(
    tmp_path, files, few
):
    for i in range(files):
        (tmp_path / f"{i}.mid").touch()
    config = configured(PRESETS["jsb"], {"data": str(tmp_path)})
    assert for_few_files(config, {"data": str(tmp_path)}) == (FEW["roll"] if few else {})
    assert for_few_files(config, {"batch_size": 2}) == {}
    assert for_few_files(PRESETS["jsb"], {}) == for_few_files(PRESETS["voice"], {}) == {}
