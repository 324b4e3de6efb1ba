"""Each number that the README, docs/ and notebooks' prose print is recorded, or has a reason."""

import re
from pathlib import Path

import nbformat
import pytest
from prose_numbers import SOURCES, WHOLE_PAGES

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
    *(f"notebooks/{path.name}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))),
]
NUMBER = re.compile(
    r"(?<![\w.§])[-−]?\d[\d,]*\.\d+(?![\w.]*\d)"  # with a point, but for versions such as 1.2.3
    r"|(?<![\w.])\d[\d,.]*(?= ?%)"
    r"|(?<![\w.])\d[\d,]*(?= ± )|(?<=± )\d[\d,]*"
    r"|(?<![\w.])\d[\d,]*(?= nats\b)"
)


def prose(page):
    """What a page says in words: without generated tables, code, formulas and addresses."""
    path = ROOT / page
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    for block in (r"<!-- results:.*?<!-- /results -->", r"```.*?```", r"\$\$.*?\$\$"):
        text = re.sub(block, "", text, flags=re.DOTALL)
    text = re.sub(
        r"\$([^$]+)\$",
        lambda formula: formula[0] * bool(re.fullmatch(r"-?[\d.,]+", formula[1])),
        text,
    )
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"\s+", " ", text)


def without_code(text):
    """The same without the code in its lines, whose numbers are settings."""
    return re.sub(r"`[^`]*`", "``", text)


def numbers(text):
    return [match[0] for match in NUMBER.finditer(without_code(text))]


def rounds_to(value, printed):
    """Whether a value, rounded to the digits that are printed, is what is printed."""
    digits = len(printed.partition(".")[2])
    return f"{round(value, digits):.{digits}f}" == printed.replace("−", "-").replace(",", "")


@pytest.mark.parametrize("page", PAGES)
def test_each_number_of_a_page_has_a_source_or_a_reason(page):
    if page in WHOLE_PAGES:
        assert page not in SOURCES
        return
    text = prose(page)
    for quotation, *_ in SOURCES.get(page, []):
        assert quotation in text, "this quotation is on the page no longer"
        text = text.replace(quotation, "", 1)
    assert numbers(text) == [], "say in prose_numbers.py where these come from"


@pytest.mark.parametrize(
    ("page", "quotation", "sources"),
    [(page, *entry[:1], entry[1:]) for page in SOURCES for entry in SOURCES[page]],
)
def test_a_number_is_what_its_source_says(page, quotation, sources):
    printed = numbers(quotation)
    assert len(printed) == len(sources)
    for number, source in zip(printed, sources, strict=True):
        assert isinstance(source, str) or rounds_to(source, number), (
            f"{number} is printed of {source}"
        )


def test_pages_with_sources_exist():
    assert {*SOURCES, *WHOLE_PAGES} <= {*PAGES}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It has 2457 ± 191 nats, 91 % of 1,000 frames.", ["2457", "191", "91"]),
        ("From -4.74 to −3.2, `--rate 0.1`, torch 2.13.1, since 2016.", ["-4.74", "−3.2"]),
        ("37 nats and 300 units", ["37"]),
    ],
)
def test_numbers_that_look_measured_are_found(text, found):
    assert numbers(text) == found


def test_a_number_is_compared_in_its_own_digits():
    assert rounds_to(-4.716, "-4.72")
    assert not rounds_to(-4.716, "-4.71")
    assert rounds_to(2410.4, "2,410")
    assert not rounds_to(2410.4, "2457")
