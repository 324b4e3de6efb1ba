"""How far A's ELBO lies above B's on the same test set: ``python -m srnn_lab.reports.paired A B``.

A and B are checkpoints.

Sequences differ far more from each other than two models do on one of them, so that the error of
this difference is far smaller than the errors of the two figures.
"""

import sys
from dataclasses import replace

import torch

from srnn_lab import load_checkpoint
from srnn_lab.data import load_split
from srnn_lab.inference.evaluation import Score, evaluate, reduce


def difference(a: str, b: str) -> tuple[Score, int]:
    """``a``'s ELBO less ``b``'s, by their convention, and the sequences on which it is above 0.

    Returns:
        The difference in nats with its standard error, and a number of sequences.

    Raises:
        ValueError: They are of other data or frames, or have another convention.
    """
    first, second = load_checkpoint(a), load_checkpoint(b)
    config, convention = second.config, second.config.evaluation
    compared = (first.config.data, first.config.model.x_dim, first.config.evaluation)
    if compared != (config.data, config.model.x_dim, convention):
        raise ValueError(
            f"{a} and {b} differ in their data, frames or convention; give two that agree in them."
        )
    alone = replace(convention, average="sequence")
    differences, lengths = [], []
    for signal in load_split(config.data, "test").values():
        sequence = second.frontend.sequences([signal], config.model.x_dim)
        one, other = (evaluate(checkpoint.model, sequence, alone) for checkpoint in (first, second))
        differences.append((one.log_px - other.log_px, one.kl - other.kl))
        lengths.append(one.frames)
    log_px, kl = torch.tensor(differences, dtype=torch.float64).T[:, None]
    return reduce(log_px, kl, torch.tensor(lengths), convention), int((log_px > kl).sum())


def main(a: str, b: str) -> None:
    """Print the difference."""
    score, above = difference(a, b)
    unit, error = "sequence" if score.average == "sequence" else "frame", score.others["elbo_se"]
    print(f"{score.elbo:.2f} ± {error:.2f} nats per {unit} ({score.average} average)")
    print(f"above 0 on {above} of {score.sequences} sequences")


if __name__ == "__main__":
    main(*sys.argv[1:])
