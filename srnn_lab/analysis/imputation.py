"""What a model makes of missing values: the posterior's mean of them, its deviation, and draws."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from srnn_lab.analysis.inspection import draw_reconstruction, inspect_signal
from srnn_lab.checkpoint import Checkpoint


@dataclass(frozen=True)
class Imputation:
    """A table with its gaps filled, in its own units and without its known inputs.

    Attributes:
        mean: What was observed, and the posterior mean of what was not.
        deviation: The posterior's standard deviation; 0 for what was observed.
        draws: As ``mean``, with draws from the posterior.
    """

    mean: Float[np.ndarray, "t c"]
    deviation: Float[np.ndarray, "t c"]
    draws: Float[np.ndarray, "n t c"]


def impute(
    checkpoint: Checkpoint, table: Float[np.ndarray, "t c"], *, num_samples: int = 32, seed: int = 0
) -> Imputation:
    """Fill what is missing (NaN) by what the model believes of it.

    The model is given all that was observed, before and after.

    Args:
        checkpoint: A model that was trained on tables with gaps.
        table: A table.
        num_samples: Paths of z that mean and deviation are averaged over, and draws; at least 1.
        seed: Seed of the paths and draws.

    Returns:
        The filled tables, in the units of ``table`` and without its known inputs. A first row that
        the model does not score keeps its gaps.

    Raises:
        ValueError: The table does not fit the model.
    """
    clip = inspect_signal(checkpoint, table, num_samples=num_samples, seed=seed)
    signal, _ = checkpoint.config.data.kind.parts(table)
    unscored = len(signal) - len(clip.mean)
    missing = np.isnan(signal[unscored:])

    def filled(values: Float[np.ndarray, "t x"]) -> Float[np.ndarray, "t c"]:
        rows = np.where(missing, checkpoint.frontend.signal(values), signal[unscored:])
        return np.concatenate([signal[:unscored], rows])

    deviation = np.where(missing, np.exp(clip.logvar / 2) * checkpoint.frontend.std, 0)
    draws = [
        filled(draw_reconstruction(checkpoint, table, seed=seed + i)) for i in range(num_samples)
    ]
    return Imputation(
        filled(clip.mean), np.pad(deviation, ((unscored, 0), (0, 0))), np.stack(draws)
    )
