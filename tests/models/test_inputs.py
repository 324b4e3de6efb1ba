"""Known inputs u_t: exact answers, where they stand in a batch, and what reads them."""

from dataclasses import replace

import linear_gaussian
import numpy as np
import pytest
import torch
from linear_gaussian import LinearSRNN
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter
from torch import nn

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import PRESETS, DataConfig, ModelConfig
from srnn_lab.data import Batch, Frontend, make_batch
from srnn_lab.data.sequences import Streams, WholeSequences
from srnn_lab.inference.bounds import draw_noise, iwae
from srnn_lab.inference.forecasting import forecast
from srnn_lab.inference.sampling import generate
from srnn_lab.models import MODELS, build_model
from srnn_lab.models.base import INPUTS

HOLES = [(0, 0), (3, 1), (4, 0), (4, 1)]
"""Row and column of known inputs that are missing."""
READERS = [name for name, model in MODELS.items() if set(INPUTS) <= set(model.reads)]


def exact(*, feedback):
    """The exact SRNN, whose d reads one known input, and x_{t-1} or not."""
    model = LinearSRNN()
    model.config = replace(model.config, u_dim=1, feedback=feedback)
    model.features_u = nn.Identity()
    return model


def kalman(x, known, *, feedback):
    """The Kalman filter of rows of which the known inputs, and x_{t-1} or not, move states and
    observations.
    """
    x_tm1 = np.concatenate([np.zeros((1, 2)), x[:-1]])
    u = torch.as_tensor(np.concatenate([x_tm1, known], 1) if feedback else known)[None]
    d = linear_gaussian.FixedStates()(u, u.new_zeros(1, 1))[0].T.numpy()
    of_z, of_x = linear_gaussian.B[:, None] * d, linear_gaussian.D[:, None] * d
    parts = {
        "design": linear_gaussian.C,
        "obs_cov": linear_gaussian.R,
        "transition": linear_gaussian.A,
    }
    diagonals = {name: np.diag(values) for name, values in parts.items()}
    found = KalmanFilter(
        2, 2, selection=np.eye(2), state_cov=np.diag(linear_gaussian.Q), **diagonals
    )
    found.bind(x.copy())
    found["obs_intercept"], found["state_intercept"] = of_x, np.roll(of_z, -1, 1)
    found.initialize_known(of_z[:, 0], np.diag(linear_gaussian.Q))
    return found


@pytest.mark.parametrize("feedback", [True, False])
def test_the_evidence_given_known_inputs_is_the_kalman_filters(feedback):
    x, known = np.split(np.random.default_rng(0).standard_normal((12, 3)), [2], 1)
    model, batch = exact(feedback=feedback), make_batch([np.hstack([x, known])], u_dim=1)
    noise = draw_noise(model, batch, torch.Generator().manual_seed(0), paths=5)
    expected = kalman(x, known, feedback=feedback).loglike()
    assert float(iwae(model, batch, noise).value) == pytest.approx(expected, abs=1e-8)
    other = kalman(x, np.roll(known, 1, 0), feedback=feedback).loglike()  # u_t belongs to x_t
    assert abs(other - expected) > 0.1


def test_a_forecast_given_known_inputs_is_the_kalman_filters():
    x, known = np.split(
        np.random.default_rng(0).standard_normal((17, 3)).astype(np.float32), [2], 1
    )
    model, steps, n = exact(feedback=False), 5, 20_000
    run = PRESETS["series"]
    data = replace(run.data, columns="a,b", inputs="c")
    checkpoint = Checkpoint(
        replace(run, model=model.config, data=data), model, Frontend.plain(data)
    )
    found = forecast(checkpoint, np.hstack([x, known])[:12], steps, u=known[12:], paths=n)
    holes = x.astype(float)
    holes[12:] = np.nan
    predicted = kalman(holes, known.astype(float), feedback=False).filter()
    mean = predicted.forecasts[:, 12:].T
    of_z = np.diagonal(predicted.predicted_state_cov[..., 12:17], axis1=0, axis2=1)
    variance = linear_gaussian.C**2 * of_z + linear_gaussian.R
    assert (np.abs(found.mean - mean) < 5 * np.sqrt(variance / n)).all()
    assert (np.abs(found.samples.var(0) / variance - 1) < 5 * np.sqrt(2 / n)).all()


def test_a_known_input_stands_beside_the_frame_before_and_belongs_to_its_own():
    rows = np.arange(1.0, 13).reshape(4, 3).astype(np.float32)
    batch = make_batch([rows], u_dim=1)
    assert batch.x[0].tolist() == rows[:, :2].tolist()
    assert batch.u[0].tolist() == [[0, 0, 3], [1, 2, 6], [4, 5, 9], [7, 8, 12]]
    batch = make_batch([rows], first_frame=False, u_dim=1)
    assert batch.u[0].tolist() == [[1, 2, 6], [4, 5, 9], [7, 8, 12]]
    again = Batch.of(batch.whole, batch.lengths, 1)
    assert torch.equal(again.x, batch.x)
    assert torch.equal(again.u, batch.u)
    two = make_batch([rows, rows[:2]], u_dim=1).repeat(2).to(torch.float64)
    assert (two.x.shape, two.u.shape) == ((4, 4, 2), (4, 4, 3))


