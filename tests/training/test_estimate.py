"""The size and the time of a training, before it begins."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import SIZES, midi_folder, roll, table_folder

from srnn_lab.config import PRESETS
from srnn_lab.data import load_split
from srnn_lab.models import build_model
from srnn_lab.training import estimate as module
from srnn_lab.training.configuring import new_config
from srnn_lab.training.estimate import Estimate, estimate


@pytest.fixture
def config(tmp_path):
    return new_config("jsb", {"data": str(midi_folder(tmp_path / "songs", 12)), **SIZES})


def signals_of(config):
    return {split: list(load_split(config.data, split).values()) for split in ("train", "valid")}


def test_the_parameters_are_those_of_the_model_and_nothing_is_left_behind(config, tmp_path):
    found = estimate(config, signals_of(config))
    assert found.parameters == sum(p.numel() for p in build_model(config.model).parameters())
    assert found.epoch > 0
    assert [path.name for path in tmp_path.iterdir()] == ["songs"]


def test_an_epoch_is_its_updates_its_validation_and_its_writing(config, monkeypatch):
    """A clock that gives each of them a second tells how often each is counted."""
    config = replace(
        config, train=replace(config.train, batch_size=1, segment_length=8, segments_per_reset=1)
    )
    signals = {"train": [roll(40)] * 30, "valid": [roll(20)] * 48}
    monkeypatch.setattr(module, "_timed", lambda run, _: (run(), 1.0)[1])
    found = estimate(config, signals)
    updates = (30 * 40 - 1) // 8
    # Of 48 sequences for validation 32 are timed; the best epochs are written a second time.
    assert found.epoch == pytest.approx(updates + 48 / 32 + 1.5)


def test_a_slow_first_update_leaves_time_for_others(config, monkeypatch):
    config = replace(config, train=replace(config.train, batch_size=1, segment_length=8))
    signals = {"train": [roll(40)] * 30, "valid": [roll(20)]}
    monkeypatch.setattr(module, "evaluate", lambda *_: None)
    monkeypatch.setattr(module.Training, "write", lambda _: None)
    clock = iter([9.0, 0.3, 0.1, 0.1, 0.0, 0.0])  # updates, validation, writing
    monkeypatch.setattr(module, "_timed", lambda run, _: (run(), next(clock))[1])
    updates = len(module.segments_of(config, [np.zeros((40, 1))] * 30))
    assert estimate(config, signals).epoch == pytest.approx(0.1 * updates)


def test_updates_are_counted_as_a_training_makes_them(config, monkeypatch):
    """Frames that fill no batch are left out: of 7 updates' worth of frames, 5 are made."""
    config = replace(
        config, train=replace(config.train, batch_size=2, segment_length=8, segments_per_reset=5)
    )
    signals = {"train": [roll(40)] * 3, "valid": [roll(8)]}
    monkeypatch.setattr(module, "_timed", lambda run, _: (run(), 1.0)[1])
    assert estimate(config, signals).epoch == pytest.approx(5 + 1 + 1.5)


def test_of_long_sequences_for_validation_few_are_timed(config, monkeypatch):
    signals = {"train": [roll(40)] * 30, "valid": [roll(1500)] * 12}
    timed = []
    score = module.evaluate
    monkeypatch.setattr(module, "_timed", lambda run, _: (run(), 1.0)[1])
    monkeypatch.setattr(
        module,
        "evaluate",
        lambda model, frames, *rest: timed.append(len(frames)) or score(model, frames, *rest),
    )
    estimate(config, signals)
    assert timed == [3]


def test_tables_are_timed_too(tmp_path):
    config = new_config("series", {"data": str(table_folder(tmp_path / "t", *[30] * 6)), **SIZES})
    assert isinstance(estimate(config, signals_of(config)), Estimate)


def test_a_column_may_be_constant_in_the_first_tables(tmp_path):
    config = new_config("series", {"data": str(table_folder(tmp_path / "t", *[30] * 6)), **SIZES})
    config = replace(config, train=replace(config.train, batch_size=1, segment_length=10))
    tables = [np.random.default_rng(i).normal(size=(30, 2)).astype(np.float32) for i in range(6)]
    for table in tables[:5]:
        table[:, 1] = 0
    assert isinstance(estimate(config, {"train": tables, "valid": tables[-1:]}), Estimate)


def test_the_frames_of_a_signal_are_those_that_it_is_cut_into():
    assert module._frames(PRESETS["jsb"].data, roll(40)) == 40
    mel = PRESETS["voice-mel"].data
    assert module._frames(mel, np.zeros(mel.window + 2 * mel.hop)) == 3
