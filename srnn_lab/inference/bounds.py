"""Bounds on log p(x_{1:T}), and the only place that reduces them to one figure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from srnn_lab.config import EvaluationConfig, parse_bound
from srnn_lab.data.sequences import Batch, Frames, by_length, make_batch
from srnn_lab.models.base import SequenceModel, State, Trace
from srnn_lab.models.distributions import Latent
from srnn_lab.models.networks import possibly

MEMORY = 2**30
"""Bytes that the paths and particles of an evaluation may take at a time; they are taken in chunks
that fit, of one whole sequence at least."""


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
        noise: Standard normal noise of ``draw_noise``, for one path a sequence or more; for one by
            default.

    Returns:
        The bound of each path: all sequences' first paths, then their second ones, and so on.
    """
    if state is None:
        state = model.initial_state(len(batch.x))
    if noise is None:
        noise = draw_noise(model, batch)
    trace = model.unroll(batch.u, batch.x, batch.lengths, state, noise)
    batch = batch.repeat(len(noise) // len(batch.x))
    log_px = model.likelihood.log_prob(model.emit(trace.d, trace.z, batch.u), batch.x)
    kl = trace.posterior.kl(trace.prior).sum(-1)  # pyright: ignore[reportArgumentType] (both are of one kind)
    return Bound(log_px * batch.mask, kl * batch.mask, batch.lengths, trace)


@dataclass(frozen=True)
class SequenceBound:
    """A bound on log p(x_{1:T}) of each of b sequences, from K paths each, in nats.

    Attributes:
        value: The bound.
        kl: log q(z_{1:T} | ...) - log p(z_{1:T} | ...) at the sampled z, averaged over the paths.
        log_weights: Of the paths after the last frame, gathered since they were last resampled.
        state: The state of each path after the last frame, in the order of
            ``SequenceModel.unroll``.
    """

    value: Float[Tensor, "b"]
    kl: Float[Tensor, "b"]
    log_weights: Float[Tensor, "k b"]
    state: State

    def draw_state(self, uniform: Float[Tensor, "b"]) -> State:
        """One path's state a sequence, drawn by weight: nearly a draw from p(z_T | x_{1:T})."""
        return _pick(self.state, _ancestors(self.log_weights, uniform[None]))


def iwae(
    model: SequenceModel,
    batch: Batch,
    noise: Float[Tensor, "n t z"],
    state: State | None = None,
    *,
    kl_weight: float | Float[Tensor, ""] = 1.0,
) -> SequenceBound:
    """The importance-weighted bound log (1/K) sum_k w_k, where w = p(x, z) / q(z | x).

    It is Eq. 8 of Burda et al. (2015).

    Args:
        model: The model.
        batch: Sequences, or segments of them.
        noise: Standard normal noise of ``draw_noise``, for K paths a sequence.
        state: Where the sequences continue from; zero by default.
        kl_weight: Factor on log q - log p in the log weights.

    Returns:
        The bound of each sequence in nats, and the log weights (K, B) of its paths.
    """
    if state is None:
        state = model.initial_state(len(batch.x))
    paths = len(noise) // len(batch.x)
    trace = model.unroll(batch.u, batch.x, batch.lengths, state, noise)
    batch = batch.repeat(paths)
    log_px, log_p, log_q = _log_probs(
        model, batch.u, batch.x, trace.d, trace.z, trace.prior, trace.posterior
    )
    log_px, kl = (
        (values * batch.mask).sum(1).view(paths, -1) for values in (log_px, log_q - log_p)
    )
    log_weights = log_px - kl_weight * kl
    return SequenceBound(_log_mean(log_weights), kl.mean(0), log_weights, trace.state)


def draw_uniforms(
    batch: Batch, generator: torch.Generator | None = None, *, numbers: int = 1
) -> Float[Tensor, "b t m"]:
    """Uniform numbers in [0, 1) that ``fivo`` resamples by.

    Returns:
        ``numbers`` a frame: 1 is systematic resampling, K are multinomial resampling.
    """
    shape = (*batch.x.shape[:2], numbers)
    return torch.rand(shape, generator=generator, dtype=batch.x.dtype, device=batch.x.device)


class Particles(NamedTuple):
    """What a particle filter knows of frame t before it resamples: K particles of b sequences.

    Padding has 0.

    Attributes:
        log_px: log p(x_t | z_t, d_t).
        log_p: log p(z_t | z_{t-1}, d_t).
        log_q: log q(z_t | ...), of what z_t was drawn from.
        log_weights: Gathered since the particles were last resampled, this frame included.
    """

    log_px: Float[Tensor, "k b"]
    log_p: Float[Tensor, "k b"]
    log_q: Float[Tensor, "k b"]
    log_weights: Float[Tensor, "k b"]


def fivo(
    model: SequenceModel,
    batch: Batch,
    noise: Float[Tensor, "n t z"],
    uniforms: Float[Tensor, "b t m"],
    state: State | None = None,
    *,
    resampling_share: float = 0.5,
    kl_weight: float | Float[Tensor, ""] = 1.0,
    see: Callable[[Particles], None] = lambda _: None,
) -> SequenceBound:
    """The log of a particle filter's estimate of p(x_{1:T}) (Maddison et al., 2017, Algorithm 1).

    The posterior of the model, filtering or smoothing, is the proposal. The estimate is the product
    of the particles' mean weights at each resampling and at the end. In its gradient the choice of
    ancestors counts as constant: there is no score-function term, so it is biased and, as in that
    paper, of far lower variance.

    Args:
        model: The model.
        batch: Sequences, or segments of them.
        noise: Standard normal noise of ``draw_noise``, for K particles a sequence.
        uniforms: What ancestors are drawn with (``draw_uniforms``).
        state: Where the sequences continue from; zero by default.
        resampling_share: Particles are resampled where their effective sample size is below this
            share of K; in [0, 1].
        kl_weight: Factor on log q - log p in the log weights.
        see: Called with the particles of each frame, one after another.

    Returns:
        The estimate of each sequence in nats, and the log weights (K, B) since the last resampling.
    """
    # K particles for each sequence, with equal weights.
    b, k = len(batch.x), len(noise) // len(batch.x)
    if state is None:
        state = model.initial_state(b)
    context = model.encode(batch.u, batch.x, batch.lengths, state)
    state = state.repeat(k)
    value, kl, log_weights = noise.new_zeros(b), noise.new_zeros(b), noise.new_zeros(k, b)
    own = torch.arange(k, device=noise.device)[:, None].expand(k, b)
    steps = model.steps(context, state, noise)
    for t, (u_t, x_t, uniform_t) in enumerate(
        zip(batch.u.split(1, 1), batch.x.split(1, 1), uniforms.unbind(1), strict=True)
    ):
        # One step of all particles; those of a sequence that has ended stay.
        reached, prior_t, posterior_t = steps.send(state if t else None)
        valid = t < batch.lengths
        state = State(
            *(
                torch.where(valid.repeat(k)[:, None], *values)
                for values in zip(reached, state, strict=True)
            )
        )
        d_t, z_t = (values[:, None] for values in reached)
        prior, posterior = (
            type(dist)(*(values[:, None] for values in dist)) for dist in (prior_t, posterior_t)
        )
        # Their weights grow by p(x_t, z_t) / q(z_t).
        terms = _log_probs(
            model, u_t.repeat(k, 1, 1), x_t.repeat(k, 1, 1), d_t, z_t, prior, posterior
        )
        log_px_t, log_p_t, log_q_t = (values.view(k, b) * valid for values in terms)
        kl_t = log_q_t - log_p_t
        kl, log_weights = kl + kl_t.mean(0), log_weights + log_px_t - kl_weight * kl_t
        see(Particles(log_px_t, log_p_t, log_q_t, log_weights))
        # Where few particles have most of the weight, they are resampled by it.
        sample_size = 1 / log_weights.detach().softmax(0).square().sum(0)
        resampled = (sample_size < resampling_share * k) & (t < batch.lengths - 1)
        if possibly(resampled):
            positions = uniform_t.T if uniform_t.shape[1] == k else (own + uniform_t.T) / k
            state = _pick(state, torch.where(resampled, _ancestors(log_weights, positions), own))
            value = value + torch.where(resampled, _log_mean(log_weights), 0)
            log_weights = torch.where(resampled, 0, log_weights)
    return SequenceBound(value + _log_mean(log_weights), kl, log_weights, state)


def proposal_share(frame: Particles) -> Float[Tensor, "b"]:
    """Effective sample size of the weights of one frame alone, as a share of K.

    The closer q(z_t) is to p(z_t | z_{t-1}, x_t), the larger; then only p(x_t | z_{t-1}) differs
    between particles.

    Args:
        frame: The K particles of one frame, before they are resampled.

    Returns:
        A share from 1/K to 1 for each sequence.
    """
    weights = (frame.log_px + frame.log_p - frame.log_q).softmax(0)
    return 1 / (weights.square().sum(0) * len(weights))


def nasmc(
    model: SequenceModel,
    batch: Batch,
    noise: Float[Tensor, "n t z"],
    uniforms: Float[Tensor, "b t m"],
    state: State | None = None,
    *,
    resampling_share: float = 0.5,
) -> tuple[Float[Tensor, "b"], SequenceBound]:
    """Loss of neural adaptive sequential Monte Carlo (Gu et al., 2015), and ``fivo``'s estimate.

    The particles z and their normalised weights W are constants to the gradient of the loss,

        - sum_t sum_k W_t^k [log p(x_t | z_t^k, d_t^k) + log p(z_t^k | z_{t-1}^k, d_t^k) + log
          q(z_t^k | ...)].

    q descends KL(p(z_t | x_{1:t}) || q), the inclusive one, and so covers what the ELBO's q may
    leave out. The generative model follows Fisher's identity, in which the filtering distribution
    stands in for the smoothing one: a bias that more particles do not remove. What both share (d,
    features of x, the prior's mean of Res_q) learns from the generative terms alone.

    Args:
        model: The model.
        batch: As of ``fivo``, like those that follow.
        noise: The same.
        uniforms: The same.
        state: The same.
        resampling_share: The same.

    Returns:
        The loss of each sequence, and the estimate in nats.
    """
    terms = []

    def weigh(frame: Particles) -> None:
        weights = frame.log_weights.detach().softmax(0)
        terms.append((weights * (frame.log_px + frame.log_p + frame.log_q)).sum(0))

    with model.posterior_apart():
        bound = fivo(
            model, batch, noise, uniforms, state, resampling_share=resampling_share, see=weigh
        )
    return -torch.stack(terms).sum(0), bound


def _log_probs(
    model: SequenceModel,
    u: Float[Tensor, "n t u"],
    x: Float[Tensor, "n t x"],
    d: Float[Tensor, "n t d"],
    z: Float[Tensor, "n t z"],
    prior: Latent,
    posterior: Latent,
) -> tuple[Float[Tensor, "n t"], Float[Tensor, "n t"], Float[Tensor, "n t"]]:
    """The terms of the log weight, which is the first two less the third.

    Returns:
        log p(x_t | z_t, d_t), log p(z_t | ...) and log q(z_t | ...), in nats.
    """
    return (
        model.likelihood.log_prob(model.emit(d, z, u), x),
        prior.log_prob(z),
        posterior.log_prob(z),
    )


def _log_mean(log_weights: Float[Tensor, "k b"]) -> Float[Tensor, "b"]:
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def _ancestors(
    log_weights: Float[Tensor, "k b"], positions: Float[Tensor, "m b"]
) -> Int[Tensor, "m b"]:
    """Where each position in [0, 1) falls when the normalised weights lie end to end."""
    ends = log_weights.detach().softmax(0).cumsum(0)
    found = torch.searchsorted(ends.T.contiguous(), positions.T.contiguous(), right=True)
    return found.clamp(max=len(log_weights) - 1).T  # the last end may be rounded to less than 1


def _pick(state: State, paths: Int[Tensor, "m b"]) -> State:
    """The states of the chosen paths of each sequence, in the order of ``SequenceModel.unroll``."""
    rows = paths * paths.shape[1] + torch.arange(paths.shape[1], device=paths.device)
    return State(*(values.index_select(0, rows.flatten()) for values in state))


@dataclass(frozen=True)
class Score:
    """A data set's figures under one convention.

    Attributes:
        elbo: The bound, ``log_px - kl``; nats per frame, or per sequence if the average is
            ``sequence``.
        log_px: Its reconstruction term.
        kl: Its KL term.
        frames: Scored frames.
        sequences: Sequences.
        average: ``micro``, ``macro`` or ``sequence``.
        first_frame: Whether x_1 is scored.
        others: Further bounds by name (``iwae:128``), and of each bound two standard errors:
            NAME_se over sequences, which holds the noise of the paths too (two sequences or more),
            and NAME_se_repetitions, over repetitions on the same sequences, of that noise alone
            (two repetitions or more). ``elbo_active`` is the ELBO of the frames that are not
            silent, where they are known.
        sums: ELBO of each sequence, in nats, averaged over repetitions.
        lengths: Scored frames of each sequence.
    """

    elbo: float
    log_px: float
    kl: float
    frames: int
    sequences: int
    average: str
    first_frame: bool
    others: dict[str, float] = field(default_factory=dict)
    sums: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def to_dict(self) -> dict[str, float | int | str]:
        """All figures by name, on one level, but what is of single sequences."""
        first = {"elbo": self.elbo, "log_px": self.log_px, "kl": self.kl, **self.others}
        return first | {
            k: v for k, v in vars(self).items() if k not in ("others", "sums", "lengths")
        }


def reduce(
    log_px: Float[Tensor, "r n"],
    kl: Float[Tensor, "r n"],
    lengths: Int[Tensor, "n"],
    config: EvaluationConfig,
    others: Mapping[str, Float[Tensor, "r n"]] | None = None,
) -> Score:
    """Sums over sequences' frames by repetition -> a figure a bound, by ``config``'s convention."""
    sizes = lengths if config.average == "micro" else torch.ones_like(lengths)
    n = len(lengths)

    def figures(name: str, sums: Tensor) -> dict[str, float]:
        values = sums / lengths if config.average == "macro" else sums
        found = [float(row.sum() / sizes.sum()) for row in values]
        mean = sum(found) / len(found)
        result = {name: mean}
        if (
            n > 1
        ):  # that of a ratio of sums; where sizes are 1, the standard deviation over the root of n
            squares = (values.mean(0) - mean * sizes).square().sum() * n / (n - 1)
            result[f"{name}_se"] = float(squares.sqrt() / sizes.sum())
        if len(found) > 1:
            result[f"{name}_se_repetitions"] = (
                float(torch.tensor(found, dtype=torch.float64).std()) / len(found) ** 0.5
            )
        return result

    result = figures("elbo", log_px - kl)
    for name, sums in (others or {}).items():
        result |= figures(name, sums)
    return Score(
        elbo=result.pop("elbo"),
        log_px=figures("log_px", log_px)["log_px"],
        kl=figures("kl", kl)["kl"],
        frames=int(lengths.sum()),
        sequences=n,
        average=config.average,
        first_frame=config.first_frame,
        others=result,
        sums=(log_px - kl).mean(0).tolist(),
        lengths=lengths.tolist(),
    )


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    sequences: Sequence[Frames],
    config: EvaluationConfig,
    *,
    bounds: Sequence[str] = (),
    resampling: str = "systematic",
    resampling_share: float = 0.5,
    repetitions: int = 1,
    seed: int = 0,
    active: Sequence[Bool[np.ndarray, "_"]] | None = None,
    batch_size: int = 32,
    rank: int = 0,
    world_size: int = 1,
) -> Score:
    """Bounds of whole sequences, each from zero states and never cut.

    They are the ELBO with one sampled path, and ``bounds``.

    Several processes share the batches; the figures do not depend on how many they are, and all of
    them return them.

    Args:
        model: The model.
        sequences: A split of a data set.
        config: Average, and whether the first frame is scored.
        bounds: Further bounds: ``iwae:K`` with K paths, ``fivo:K`` with K particles. And what is
            none: ``ess:K``, the ``proposal_share`` of K particles, averaged as nats are.
        resampling: Of ``fivo``: ``systematic`` or ``multinomial``.
        resampling_share: Of ``fivo``: particles are resampled below this share of K as effective
            sample size.
        repetitions: Times that all is done, with other noise; the figures are averages. At least 1.
        seed: Seed of the sampled paths.
        active: Which frames of each sequence are not silent, for ``elbo_active``; at least one
            scored frame of each.
        batch_size: Sequences side by side.
        rank: This process among those of ``torch.distributed``; batch i is that of process i modulo
            their number.
        world_size: Their number.

    Returns:
        The numbers in nats per frame, or per sequence if ``config`` says so, with their standard
        errors.

    Raises:
        ValueError: ``repetitions`` is below 1, a bound is unknown, or its particles do not fit into
            memory.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}; at least 1 is needed.")
    names = [name for name in dict.fromkeys(bounds) if parse_bound(name)[0] != "elbo"]
    generator = torch.Generator().manual_seed(seed)
    weight = next(model.parameters())
    heard = [torch.as_tensor(frames[config.unscored :]) for frames in active or ()]
    rows = 2 + len(names) + bool(heard)
    sums = torch.zeros(repetitions, rows, len(sequences), dtype=torch.float64)
    lengths = torch.zeros(len(sequences), dtype=torch.int64)
    groups = by_length(sequences, batch_size)
    rounds = [(repetition, i) for repetition in range(repetitions) for i in range(len(groups))]
    with model.evaluating():
        for repetition, i in tqdm(rounds, unit=" batches", delay=2, leave=False, disable=rank > 0):
            chosen = groups[i]
            num_frames = len(sequences[chosen[-1]]) - config.unscored
            # Of each batch, on each rank.
            noise = torch.randn(len(chosen), num_frames, model.z_dim, generator=generator)
            if i % world_size != rank:
                continue
            batch = make_batch(
                [sequences[j] for j in chosen], config.first_frame, **model.config.frames_hold
            )
            lengths[chosen] = batch.lengths
            batch = batch.to(weight.device, weight.dtype)
            for part, chunk in in_memory(batch, model):
                bound = elbo(model, chunk, noise=noise[part, : chunk.x.shape[1]].to(weight))
                log_px, kl = bound.log_px.cpu().double(), bound.kl.cpu().double()
                sums[repetition, :2, chosen[part]] = torch.stack([log_px.sum(1), kl.sum(1)])
                for j, nats in zip(chosen[part], log_px - kl, strict=True) if heard else ():
                    sums[repetition, -1, j] = nats[: len(heard[j])][heard[j]].sum()
            for row, name in enumerate(names, 2):
                # Noise of its own for each sequence: a figure depends neither on others nor on how
                # memory is shared.
                keys = [
                    np.random.SeedSequence((seed, repetition, j, *name.encode())) for j in chosen
                ]
                generators = [
                    torch.Generator().manual_seed(int(key.generate_state(1)[0])) for key in keys
                ]
                found = _in_chunks(model, batch, generators, name, resampling, resampling_share)
                sums[repetition, row, chosen] = found.cpu().double()
    if world_size > 1:
        whole = torch.cat([sums.flatten(0, 1), lengths[None].double()]).to(weight.device)
        torch.distributed.all_reduce(whole)
        sums, lengths = whole[:-1].view_as(sums).cpu(), whole[-1].cpu().long()
    found = reduce(
        sums[:, 0],
        sums[:, 1],
        lengths,
        config,
        dict(zip(names, sums[:, 2 : 2 + len(names)].unbind(1), strict=True)),
    )
    if heard:
        counts = torch.tensor([int(frames.sum()) for frames in heard])
        of_active = reduce(sums[:, -1], torch.zeros_like(sums[:, -1]), counts, config)
        figures = {"elbo": of_active.elbo, **of_active.others}
        found.others.update(
            {name.replace("elbo", "elbo_active"): value for name, value in figures.items()}
        )
    return found


def in_memory(batch: Batch, model: SequenceModel) -> Iterator[tuple[slice, Batch]]:
    """Sequences, as many as ``MEMORY`` allows a path of each, at least one, and where they are."""
    return _chunks(batch, MEMORY // (batch.x.shape[1] * _width(model) * batch.x.element_size()))


def _width(model: SequenceModel) -> int:
    """Numbers that a model computes for one frame of one path, counted generously."""
    sizes = model.config
    return (
        4 * (sizes.d_dim + sizes.x_dim + model.likelihood.num_params)
        + 10 * model.z_dim
        + 20 * sizes.hidden_dim
    )


def _chunks(batch: Batch, num: int) -> Iterator[tuple[slice, Batch]]:
    """``num`` sequences at a time, at least one, without the frames that none of them has."""
    for start in range(0, len(batch.x), max(1, num)):
        part = slice(start, start + max(1, num))
        longest = int(batch.lengths[part].max())
        yield part, Batch(batch.x[part, :longest], batch.u[part, :longest], batch.lengths[part])


def _in_chunks(
    model: SequenceModel,
    batch: Batch,
    generators: Sequence[torch.Generator],
    name: str,
    resampling: str,
    resampling_share: float,
) -> Float[Tensor, "b"]:
    """A bound of each sequence, with as many side by side as ``MEMORY`` allows.

    For ``iwae``, that goes for paths as well.

    Returns:
        The bound in nats; of ``ess``, the sum over the frames of the shares of particles.

    Raises:
        ValueError: The particles do not fit into twice ``MEMORY``.
    """
    kind, paths = parse_bound(name)
    frames, width = batch.x.shape[1], _width(model)
    # A particle holds one frame and its noise for all, beside what all of them share; a path holds
    # all frames.
    of_all = batch.x.element_size() * frames * width
    of_one = batch.x.element_size() * (width + frames * model.z_dim) if kind != "iwae" else of_all
    at_once = MEMORY // of_one
    if kind != "iwae" and paths > 2 * at_once:
        raise ValueError(
            f"The particles of {name} would take {paths * of_one / 2**30:.1f} GB for a sequence "
            f"of {frames} frames, and {2 * MEMORY / 2**30:.0f} GB are allowed; choose at most "
            f"{kind}:{2 * at_once}."
        )
    found = []
    for part, chunk in _chunks(batch, MEMORY // (of_all + paths * of_one)):
        if kind != "iwae":
            noise = _draw_each(torch.randn, chunk, generators[part], paths, model.z_dim)
            numbers = paths if resampling == "multinomial" else 1
            uniforms = _draw_each(torch.rand, chunk, generators[part], 1, numbers)
            shares: list[Tensor] = []
            see = (
                (lambda frame, seen=shares: seen.append(proposal_share(frame)))
                if kind == "ess"
                else lambda _: None
            )
            value = fivo(
                model, chunk, noise, uniforms, resampling_share=resampling_share, see=see
            ).value
            found.append((torch.stack(shares, 1) * chunk.mask).sum(1) if kind == "ess" else value)
        else:
            counts = [min(at_once or 1, paths - done) for done in range(0, paths, at_once or 1)]
            noises = (
                torch.cat(
                    [
                        _draw_each(torch.randn, chunk, generators[part], 1, model.z_dim)
                        for _ in range(count)
                    ]
                )
                for count in counts  # path by path, so that no path's noise depends on the division
            )
            found.append(
                _log_mean(torch.cat([iwae(model, chunk, noise).log_weights for noise in noises]))
            )
    return torch.cat(found)


def _draw_each(
    draw: Callable[..., Tensor],
    batch: Batch,
    generators: Sequence[torch.Generator],
    paths: int,
    size: int,
) -> Float[Tensor, "n t m"]:
    """What ``paths`` paths through each sequence are drawn with, from a generator for each."""
    pairs = zip(batch.lengths.tolist(), generators, strict=True)
    drawn = [draw(length, paths, size, generator=generator) for length, generator in pairs]
    return pad_sequence(drawn, batch_first=True).permute(2, 0, 1, 3).flatten(0, 1).to(batch.x)
