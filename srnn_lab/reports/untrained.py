"""What a waveform is worth without training: ``python -m srnn_lab.reports.untrained voice reader``.

Prints, and with ``--write`` keeps for Table 1, nats per frame, first frame not scored, over all
frames and over the active ones, of

- an adaptive linear predictor, whose coefficients and scale come from past samples alone, so that
  it is a density of the whole waveform: with taps that cross the border of a frame, and with taps
  inside the frame;
- one Gaussian with full covariance for all frames, fitted to the training set, which knows nothing
  of time.

The predictor's window, memory and share were set on the validation split of ``voice``.
"""

import argparse
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy.signal import lfilter
from scipy.stats import multivariate_normal
from torch import Tensor

from srnn_lab.config import PRESETS, DataConfig
from srnn_lab.data import Frontend, load_split
from srnn_lab.data.kinds import Raw, Sound
from srnn_lab.data.storage import widen
from srnn_lab.models.linear_prediction import prediction_error, predictor, step_up
from srnn_lab.reports.records import signals_sha256
from srnn_lab.reports.table import UNTRAINED
from srnn_lab.system.files import write_atomically

FLOOR = 1e-9
"""Variance of the white noise added to the past, far below one step of 16 bits in any of the data
sets."""


def predictor_nats(
    frames: Float[np.ndarray, "t x"],
    *,
    order: int = 16,
    window: int = 280,
    memory: float = 20.0,
    share: float = 0.65,
    df: float = 4.0,
    inside: bool = False,
) -> Float[np.ndarray, "t"]:
    """Log density of each frame of a waveform, in nats, under the adaptive linear predictor.

    The taps of a frame are those of the best predictor of the ``window`` samples before it
    (autocorrelation method). A residual is Student-t, and its squared scale is ``share`` times the
    running mean of the squared residuals before it.

    Args:
        frames: Consecutive frames of one waveform.
        order: Taps.
        window: Samples before a frame that its taps come from.
        memory: Samples after which a residual counts 1/e times as much in the scale.
        share: Squared scale over mean square.
        df: Degrees of freedom of the residual.
        inside: Whether taps read samples of the frame alone; its first ones are then predicted by
            the predictors of lower order, whose errors are larger by a factor that the reflection
            coefficients say.

    Returns:
        The log density of each frame, in the units of ``frames``.
    """
    # The residuals of each frame.
    x = torch.as_tensor(frames, dtype=torch.float64)
    num_frames, n = x.shape
    past = F.pad(x.flatten(), (window, 0)).unfold(0, window, n)[:num_frames]
    kappa, _ = predictor(past, order, FLOOR)
    e = prediction_error(x, step_up(kappa), None if inside else past)
    growth = torch.ones_like(e)  # of the error's variance, against that of the full order
    for i in range(min(order, n) if inside else 0):
        taps = step_up(kappa[:, :i]) if i else kappa[:, :0]
        e[:, i] = x[:, i] - (taps * x[:, :i].flip(-1)).sum(-1)
        growth[:, i] = 1 / (1 - kappa[:, i:].square()).prod(-1)
    e = e * growth.rsqrt()
    # Their Student-t density, whose scale follows the residuals before.
    scale = share * (_running_mean(e.flatten(), memory).view_as(e) + FLOOR)
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    tails = (df + 1) / 2 * torch.log1p(e.square() / scale / df)
    return (constant - 0.5 * (scale.log() + growth.log()) - tails).sum(-1).numpy()


def _running_mean(e: Float[Tensor, "n"], memory: float) -> Float[Tensor, "n"]:
    """Of e^2 before each value."""
    decay = math.exp(-1 / memory)
    return torch.as_tensor(lfilter([0.0, 1 - decay], [1.0, -decay], e.square().numpy()))


def gaussian_nats(
    seen: Float[np.ndarray, "n x"], scored: Float[np.ndarray, "t x"]
) -> Float[np.ndarray, "t"]:
    """Nats of each scored frame under one Gaussian with the mean and covariance of those seen."""
    return multivariate_normal(seen.mean(0), cov=np.cov(seen.T)).logpdf(scored)  # pyright: ignore[reportArgumentType]


