"""Bounds on log p(x_{1:T}), frame by frame or sequence by sequence."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.data.sequences import Batch
from srnn_lab.models.base import SequenceModel, State, Trace
from srnn_lab.models.distributions import Latent
from srnn_lab.models.networks import possibly


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
    """Standard normal noise for some paths through each sequence of a batch.

    Args:
        model: The model, which has Z latent dimensions.
        batch: B sequences of T frames.
        generator: Source of the noise; torch's own by default.
        paths: K, the paths through each sequence; at least 1.

    Returns:
        Noise (K B, T, Z): all sequences' first paths, then their second ones, and so on.

    Raises:
        ValueError: ``paths`` is below 1.
    """
    if paths < 1:
        raise ValueError(f"{paths} paths through a sequence are asked for; at least 1 is needed.")
    shape = (paths * len(batch.x), batch.x.shape[1], model.z_dim)
    return torch.randn(shape, generator=generator, dtype=batch.x.dtype, device=batch.x.device)


def infer(
    model: SequenceModel,
    batch: Batch,
    noise: Float[Tensor, "n t z"],
    state: State | None = None,
) -> Trace:
    """The latent paths that the posterior q(z_{1:T} | x_{1:T}) draws from some noise.

    Args:
        model: The model.
        batch: Sequences, or segments of them.
        noise: Standard normal noise of ``draw_noise``, for one path a sequence or more.
        state: Where the sequences continue from; zero by default.

    Returns:
        All sequences' first paths, then their second ones, and so on.
    """
    if state is None:
        state = model.initial_state(len(batch.x))
    return model.unroll(batch.u, batch.x, batch.lengths, state, noise)


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
    if noise is None:
        noise = draw_noise(model, batch)
    trace = infer(model, batch, noise, state)
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
        return self.draw_states(uniform[None])

    def draw_states(self, positions: Float[Tensor, "m b"]) -> State:
        """The states of m paths a sequence, drawn by weight at ``positions`` in [0, 1)."""
        return _pick(self.state, ancestors(self.log_weights, positions))


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
    paths = len(noise) // len(batch.x)
    trace = infer(model, batch, noise, state)
    batch = batch.repeat(paths)
    log_px, log_p, log_q = _log_probs(
        model, batch.u, batch.x, trace.d, trace.z, trace.prior, trace.posterior
    )
    log_px, kl = (
        (values * batch.mask).sum(1).view(paths, -1) for values in (log_px, log_q - log_p)
    )
    log_weights = log_px - kl_weight * kl
    return SequenceBound(log_mean(log_weights), kl.mean(0), log_weights, trace.state)


def draw_uniforms(
    batch: Batch, generator: torch.Generator | None = None, *, numbers: int = 1
) -> Float[Tensor, "b t m"]:
    """Uniform numbers in [0, 1) that ``fivo`` resamples by.

    Args:
        batch: B sequences of T frames.
        generator: Source of the numbers; torch's own by default.
        numbers: Numbers for each frame: 1 is systematic resampling, K are multinomial resampling.

    Returns:
        The numbers (B, T, ``numbers``).
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
        # Their weights grow by p(x_t, z_t) / q(z_t).
        terms = log_probs_of_step(
            model, u_t.repeat(k, 1, 1), x_t.repeat(k, 1, 1), reached, prior_t, posterior_t
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
            state = _pick(state, torch.where(resampled, ancestors(log_weights, positions), own))
            value = value + torch.where(resampled, log_mean(log_weights), 0)
            log_weights = torch.where(resampled, 0, log_weights)
    return SequenceBound(value + log_mean(log_weights), kl, log_weights, state)


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
        batch: See ``fivo``.
        noise: See ``fivo``.
        uniforms: See ``fivo``.
        state: See ``fivo``.
        resampling_share: See ``fivo``.

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


def log_probs_of_step(
    model: SequenceModel,
    u_t: Float[Tensor, "n 1 u"],
    x_t: Float[Tensor, "n 1 x"],
    state: State,
    prior_t: Latent,
    posterior_t: Latent,
) -> tuple[Float[Tensor, "n 1"], Float[Tensor, "n 1"], Float[Tensor, "n 1"]]:
    """The terms of the log weight at t, of n particles whose states ``model.step`` gave.

    Args:
        model: The model.
        u_t: Inputs of each particle.
        x_t: The frame, for each particle.
        state: d_t and z_t.
        prior_t: p(z_t | z_{t-1}, d_t).
        posterior_t: What z_t was drawn from.

    Returns:
        log p(x_t | z_t, d_t), log p(z_t | ...) and log q(z_t | ...), in nats.
    """
    d_t, z_t = (values[:, None] for values in state)
    prior, posterior = (
        type(dist)(*(values[:, None] for values in dist)) for dist in (prior_t, posterior_t)
    )
    return _log_probs(model, u_t, x_t, d_t, z_t, prior, posterior)


def log_mean(log_weights: Float[Tensor, "k b"]) -> Float[Tensor, "b"]:
    """Log of the mean of K weights, in nats."""
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def ancestors(
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
