"""Configurations by name: the paper's, and ours."""

from dataclasses import replace
from typing import Any

from srnn_lab.config.run import RunConfig
from srnn_lab.config.settings import (
    CONVENTIONS,
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    TrainConfig,
)
from srnn_lab.data.kinds import FRAMES_PER_QUARTER


def _music(
    data: str, kl_weight_updates: int, convention: str = "srnn-music", **train: Any
) -> RunConfig:
    """Appendix A.2; the KL weight reaches 1 after 20 epochs of that data set in batches of 16."""
    recipe = {
        "adam_epsilon": 1e-4,
        "learning_rate_decay": 1 / 1.2,
        "learning_rate_decay_start": 20,
        **train,
    }
    return RunConfig(
        data=DataConfig(data=data, frames_per_quarter=FRAMES_PER_QUARTER[data]),
        train=TrainConfig(kl_weight_updates=kl_weight_updates, **recipe),
        evaluation=CONVENTIONS[convention],
    )


def _field(data: str, kl_weight_updates: int, **train: Any) -> RunConfig:
    """The same recipe on the version of the data, and by the convention, that others report on."""
    return _music(data, kl_weight_updates, "field-music", whole_sequences=True, **train)


def _tsbn(data: str, **train: Any) -> RunConfig:
    """One layer of 100 units, as Gan et al. (2015) have it and score it, trained by Adam.

    No gradient passes from frame to frame, so that songs lose nothing when they are cut.

    Returns:
        The preset. ``train`` overrides settings of the recipe.
    """
    return replace(
        _field(data, 0, batch_size=8, learning_rate=3e-3, start_from_mean=True, **train),
        model=ModelConfig(model="tsbn", z_dim=100, hidden_dim=100),
        evaluation=EvaluationConfig(average="macro", first_frame=True),
    )


def _speech(
    data: str,
    d_dim: int,
    z_dim: int,
    hidden_dim: int,
    evaluation: EvaluationConfig = CONVENTIONS["srnn-speech"],
    **train: Any,
) -> RunConfig:
    """Appendix A.1: 200 raw samples a frame, updates of 0.5 s, states reset every 2 s.

    The paper's 2 layers count the output in prior and posterior: in the authors' code these have
    one hidden layer, and the emission and a filtering a have two.

    Returns:
        The preset. ``train`` overrides settings of the recipe.
    """
    recipe = {"segment_length": 40, "segments_per_reset": 4, **train}
    return RunConfig(
        model=ModelConfig(
            likelihood="gaussian",
            x_dim=200,
            d_dim=d_dim,
            z_dim=z_dim,
            hidden_dim=hidden_dim,
            emission_layers=2,
        ),
        data=DataConfig(data=data, features="raw"),
        train=TrainConfig(**recipe),
        evaluation=evaluation,
    )


def _mel(data: str, **train: Any) -> RunConfig:
    """80 log-mel bins every 10 ms, updates of 1 s, states reset every 2 s."""
    recipe = {
        "batch_size": 32,
        "segment_length": 100,
        "segments_per_reset": 2,
        "kl_weight_updates": 1000,
        **train,
    }
    return RunConfig(
        model=ModelConfig(likelihood="gaussian", x_dim=80, d_dim=256, z_dim=32, hidden_dim=256),
        data=DataConfig(data=data, features="log-mel", frame_length=160),
        train=TrainConfig(**recipe),
        evaluation=_BY_FRAME,
    )


def _series() -> RunConfig:
    """A small model for tables of a few columns; ``x_dim`` follows from the data."""
    return RunConfig(
        model=ModelConfig(
            likelihood="gaussian", x_dim=1, d_dim=64, z_dim=8, hidden_dim=64, stand_in="mean"
        ),
        data=DataConfig(data="", features="series"),
        train=TrainConfig(batch_size=8, whole_sequences=True, kl_weight_updates=200),
        evaluation=EvaluationConfig(average="micro", first_frame=True),
    )