def measure(
    config: DataConfig, x_dim: int, split: str = "test", data_dir: str | None = None, **options: Any
) -> dict[str, list[tuple[Float[np.ndarray, "t"], Bool[np.ndarray, "t"]]]]:
    """How well densities that need no training predict each frame of a data set but the first.

    Args:
        config: A data set, with raw frames.
        x_dim: Samples in a frame.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files.
        options: Of ``predictor_nats``.

    Returns:
        By the name of a density, for each signal the nats of its frames, and which of these frames
        are active.

    Raises:
        ValueError: The frames are not sound.
    """
    train, scored = (list(load_split(config, name, data_dir).values()) for name in ("train", split))
    frontend = Frontend.fit(config, x_dim, train)
    clips = [frontend.frames(signal, x_dim) for signal in scored]
    kind = config.kind
    if not isinstance(kind, Sound):
        raise ValueError(f"The frames of {config.data} are no sound; predictors are of raw audio.")
    active = [kind.active(widen(signal))[1:] for signal in scored]
    seen = np.concatenate([frontend.frames(signal, x_dim) for signal in train]).astype(np.float64)
    nats = {
        f"linear predictor, taps {where}": [
            predictor_nats(frames, inside=inside, **options)[1:] for frames in clips
        ]
        for where, inside in (("also before the frame", False), ("inside the frame", True))
    }
    nats["Gaussian, full covariance"] = [gaussian_nats(seen, frames[1:]) for frames in clips]
    return {name: list(zip(values, active, strict=True)) for name, values in nats.items()}


def main() -> None:
    """Print the figures of the presets named on the command line."""
    raw = [name for name, preset in PRESETS.items() if isinstance(preset.data.kind, Raw)]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("preset", nargs="+", choices=raw, help="What the frames are.")
    parser.add_argument("--data", help="Another data set, or a folder of audio files.")
    parser.add_argument(
        "--data-dir", help="Folder of the data sets' files. Default: SRNN_LAB_DATA."
    )
    parser.add_argument("--split", choices=("train", "valid", "test"), default="test")
    parser.add_argument("--order", type=int, default=16, help="Taps of the predictor. Default: 16.")
    parser.add_argument(
        "--window", type=int, default=280, help="Samples that its taps come from. Default: 280."
    )
    parser.add_argument(
        "--memory", type=float, default=20.0, help="Samples that its scale comes from. Default: 20."
    )
    parser.add_argument(
        "--write", action="store_true", help=f"Keep the figures in {UNTRAINED.name}."
    )
    chosen = parser.parse_args()
    # Each density on each preset's data.
    kept = []
    options = {"order": chosen.order, "window": chosen.window, "memory": chosen.memory}
    for name in chosen.preset:
        preset = PRESETS[name]
        config = replace(preset.data, data=chosen.data or preset.data.data)
        signals = signals_sha256(load_split(config, chosen.split, chosen.data_dir).values())
        found = measure(config, preset.model.x_dim, chosen.split, chosen.data_dir, **options)
        for density, clips in found.items():
            nats, active = (np.concatenate(parts) for parts in zip(*clips, strict=True))
            print(
                f"{config.data} ({chosen.split}), {density}: {nats.mean():.2f} nats per frame "
                f"({len(nats)}), active frames {nats[active].mean():.2f} ({active.sum()})"
            )
            figures = {"elbo": nats.mean(), "elbo_active": nats[active].mean()}
            sums, lengths = (
                [values.sum() for values, _ in clips],
                [len(values) for values, _ in clips],
            )
            kept.append(
                {
                    "data": config.data,
                    "density": density,
                    **figures,
                    "sums": sums,
                    "lengths": lengths,
                }
            )
            kept[-1] |= {"data_sha256": signals, "options": options}
    if chosen.write:
        write_atomically(UNTRAINED, f"{json.dumps(kept, default=float)}\n".encode())


if __name__ == "__main__":
    main()
