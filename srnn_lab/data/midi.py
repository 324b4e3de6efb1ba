"""Standard MIDI Files, read byte by byte: the notes, the tempo and the metre.

Libraries refuse files that any player plays, and keep an entry for each tick that a file can name.
Here each byte is looked at once, so that time and memory grow with the file's size alone; what no
note depends on is passed over. The format: "Standard MIDI-File Format Spec. 1.1",
https://www.midi.org/specifications.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

DRUMS = 9
"""Channel of the drums, counted from 0; musicians call it channel 10."""
STANDARD_TEMPO = 120.0
"""Quarter notes a minute where a file says nothing."""
MAX_TEMPO = 1000.0
"""Fastest tempo that is believed; a file can state 60 million."""
_CUT = "it is empty or cut short"
_OFF, _ON, _CONTROL, _SYSTEM, _META = 0x80, 0x90, 0xB0, 0xF0, 0xFF
_TEMPO, _SIGNATURE, _END = 0x51, 0x58, 0x2F
_EXCLUSIVE, _SYSTEM_DATA = (0xF0, 0xF7), {0xF1: 1, 0xF2: 2, 0xF3: 1}
_ALL_NOTES_OFF = (120, 123)
"""Controllers that end all notes of a channel."""


class Signature(NamedTuple):
    """A time signature.

    Attributes:
        start: Where it begins, with a bar line, in quarter notes.
        beats: Beats in a bar.
        unit: The note that is a beat: 4 is a quarter note.
    """

    start: float
    beats: int
    unit: int

    @property
    def quarters(self) -> float:
        """Quarter notes in a bar."""
        return 4 * self.beats / self.unit


@dataclass(frozen=True)
class Timing:
    """How fast a piece goes, and how its beats are counted.

    Attributes:
        tempo: Quarter notes a minute; of a piece that changes it, the median over the quarter
            notes.
        signatures: In order; the first begins at 0.
        steady: Whether the tempo never changes.
    """

    tempo: float
    signatures: tuple[Signature, ...] = (Signature(0.0, 4, 4),)
    steady: bool = True

    @property
    def pickup(self) -> float:
        """Quarter notes before the first whole bar: less than a bar of the second signature."""
        second = self.signatures[1:2]
        return second[0].start if second and second[0].start < second[0].quarters else 0.0

    def bars(self, end: float) -> Float[np.ndarray, "b"]:
        """Where each bar begins, up to ``end``, in quarter notes; each signature begins a bar."""
        stops = [*(signature.start for signature in self.signatures[1:]), end]
        parts = zip(self.signatures, stops, strict=True)
        return np.concatenate(
            [np.arange(now.start, min(stop, end), now.quarters) for now, stop in parts]
        )

    def beats(self, end: float) -> tuple[tuple[float, int], ...]:
        """Where each bar begins, up to ``end``, and its beat: 4 is a quarter note, 8 an eighth."""
        bars, starts = self.bars(end), [signature.start for signature in self.signatures]
        holding = np.searchsorted(starts, bars + 1e-6, "right") - 1
        return tuple(
            (float(bar), self.signatures[i].unit) for bar, i in zip(bars, holding, strict=True)
        )

    def moment(self, time: float) -> str:
        """A time in words: bar and beat, counted from 1; a pickup is bar 1."""
        return self.moments([time])[0]

    def moments(self, times: Sequence[float]) -> list[str]:
        """Times in quarter notes, each in words."""
        bars = self.beats(max(times) + 1e-6)
        before = np.searchsorted([start for start, _ in bars], np.add(times, 1e-6)) - 1
        return [
            f"bar {i + 1}, beat {1 + (time - bars[i][0]) * bars[i][1] / 4:.4g}"
            for time, i in zip(times, before, strict=True)
        ]

    def length(self, quarters: float, start: float) -> str:
        """A length from a time on, both in quarter notes, in the bars and beats that hold there."""
        now = [signature for signature in self.signatures if signature.start <= start + 1e-6][-1]
        bars = int((quarters + 1e-6) // now.quarters)
        beats = round((quarters - bars * now.quarters) * now.unit / 4, 3)
        parts = [(bars, "bar"), (beats, "beat")]
        return " and ".join(_count(number, thing) for number, thing in parts if number)

    def part(self, start: float, stop: float) -> "Timing":
        """Of the quarter notes from ``start``, a bar's beginning, to ``stop`` and what follows."""
        past = [signature for signature in self.signatures if signature.start <= start]
        coming = [signature for signature in self.signatures if start < signature.start < stop]
        moved = [
            signature._replace(start=max(0.0, signature.start - start))
            for signature in (past[-1], *coming)
        ]
        return Timing(self.tempo, tuple(moved), self.steady)

    def __str__(self) -> str:
        first = 1 if self.pickup else 0
        words = [f"{self.signatures[first].beats}/{self.signatures[first].unit}"]
        if self.pickup:
            words.append(f"after a pickup of {_count(self.pickup, 'quarter note')}")
        if changes := len(self.signatures) - first - 1:
            words.append(f"(the metre changes {_count(changes, 'time')})")
        words.append(f"at {'' if self.steady else 'about '}{self.tempo:g} quarter notes a minute")
        return " ".join(words)


