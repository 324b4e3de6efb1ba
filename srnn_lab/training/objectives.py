"""What an update maximises: a bound, with its KL weighted, and the random numbers that it takes."""

from typing import NamedTuple

import torch
from torch import Tensor

from srnn_lab.config import TrainConfig
from srnn_lab.data.sequences import Batch
from srnn_lab.inference.bounds import elbo, fivo, iwae, nasmc
from srnn_lab.inference.score_function import score_function
from srnn_lab.models import SequenceModel, State


class Objective(NamedTuple):
    """What an objective comes to on a batch, added up over all frames, in nats.

    Attributes:
        loss: What is minimised.
        bound: That of the objective, of the ELBO with the KL at full weight; of ``iwae`` and
            ``fivo`` as weighted, for their weights depend on it; of ``nasmc`` that of ``fivo``.
        kl: The KL; of ``iwae`` and ``fivo`` by the sampled z, averaged over the paths.
        state: The states that the rows carry on from. Where a row has several paths, it carries on
            from one of them, drawn by weight: a sample of the past, as with one path, so that a
            segment's bound means the same under each objective.
    """

    loss: Tensor
    bound: Tensor
    kl: Tensor
    state: State


def draw(
    config: TrainConfig, length: int, z_dim: int, rows: slice, generator: torch.Generator
) -> list[Tensor]:
    """Draw what ``objective`` takes last: noise of some rows, and uniform numbers.

    They are drawn on the CPU for all rows, so that they depend neither on the device nor on the
    number of processes.

    Args:
        config: The objective and its number of particles.
        length: T, frames of the update.
        z_dim: Z, dimensions of z_t.
        rows: The rows of this process.
        generator: Source of the numbers.

    Returns:
        Noise (K rows, T, Z) for K paths of each row. With several paths, also a uniform number for
        each row, and with particles those that ancestors are drawn with.
    """
    paths = 1 if config.objective == "elbo" else config.num_particles
    shape = (config.batch_size, length)
    drawn = [torch.randn(paths, *shape, z_dim, generator=generator)[:, rows].flatten(0, 1)]
    if config.objective != "elbo":
        drawn.append(torch.rand(config.batch_size, generator=generator)[rows])
    if config.objective in ("fivo", "nasmc"):
        numbers = paths if config.resampling == "multinomial" else 1
        drawn.append(torch.rand(*shape, numbers, generator=generator)[rows])
    return drawn


def objective(
    model: SequenceModel,
    config: TrainConfig,
    batch: Batch,
    state: State,
    kl_weight: Tensor,
    noise: Tensor,
    *uniforms: Tensor,
) -> Objective:
    """The objective of a batch.

    Args:
        model: The model.
        config: Which objective, and its settings.
        batch: Segments of sequences.
        state: The states that the rows continue from.
        kl_weight: Weight of the KL term.
        noise: What ``draw`` gave first.
        uniforms: What else it gave.

    Returns:
        The loss and the bound, added up over all frames, in nats.
    """
    if config.objective == "elbo":
        bound = elbo(model, batch, state, noise)
        # The free bits of padding are a constant, without a gradient.
        loss = (kl_weight * bound.kl.clamp(min=config.free_bits) - bound.log_px).sum()
        if not model.reparameterised:  # no gradient passes through its draws
            loss = loss + score_function(model, batch, bound)
        return Objective(loss, bound.elbo.sum(), bound.kl.sum(), bound.trace.state)
    for_state, *for_ancestors = uniforms
    share = config.resampling_share
    if config.objective == "iwae":
        bound = iwae(model, batch, noise, state, kl_weight=kl_weight)
        loss = -bound.value
    elif config.objective == "fivo":
        bound = fivo(
            model,
            batch,
            noise,
            for_ancestors[0],
            state,
            resampling_share=share,
            kl_weight=kl_weight,
        )
        loss = -bound.value
    else:
        loss, bound = nasmc(model, batch, noise, for_ancestors[0], state, resampling_share=share)
    return Objective(loss.sum(), bound.value.sum(), bound.kl.sum(), bound.draw_state(for_state))
