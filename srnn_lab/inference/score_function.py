"""How a posterior learns without gradients through z_t: by the score function, with baselines."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from srnn_lab.data.sequences import Batch
from srnn_lab.inference.bounds import Bound
from srnn_lab.models.base import SequenceModel

MEMORY_OF_MEAN = 0.8
"""Factor on the running mean at each update (NVIL)."""


def score_function(model: SequenceModel, batch: Batch, bound: Bound) -> Float[Tensor, ""]:
    """What the negative bound lacks as a loss: q's gradient by all frames' log p(x_t | z_t, d_t).

    With q(z_t) for the posterior given the z_{t-1} that was drawn, and a baseline C_t that does not
    know z_t,

        d/dphi E_q[log p(x_t | z_t, d_t)] = E_q[(log p(x_t | z_t, d_t) - C_t) d/dphi log q(z_t)].

    The KL at t and all of the generative model have exact gradients in ``bound`` already. As Gan et
    al. (2015) do, z_t is credited with its own frame alone: what it does to later ones is left out,
    a bias for far less variance. C_t is the model's ``baseline``, a network of x_t that learns by
    least squares and the running mean of its error: two of the reductions of variance of NVIL (Mnih
    and Gregor, 2014).

    Args:
        model: A model without reparameterisation; in training, the mean of its baseline moves on.
        batch: Sequences, or segments of them.
        bound: What ``elbo`` gave for them, with one path each.

    Returns:
        A scalar to add to the negative bound of all frames. Only its gradient has a meaning.
    """
    baseline: Any = model.baseline  # which a model without reparameterisation has
    error = bound.log_px.detach() - baseline(batch.x) * batch.mask
    if model.training:
        baseline.mean.lerp_(error.detach().sum() / batch.mask.sum(), 1 - MEMORY_OF_MEAN)
    log_q = bound.trace.posterior.log_prob(bound.trace.z)
    return (0.5 * error.square() - error.detach() * log_q).sum()
