"""The player's rows as an SVG file, to print or to edit: lines stay lines, pictures are embedded as PNG."""

import base64
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import UInt8

from srnn_lab.pictures.charts import envelope
from srnn_lab.pictures.scene import Line, Lines, Names, Picture, Row, Scene, colour_table, limits_of, shades, spacing

WIDTH, LEFT, RIGHT, TITLE, HEIGHT, GAP, AXIS = 1000, 70, 20, 24, 90, 12, 44
"""Pixels: the whole width, the margins, and of each row its title, its height and the gap below it; the time axis."""
Place = Callable[[Any], Any]
"""Of times, or of values, or of one of them, where it is drawn, in pixels."""
CIRCLES = ("dots", "rings")
"""Styles of lines that are a circle at each value."""


def scene_svg(
    scene: Scene, selection: tuple[float, float] | None = None, view: tuple[float, float] | None = None
) -> str:
    """Rows over one time axis, dark on white, with marks dotted and a selection shaded.

    Args:
        scene: What is drawn.
        selection: Where it begins and ends, as far as that is drawn; nothing is drawn if both are the same.
        view: Stretch of the axis that is asked for, which ``Scene.stretch`` keeps on the axis; None: all of it.
    """
    begin, end = zoomed = scene.stretch(*(view or (0.0, scene.length)))

    def place(times: Any) -> Any:
        return LEFT + (times - begin) * (WIDTH - LEFT - RIGHT) / (end - begin)

    bottom = len(scene.rows) * (TITLE + HEIGHT + GAP)
    # What is drawn of a row; its circles and triangles may lie on the upper and the lower edge.
    parts = [
        f'<clipPath id="row{i}"><rect x="{LEFT}" y="{i * (TITLE + HEIGHT + GAP) + TITLE - 4}" '
        f'width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT + 8}"/></clipPath>'
        for i in range(len(scene.rows))
    ]
    for i, row in enumerate(scene.rows):
        parts += _row(row, i * (TITLE + HEIGHT + GAP) + TITLE, place, zoomed, i)
    for time in scene.marks[(scene.marks >= begin) & (scene.marks <= end)]:
        x = place(float(time))
        parts.append(f'<path d="M{x:.2f} {TITLE}V{bottom}" stroke="#555" stroke-dasharray="2 3" stroke-width="0.7"/>')
    start, stop = (min(max(time, begin), end) for time in selection or (0.0, 0.0))
    if stop > start:
        x, width = place(start), place(stop) - place(start)
        parts.append(f'<rect x="{x:.2f}" y="0" width="{width:.2f}" height="{bottom}" fill="#0072b2" opacity="0.15"/>')
    parts += _axis(begin, end, place, bottom, scene.unit)
    size = f'width="{WIDTH}" height="{bottom + AXIS}" viewBox="0 0 {WIDTH} {bottom + AXIS}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>'
    )


def _text(x: int | float, y: int | float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _row(row: Row, top: int, place: Place, view: tuple[float, float], number: int) -> Iterator[str]:
    yield _heading(row, top - 7)
    if isinstance(row, Names):
        yield from _names(row, top, place, view, number)
        return
    low, high = limits_of(row)
    label = row.axis if isinstance(row, Picture) else row.unit
    yield _text(0, 0, label, "middle", f'transform="translate(14 {top + HEIGHT / 2}) rotate(-90)"')
    if isinstance(row, Picture):
        times, index = shades(row)
        step = spacing(times)
        x, right = place(float(times[0]) - step / 2), place(float(times[-1]) + step / 2)
        content = base64.b64encode(png(colour_table(row.colours)[index.T[::-1]])).decode()
        yield (
            f'<g clip-path="url(#row{number})">'
            f'<image x="{x:.2f}" y="{top}" width="{right - x:.2f}" height="{HEIGHT}" preserveAspectRatio="none" '
            f'image-rendering="pixelated" href="data:image/png;base64,{content}"/></g>'
        )
        for at, tick in row.ticks.items():
            yield _text(LEFT - 6, top + HEIGHT * (1 - (at + 0.5) / index.shape[1]) + 4, tick, "end")
        if row.unit:
            yield from _colours(row, top - 16)
        return
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT}" fill="none" stroke="#ccc"/>'
    yield f'<g clip-path="url(#row{number})" fill="none" stroke-width="1">'
    for line in row.lines:
        height = lambda v: top + HEIGHT * (high - np.clip(v, low, high)) / (high - low)  # noqa: E731
        yield _line(line, height, place, view)
        if row.note and line.style not in CIRCLES:
            yield from _beyond(line, (low, high), top, place)
    yield "</g>"
    for value in (low, high):
        yield _text(LEFT - 6, top + HEIGHT * (high - value) / (high - low) + 4, f"{value:.3g}", "end")


