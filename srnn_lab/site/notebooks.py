"""Notebooks as they are stored: sections of text, code and outputs, in which one can search.

Nothing is ever run.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(__file__).parents[2] / "notebooks"
"""Beside the package in a copy of the repository; an installed wheel has none."""
MAX_BYTES = 5 * 2**20
"""Of a notebook's file; those of this project have 0.4 MB at the most."""
VIEW = "view:"
"""What a tag of a cell begins with that names a view of the dashboard by its address, such as
``view:/clips?of=KL``."""
SERVER = "http://localhost:8501"
"""Where the notebooks expect the dashboard."""
AROUND = 60
"""Characters on either side of what was found."""


class Text(NamedTuple):
    """Markdown with formulas between dollars."""

    markdown: str


class Code(NamedTuple):
    """A cell's code; a solution of an exercise is folded away in the notebook too."""

    source: str
    solution: bool


class Printed(NamedTuple):
    """What a cell printed or returned, as text."""

    text: str


class Picture(NamedTuple):
    """A picture that a cell drew: a PNG or SVG file."""

    content: bytes
    kind: str


class Sound(NamedTuple):
    """A sound that a cell made, as a file."""

    content: bytes
    kind: str


Part = Text | Code | Printed | Picture | Sound


class View(NamedTuple):
    """A dashboard view: the end of a page's address, empty for the first, and what it shows."""

    page: str
    params: dict[str, str | list[str]]


@dataclass(frozen=True)
class Section:
    """A section of a notebook.

    Attributes:
        heading: As it is written, perhaps with formulas; of what stands before the first section,
            the notebook's title.
        parts: What is in it, from top to bottom.
        views: The views of the dashboard that it speaks of.
    """

    heading: str
    parts: tuple[Part, ...]
    views: tuple[View, ...]

    @property
    def name(self) -> str:
        """The heading without the marks of formulas."""
        return without_formulas(self.heading)

    @property
    def text(self) -> str:
        """Text and code, in which a search looks."""
        words = [part[0] for part in self.parts if isinstance(part, Text | Code)]
        return " ".join(" ".join([self.heading, *words]).split())


@dataclass(frozen=True)
class Notebook:
    """A notebook.

    Attributes:
        file: Its file's name without its ending.
        sections: Its sections; the first has the notebook's title as its heading.
        executed: Whether outputs are stored in it.
    """

    file: str
    sections: tuple[Section, ...]
    executed: bool

    @property
    def title(self) -> str:
        """Its title, with its number."""
        return self.sections[0].heading


class Found(NamedTuple):
    """A section in which all words of a search occur, and what stands around the first of them."""

    notebook: Notebook
    section: Section
    around: str


