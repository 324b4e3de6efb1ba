"""Of all combinations of models and likelihoods, those in which each comes once."""

from srnn_lab.models import MODELS
from srnn_lab.models.likelihoods import LIKELIHOODS


def is_crossed(
    model: str, likelihood: str, *, smoothing: bool = True, residual: bool = True, **_: object
) -> bool:
    """Whether a likelihood that is not the first meets another model or posterior than the first.

    Without these, each model and each posterior comes with one likelihood, and each likelihood with
    one model."""
    first = model == next(iter(MODELS)) and smoothing and residual
    return model in MODELS and likelihood in list(LIKELIHOODS)[1:] and not first