def _count(number: float | int, thing: str) -> str:
    return f"{number:g} {thing}{'' if number == 1 else 's'}"


class Notes(NamedTuple):
    """Notes in the order in which they end, with an entry for each.

    Attributes:
        start: Tick at which it begins.
        end: Tick at which it ends; the same for a note without length.
        pitch: MIDI pitch, 0 to 127; a damaged file may have up to 255.
        channel: 0 to 15.
        voice: One number for all notes of one channel in one track.
    """

    start: Int[np.ndarray, "n"]
    end: Int[np.ndarray, "n"]
    pitch: Int[np.ndarray, "n"]
    channel: Int[np.ndarray, "n"]
    voice: Int[np.ndarray, "n"]


class MidiFile(NamedTuple):
    """What a MIDI file holds.

    Attributes:
        notes: Its notes.
        ticks_per_quarter: Ticks in a quarter note; where a file counts seconds, in half a second.
        timing: Its tempo and metre.
        unended: How many of its pitched notes nothing ends, so that they last to the end of their
            track.
    """

    notes: Notes
    ticks_per_quarter: float
    timing: Timing
    unended: int

    def __str__(self) -> str:
        drums = self.notes.channel == DRUMS
        parts = len(np.unique(self.notes.voice[~drums]))
        merged = ", merged to one piano part" if parts > 1 else ""
        left_out = ", drums left out" * bool(drums.any())
        return f"{self.timing}, {_count(parts, 'part')}{merged}{left_out}"


class _Strike:
    """Notes of one pitch and channel that were struck at once and still sound.

    Attributes:
        start: Tick at which they were struck.
        count: How many still sound.
        limit: Where they end if nothing ends them, unless that is where the track ends.
    """

    __slots__ = "count", "limit", "start"

    def __init__(self, start: int):
        self.start, self.count = start, 1
        self.limit: int | None = None


