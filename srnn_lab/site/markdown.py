"""Markdown with formulas as HTML that asks no other machine for anything.

Formulas are MathML, which browsers draw.
"""

import html
from collections.abc import Callable

from latex2mathml.converter import convert
from latex2mathml.exceptions import NoAvailableTokensError
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin


def formula(latex: str, details: dict[str, bool]) -> str:
    """A formula as MathML; if it cannot be read, as it is written.

    Args:
        latex: The formula, without dollars.
        details: Under ``display_mode`` whether it stands on lines of its own.

    Returns:
        The formula as an element of a page.
    """
    try:
        return convert(latex, display="block" if details["display_mode"] else "inline")
    except (NoAvailableTokensError, ValueError, IndexError, KeyError):
        return f"<code>{html.escape(latex)}</code>"


_READER = (
    MarkdownIt("commonmark", {"html": False})
    .enable("table")
    .use(dollarmath_plugin, renderer=formula, double_inline=True)
)


def html_of(markdown: str, target_of: Callable[[str], str | None]) -> str:
    """Markdown as HTML; HTML in it is shown as it is written.

    Args:
        markdown: Text with formulas between dollars.
        target_of: Gives the target of a link on the page, by the one in the text; None makes the
            link plain words.

    Returns:
        The elements of a page.
    """
    tokens = _READER.parse(markdown)
    for token in tokens:
        kept = []
        for part in token.children or []:
            if part.type == "link_open":
                target = target_of(str(part.attrs["href"]))
                kept.append(target is not None)
                part.attrs["href"] = target or ""
            closes = part.type == "link_close" and kept.pop() is False
            if closes or (part.type == "link_open" and not kept[-1]):
                part.type, part.tag, part.content, part.nesting = "text", "", "", 0
    return _READER.renderer.render(tokens, _READER.options, {})
