"""Notebooks as they are stored: sections, outputs, views and search."""

import base64
import json

import pytest

from srnn_lab.site.notebooks import (
    Code,
    Picture,
    Printed,
    Sound,
    Text,
    View,
    notebooks,
    on_one_line,
    read_notebook,
    search,
    view_of,
    without_formulas,
)


def markdown(*lines, tags=()):
    return {"cell_type": "markdown", "source": "\n".join(lines), "metadata": {"tags": [*tags]}}


def code(source, *outputs, tags=()):
    return {
        "cell_type": "code",
        "source": source,
        "outputs": [*outputs],
        "metadata": {"tags": [*tags]},
    }


def shown(**data):
    return {
        "output_type": "display_data",
        "data": {kind.replace("__", "/"): value for kind, value in data.items()},
    }


AUDIO = (
    f'<audio><source src="data:audio/mpeg;base64,{base64.b64encode(b"sound").decode()}"/></audio>'
)
CELLS = [
    markdown("# 07. A title", "", "What it needs."),
    code("import this"),
    markdown(
        "The end of what comes first.",
        "",
        r"## Given $\mathbf z_{t-1}$",
        "",
        "More at [Explore](http://localhost:8501/?checkpoint=voice&prompt=a).",
        tags=["view:/compare?against=x&against=y"],
    ),
    code(
        "draw()\n",
        {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
        {"output_type": "stream", "name": "stdout", "text": "three\n"},
        shown(image__png=base64.b64encode(b"png").decode(), text__plain="<Figure>"),
        {"output_type": "execute_result", "data": {"text/html": AUDIO, "text/plain": "<Audio>"}},
        shown(text__html="<script>alert(1)</script>", text__plain="Table"),
    ),
    markdown("## Exercise 1: draw", "", "Solution:"),
    code("solve()", tags=["solution"]),
]


def write(folder, cells, name="07_title"):
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    return path


def test_it_is_split_at_its_headings_into_text_code_and_what_is_stored(tmp_path):
    first, second, third = read_notebook(write(tmp_path, CELLS)).sections
    assert (first.heading, first.views) == ("07. A title", ())
    needs, end = Text("What it needs."), Text("The end of what comes first.")
    assert first.parts == (needs, Code("import this", False), end)
    assert (second.heading, second.name) == (r"Given $\mathbf z_{t-1}$", "Given z_t-1")
    assert second.parts[1:] == (
        Code("draw()\n", False),
        Printed("one\ntwo\nthree"),
        Picture(b"png", "image/png"),
        Sound(b"sound", "audio/mpeg"),
        Printed("Table"),  # of HTML only a sound is taken
    )
    assert third.parts == (Text("Solution:"), Code("solve()", True))


def test_its_views_are_those_of_tags_and_links(tmp_path):
    _, second, third = read_notebook(write(tmp_path, CELLS)).sections
    assert second.views == (
        View("compare", {"against": ["x", "y"]}),
        View("", {"checkpoint": "voice", "prompt": "a"}),
    )
    assert third.views == ()
    assert view_of("/make-a-transition") == View("make-a-transition", {})


@pytest.mark.parametrize(("cells", "executed"), [(CELLS, True), (CELLS[:2], False)])
def test_it_is_known_whether_outputs_are_stored(tmp_path, cells, executed):
    assert read_notebook(write(tmp_path, cells)).executed is executed


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"cells": 3}',
        '{"cells": [{"cell_type": "code"}]}',
        '{"worksheets": []}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_file_that_is_no_notebook_gets_a_sentence(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"a\.ipynb is not a Jupyter notebook"):
        read_notebook(path)


def test_a_damaged_output_and_a_file_that_is_too_large_get_a_sentence(tmp_path, monkeypatch):
    path = write(tmp_path, [code("x", shown(image__png="a"))])
    with pytest.raises(ValueError, match="an output is damaged"):
        read_notebook(path)
    monkeypatch.setattr("srnn_lab.site.notebooks.MAX_BYTES", 10)
    with pytest.raises(ValueError, match="is shown"):
        read_notebook(path)


def test_a_folder_without_notebooks_and_none_at_all_have_none(tmp_path):
    assert notebooks(tmp_path) == notebooks(tmp_path / "gone") == {}


def test_all_words_are_searched_for_and_headings_come_first(tmp_path):
    write(
        tmp_path,
        [markdown("# 1. First", "", "About Gates and paths."), markdown("## Other", "", "Gates.")],
        "01_a",
    )
    write(
        tmp_path,
        [markdown("# 2. Second", "", "Nothing."), markdown("## Paths of gates"), code("x")],
        "02_b",
    )
    found = notebooks(tmp_path)
    hits = [(hit.notebook.file, hit.section.name) for hit in search(found, " gates PATHS ")]
    assert hits == [("02_b", "Paths of gates"), ("01_a", "1. First")]
    assert search(found, "gates nowhere") == search(found, "  ") == []
    assert search(found, "about gates")[0].around == "1. First About Gates and paths."
    assert on_one_line("$$a\n+ b$$\n\nc $d\n= e$\nf") == "$$a + b$$\n\nc $d = e$\nf"
    assert without_formulas(r"$\mathrm{KL}$ of $z_t$") == "KL of z_t"
