"""What the player draws: rows of lines or a picture over one time axis, thinned out, as bytes."""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Num

from srnn_lab.pictures.protocol import (
    ArraySent,
    Content,
    LineSent,
    LinesSent,
    NamesSent,
    Orders,
    PictureSent,
)

MAX_POINTS = 30_000
"""Points of a line that are sent; more are reduced to the extremes of each stretch.

Enough to zoom in 20 times.
"""
MAX_COLUMNS = 8_000
"""Columns of a picture that are sent; of more, the largest values of each stretch."""


Style = Literal["line", "under", "steps", "dots", "rings"]
"""How a curve is drawn; see ``Line``."""


@dataclass(frozen=True)
class Line:
    """A curve in a row.

    Attributes:
        name: What the legend calls it.
        times: Where its values lie, ascending, in units of the time axis.
        values: The values; NaN leaves a gap.
        colour: ``#rrggbb``, readable on a light and on a dark page.
        style: ``line``; ``under`` (a broad pale one, which shows where another covers it);
            ``steps`` (each value holds from half-way before to half-way after its time); ``dots``
            or ``rings`` (a filled or an open circle at each value).
    """

    name: str
    times: Float[np.ndarray, "n"]
    values: Float[np.ndarray, "n"]
    colour: str
    style: Style = "line"


@dataclass(frozen=True)
class Lines:
    """A row of one curve or several, which share their scale.

    Attributes:
        title: What stands above the row.
        unit: Unit of the values, which stands beside the axis and after each value.
        lines: The curves.
        limits: Lowest and highest value of the axis; by default those of the values.
        note: What is left out of the axis; with a note, a triangle at the edge marks each value of
            a curve beyond it.
    """

    title: str
    unit: str
    lines: Sequence[Line]
    limits: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A row with a column of colours for each frame.

    Attributes:
        title: What stands above the row.
        unit: Unit of the values; with one, their range stands beside the title.
        times: Middle of each column, evenly spaced, in units of the time axis.
        values: One column a frame, from the bottom up.
        colours: ``#rrggbb`` or ``#rrggbbaa``, from the lowest to the highest value.
        ticks: Labels beside the picture, by the index of a value in its column (a fraction lies
            between two).
        limits: Values of the first and the last colour; by default the lowest and the highest
            value.
        axis: What the labels are, for instance ``kHz``.
        ends: What is written beside the first and the last colour; by default the limits and the
            unit.
    """

    title: str
    unit: str
    times: Float[np.ndarray, "t"]
    values: Num[np.ndarray, "t x"]
    colours: Sequence[str]
    ticks: Mapping[int, str] | Mapping[int | float, str] = field(default_factory=dict)
    limits: tuple[float, float] | None = None
    axis: str = ""
    ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class Names:
    """A row of names, such as phones, each valid from its time until the next one.

    Attributes:
        title: What stands above the row.
        times: Where each name starts, strictly ascending, in units of the time axis.
        names: One a time; an empty one leaves a gap.
    """

    title: str
    times: Float[np.ndarray, "n"]
    names: Sequence[str]


Row = Lines | Picture | Names


@dataclass(frozen=True)
class Scene:
    """Rows over one time axis, and what is said of it.

    Attributes:
        rows: What is drawn, from top to bottom; at least one.
        times: Middle of each model frame, evenly spaced and ascending: selections snap to these
            frames. At least one.
        description: What a person who does not see the rows should know of them.
        end: Where the time axis ends; None: with the last frame.
        unit: Unit of the time axis.
        seconds: Seconds of sound in one unit of the time axis.
        marks: Times of dotted lines through all rows.
        mark_name: What one of them is.
        bars: Of music, where each bar begins, and its beat as a part of a whole note; the axis then
            counts bars.

    Raises:
        ValueError: There is no row or no frame.
    """

    rows: Sequence[Row]
    times: Float[np.ndarray, "t"]
    description: str
    end: float | None = None
    unit: str = "s"
    seconds: float = 1.0
    marks: Float[np.ndarray, "m"] = field(default_factory=lambda: np.zeros(0))
    mark_name: str = "transition"
    bars: Sequence[tuple[float, int]] = ()

    def __post_init__(self):
        if not self.rows or not len(self.times):
            raise ValueError(
                f"A player was given {len(self.rows)} rows and {len(self.times)} frames; it needs "
                "at least one of each."
            )

    @property
    def step(self) -> float:
        """From one frame to the next."""
        return spacing(self.times)

    @property
    def length(self) -> float:
        """Of the time axis, which begins at 0."""
        return float(self.times[-1]) + self.step / 2 if self.end is None else float(self.end)

    def stretch(self, start: float, end: float) -> tuple[float, float]:
        """What of the axis a zoom to a stretch shows: at least a frame, as in painter.js (look)."""
        span = min(max(end - start, min(self.step, self.length)), self.length)
        begin = min(max(start, 0.0), self.length - span)
        return begin, begin + span


def envelope(
    t: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], max_points: int
) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """A line thinned out to the minimum and the maximum of each stretch, for drawing.

    Args:
        t: Where the values lie, ascending.
        y: The values; NaN leaves a gap.
        max_points: About so many points are left, and one more for each stretch with a gap.

    Returns:
        The times and values that are left, in their order; all of them if they are few.
    """
    stretch = 2 * len(y) // max_points
    if stretch < 2:
        return t, y
    n = -(-len(y) // stretch)
    parts = np.pad(y, (0, n * stretch - len(y)), "edge").reshape(n, stretch)
    # NumPy takes a NaN for the minimum and for the maximum: values beside a gap would be lost.
    missing = np.isnan(parts)
    lowest = np.where(missing, np.inf, parts).argmin(1)
    highest = np.where(missing, -np.inf, parts).argmax(1)
    gap = np.where(missing.any(1), missing.argmax(1), lowest)
    kept = np.stack([lowest, highest, gap], 1) + np.arange(n)[:, None] * stretch
    left = np.zeros(len(y), bool)
    left[np.minimum(kept, len(y) - 1)] = True
    return t[left], y[left]


def limits_of(row: Lines | Picture) -> tuple[float, float]:
    """Lowest and highest value of a row's scale; never equal."""
    if row.limits is not None:
        low, high = row.limits
    else:
        values = [row.values] if isinstance(row, Picture) else [line.values for line in row.lines]
        found = np.concatenate([np.ravel(v)[np.isfinite(np.ravel(v))] for v in values])
        low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def colour_table(colours: Sequence[str]) -> np.ndarray:
    """256 colours (256, 4): bytes of red, green, blue and opacity, evenly along ``colours``."""
    stops = np.array(
        [list(bytes.fromhex(colour.lstrip("#").ljust(8, "f"))) for colour in colours], float
    )
    at = np.linspace(0, len(stops) - 1, 256)
    return (
        np.stack([np.interp(at, np.arange(len(stops)), channel) for channel in stops.T], 1)
        .round()
        .astype(np.uint8)
    )


