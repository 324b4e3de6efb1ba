"""The library's speed as ratios to two other implementations and the machine's peak, in one run."""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn
from tqdm import tqdm

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.config import PRESETS, TrainConfig
from srnn_lab.data import Batch, make_batch
from srnn_lab.inference.bounds import elbo
from srnn_lab.inference.sampling import generate
from srnn_lab.models import SRNN, SequenceModel, build_model
from srnn_lab.reports.yardsticks import PeerSRNN, PlainSRNN
from srnn_lab.system.memory import keep_freed_memory
from srnn_lab.training.precision import use_bf16

SHAPES = {"music": PRESETS["jsb"], "timit": PRESETS["timit"], "blizzard": PRESETS["blizzard"]}
"""The paper's models and batches: 16 x 100 frames of 88 notes, 64 x 40 and 128 x 40 frames of 200
samples."""
TIMINGS, WARM_UP = 9, 2
"""Timings whose median counts, and those before them that do not."""


@dataclass(frozen=True)
class Benchmark:
    """Medians on this machine; ratios are of figures that were timed in turns, in one run.

    Attributes:
        shape: A name in ``SHAPES``.
        device: Where the training steps ran: the name of the GPU, or ``cpu``; inference and
            sampling are the CPU's.
        frames: Frames of one training step.
        parameters: Of the model.
        threads: Of each operation, but for inference and sampling, which have one.
        peak_fp32_gflops: Largest rate of a matrix product, 2048 x 2048; on a GPU 8192 x 8192.
        peak_bf16_gflops: The same in bf16; None where the hardware is not made for it, as for all
            of bf16.
        plain_ms: A training step (forward, backward, clip, Adam) of ``PlainSRNN``, in fp32.
        peer_parameters: Of ``PeerSRNN``.
        peer_ms: A training step of ``PeerSRNN``, in fp32.
        peer_bf16_ms: The same in bf16.
        fp32_ms: The library's.
        bf16_ms: The library's in bf16.
        grus_ms: The library's two GRUs alone, in fp32: on a GPU what cuDNN leaves as a floor.
        arithmetic_floor_ms: 6 x parameters x frames operations at the peak, of bf16 where there is
            one.
        sequential_floor_ms: As many small products as wait for one another in a step, one after the
            other.
        fp32_frames_per_s: Frames that it trains on a second.
        bf16_frames_per_s: The same in bf16.
        fp32_gflops: 6 x parameters x frames operations a step, a second.
        bf16_gflops: The same in bf16.
        fp32_share: Share of the peak that this is.
        bf16_share: The same in bf16.
        fp32_over_plain: How many times as fast as plain the library is.
        bf16_over_plain: The same in bf16, of plain in fp32.
        fp32_over_peer: How many times as fast as the peer the library is.
        bf16_over_peer: The same in bf16, of the peer in fp32.
        bf16_over_peer_bf16: The same, both in bf16.
        growth_4t: Time of a step of sequences four times as long, over that of a step; 4 if the
            cost is linear.
        posterior_2s_ms: The bound of 2 s of audio under the bundled ``voice`` model, on one thread.
        posterior_60s_ms: The same of 60 s.
        sample_frames_per_s: Frames that model draws a second, one sequence on one thread.
        peak_rss_mb: Most memory the process held, all of the above included.
    """

    shape: str
    device: str
    frames: int
    parameters: int
    threads: int
    peak_fp32_gflops: float
    peak_bf16_gflops: float | None
    plain_ms: float
    peer_parameters: int
    peer_ms: float
    peer_bf16_ms: float | None
    fp32_ms: float
    bf16_ms: float | None
    grus_ms: float
    arithmetic_floor_ms: float
    sequential_floor_ms: float
    fp32_frames_per_s: float
    bf16_frames_per_s: float | None
    fp32_gflops: float
    bf16_gflops: float | None
    fp32_share: float
    bf16_share: float | None
    fp32_over_plain: float
    bf16_over_plain: float | None
    fp32_over_peer: float
    bf16_over_peer: float | None
    bf16_over_peer_bf16: float | None
    growth_4t: float
    posterior_2s_ms: float
    posterior_60s_ms: float
    sample_frames_per_s: float
    peak_rss_mb: float


