"""Links from a panel to the section of a notebook that is about it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from srnn_lab.site.notebooks import notebooks


def address_of(title: str, section: str = "") -> str:
    """The address of a notebook on the page Learn, or of one of its sections."""
    named = {"notebook": title, "section": section} if section else {"notebook": title}
    return f"./learn?{urlencode(named)}"


def read_about(places: Mapping[str, str]) -> str:
    """What to read about a panel.

    Args:
        places: What is done there, by ``NOTEBOOK#HEADING``, a notebook's file name without its
            ending and the heading of one of its sections without the marks of formulas.

    Returns:
        One line of Markdown, with a link to each section that the dashboard can show.
    """
    known, told = notebooks(), []
    for place, does in places.items():
        stem, _, section = place.partition("#")
        if stem in known:
            title = known[stem].title
            told.append(
                f"[{title.split('.')[0]} {section or title}]({address_of(title, section)}) {does}"
            )
        else:
            told.append(f"`notebooks/{stem}.ipynb` {does}")
    return f"**Read about this**: {'; '.join(told)}."