def shades(picture: Picture) -> tuple[Float[np.ndarray, "c"], np.ndarray]:
    """The times and colour indices (c, x) of a picture's columns, at most ``MAX_COLUMNS``.

    Returns:
        Times, and indices into ``picture_colours``; missing values (NaN) are 0.
    """
    stretch = -(-len(picture.values) // MAX_COLUMNS)
    starts = np.arange(0, len(picture.values), stretch)
    values, times = (
        np.fmax.reduceat(np.asarray(picture.values, np.float32), starts),
        picture.times[starts],
    )
    times = times + (stretch - 1) / 2 * spacing(picture.times)
    low, high = limits_of(picture)
    index = np.clip(np.round((values - low) / (high - low) * 255), 0, 255)
    if (missing := np.isnan(index)).any():
        index = np.where(missing, 0, np.maximum(index, 1))
    return times, index.astype(np.uint8)


def picture_colours(picture: Picture) -> np.ndarray:
    """The colours (256, 4) of a picture; where values are missing, the first is transparent."""
    table = colour_table(picture.colours)
    if np.isnan(picture.values).any():
        table[0] = 0
    return table


def row_arrays(scene: Scene) -> dict[str, np.ndarray]:
    """What is drawn: each row's times and values, in their units, by title and name of a curve."""
    found = {}
    for row in scene.rows:
        if isinstance(row, Names):
            found |= {
                f"{row.title}, times ({scene.unit})": row.times,
                row.title: np.array(row.names, str),
            }
            continue
        curves = (
            {row.title: row}
            if isinstance(row, Picture)
            else {line.name: line for line in row.lines}
        )
        unit = f" ({row.unit})" if row.unit else ""
        for curve, drawn in curves.items():
            name = row.title if curve == row.title else f"{row.title}: {curve}"
            found |= {f"{name}, times ({scene.unit})": drawn.times, f"{name}{unit}": drawn.values}
    return found


def spacing(times: Float[np.ndarray, "t"]) -> float:
    """From one of evenly spaced middles to the next; of one alone, its width if it begins at 0."""
    return float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 2 * float(times[0])


class Packer:
    """Collects arrays behind a description of where each lies, as JSON would be slow with numbers.

    Attributes:
        digest: Hash of what was finished, without ``changing``.
    """

    digest: str

    def __init__(self):
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, values: np.ndarray, kind: str) -> ArraySent:
        """Where the values lie among the bytes; ``kind`` is ``f4``, ``i2`` or ``u1``."""
        content = np.ascontiguousarray(values, f"<{kind}").tobytes()
        content += bytes(-len(content) % 4)  # typed arrays begin at multiples of their size
        place: ArraySent = {"kind": kind, "start": self._size, "length": int(np.size(values))}
        self._parts.append(content)
        self._size += len(content)
        return place

    def finish(self, described: Mapping[str, Any], changing: Mapping[str, Any]) -> bytes:
        """The description after its length, then the arrays; the digest leaves out ``changing``."""
        body = b"".join(self._parts)
        text = json.dumps(described).encode()
        self.digest = hashlib.blake2b(text + body, digest_size=12).hexdigest()
        head = json.dumps({**described, **changing, "digest": self.digest}).encode()
        head += b" " * (-len(head) % 4)
        return struct.pack("<I", len(head)) + head + body


