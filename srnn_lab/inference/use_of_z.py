"""Is z used? Its KL, its active units, and what the reconstruction loses without it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from srnn_lab.config import EvaluationConfig
from srnn_lab.data.sequences import Batch, Frames, by_length, make_batch
from srnn_lab.inference.bounds import draw_noise, elbo
from srnn_lab.inference.evaluation import in_memory
from srnn_lab.models import SequenceModel, State, Trace

ACTIVE = 0.01
"""Nats per frame above which a unit of z is active (the threshold of Burda et al., 2015, on another
measure)."""
LITTLE = 0.1
"""Nats per frame below which z is hardly used, be it the KL or what is lost without z."""
MAX_FRAMES = 5000
"""About so many frames are looked at, in whole sequences."""
ADVICE = (
    "To train it to be used, try --free-bits 1 or a KL weight that grows more slowly "
    "(--kl-weight-updates)."
)
WASTED = "This KL buys nothing: train longer."
"""What is said of a KL of which x is reconstructed no better, as early in a training."""


@dataclass(frozen=True)
class UseOfZ:
    """How much a model uses z, on some sequences.

    Attributes:
        kl: KL of posterior and prior, nats per frame.
        log_px: Reconstruction with z from the posterior, nats per frame.
        lost: Nats by which a frame's reconstruction is worse with its z_t from the prior p(z_t |
            z_{t-1}, d_t).
        active: Units of z whose KL is above ``ACTIVE``.
        units: Units of z.
        frames: Frames that were looked at.
    """

    kl: float
    log_px: float
    lost: float
    active: int
    units: int
    frames: int

    @property
    def little(self) -> bool:
        """Whether z is hardly used."""
        return min(self.kl, self.lost) < LITTLE

    @property
    def share(self) -> float | None:
        """KL as a share of the negative ELBO; None where log p(x | z, d) is not below 0."""
        return self.kl / (self.kl - self.log_px) if self.log_px < 0 else None

    def to_dict(self) -> dict[str, float | int]:
        """The numbers by name."""
        return asdict(self) | ({} if self.share is None else {"share": self.share})

    def sentence(self) -> str:
        """The same in words, with what to try where z is hardly used."""
        share = "" if self.share is None else f" ({self.share:.1%} of the negative ELBO)"
        wasted = self.little and self.kl >= LITTLE
        lost = f"{_number(self.lost)} nats per frame are" if self.lost > 0 else "nothing is"
        told = (
            f"z is {'hardly ' * self.little}used: the KL is {_number(self.kl)} nats per "
            f"frame{share}, {self.active} of {self.units} units are active, "
            f"{'but' if wasted else 'and'} {lost} lost when z_t comes from the prior."
        )
        return f"{told} {WASTED if wasted else ADVICE}" if self.little else told


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def told(use: UseOfZ | None) -> dict[str, Any]:
    """What a command prints of it: the numbers, and the sentence."""
    return {"use_of_z": use.to_dict(), "z": use.sentence()} if use else {}


@torch.no_grad()
def use_of_z(
    model: SequenceModel,
    sequences: Sequence[Frames],
    config: EvaluationConfig,
    *,
    seed: int = 0,
    batch_size: int = 32,
) -> UseOfZ | None:
    """How much a model uses z, on about ``MAX_FRAMES`` frames.

    Args:
        model: The model.
        sequences: Of a split; every n-th is taken.
        config: Whether the first frame is scored.
        seed: Seed of the noise, which is the same for z from the posterior and from the prior.
        batch_size: Sequences side by side.

    Returns:
        Nats per frame, and the number of units in use. None for a model without z.

    Raises:
        ValueError: There is no sequence.
    """
    if not len(sequences):
        raise ValueError("There is no sequence to look at; give at least one.")
    if not model.z_dim:
        return None
    chosen = sequences[:: max(1, round(sum(map(len, sequences)) / MAX_FRAMES))]
    weight, generator = next(model.parameters()), torch.Generator().manual_seed(seed)
    kl, with_z, without_z, frames = np.zeros(model.z_dim), 0.0, 0.0, 0
    with model.evaluating():
        # Sums over frames, with z from the posterior and from the prior.
        for group in by_length(chosen, batch_size):
            whole = make_batch(
                [chosen[i] for i in group], config.first_frame, **model.config.frames_hold
            )
            noises = draw_noise(model, whole, generator)
            for part, batch in in_memory(whole.to(weight.device, weight.dtype), model):
                noise = noises[part, : batch.x.shape[1]].to(weight)
                bound = elbo(model, batch, noise=noise)
                by_unit = bound.trace.posterior.kl(bound.trace.prior)  # pyright: ignore[reportArgumentType] (of one kind)
                units = by_unit * batch.mask[..., None]
                kl += units.sum((0, 1)).cpu().double().numpy()
                with_z += _sum(bound.log_px)
                without_z += _sum(_log_px_from_prior(model, batch, bound.trace, noise))
                frames += int(batch.lengths.sum())
    return UseOfZ(
        kl=float(kl.sum() / frames),
        log_px=with_z / frames,
        lost=(with_z - without_z) / frames,
        active=int((kl / frames > ACTIVE).sum()),
        units=model.z_dim,
        frames=frames,
    )


def _log_px_from_prior(
    model: SequenceModel, batch: Batch, trace: Trace, noise: Float[Tensor, "b t z"]
) -> Float[Tensor, "b t"]:
    """Log p(x_t | z_t, d_t) where z_{t-1} is of a posterior path, but z_t is drawn from the prior.

    A step, for all t at once, is given the noise that draws that z_t from the posterior: right for
    every model, also where d_t holds z_t.

    Returns:
        Nats for each frame; 0 in the padding.
    """
    start, length = model.initial_state(len(batch.x)), batch.x.shape[1]
    context = model.encode(batch.u, batch.x, batch.lengths, start)
    earlier = (
        torch.cat([s[:, None], v[:, :-1]], 1)
        for s, v in zip(start, (trace.d, trace.z), strict=True)
    )
    before = State(*(values.flatten(0, 1) for values in earlier))
    z = trace.prior.rsample(noise)
    noise = (z - trace.posterior.mu) * torch.exp(-0.5 * trace.posterior.logvar)
    reached, _, _ = model.step(
        before, {name: v.flatten(0, 1) for name, v in context.items()}, noise.flatten(0, 1)
    )
    d, z = (values.unflatten(0, (-1, length)) for values in reached)
    return model.likelihood.log_prob(model.emit(d, z, batch.u), batch.x) * batch.mask


def _sum(values: Tensor) -> float:
    """In 64 bits; what is not finite, as of impossible values, counts as the largest of 32 bits."""
    return float(values.nan_to_num(-torch.finfo(torch.float32).max).double().sum())
