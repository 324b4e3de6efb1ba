"""The configuration of a new run: a preset, the settings that are given, and fitting batches."""

from collections.abc import Iterable, Mapping, Sized
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from srnn_lab.config import FEW, FRAMES_PER_QUARTER, PRESETS, RunConfig
from srnn_lab.data.kinds import Series

FEW_FILES = 100
"""Files of one's own below which batches are made for few files: a hundred chorales are seven of
the batches that jsb has, a hundred recordings of a second two of those of voice-mel."""
LEAST_UPDATES = 8
"""Updates that an epoch of tables has at least, as far as they can be divided."""


def new_config(preset: str, given: Mapping[str, Any]) -> RunConfig:
    """What ``srnn-lab train PRESET`` trains with these settings, and the page Train too.

    Args:
        preset: A name in ``PRESETS``.
        given: Settings by name; others are left out.

    Returns:
        The configuration, with batches that few files fill, and with the columns of tables.

    Raises:
        ValueError: A setting has no effect on it, or the data cannot be read.
    """
    from srnn_lab.data.series import complete

    given = _with_values(PRESETS[preset], given)
    config = configured(PRESETS[preset], given)
    config = configured(config, {**for_few_files(config, given), **given})
    config.check_read(dict(given))
    return complete(config)


def _with_values(config: RunConfig, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings with what follows of tables: the values from the likelihood, or vice versa."""
    kind = config.data.kind
    if not isinstance(kind, Series) or ("values" in given) == ("likelihood" in given):
        return given
    if "values" in given:
        return {**given, "likelihood": replace(kind, values=given["values"]).likelihood}
    from srnn_lab.models.likelihoods import LIKELIHOODS

    likelihood = given["likelihood"]
    return (
        {**given, "values": LIKELIHOODS[likelihood].values} if likelihood in LIKELIHOODS else given
    )


def configured(config: RunConfig, given: Mapping[str, Any]) -> RunConfig:
    """A configuration with the given settings in place of its own; other options are left out."""
    # The frames of published rolls may not be those of the preset.
    if given.get("data") in FRAMES_PER_QUARTER:
        given = {"frames_per_quarter": FRAMES_PER_QUARTER[given["data"]], **given}
    spaced = {name: given[name].split(",") for name in ("columns", "inputs") if name in given}
    given = {**given, **{name: ",".join(map(str.strip, own)) for name, own in spaced.items()}}
    return replace(
        config,
        **{
            section.name: replace(
                getattr(config, section.name),
                **{
                    f.name: given[f.name]
                    for f in fields(getattr(config, section.name))
                    if f.name in given
                },
            )
            for section in fields(config)
        },
    )


def fitted_settings(config: RunConfig) -> set[str]:
    """The settings that ``for_few_files`` may set for these data; none for a data set by name."""
    from srnn_lab.data import DATASETS

    data = config.data
    if data.data in DATASETS or not Path(data.data).exists():
        return set()
    return {"batch_size"} if isinstance(data.kind, Series) else set(FEW.get(data.features, ()))


def for_few_files(config: RunConfig, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings for data that are a folder of few files of one's own, or few rows of tables.

    Returns:
        Values by name; none if the data are no such folder, or if any of them is given.

    Raises:
        ValueError: A table cannot be read.
    """
    from srnn_lab.data.splits import files_below

    if not (names := fitted_settings(config)) or given.keys() & names:
        return {}
    if isinstance(config.data.kind, Series):
        return _for_few_rows(config)
    folder = Path(config.data.data)
    if not folder.is_dir():
        return {}
    few = len(files_below(folder, config.data.kind.suffixes)) < FEW_FILES
    return dict(FEW[config.data.features]) if few else {}


def _for_few_rows(config: RunConfig) -> dict[str, Any]:
    """A batch size with which an epoch has several updates."""
    from srnn_lab.data.series import read_split

    size = _fitting_batch(config, _pieces(config, read_split(config.data, "train").values()))
    return {"batch_size": size} if size < config.train.batch_size else {}


def batches_that_fit(config: RunConfig, tables: Iterable[Sized]) -> RunConfig:
    """A configuration as it is, unless its tables do not fill one batch: then with smaller ones.

    Args:
        config: What is to be trained.
        tables: The sequences to train on.

    Returns:
        The configuration, with the batch size that ``new_config`` gives such data if it has to be
        smaller.
    """
    if (pieces := _pieces(config, tables)) >= config.train.batch_size:
        return config
    train = replace(config.train, batch_size=_fitting_batch(config, pieces))
    return replace(config, train=train)


def _pieces(config: RunConfig, tables: Iterable[Sized]) -> int:
    return sum(-(-len(rows) // config.train.segment_length) for rows in tables)


def _fitting_batch(config: RunConfig, pieces: int) -> int:
    return max(1, min(config.train.batch_size, pieces // LEAST_UPDATES))