class _Voice:
    """The notes of one channel in one track.

    Two parts may share a pitch: each end is that of the note that was struck last, and a note whose
    end is missing lasts to the next one of its pitch.

    Args:
        rows: Gets start, end, pitch, channel and voice of each note.
        channel: 0 to 15.
        number: The voice.
    """

    def __init__(self, rows: array, channel: int, number: int):
        self.rows, self.channel, self.number = rows, channel, number
        self.sounding: dict[int, list[_Strike]] = {}

    def strike(self, tick: int, pitch: int) -> None:
        strikes = self.sounding.setdefault(pitch, [])
        if strikes and strikes[-1].start == tick:
            strikes[-1].count += 1
            return
        if strikes and strikes[-1].limit is None:
            strikes[-1].limit = tick
        strikes.append(_Strike(tick))

    def release(self, tick: int, pitch: int) -> None:
        if not (strikes := self.sounding.get(pitch)):
            return
        # The end of a note may stand behind the beginning of the next one at the same tick.
        index = -2 if len(strikes) > 1 and strikes[-1].start == tick else -1
        strike = strikes[index]
        self._add(strike.start, tick, pitch)
        strike.count -= 1
        # Others that were struck with it last as long, if nothing ends them.
        strike.limit = strike.start
        if not strike.count:
            del strikes[index]

    def stop(self, tick: int) -> int:
        """End all notes, and count those that would have gone on."""
        unended = 0
        for pitch, strikes in self.sounding.items():
            for strike in strikes:
                unended += strike.limit is None
                if strike.limit != strike.start:
                    self._add(strike.start, tick if strike.limit is None else strike.limit, pitch)
        self.sounding = {}
        return unended

    def _add(self, start: int, end: int, pitch: int) -> None:
        self.rows.extend((start, end, pitch, self.channel, self.number))


def parse_midi(content: bytes) -> MidiFile:
    """The notes of a MIDI file.

    The file may lie inside another (RIFF, MacBinary), and hold unknown chunks, wrong lengths or
    numbers of tracks, data bytes without a status byte, and messages that do not belong in a file.
    Tracks sound together; those of format 2 are pieces of their own, and follow one another.

    Returns:
        The notes with their times in ticks, the tempo and the metre.

    Raises:
        ValueError: It is no MIDI file, or it ends within a track.
    """
    # Where the file begins, and how its tracks follow one another.
    header = content.find(b"MThd")
    if content and header < 0:
        raise ValueError("MThd not found")
    in_turn = content[header + 8 : header + 10] == b"\0\2"
    rows, tempi, signatures, unended, number = array("q"), [], [], 0, -1
    # Data bytes before any status byte begin notes. Some programs carry a status on to the next
    # track.
    tick, status = 0, _ON
    # The events of each track, which begin and end notes.
    for number, (track, is_cut) in enumerate(_tracks(content, header)):
        voices: dict[int, _Voice] = {}
        begin = tick if in_turn else 0
        tick, kind = begin, None
        for tick, event, kind, data in _messages(track, status, begin):
            if event == _META:
                if kind == _END:
                    break
                if kind == _TEMPO and any(data) and len(data) < 5:
                    tempi.append((tick, 60e6 / int.from_bytes(data)))
                elif kind == _SIGNATURE and len(data) > 1 and data[0] and data[1] < 8:
                    signatures.append((tick, data[0], 2 ** data[1]))
                continue
            status, channel = event, event & 0x0F
            if not (voice := voices.get(channel)):
                voice = voices[channel] = _Voice(rows, channel, 16 * number + channel)
            if kind == _ON and data[1]:
                voice.strike(tick, data[0])
            elif kind in (_ON, _OFF):
                voice.release(tick, data[0])
            elif kind == _CONTROL and data[0] in _ALL_NOTES_OFF:
                voice.stop(tick)
        if is_cut and kind != _END:
            raise ValueError(_CUT)
        unended += sum(voice.stop(tick) * (voice.channel != DRUMS) for voice in voices.values())
    # The notes of all tracks, and their time.
    if number < 0:
        raise ValueError(_CUT)
    notes = Notes(*np.array(rows).reshape(-1, 5).T)
    ticks_per_quarter, counts_seconds = _division(content[header + 12 : header + 14])
    timing = _timing(notes, ticks_per_quarter, [] if counts_seconds else tempi, signatures)
    return MidiFile(notes, ticks_per_quarter, timing, unended)


def _tracks(content: bytes, position: int) -> Iterator[tuple[bytes, bool]]:
    """The events of each track.

    A length is believed if an end of track, another track or the end of the file is there.

    Yields:
        The bytes of a track, and whether the file ends before the track does by its length.
    """
    while (position := content.find(b"MTrk", position)) >= 0:
        begin = position + 8
        end = begin + int.from_bytes(content[position + 4 : begin])
        is_cut = end > len(content)
        ends = (
            end == len(content)
            or content[end - 3 : end] == b"\xff\x2f\0"
            or content.startswith(b"MTrk", end)
        )
        if not ends:
            following = content.find(b"MTrk", begin)
            end = following if following >= 0 else len(content)
        yield content[begin:end], is_cut
        position = end


