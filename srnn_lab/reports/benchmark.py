"""How fast the library is: as ratios to a plain implementation and to the machine's peak, measured in one run."""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.config import PRESETS, TrainConfig
from srnn_lab.data import Batch, make_batch
from srnn_lab.inference.bounds import elbo
from srnn_lab.inference.sampling import generate
from srnn_lab.models import SRNN, SequenceModel, build_model
from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.networks import mlp
from srnn_lab.system.memory import keep_freed_memory
from srnn_lab.training.fitting import use_bf16

SHAPES = {"music": PRESETS["jsb"], "timit": PRESETS["timit"]}
"""The paper's models and batches: 16 x 100 frames of 88 notes, 64 x 40 frames of 200 samples."""
TIMINGS, WARM_UP = 9, 2
"""Timings whose median counts, and those before them that do not."""


class PlainSRNN(nn.Module):
    """The SRNN (smoothing, Res_q) as one writes it down first: the yardstick that the library is measured against.

    Args:
        model: The library's model, whose weights it copies.
    """

    def __init__(self, model: SRNN):
        super().__init__()
        c = model.config
        self.floor, self.likelihood = c.variance_floor, model.likelihood
        self.features = mlp(c.x_dim, c.hidden_dim, 2)
        self.gru_d = nn.GRU(c.hidden_dim, c.d_dim, batch_first=True)
        self.gru_a = nn.GRU(c.d_dim + c.hidden_dim, c.d_dim, batch_first=True)
        networks = [mlp(c.z_dim + c.d_dim, c.hidden_dim, c.num_layers, c.z_dim) for _ in range(4)]
        self.mu_p, self.logvar_p, self.mu_q, self.logvar_q = networks
        self.emission = mlp(c.d_dim + c.z_dim, c.hidden_dim, model.emission_layers, model.likelihood.num_params)
        for mine, theirs in self.pairs(model):
            mine.data.copy_(theirs)

    def pairs(self, model: SRNN) -> list[tuple[Tensor, Tensor]]:
        """Each of its parameters with what the library's model has in its place."""
        theirs = [*model.features.parameters(), *model.gru_d.parameters(), *model.a.gru.parameters()]
        for network in (model.prior, model.posterior):
            first = torch.cat([network.from_z.weight, network.from_c.weight], 1).chunk(2)
            biases = network.from_c.bias.chunk(2)
            for weight, bias, further in zip(first, biases, (network.mu, network.logvar), strict=True):
                theirs += [weight, bias, *further.parameters()]
        theirs += list(model.emission.parameters())
        return list(zip(self.parameters(), theirs, strict=True))

    def forward(
        self, u: Float[Tensor, "b t x"], x: Float[Tensor, "b t x"], noise: Float[Tensor, "b t z"]
    ) -> tuple[Float[Tensor, "b t"], Float[Tensor, "b t"]]:
        """The terms log p(x_t | z_t, d_t) and KL of the bound."""
        d, _ = self.gru_d(self.features(u))
        a, _ = self.gru_a(torch.cat([d, self.features(x)], -1).flip(1))
        a = a.flip(1)
        z_t, zs, kls = torch.zeros_like(noise[:, 0]), [], []
        for d_t, a_t, noise_t in zip(d.unbind(1), a.unbind(1), noise.unbind(1), strict=True):
            for_p, for_q = torch.cat([z_t, d_t], -1), torch.cat([z_t, a_t], -1)
            mu_p, logvar_p = self.mu_p(for_p), floor_variance(self.logvar_p(for_p), self.floor)
            mu_q, logvar_q = mu_p + self.mu_q(for_q), floor_variance(self.logvar_q(for_q), self.floor)
            z_t = mu_q + torch.exp(0.5 * logvar_q) * noise_t
            zs.append(z_t)
            kls.append(DiagonalGaussian(mu_q, logvar_q).kl(DiagonalGaussian(mu_p, logvar_p)).sum(-1))
        params = self.emission(torch.cat([d, torch.stack(zs, 1)], -1))
        return self.likelihood.log_prob(params, x), torch.stack(kls, 1)


@dataclass(frozen=True)
class Benchmark:
    """Medians on this machine; ratios are of figures that were timed in turns, in one run.

    Attributes:
        shape: A name in ``SHAPES``.
        frames: Frames of one training step.
        parameters: Of the model.
        threads: Of each operation, but for inference and sampling, which have one.
        peak_fp32_gflops: Largest rate of a matrix product, 2048 x 2048.
        peak_bf16_gflops: The same in bf16; None where the hardware is not made for it, as for all of bf16.
        plain_ms: A training step (forward, backward, clip, Adam) of ``PlainSRNN``, in fp32.
        fp32_ms: The library's.
        bf16_ms: The library's in bf16.
        fp32_frames_per_s: Frames that it trains on a second.
        bf16_frames_per_s: The same in bf16.
        fp32_gflops: 6 x parameters x frames operations a step, a second.
        bf16_gflops: The same in bf16.
        fp32_share: Share of the peak that this is.
        bf16_share: The same in bf16.
        fp32_over_plain: How many times as fast as plain the library is.
        bf16_over_plain: The same in bf16.
        growth_4t: Time of a step of sequences four times as long, over that of a step; 4 if the cost is linear.
        posterior_2s_ms: The bound of 2 s of audio under the bundled ``voice`` model, on one thread.
        posterior_60s_ms: The same of 60 s.
        sample_frames_per_s: Frames that model draws a second, one sequence on one thread.
        peak_rss_mb: Most memory the process held, all of the above included.
    """

    shape: str
    frames: int
    parameters: int
    threads: int
    peak_fp32_gflops: float
    peak_bf16_gflops: float | None
    plain_ms: float
    fp32_ms: float
    bf16_ms: float | None
    fp32_frames_per_s: float
    bf16_frames_per_s: float | None
    fp32_gflops: float
    bf16_gflops: float | None
    fp32_share: float
    bf16_share: float | None
    fp32_over_plain: float
    bf16_over_plain: float | None
    growth_4t: float
    posterior_2s_ms: float
    posterior_60s_ms: float
    sample_frames_per_s: float
    peak_rss_mb: float


