import ast
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import srnn_lab
from srnn_lab.checkpoint import list_checkpoints
from srnn_lab.cli import main
from srnn_lab.dashboard.words import ABOUT

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "srnn_lab"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"torch": "pytorch", "soundfile": "pysoundfile", "soxr": "soxr-python"}
SLOW = ("librosa", "streamlit", "plotly")


def requirements(*extras: str) -> list[str]:
    """What is asked for with these extras, and with those that they name."""
    asked, waiting = dict.fromkeys(PROJECT["project"]["dependencies"]), list(extras)
    while waiting:
        for line in PROJECT["project"]["optional-dependencies"][waiting.pop()]:
            if (named := Requirement(line)).name == PROJECT["project"]["name"]:
                waiting += named.extras
            else:
                asked[line] = None
    return list(asked)


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_conda_environment_asks_for_what_the_package_asks_for_and_nothing_else():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == "srnn_lab"
    assert environment["channels"] == ["conda-forge"]
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert f"python{PROJECT['project']['requires-python']}" in conda
    assert "pip" in conda
    asked = [
        Requirement(line)
        for line in conda + pip
        if line != "pip" and not line.startswith("python>")
    ]
    wanted = requirements("test")
    in_pip = {Requirement(line).name for line in pip}
    expected = {
        (r.name if r.name in in_pip else CONDA_NAMES.get(r.name, r.name), r.specifier, r.marker)
        for r in map(Requirement, wanted)
    }
    assert {(r.name, r.specifier, r.marker) for r in asked} == expected
    assert len(asked) == len(wanted)
    assert not any(Requirement(line).marker for line in conda if line != "pip")


def locked():
    """By name, the versions in the lock file for which there are hashes, with their markers."""
    found = {}
    for line in re.sub(
        r"\s*\\\n\s*", " ", (ROOT / ".ci" / "requirements.txt").read_text()
    ).splitlines():
        if line and not line.lstrip().startswith("#"):
            assert "--hash=sha256:" in line, line
            requirement = Requirement(line.split(" --hash")[0])
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_the_lock_file_has_what_the_package_asks_for_and_names_no_host():
    found = locked()
    for wanted in map(Requirement, requirements("dashboard")):
        versions = [
            str(r.specifier).removeprefix("==") for r in found[canonicalize_name(wanted.name)]
        ]
        assert [version for version in versions if version not in wanted.specifier] == [], wanted
    assert "://" not in (ROOT / ".ci" / "requirements.txt").read_text()


def test_the_licences_are_stated_where_a_packager_looks():
    project = PROJECT["project"]
    stated = {path for pattern in project["license-files"] for path in ROOT.glob(pattern)}
    assert stated == {ROOT / "LICENSE", *PACKAGE.rglob("LICENSE")}
    known = {
        "MIT": (ROOT / "LICENSE", "MIT License"),
        "CC-BY-SA-3.0": (
            PACKAGE / "assets" / "voice" / "LICENSE",
            "CC-BY-SA-3.0\nCreative Commons",
        ),
        "MIT-Festival": (PACKAGE / "assets" / "reader" / "LICENSE", "to use and distribute\n"),
    }
    assert project["license"].split(" AND ") == list(known)
    assert [name for name, (path, words) in known.items() if words not in path.read_text()] == []
    assert len(stated) == len(known)


def test_the_help_of_the_command_line_does_not_wait_for_torch():
    printed = python(
        "import atexit, sys\n"
        "from srnn_lab.cli import main\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        "main(['--help'])\n"
    )
    loaded = printed.splitlines()[-1].split()
    assert printed.startswith("usage: srnn-lab")
    assert "srnn_lab.cli" in loaded
    assert {"torch", *SLOW} & set(loaded) == set()


@pytest.mark.slow
def test_no_public_name_needs_librosa_streamlit_or_plotly():
    loaded = python("import sys; from srnn_lab import *; fit; print(*sys.modules)").split()
    assert "torch" in loaded
    assert set(SLOW) & set(loaded) == set()


def test_every_public_name_is_there_and_an_unknown_one_is_an_error():
    assert all(hasattr(srnn_lab, name) for name in srnn_lab.__all__)
    assert set(srnn_lab.__all__) <= set(dir(srnn_lab))
    with pytest.raises(AttributeError, match="has no attribute 'train'"):
        srnn_lab.train  # noqa: B018


def test_editors_see_each_public_name():
    """What a type checker reads of the package, as the names themselves are found when used."""
    nodes = ast.parse((PACKAGE / "__init__.py").read_text()).body
    (checking,) = (node for node in nodes if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in checking.body for alias in node.names}
    assert seen == {name: f"srnn_lab.{home}" for name, home in srnn_lab._HOME.items()}
    assert set(srnn_lab.__all__) == set(seen)
    assert (PACKAGE / "py.typed").is_file()


def test_the_version_is_that_of_the_project(capsys):
    assert srnn_lab.__version__ == PROJECT["project"]["version"]
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"srnn-lab {srnn_lab.__version__}\n"


@pytest.mark.slow
def test_each_module_can_be_the_first_that_is_imported():
    files = (
        path.relative_to(ROOT).with_suffix("")
        for path in PACKAGE.rglob("*.py")
        if "assets" not in path.parts
    )
    names = sorted(
        ".".join(p.parts).removesuffix(".__init__") for p in files if p.name != "__main__"
    )
    assert "srnn_lab.models.srnn" in names
    done = python(
        "import importlib, sys, warnings\n"
        "warnings.simplefilter('error')\n"
        "import torch, scipy.stats, plotly.graph_objects\n"
        f"for name in {names!r}:\n"
        "    for loaded in [m for m in sys.modules if m.split('.')[0] == 'srnn_lab']:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
        "    print(name)\n"
    )
    assert done.split() == names


def test_every_file_that_is_no_module_is_packaged():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["srnn_lab"]
    packaged = {path for pattern in patterns for path in PACKAGE.glob(pattern) if path.is_file()}
    others = {
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert others
    assert others - packaged == set()


def test_the_bundled_clips_are_found_through_the_package():
    assets = resources.files("srnn_lab").joinpath("assets")
    chorales = [path.name for path in assets.joinpath("chorales").iterdir()]
    assert sum(name.endswith(".mid") for name in chorales) >= 6
    assert assets.joinpath("voice", "dictate", "enter_filename.flac").is_file()


@pytest.mark.slow
def test_loading_a_checkpoint_does_not_import_torchs_compiler():
    """It takes as long to import as torch itself; the dashboard's first visitor would wait."""
    loaded = python(
        "import sys; from srnn_lab import load_checkpoint; load_checkpoint('jsb'); "
        "print(*sys.modules)"
    ).split()
    assert "srnn_lab.checkpoint" in loaded
    assert "torch._dynamo" not in loaded


def test_something_is_said_of_every_bundled_checkpoint():
    assert set(ABOUT) == set(list_checkpoints())