_BY_FRAME = EvaluationConfig(average="micro", first_frame=False)
# The authors' script for TIMIT; the gradient of raw samples is large, so 1 would clip every update.
_RAW_GRADIENT = 3000.0
_AUTHORS = {
    "adam_epsilon": 1e-4,
    "gradient_norm": _RAW_GRADIENT,
    "learning_rate_decay": 1 / 1.1,
    "learning_rate_decay_start": 15,
}
# What a frame reads of each GRU fits into 2 MB of cache, with room to spare: a clip is inferred in
# half the time of 384 units.
_COMPACT = {
    "gradient_norm": _RAW_GRADIENT,
    "batch_size": 32,
    "kl_weight_updates": 2667,
    "epochs": 60,
    "learning_rate_decay": 0.9,
    "learning_rate_decay_start": 25,
    "evaluation": _BY_FRAME,
}
FEW = {
    "roll": {"batch_size": 4, "segment_length": 24, "kl_weight_updates": 200},
    "log-mel": {"batch_size": 4, "segment_length": 50, "kl_weight_updates": 200},
}
"""By kind of frame, the settings for training on few files: batches that the files fill, and a KL
weight that reaches 1 early enough."""
PRESETS = {
    # Tuned on validation: the authors' schedule for the larger sets stops too early on this one
    # (850 updates).
    "jsb": _music(
        "fraccaro/jsb", 20 * 17, epochs=60, learning_rate_decay=0.95, learning_rate_decay_start=30
    ),
    "nottingham": _music("fraccaro/nottingham", 20 * 92),
    "muse": _music("fraccaro/muse", 20 * 155),
    "piano": _music("fraccaro/piano", 20 * 44),
    # Chosen on validation: with random transposition the model no longer memorises the chorales.
    "best-jsb": _music(
        "fraccaro/jsb",
        20 * 17,
        epochs=240,
        learning_rate_decay=0.97,
        learning_rate_decay_start=120,
        transposition=5,
    ),
    # Half the batch makes twice the updates of the same frames; and a song is scored from zero
    # states.
    "best-nottingham": replace(
        _music(
            "fraccaro/nottingham",
            20 * 92,
            epochs=106,
            batch_size=8,
            segments_per_reset=2,
            adam_epsilon=1e-8,
            learning_rate_decay=0.9,
            learning_rate_decay_start=68,
            transposition=2,
            weight_decay=0.3,
        ),
        model=ModelConfig(dropout_d=0.1, dropout_heads=0.1, dropout_emission=0.1),
    ),
    "best-muse": _music(
        "fraccaro/muse",
        20 * 155,
        epochs=36,
        batch_size=8,
        segments_per_reset=2,
        learning_rate_decay=0.84,
        learning_rate_decay_start=15,
        transposition=5,
    ),
    "best-piano": _music(
        "fraccaro/piano",
        20 * 44,
        epochs=100,
        learning_rate_decay=0.95,
        learning_rate_decay_start=50,
        transposition=5,
    ),
    "bl-jsb": _field(
        "bl/jsb",
        20 * 14,
        segment_length=160,
        epochs=60,
        learning_rate_decay=0.95,
        learning_rate_decay_start=50,
    ),
    "bl-nottingham": _field("bl/nottingham", 20 * 124),
    "bl-muse": _field("bl/muse", 20 * 169),
    "bl-piano": _field("bl/piano", 20 * 50),
    # Twice the updates, and songs that are transposed. Nottingham has many songs: they have weight
    # decay instead. More than one recipe was tried on bl/jsb and bl/muse.
    "best-bl-jsb": replace(
        _field(
            "bl/jsb",
            580,
            segment_length=160,
            epochs=500,
            batch_size=8,
            learning_rate_decay=0.965,
            learning_rate_decay_start=310,
            transposition=5,
            weight_decay=0.1,
        ),
        model=ModelConfig(smoothing=False, residual=False, dropout_features=0.05, dropout_d=0.35),
    ),
    "best-bl-nottingham": _field(
        "bl/nottingham",
        1500,
        epochs=24,
        batch_size=8,
        learning_rate_decay=0.8,
        learning_rate_decay_start=14,
        weight_decay=0.3,
    ),
    "best-bl-muse": _field(
        "bl/muse",
        1500,
        epochs=27,
        batch_size=8,
        learning_rate_decay=0.8,
        learning_rate_decay_start=15,
        transposition=5,
    ),
    "best-bl-piano": _field(
        "bl/piano",
        1000,
        epochs=50,
        batch_size=8,
        adam_epsilon=1e-8,
        learning_rate_decay=0.9,
        learning_rate_decay_start=28,
        transposition=5,
    ),
    "tsbn-nottingham": _tsbn(
        "bl/nottingham", epochs=60, learning_rate_decay=0.93, learning_rate_decay_start=20
    ),
    "tsbn-jsb": _tsbn(
        "bl/jsb", epochs=500, learning_rate_decay=0.985, learning_rate_decay_start=250
    ),
    "tsbn-muse": _tsbn(
        "bl/muse", epochs=60, learning_rate_decay=0.93, learning_rate_decay_start=20
    ),
    "tsbn-piano": _tsbn(
        "bl/piano", epochs=150, learning_rate_decay=0.97, learning_rate_decay_start=50
    ),
    "timit": _speech(
        "timit",
        1024,
        256,
        512,
        batch_size=64,
        learning_rate=1e-3,
        kl_weight_updates=2667,
        **_AUTHORS,
    ),
    "voice": _speech("voice", 256, 64, 384, **_COMPACT),
    # Five times the data, a fifth of the epochs: as many updates; judged by utterance, as TIMIT,
    # whose place they take.
    "voices": _speech(
        "voices",
        256,
        64,
        384,
        **_COMPACT
        | {
            "epochs": 12,
            "learning_rate_decay": 0.6,
            "learning_rate_decay_start": 5,
            "evaluation": CONVENTIONS["srnn-speech"],
        },
    ),
    "voice-mel": _mel("voice", epochs=80, learning_rate_decay=0.93, learning_rate_decay_start=45),
    # The paper's model of TIMIT (A.1). Its sentences are scored by 0.5 s (40 frames), hence nats
    # per frame.
    "reader": _speech(
        "reader",
        1024,
        256,
        512,
        batch_size=64,
        learning_rate=1e-3,
        kl_weight_updates=2667,
        evaluation=_BY_FRAME,
        **_AUTHORS,
    ),
    # Four times the data of voice, a third of the epochs: a few more updates, and at the end the
    # same rate.
    "reader-compact": _speech(
        "reader",
        256,
        64,
        384,
        **_COMPACT | {"epochs": 20, "learning_rate_decay": 0.73, "learning_rate_decay_start": 8},
    ),
    "reader-mel": _mel("reader", epochs=25, learning_rate_decay=0.8, learning_rate_decay_start=14),
    "series": _series(),
    "blizzard": _speech(
        "blizzard",
        2048,
        256,
        1024,
        batch_size=128,
        learning_rate=3e-4,
        kl_weight_updates=8000,
        **_AUTHORS,
    ),
}
"""The paper's configurations (appendix A.1 and A.2, with the authors' schedules but for jsb), and
compact ones for the telephone prompts."""
