from dataclasses import fields
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from tiny import music_run

from srnn_lab.config import ModelConfig
from srnn_lab.inference.bounds import elbo
from srnn_lab.models import build_model
from srnn_lab.reports import benchmark
from srnn_lab.reports.benchmark import SHAPES, Benchmark, PlainSRNN, random_batch


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_yardstick_has_the_librarys_bound_and_gradients(likelihood, num_layers):
    torch.manual_seed(0)
    sizes = {"x_dim": 7, "d_dim": 5, "z_dim": 3, "hidden_dim": 6, "num_layers": num_layers}
    model = build_model(ModelConfig(likelihood=likelihood, **sizes)).double()
    plain = PlainSRNN(model).double()
    batch = benchmark.make_batch(list(torch.rand(3, 9, 7).round().numpy()), first_frame=False)
    batch = batch.to(torch.float64)
    noise = torch.randn(3, 8, 3, dtype=torch.float64)
    bound = elbo(model, batch, noise=noise)
    log_px, kl = plain(batch.u, batch.x, noise)
    torch.testing.assert_close(log_px, bound.log_px)
    torch.testing.assert_close(kl, bound.kl)
    bound.elbo.sum().backward()
    (log_px - kl).sum().backward()
    for name, parameter in model.named_parameters():
        theirs = parameter.grad.clone()
        assert theirs.abs().sum() > 0, name
        parameter.data.copy_(theirs)  # so that the pairs are pairs of gradients
    for mine, theirs in plain.pairs(model):
        torch.testing.assert_close(mine.grad, theirs.data)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_batch_has_the_shape_that_is_benchmarked(shape):
    expected = {"music": (16, 100, 88), "timit": (64, 40, 200)}[shape]
    batch = random_batch(shape, SHAPES[shape].train.segment_length)
    assert batch.x.shape == expected
    model = SHAPES[shape].model
    sizes = (model.d_dim, model.z_dim, model.hidden_dim, model.num_layers)
    assert sizes == {"music": (300, 100, 500, 1), "timit": (1024, 256, 512, 2)}[shape]


@pytest.mark.parametrize("has_bf16", [True, False])
def test_every_figure_is_measured(has_bf16, monkeypatch):
    monkeypatch.setitem(SHAPES, "music", music_run(segment_length=8))
    monkeypatch.setattr(benchmark, "TIMINGS", 1)
    monkeypatch.setattr(benchmark, "WARM_UP", 0)
    monkeypatch.setattr(benchmark, "use_bf16", lambda *_: has_bf16)
    measured = benchmark.benchmark("music")
    for field in fields(Benchmark):
        value = getattr(measured, field.name)
        if "bf16" in field.name and not has_bf16:
            assert value is None
        elif field.name != "shape":
            assert value > 0, field.name
    assert measured.frames == 3 * 8
    assert measured.fp32_over_plain == pytest.approx(measured.plain_ms / measured.fp32_ms)
    gflops = 6e-9 * measured.parameters * measured.frames / (measured.fp32_ms / 1e3)
    assert measured.fp32_share == pytest.approx(gflops / measured.peak_fp32_gflops)


def test_runs_take_turns_and_their_medians_count(monkeypatch):
    now, order = count(0.0), []
    monkeypatch.setattr(benchmark, "time", SimpleNamespace(perf_counter=lambda: next(now)))

    def slow():
        order.append("slow")
        next(now)

    assert benchmark.medians({"fast": lambda: order.append("fast"), "slow": slow}) == {"fast": 1, "slow": 2}
    assert order == ["fast", "slow"] * (benchmark.TIMINGS + benchmark.WARM_UP)
    assert benchmark.TIMINGS >= 7
