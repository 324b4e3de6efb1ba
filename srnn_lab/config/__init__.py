"""What defines a run: settings with their checks, and the presets."""

from srnn_lab.config.presets import FEW, PRESETS
from srnn_lab.config.run import RunConfig
from srnn_lab.config.settings import (
    CONVENTIONS,
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    TrainConfig,
    parse_bound,
)
from srnn_lab.data.kinds import FRAMES_PER_QUARTER

__all__ = [
    "CONVENTIONS",
    "FEW",
    "FRAMES_PER_QUARTER",
    "PRESETS",
    "DataConfig",
    "EvaluationConfig",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "parse_bound",
]
