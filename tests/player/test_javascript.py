"""The player's JavaScript: its modules as one script, its protocol, and its own tests, by node."""

import inspect
import re
import shutil
import subprocess
from pathlib import Path
from typing import is_typeddict

import numpy as np
import pytest
from payload import unpacked

from srnn_lab.pictures import protocol
from srnn_lab.pictures.scene import Line, Lines, Names, Picture, Scene, pack
from srnn_lab.player import page, script

HERE = Path(__file__).parent
PLAYER = Path(script.__file__).parent
TIMES = (np.arange(8) + 0.5) / 8


def node(*arguments: str) -> str:
    """What node prints; it must end well."""
    found = shutil.which("node")
    if found is None:
        pytest.fail(
            "The player's JavaScript is tested by node 20.19 or newer: install it (Debian: apt "
            "install nodejs)."
        )
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, check=False, cwd=HERE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_functions_without_a_page_give_exact_answers():
    printed = node(
        "--test", "--test-reporter=tap", *(path.name for path in sorted(HERE.glob("*.test.mjs")))
    )
    assert int(re.search(r"^# pass (\d+)$", printed, re.M)[1]) >= 15


def test_the_modules_as_one_are_a_module_in_which_no_name_is_there_twice(tmp_path):
    joined = tmp_path / "player.mjs"
    joined.write_text(script.player_script())
    node("--check", str(joined))
    assert re.findall(r"^(?:import|export)\b.*", joined.read_text(), re.M) == [
        "export default function ({ data, parentElement, setStateValue }) {"
    ]


def test_a_module_imports_names_as_they_are_from_modules_before_it():
    assert {*script.MODULES, PLAYER / "courier.js", PLAYER / "hover.js"} == set(
        PLAYER.rglob("*.js")
    )
    before: dict[Path, set[str]] = {}
    for path in script.MODULES:
        text = path.read_text()
        lines = [line for line in text.splitlines() if line.startswith("import")]
        found = [
            re.fullmatch(r'import \{ ([\w, ]+) \} from "(\./[\w./]+)";', line) for line in lines
        ]
        assert None not in found, lines
        for names, source in (match.groups() for match in found):
            assert set(names.split(", ")) <= before[(path.parent / source).resolve()]
        before[path.resolve()] = set(
            re.findall(r"^export (?:const|class|function) (\w+)", text, re.M)
        )


def typed_dicts() -> dict[str, set[str]]:
    return {
        name: set(kind.__annotations__) for name, kind in inspect.getmembers(protocol, is_typeddict)
    }


def test_both_sides_of_the_protocol_have_the_same_keys():
    """``Content`` and ``Orders`` are the parts of ``Head`` that Python puts together."""
    comments = re.findall(r"/\*\*.*?\*/", (PLAYER / "js" / "bytes.js").read_text(), re.S)
    sent = {
        name[1]: set(re.findall(r"@property \{.*\} (\w+)", comment))
        for comment in comments
        if (name := re.search(r"@typedef \{object\} (\w+)", comment))
    }
    here = typed_dicts()
    assert here["Head"] == here.pop("Content") | here.pop("Orders") | {"digest"}
    assert sent == here


def test_what_is_packed_has_the_keys_of_the_protocol(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        page, "pack", lambda scene, orders: seen.setdefault("sent", pack(scene, orders))
    )
    rows = [
        Lines("l", "", [Line("a", TIMES, TIMES, "#123456")]),
        Picture("p", "", TIMES, np.eye(8), ["#000000", "#ffffff"], {0: "low"}),
        Names("n", TIMES[:2], ["a", "b"]),
    ]
    page.scene_html(Scene(rows, TIMES, "All."), {"tone": (TIMES, 8000)}, "A page", (0.25, 0.5))
    head, _ = unpacked(seen["sent"][0])
    lines, picture, names = head["rows"]
    packed = {
        "Head": head,
        "LinesSent": lines,
        "LineSent": lines["lines"][0],
        "PictureSent": picture,
        "NamesSent": names,
        "ArraySent": head["marks"],
        "Frame": head["frame"],
        "Jump": head["jump"],
        "LookSent": head["look"],
        "SoundSent": head["sounds"][0],
    }
    here = typed_dicts()
    assert {name: set(value) for name, value in packed.items()} == {
        name: here[name] for name in packed
    }