def notebooks(folder: Path = FOLDER) -> dict[str, Notebook]:
    """The notebooks of a folder, by file name without its ending; none if there is no such folder.

    Returns:
        The notebooks, in the order of their names. A file is read again only if it has changed.

    Raises:
        ValueError: A file is no notebook, or is too large.
    """
    return {
        path.stem: _read(path, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.ipynb"))
    }


@lru_cache(maxsize=32)
def _read(path: Path, modified: int) -> Notebook:  # noqa: ARG001 (a new file is a new entry)
    return read_notebook(path)


def read_notebook(path: Path) -> Notebook:
    """A notebook from its file.

    Returns:
        The sections, and whether any cell has outputs.

    Raises:
        ValueError: The file is no notebook of format 4, or is too large.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(
            f"{path} has {size / 2**20:.0f} MB; a notebook of at most {MAX_BYTES >> 20} MB is "
            "shown."
        )
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sections = tuple(_sections(cells, path.stem))
        executed = any(cell.get("outputs") for cell in cells)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a Jupyter notebook of format 4 ({error}); save it with Jupyter."
        ) from error
    return Notebook(path.stem, sections, executed)


def _sections(cells: Sequence[Mapping[str, Any]], stem: str) -> Iterator[Section]:
    """Split at headings, which may stand in the middle of a cell."""
    heading, parts, views = stem, [], []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            parts += _code(cell, source)
            continue
        tags = cell.get("metadata", {}).get("tags", [])
        tagged = [view_of(tag.removeprefix(VIEW)) for tag in tags if tag.startswith(VIEW)]
        for text in re.split(r"^(?=##? )", source, flags=re.MULTILINE):
            if found := re.match(r"##? +(.*)\n*", text):
                if parts:
                    yield Section(heading, tuple(parts), tuple(views))
                # Each section that begins in a cell has the views of its tags.
                heading, parts, views = found[1].strip(), [], [*tagged]
                text = text[found.end() :]
            if text.strip():
                parts.append(Text(on_one_line(text.strip())))
                views += [view_of(link) for link in re.findall(rf"\({SERVER}(/[^)\s]*)\)", text)]
    yield Section(heading, tuple(parts), tuple(views))


def _code(cell: Mapping[str, Any], source: str) -> Iterator[Part]:
    yield Code(source, "solution" in cell.get("metadata", {}).get("tags", []))
    printed = [
        output["text"] for output in cell.get("outputs", []) if output["output_type"] == "stream"
    ]
    if printed:
        yield Printed("".join(map(_joined, printed)).rstrip())
    for output in cell.get("outputs", []):
        if output["output_type"] in ("display_data", "execute_result"):
            yield _shown({kind: _joined(content) for kind, content in output["data"].items()})


def _joined(content: Any) -> str:
    return "".join(content) if isinstance(content, list | str) else ""


def _shown(data: Mapping[str, str]) -> Part:
    """Of an output's stored forms, the one that is shown: of HTML, only the sound in it."""
    if "image/svg+xml" in data:
        return Picture(data["image/svg+xml"].encode(), "image/svg+xml")
    try:
        if "image/png" in data:
            return Picture(base64.b64decode(data["image/png"]), "image/png")
        if sound := re.search(
            r'"data:(audio/[\w.+-]+);base64,([\w+/=]+)"', data.get("text/html", "")
        ):
            return Sound(base64.b64decode(sound[2]), sound[1])
    except binascii.Error as error:
        raise ValueError(f"an output is damaged: {error}") from error
    return Printed(data.get("text/plain", ""))


def view_of(address: str) -> View:
    """The view at an address of the dashboard, without its server."""
    parts = urlsplit(address)
    values = parse_qs(parts.query)
    params = {
        name: several[0] if len(several) == 1 else several for name, several in values.items()
    }
    return View(parts.path.strip("/"), params)


def on_one_line(markdown: str) -> str:
    """Markdown whose formulas have no line breaks.

    A line of one that begins with + would be read as a list.

    Returns:
        The Markdown, with a space for each such break.
    """
    return re.sub(
        r"(\$\$?)(.+?)\1", lambda found: found[0].replace("\n", " "), markdown, flags=re.DOTALL
    )


def without_formulas(text: str) -> str:
    """A text with formulas as it reads without their marks."""
    return re.sub(r"\\math\w+\s*|[${}\\]", "", text)


def search(found: Mapping[str, Notebook], words: str) -> list[Found]:
    """Sections with all words, upper and lower case alike: first those with them in the heading.

    Args:
        found: The notebooks.
        words: What is looked for, between spaces.

    Returns:
        The sections, each with the text around the first word. None if there is no word.
    """
    wanted = words.lower().split()
    hits = [
        Found(notebook, section, _around(section.text, wanted[0]))
        for notebook in found.values()
        for section in notebook.sections
        if wanted and all(word in section.text.lower() for word in wanted)
    ]
    return sorted(
        hits, key=lambda hit: not all(word in hit.section.heading.lower() for word in wanted)
    )


def _around(text: str, word: str) -> str:
    at = text.lower().index(word)
    start, end = max(0, at - AROUND), min(len(text), at + len(word) + AROUND)
    return without_formulas(f"{'…' * (start > 0)}{text[start:end]}{'…' * (end < len(text))}")
