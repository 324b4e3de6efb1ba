"""What comes next, with its uncertainty: paths from the prior, and how good they were."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import logsumexp

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.data.frames import LazyFrames
from srnn_lab.inference.sampling import draw
from srnn_lab.inference.scores import Predicted


@dataclass(frozen=True)
class Forecast(Predicted):
    """Draws of what comes next.

    Attributes:
        samples: One path a row, in units of the signal.
        times: Middle of each step, in units of the time axis from the start of what was observed.
        log_px: Log density of each row that came, by the distribution it would be drawn from on
            each path, in nats.
    """

    samples: Float[np.ndarray, "n t c"]
    times: Float[np.ndarray, "t"]
    log_px: Callable[[Float[np.ndarray, "t c"]], Float[np.ndarray, "n t"]] | None = None

    @property
    def mean(self) -> Float[np.ndarray, "t c"]:
        """Mean of the draws."""
        return self.samples.mean(0)

    def quantile(self, share: float) -> Float[np.ndarray, "t c"]:
        """The value that ``share`` of the draws lie below; in [0, 1]."""
        return np.quantile(self.samples, share, axis=0)

    def crps(self, came: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
        """The continuous ranked probability score of values: E|X - y| - E|X - X'| / 2.

        There is one for each value that came; 0 is perfect.

        The unbiased estimate, in which no draw is compared with itself (Gneiting and Raftery, 2007;
        Ferro, 2014).

        Returns:
            A score for each value, in the unit of its column; lower is better.

        Raises:
            ValueError: There is a single draw, or what came has another shape.
        """
        n = len(self.samples)
        if n < 2 or came.shape != self.samples.shape[1:]:
            raise ValueError(
                f"{n} draws of shape {self.samples.shape[1:]} cannot be scored by what came, "
                f"{came.shape}."
            )
        # The sum of |X_i - X_j| over all pairs, from the ordered draws: the i-th smallest is added
        # and taken off.
        weights = 2 * np.arange(1, n + 1) - n - 1
        pairs = np.tensordot(weights, np.sort(self.samples, 0), 1) / (n * (n - 1))
        return np.abs(self.samples - came).mean(0) - pairs

    def log_score(self, came: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t"]:
        """Minus the log of the mean density over the paths, in nats of the units of the table.

        Returns:
            A number for each row; the lower, the better.

        Raises:
            ValueError: The forecast has draws alone, without a density.
        """
        if self.log_px is None:
            raise ValueError("These draws have no density; a forecast by ``forecast`` has one.")
        return np.log(len(self.samples)) - logsumexp(self.log_px(came), 0)


def forecast(
    checkpoint: Checkpoint,
    past: Float[np.ndarray, "t c"],
    steps: int,
    *,
    u: Float[np.ndarray, "f u"] | None = None,
    paths: int = 100,
    seed: int = 0,
) -> Forecast:
    """Draw what comes after a table, each x fed back in u.

    z is drawn from the posterior up to the table's end, then from the prior.

    Args:
        checkpoint: A model of tables.
        past: What was observed, its known inputs after it; values may be missing, if the model
            takes that.
        steps: Rows to draw; at least 1.
        u: Known inputs of these rows, of a model that reads some.
        paths: Draws; at least 1.
        seed: Seed of the draws.

    Returns:
        Draws (``paths``, ``steps``, columns) in the units of the table, and the time of each step.

    Raises:
        ValueError: The table or its inputs do not fit the model, ``paths`` or ``steps`` is below 1,
            or the draws do not fit into memory.
    """
    if paths < 1:
        raise ValueError(f"paths is {paths}; at least 1 must be drawn.")
    x_dim, weight = checkpoint.config.model.x_dim, next(checkpoint.model.parameters())
    frames = LazyFrames(checkpoint.frontend, past, x_dim)[:]
    prefix = torch.as_tensor(frames)[None].expand(paths, -1, -1)
    inputs = (
        None
        if u is None
        else torch.as_tensor(checkpoint.frontend.inputs(np.asarray(u, np.float32)))
    )
    first_frame = checkpoint.config.evaluation.first_frame
    drawn = draw(
        checkpoint.model, steps, prefix=prefix, inputs=inputs, first_frame=first_frame, seed=seed
    )

    @torch.no_grad()  # a likelihood may have weights of its own
    def log_px(came: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "n t"]:
        # Of standardised values, brought to the units of the table.
        table = came if u is None else np.hstack([came, u[:steps]])
        x = checkpoint.frontend.frames(table.astype(np.float32), x_dim)[:, :x_dim]
        densities = checkpoint.model.likelihood.log_prob(
            drawn.params.to(weight), torch.as_tensor(x).to(weight).expand(paths, -1, -1)
        )
        return (
            densities.cpu().numpy() - np.log(np.broadcast_to(checkpoint.frontend.std, x_dim)).sum()
        )

    samples = np.stack([checkpoint.frontend.signal(path) for path in drawn.frames.numpy()])
    return Forecast(samples, checkpoint.frontend.times(len(frames) + steps)[len(frames) :], log_px)
