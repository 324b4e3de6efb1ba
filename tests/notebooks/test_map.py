"""The map from the paper to notebook, library and test: each place that it names exists."""

import ast
import importlib
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
README = (FOLDER / "README.md").read_text()
IN_THE_PAPER = [
    *(f"Eq. ({i})" for i in range(1, 13)),
    "Algorithm 1",
    *(f"Figure {i}" for i in range(1, 5)),
    "Table 1",
    "Table 2",
    "Appendix A.1",
]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in README.splitlines()
    if re.match(r"\| (Eq\.|Algorithm|Figure|Table|Appendix) ", line)
]
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])


def places(cell: str) -> list[tuple[str, str]]:
    """``file: name, name; file: name`` as pairs of a file and a name."""
    pairs = [entry.split(": ") for entry in cell.split("; ")]
    return [(file, name) for file, names in pairs for name in names.split(", ")]


def test_every_notebook_is_in_the_table_of_notebooks():
    listed = re.findall(r"^\| \[\d\d\]\(([^)]+)\)", README, re.MULTILINE)
    assert listed == sorted(path.name for path in FOLDER.glob("*.ipynb"))


def test_the_map_has_each_equation_algorithm_figure_and_table_once_in_order():
    assert [row[0] for row in ROWS] == IN_THE_PAPER


@rows
def test_the_heading_is_in_the_notebook(row):
    anchors = re.findall(r'\[(\d\d)\]\(([^)]+)\) "([^"]+)"', row[1])
    assert anchors
    for number, name, heading in anchors:
        cells = nbformat.read(FOLDER / name, as_version=4).cells
        headings = re.findall(
            r"^#+ (.+)$",
            "\n".join(c.source for c in cells if c.cell_type == "markdown"),
            re.MULTILINE,
        )
        assert name.startswith(number)
        assert heading in headings


@rows
def test_the_name_is_in_the_library(row):
    for file, name in places(row[2]):
        assert (ROOT / file).is_file()
        found = importlib.import_module(
            file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        )
        for part in name.split("."):
            found = getattr(found, part)


@rows
def test_the_test_is_defined(row):
    for file, name in places(row[3]):
        nodes = ast.parse((ROOT / file).read_text()).body
        assert name in [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
