"""What does z carry?

Other values in its place, d recomputed along them, and what is left of the reconstruction.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from srnn_lab.analysis.inspection import clip_batch
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.inference.bounds import draw_noise, infer
from srnn_lab.models import SequenceModel, State
from srnn_lab.models.base import Context

SOURCES = ("posterior sample", "posterior mean", "prior sample", "zero", "another clip")
"""Where z may come from."""


@dataclass(frozen=True)
class Reconstruction:
    """A clip as the model shows it along one path of z, frame by frame.

    Attributes:
        z: The path.
        log_px: log p(x_t | z_t, d_t) of the clip's own frames, nats per frame.
        mean: E[x_t | z_t, d_t], in the units of the frames that the model sees.
    """

    z: Float[np.ndarray, "t z"]
    log_px: Float[np.ndarray, "t"]
    mean: Float[np.ndarray, "t x"]


@dataclass(frozen=True)
class Decoded(Reconstruction):
    """A reconstruction along a path of z that is given.

    Attributes:
        logvar: Log-variance of x_t given z_t and d_t, in the units of the frames that the model
            sees (squared).
    """

    logvar: Float[np.ndarray, "t x"]


@torch.inference_mode()
def posterior_path(
    checkpoint: Checkpoint, signal: np.ndarray, *, seed: int = 0
) -> Float[np.ndarray, "t z"]:
    """A sample of z_{1:T} from the posterior of a clip.

    Args:
        checkpoint: A trained model.
        signal: The clip.
        seed: Seed of the noise.

    Returns:
        z of each scored frame (T, Z).

    Raises:
        ValueError: The clip is of the wrong kind, too short or too long.
    """
    _, batch = clip_batch(checkpoint, signal)
    noise = draw_noise(checkpoint.model, batch, torch.Generator().manual_seed(seed))
    return infer(checkpoint.model, batch, noise).z[0].numpy()


@torch.inference_mode()
def replace_latents(
    checkpoint: Checkpoint,
    signal: np.ndarray,
    *,
    other: Float[np.ndarray, "n z"] | None = None,
    start: float = 0.0,
    stop: float = math.inf,
    seed: int = 0,
) -> dict[str, Reconstruction]:
    """The reconstructions of a clip with z from each of ``SOURCES``, all with the same noise.

    Outside the chosen stretch z is the posterior sample, given the path so far. The inputs u_t =
    x_{t-1} stay those of the clip, so "prior sample" is ancestral sampling of z along the clip's
    own past.

    Args:
        checkpoint: A trained model.
        signal: The clip.
        other: The path of another clip (``posterior_path``), which is put in from its beginning,
            and over again if it is shorter. "another clip" is left out without it.
        start: Begin of the stretch, in seconds (music: quarter notes): z is replaced in frames
            whose middle lies in it.
        stop: Its end.
        seed: Seed of the noise.

    Returns:
        A reconstruction for each name in ``SOURCES``, over all scored frames.

    Raises:
        ValueError: The clip is of the wrong kind, too short or too long.
    """
    model = checkpoint.model
    # The frames, the noise that all sources share, and the path of the other clip.
    frames, batch = clip_batch(checkpoint, signal)
    num_frames = batch.x.shape[1]
    times = checkpoint.frontend.times(len(frames))[-num_frames:]
    names = [name for name in SOURCES if other is not None or name != "another clip"]
    noise = draw_noise(model, batch, torch.Generator().manual_seed(seed))
    others = torch.zeros_like(noise)
    if other is not None:
        others = torch.as_tensor(other)[None, torch.arange(num_frames) % len(other)]
    # z from each source, and what is reconstructed from it.
    state = model.initial_state(1)
    context = model.encode(batch.u, batch.x, batch.lengths, state)
    d, z = _path(model, context, state, names, noise, others, (start <= times) & (times < stop))
    params = model.emit(d, z, batch.u.expand(len(names), -1, -1))
    log_px = model.likelihood.log_prob(params, batch.x.expand(len(names), -1, -1))
    mean = model.likelihood.mean(params)
    rows = zip(z.numpy(), log_px.numpy(), mean.numpy(), strict=True)
    return {name: Reconstruction(*row) for name, row in zip(names, rows, strict=True)}


@torch.inference_mode()
def decode_path(checkpoint: Checkpoint, signal: np.ndarray, z: Float[np.ndarray, "t z"]) -> Decoded:
    """The reconstruction of a clip along a path of z, its own past in d.

    Where d depends on z, d follows the path.

    Args:
        checkpoint: A trained model.
        signal: The clip.
        z: One for each scored frame.

    Returns:
        What the decoder makes of the path.

    Raises:
        ValueError: The clip is of the wrong kind, too short or too long, or the path is of another
            length.
    """
    model = checkpoint.model
    _, batch = clip_batch(checkpoint, signal)
    if len(z) != batch.x.shape[1]:
        raise ValueError(
            f"The path has {len(z)} frames; the clip has {batch.x.shape[1]}: give one z for each "
            "of them."
        )
    path = torch.as_tensor(z)[None].to(batch.x)
    state = model.initial_state(1)
    context = model.encode(batch.u, batch.x, batch.lengths, state)
    everywhere = np.ones(len(z), bool)
    d, path = _path(
        model, context, state, ["another clip"], torch.zeros_like(path), path, everywhere
    )
    params = model.emit(d, path, batch.u)
    return Decoded(
        z=path[0].numpy(),
        log_px=model.likelihood.log_prob(params, batch.x)[0].numpy(),
        mean=model.likelihood.mean(params)[0].numpy(),
        logvar=model.likelihood.variance(params)[0].log().numpy(),
    )


def _path(
    model: SequenceModel,
    context: Context,
    state: State,
    sources: Sequence[str],
    noise: Float[Tensor, "1 t z"],
    others: Float[Tensor, "1 t z"],
    replaced: Bool[np.ndarray, "t"],
) -> tuple[Float[Tensor, "n t d"], Float[Tensor, "n t z"]]:
    """Paths of d and of z, one for each source.

    What z_t is drawn from does not depend on its noise, so one step shows it, and a second one is
    given the noise that draws the wanted z_t: right for every model, also where d_t holds z_t
    (STORN) or z_{t-1} (VRNN).

    Returns:
        d (N, T, D) and z (N, T, Z), in the order of ``sources``.
    """
    state, path = state.repeat(len(sources)), []
    tensors = (noise, others, *context.values())
    frames = zip(
        *(values.expand(len(sources), -1, -1).unbind(1) for values in tensors), strict=True
    )
    for (noise_t, other_t, *values_t), chosen in zip(frames, replaced, strict=True):
        context_t = dict(zip(context, values_t, strict=True))
        _, prior_t, posterior_t = model.step(state, context_t, noise_t)
        z_t = posterior_t.rsample(noise_t)
        if chosen:
            values = {
                "posterior sample": z_t,
                # Of zeros and ones the likelier.
                "posterior mean": posterior_t.rsample(torch.zeros_like(noise_t)),
                "prior sample": prior_t.rsample(noise_t),
                "zero": torch.zeros_like(z_t),
                "another clip": other_t,
            }
            z_t = torch.stack([values[source][i] for i, source in enumerate(sources)])
        noise_t = (z_t - posterior_t.mu) * torch.exp(-0.5 * posterior_t.logvar)
        (d_t, _), _, _ = model.step(state, context_t, noise_t)
        state = State(d_t, z_t)
        path.append(state)
    d, z = (torch.stack(values, 1) for values in zip(*path, strict=True))
    return d, z
