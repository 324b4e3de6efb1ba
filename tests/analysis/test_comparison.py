from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import SIZES, music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.comparison import Comparison, closest, compare, differences, frame_kind
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import PRESETS, DataConfig, EvaluationConfig, ModelConfig
from srnn_lab.data import Frontend
from srnn_lab.models import build_model


def variant(run, **changes):
    return replace(run, model=replace(run.model, **changes))


def compared(signal, **checkpoints):
    return compare(
        checkpoints, {name: inspect_signal(one, signal) for name, one in checkpoints.items()}
    )


def test_models_stand_on_the_same_frames_with_their_own_numbers():
    models = {
        "smooth": untrained(music_run()),
        "filter": untrained(variant(music_run(), smoothing=False)),
    }
    found = compared(roll(20), **models)
    assert found.names == ("smooth", "filter")
    for row, one in enumerate(models.values()):
        clip = inspect_signal(one, roll(20))
        np.testing.assert_array_equal(found.kl[row], clip.kl)
        np.testing.assert_allclose(found.elbo[row], clip.log_px - clip.kl, rtol=1e-6)
    assert not found.kl_difference[0].any()
    np.testing.assert_allclose(found.kl_difference[1], found.kl[1] - found.kl[0])


def test_a_model_beside_itself_differs_nowhere_since_both_get_the_same_noise():
    found = compared(roll(20), one=untrained(music_run()), same=untrained(music_run()))
    assert not found.kl_difference.any()
    assert found.same_noise.tolist() == [True, True]
    assert len(found.moments(5, apart=2)) == 0


def test_noise_is_another_where_z_has_another_size():
    larger = variant(music_run(), z_dim=SIZES["z_dim"] + 1)
    found = compared(roll(20), one=untrained(music_run()), other=untrained(larger), vrnn=untrained(
        variant(music_run(), model="vrnn")
    ))  # fmt: skip
    assert found.same_noise.tolist() == [True, False, True]


def test_a_first_frame_that_only_one_model_scores_is_left_out():
    scored = replace(music_run(), evaluation=EvaluationConfig(first_frame=True))
    models = {"all": untrained(scored), "rest": untrained(music_run())}
    found = compared(roll(20), **models)
    assert found.kl.shape == (2, 19)
    np.testing.assert_array_equal(found.kl[0], inspect_signal(models["all"], roll(20)).kl[1:])
    assert found.times[0] == models["all"].frontend.times(20)[1]
    assert found.same_noise.tolist() == [True, False]


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_log_px_is_the_density_of_the_first_models_values(features):
    """The same density of a waveform (or of energies), otherwise normalised, is no other model."""
    first = untrained(speech_run(features=features))
    other = untrained(speech_run(features=features))
    scaled = Frontend(
        first.frontend.config, first.frontend.mean, np.asarray(2 * first.frontend.std)
    )
    found = compared(wave(), first=first, other=replace(other, frontend=scaled))
    own = inspect_signal(replace(other, frontend=scaled), wave())
    x_dim = first.config.model.x_dim
    # y = x / 2, so p_x(x) = p_y(y) / 2 for each of the values.
    np.testing.assert_allclose(found.log_px[1], own.log_px - x_dim * np.log(2), rtol=1e-4)


def table_model(table, factor=1.0, **data):
    """An untrained model of tables with gaps, whose values are divided by ``factor`` times sd."""
    config = DataConfig(features="series", data="tables", **{"columns": "flow,level"} | data)
    model = ModelConfig(likelihood="gaussian", x_dim=2, u_dim=table.shape[1] - 2, **SIZES)
    run = replace(PRESETS["series"], data=config, model=replace(model, missing=True))
    front = Frontend.fit(config, 2, [table])
    torch.manual_seed(3)
    scaled = replace(front, std=np.asarray(factor * front.std, np.float32))
    return Checkpoint(run, build_model(run.model).eval(), scaled)


def test_of_a_table_with_gaps_what_was_observed_alone_is_scaled():
    table = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    table[4:9, 0] = table[7:12, 1] = np.nan
    first, other = table_model(table), table_model(table, 2.0)
    found, own = compared(table, first=first, other=other), inspect_signal(other, table)
    observed = np.isfinite(table).sum(1)
    assert set(observed) == {0, 1, 2}
    np.testing.assert_allclose(
        found.log_px[1], own.log_px - observed * np.log(2), rtol=1e-4, atol=1e-5
    )


def test_tables_of_other_columns_are_another_kind_and_known_inputs_are_none():
    table = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    run = table_model(table[:, :2]).config
    assert frame_kind(run) == frame_kind(table_model(table, inputs="hour").config)
    assert frame_kind(run) != frame_kind(table_model(table[:, :2], columns="level,flow").config)


def test_frames_of_another_kind_are_refused():
    music, raw, mel = (
        untrained(music_run()),
        untrained(speech_run()),
        untrained(speech_run(features="log-mel")),
    )
    assert len({frame_kind(one.config) for one in (music, raw, mel)}) == 3
    with pytest.raises(ValueError, match=r"frames of mel .* are not those of raw"):
        compared(wave(), raw=raw, mel=mel)
    with pytest.raises(ValueError, match="at least two"):
        compared(wave(), raw=raw)


def test_what_a_frame_does_not_depend_on_is_no_other_kind():
    run = speech_run()
    same = replace(
        run, data=replace(run.data, data="voices", window_length=128, frames_per_quarter=4)
    )
    assert frame_kind(run) == frame_kind(same)
    mel = speech_run(features="log-mel")
    assert frame_kind(mel) != frame_kind(replace(mel, data=replace(mel.data, window_length=128)))


def test_differences_are_the_settings_that_differ():
    run = music_run()
    assert differences(run, run) == {}
    other = replace(variant(run, model="vrnn", residual=False), data=replace(run.data, data="muse"))
    assert differences(other, run) == {"model": "vrnn", "residual": False, "data": "muse"}
    trained = replace(run, train=replace(run.train, epochs=7, precision="bf16", seed=5))
    assert differences(trained, run) == {"epochs": 7}


def test_the_closest_model_differs_in_the_fewest_settings():
    run = music_run()
    far, near = variant(run, smoothing=False, residual=False), variant(run, model="vrnn")
    assert closest({"far": far, "near": near}, run) == "near"
    assert closest({"near": near, "far": far}, run) == "near"
    longer = replace(run, train=replace(run.train, epochs=7, learning_rate=0.1, batch_size=3))
    assert closest({"near": near, "longer": longer}, run) == "longer"  # it is the same model


def test_moments_are_the_largest_differences_in_order_and_apart_after_the_first_frames():
    kl = np.zeros((3, 30), np.float32)
    kl[1, [0, 10, 11, 25]] = [90, 5, 4, 7]
    kl[2, 18] = -6
    found = Comparison(("a", "b", "c"), kl, kl, np.arange(30.0), np.zeros(0, int), np.ones(3, bool))
    assert found.moments(8, apart=2).tolist() == [25, 18, 10]
    assert found.moments(8, apart=0).tolist() == [25, 18, 10, 11]
    assert found.moments(1, apart=2).tolist() == [25]
