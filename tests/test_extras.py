"""What an installation without extras does, and the sentence that it says where it needs one."""

import json
import os
import pkgutil
import subprocess
import sys

import pytest
from bare import BARE
from packaging.requirements import Requirement
from test_packaging import PROJECT
from tiny import SIZES, midi_folder, wav_folder

import srnn_lab.training
from srnn_lab.system.extras import EXTRAS, NAMES, MissingExtraError, explained

TINY = [
    f"--{name.replace('_', '-')}={value}"
    for name, value in {**SIZES, "epochs": 1, "batch_size": 2}.items()
]
TRAIN = ["train", "jsb", "--data=songs", "--segment-length=4", *TINY]
COMMANDS = {
    "train": [*TRAIN, "--out=run"],
    "evaluate": ["evaluate", "run/best.safetensors", "--data=songs"],
    "music": ["sample", "jsb", "--steps=4", "--out=new.mid"],
    "download": ["evaluate", "jsb"],
    "audio": ["evaluate", "voice-mel", "--data=waves"],
    "tensorboard": [*TRAIN, "--out=other", "--tensorboard"],
}
RUN = """
import contextlib, io, json
from srnn_lab.cli import main

for name, command in json.loads(sys.argv[1]).items():
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        status = main(command)
    said = [line for line in errors.getvalue().splitlines() if line.startswith("srnn-lab: ")]
    print(json.dumps([name, status, said]))
try:
    import srnn_lab
    srnn_lab.plots
except ImportError as error:
    print(json.dumps(["plots", 1, [str(error)]]))
"""


@pytest.mark.slow
def test_without_extras_music_is_trained_on_and_the_rest_says_what_to_install(tmp_path):
    midi_folder(tmp_path / "songs")
    wav_folder(tmp_path / "waves")
    environment = {name: value for name, value in os.environ.items() if name != "SRNN_LAB_DATA"}
    line = [sys.executable, "-c", BARE + RUN, json.dumps(COMMANDS)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env=environment)
    found = {
        name: (status, said) for name, status, said in map(json.loads, done.stdout.splitlines())
    }
    assert found.keys() == {*COMMANDS, "plots"}, done.stderr
    assert found["train"] == found["evaluate"] == (0, [])
    packages = {
        "music": "pretty_midi",
        "download": "pooch",
        "audio": "soundfile",
        "tensorboard": "tensorboard",
        "plots": "plotly",
    }
    for name, package in packages.items():
        extra = {"download": "music", "plots": "dashboard"}.get(name, name)
        status, (said,) = found[name]
        assert status == 1
        assert said.endswith(
            f"This needs the package {package}, which is not installed; install it with: pip "
            f"install 'srnn-lab[{extra}]'"
        )
    assert not (tmp_path / "other").exists()


def test_a_training_needs_the_core_alone():
    names = [
        f"srnn_lab.training.{module.name}"
        for module in pkgutil.iter_modules(srnn_lab.training.__path__)
    ]
    code = f"{BARE}\nimport {', '.join(names)}\nprint('plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_extra_that_is_named_brings_the_package(extra):
    """Of an extra that names others, theirs as well."""
    lines = PROJECT["project"]["optional-dependencies"][extra]
    brought = {Requirement(line).name.lower().replace("-", "_") for line in lines}
    indirect = {"IPython": "jupyterlab"}
    asked = {indirect.get(name, NAMES.get(name, name)).replace("-", "_") for name in EXTRAS[extra]}
    assert asked <= brought


def test_a_module_that_no_extra_brings_is_what_it_was():
    error = ModuleNotFoundError("No module named 'nowhere'", name="nowhere")
    assert explained(error) is error
    assert isinstance(explained(ModuleNotFoundError("", name="soxr.cysoxr")), MissingExtraError)
