"""The script for a machine with a GPU, rehearsed on tiny sizes and without what it may lack."""

import json
import subprocess
import sys

import numpy as np
import pytest
from bare import BARE
from tiny import roll

from srnn_lab.config import PRESETS
from srnn_lab.data import DATASETS
from srnn_lab.data import download as downloads
from srnn_lab.reports import gpu


@pytest.fixture
def data(tmp_path, monkeypatch):
    """What ``prepare`` makes, of tiny recordings."""
    songs = {f"{i}": roll(20 + i, 36 + i) > 0 for i in range(4)}
    monkeypatch.setitem(DATASETS, "fraccaro/jsb", lambda config, split, folder: songs)
    waves = {
        f"{i}": (1000 * np.sin(np.arange(4000 + 100 * i) / 5)).astype(np.int16) for i in range(4)
    }
    monkeypatch.setitem(DATASETS, "voice", lambda config, split, folder: waves)
    (tmp_path / "published").write_bytes(b"chorales")
    monkeypatch.setattr(gpu, "fetch", lambda name, folder: tmp_path / "published")
    gpu.prepare(tmp_path / "data")
    return tmp_path / "data"


def test_what_is_prepared_is_what_is_read(data):
    assert (data / "music" / gpu.JSB).read_bytes() == b"chorales"
    assert gpu.JSB in downloads.REGISTRY
    for split in ("train", "valid", "test"):
        config = PRESETS["voice"].data
        expected, found = (
            DATASETS["voice"](config, split, None),
            gpu.prepared_voice(config, split, data),
        )
        assert len(expected) == len(found)
        for one, other in zip(expected.values(), found.values(), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


@pytest.mark.slow
def test_the_script_is_rehearsed_on_a_cpu_to_its_end(data, tmp_path, capsys):
    assert gpu.main(["run", str(tmp_path / "out"), str(data), "--cpu"]) == 0
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(found) == list(gpu.Checks(tmp_path, data, "cpu").parts())
    assert not any("error" in part or "left_out" in part for part in found.values())
    correct = found["correct"]
    assert len(correct["rows"]) == len(gpu.CASES)
    assert correct["wrong"] == []
    assert correct["worst"]["float64"] == 0  # itself
    assert 0 < correct["worst"]["fp32"] < 1e-4 < correct["worst"]["bf16"]
    assert found["resume"] == {
        "again": 0,
        "continued": 0,
        "part_seconds": found["resume"]["part_seconds"],
    }
    assert found["jsb"]["test_on_the_cpu"] == found["jsb"]["test"]["elbo"]
    assert capsys.readouterr().out.count("\n") >= len(found)


def test_a_part_that_fails_is_told_and_the_next_is_tried(data, tmp_path, monkeypatch):
    def fails(self):
        raise RuntimeError("no")

    monkeypatch.setattr(gpu.Checks, "machine", fails)
    monkeypatch.setattr(gpu.Checks, "correct", lambda self: {"wrong": []})
    assert (
        gpu.main(["run", str(tmp_path / "out"), str(data), "--cpu", "--only=correct,machine"]) == 1
    )
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["machine"] == {"error": "RuntimeError: no"}
    assert found["correct"]["wrong"] == []
    left = gpu.run(tmp_path / "out", data, "cpu", ["machine"], limit=-1.0)
    assert left == {"machine": {"left_out": "-1 s were over"}}


@pytest.mark.slow
def test_a_training_needs_torch_and_five_other_packages_alone():
    needs = "import srnn_lab.training.fitting, srnn_lab.training.seeds, srnn_lab.reports.gpu"
    code = (
        f"{BARE}\n{needs}\ntry:\n    import pooch\nexcept ModuleNotFoundError:\n    print('bare')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "bare\n"), done.stderr
