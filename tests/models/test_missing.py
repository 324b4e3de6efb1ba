"""Values that are missing: exact answers, and data that have them."""

from dataclasses import replace

import linear_gaussian
import numpy as np
import pytest
import torch
from linear_gaussian import LinearDKF, LinearSRNN
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter
from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother
from torch import nn

from srnn_lab.analysis.imputation import impute
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.config import PRESETS, ModelConfig, RunConfig
from srnn_lab.data import make_batch
from srnn_lab.data.series import complete
from srnn_lab.inference.bounds import draw_noise, draw_uniforms, elbo, fivo, iwae
from srnn_lab.models import MODELS, State, build_model
from srnn_lab.models.likelihoods import LIKELIHOODS
from srnn_lab.models.networks import Observed
from srnn_lab.training.fitting import fit

GAPS = [name for name, likelihood in LIKELIHOODS.items() if likelihood.takes_gaps]
FILLING = [name for name in MODELS if "stand_in" in MODELS[name].reads]
HOLES = [(0, 0), (3, 1), (4, 0), (4, 1), (5, 0), (9, 1), (11, 0), (11, 1)]
"""Row and column of what is missing: alone, whole rows, the first and the last."""


def table(n=12, holes=HOLES):
    rows = np.random.default_rng(0).standard_normal((n, 2))
    for hole in holes:
        rows[hole] = np.nan
    return rows


class Messages(linear_gaussian.Messages):
    """Those of a frame of which some values are missing: they say nothing of their chain."""

    def forward(self, inputs, lengths):
        of_d, x, observed = (
            inputs.split([1, 2, 2], -1) if self.has_d else (None, *inputs.split([2, 2], -1))
        )
        whole = super().forward(x if of_d is None else torch.cat([of_d, x], -1), lengths)
        return whole if observed.all() else self._with_gaps(of_d, x, observed)

    def _with_gaps(self, of_d, x, observed):
        a, c, q, r = (torch.as_tensor(getattr(linear_gaussian, name)) for name in "ACQR")
        d = torch.zeros_like(x[..., :1]) if of_d is None else of_d
        into_z, into_x = (
            torch.as_tensor(linear_gaussian.B) * d,
            torch.as_tensor(linear_gaussian.D) * d,
        )
        if of_d is None:
            into_z, into_x = 0 * x, 0 * x
        messages, ahead_j, ahead_h = [], 0, 0
        for t in reversed(range(x.shape[1])):
            j = observed[:, t] * c**2 / r + ahead_j
            h = observed[:, t] * c / r * (x - into_x)[:, t] + ahead_h
            messages.append(torch.cat([j, h + into_z[:, t] / q], -1))
            gain = a / (1 + q * j)
            ahead_j, ahead_h = gain * a * j, gain * (h - j * into_z[:, t])
        return torch.stack(messages[::-1], 1)


class Fixed(linear_gaussian.FixedStates):
    """The states of u, with what stands for what is missing of it."""

    def forward(self, u, d):
        return super().forward(u[..., :2], d)

    def step(self, u_t, d):
        return self(u_t[:, None], d)[:, 0]


def with_gaps(kind, stand_in="zero"):
    """An exact model that expects gaps."""
    model = kind()
    model.config = replace(model.config, missing=True, stand_in=stand_in)
    model.likelihood.missing = True
    model.features, model.a = nn.Sequential(Observed()), Messages("smoothing", has_d=model.has_d)
    if model.has_d:
        model.gru_d = Fixed()
    return model


def states(x, stand_in):
    """d_t = d_{t-1} / 2 + the mean of u_t, with 0 or C z_{t-1} + D d_{t-1} for what is missing.

    There z follows the means of its prior."""
    d, z, before, found = 0.0, np.zeros(2), np.zeros(2), []
    for x_t in x:
        d = d / 2 + before.mean()
        z = linear_gaussian.A * z + linear_gaussian.B * d
        mean = linear_gaussian.C * z + linear_gaussian.D * d
        before = np.where(np.isnan(x_t), mean if stand_in == "mean" else 0, x_t)
        found.append(d)
    return np.array(found)


