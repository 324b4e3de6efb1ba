"""Bounds on log p(x_{1:T}), and the only place that reduces them to one figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.config import EvaluationConfig
from srnn_lab.data.sequences import Batch, Frames, by_length, make_batch
from srnn_lab.models.base import SequenceModel, State, Trace


@dataclass(frozen=True)
class Bound:
    """A bound frame by frame, in nats; 0 where a frame is padding.

    Attributes:
        log_px: E_q[log p(x_t | z_t, d_t)], one sample.
        kl: KL(q(z_t | ...) || p(z_t | ...)), in closed form given the sampled z_{t-1}.
        lengths: Valid frames of each sequence.
        trace: The sampled path.
    """

    log_px: Float[Tensor, "b t"]
    kl: Float[Tensor, "b t"]
    lengths: Int[Tensor, "b"]
    trace: Trace

    @property
    def elbo(self) -> Float[Tensor, "b t"]:
        """Each frame's term of Eq. (8)."""
        return self.log_px - self.kl


def draw_noise(
    model: SequenceModel, batch: Batch, generator: torch.Generator | None = None, *, paths: int = 1
) -> Float[Tensor, "n t z"]:
    """Standard normal noise for ``paths`` paths through each sequence of ``batch``."""
    shape = (paths * len(batch.x), batch.x.shape[1], model.z_dim)
    return torch.randn(shape, generator=generator, dtype=batch.x.dtype, device=batch.x.device)


def elbo(
    model: SequenceModel,
    batch: Batch,
    state: State | None = None,
    noise: Float[Tensor, "n t z"] | None = None,
) -> Bound:
    """The evidence lower bound, Eq. (8), path by path, with the KL in closed form.

    Args:
        model: The model.
        batch: Sequences, or segments of them.
        state: Where they continue from; zero by default.
        noise: Standard normal noise of ``draw_noise``, for one path a sequence or more; for one by default.

    Returns:
        The bound of each path: all sequences' first paths, then their second ones, and so on.
    """
    if state is None:
        state = model.initial_state(len(batch.x))
    if noise is None:
        noise = draw_noise(model, batch)
    trace = model.unroll(batch.u, batch.x, batch.lengths, state, noise)
    batch = batch.repeat(len(noise) // len(batch.x))
    log_px = model.likelihood.log_prob(model.decode(trace.d, trace.z), batch.x)
    kl = trace.posterior.kl(trace.prior).sum(-1)
    return Bound(log_px * batch.mask, kl * batch.mask, batch.lengths, trace)


@dataclass(frozen=True)
class Score:
    """A data set's figure under one convention.

    Attributes:
        elbo: The bound, ``log_px - kl``; nats per frame, or per sequence if the average is ``sequence``.
        log_px: Its reconstruction term.
        kl: Its KL term.
        frames: Scored frames.
        sequences: Sequences.
        average: ``micro``, ``macro`` or ``sequence``.
        first_frame: Whether x_1 is scored.
    """

    elbo: float
    log_px: float
    kl: float
    frames: int
    sequences: int
    average: str
    first_frame: bool


def reduce(
    log_px: Float[Tensor, "n"], kl: Float[Tensor, "n"], lengths: Int[Tensor, "n"], config: EvaluationConfig
) -> Score:
    """Sums over each sequence's frames -> one figure, by the convention of ``config``."""

    def average(sums: Tensor) -> float:
        if config.average == "micro":
            return float(sums.sum() / lengths.sum())
        return float((sums / lengths if config.average == "macro" else sums).mean())

    return Score(
        elbo=average(log_px - kl),
        log_px=average(log_px),
        kl=average(kl),
        frames=int(lengths.sum()),
        sequences=len(lengths),
        average=config.average,
        first_frame=config.first_frame,
    )


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    sequences: Sequence[Frames],
    config: EvaluationConfig,
    *,
    seed: int = 0,
    batch_size: int = 32,
    rank: int = 0,
    world_size: int = 1,
) -> Score:
    """The ELBO of whole sequences, each from zero states and never cut, with one sampled path.

    Several processes share the batches; the figure does not depend on how many they are, and all of them return it.

    Args:
        model: The model.
        sequences: A split of a data set.
        config: Average, and whether the first frame is scored.
        seed: Seed of the sampled paths.
        batch_size: Sequences side by side.
        rank: This process among those of ``torch.distributed``; batch i is that of process i modulo their number.
        world_size: Their number.
    """
    generator = torch.Generator().manual_seed(seed)
    weight = next(model.parameters())
    sums = torch.zeros(2, len(sequences), dtype=torch.float64)
    lengths = torch.zeros(len(sequences), dtype=torch.int64)
    for i, chosen in enumerate(by_length(sequences, batch_size)):
        num_frames = len(sequences[chosen[-1]]) - (not config.first_frame)
        noise = torch.randn(len(chosen), num_frames, model.z_dim, generator=generator)  # of each batch, on each rank
        if i % world_size != rank:
            continue
        batch = make_batch([sequences[j] for j in chosen], config.first_frame)
        bound = elbo(model, batch.to(weight.device, weight.dtype), noise=noise.to(weight))
        sums[0, chosen] = bound.log_px.cpu().double().sum(1)
        sums[1, chosen] = bound.kl.cpu().double().sum(1)
        lengths[chosen] = batch.lengths
    if world_size > 1:
        whole = torch.cat([sums, lengths[None].double()]).to(weight.device)
        torch.distributed.all_reduce(whole)
        sums, lengths = whole[:2].cpu(), whole[2].cpu().long()
    return reduce(sums[0], sums[1], lengths, config)