def medians(runs: dict[str, Callable[[], object]], device: str = "cpu") -> dict[str, float]:
    """Median seconds of each run; they take turns, so a noisy machine disturbs all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in tqdm(range(WARM_UP + TIMINGS), ", ".join(runs), leave=False):
        for name, run in runs.items():
            seconds[name].append(seconds_on_gpu(run) if device == "cuda" else seconds_of(run))
    return {name: median(values[WARM_UP:]) for name, values in seconds.items()}


def seconds_of(run: Callable[[], object]) -> float:
    """How long it takes, by the clock."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def seconds_on_gpu(run: Callable[[], object]) -> float:
    """How long it takes on the GPU, from first kernel to last, with launches that it waits for."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


def random_batch(shape: str, num_frames: int) -> Batch:
    """A batch of the shape's size, with values like those of its data."""
    config = SHAPES[shape]
    size = (config.train.batch_size, num_frames + 1, config.model.x_dim)
    x = (
        torch.bernoulli(torch.full(size, 0.05))
        if config.model.likelihood == "bernoulli"
        else torch.randn(size)
    )
    return make_batch(list(x.numpy()), first_frame=False)


def training_step(
    model: nn.Module, loss: Callable[[], Tensor], fused: bool = False
) -> Callable[[], object]:
    """Forward, backward, clip and Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def bound_loss(model: SequenceModel, batch: Batch, bf16: bool) -> Tensor:
    """The library's objective."""
    with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=bf16):
        bound = elbo(model, batch)
    return -bound.elbo.mean()


def yardstick_loss(yardstick: PlainSRNN | PeerSRNN, batch: Batch, z_dim: int, bf16: bool) -> Tensor:
    """The same of what the library is measured against."""
    noise = torch.randn(*batch.x.shape[:2], z_dim, device=batch.x.device)
    with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=bf16):
        log_px, kl = yardstick(batch.u, batch.x, noise)
    return (kl - log_px).mean()


def grus_step(model: SRNN, batch: Batch) -> Callable[[], object]:
    """Forward and backward passes of the two GRUs alone, as a training step has them."""
    grus = [model.gru_d, model.a.gru]
    size, device = batch.x.shape[:2], batch.x.device
    inputs = [torch.randn(*size, gru.input_size, device=device, requires_grad=True) for gru in grus]
    zeros = torch.zeros(size[0], model.d_dim, device=device)

    def step() -> None:
        losses = [gru(x, zeros).sum() for gru, x in zip(grus, inputs, strict=True)]
        torch.autograd.grad(
            torch.stack(losses).sum(), [*inputs, *(p for gru in grus for p in gru.parameters())]
        )

    return step