def kalman(model, x, smoother=KalmanFilter):
    """The Kalman filter of a table with gaps."""
    d = states(x, model.config.stand_in)[None] if model.has_d else np.zeros((1, len(x)))
    of_z, of_x = linear_gaussian.B[:, None] * d, linear_gaussian.D[:, None] * d
    found = smoother(
        2,
        2,
        design=np.diag(linear_gaussian.C),
        obs_cov=np.diag(linear_gaussian.R),
        transition=np.diag(linear_gaussian.A),
        selection=np.eye(2),
        state_cov=np.diag(linear_gaussian.Q),
    )
    found.bind(x.copy())
    found["obs_intercept"], found["state_intercept"] = of_x, np.roll(of_z, -1, 1)
    found.initialize_known(of_z[:, 0], np.diag(linear_gaussian.Q))
    return found


@pytest.mark.parametrize(
    ("kind", "stand_in"), [(LinearDKF, "zero"), (LinearSRNN, "zero"), (LinearSRNN, "mean")]
)
def test_the_bounds_of_a_table_with_gaps_are_the_kalman_filters_evidence(kind, stand_in):
    model, x = with_gaps(kind, stand_in), table()
    batch = make_batch([x], missing=True)
    expected = kalman(model, x).loglike()
    noise = draw_noise(model, batch, torch.Generator().manual_seed(0), paths=5)
    # Whatever path is drawn, p(x, z) / q(z | x) is p(x); a particle filter that never resamples
    # carries it to the end.
    never = fivo(model, batch, noise, draw_uniforms(batch), resampling_share=0.0)
    for value in (iwae(model, batch, noise).value, never.value):
        assert float(value) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("kind", "stand_in"), [(LinearDKF, "zero"), (LinearSRNN, "zero"), (LinearSRNN, "mean")]
)
def test_the_posterior_mean_of_a_gap_is_the_kalman_smoothers(kind, stand_in):
    model, x = with_gaps(kind, stand_in), table()
    batch = make_batch([x], missing=True)
    trace = elbo(model, batch, noise=torch.zeros(1, len(x), 2, dtype=torch.float64)).trace
    expected = kalman(model, x, KalmanSmoother).smooth().smoothed_state.T
    torch.testing.assert_close(trace.z[0], torch.as_tensor(expected), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", [LinearDKF, LinearSRNN])
def test_a_table_without_gaps_gives_to_the_bit_what_it_gave_before(kind):
    x = table(holes=[])
    noise = torch.randn(
        1, len(x), 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    batch = make_batch([x])
    assert torch.equal(
        elbo(with_gaps(kind), batch, noise=noise).elbo, elbo(kind(), batch, noise=noise).elbo
    )


@pytest.mark.parametrize("name", GAPS)
def test_the_density_of_what_is_observed_is_that_of_a_frame_of_it_alone(name):
    sizes = {"likelihood": name, "num_components": 3}
    whole = LIKELIHOODS[name](ModelConfig(x_dim=5, missing=True, **sizes)).double()
    part = LIKELIHOODS[name](ModelConfig(x_dim=3, **sizes)).double()
    torch.manual_seed(0)
    params = torch.randn(4, whole.num_params, dtype=torch.float64, requires_grad=True)
    kept, x = torch.tensor([0, 2, 3]), torch.randint(0, 2, (4, 5)).double()
    x[:, [1, 4]] = np.nan
    logits, rest = (
        (params[:, :3], params[:, 3:]) if name == "gaussian-mixture" else (params[:, :0], params)
    )
    own = torch.cat([logits, rest.unflatten(-1, (-1, 5))[..., kept].flatten(-2)], -1)
    found = whole.log_prob(params, x)
    torch.testing.assert_close(found, part.log_prob(own, x[:, kept]))
    (gradient,) = torch.autograd.grad(found.sum(), params)
    assert gradient.isfinite().all()
    assert (gradient[:, -1] == 0).all()  # of a value that is missing


def test_what_needs_all_values_refuses_gaps():
    for name in LIKELIHOODS.keys() - set(GAPS):
        with pytest.raises(ValueError, match="needs all values of a frame"):
            build_model(ModelConfig(likelihood=name, missing=True))
    with pytest.raises(ValueError, match="'tsbn' needs all values"):
        build_model(ModelConfig(model="tsbn", missing=True))
    with pytest.raises(ValueError, match="centred_inputs is True; where values are missing"):
        ModelConfig(missing=True, centred_inputs=True)
    with pytest.raises(ValueError, match="trained on data without such gaps"):
        make_batch([table()])


@pytest.mark.parametrize("likelihood", ["gaussian", "poisson"])
def test_tables_with_gaps_are_trained_on_and_filled(tmp_path, likelihood):
    values = {"gaussian": "real", "poisson": "count"}[likelihood]
    run = PRESETS["series"]
    run = replace(
        run,
        model=replace(run.model, likelihood=likelihood, d_dim=5, z_dim=2, hidden_dim=6),
        data=replace(run.data, values=values),
        train=replace(run.train, epochs=2, batch_size=2, segment_length=8, start_from_mean=True),
    )
    rng = np.random.default_rng(0)
    tables = [rng.poisson(5, (16, 3)).astype(np.float32) for _ in range(4)]
    for rows in tables:
        rows[rng.random(rows.shape) < 0.3] = np.nan
    best = fit(run, tmp_path, data=dict.fromkeys(("train", "valid", "test"), tables)).best
    assert best.config.model.missing
    if values == "real":
        joined = np.concatenate(tables)
        np.testing.assert_allclose(best.frontend.mean, np.nanmean(joined, 0), rtol=1e-5)
        np.testing.assert_allclose(best.frontend.std, np.nanstd(joined, 0), rtol=1e-5)
    assert np.isfinite(inspect_signal(best, tables[0]).log_px).all()
    found, missing = impute(best, tables[0], num_samples=3), np.isnan(tables[0])
    for rows in (found.mean, *found.draws):
        np.testing.assert_array_equal(rows[~missing], tables[0][~missing])
        assert np.isfinite(rows).all()
    assert (found.deviation[missing] > 0).all()
    assert (found.deviation[~missing] == 0).all()


def test_an_empty_cell_is_a_gap(tmp_path):
    for name, text in (("a", "x,y\n1,\n2,NA\n3,4\n"), ("b", "x,y\n5,6\n"), ("c", "x,y\n7,8\n")):
        (tmp_path / f"{name}.csv").write_text(text)
    run = PRESETS["series"]
    assert complete(replace(run, data=replace(run.data, data=str(tmp_path)))).model.missing
    assert not complete(
        replace(run, data=replace(run.data, data=str(tmp_path), columns="x"))
    ).model.missing


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tsbn"])
def test_no_model_reads_a_value_that_is_missing(name):
    torch.manual_seed(0)
    model = build_model(
        ModelConfig(
            model=name, likelihood="gaussian", x_dim=2, d_dim=4, z_dim=2, hidden_dim=5, missing=True
        )
    )
    batch = make_batch(
        [table().astype(np.float32), table(9, HOLES[:5]).astype(np.float32)], missing=True
    )
    noise = draw_noise(model, batch, torch.Generator().manual_seed(0))
    bound = elbo(model, batch, noise=noise).elbo
    bound.sum().backward()
    assert bound.isfinite().all()
    assert all(
        parameter.grad is None or parameter.grad.isfinite().all()
        for parameter in model.parameters()
    )


def filling(name, **options):
    """A model in which a mean stands for what is missing of u."""
    torch.manual_seed(0)
    sizes = {"x_dim": 2, "d_dim": 4, "z_dim": 2, "hidden_dim": 5, "likelihood": "gaussian"}
    options = {"missing": True, "stand_in": "mean", **sizes, **options}
    return build_model(ModelConfig(model=name, **options)).double()


def gru(model, d, read):
    return nn.GRU.forward(model.gru_d, read[:, None], d[None])[0][:, 0]


def cell(model, d, z, read):
    return model.gru_d(d, model.features_z(z), model.gru_d.project(read[:, None])[:, 0])


BY_HAND = {
    "srnn": lambda model, d, z_tm1, z, read, t: gru(model, d, read),
    "rnn": lambda model, d, z_tm1, z, read, t: gru(model, d, read),
    "vrnn": lambda model, d, z_tm1, z, read, t: cell(model, d, z_tm1, read),
    "vrnn-i": lambda model, d, z_tm1, z, read, t: cell(model, d, z_tm1, read),
    "storn": lambda model, d, z_tm1, z, read, t: cell(model, d, z, read),
    "vrae": lambda model, d, z_tm1, z, read, t: gru(
        model, d if t else torch.tanh(model.first_d(z)), read
    ),
}
"""d_t, given d_{t-1}, z_{t-1}, z_t and the features of u_t."""


@pytest.mark.parametrize("likelihood", ["gaussian", "poisson"])
@pytest.mark.parametrize("name", FILLING)
@torch.no_grad()
def test_the_mean_stands_in_u_for_what_is_missing_as_in_a_loop_by_hand(name, likelihood):
    model = filling(name, likelihood=likelihood)
    x, log = table(), torch.log1p if likelihood == "poisson" else (lambda values: values)
    x = np.floor(3 * np.abs(x)) if likelihood == "poisson" else x
    batch = make_batch([x], missing=True)
    noise = draw_noise(model, batch, torch.Generator().manual_seed(0))
    trace = elbo(model, batch, noise=noise).trace
    d, z, before, known = (
        torch.full((1, n), v).double() for n, v in [(4, 0), (2, 0), (2, 0), (2, 1)]
    )
    for t, x_t in enumerate(torch.as_tensor(x)):
        read = model.features[1 + (likelihood == "poisson") :](torch.cat([log(before), known], -1))
        z_t = trace.z[:, t]
        d = BY_HAND[name](model, d, z, z_t, read, t)
        torch.testing.assert_close(trace.d[:, t, :4], d)
        z = model.prior(z, model.prior.project(d)).mu if name == "srnn" else z_t
        of_z = [] if name in ("rnn", "storn", "vrae") else [model.features_z(z)]
        mean = model.likelihood.mean(model.emission(torch.cat([d, *of_z], -1)))
        known = (~x_t.isnan()).double()[None]
        before = torch.where(x_t.isnan(), mean, x_t)


@pytest.mark.parametrize("name", FILLING)
@torch.no_grad()
def test_a_past_with_holes_leads_to_one_state_at_once_in_parts_and_frame_by_frame(name):
    model, x = filling(name), table()
    batch = make_batch([x, x[::-1].copy()], missing=True)
    noise = draw_noise(model, batch, torch.Generator().manual_seed(0))
    whole = model.unroll(batch.u, None, batch.lengths, model.initial_state(2), noise).state
    assert not torch.equal(*whole.d)  # the last frame has a hole in one of them
    for size in (1, 5):
        state = model.initial_state(2)
        for u, part in zip(batch.u.split(size, 1), noise.split(size, 1), strict=True):
            state = model.unroll(u, None, torch.full((2,), u.shape[1]), state, part).state
        torch.testing.assert_close(state, whole)
    if name in ("srnn", "rnn"):  # whose d does not depend on what z is drawn from
        torch.testing.assert_close(elbo(model, batch, noise=noise).trace.state.d, whole.d)


@pytest.mark.parametrize("name", FILLING)
def test_without_holes_it_does_not_matter_what_would_stand_in_u(name):
    mean, zero = filling(name), filling(name, stand_in="zero")
    batch = make_batch([table(holes=[])], missing=True)
    noise = draw_noise(zero, batch, torch.Generator().manual_seed(0), paths=3)
    found = []
    for model in (mean, zero):
        bounds = elbo(model, batch, noise=noise).elbo, iwae(model, batch, noise).value
        bounds[0].sum().backward()
        found.append((bounds, [p.grad for p in model.parameters() if p.grad is not None]))
    assert all(torch.equal(*pair) for pair in zip(*(bounds for bounds, _ in found), strict=True))
    torch.testing.assert_close(*(gradients for _, gradients in found))  # added in another order


@pytest.mark.parametrize("name", FILLING)
def test_what_stands_in_u_is_data_without_gradient_and_without_dropout(name):
    model = filling(name, dropout_emission=0.5, dropout_d=0.5).train()
    d = torch.randn(1, model.d_dim, dtype=torch.float64, requires_grad=True)
    state = State(d, torch.randn(1, model.z_dim, dtype=torch.float64, requires_grad=True))
    with model.expecting():
        values = [model.expected(state) for _ in range(2)]
    assert torch.equal(*values)
    assert not values[0].requires_grad
    assert model.training
    with model.expecting():  # of what no frame came before, nothing is expected
        assert (model.expected(model.initial_state(3)) == 0).all()


def test_a_checkpoint_of_before_reads_zeros():
    stored = RunConfig(model=ModelConfig(missing=True, stand_in="mean")).to_dict()
    del stored["model"]["stand_in"]
    assert RunConfig.from_dict(stored).model.stand_in == "zero"


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tsbn"])
def test_what_stands_in_u_counts_in_those_models_that_say_so(name):
    batch = make_batch([table()], missing=True)
    bounds = [
        elbo(model, batch, noise=draw_noise(model, batch, torch.Generator().manual_seed(0))).elbo
        for model in (filling(name), filling(name, stand_in="zero"))
    ]
    assert torch.equal(*bounds) == (name not in FILLING)
