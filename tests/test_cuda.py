"""On a GPU: the values and gradients of a CPU in float64, also when they are recorded and replayed.

Nothing but torch, numpy, scipy, jaxtyping, safetensors, tqdm and pytest is needed:
``pytest --noconftest -o addopts= -o filterwarnings=default tests/test_cuda.py``.
"""

from dataclasses import replace

import pytest
import torch

from srnn_lab.config import PRESETS, ModelConfig
from srnn_lab.data import Frontend
from srnn_lab.data.sequences import Batch
from srnn_lab.inference.bounds import elbo, fivo
from srnn_lab.inference.evaluation import evaluate
from srnn_lab.inference.sampling import generate
from srnn_lab.models import build_model
from srnn_lab.models.base import State
from srnn_lab.models.networks import GRU, tf32
from srnn_lab.training.capture import Captured

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
SIZES = {"x_dim": 12, "d_dim": 16, "z_dim": 8, "hidden_dim": 24}
MODELS = [
    *(("srnn", {"smoothing": s, "residual": r}) for s in (True, False) for r in (True, False)),
    *((name, {}) for name in ("vrnn", "vrnn-i", "storn", "rnn")),
    *(
        ("dkf", {"gated_transition": g, "residual": r})
        for g in (True, False)
        for r in (True, False)
    ),
]


@pytest.fixture(autouse=True)
def whole_fp32():
    with tf32(False):
        yield


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("bound", [elbo, fivo])
@pytest.mark.parametrize(("name", "options"), MODELS)
def test_bounds_and_gradients_are_those_of_a_cpu(name, options, bound, recorded):
    torch.manual_seed(0)
    model = build_model(ModelConfig(model=name, num_layers=2, **SIZES, **options)).double()
    whole, lengths, k = (
        torch.rand(4, 14, 12, dtype=torch.float64).round(),
        torch.tensor([13, 9, 1, 5]),
        4,
    )
    noise = torch.randn(k * 4, 13, model.z_dim, dtype=torch.float64)
    uniforms = torch.rand(4, 13, 1, dtype=torch.float64)
    inputs = [whole, lengths, *model.initial_state(4), noise, uniforms]

    def passes(whole, lengths, d, z, noise, uniforms):
        batch, state = Batch.of(whole, lengths), State(d, z)
        if bound is elbo:
            value = elbo(model, batch, state, noise).elbo.sum()
        else:
            value = fivo(model, batch, noise, uniforms, state).value.sum()
        model.zero_grad()
        value.backward()
        return (value.detach(),)

    def run(*inputs):
        value = (Captured(passes, model) if recorded and inputs[0].is_cuda else passes)(*inputs)[0]
        return [
            value.cpu(),
            *(p.grad.cpu().clone() for p in model.parameters() if p.grad is not None),
        ]

    expected = run(*inputs)
    model.cuda()
    for values in zip(run(*(v.cuda() for v in inputs)), expected, strict=True):
        torch.testing.assert_close(*values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("d", [7, 10, 126, 128, 132, 150, 160, 192, 196, 256])
def test_a_gru_of_any_size_has_the_gradients_of_a_cpu(d, dtype):
    """After 128 and 192 units cuDNN changes algorithms; for no multiple of 4 it is not asked."""
    torch.manual_seed(0)
    gru, x, d_0 = (
        GRU(12, d).to(dtype),
        torch.randn(4, 9, 12, dtype=dtype),
        torch.randn(4, d, dtype=dtype),
    )

    def gradients():
        gru.zero_grad()
        gru(x.to(gru.bias_hh_l0), d_0.to(gru.bias_hh_l0))[
            :, 1:
        ].square().sum().backward()  # a part of the states
        return [p.grad.cpu().clone() for p in gru.parameters()]

    expected = gradients()
    gru.cuda()
    for values in zip(gradients(), expected, strict=True):
        torch.testing.assert_close(*values, rtol=1e-4, atol=1e-4)


def test_dropout_of_a_recording_follows_the_seed_and_is_that_without_one():
    model = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Dropout(0.5)).cuda()

    def passes(x):
        model.zero_grad()
        value = model(x).square().sum()
        value.backward()
        return (value.detach(),)

    captured, x = Captured(passes, model), torch.randn(5, 8, device="cuda")
    for seed in (3, 4, 3):
        torch.manual_seed(seed)
        found = captured(x)[0].clone()
        torch.manual_seed(seed)
        torch.testing.assert_close(found, passes(x)[0])


def test_pinned_inputs_of_several_shapes_share_their_memory_and_stay_right():
    model = torch.nn.Linear(8, 1).cuda()

    def passes(x):
        model.zero_grad()
        value = model(x).square().sum()
        value.backward()
        return (value.detach(), (2 * x).detach())

    captured = Captured(passes, model)
    for rows in (3, 5, 3, 4, 5, 3):
        x = torch.randn(rows, 8)
        value, doubled = captured(x.pin_memory())
        torch.testing.assert_close(doubled.cpu(), 2 * x)
        found = value.cpu(), model.weight.grad.cpu().clone()
        expected = passes(x.cuda())[0].cpu()
        torch.testing.assert_close(found, (expected, model.weight.grad.cpu()))
    assert len(captured.recordings) == 3


def test_evaluation_is_that_of_a_cpu_and_sampling_works():
    config = PRESETS["jsb"]
    torch.manual_seed(0)
    model = build_model(replace(config.model, d_dim=160)).eval()
    frontend = Frontend.fit(config.data, 88, [])
    rolls = frontend.sequences([(torch.rand(n, 88) < 0.05).numpy() for n in (30, 17)], 88)
    bounds = ["iwae:4"]
    expected = evaluate(model, rolls, config.evaluation, bounds=bounds).to_dict()
    found = evaluate(model.cuda(), rolls, config.evaluation, bounds=bounds).to_dict()
    assert found == pytest.approx(expected, rel=1e-4)
    assert generate(model, 5).shape == (1, 5, 88)
