"""Labels of a recording, such as its phones: from the files of the usual programs into one form.

==============  ===================================================================================
``.TextGrid``   Praat, long or short; of several tiers the one called phones, or with most entries
``.lab``        ESPS (Festival: ``END COLOUR NAME`` below a line ``#``), or ``START END NAME``
                in seconds or, as HTK does, in units of 100 ns
``.phn .wrd``   TIMIT: ``START END NAME`` in samples at 16 kHz
``.txt``        Audacity's label track: start, end and name in seconds, parted by tabs
``.csv .tsv``   time and label, or start, end and label; a line of titles is skipped
==============  ===================================================================================
"""

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from srnn_lab.system.files import read_bounded

LABEL_SUFFIXES = (".textgrid", ".lab", ".phn", ".wrd", ".txt", ".csv", ".tsv")
MAX_BYTES = 8_000_000
"""Largest label file that is read; an hour of phones has about a quarter of it."""
MAX_LABELS = 100_000
"""Most labels that are read: two hours of phones."""
TIMIT_RATE = 16000
_HTK_UNIT = 1e-7
_GAP = 1e-3
"""Seconds between two intervals that still touch: programs round."""
_TOKEN = re.compile(r'"(?:[^"]|"")*"|(?<!\S)[-+]?\d[\d.eE+-]*(?!\S)')
"""What counts in a TextGrid: free-standing strings and numbers, so that both of its formats read
alike."""
_PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme", "phn", "mau")

Interval = tuple[float, float, str]
"""Start and end in seconds, and the name; an end that is no later than the start: until the next
one starts."""


@dataclass(frozen=True)
class Labels:
    """What is heard when: each name is valid from its time until the next one.

    Attributes:
        times: Where each name starts, strictly ascending: seconds of a recording, quarter notes of
            a piano roll.
        names: One a time; an empty one where nothing is labelled.
    """

    times: Float[np.ndarray, "n"]
    names: tuple[str, ...]

    def at(self, times: Float[np.ndarray, "t"]) -> list[str]:
        """The name that is valid at each of ``times``; empty before the first."""
        return [
            self.names[i] if i >= 0 else ""
            for i in np.searchsorted(self.times, times, side="right") - 1
        ]

    def within(self, length: float) -> "Labels":
        """Those of these labels that start within a recording of that length.

        Returns:
            The first of these labels; the last one may end after the recording.

        Raises:
            ValueError: None does, so they are those of another recording.
        """
        if self.times[0] >= length:
            raise ValueError(
                f"The first label starts at {self.times[0]:.2f}, after the end of the recording "
                f"at {length:.2f}; give the labels of this recording."
            )
        count = int(np.searchsorted(self.times, length))
        return Labels(self.times[:count], self.names[:count])

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of ``posterior.npz``."""
        return {"label_times": self.times, "label_names": np.array(self.names)}

    @classmethod
    def from_intervals(cls, intervals: Iterable[Interval]) -> "Labels":
        """Labels of intervals in any order; where two overlap, the one that starts later is valid.

        What cannot be printed, as control characters, becomes a space: no picture could hold it.

        Returns:
            Labels in the order of their times. A gap between two intervals has an empty name.
        """
        rows: dict[float, str] = {}
        last = None
        for start, end, name in sorted(intervals, key=lambda interval: interval[0]):
            if last is not None and start > last + _GAP:
                rows[last] = ""
            rows[start] = "".join(
                letter if letter.isprintable() else " " for letter in name
            ).strip()
            last = end if end > start else None
        if last is not None:
            rows[last] = ""
        times = sorted(rows)
        return cls(np.array(times, np.float64), tuple(rows[time] for time in times))


def read_labels(path: str | Path) -> Labels:
    """The labels of a file, by its ending; see the head of this module.

    Returns:
        The labels with their times in seconds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Its ending is another, it is too large, no text, holds no label, or a time is no
            time.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give the path of a label file.")
    return parse_labels(read_bounded(path, MAX_BYTES), path)


