"""The models, by name."""

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import SequenceModel, State, Trace
from srnn_lab.models.dkf import DKF
from srnn_lab.models.rnn import RNN
from srnn_lab.models.srnn import SRNN
from srnn_lab.models.storn import STORN
from srnn_lab.models.tsbn import TSBN
from srnn_lab.models.vrae import VRAE
from srnn_lab.models.vrnn import VRNN, VRNNI
from srnn_lab.system.plugins import Registry

MODELS: Registry[type[SequenceModel]] = Registry(
    "srnn_lab.models",
    SequenceModel,
    {
        "srnn": SRNN,
        "vrnn": VRNN,
        "vrnn-i": VRNNI,
        "storn": STORN,
        "dkf": DKF,
        "rnn": RNN,
        "tsbn": TSBN,
        "vrae": VRAE,
    },
)
"""Name in a configuration -> class; the only list of models, which other packages may lengthen by
entry points."""


def build_model(config: ModelConfig) -> SequenceModel:
    """A model whose weights are not trained.

    Returns:
        A model in training mode on the CPU, with random weights.

    Raises:
        ValueError: The configuration names an unknown model or likelihood.
    """
    if config.model not in MODELS:
        raise ValueError(
            f"ModelConfig.model is {config.model!r}; choose one of {MODELS.choices()}, or install "
            "the package that brings it."
        )
    return MODELS[config.model](config)


__all__ = [
    "DKF",
    "MODELS",
    "RNN",
    "SRNN",
    "STORN",
    "TSBN",
    "VRAE",
    "VRNN",
    "VRNNI",
    "SequenceModel",
    "State",
    "Trace",
    "build_model",
]