def pack(scene: Scene, orders: Orders) -> tuple[bytes, str]:
    """A scene as the browser takes it, with the orders, and its digest, which leaves them out."""
    packer = Packer()
    notes = [
        f"{row.title}: {row.note}." for row in scene.rows if isinstance(row, Lines) and row.note
    ]
    content: Content = {
        "rows": [pack_row(row, packer) for row in scene.rows],
        "end": scene.length,
        "frame": {
            "start": float(scene.times[0]) - scene.step / 2,
            "step": scene.step,
            "count": len(scene.times),
        },
        "unit": scene.unit,
        "seconds": scene.seconds,
        "marks": packer.add(scene.marks, "f4"),
        "markName": scene.mark_name,
        "bars": list(scene.bars),
        "description": " ".join([scene.description, *notes]),
    }
    return packer.finish(content, orders), packer.digest


def pack_row(row: Row, packer: Packer) -> LinesSent | PictureSent | NamesSent:
    """A row's description, with its arrays in ``packer``."""
    if isinstance(row, Names):
        return {"title": row.title, "names": list(row.names), "times": packer.add(row.times, "f4")}
    if isinstance(row, Picture):
        times, index = shades(row)
        return {
            "title": row.title,
            "unit": row.unit,
            "limits": limits_of(row),
            "ticks": [(float(at), label) for at, label in row.ticks.items()],
            "axis": row.axis,
            "ends": row.ends,
            "start": float(times[0]) - spacing(times) / 2,
            "end": float(times[-1]) + spacing(times) / 2,
            "bins": index.shape[1],
            "values": packer.add(index, "u1"),
            "colours": packer.add(picture_colours(row), "u1"),
        }
    return {
        "title": row.title,
        "unit": row.unit,
        "limits": limits_of(row),
        "note": row.note,
        "lines": [_pack_line(line, packer) for line in row.lines],
    }


def _pack_line(line: Line, packer: Packer) -> LineSent:
    times, values = line.times, line.values
    if line.style in ("line", "under"):
        times, values = envelope(times, values, MAX_POINTS)
    return {
        "name": line.name,
        "colour": line.colour,
        "style": line.style,
        "times": packer.add(times, "f4"),
        "values": packer.add(values, "f4"),
    }
