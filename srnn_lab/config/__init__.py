"""What defines a run: settings with their checks, and the presets."""

from srnn_lab.config.presets import FEW, PRESETS
from srnn_lab.config.settings import (
    CONVENTIONS,
    FRAMES_PER_QUARTER,
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    parse_bound,
)

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
