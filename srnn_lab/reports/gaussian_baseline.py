"""What knowing nothing of time is worth, on the data of ``voice``.

Run it by ``python -m srnn_lab.reports.gaussian_baseline``.

Prints the log-likelihood of the test frames, in nats per frame, under one Gaussian for all frames,
fitted to the training frames: with a diagonal and with a full covariance. Frames and average are
those of the speech checkpoints.
"""

import numpy as np
from scipy.stats import multivariate_normal

from srnn_lab.config import PRESETS
from srnn_lab.data import Frontend, load_split


def main() -> None:
    """Print both figures for both kinds of frames."""
    for preset in ("voice", "voice-mel"):
        config = PRESETS[preset]
        x_dim = config.model.x_dim
        train, test = (list(load_split(config.data, split).values()) for split in ("train", "test"))
        frontend = Frontend.fit(config.data, x_dim, train)
        seen = np.concatenate([frontend.frames(signal, x_dim) for signal in train]).astype(
            np.float64
        )
        scored = np.concatenate([frontend.frames(signal, x_dim)[1:] for signal in test])
        for name, covariance in (("diagonal", np.diag(seen.var(0))), ("full", np.cov(seen.T))):
            value = multivariate_normal(seen.mean(0), covariance).logpdf(scored).mean()  # pyright: ignore[reportArgumentType]
            print(f"{preset}: {name} covariance {value:.2f} nats per frame ({len(scored)} frames)")


if __name__ == "__main__":
    main()
