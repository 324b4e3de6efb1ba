"""The recursions by hand against torch's GRU, and the loop over ``step``, by autograd."""

from itertools import product

import pytest
import torch
from tiny import SIZES
from torch import nn

from srnn_lab.config import ModelConfig
from srnn_lab.models import build_model, recurrence
from srnn_lab.models.base import SequenceModel, State
from srnn_lab.models.networks import GRU
from srnn_lab.models.recurrence import gru

VARIANTS = list(product([True, False], [True, False], [1, 2]))


def random_gru(in_dim, out_dim, dtype=torch.float64):
    torch.manual_seed(0)
    return nn.GRU(in_dim, out_dim, batch_first=True, dtype=dtype)


@pytest.mark.parametrize(("batch", "length"), [(3, 7), (1, 1), (1, 5), (4, 1)])
def test_the_gru_has_the_states_and_gradients_of_torchs(batch, length):
    definition = random_gru(5, 4)
    weights = list(definition.parameters())
    x = torch.randn(batch, length, 5, dtype=torch.float64, requires_grad=True)
    d_0 = torch.randn(batch, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(batch, length, 4, dtype=torch.float64)
    expected, _ = definition(x, d_0[None])
    found = gru(x, d_0, *weights)
    torch.testing.assert_close(found, expected)
    for grads in zip(
        *(torch.autograd.grad(d, [x, d_0, *weights], upstream) for d in (found, expected)),
        strict=True,
    ):
        torch.testing.assert_close(*grads)


def test_the_gru_runs_backwards_as_it_does_over_reversed_frames():
    definition = random_gru(5, 4)
    weights = list(definition.parameters())
    x, upstream = (
        torch.randn(3, 6, 5, dtype=torch.float64, requires_grad=True),
        torch.randn(3, 6, 4).double(),
    )
    h_0 = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    expected, found = (
        definition(x.flip(1), h_0[None])[0].flip(1),
        gru(x, h_0, *weights, backwards=True),
    )
    torch.testing.assert_close(found, expected)
    for grads in zip(
        *(torch.autograd.grad(h, [x, h_0, *weights], upstream) for h in (found, expected)),
        strict=True,
    ):
        torch.testing.assert_close(*grads)


class OnAGPU(torch.Tensor):
    """Numbers that say so, though they are not."""

    device = torch.device("cuda")


def test_the_gru_of_a_gpu_is_not_autocast(monkeypatch):
    """What is handed to cuDNN, which is not run here."""
    handed = []

    def forward(self, inputs, d_0):
        handed.append((inputs.dtype, d_0.dtype, torch.is_autocast_enabled("cuda")))
        return inputs.new_zeros(*inputs.shape[:2], self.hidden_size), d_0

    monkeypatch.setattr(nn.GRU, "forward", forward)
    inputs = torch.zeros(2, 5, 3, dtype=torch.bfloat16).as_subclass(OnAGPU)
    torch.set_autocast_enabled("cuda", True)
    try:
        d = GRU(3, 4)(inputs, torch.zeros(2, 4))
        assert torch.is_autocast_enabled("cuda")
    finally:
        torch.set_autocast_enabled("cuda", False)
    assert handed == [(torch.float32, torch.float32, False)]
    assert d.dtype == torch.float32


def test_the_gru_of_a_gpu_begins_from_whole_rows(monkeypatch):
    """STORN hands it one half of a state; cuDNN refuses that, and torch does not copy it."""

    def forward(self, inputs, d_0):
        assert d_0.is_contiguous()
        return inputs.new_zeros(*inputs.shape[:2], self.hidden_size), d_0

    monkeypatch.setattr(nn.GRU, "forward", forward)
    GRU(3, 4)(torch.zeros(2, 5, 3).as_subclass(OnAGPU), torch.zeros(2, 8).chunk(2, -1)[1])


@torch.no_grad()
@pytest.mark.parametrize("name", ["gru", "path"])
def test_one_frame_of_one_sequence_leaves_the_weights_as_they_were(name):
    definition = random_gru(5, 4) if name == "gru" else tiny_model()
    before = [p.clone() for p in definition.parameters()]
    if name == "gru":
        gru(
            torch.randn(1, 1, 5, dtype=torch.float64),
            torch.zeros(1, 4, dtype=torch.float64),
            *definition.parameters(),
        )
    else:
        x = torch.randn(1, 1, 5, dtype=torch.float64)
        noise = torch.randn(1, 1, SIZES["z_dim"], dtype=torch.float64)
        definition.unroll(
            x, x, torch.ones(1, dtype=torch.int64), definition.initial_state(1), noise
        )
    assert all(map(torch.equal, definition.parameters(), before))


def test_the_gru_in_16_bits_comes_close_where_its_products_are_large():
    x, d_0 = torch.randn(64, 4, 32), torch.zeros(64, 256)
    definition = random_gru(32, 256, torch.float32)
    weights = list(definition.parameters())
    expected = definition(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = gru(x, d_0, *weights)
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 0.02
    upstream = torch.randn_like(expected)
    for a, b in zip(
        *(torch.autograd.grad(d, weights, upstream) for d in (found, expected)), strict=True
    ):
        assert 0 < (a - b).norm() < 0.02 * b.norm()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("large", [0, 2**40])
def test_a_packed_weight_has_the_products_of_the_weight(dtype, transposed, large, monkeypatch):
    monkeypatch.setattr(recurrence, "LARGE", large)
    torch.manual_seed(0)
    weight = torch.randn(70, 33, dtype=dtype)
    weight = weight.t() if transposed else weight
    a, out = torch.randn(5, weight.shape[1]).double(), torch.randn(5, len(weight)).double()
    rows = a.to(torch.float64 if dtype == torch.float64 else torch.float32)
    out = out.to(rows.dtype)
    # The product rounded to 16 bits once, as the packed one.
    expected = out + rows.to(dtype) @ weight.t()
    recurrence._adding(weight, 5)(out, rows)
    torch.testing.assert_close(out, expected)


def tiny_model(name="srnn", smoothing=True, residual=True, num_layers=1, gated=False):
    torch.manual_seed(0)
    options = {
        "num_layers": num_layers,
        "smoothing": smoothing,
        "residual": residual,
        "gated_transition": gated,
    }
    config = ModelConfig(model=name, likelihood="gaussian", x_dim=5, **options, **SIZES)
    model = build_model(config).double()
    with torch.no_grad():
        for parameter in model.parameters():  # biases too, and activations that reach the clip
            parameter.normal_(std=1.2)
    return model


@pytest.mark.parametrize(("name", "gated"), [("srnn", False), ("dkf", False), ("dkf", True)])
@pytest.mark.parametrize(("smoothing", "residual", "num_layers"), VARIANTS)
def test_a_state_space_models_path_is_that_of_its_steps_with_its_gradients(
    name, gated, smoothing, residual, num_layers
):
    model = tiny_model(name, smoothing, residual, num_layers, gated)
    batch, length = 3, 6
    u, x = torch.randn(2, batch, length, 5, dtype=torch.float64)
    state = State(
        *(torch.randn_like(values, requires_grad=True) for values in model.initial_state(batch))
    )
    noise = torch.randn(batch, length, model.z_dim, dtype=torch.float64)
    lengths = torch.full((batch,), length)

    def run(path):
        d, z, prior, posterior = path(model.encode(u, x, lengths, state), state, noise)
        outputs = [d, z, *prior, *posterior]
        torch.manual_seed(1)
        weighted = sum(
            (values * torch.randn(values.shape, dtype=torch.float64)).sum() for values in outputs
        )
        grads = torch.autograd.grad(weighted, [*state, *model.parameters()], allow_unused=True)
        return [*outputs, *(g for g in grads if g is not None)]

    by_step = run(lambda *args: SequenceModel.path(model, *args))
    by_hand = run(model.path)
    assert len(by_hand) == len(by_step) > 20
    for values in zip(by_hand, by_step, strict=True):
        torch.testing.assert_close(*values)


@pytest.mark.parametrize("name", ["srnn", "dkf"])
def test_a_path_in_16_bits_comes_close_to_that_of_its_steps(name, monkeypatch):
    """Also in the products of one frame, as on a GPU and in a large model on a CPU."""
    monkeypatch.setattr(recurrence, "SMALL", 0)
    torch.manual_seed(0)
    sizes = {"x_dim": 16, "d_dim": 32, "z_dim": 16, "hidden_dim": 64, "num_layers": 2}
    model = build_model(ModelConfig(model=name, likelihood="gaussian", **sizes))
    x, noise, lengths, state = (
        torch.randn(8, 6, 16),
        torch.randn(8, 6, 16),
        torch.full((8,), 6),
        model.initial_state(8),
    )
    weights = list(model.parameters())

    def run(path):
        _, z, prior, posterior = path(model.encode(x, x, lengths, state), state, noise)
        loss = posterior.kl(prior).mean() + z.square().mean()
        grads = torch.autograd.grad(loss, weights, allow_unused=True)
        return loss, torch.cat([g.flatten() for g in grads if g is not None])

    expected = run(model_path(model))
    with torch.autocast("cpu", torch.bfloat16):
        found = run(model.path)
    for value, exact in zip(found, expected, strict=True):
        assert 0 < (value - exact).norm() < 0.05 * exact.norm()


def test_the_tiny_srnn_has_units_on_each_piece_of_the_rectifier():
    model = tiny_model(num_layers=2)
    x = torch.randn(3, 6, 5, dtype=torch.float64)
    context = model.encode(x, x, torch.full((3,), 6), model.initial_state(3))
    values = model.posterior.activation(context["for_posterior"])
    for share in (values == 3, (values > 0) & (values < 3), (values < 0) & (values > -3)):
        assert share.double().mean() > 0.02


def test_features_that_inputs_and_observations_share_are_computed_once_with_the_same_result():
    model = tiny_model()
    whole = torch.randn(2, 6, 5, dtype=torch.float64)
    u, x, lengths, state = whole[:, :-1], whole[:, 1:], torch.full((2,), 5), model.initial_state(2)
    calls = []
    model.features.register_forward_hook(lambda *args: calls.append(1))
    together = model.encode(u, x, lengths, state)
    assert len(calls) == 1
    other = x.clone()
    other[:, -1] += 1  # the last observation is no input, so this is shared too
    model.encode(u, other, lengths, state)
    assert len(calls) == 2
    generated = model.encode(u, None, lengths, state)
    torch.testing.assert_close(generated["d"], together["d"])
    shifted = model.encode(u + 1e-12, x, lengths, state)
    assert len(calls) == 5
    for name in together:
        torch.testing.assert_close(shifted[name], together[name])


@pytest.mark.parametrize(
    ("floor", "raw"), [(1e-6, 90.0), (1e-6, -110.0), (0.0, -110.0), (0.0, 90.0)]
)
def test_extreme_variances_stay_finite_with_the_gradient_of_the_steps(floor, raw):
    torch.manual_seed(0)
    model = build_model(ModelConfig(likelihood="gaussian", x_dim=5, variance_floor=floor, **SIZES))
    with torch.no_grad():
        model.posterior.logvar[-1].bias.fill_(raw)
    x, state, lengths = (
        torch.randn(2, 1, 5),
        model.initial_state(2),
        torch.ones(2, dtype=torch.int64),
    )
    noise = torch.randn(2, 1, model.z_dim)
    paths = (
        path(model.encode(x, x, lengths, state), state, noise)
        for path in (model.path, model_path(model))
    )
    found, expected = (
        (z, torch.autograd.grad(z.sum(), model.posterior.logvar[-1].bias)[0]) for _, z, *_ in paths
    )
    for values in zip(found, expected, strict=True):
        torch.testing.assert_close(*values)
        assert values[0].isfinite().all()


def model_path(model):
    return lambda *args: SequenceModel.path(model, *args)
