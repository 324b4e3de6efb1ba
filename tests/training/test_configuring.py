import numpy as np
import pytest
from tiny import SIZES, midi_folder, table_folder

from srnn_lab.cli import main
from srnn_lab.config import FEW, PRESETS
from srnn_lab.training.configuring import configured, new_config
from srnn_lab.training.fitting import fit


def test_a_folder_of_fourteen_songs_trains_at_the_command_line(tmp_path, monkeypatch, capsys):
    """With the preset's batches of 16 times 100 frames it would have none to train on."""
    monkeypatch.chdir(tmp_path)
    folder = midi_folder(tmp_path / "songs", 14)
    small = [f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()]
    main(["train", "jsb", f"--data={folder}", "--epochs=1", *small])
    assert (tmp_path / "runs" / "jsb" / "best.safetensors").exists()
    preset = PRESETS["jsb"].train
    assert preset.batch_size * preset.segment_length > 14 * 19


def test_a_new_run_has_the_preset_the_settings_and_batches_for_few_files(tmp_path):
    folder = midi_folder(tmp_path / "songs", 5)
    config = new_config("jsb", {"data": str(folder), "z_dim": 7, "out": "anything"})
    assert config.model.z_dim == 7
    assert config.train.batch_size == FEW["roll"]["batch_size"] < PRESETS["jsb"].train.batch_size
    assert new_config("jsb", {"data": str(folder), "batch_size": 2}).train.batch_size == 2


@pytest.mark.parametrize(
    ("lengths", "size"),
    [
        ([30] * 4, 1),  # two sequences to train on, one piece of at most 100 rows each
        ([90], 1),  # one alone, of which 72 rows are trained on
        ([150] * 12, 2),  # 10 x 2 pieces
        ([150] * 40, 8),  # 36 x 2 pieces: the preset's own batches
    ],
)
def test_tables_get_batches_that_their_rows_fill(tmp_path, lengths, size):
    config = new_config(
        "series", {"data": str(table_folder(tmp_path / "tables", *lengths)), **SIZES}
    )
    assert config.train.batch_size == size
    assert config.data.columns == "flow,level"


@pytest.mark.parametrize("lengths", [[30] * 3, [60]])
def test_the_fewest_tables_are_trained_on(tmp_path, lengths):
    """With the preset's batches of 8 there was nothing to train on."""
    data = {"data": str(table_folder(tmp_path / "tables", *lengths))}
    run = fit(new_config("series", {**data, **SIZES, "epochs": 1}), tmp_path / "run", device="cpu")
    assert run.best.scores["test"]["sequences"] == 1


def test_arrays_that_do_not_fill_a_batch_get_smaller_ones_and_others_keep_theirs(tmp_path):
    tables = [*np.random.default_rng(1).standard_normal((4, 30, 2))]
    data = dict.fromkeys(("train", "valid", "test"), tables)
    preset = configured(PRESETS["series"], {**SIZES, "epochs": 1})
    assert fit(preset, tmp_path / "few", data=data).best.config.train.batch_size == 1
    resumed = fit(preset, tmp_path / "few", data=data, resume=True)
    assert resumed.best.config.train.batch_size == 1
    enough = configured(preset, {"batch_size": 4})
    assert fit(enough, tmp_path / "enough", data=data).best.config.train.batch_size == 4


def test_names_of_columns_may_have_blanks_after_their_commas():
    config = configured(PRESETS["series"], {"columns": "load (MW), flow", "inputs": " hour , day"})
    assert (config.data.columns, config.data.inputs) == ("load (MW),flow", "hour,day")
