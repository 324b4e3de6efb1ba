"""A stretch drawn anew, given what comes before it and after it, by a particle filter."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.data.sequences import Batch
from srnn_lab.inference.bounds import (
    ancestors,
    draw_noise,
    draw_uniforms,
    fivo,
    log_probs_of_step,
)
from srnn_lab.inference.sampling import Continuation, go_on
from srnn_lab.models import SequenceModel, State

PARTICLES = 256
"""Fillings that are drawn, of which one is kept."""
NEAR = 16
"""Frames after the stretch that all particles follow. The posterior sees as many at a time, since
each particle has states of its own there."""
FEWER = 8
"""Divisor of the number of particles before the stretch, and more than ``NEAR`` frames after it."""


class Fillings(NamedTuple):
    """K draws of a stretch, and how well each fits what comes after it.

    Attributes:
        frames: x_t, each a draw.
        params: The parameters of p(x_t | z_t, d_t) that they were drawn from.
        log_weights: Log weights; with them the draws stand for p(stretch | all other frames).
    """

    frames: Float[Tensor, "k n x"]
    params: Float[Tensor, "k n p"]
    log_weights: Float[Tensor, "k"]


def infill_frames(
    checkpoint: Checkpoint,
    frames: Float[np.ndarray, "t n"],
    start: int,
    stop: int,
    *,
    particles: int = PARTICLES,
    seed: int = 0,
) -> Continuation:
    """Draw the frames from ``start`` to ``stop`` anew, so that both ends fit.

    Args:
        checkpoint: The model.
        frames: All frames of a clip, as the model sees them; what the stretch held is not looked
            at.
        start: First frame of the stretch. The first of the clip cannot be drawn by a model that
            does not score it.
        stop: The frame after its last.
        particles: See ``draw_fillings``.
        seed: Seed of the draws.

    Returns:
        All frames, and the mean of each that was drawn on the path that was kept.

    Raises:
        ValueError: As of ``draw_fillings``.
        FloatingPointError: The model gives a value that is not a finite number.
    """
    model, first_frame = checkpoint.model, checkpoint.config.evaluation.first_frame
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    found = draw_fillings(
        model,
        torch.as_tensor(frames, device=device),
        start,
        stop,
        first_frame=first_frame,
        particles=particles,
        generator=generator,
    )
    # One particle by its weight.
    position = torch.rand(1, 1, generator=generator, device=device).to(found.log_weights)
    kept = ancestors(found.log_weights[:, None], position)[0, 0]
    whole = frames[:, : model.config.x_dim].copy()
    mean = whole.copy()
    with torch.no_grad():
        mean[start:stop] = model.likelihood.mean(found.params[kept]).cpu().numpy()
    whole[start:stop] = found.frames[kept].cpu().numpy()
    return Continuation(whole, mean)


@torch.no_grad()
def draw_fillings(
    model: SequenceModel,
    frames: Float[Tensor, "t n"],
    start: int,
    stop: int,
    *,
    generator: torch.Generator,
    first_frame: bool = True,
    particles: int = PARTICLES,
) -> Fillings:
    """Particles of p(x_{start:stop} | all other x), exact as their number grows.

    Before the stretch they descend from those of ``fivo``. In it, z_t is drawn from the prior and
    x_t by the model, which leaves the weights as they are. After it, z_t is drawn from the
    posterior again, and the weights grow by p(x_t, z_t) / q(z_t): a filling that leads on to what
    really comes has more descendants.

    Args:
        model: The model.
        frames: A sequence on the model's device, each frame followed by its known inputs.
        start: First frame of the stretch.
        stop: The frame after its last.
        generator: Source of the draws.
        first_frame: Whether the model scores x_1, given u_1 = 0.
        particles: K; at least 1.

    Returns:
        K fillings, or fewer if they were followed far, many of them alike, with their weights.

    Raises:
        ValueError: The stretch does not lie in the clip, or there is no particle.
        FloatingPointError: The model gives a value that is not a finite number.
    """
    unscored = int(not first_frame)
    if not unscored <= start < stop <= len(frames) or particles < 1:
        raise ValueError(
            f"The stretch is from frame {start} to {stop}, with {particles} particles; expected "
            f"one frame or more between {unscored} and {len(frames)}, and a particle or more."
        )
    c, weight = model.config, next(model.parameters())
    frames = frames.to(weight)
    if first_frame:
        frames, start, stop = F.pad(frames, (0, 0, 1, 0)), start + 1, stop + 1
    before, known, after = frames[:start], frames[start:stop, c.x_dim :], frames[stop:]
    with model.evaluating():
        state = model.initial_state(particles)
        if start > 1:
            batch = Batch.of(before[None], torch.tensor([start - 1]).to(weight.device), c.u_dim)
            noise = draw_noise(model, batch, generator, paths=-(-particles // FEWER))
            bound = fivo(model, batch, noise, draw_uniforms(batch, generator))
            state = bound.draw_states(_positions(particles, generator).to(weight))
        x_t = before[-1:, : c.x_dim].expand(particles, 1, -1)
        drawn, state = go_on(model, state, x_t, known, generator)
        frames, params = (values.to(weight) for values in drawn)
        own, log_weights = _follow(model, frames[:, -1:], after, state, generator)
    return Fillings(frames[own], params[own], log_weights)


def _follow(
    model: SequenceModel,
    last: Float[Tensor, "k 1 x"],
    after: Float[Tensor, "n v"],
    state: State,
    generator: torch.Generator,
) -> tuple[Int[Tensor, "j"], Float[Tensor, "j"]]:
    """A particle filter over what comes after K fillings, until all descend from one.

    Args:
        model: The model.
        last: Last frame of each filling.
        after: The frames that come, each followed by its known inputs.
        state: d and z at the last frame.
        generator: Source of the draws.

    Returns:
        The filling from which each particle descends, and its log weight.
    """
    u_dim, fewer = model.config.u_dim, -(-len(last) // FEWER)
    own, log_weights = torch.arange(len(last), device=last.device), last.new_zeros(len(last))
    for i, part in enumerate(after.split(NEAR)):
        if i:
            chosen = _resampled(log_weights, fewer, generator)
            state, own = State(*(values[chosen] for values in state)), own[chosen]
            log_weights, last = last.new_zeros(fewer), batch.x[:fewer, -1:]
        k = len(own)
        whole = torch.cat([F.pad(last, (0, u_dim)), part.expand(k, -1, -1)], 1)
        batch = Batch.of(whole, torch.full((k,), len(part), device=last.device), u_dim)
        context = model.encode(batch.u, batch.x, batch.lengths, state)
        rows = torch.arange(k, device=last.device)  # of the context, for each particle
        for t in range(len(part)):
            noise_t = draw_noise(model, batch, generator)[:, 0]
            context_t = {name: values[rows, t] for name, values in context.items()}
            state, prior_t, posterior_t = model.step(state, context_t, noise_t)
            u_t, x_t = batch.u[rows, t, None], batch.x[:, t, None]
            terms = log_probs_of_step(model, u_t, x_t, state, prior_t, posterior_t)
            log_px, log_p, log_q = (values[:, 0] for values in terms)
            log_weights = log_weights + log_px + log_p - log_q
            if 2 / log_weights.softmax(0).square().sum() < k:
                chosen = _resampled(log_weights, k, generator)
                state = State(*(values[chosen] for values in state))
                rows, own, log_weights = rows[chosen], own[chosen], last.new_zeros(k)
                if bool((own == own[0]).all()):
                    return own, log_weights
    return own, log_weights


def _resampled(
    log_weights: Float[Tensor, "k"], m: int, generator: torch.Generator
) -> Int[Tensor, "m"]:
    """The m of k particles that systematic resampling takes, by weight."""
    positions = _positions(m, generator).to(log_weights)
    return ancestors(log_weights[:, None], positions)[:, 0]


def _positions(m: int, generator: torch.Generator) -> Float[Tensor, "m 1"]:
    """Positions in [0, 1), evenly apart."""
    first = torch.rand(1, generator=generator, device=generator.device)
    return ((torch.arange(m, device=generator.device) + first) / m)[:, None]