def sequential_products(model: SRNN, batch: Batch) -> Callable[[], object]:
    """Small products that wait for one another, forward and backward.

    Returns:
        What does them: one of d, one of a and those of z a frame.
    """
    count = 2 * batch.x.shape[1] * (3 + model.config.num_layers)
    z, weight = (
        torch.zeros(n, model.z_dim, device=batch.x.device) for n in (len(batch.x), model.z_dim)
    )

    def run() -> None:
        values = z
        for _ in range(count):
            values = values @ weight

    return run


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
    """Seconds for 2 s and 60 s of audio, and for 200 sampled frames, with the bundled ``voice``."""
    checkpoint = load_checkpoint("voice")
    model, data = checkpoint.model, checkpoint.config.data
    clips = {
        s: random_frames(s * data.sample_rate // data.frame_length + 1, model.config.x_dim)
        for s in (2, 60)
    }
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


def benchmark(shape: str, device: str = "cpu") -> Benchmark:
    """Measure everything at a shape; on a CPU it takes one to three minutes, ``blizzard`` longer.

    Args:
        shape: A name in ``SHAPES``.
        device: ``cpu`` or ``cuda``.

    Returns:
        Medians of the times, and what follows from them; None for bf16 on hardware without it.

    Raises:
        ValueError: There is no CUDA GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device is 'cuda', and torch finds no CUDA GPU here; choose cpu.")
    keep_freed_memory()  # as ``fit`` does
    # The models and their batches.
    config = SHAPES[shape]
    has_bf16 = use_bf16(TrainConfig(precision="auto"), device)
    torch.manual_seed(0)
    model = build_model(config.model)
    if not isinstance(model, SRNN):
        raise ValueError(
            f"The shape {shape!r} is one of {config.model.model!r}; yardsticks are of the SRNN."
        )
    plain, peer = PlainSRNN(model).to(device), PeerSRNN.of_size(model).to(device)
    model.to(device)
    batch, longer = (
        random_batch(shape, n * config.train.segment_length).to(device) for n in (1, 4)
    )
    side = 8192 if device == "cuda" else 2048
    yardsticks = {"plain": plain, "peer": peer}

    def steps(name: str, dtype: torch.dtype) -> dict[str, Callable[[], object]]:
        square, bf16 = torch.randn(side, side, device=device, dtype=dtype), dtype == torch.bfloat16
        runs = {
            f"peak_{name}": lambda: square @ square,
            name: training_step(model, lambda: bound_loss(model, batch, bf16), fused=True),
        }
        for yardstick, module in yardsticks.items():
            loss = partial(yardstick_loss, module, batch, config.model.z_dim, bf16)
            runs[f"{yardstick}_{name}"] = training_step(module, loss, fused=module is peer)
        return runs

    # The times, in turns.
    runs = steps("fp32", torch.float32)
    if has_bf16:
        runs |= steps("bf16", torch.bfloat16)
        del runs["plain_bf16"]
    runs |= {"grus": grus_step(model, batch), "sequential": sequential_products(model, batch)}
    s = medians(runs, device)
    growing = {
        "t": runs["fp32"],
        "4t": training_step(model, lambda: bound_loss(model, longer, False), fused=True),
    }
    growth = medians(growing, device)
    inference = time_inference()
    # What follows from them.
    parameters, frames = (
        sum(p.numel() for p in model.parameters()),
        batch.x.shape[0] * batch.x.shape[1],
    )
    gflop, peaks = (
        6e-9 * parameters * frames,
        {name: 2e-9 * side**3 / s[name] for name in s if "peak" in name},
    )
    return Benchmark(
        shape=shape,
        device=torch.cuda.get_device_name() if device == "cuda" else device,
        frames=frames,
        parameters=parameters,
        threads=torch.get_num_threads(),
        peak_fp32_gflops=peaks["peak_fp32"],
        peak_bf16_gflops=peaks.get("peak_bf16"),
        plain_ms=1e3 * s["plain_fp32"],
        peer_parameters=sum(p.numel() for p in peer.parameters()),
        peer_ms=1e3 * s["peer_fp32"],
        peer_bf16_ms=1e3 * s["peer_bf16"] if has_bf16 else None,
        fp32_ms=1e3 * s["fp32"],
        bf16_ms=1e3 * s["bf16"] if has_bf16 else None,
        grus_ms=1e3 * s["grus"],
        arithmetic_floor_ms=1e3 * gflop / max(peaks.values()),
        sequential_floor_ms=1e3 * s["sequential"],
        fp32_frames_per_s=frames / s["fp32"],
        bf16_frames_per_s=frames / s["bf16"] if has_bf16 else None,
        fp32_gflops=gflop / s["fp32"],
        bf16_gflops=gflop / s["bf16"] if has_bf16 else None,
        fp32_share=gflop / s["fp32"] / peaks["peak_fp32"],
        bf16_share=gflop / s["bf16"] / peaks["peak_bf16"] if has_bf16 else None,
        fp32_over_plain=s["plain_fp32"] / s["fp32"],
        bf16_over_plain=s["plain_fp32"] / s["bf16"] if has_bf16 else None,
        fp32_over_peer=s["peer_fp32"] / s["fp32"],
        bf16_over_peer=s["peer_fp32"] / s["bf16"] if has_bf16 else None,
        bf16_over_peer_bf16=s["peer_bf16"] / s["bf16"] if has_bf16 else None,
        growth_4t=growth["4t"] / growth["t"],
        posterior_2s_ms=1e3 * inference["posterior_2s"],
        posterior_60s_ms=1e3 * inference["posterior_60s"],
        sample_frames_per_s=200 / inference["sample"],
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / (2**20 if sys.platform == "darwin" else 2**10),
    )
