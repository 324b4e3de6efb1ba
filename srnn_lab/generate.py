"""Drawing from the model: x_t ~ p(x_t | z_t, d_t), z_t ~ p(z_t | z_{t-1}, d_t), with u_{t+1} = x_t fed back."""

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from srnn_lab.bounds import draw_noise, elbo
from srnn_lab.data import make_batch
from srnn_lab.models import SequenceModel


@torch.no_grad()
def generate(
    model: SequenceModel,
    num_frames: int,
    *,
    prefix: Float[Tensor, "b t x"] | None = None,
    first_frame: bool = True,
    batch_size: int = 1,
    seed: int = 0,
) -> Float[Tensor, "b n x"]:
    """Ancestral samples, from zero states or as the continuation of a prefix; on the CPU, where checkpoints are loaded.

    Args:
        model: The model.
        num_frames: Frames to draw; at least 1.
        prefix: Frames that come before them; their latent path is drawn from the posterior.
        first_frame: Whether the model was trained to score x_1 given u_1 = 0; otherwise the prefix's first frame is
            only an input, and must be followed by another.
        batch_size: Samples side by side, when there is no prefix.
        seed: Seed of the draws.

    Returns:
        The new frames, without the prefix.

    Raises:
        ValueError: ``num_frames`` is below 1, or ``prefix`` has no frame to score.
    """
    if num_frames < 1:
        raise ValueError(f"num_frames is {num_frames}; at least 1 frame must be drawn.")
    generator = torch.Generator().manual_seed(seed)
    weight = next(model.parameters())
    if prefix is None:
        u_t, state = weight.new_zeros(batch_size, 1, model.config.x_dim), model.initial_state(batch_size)
    else:
        batch = make_batch(list(prefix.numpy()), first_frame)
        state = elbo(model, batch, noise=draw_noise(model, batch, generator)).trace.state
        u_t = prefix[:, -1:]
    lengths, frames = torch.ones(len(u_t), dtype=torch.int64), []
    for _ in tqdm(range(num_frames), unit=" frames", delay=2, leave=False):
        noise_t = torch.randn(len(u_t), 1, model.z_dim, generator=generator).to(weight)
        trace = model.unroll(u_t, None, lengths, state, noise_t)
        state, u_t = trace.state, model.likelihood.sample(model.decode(trace.d, trace.z), generator)
        frames.append(u_t)
    return torch.cat(frames, 1)
