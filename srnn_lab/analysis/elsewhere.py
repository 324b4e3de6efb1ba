"""What is found in a clip, for other tools: pandas, xarray (and so NetCDF), ArviZ."""

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.inference.bounds import draw_noise, elbo
from srnn_lab.system.extras import optional_packages

if TYPE_CHECKING:
    import arviz
    import pandas
    import xarray

    from srnn_lab.analysis.inspection import Inspection


def as_dataframe(clip: "Inspection") -> "pandas.DataFrame":
    """The values of each frame as a table.

    Returns:
        A row for each frame, by its time: KL, log p(x), whether it is active and changes, and the
        KL of each z.
    """
    with optional_packages():
        import pandas
    changes = np.zeros(len(clip.kl), bool)
    changes[clip.changes] = True
    columns = {"kl": clip.kl, "log_px": clip.log_px, "active": clip.active, "change": changes}
    columns |= {f"kl_z{i}": values for i, values in enumerate(clip.kl_z.T)}
    return pandas.DataFrame(columns, index=pandas.Index(clip.times, name="time"))


def as_xarray(clip: "Inspection") -> "xarray.Dataset":
    """All arrays over time, z and the values of a frame; ``to_netcdf`` writes it."""
    with optional_packages():
        import xarray
    over = {
        "z": ("mu_q", "logvar_q", "mu_p", "logvar_p", "kl_z"),
        "x": ("frames", "mean", "logvar"),
    }
    variables = {
        name: (("time", axis), getattr(clip, name))
        for axis, names in over.items()
        for name in names
    }
    variables |= {name: (("time",), getattr(clip, name)) for name in ("kl", "log_px", "active")}
    changes = np.isin(np.arange(len(clip.kl)), clip.changes)
    found = xarray.Dataset({**variables, "change": (("time",), changes)}, {"time": clip.times})
    for name in ("kl", "kl_z", "log_px"):
        found[name].attrs["units"] = "nats"
    return found


@torch.no_grad()
def to_arviz(
    checkpoint: Checkpoint, signal: np.ndarray, *, num_samples: int = 32, seed: int = 0
) -> "arviz.InferenceData":
    """Draws from the posterior of one clip: z, with log p(x_t | z_t, d_t) and x.

    z is by draw, frame and dimension.

    Args:
        checkpoint: A trained model with latent variables.
        signal: What ``inspect_signal`` takes.
        num_samples: Draws, in one chain; they are independent. At least 1.
        seed: Of the draws, which are those of ``inspect_signal``.

    Returns:
        Groups ``posterior`` (z), ``log_likelihood`` (nats of each frame) and ``observed_data``.

    Raises:
        ValueError: The signal does not fit the model.
    """
    from srnn_lab.analysis.inspection import clip_batch

    with optional_packages(), warnings.catch_warnings():
        # Once a day arviz announces its version 1, which is not the one that we ask for.
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    model = checkpoint.model
    frames, batch = clip_batch(checkpoint, signal)
    first = len(frames) - batch.x.shape[1]
    noise = draw_noise(model, batch, torch.Generator().manual_seed(seed), paths=num_samples)
    weight = next(model.parameters())
    with model.evaluating():
        bound = elbo(model, batch.to(weight.device), noise=noise.to(weight))
    z, log_px = (values[None].cpu().numpy() for values in (bound.trace.z, bound.log_px))
    return arviz.from_dict(
        posterior={"z": z},
        log_likelihood={"x": log_px},
        observed_data={"x": batch.x[0].cpu().numpy()},
        coords={"time": checkpoint.frontend.times(len(frames))[first:]},
        dims={"z": ["time", "dimension"], "x": ["time", "value"]},
    )
