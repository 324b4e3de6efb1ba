"""Each notebook as committed: its form, its stored outputs, and that it runs without an error."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import refresh

from srnn_lab.checkpoint import list_checkpoints
from srnn_lab.dashboard.app import PAGES
from srnn_lab.dashboard.choice import bundled_clips
from srnn_lab.dashboard.pages.results import LABELS
from srnn_lab.dashboard.pages.studio import CONTINUE, REDRAW
from srnn_lab.dashboard.pages.z_map import COLOURS
from srnn_lab.dashboard.panels.sounds import MEAN, SAMPLE
from srnn_lab.dashboard.panels.spike_list import CHANGES
from srnn_lab.site.notebooks import read_notebook

FOLDER = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
EMBEDDED = re.compile(r"[A-Za-z0-9+/=]{200,}")
A_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|usr|var|opt|mnt|work|Users)/|\b[A-Z]:\\")
notebooks = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def outputs(path):
    return [output for cell in cells(path, "code") for output in cell.outputs]


def test_there_are_notebooks_and_their_numbers_are_in_order():
    assert [path.name[:3] for path in PATHS] == [f"{i:02d}_" for i in range(len(PATHS))]
    assert PATHS


@pytest.mark.notebook
@notebooks
def test_it_runs_as_committed_within_60_s(path):
    """Its checks are asserts, those of the folded solutions too: a wrong one is an error."""
    notebook = nbformat.read(path, as_version=4)
    assert refresh.execute(notebook) < 60
    streams = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output
    ]
    assert not [
        output.text for output in streams if output.name == "stderr" and "Warning" in output.text
    ]


@notebooks
def test_it_is_committed_executed_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))
    assert outputs(path)
    assert not [
        output
        for output in outputs(path)
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


@notebooks
def test_each_figure_has_a_picture_for_pages_that_draw_none(path):
    figures = [output.data for output in outputs(path) if refresh.FIGURE in output.get("data", {})]
    assert all("image/png" in data for data in figures)
    sounds = [
        output
        for output in outputs(path)
        if "<audio" in output.get("data", {}).get("text/html", "")
    ]
    assert figures or sounds


@notebooks
def test_it_holds_nothing_that_differs_from_machine_to_machine(path):
    notebook, scrubbed = (nbformat.read(path, as_version=4) for _ in range(2))
    refresh.scrub(scrubbed)
    assert notebook == scrubbed
    assert not A_PATH.search(EMBEDDED.sub("", path.read_text()))


@notebooks
def test_it_stays_small(path):
    notebook = nbformat.read(path, as_version=4)
    assert len(notebook.cells) <= 25
    assert max(len(cell.source.splitlines()) for cell in cells(path, "code")) <= 12
    assert path.stat().st_size <= 400_000


@notebooks
def test_code_is_in_code_cells_and_defines_no_class(path):
    for cell in cells(path, "markdown"):
        assert not re.search(
            r"```|~~~|<code|<pre|^(?: {4}|\t)(?! *[-*\d])", cell.source, re.MULTILINE
        )
    for cell in cells(path, "code"):
        assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(cell.source)))


@notebooks
def test_it_begins_with_what_a_reader_needs_and_ends_with_where_to_go(path):
    first, *_, last = nbformat.read(path, as_version=4).cells
    assert first.source.startswith("# ")
    assert "**Prerequisites.**" in first.source
    assert "**Run time.**" in first.source
    assert "**Where to go next.**" in last.source


@notebooks
def test_each_exercise_has_a_folded_solution_that_checks_itself(path):
    notebook = nbformat.read(path, as_version=4).cells
    exercises = [
        cell for cell in notebook if re.search(r"^## Exercise \d", cell.source, re.MULTILINE)
    ]
    solved = [i for i, cell in enumerate(notebook) if "solution" in cell.metadata.get("tags", [])]
    assert 2 <= len(exercises) <= 3
    assert len(solved) >= len(exercises)
    for i in solved:
        cell = notebook[i]
        assert cell.cell_type == "code"
        assert cell.metadata.jupyter.source_hidden
        assert notebook[i - 1].source.splitlines()[-1] == "Solution (open to see):"
        assert "assert" in cell.source


@notebooks
def test_its_sections_name_views_of_the_dashboard_that_exist(path):
    """By links in the text, and by tags of the cells in which they begin."""
    first, *sections = read_notebook(path).sections
    assert first.views == ()
    assert [s.name for s in sections if not (s.views or s.name.startswith("Exercise"))] == []
    clips = bundled_clips("roll") | bundled_clips("raw")
    known = {
        "checkpoint": list_checkpoints(),
        "music": list_checkpoints(),
        "against": list_checkpoints(),
        "prompt": clips,
        "clip": clips,
        "table": LABELS.values(),
        "changes": CHANGES.values(),
        "sound": (MEAN, SAMPLE),
        "task": (CONTINUE, REDRAW),
        "colour": COLOURS,
    }
    pages = {title.lower().replace(" ", "-") for title in PAGES if title != "Explore"} | {""}
    for view in (view for section in sections for view in section.views):
        assert view.page in pages
        assert [
            (name, value) for name, value in view.params.items() if value not in known[name]
        ] == []
