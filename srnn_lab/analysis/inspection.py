"""A model and a clip -> NumPy arrays: its surprise, its reconstruction, the signal's changes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from srnn_lab.analysis.elsewhere import as_dataframe, as_xarray
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data import Batch, LazyFrames, make_batch, widen
from srnn_lab.inference.bounds import draw_noise, infer
from srnn_lab.inference.use_of_z import ACTIVE

if TYPE_CHECKING:
    import pandas
    import xarray

NEAR = 2
"""Audio frames on either side of an onset that count as its transition."""
SETTLING = 5
"""First frames of a clip, which pay for the zero state and are no spikes."""
MAX_FRAMES = 12_000
"""Longest clip that is inspected: two minutes of log-mel frames, in about 1 GB of memory."""
MAX_WIDTH = 2048
"""Widest layer of a model that inspects so long a clip; a wider one takes a shorter one."""


@dataclass(frozen=True)
class Inspection:
    """What a model makes of one clip, frame by frame, averaged over sampled posterior paths.

    Attributes:
        kl: KL(q(z_t | ...) || p(z_t | ...)), nats per frame.
        log_px: log p(x_t | z_t, d_t), nats per frame.
        frames: x, the frames as the model sees them (standardised, for audio).
        mean: Mean of x_t under the posterior, in the same units.
        logvar: Log-variance of x_t under the posterior, in the same units (squared).
        times: Middle of each frame, in seconds from the start of the clip (music: in quarter
            notes).
        seconds: The same in seconds (music: as played, at ``kinds.QUARTERS_PER_MINUTE``).
        changes: Frames in which the signal changes: onsets (audio), chord changes (music).
        active: Frames that are not silent.
        mu_q, logvar_q, mu_p, logvar_p: Posterior and prior of z_t, averaged over the paths.
        kl_z: The KL of each dimension of z_t, nats per frame; they sum to ``kl``.
        d: The deterministic states d_t, averaged over the paths.
    """

    kl: Float[np.ndarray, "t"]
    log_px: Float[np.ndarray, "t"]
    frames: Float[np.ndarray, "t x"]
    mean: Float[np.ndarray, "t x"]
    logvar: Float[np.ndarray, "t x"]
    times: Float[np.ndarray, "t"]
    seconds: Float[np.ndarray, "t"]
    changes: Int[np.ndarray, "c"]
    active: Bool[np.ndarray, "t"]
    mu_q: Float[np.ndarray, "t z"]
    logvar_q: Float[np.ndarray, "t z"]
    mu_p: Float[np.ndarray, "t z"]
    logvar_p: Float[np.ndarray, "t z"]
    kl_z: Float[np.ndarray, "t z"]
    d: Float[np.ndarray, "t d"]

    @property
    def use(self) -> Float[np.ndarray, "z"]:
        """Mean KL of each dimension of z over frames: 0 where the posterior is always the prior."""
        return self.kl_z.mean(0)

    @property
    def left_out(self) -> Bool[np.ndarray, "t"]:
        """Frames where no spike is looked for: silent ones and the first, with states from zero."""
        return ~self.active | (np.arange(len(self.kl)) < SETTLING)

    @property
    def active_units(self) -> int:
        """Dimensions of z that tell more than ``ACTIVE`` nats per frame."""
        return int((self.use > ACTIVE).sum())

    @property
    def largest_spike(self) -> int:
        """The frame of the largest KL once the state has settled, if possible not a silent one."""
        settled = np.arange(len(self.kl)) >= min(SETTLING, len(self.kl) - 1)
        heard = settled & self.active
        return int(np.where(heard if heard.any() else settled, self.kl, -np.inf).argmax())

    def to_dataframe(self) -> "pandas.DataFrame":
        """The values of each frame as a table.

        Returns:
            A row for each frame, by its time: KL, log p(x), whether it is active and changes, and
            the KL of each z.
        """
        return as_dataframe(self)

    def to_xarray(self) -> "xarray.Dataset":
        """All arrays over time, z and the values of a frame; its ``to_netcdf`` writes them."""
        return as_xarray(self)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of ``posterior.npz``; ``times`` are in seconds, of music in quarter notes."""
        names = (
            "kl",
            "log_px",
            "mean",
            "logvar",
            "mu_q",
            "logvar_q",
            "mu_p",
            "logvar_p",
            "kl_z",
            "changes",
            "times",
        )
        return {name: getattr(self, name) for name in names}


