from dataclasses import fields
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from tiny import music_run
from torch.overrides import TorchFunctionMode

from srnn_lab.config import ModelConfig
from srnn_lab.inference.bounds import elbo
from srnn_lab.models import build_model
from srnn_lab.reports import benchmark
from srnn_lab.reports.benchmark import SHAPES, Benchmark, random_batch
from srnn_lab.reports.yardsticks import PeerSRNN, PlainSRNN


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


def test_the_peer_has_the_bound_of_its_networks_frame_by_frame():
    torch.manual_seed(0)
    sizes = {"x_dim": 7, "d_dim": 8, "z_dim": 3, "hidden_dim": 6, "num_layers": 2}
    model = build_model(ModelConfig(likelihood="gaussian", **sizes))
    peer = PeerSRNN(model, 8).double()
    whole, noise = torch.randn(2, 6, 7).double(), torch.randn(2, 5, 3).double()
    log_px, kl = peer(whole[:, :-1], whole[:, 1:], noise)
    d = peer.lstm_d(peer.features(whole[:, :-1]))[0]
    inputs = torch.cat([d, peer.features(whole[:, 1:])], -1)
    later, z = None, torch.zeros(2, 3).double()
    a = [None] * 5
    for t in reversed(range(5)):  # a_t reads a_{t+1}
        output, later = peer.lstm_a(inputs[:, t : t + 1], later)
        a[t] = output[:, 0]
    for t in range(5):
        outputs = [
            net(torch.cat([z, c], -1)) for net, c in ((peer.prior, d[:, t]), (peer.posterior, a[t]))
        ]
        (mu_p, v_p), (mu_q, v_q) = (
            (out[:, :3], out[:, 3:].exp() + model.config.variance_floor) for out in outputs
        )
        p, q = (torch.distributions.Normal(mu, v.sqrt()) for mu, v in ((mu_p, v_p), (mu_q, v_q)))
        z = mu_q + v_q.sqrt() * noise[:, t]
        torch.testing.assert_close(kl[:, t], torch.distributions.kl_divergence(q, p).sum(-1))
        params = peer.emission(torch.cat([d[:, t], z], -1))
        torch.testing.assert_close(log_px[:, t], model.likelihood.log_prob(params, whole[:, t + 1]))
    (kl - log_px).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in peer.parameters())


@pytest.mark.parametrize("shape", SHAPES)
def test_the_peer_is_as_large_as_the_library(shape):
    with torch.device("meta"):
        model = build_model(SHAPES[shape].model)
        peer = PeerSRNN.of_size(model)
    ours, theirs = (sum(p.numel() for p in m.parameters()) for m in (model, peer))
    assert 1 <= theirs / ours < 1.02


@pytest.mark.parametrize("shape", SHAPES)
def test_a_batch_has_the_shape_that_is_benchmarked(shape):
    expected = {"music": (16, 100, 88), "timit": (64, 40, 200), "blizzard": (128, 40, 200)}[shape]
    batch = random_batch(shape, SHAPES[shape].train.segment_length)
    assert batch.x.shape == expected
    model = SHAPES[shape].model
    sizes = (model.d_dim, model.z_dim, model.hidden_dim, model.num_layers)
    paper = {
        "music": (300, 100, 500, 1),
        "timit": (1024, 256, 512, 1),
        "blizzard": (2048, 256, 1024, 1),
    }
    assert sizes == paper[shape]


@pytest.mark.slow
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
        elif field.name not in ("shape", "device"):
            assert value > 0, field.name
    assert (measured.shape, measured.device) == ("music", "cpu")
    assert measured.frames == 3 * 8
    assert measured.fp32_over_plain == pytest.approx(measured.plain_ms / measured.fp32_ms)
    assert measured.fp32_over_peer == pytest.approx(measured.peer_ms / measured.fp32_ms)
    if has_bf16:
        assert measured.bf16_over_peer == pytest.approx(measured.peer_ms / measured.bf16_ms)
        assert measured.bf16_over_peer_bf16 == pytest.approx(
            measured.peer_bf16_ms / measured.bf16_ms
        )
    gflops = 6e-9 * measured.parameters * measured.frames / (measured.fp32_ms / 1e3)
    assert measured.fp32_share == pytest.approx(gflops / measured.peak_fp32_gflops)


def test_a_gpu_is_timed_by_its_events_once_they_have_happened(monkeypatch):
    log = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            log.append("record")

        def synchronize(self):
            log.append("synchronize")

        def elapsed_time(self, end):
            assert log[-1] == "synchronize"
            return 250.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    assert benchmark.medians({"run": lambda: log.append("run")}, "cuda") == {"run": 0.25}
    assert log == ["record", "run", "record", "synchronize"] * (
        benchmark.TIMINGS + benchmark.WARM_UP
    )


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ValueError, match="--device is 'cuda', and torch finds no CUDA GPU here; choose cpu"
    ):
        benchmark.benchmark("music", "cuda")


def test_the_sequential_floor_has_a_product_for_each_layer_that_waits():
    model, batch = build_model(music_run().model), random_batch("music", 4)

    class Products(TorchFunctionMode):
        count = 0

        def __torch_function__(self, function, types, args=(), kwargs=None):
            self.count += function in (torch.Tensor.matmul, torch.Tensor.__matmul__)
            return function(*args, **(kwargs or {}))

    with Products() as products:
        benchmark.sequential_products(model, batch)()
    # Both ways, 4 frames: d, a, and two layers of the networks of z.
    assert products.count == 2 * 4 * 4


def test_runs_take_turns_and_their_medians_count(monkeypatch):
    now, order = count(0.0), []
    monkeypatch.setattr(benchmark, "time", SimpleNamespace(perf_counter=lambda: next(now)))

    def slow():
        order.append("slow")
        next(now)

    assert benchmark.medians({"fast": lambda: order.append("fast"), "slow": slow}) == {
        "fast": 1,
        "slow": 2,
    }
    assert order == ["fast", "slow"] * (benchmark.TIMINGS + benchmark.WARM_UP)
    assert benchmark.TIMINGS >= 7