def medians(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each run; they take turns, so that a noisy machine disturbs all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in tqdm(range(WARM_UP + TIMINGS), ", ".join(runs), leave=False):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values[WARM_UP:]) for name, values in seconds.items()}


def random_batch(shape: str, num_frames: int) -> Batch:
    """A batch of the shape's size, with values like those of its data."""
    config = SHAPES[shape]
    size = (config.train.batch_size, num_frames + 1, config.model.x_dim)
    x = torch.bernoulli(torch.full(size, 0.05)) if config.model.likelihood == "bernoulli" else torch.randn(size)
    return make_batch(list(x.numpy()), first_frame=False)


def training_step(model: nn.Module, loss: Callable[[], Tensor], **adam: bool) -> Callable[[], object]:
    """Forward, backward, clip and Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, **adam)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def bound_loss(model: SequenceModel, batch: Batch, bf16: bool) -> Tensor:
    """The library's objective."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        bound = elbo(model, batch)
    return -bound.elbo.mean()


def plain_loss(model: PlainSRNN, batch: Batch, z_dim: int) -> Tensor:
    """The same for the yardstick."""
    log_px, kl = model(batch.u, batch.x, torch.randn(*batch.x.shape[:2], z_dim))
    return (kl - log_px).mean()


@contextmanager
def one_thread():
    """Operations on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
def time_inference() -> dict[str, float]:
    """Seconds for 2 s and for 60 s of audio, and for 200 sampled frames, with the bundled ``voice`` model."""
    checkpoint = load_checkpoint("voice")
    model, data = checkpoint.model, checkpoint.config.data
    clips = {s: random_frames(s * data.sample_rate // data.frame_length + 1, model.config.x_dim) for s in (2, 60)}
    with one_thread():
        return medians(
            {
                "posterior_2s": lambda: elbo(model, clips[2]),
                "posterior_60s": lambda: elbo(model, clips[60]),
                "sample": lambda: generate(model, 200),
            }
        )


def random_frames(num_frames: int, x_dim: int) -> Batch:
    """One sequence of standardised frames."""
    return make_batch([torch.randn(num_frames, x_dim).numpy()], first_frame=False)


def benchmark(shape: str) -> Benchmark:
    """Measure everything at one shape, on the CPU; it takes one to three minutes.

    Args:
        shape: A name in ``SHAPES``.
    """
    keep_freed_memory()  # as ``fit`` does
    config = SHAPES[shape]
    has_bf16 = use_bf16(TrainConfig(precision="auto"), "cpu")
    torch.manual_seed(0)
    squares = {torch.float32: torch.randn(2048, 2048), torch.bfloat16: torch.randn(2048, 2048).bfloat16()}
    model = build_model(config.model)
    plain = PlainSRNN(model)
    batch, longer = (random_batch(shape, n * config.train.segment_length) for n in (1, 4))
    step = training_step(model, lambda: bound_loss(model, batch, False), fused=True)
    runs = {
        "peak_fp32": lambda: squares[torch.float32] @ squares[torch.float32],
        "plain": training_step(plain, lambda: plain_loss(plain, batch, config.model.z_dim)),
        "fp32": step,
    }
    if has_bf16:
        runs["peak_bf16"] = lambda: squares[torch.bfloat16] @ squares[torch.bfloat16]
        runs["bf16"] = training_step(model, lambda: bound_loss(model, batch, True), fused=True)
    s = medians(runs)
    growth = medians({"t": step, "4t": training_step(model, lambda: bound_loss(model, longer, False), fused=True)})
    inference = time_inference()
    parameters, frames = sum(p.numel() for p in model.parameters()), batch.x.shape[0] * batch.x.shape[1]
    gflop, peaks = 6e-9 * parameters * frames, {name: 2e-9 * 2048**3 / s[name] for name in s if "peak" in name}
    return Benchmark(
        shape=shape,
        frames=frames,
        parameters=parameters,
        threads=torch.get_num_threads(),
        peak_fp32_gflops=peaks["peak_fp32"],
        peak_bf16_gflops=peaks.get("peak_bf16"),
        plain_ms=1e3 * s["plain"],
        fp32_ms=1e3 * s["fp32"],
        bf16_ms=1e3 * s["bf16"] if has_bf16 else None,
        fp32_frames_per_s=frames / s["fp32"],
        bf16_frames_per_s=frames / s["bf16"] if has_bf16 else None,
        fp32_gflops=gflop / s["fp32"],
        bf16_gflops=gflop / s["bf16"] if has_bf16 else None,
        fp32_share=gflop / s["fp32"] / peaks["peak_fp32"],
        bf16_share=gflop / s["bf16"] / peaks["peak_bf16"] if has_bf16 else None,
        fp32_over_plain=s["plain"] / s["fp32"],
        bf16_over_plain=s["plain"] / s["bf16"] if has_bf16 else None,
        growth_4t=growth["4t"] / growth["t"],
        posterior_2s_ms=1e3 * inference["posterior_2s"],
        posterior_60s_ms=1e3 * inference["posterior_60s"],
        sample_frames_per_s=200 / inference["sample"],
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    )
