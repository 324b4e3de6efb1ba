"""What defines a run: its four sections of settings together, to a dictionary and back."""

import reprlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_origin

from srnn_lab.config.settings import (
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    TrainConfig,
    check_choice,
)
from srnn_lab.data.frame_kind import VALUES
from srnn_lab.data.kinds import FRAMES_PER_QUARTER, KINDS, Roll


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that a checkpoint needs to be rebuilt, trained again and evaluated as published."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self):
        self.data.kind.check_size(self.model.x_dim)
        if self.train.transposition and not self.data.kind.notes:
            raise ValueError(
                f"TrainConfig.transposition is {self.train.transposition}; only notes "
                f"({Roll.name!r} frames) can be transposed, and the frames are "
                f"{self.data.features!r}: choose 0."
            )
        if self.train.whole_sequences and self.train.segments_per_reset:
            raise ValueError(
                f"TrainConfig.segments_per_reset is {self.train.segments_per_reset}; with "
                "whole_sequences, states are reset at the start of each sequence alone: choose 0."
            )
        self._check_values()

    def _check_values(self) -> None:
        kind, likelihood = self.data.kind, self.model.likelihood
        if likelihood == kind.likelihood:  # as in the presets, which need not wait for torch
            return
        from srnn_lab.models.likelihoods import LIKELIHOODS

        if likelihood in LIKELIHOODS and (taken := LIKELIHOODS[likelihood].values) != kind.values:
            fitting = [name for name, other in LIKELIHOODS.items() if other.values == kind.values]
            raise ValueError(
                f"ModelConfig.likelihood is {likelihood!r}, a distribution of {VALUES[taken]}, "
                f"and {kind.name!r} frames are {VALUES[kind.values]}: choose "
                f"{' or '.join(fitting)}."
            )

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain nested dictionaries, as stored in a checkpoint."""
        return asdict(self)

    def settings(self) -> dict[str, Any]:
        """All settings by name, on one level."""
        return {
            name: value for section in self.to_dict().values() for name, value in section.items()
        }

    def check_read(self, names: Iterable[str]) -> None:
        """Check that each of the settings that someone chose by name has an effect.

        Raises:
            ValueError: One has none, or the frames would not be those of published rolls.
        """
        settings, names = self.settings(), list(names)
        for name in settings.keys() & names:
            for other, values in readers_of(name, self.model).items():
                if settings[other] not in values:
                    raise ValueError(
                        f"{section_of(name)[0]}.{name} has no effect where {other} is "
                        f"{settings[other]!r}; it counts with "
                        f"{' or '.join(repr(value) for value in values)} alone: leave it out."
                    )
        found = self.data.frames_per_quarter
        expected = FRAMES_PER_QUARTER.get(self.data.data, found)
        if "frames_per_quarter" in names and found != expected:
            raise ValueError(
                f"DataConfig.frames_per_quarter is {found}; the rolls of {self.data.data!r} have "
                f"{expected}: leave it out."
            )

    def differences(self, other: "RunConfig") -> dict[str, Any]:
        """The settings that differ from another configuration, by name, with the values here."""
        there = other.settings()
        return {name: value for name, value in self.settings().items() if value != there[name]}

    @classmethod
    def from_dict(cls, values: Any) -> "RunConfig":
        """The inverse of ``to_dict``, for values from anywhere.

        Returns:
            A configuration that has passed all checks. A setting that is absent has its default.

        Raises:
            ValueError: A section or a key is unknown, or a value is of the wrong type or out of
                range.
        """
        sections: dict[str, Any] = {f.name: f.type for f in fields(cls)}
        if not isinstance(values, dict):
            raise ValueError(
                f"The configuration is {reprlib.repr(values)}; expected the sections "
                f"{', '.join(sections)}."
            )
        parts = {}
        for name, section in values.items():
            if name not in sections:
                raise ValueError(
                    f"The configuration has an unknown section {reprlib.repr(name)}; expected "
                    f"{', '.join(sections)}."
                )
            parts[name] = _from_dict(sections[name], section)
        return cls(**parts)


def section_of(name: str) -> tuple[str, dict[str, Any]]:
    """The class of the section that has a setting, and the setting's ``help`` and ``only``."""
    sections = (ModelConfig, DataConfig, TrainConfig, EvaluationConfig)
    return next(
        (kind.__name__, dict(f.metadata))
        for kind in sections
        for f in fields(kind)
        if f.name == name
    )


def readers_of(name: str, chosen: ModelConfig) -> dict[str, tuple[Any, ...]]:
    """Where a setting has an effect, if not always: other settings, and their values with it."""
    from srnn_lab.models import MODELS
    from srnn_lab.models.likelihoods import LIKELIHOODS

    readers = {
        "model": tuple(
            key for key, model in MODELS.with_chosen(chosen.model) if name in model.reads
        ),
        "likelihood": tuple(
            key for key, other in LIKELIHOODS.with_chosen(chosen.likelihood) if name in other.reads
        ),
        "features": tuple(
            key for key, kind in KINDS.items() if name in {f.name for f in fields(kind)}
        ),
    }
    return {other: values for other, values in readers.items() if values} | section_of(name)[1][
        "only"
    ]


def _from_dict(kind: type, values: Any) -> Any:
    types: dict[str, Any] = {f.name: f.type for f in fields(kind)}
    if not isinstance(values, dict):
        raise ValueError(
            f"The section {kind.__name__} of the configuration is {reprlib.repr(values)}; "
            "expected its keys and values."
        )
    plain_values = {}
    for key, value in values.items():
        if key not in types:
            raise ValueError(
                f"{kind.__name__} has no key {reprlib.repr(key)}; it has {', '.join(types)}."
            )
        plain = str if get_origin(types[key]) is Literal else types[key]
        if type(value) is not plain and not (plain is float and type(value) is int):
            raise ValueError(
                f"{kind.__name__}.{key} is {reprlib.repr(value)}; expected a value of type "
                f"{plain.__name__}."
            )
        check_choice(kind, key, types[key], value)
        try:
            plain_values[key] = plain(value)
        except OverflowError as error:
            raise ValueError(
                f"{kind.__name__}.{key} is a whole number too large for type float."
            ) from error
    return kind(**plain_values)
