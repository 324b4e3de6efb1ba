"""Draws of the model: x_t ~ p(x_t | z_t, d_t), z_t ~ p(z_t | z_{t-1}, d_t), u_{t+1} = x_t."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.data import make_batch
from srnn_lab.inference.bounds import draw_noise, infer
from srnn_lab.inference.evaluation import MEMORY
from srnn_lab.models import SequenceModel
from srnn_lab.models.base import State


class Drawn(NamedTuple):
    """New frames, and what they were drawn from, on the CPU.

    Attributes:
        frames: x_t, each a draw.
        params: The parameters of p(x_t | z_t, d_t) on the path that was drawn, as the model has
            them (at temperature 1); ``model.likelihood.mean`` turns them into p(note).
    """

    frames: Float[Tensor, "b n x"]
    params: Float[Tensor, "b n p"]


class Continuation(NamedTuple):
    """Given frames and those that a model drew after them.

    Attributes:
        frames: x_t, the given ones first.
        mean: E[x_t | z_t, d_t] on the path that was drawn, of notes p(note); of the given frames
            these themselves.
    """

    frames: Float[np.ndarray, "t x"]
    mean: Float[np.ndarray, "t x"]


def continue_frames(
    checkpoint: Checkpoint,
    given: Float[np.ndarray, "g x"] | None,
    num_frames: int,
    *,
    inputs: Float[np.ndarray, "f u"] | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> Continuation:
    """Go on from the first frames of a clip, or from nothing.

    Args:
        checkpoint: The model, which scores the first frame or not, as it was trained.
        given: What comes before, each frame followed by its known inputs.
        num_frames: Frames to draw; at least 1.
        inputs: See ``draw``.
        temperature: See ``draw``.
        seed: Seed of the draws.

    Returns:
        The frames (T, X) as the model sees them, without known inputs, the given ones first, and
        the mean of each.

    Raises:
        ValueError: As of ``draw``.
        FloatingPointError: As of ``draw``.
    """
    model, first_frame = checkpoint.model, checkpoint.config.evaluation.first_frame
    prefix = None if given is None else torch.as_tensor(given)[None]
    drawn = draw(
        model,
        num_frames,
        prefix=prefix,
        first_frame=first_frame,
        inputs=None if inputs is None else torch.as_tensor(inputs),
        temperature=temperature,
        seed=seed,
    )
    with torch.no_grad():
        params = drawn.params.to(next(model.parameters()))  # a likelihood may have weights there
        mean = model.likelihood.mean(params)[0].cpu().numpy()
    given = mean[:0] if given is None else given[:, : model.config.x_dim]
    return Continuation(
        np.concatenate([given, drawn.frames[0].numpy()]), np.concatenate([given, mean])
    )


def generate(model: SequenceModel, num_frames: int, **options: Any) -> Float[Tensor, "b n x"]:
    """The new frames, without the prefix: those of ``draw``, which has the options."""
    return draw(model, num_frames, **options).frames


@torch.no_grad()
def draw(
    model: SequenceModel,
    num_frames: int,
    *,
    prefix: Float[Tensor, "b t x"] | None = None,
    first_frame: bool = True,
    inputs: Float[Tensor, "f u"] | None = None,
    batch_size: int = 1,
    temperature: float = 1.0,
    seed: int = 0,
) -> Drawn:
    """Ancestral samples, from zero states or to continue a prefix, drawn on the model's device.

    Args:
        model: The model.
        num_frames: Frames to draw; at least 1.
        prefix: Frames that come before them, with their known inputs; their latent path is drawn
            from the posterior.
        first_frame: Whether the model was trained to score x_1 given u_1 = 0; otherwise the
            prefix's first frame is only an input, and must be followed by another.
        inputs: What is known of the new frames, as the model sees it, of one that reads known
            inputs.
        batch_size: Samples side by side, when there is no prefix; at least 1.
        temperature: Multiplies the standard deviation of every z (prior, and posterior over the
            prefix) and of real values, and divides the logits of notes. 1: the model. 0: z is
            always the mean, and x the likeliest value, whatever the seed. From 0 to 10.
        seed: Seed of the draws; a GPU draws other numbers than a CPU.

    Returns:
        ``num_frames`` frames of each sample without the prefix, and the parameters that they were
        drawn from, on the CPU.

    Raises:
        ValueError: ``num_frames`` or ``batch_size`` is below 1, the frames do not fit into memory,
            ``temperature`` is out of its range, ``prefix`` has no frame to score, or ``inputs`` are
            not what the model reads.
        FloatingPointError: The model gives a value that is not a finite number.
    """
    for name, value in (("num_frames", num_frames), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} is {value}; at least 1 must be drawn.")
    if not 0 <= temperature <= 10:
        raise ValueError(
            f"temperature is {temperature}; expected a number from 0 to 10, 1 for the model as it "
            "is."
        )
    # What is known of the new frames.
    weight, x_dim, u_dim = next(model.parameters()), model.config.x_dim, model.config.u_dim
    known = weight.new_zeros(num_frames, 0) if inputs is None else inputs.to(weight)
    if known.shape[1] != u_dim or len(known) < num_frames:
        raise ValueError(
            f"{len(known)} rows of {known.shape[1]} known inputs are given for {num_frames} "
            f"frames; the model reads {u_dim} with each: give those of the future to forecast."
        )
    if known.isnan().any() and not model.config.missing_inputs:
        raise ValueError(
            "A known input of a frame to draw is missing (NaN), and the model was trained on data "
            "without such gaps: give one in every row."
        )
    generator = torch.Generator(weight.device).manual_seed(seed)
    with model.evaluating():
        # Where the samples start: at zero, or after the prefix.
        if prefix is None:
            x_t, state = weight.new_zeros(batch_size, 1, x_dim), model.initial_state(batch_size)
        else:
            batch = make_batch(list(prefix.cpu().numpy()), first_frame, **model.config.frames_hold)
            batch = batch.to(weight.device, weight.dtype)
            noise = temperature * draw_noise(model, batch, generator)
            state = infer(model, batch, noise).state
            x_t = prefix[:, -1:, :x_dim].to(weight)
        return go_on(model, state, x_t, known[:num_frames], generator, temperature)[0]


@torch.no_grad()
def go_on(
    model: SequenceModel,
    state: State,
    x_t: Float[Tensor, "b 1 x"],
    known: Float[Tensor, "n u"],
    generator: torch.Generator,
    temperature: float = 1.0,
) -> tuple[Drawn, State]:
    """Frame by frame, z_t from the prior and x_t, which is the next input.

    Args:
        model: The model.
        state: d and z of each sample at its last frame.
        x_t: That frame.
        known: Known inputs of the frames to draw, of which there are as many.
        generator: Source of the draws.
        temperature: See ``draw``.

    Returns:
        The new frames with the parameters that they were drawn from, on the CPU, and the states
        after them.

    Raises:
        ValueError: The frames do not fit into memory.
        FloatingPointError: The model gives a value that is not a finite number.
    """
    num_frames, device = len(known), x_t.device
    lengths, drawn = torch.ones(len(x_t), dtype=torch.int64, device=device), []
    for known_t in tqdm(known, unit=" frames", delay=2, leave=False):
        u_t = torch.cat([x_t, known_t.expand(len(x_t), 1, -1)], -1)
        noise_t = torch.randn(len(x_t), 1, model.z_dim, generator=generator, device=device).to(x_t)
        trace = model.unroll(u_t, None, lengths, state, temperature * noise_t)
        params = model.emit(trace.d, trace.z, u_t)
        if not params.isfinite().all():
            raise FloatingPointError(
                f"Frame {len(drawn) + 1} is not of finite numbers; train the model anew."
            )
        size = num_frames * (u_t.numel() + params.numel()) * params.element_size()
        if not drawn and size > MEMORY:
            raise ValueError(
                f"num_frames is {num_frames}; as many frames of this model take "
                f"{size / 2**30:.1f} GB, and {MEMORY / 2**30:.0f} GB are allowed: draw fewer."
            )
        state, x_t = trace.state, model.likelihood.sample(params, generator, temperature)
        drawn.append(Drawn(x_t, params))
    return Drawn(*(torch.cat(parts, 1).cpu() for parts in zip(*drawn, strict=True))), state