def _messages(track: bytes, status: int, tick: int) -> Iterator[tuple[int, int, int, bytes]]:
    """The meta events and the messages of channels in a track, as far as they are whole.

    Args:
        track: Its bytes.
        status: Status byte of data bytes that come before any.
        tick: Where the track begins.

    Yields:
        The tick, the status byte, the kind (of a message: its status without the channel), and the
        data.
    """
    position = 0
    try:
        while position < len(track):
            delta, position = _number(track, position)
            tick += delta
            event = track[position]
            if event < 0x80:
                event = status
            else:
                position += 1
            kind = event & 0xF0
            if event < _SYSTEM:
                status, size = event, 1 if kind in (0xC0, 0xD0) else 2
            elif event == _META:
                kind = track[position]
                size, position = _number(track, position + 1)
            elif event in _EXCLUSIVE:
                size, position = _number(track, position)
            else:
                size = _SYSTEM_DATA.get(event, 0)
            position += size
            if position <= len(track) and (event < _SYSTEM or event == _META):
                yield tick, event, kind, track[position - size : position]
    except IndexError:  # the track ends within a message
        return


def _number(track: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the last of which is below 128, and where it ends."""
    value = 0
    while (byte := track[position]) >= 0x80:
        value = (value << 7 | byte & 0x7F) & 0x1FFFFF  # the format has at most four bytes
        position += 1
    return value << 7 | byte, position + 1


def _division(division: bytes) -> tuple[float, bool]:
    """The ticks in a quarter note, and whether a tick is a part of a second, whatever the tempo."""
    if len(division) < 2:
        raise ValueError(_CUT)
    first, second = division
    if first < 0x80:
        ticks = float(first << 8 | second)
    else:
        # Frames in a second, negated, and ticks in a frame; 29 stands for 30 of which some are left
        # out.
        rate = 30_000 / 1001 if first == 256 - 29 else 256 - first
        ticks = rate * second * 60 / STANDARD_TEMPO
    if not ticks:
        raise ValueError("0 ticks in a quarter note would be a division by zero")
    return ticks, first >= 0x80


def _timing(
    notes: Notes,
    ticks_per_quarter: float,
    tempi: list[tuple[int, float]],
    signatures: list[tuple[int, int, int]],
) -> Timing:
    """The median tempo and the signatures, of the ticks up to the last note's end."""
    end = max(1, notes.end.max(initial=0))
    ticks, values = np.array(sorted([(0, STANDARD_TEMPO), *tempi], key=lambda change: change[0])).T
    lengths = np.diff(np.append(ticks, end).clip(max=end))
    values, lengths = values[lengths > 0], lengths[lengths > 0]
    order = np.argsort(values)
    reached = np.cumsum(lengths[order])
    medians = [
        values[order][np.searchsorted(reached, reached[-1] / 2, side)] for side in ("left", "right")
    ]
    tempo = values[np.isin(values, medians)][0]  # of two tempi that share a piece, the first
    found = [Signature(0.0, 4, 4)]
    for tick, beats, unit in sorted(signatures, key=lambda change: change[0]):
        start, last = tick / ticks_per_quarter, found[-1]
        if tick and tick >= end:
            break
        if start == last.start:
            found[-1] = Signature(start, beats, unit)
        elif (beats, unit) != last[1:] or (start - last.start) % last.quarters:
            found.append(Signature(start, beats, unit))
    # A file counts the microseconds of a quarter note, so that of 90 a minute it can only say
    # 90.00009.
    return Timing(min(round(float(tempo), 3), MAX_TEMPO), tuple(found), len({*values}) == 1)
