"""The player's rows as a file to print or to edit: SVG, in which lines stay lines, or PDF.

All is said by attributes of the elements, since pages that show a notebook's SVG (GitHub) drop
styles and scripts.
"""

import base64
import math
import struct
import textwrap
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import UInt8

from srnn_lab.pictures.scene import (
    Line,
    Lines,
    Names,
    Picture,
    Row,
    Scene,
    colour_table,
    envelope,
    limits_of,
    picture_colours,
    shades,
    spacing,
)
from srnn_lab.system.extras import optional_packages

WIDTH, LEFT, RIGHT, TITLE, LEGEND, HEIGHT, NAMES, GAP, AXIS = 1000, 70, 20, 24, 15, 90, 30, 12, 44
"""Pixels (96 an inch): the whole width, by default; the margins; of each row its title, each
further line above it, its height, that of names, and the gap below it; the time axis."""
NARROWEST = 200
"""Pixels below which an axis would have no room."""
SWATCH, COLOURS = 20, 50
"""Pixels of a legend's symbol, and of a picture's colours, before what stands behind them."""
TICK = 80
"""Pixels from one number of the time axis to the next, at least."""
CHARACTER = 0.6
"""Width of a character, in sizes of the font: a guess, since a file does not know the fonts of its
reader."""
MAX_POINTS = 2000
"""Points of a line that are drawn; more are reduced to the extremes of each stretch."""
MM = 25.4 / 96
"""Millimetres in a pixel."""
Pixels = int | float | np.floating
Place = Callable[[Any], Any]
"""Of times, or of values, or of one of them, where it is drawn, in pixels."""
CIRCLES = ("dots", "rings")
"""Styles of lines that are a circle at each value."""


@dataclass(frozen=True)
class _Band:
    """Where a row lies: what stands above it, the upper edge of what is drawn, and its height."""

    row: Row
    header: list[str]
    top: Pixels
    height: int
    right: Pixels
    clip: str


def scene_svg(
    scene: Scene,
    selection: tuple[float, float] | None = None,
    view: tuple[float, float] | None = None,
    *,
    title: str = "",
    width: Pixels = WIDTH,
) -> str:
    """Rows over one time axis, dark on white, with marks dotted and a selection shaded.

    Args:
        scene: What is drawn.
        selection: Where it begins and ends, as far as that is drawn; nothing is drawn if both are
            the same.
        view: Stretch of the axis that is asked for, which ``Scene.stretch`` keeps on the axis;
            None: all of it.
        title: What stands above the rows, such as the names of clip and model.
        width: Of the file, in pixels (``MM`` millimetres each). Text keeps its size of 8 points, so
            a file as wide as the column of a paper is set in it as it is.

    Returns:
        The text of the file, ``width`` pixels wide and as high as its rows need.

    Raises:
        ValueError: The width has no room for the axis.
    """
    if not width >= NARROWEST:
        raise ValueError(
            f"The width is {width * MM:.0f} mm; give at least {math.ceil(NARROWEST * MM)} mm, as "
            "the axis takes some."
        )
    begin, end = zoomed = scene.stretch(*(view or (0.0, scene.length)))
    right = width - RIGHT

    def place(times: Any) -> Any:
        return LEFT + (times - begin) * (right - LEFT) / (end - begin)

    # The title, over as many lines as it takes.
    parts, bottom = [], 0
    for line in _wrapped(title, (right - LEFT) / (13 * CHARACTER)):
        bottom += 19
        parts.append(_text(LEFT, bottom - 3, line, more='font-weight="bold" font-size="13"'))
    # The rows, one below the other.
    top, bands = bottom, []
    for row in scene.rows:
        bands.append(band := _band(row, bottom, right))
        parts += [*band.header, *_row(band, place, zoomed)]
        bottom = band.top + band.height + GAP
    # What lies over them: marks and the selection; and below them the axis.
    for time in scene.marks[(scene.marks >= begin) & (scene.marks <= end)]:
        x = place(float(time))
        through = "".join(f"M{x:.2f} {band.top:g}v{band.height}" for band in bands)
        parts.append(
            f'<path d="{through}" stroke="#555" stroke-dasharray="2 3" stroke-width="0.7"/>'
        )
    start, stop = (min(max(time, begin), end) for time in selection or (0.0, 0.0))
    if stop > start:
        x, chosen = place(start), place(stop) - place(start)
        parts.append(
            f'<rect x="{x:.2f}" y="{top}" width="{chosen:.2f}" height="{bottom - top}" '
            'fill="#0072b2" opacity="0.15"/>'
        )
    parts += _axis(begin, end, place, bottom, scene)
    size = f'width="{width:g}" height="{bottom + AXIS:g}" viewBox="0 0 {width:g} {bottom + AXIS:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>'
    )


