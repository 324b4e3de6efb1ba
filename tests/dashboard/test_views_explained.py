"""Every panel says where to read on."""

import re
from pathlib import Path

import pytest

from srnn_lab.dashboard import app as pages
from srnn_lab.dashboard.words import number
from srnn_lab.site.notebooks import notebooks

VIEWS = Path(pages.__file__).parent
PAGES = (
    "explore",
    "clips",
    "compare",
    "latents",
    "z_map",
    "steer",
    "transition",
    "studio",
    "train",
    "results",
)
PANELS = [
    *(f"pages/{name}" for name in PAGES),
    "panels/posterior",
    "panels/similar",
    "panels/spike_list",
]


@pytest.mark.parametrize("name", PANELS)
def test_it_explains_its_panels_and_names_sections_that_exist(name):
    text = (VIEWS / f"{name}.py").read_text()
    assert text.count(" explain(") >= 1
    places = re.findall(r'"(\d\d_\w+)#([^"]+)"', text + (VIEWS / "words.py").read_text())
    found = notebooks()
    assert [
        place for place in places if place[1] not in [one.name for one in found[place[0]].sections]
    ] == []
    assert len(re.findall(r'\{\s*"\d\d_\w+#[^"]+":', text)) == text.count(" explain(")


def test_the_panels_of_a_page_have_names_of_their_own():
    texts = [(VIEWS / f"{name}.py").read_text() for name in PANELS]
    questions = [re.findall(r"^ *explain\(\n *\"(.+)\",$", text, re.MULTILINE) for text in texts]
    assert [len(found) for found in questions] == [text.count(" explain(") for text in texts]
    shown_together = ("pages/explore", "panels/posterior", "panels/similar", "panels/spike_list")
    together = [
        text
        for name, found in zip(PANELS, questions, strict=True)
        if name in shown_together
        for text in found
    ]
    for found in [*questions, together]:
        assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (-54.494, 2, "−54.49"),
        (1030.4, 0, "1,030"),
        (-1234.5678, 1, "−1,234.6"),
        (-0.04, 1, "0.0"),
        (7.0, 2, "7.00"),
    ],
)
def test_a_number_in_a_sentence_has_a_minus_sign_and_commas(value, digits, written):
    assert number(value, digits) == written
