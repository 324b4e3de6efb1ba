"""Trainings that differ in settings, which Optuna chooses by validation bounds of earlier ones."""

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from srnn_lab.config import RunConfig
from srnn_lab.system.extras import optional_packages

FOLD = 10
"""Ranges whose ends differ by this factor at least are searched on a logarithmic scale."""


@dataclass(frozen=True)
class Varied:
    """A setting, and the values that it may have: some choices, or a range.

    Attributes:
        name: A field of a section of ``RunConfig``.
        choices: Its values; empty of a range.
        low: Smallest value of the range.
        high: Largest value of the range.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: int | float = 0.0
    high: int | float = 0.0

    @classmethod
    def parse(cls, given: str) -> "Varied":
        """What ``learning-rate=1e-4..1e-2`` or ``z-dim=20,50,100`` asks for.

        Returns:
            The setting, with its values or the ends of its range in the setting's own type.

        Raises:
            ValueError: There is no such setting, or it has no such values.
        """
        name, _, values = given.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        kinds = {
            f.name: f.type
            for section in fields(RunConfig)
            for f in fields(getattr(RunConfig(), section.name))
        }
        if name not in kinds:
            raise ValueError(
                f"{reprlib.repr(name)} is no setting; give the name of an option of train, as "
                "z-dim=20,50"
            )
        kind = kinds[name]
        low, is_range, high = values.partition("..")
        if not is_range:
            return cls(name, tuple(_value(name, kind, text) for text in values.split(",")))
        if kind not in (int, float):
            raise ValueError(
                f"{name} is no number, so it has no range; give its values, joined by commas"
            )
        ends = _value(name, kind, low), _value(name, kind, high)
        if not ends[0] < ends[1] < math.inf:
            raise ValueError(
                f"{values!r} is no range of {name}; give a smaller and a larger number, as "
                "1e-4..1e-2"
            )
        return cls(name, low=ends[0], high=ends[1])

    def distribution(self) -> Any:
        """The same for Optuna."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choices:
            return CategoricalDistribution(self.choices)
        log = self.low > 0 and self.high >= FOLD * self.low
        if isinstance(self.low, int) and isinstance(self.high, int):
            return IntDistribution(self.low, self.high, log=log)
        return FloatDistribution(self.low, self.high, log=log)


def _value(name: str, kind: Any, text: str) -> Any:
    if get_origin(kind) is Literal or kind is str:
        known = get_args(kind)
        value = text if text and (not known or text in known) else None
    elif kind is bool:
        value = {"true": True, "false": False}.get(text.lower())
    else:
        try:
            value = kind(text)
        except ValueError:
            value = None
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{text!r} is no value of {name}")
    return value


@dataclass(frozen=True)
class Trial:
    """A training of a sweep.

    Attributes:
        run: Its folder.
        settings: What was chosen for it.
        bound: The best epoch's bound on validation data; None where it failed.
    """

    run: Path
    settings: dict[str, Any]
    bound: float | None


def sweep(
    varied: Sequence[Varied],
    trials: int,
    out: Path,
    train: Callable[[Path, Mapping[str, Any]], float],
) -> list[Trial]:
    """Train until there are so many trials; those begun before count, and a stopped one goes on.

    What was tried stands in ``OUT.optuna``, and each trial is a run: ``OUT-1``, ``OUT-2``, ...

    Args:
        varied: Settings and their values.
        trials: Trials in all.
        out: What the folders are named after.
        train: Begins or continues the run in a folder with some settings, and gives its bound.

    Returns:
        All trials in the order in which they began. One that failed has no bound (None).

    Raises:
        MissingExtraError: Optuna is not installed.
        ValueError: No trial came to its end, or the sweep was begun with other settings.
        Stopped: Ctrl-C or SIGTERM came; the same call goes on.
    """
    with optional_packages():
        import optuna
        from optuna.storages.journal import JournalFileBackend
    # The study, new or as it was left.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out.parent.mkdir(parents=True, exist_ok=True)
    backend = JournalFileBackend(str(out.with_name(f"{out.name}.optuna")))
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name=out.name,
        direction="maximize",
        load_if_exists=True,
    )
    running, done, failed = (
        optuna.trial.TrialState[name] for name in ("RUNNING", "COMPLETE", "FAIL")
    )
    space = {one.name: one.distribution() for one in varied}
    for trial in study.trials:
        if trial.distributions != space:
            raise ValueError(
                f"The sweep {out} was begun with other settings to vary; choose another --out."
            )
    # Trials that were stopped go first.
    waiting, reason = [trial for trial in study.trials if trial.state == running], None
    while waiting or len(study.trials) < trials:
        # Of the seed that many trials long, so that a sweep that goes on does not draw again what
        # it drew first.
        study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
        trial = waiting.pop(0) if waiting else study.ask(space)
        try:
            study.tell(
                trial.number, train(out.with_name(f"{out.name}-{trial.number + 1}"), trial.params)
            )
        except (ValueError, FloatingPointError) as error:
            study.tell(trial.number, state=failed)
            reason = error
    found = [
        Trial(
            out.with_name(f"{out.name}-{t.number + 1}"),
            t.params,
            t.value if t.state == done else None,
        )
        for t in study.trials
    ]
    if all(trial.bound is None for trial in found):
        raise ValueError(f"None of {len(found)} trials came to its end. {reason or ''}".rstrip())
    return found