def svg_pdf(svg: str) -> bytes:
    """The PDF file of a picture, as wide as it is.

    Returns:
        The bytes of a file of one page.

    Raises:
        ValueError: What makes it is not installed.
    """
    try:
        with optional_packages():
            import cairosvg
    except OSError as error:  # cairo, which it asks the system for
        raise ValueError(
            "A PDF file needs the library cairo (Debian: apt-get install libcairo2); or write an "
            ".svg."
        ) from error
    # The name that it knows.
    sharp = svg.replace('image-rendering="pixelated"', 'image-rendering="optimizeSpeed"')
    return bytes(cairosvg.svg2pdf(bytestring=sharp.encode()) or b"")


def _width(text: str, size: int = 11) -> float:
    return CHARACTER * size * len(text)


def _wrapped(text: str, characters: Pixels) -> list[str]:
    return textwrap.wrap(text, max(8, int(characters)), break_on_hyphens=False)


def _text(x: Pixels, y: Pixels, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _band(row: Row, above: Pixels, right: Pixels) -> _Band:
    """Where a row that begins ``above`` is, with title, legend and note on the lines they take."""
    x, y = LEFT, above + TITLE - 7
    header = [_text(x, y, row.title, more='font-weight="bold" font-size="12"')]
    x += _width(row.title, 12) + 12

    def room(taken: float) -> tuple[Pixels, Pixels]:
        """Where something so wide begins, on the next line if this one is full."""
        nonlocal x, y
        if x + taken > right and x > LEFT:
            x, y = LEFT, y + LEGEND
        found = x, y
        x += taken + 12
        return found

    # The legend and the note of lines, or the colours of a picture between the values at their
    # ends.
    if isinstance(row, Lines):
        for line in row.lines if len(row.lines) > 1 else ():
            at, height = room(SWATCH + _width(line.name))
            header += [_symbol(line, at, height - 4), _text(at + SWATCH, height, line.name)]
        for part in _wrapped(row.note, (right - LEFT) / (11 * CHARACTER)):
            at, height = room(_width(part))
            header.append(_text(at, height, part))
    elif isinstance(row, Picture) and row.unit:
        low, high = limits_of(row)
        least, most = row.ends or (f"{low:.3g}", f"{high:.3g} {row.unit}")
        before = _width(least) + 4
        at, height = room(before + COLOURS + _width(most))
        content = base64.b64encode(png(colour_table(row.colours)[None])).decode()
        header += [
            _text(at, height, least),
            f'<image x="{at + before:.2f}" y="{height - 9}" width="{COLOURS - 4}" height="10" '
            f'preserveAspectRatio="none" href="data:image/png;base64,{content}"/>',
            _text(at + before + COLOURS, height, most),
        ]
    top, height = y + 7, NAMES if isinstance(row, Names) else HEIGHT
    # Named by what it is: pages put several files into one document, in which equal names must mean
    # the same.
    clip = f"clip-{LEFT}-{top - 4:g}-{right:g}-{height + 8}"
    header.append(
        f'<clipPath id="{clip}"><rect x="{LEFT}" y="{top - 4:g}" width="{right - LEFT:g}" '
        f'height="{height + 8}"/>'
        "</clipPath>"  # circles and triangles may lie on the upper and the lower edge
    )
    return _Band(row, header, top, height, right, clip)


def _symbol(line: Line, x: Pixels, y: Pixels) -> str:
    """What stands for a line in the legend, as in the player."""
    if line.style in CIRCLES:
        return _circle(line, x + 8, y)
    broad = _broad(line) or ' stroke-width="2"'
    return f'<path d="M{x:.2f} {y:g}h16" stroke="{line.colour}"{broad}/>'


def _circle(line: Line, x: Pixels, y: Pixels) -> str:
    fill = line.colour if line.style == "dots" else "none"
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="3" stroke="{line.colour}" fill="{fill}"/>'


def _broad(line: Line) -> str:
    return ' stroke-width="4" opacity="0.4"' * (line.style == "under")


def _row(band: _Band, place: Place, view: tuple[float, float]) -> Iterator[str]:
    row, top, bottom = band.row, band.top, band.top + band.height
    if isinstance(row, Names):
        yield from _names(row, band, place, view)
        return
    low, high = limits_of(row)
    label = row.axis if isinstance(row, Picture) else row.unit
    yield _text(
        0, 0, label, "middle", f'transform="translate(14 {(top + bottom) / 2:g}) rotate(-90)"'
    )
    if isinstance(row, Picture):
        times, index = shades(row)
        step = spacing(times)
        x, right = place(float(times[0]) - step / 2), place(float(times[-1]) + step / 2)
        content = base64.b64encode(png(picture_colours(row)[index.T[::-1]])).decode()
        yield (
            f'<g clip-path="url(#{band.clip})">'
            f'<image x="{x:.2f}" y="{top:g}" width="{right - x:.2f}" height="{HEIGHT}" '
            'preserveAspectRatio="none" image-rendering="pixelated" '
            f'href="data:image/png;base64,{content}"/></g>'
        )
        for at, tick in row.ticks.items():
            yield _text(LEFT - 6, top + HEIGHT * (1 - (at + 0.5) / index.shape[1]) + 4, tick, "end")
        return
    yield (
        f'<rect x="{LEFT}" y="{top:g}" width="{band.right - LEFT:g}" height="{HEIGHT}" fill="none" '
        'stroke="#ccc"/>'
    )
    yield f'<g clip-path="url(#{band.clip})" fill="none" stroke-width="1">'

    def height(values: Any) -> Any:
        return top + HEIGHT * (high - np.clip(values, low, high)) / (high - low)

    for line in row.lines:
        yield _line(line, height, place, view)
        if row.note and line.style not in CIRCLES:
            yield from _beyond(line, (low, high), top, place)
    yield "</g>"
    for value in (low, high):
        yield _text(LEFT - 6, float(height(value)) + 4, f"{value:.3g}", "end")


def _names(row: Names, band: _Band, place: Place, view: tuple[float, float]) -> Iterator[str]:
    """A box for each name, with the name in it where it has room."""
    yield f'<g clip-path="url(#{band.clip})">'
    for name, start, end in zip(row.names, row.times, [*row.times[1:], view[1]], strict=True):
        if not name or end <= view[0] or start >= view[1]:
            continue
        x, right = place(max(float(start), view[0])), place(min(float(end), view[1]))
        yield (
            f'<rect x="{x:.2f}" y="{band.top:g}" width="{right - x:.2f}" height="{NAMES}" '
            'fill="#f4f4f4" stroke="#999" stroke-width="0.5"/>'
        )
        if _width(name) < right - x:
            yield _text((x + right) / 2, band.top + NAMES / 2 + 4, name, "middle")
    yield "</g>"


def _beyond(line: Line, limits: tuple[float, float], top: Pixels, place: Place) -> Iterator[str]:
    """Triangles at the edge of the axis, where a line leaves it."""
    for outside, y, to in (
        (line.values > limits[1], top, 6),
        (line.values < limits[0], top + HEIGHT, -6),
    ):
        for x in place(line.times[outside]):
            yield f'<path d="M{x:.2f} {y:g}l4 {to}h-8z" fill="{line.colour}"/>'


def _line(line: Line, height: Place, place: Place, view: tuple[float, float]) -> str:
    low, high = np.searchsorted(line.times, view)
    shown = slice(max(0, low - 1), high + 1)  # to the first point beyond either edge
    times, values = line.times[shown], line.values[shown]
    if line.style in ("line", "under"):
        times, values = envelope(times, values, MAX_POINTS)
    if line.style == "steps":
        half = spacing(line.times) / 2
        times, values = np.stack([times - half, times + half], 1).ravel(), np.repeat(values, 2)
    known = np.isfinite(values)
    x, y = place(times), height(values)
    if line.style in CIRCLES:
        return "".join(_circle(line, a, b) for a, b in zip(x[known], y[known], strict=True))
    starts = known & ~np.append(False, known[:-1])  # a gap begins a new stroke
    path = "".join(
        f"{'M' if begins else 'L'}{a:.2f} {b:.2f}"
        for a, b, begins in zip(x[known], y[known], starts[known], strict=True)
    )
    return f'<path d="{path}" stroke="{line.colour}"{_broad(line)}/>'


def _nice_step(span: float, most: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that gives at most so many parts."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= span)


def _ticks(begin: float, end: float, most: float, scene: Scene) -> list[tuple[float, str]]:
    """Times and what stands below them: of music the numbers of bars, as in numbers.js."""
    if not scene.bars:
        step = _nice_step(end - begin, most)
        first, last = math.ceil(begin / step - 1e-9), int(end / step + 1e-9)
        return [(i * step, f"{i * step:.6g}") for i in range(first, last + 1)]
    bars = [(i, at) for i, (at, _) in enumerate(scene.bars, 1) if begin <= at <= end]
    step = _nice_step(float(len(bars)), most) if len(bars) > most else 1
    return [(at, f"{i}") for i, at in bars if i % step == 0]


def _axis(begin: float, end: float, place: Place, top: Pixels, scene: Scene) -> Iterator[str]:
    most = max(2.0, (place(end) - place(begin)) / TICK)
    for time, written in _ticks(begin, end, most, scene):
        x = place(time)
        yield f'<path d="M{x:.2f} {top:g}v5" stroke="#333"/>' + _text(
            x, top + 17, written, "middle"
        )
    yield _text(
        (place(begin) + place(end)) / 2,
        top + AXIS - 8,
        "bar" if scene.bars else f"time ({scene.unit})",
        "middle",
        'font-size="12"',
    )


def png(pixels: UInt8[np.ndarray, "h w 4"]) -> bytes:
    """A PNG file of red, green, blue and opacity."""
    height, width = pixels.shape[:2]
    # 0: no filter.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0),
        b"IDAT": zlib.compress(rows.tobytes()),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