@pytest.mark.parametrize("kind", [Streams, WholeSequences])
def test_a_segment_keeps_each_input_with_its_frame(kind):
    frames = [
        np.stack([np.arange(40), 100.0 + np.arange(40)], 1).astype(np.float32) for _ in range(3)
    ]
    segments = kind(frames, 2, 7, 0 if kind is Streams else True, u_dim=1)
    for _, batch, _ in segments.epoch(torch.Generator().manual_seed(0)):
        valid = batch.mask.bool()
        assert torch.equal(batch.u[..., 1][valid], 100 + batch.x[..., 0][valid])


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("name", READERS)
def test_what_is_drawn_depends_on_the_inputs_so_far_and_on_frames_before_only_by_feedback(
    name, feedback
):
    torch.manual_seed(0)
    sizes = {"x_dim": 2, "d_dim": 4, "z_dim": 2, "hidden_dim": 5}
    model = build_model(
        ModelConfig(model=name, likelihood="gaussian", u_dim=1, feedback=feedback, **sizes)
    )
    rows = torch.randn(1, 6, 3).numpy()

    def read(rows):
        batch = make_batch(list(rows), u_dim=1)
        trace = model.unroll(
            batch.u, None, batch.lengths, model.initial_state(1), torch.zeros(1, 6, model.z_dim)
        )
        return model.emit(trace.d, trace.z, batch.u)[0]

    first, (other, moved) = read(rows), (rows.copy(), rows.copy())
    other[:, 3, 2] += 1
    moved[:, 3, :2] += 1
    assert (read(other) != first).any(1).tolist() == [False] * 3 + [True] * 3
    assert (read(moved) != first).any(1).tolist() == [False] * 4 + [feedback] * 2


def test_who_reads_no_inputs_refuses_them_and_who_needs_them_asks():
    for name in MODELS.keys() - set(READERS):
        for other in ({"u_dim": 1}, {"feedback": False}):
            with pytest.raises(ValueError, match="leave out --inputs and --no-feedback"):
                build_model(ModelConfig(model=name, **other))
    model = build_model(ModelConfig(x_dim=2, d_dim=4, z_dim=2, hidden_dim=5, u_dim=1))
    with pytest.raises(ValueError, match="the model reads 1 with each"):
        generate(model, 3)
    with pytest.raises(ValueError, match="2 rows of 1 known inputs are given for 3 frames"):
        generate(model, 3, inputs=torch.zeros(2, 1))


def test_inputs_are_standardised_for_themselves_whatever_the_values_are():
    rows = np.random.default_rng(0).integers(0, 9, (30, 3)).astype(np.float32)
    for values in ("real", "count"):
        config = DataConfig(features="series", values=values, columns="a,b", inputs="c")
        frames = Frontend.fit(config, 2, [rows[:9], rows[9:]])
        found = frames.frames(rows, 2)
        np.testing.assert_allclose(
            found[:, 2], (rows[:, 2] - rows[:, 2].mean()) / rows[:, 2].std(), rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(frames.signal(found[:, :2]), rows[:, :2], rtol=1e-5, atol=1e-6)
        gaps = frames.frames(np.where([0, 0, 1], np.nan, rows).astype(np.float32), 2)
        assert np.isnan(gaps[:, 2]).all()
        with pytest.raises(ValueError, match=r"A known input is missing \(NaN\)"):
            make_batch([gaps], u_dim=1)


def test_without_inputs_u_and_x_are_views_of_one_memory():
    whole = torch.randn(2, 6, 3)
    batch = Batch.of(whole, torch.tensor([5, 5]), 0)
    assert (batch.u.data_ptr(), batch.x.data_ptr()) == (whole.data_ptr(), whole[:, 1:].data_ptr())
    assert not any("features_u" in name for name in build_model(ModelConfig()).state_dict())


@pytest.mark.parametrize("name", READERS)
def test_a_missing_input_is_a_zero_and_a_mask_and_a_whole_one_changes_nothing(name):
    """The features of a whole row, whose mask says 1, are those of a model without gaps."""
    sizes = {"x_dim": 2, "u_dim": 2, "d_dim": 5, "z_dim": 3, "hidden_dim": 6}
    plain = build_model(ModelConfig(model=name, **sizes)).eval()
    model = build_model(ModelConfig(model=name, missing_inputs=True, **sizes)).eval()
    weights = plain.state_dict()
    for key, values in model.state_dict().items():
        if key.startswith("features_u"):  # one further on, behind the layer that masks
            _, i, kind = key.split(".")
            own = weights.pop(f"features_u.{int(i) - 1}.{kind}")
            values.zero_()[..., : own.shape[-1]].copy_(own)
        else:
            values.copy_(weights.pop(key))
    assert not weights
    rows = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    whole = make_batch([rows], u_dim=2)
    taken = make_batch([rows], u_dim=2, missing_inputs=True)
    assert torch.equal(taken.x, whole.x)
    assert torch.equal(taken.u, whole.u)
    noise = draw_noise(plain, whole, torch.Generator().manual_seed(0))
    same = (
        one.unroll(whole.u, whole.x, whole.lengths, one.initial_state(1), noise)
        for one in (plain, model)
    )
    for expected, found in zip(*map(flat, same), strict=True):
        torch.testing.assert_close(found, expected)
    # Of a row with holes the features are those of zeros, with the mask's own weights beside them.
    layer = model.features_u[1]
    layer.weight.data[:, 2:] = 1.0
    known = torch.as_tensor(rows[:, 2:])
    for hole in HOLES:
        known[hole] = torch.nan
    observed = (~known.isnan()).float()
    expected = torch.cat([known.nan_to_num(), observed], -1) @ layer.weight.T + layer.bias
    torch.testing.assert_close(layer(model.features_u[0](known)), expected)
    with pytest.raises(ValueError, match="known input is missing"):
        make_batch([np.concatenate([rows[:, :2], known], 1)], u_dim=2)
    taken = make_batch([np.concatenate([rows[:, :2], known], 1)], u_dim=2, missing_inputs=True)
    assert taken.u.isnan().sum() == len(HOLES)


def flat(trace):
    """The tensors of a trace."""
    return [trace.d, trace.z, *trace.prior, *trace.posterior]