def _names(row: Names, top: int, place: Place, view: tuple[float, float], number: int) -> Iterator[str]:
    """A box for each name, with the name in it where it has room."""
    yield f'<g clip-path="url(#row{number})">'
    for name, start, end in zip(row.names, row.times, [*row.times[1:], view[1]], strict=True):
        if not name or end <= view[0] or start >= view[1]:
            continue
        x, right = place(max(float(start), view[0])), place(min(float(end), view[1]))
        yield (
            f'<rect x="{x:.2f}" y="{top}" width="{right - x:.2f}" height="{HEIGHT // 3}" fill="#f4f4f4" stroke="#999" '
            f'stroke-width="0.5"/>'
        )
        if 6.5 * len(name) < right - x:  # what the text takes is guessed
            yield _text((x + right) / 2, top + HEIGHT // 6 + 4, name, "middle")
    yield "</g>"


def _beyond(line: Line, limits: tuple[float, float], top: int, place: Place) -> Iterator[str]:
    """Triangles at the edge of the axis, where a line leaves it."""
    for outside, y, to in (line.values > limits[1], top, 6), (line.values < limits[0], top + HEIGHT, -6):
        for x in place(line.times[outside]):
            yield f'<path d="M{x:.2f} {y}l4 {to}h-8z" fill="{line.colour}"/>'


def _colours(row: Picture, y: int) -> Iterator[str]:
    """The colours of a picture and the values at their ends, at the right above it."""
    limits = limits_of(row)
    low, end = row.ends or (f"{limits[0]:.3g}", f"{limits[1]:.3g} {row.unit}")
    x = WIDTH - RIGHT - 6.5 * len(end) - 50  # what the text takes is guessed
    yield _text(x - 4, y + 9, low, "end")
    content = base64.b64encode(png(colour_table(row.colours)[None])).decode()
    yield (
        f'<image x="{x:.2f}" y="{y}" width="46" height="10" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{content}"/>'
    )
    yield _text(x + 50, y + 9, end)


def _heading(row: Row, y: int) -> str:
    """Title, legend and note, one after the other, so that none lies over another however long they are."""
    parts = [f'<tspan font-weight="bold" font-size="12">{escape(row.title)}</tspan>']
    if isinstance(row, Lines):
        named = row.lines if len(row.lines) > 1 else ()
        parts += [f'<tspan fill="{line.colour}" dx="12">{escape(line.name)}</tspan>' for line in named]
        parts += [f'<tspan dx="12">{escape(row.note)}</tspan>'] * bool(row.note)
    return f'<text x="{LEFT}" y="{y}">{"".join(parts)}</text>'


def _line(line: Line, height: Place, place: Place, view: tuple[float, float]) -> str:
    low, high = np.searchsorted(line.times, view)
    shown = slice(max(0, low - 1), high + 1)  # to the first point beyond either edge
    times, values = line.times[shown], line.values[shown]
    if line.style in ("line", "under"):
        times, values = envelope(times, values)
    if line.style == "steps":
        half = spacing(line.times) / 2
        times, values = np.stack([times - half, times + half], 1).ravel(), np.repeat(values, 2)
    known = np.isfinite(values)
    x, y = place(times), height(values)
    if line.style in CIRCLES:
        fill = line.colour if line.style == "dots" else "none"
        return "".join(
            f'<circle cx="{a:.2f}" cy="{b:.2f}" r="3" stroke="{line.colour}" fill="{fill}"/>'
            for a, b in zip(x[known], y[known], strict=True)
        )
    starts = known & ~np.append(False, known[:-1])  # a gap begins a new stroke
    path = "".join(
        f"{'M' if begins else 'L'}{a:.2f} {b:.2f}"
        for a, b, begins in zip(x[known], y[known], starts[known], strict=True)
    )
    broad = ' stroke-width="4" opacity="0.4"' * (line.style == "under")
    return f'<path d="{path}" stroke="{line.colour}"{broad}/>'


def _axis(begin: float, end: float, place: Place, top: int, unit: str) -> Iterator[str]:
    power = 10.0 ** math.floor(math.log10((end - begin) / 8))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 8 >= end - begin)
    for i in range(math.ceil(begin / step - 1e-9), int(end / step + 1e-9) + 1):
        x = place(i * step)
        yield f'<path d="M{x:.2f} {top}v5" stroke="#333"/>' + _text(x, top + 17, f"{i * step:.6g}", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, top + AXIS - 8, f"time ({unit})", "middle", 'font-size="12"')


def png(pixels: UInt8[np.ndarray, "h w 4"]) -> bytes:
    """A PNG file of red, green, blue and opacity."""
    height, width = pixels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1)  # 0: no filter
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0),
        b"IDAT": zlib.compress(rows.tobytes()),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