def parse_labels(content: bytes, path: str | Path) -> Labels:
    """The labels in the content of a file.

    Args:
        content: The file's bytes.
        path: Its name, whose ending says what it is and which errors name.

    Returns:
        The labels with their times in seconds.

    Raises:
        ValueError: As of ``read_labels``.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _PARSERS:
        raise ValueError(
            f"{path} is no label file that is read; its ending is one of "
            f"{', '.join(LABEL_SUFFIXES)}."
        )
    try:
        intervals = _PARSERS[suffix](_decode(content))
    except (IndexError, OverflowError, ValueError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as labels: {error}") from error
    if not 0 < len(intervals) <= MAX_LABELS:
        count = f"{len(intervals)} labels, more than {MAX_LABELS}" if intervals else "no labels"
        raise ValueError(f"{path} holds {count}; give the phones or words of one recording.")
    for start, end, name in intervals:
        if not (np.isfinite([start, end]).all() and start >= 0):
            raise ValueError(
                f"{path}: the label {name!r} is from {start} to {end}; expected times from 0 on."
            )
    return Labels.from_intervals(intervals)


def _decode(content: bytes) -> str:
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8 or UTF-16; save it so again.") from error
    if "\0" in text:
        raise ValueError("it is no text: it holds zero bytes.")
    return text


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{text[:40]!r} stands where a time is expected.") from None


def _read_textgrid(text: str) -> list[Interval]:
    if "textgrid" not in text[:200].lower():
        raise ValueError("its first lines do not say TextGrid.")
    tokens = iter(_TOKEN.findall(text))

    def string() -> str:
        token = next(tokens, "")
        if not token.startswith('"'):
            raise ValueError(
                f"{token[:40]!r} stands where a text is expected; the file may be cut."
            )
        return token[1:-1].replace('""', '"').strip()

    def number() -> float:
        return _number(next(tokens, ""))

    for _ in ("file type", "object class"):
        string()
    _ = number(), number()
    tiers: list[tuple[str, list[Interval]]] = []
    for _ in range(int(number())):
        kind, name = string(), string()
        _ = number(), number()
        entries = []
        for _ in range(int(number())):
            start = number()
            end = number() if kind == "IntervalTier" else start
            entries.append((start, end, string()))
        tiers.append((name, entries))
    named = [entries for name, entries in tiers if name.lower().split(" - ")[-1] in _PHONE_TIERS]
    return max(named or [entries for _, entries in tiers], key=len, default=[])


def _read_lab(text: str) -> list[Interval]:
    lines = text.splitlines()
    header = next((i for i, line in enumerate(lines) if line.strip() == "#"), None)
    if header is None:
        intervals = _columns(text)
        in_units = all(start.is_integer() and end.is_integer() for start, end, _ in intervals)
        # A second is 10^7 of HTK's units; no recording that is read lasts 10^5 seconds.
        if in_units and intervals and max(end for _, end, _ in intervals) > 1e5:
            return [(start * _HTK_UNIT, end * _HTK_UNIT, name) for start, end, name in intervals]
        return intervals
    rows = [line.split(None, 2) for line in lines[header + 1 :] if line.strip()]
    ends = [_number(row[0]) for row in rows]
    names = [row[2].split(";")[0].strip() if len(row) > 2 else "" for row in rows]
    return list(zip([0.0, *ends[:-1]], ends, names, strict=True)) if rows else []


def _columns(text: str) -> list[Interval]:
    """Lines of START END NAME, parted by spaces."""
    rows = [line.split(None, 2) for line in text.splitlines() if line.strip()]
    if short := next((row for row in rows if len(row) < 2), None):
        raise ValueError(f"the line {' '.join(short)[:40]!r} has no start and end.")
    return [
        (_number(row[0]), _number(row[1]), row[2].strip() if len(row) > 2 else "") for row in rows
    ]


def _read_timit(text: str) -> list[Interval]:
    return [(start / TIMIT_RATE, end / TIMIT_RATE, name) for start, end, name in _columns(text)]


def _read_audacity(text: str) -> list[Interval]:
    intervals = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("\\"):  # frequencies of the label before
            continue
        start, *rest = line.split("\t")
        if not rest:
            raise ValueError(
                f"the line {line[:40]!r} has no tab; expected start, end and name with tabs "
                "between."
            )
        intervals.append((_number(start), _number(rest[0]), "\t".join(rest[1:]).strip()))
    return intervals


def _read_csv(text: str) -> list[Interval]:
    first = text.split("\n", 1)[0]
    delimiter = max("\t;,", key=first.count)
    rows = [
        row
        for row in csv.reader(text.splitlines(), delimiter=delimiter)
        if any(cell.strip() for cell in row)
    ]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    intervals = []
    for row in rows:
        if len(row) < 2:
            raise ValueError(f"the line {row[0][:40]!r} has one column; expected time and label.")
        start = _number(row[0])
        has_end = len(row) > 2 and _is_number(row[1])
        intervals.append(
            (start, _number(row[1]) if has_end else start, row[2 if has_end else 1].strip())
        )
    return intervals


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


_PARSERS: dict[str, Callable[[str], list[Interval]]] = {
    ".textgrid": _read_textgrid,
    ".lab": _read_lab,
    ".phn": _read_timit,
    ".wrd": _read_timit,
    ".txt": _read_audacity,
    ".csv": _read_csv,
    ".tsv": _read_csv,
}


def labels_beside(path: Path) -> Path | None:
    """A recording's label file: of its name, beside it or in ``lab`` beside its folder; or None."""
    own = path.absolute().parent
    for folder in (own, own.parent / "lab"):
        for suffix in (".TextGrid", ".textgrid", ".lab", ".LAB", ".PHN", ".phn"):
            if (candidate := folder / f"{path.stem}{suffix}").is_file():
                return candidate
    return None