@torch.inference_mode()
def inspect_signal(
    checkpoint: Checkpoint,
    signal: np.ndarray,
    *,
    num_samples: int = 8,
    seed: int = 0,
    noise: Float[Tensor, "n t z"] | None = None,
) -> Inspection:
    """Run the posterior over one clip, from zero states.

    The first frame is left out where the checkpoint's convention does not score it.

    Args:
        checkpoint: A trained model.
        signal: A waveform at the model's sample rate, or a piano roll.
        num_samples: Posterior paths to average over; at least 1.
        seed: Seed of the paths.
        noise: Standard normal noise of the paths, instead of that of ``num_samples`` and ``seed``.

    Returns:
        NumPy arrays with one value or row for each scored frame, averaged over the paths.

    Raises:
        ValueError: The signal is of the wrong kind, too short or too long, or ``num_samples`` is
            below 1.
        FloatingPointError: The model gives a value that is not a finite number.
    """
    config, model = checkpoint.config, checkpoint.model
    # The frames, and the noise of the paths.
    frames, batch = clip_batch(checkpoint, signal)
    first = len(frames) - len(batch.x[0])
    if noise is None:
        noise = draw_noise(model, batch, torch.Generator().manual_seed(seed), paths=num_samples)
    weight = next(model.parameters())
    batch, noise = batch.to(weight.device), noise.to(weight)
    # The terms of Eq. (8) along each path, and x under the posterior, from one pass.
    with model.evaluating():
        trace = infer(model, batch, noise)
        batch = batch.repeat(len(noise))
        params = model.emit(trace.d, trace.z, batch.u)
    prior, posterior = trace.prior, trace.posterior
    log_px = model.likelihood.log_prob(params, batch.x)
    kl_z = posterior.kl(prior)  # pyright: ignore[reportArgumentType] (both are of one kind)
    kl = kl_z.sum(-1)
    if not (log_px - kl).isfinite().all():
        raise FloatingPointError(
            "The model gives values that are not finite numbers for this clip; train it anew."
        )
    means, variances = model.likelihood.mean(params), model.likelihood.variance(params)
    # Law of total variance over the paths.
    variance = variances.mean(0) + means.var(0, correction=0)
    # What happens in the signal, counted from the first scored frame.
    changes, active = config.data.kind.changes(widen(signal), frames)
    inside = changes[changes >= first] - first
    times = checkpoint.frontend.times(len(frames))[first:]

    def array(values: Tensor) -> np.ndarray:
        return values.cpu().numpy()

    return Inspection(
        kl=array(kl.mean(0)),
        log_px=array(log_px.mean(0)),
        frames=frames[first:, : config.model.x_dim],
        mean=array(means.mean(0)),
        logvar=array(variance.log()),
        times=times,
        seconds=times * config.data.kind.unit_seconds,
        changes=inside,
        active=active[first:],
        mu_q=array(posterior.mu.mean(0)),
        logvar_q=array(posterior.logvar.mean(0)),
        mu_p=array(prior.mu.mean(0)),
        logvar_p=array(prior.logvar.mean(0)),
        kl_z=array(kl_z.mean(0)),
        d=array(trace.d.mean(0))[:, : config.model.d_dim],  # without what ``stand_in`` adds
    )


def longest_clip(config: DataConfig) -> int:
    """Seconds of audio that ``MAX_FRAMES`` are, so that no more is read."""
    return math.ceil((MAX_FRAMES * config.hop + config.window) / config.rate)


def clip_batch(
    checkpoint: Checkpoint, signal: np.ndarray
) -> tuple[Float[np.ndarray, "n x"], Batch]:
    """All frames of a clip, and the batch of those that the checkpoint's convention scores.

    Returns:
        The frames (T, X) as the model sees them, each followed by its known inputs, and a batch of
        one sequence.

    Raises:
        ValueError: The signal is of the wrong kind, too short or too long.
    """
    config = checkpoint.config
    # Counted before they are made: a checkpoint from anywhere may ask for a window at each sample
    # of a long clip.
    frames = LazyFrames(checkpoint.frontend, signal, config.model.x_dim)
    need = 1 + config.evaluation.unscored
    if len(frames) < need:
        raise ValueError(
            f"The clip has {len(frames)} of the {need} frames that it needs at least. Give a "
            "longer one."
        )
    if len(frames) > MAX_FRAMES:
        raise ValueError(
            f"The clip has {len(frames)} frames; at most {MAX_FRAMES} are inspected. Cut it first."
        )
    model = checkpoint.model
    widest = max(model.d_dim, model.z_dim, config.model.hidden_dim, model.likelihood.num_params)
    if len(frames) * widest > MAX_FRAMES * MAX_WIDTH:
        raise ValueError(
            f"A clip of {len(frames)} frames is too long for a model {widest} values wide. Cut it "
            "first."
        )
    made = frames[:]
    return made, make_batch([made], config.evaluation.first_frame, **config.model.frames_hold)


@torch.inference_mode()
def draw_reconstruction(
    checkpoint: Checkpoint, signal: np.ndarray, *, seed: int = 0
) -> Float[np.ndarray, "t x"]:
    """One draw of x_t ~ p(x_t | z_t, d_t) for each scored frame, along one path from the posterior.

    Args:
        checkpoint: A trained model.
        signal: A waveform at the model's sample rate, or a piano roll.
        seed: Seed of the path and of the draws.

    Returns:
        Frames (T, X) in the units that the model sees.

    Raises:
        ValueError: The signal is of the wrong kind, too short or too long.
    """
    model = checkpoint.model
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    batch = clip_batch(checkpoint, signal)[1].to(device)
    trace = infer(model, batch, draw_noise(model, batch, generator))
    params = model.emit(trace.d, trace.z, batch.u)
    return model.likelihood.sample(params, generator)[0].cpu().numpy()
