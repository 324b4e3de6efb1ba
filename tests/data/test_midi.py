"""MIDI files as people have them, written byte by byte so that no library mends them on the way."""

import random
import struct
import time

import numpy as np
import pytest

from srnn_lab.data.midi import Signature, Timing, parse_midi
from srnn_lab.data.music import MAX_MIDI_BYTES, read_midi, read_song

QUARTER = 480
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
END = (0, b"\xff\x2f\0")


def number(value):
    parts = [value & 127]
    while value := value >> 7:
        parts.append(value & 127 | 128)
    return bytes(reversed(parts))


def track(*events, length=None):
    """Events (ticks since the last, bytes) as a track, which may state a length not its own."""
    body = b"".join(number(ticks) + bytes(message) for ticks, message in events)
    return b"MTrk" + struct.pack(">I", len(body) if length is None else length) + body


def header(tracks=1, division=QUARTER, kind=0):
    return b"MThd" + struct.pack(">IHHH", 6, kind, tracks, division)


def on(pitch, channel=0):
    return bytes([0x90 | channel, pitch, 64])


def off(pitch, channel=0):
    return bytes([0x80 | channel, pitch, 0])


def scale(quarter=QUARTER, length=None, channel=0):
    """Eight quarter notes, each of this length; a quarter rest would stand before what follows."""
    length = quarter if length is None else length
    gap = quarter - length
    return [
        e
        for i, p in enumerate(SCALE)
        for e in ((gap if i else 0, on(p, channel)), (length, off(p, channel)))
    ]


def tempo(microseconds, size=3):
    return b"\xff\x51" + bytes([size]) + microseconds.to_bytes(size, "big")


def signature(beats, power):
    return bytes([0xFF, 0x58, 4, beats, power, 24, 8])


def song(*events, **options):
    return header() + track(*events, END, **options)


def saved(tmp_path, content):
    path = tmp_path / "song.mid"
    path.write_bytes(content)
    return path


def sounding(tmp_path, content, frames_per_quarter=2):
    """The frames in which each pitch is on."""
    roll = read_midi(saved(tmp_path, content), frames_per_quarter)
    return {
        int(key) + 21: np.flatnonzero(roll[:, key]).tolist() for key in np.flatnonzero(roll.any(0))
    }


PLAIN = song(*scale())
ALIEN = b"XFIH" + struct.pack(">I", 4) + b"abcd"
EXCLUSIVE = b"\xf0\x05\x7e\x7f\x09\x01\xf7"
CARRIED = [(ticks, message[1:]) for ticks, message in scale()[1::2]]
SAME = {
    "as RIFF": b"RIFF"
    + struct.pack("<I", len(PLAIN) + 12)
    + b"RMIDdata"
    + struct.pack("<I", len(PLAIN))
    + PLAIN,
    "as MacBinary": bytes(128) + PLAIN,
    "a longer header": b"MThd"
    + struct.pack(">IHHH", 8, 0, 1, QUARTER)
    + b"\0\0"
    + track(*scale(), END),
    "an unknown chunk before the track": header() + ALIEN + track(*scale(), END),
    "an unknown chunk after the track": PLAIN + ALIEN,
    "zeros after the track": PLAIN + bytes(300),
    "fewer tracks than promised": header(5, kind=1) + track(*scale(), END),
    "more tracks than promised": header(1, kind=1) + track(END) + track(*scale(), END),
    "no end of track": header() + track(*scale()),
    "a length of 0": song(*scale(), length=0),
    "a length that is too short": header(2) + track(*scale(), END, length=20) + track(END),
    "a length that is too long": song(*scale(), length=2000),
    "a length that reaches into the next track": header(2)
    + track(*scale(), END, length=99)
    + track(*scale(), END),
    "a key signature out of range": song((0, b"\xff\x59\x02\x2a\x05"), *scale()),
    "SysEx": song((0, EXCLUSIVE), *scale(), (0, b"\xf0\x03\x43\x12\0"), (0, b"\xf7\x02\x01\xf7")),
    "data bytes after SysEx": song((0, on(60)), (0, EXCLUSIVE), (QUARTER, b"\x3c\0"), *scale()[2:]),
    "data bytes after text": song(
        (0, on(60)), (240, b"\xff\x01\x01a"), (240, b"\x3c\0"), *scale()[2:]
    ),
    "data bytes first": song((0, b"\x3c\x40"), (QUARTER, b"\x3c\0"), *scale()[2:]),
    "data bytes first in a track": header(2, kind=1)
    + track((0, off(1)), END)
    + track((QUARTER, b"\x3c\0"), *scale()[2:], END)
    + track((0, on(60)), (QUARTER, off(60)), END),
    "a real-time message": song((0, b"\xff\x21\x01\0"), (0, b"\xf8"), *scale()),
    "a song position": song((0, b"\xf2\x01\x02"), (0, b"\xf3\x01"), (0, b"\xf6"), *scale()),
    "a velocity out of range": song((0, b"\x90\x3c\xc8"), *scale()[1:]),
    "text in another alphabet": song((0, b"\xff\x03\x04\x83\x65\x83\x58"), *scale()),
    "32767 ticks a quarter": header(division=32767) + track(*scale(32767), END),
    "1 tick a quarter": header(division=1) + track(*scale(1), END),
    "25 frames of 40 ticks a second": header(division=0xE728) + track(*scale(500), END),
    "30 frames of 80 ticks a second": header(division=0xE250)
    + track((0, tempo(1_000_000)), *scale(1200), END),
    "a tempo of 0": song((0, tempo(0)), *scale()),
    "a tempo of 4 bytes": song((0, tempo(500_000, 4)), *scale()),
    "a tempo of 200 bytes": song((0, b"\xff\x51\x81\x48" + b"\xff" * 200), *scale()),
    "an event far behind the last note": song(*scale(), (0x0FFFFFFF, b"\xb0\x07\x64")),
    "pieces of their own, one after another": header(2, kind=2)
    + track(*scale()[:8], END)
    + track((0, signature(4, 2)), *scale()[8:], END),
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME)
def test_what_players_play_is_read(tmp_path, content):
    assert sounding(tmp_path, content) == {
        pitch: [2 * i, 2 * i + 1] for i, pitch in enumerate(SCALE)
    }


@pytest.mark.parametrize("ending", ["kar", "smf", "rmi", "MIDI"])
def test_other_endings_of_midi_files(tmp_path, ending):
    from srnn_lab.config import DataConfig
    from srnn_lab.data import read_signal

    (tmp_path / f"song.{ending}").write_bytes(PLAIN)
    assert read_signal(tmp_path / f"song.{ending}", DataConfig(frames_per_quarter=1)).shape == (
        8,
        88,
    )


NOTES = {
    "two voices, the first of which ends last": (
        [(0, on(60)), (0, on(60)), (480, off(60)), (480, off(60))],
        {60: [0, 1, 2, 3]},
    ),
    "two voices, the second of which begins later": (
        [(0, on(60)), (480, on(60)), (480, off(60)), (480, off(60))],
        {60: [0, 1, 2, 3, 4, 5]},
    ),
    "a voice that is struck again while another holds the note": (
        [(0, on(60)), (240, on(60)), (240, off(60)), (480, on(60)), (240, off(60)), (240, off(60))],
        {60: [0, 1, 2, 3, 4, 5]},
    ),
    "a note struck twice at once that ends once": (
        [(0, on(60)), (0, on(60)), (480, off(60)), (480, on(60)), (480, off(60))],
        {60: [0, 1, 4, 5]},
    ),
    "a next note that begins before the last one ends, at the same tick": (
        [(0, on(60)), (480, on(60)), (0, off(60)), (480, off(60)), (480, on(62)), (480, off(62))],
        {60: [0, 1, 2, 3], 62: [6, 7]},
    ),
    "no end, and no next note": (
        [(0, on(60)), (480, on(62)), (480, off(62)), (960, b"\xff\x01\0")],
        {60: [*range(8)], 62: [2, 3]},
    ),
    "no end, and a next note": (
        [(0, on(60)), (480, on(60)), (480, off(60)), (960, b"\xff\x01\0")],
        {60: [0, 1, 2, 3]},
    ),
    "an end on another channel": (
        [(0, on(60)), (480, off(60, 1)), (480, b"\xff\x01\0")],
        {60: [0, 1, 2, 3]},
    ),
    "an end without a note": ([(0, off(60)), (480, on(60)), (480, off(60))], {60: [2, 3]}),
    "all notes off": (
        [(0, on(60)), (0, on(64)), (480, b"\xb0\x7b\0"), (960, b"\xff\x01\0")],
        {60: [0, 1], 64: [0, 1]},
    ),
    "a last note at the track's end": (
        [(0, on(60)), (480, off(60)), (0, on(62))],
        {60: [0, 1], 62: [2]},
    ),
    "staccato": (scale(240, length=119), {pitch: [i] for i, pitch in enumerate(SCALE)}),
    "staccato over a held note": (
        [(0, on(48)), (0, on(60)), (100, off(60)), (140, on(62)), (100, off(62)), (140, off(48))],
        {48: [0, 1], 60: [0], 62: [1]},
    ),
    "staccato before a note that begins late": (
        [(0, on(60)), (100, off(60)), (120, on(62)), (260, off(62))],
        {60: [0], 62: [1]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), NOTES.values(), ids=NOTES)
@pytest.mark.filterwarnings("ignore:.*have no end")
def test_no_note_is_lost_or_cut(tmp_path, events, expected):
    assert sounding(tmp_path, song(*events)) == expected


def test_two_voices_of_one_pitch_are_the_union_of_their_notes_whatever_their_order(tmp_path):
    generator = np.random.default_rng(0)
    for _ in range(50):
        starts = generator.integers(0, 40, 6)
        spans = [(int(s), int(s + generator.integers(1, 20))) for s in starts]
        events = sorted([(240 * s, True) for s, _ in spans] + [(240 * e, False) for _, e in spans])
        ticks = np.diff([0, *(tick for tick, _ in events)])
        content = song(
            *(
                (t, on(60) if begins else off(60))
                for t, (_, begins) in zip(ticks, events, strict=True)
            )
        )
        expected = {frame for start, end in spans for frame in range(start, end)}
        assert sounding(tmp_path, content) == {60: sorted(expected)}


@pytest.mark.parametrize(
    ("events", "expected", "said"),
    [
        (scale(120), {62: [0], 65: [1], 69: [2], 72: [3]}, "4 of 8 notes were left out: another"),
        (
            [(0, on(71)), (30, off(71)), (0, on(72)), (450, off(72))],
            {72: [0, 1]},
            "1 of 2 notes were left out",
        ),
        (
            [(0, on(72)), (200, off(72)), (0, on(71)), (40, off(71))],
            {72: [0]},
            "1 of 2 notes were left out",
        ),
        (
            [(0, on(71)), (0, off(71)), (0, on(72)), (480, off(72))],
            {72: [0, 1]},
            "1 of 2 notes were left out",
        ),
        (
            [*scale(channel=9), *scale()[:2]],
            {60: [16, 17]},
            r"8 of 9 notes are drums \(channel 10\) and were left out",
        ),
        (
            [(0, on(60)), (480, b"\xff\x01\0")],
            {60: [0, 1]},
            "1 of 1 notes have no end and last to the end",
        ),
    ],
    ids=[
        "sixteenths",
        "grace note before",
        "grace note after",
        "grace note without length",
        "drums",
        "no end",
    ],
)
def test_what_is_left_out_is_counted(tmp_path, events, expected, said):
    with pytest.warns(UserWarning, match=rf"song\.mid: {said}"):
        assert sounding(tmp_path, song(*events)) == expected


def test_several_things_left_out_are_each_said(tmp_path):
    events = [(0, on(36, 9)), (0, on(10)), (0, on(60)), (480, b"\xff\x01\0")]
    with pytest.warns(UserWarning) as caught:
        read_midi(saved(tmp_path, song(*events)), 2)
    assert [str(warning.message).split(": ")[1] for warning in caught] == [
        "1 of 3 notes are drums (channel 10) and were left out.",
        "1 of 3 notes lie outside MIDI pitch 21 to 108 and were dropped.",
        "2 of 3 notes have no end and last to the end of their track.",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PLAIN[:-9], "empty or cut short"),
        (PLAIN[:17], "empty or cut short"),
        (header(), "empty or cut short"),
        (b"MThd\0\0\0\6\0\1", "empty or cut short"),
        (header(division=0xE700) + track(*scale(), END), "division by zero"),
        (bytes(MAX_MIDI_BYTES + 1), "more than the 4 MB that are read"),
        (song((0x0FFFFFFF, on(60)), (480, off(60))), "has 1118483 frames; at most 20000 are read"),
    ],
    ids=[
        "in an event",
        "in a header",
        "no track",
        "half a header",
        "no ticks",
        "too large",
        "too long",
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf"song\.mid .*{message}"):
        read_midi(saved(tmp_path, content), 2)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "album.mid").mkdir()
    with pytest.raises(ValueError, match=r"album\.mid cannot be read as MIDI \(it is a folder\)"):
        read_midi(tmp_path / "album.mid", 2)


HUGE, TEXT = b"\xff\xff\xff\x7f", b"\xff\x01\0"
HOSTILE = {
    "sound at once": b"\0" + on(60),
    "huge times": HUGE + on(60),
    "tempi at huge times": HUGE + tempo(66051),
    "notes that never end": b"\x01" + on(60),
    "notes that all end at once": b"\0" + on(60) + b"\0\xb0\x7b\0",
    "ends without notes": b"\0" + off(60),
    "numbers that never end": b"\xff",
    "signatures": b"\x01" + signature(1, 7),
    "tracks": b"MTrk\0\0\0\0",
    "tracks without an end": b"MTrk\xff\xff\xff\xff",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_time_to_read_a_file_grows_with_its_size_alone(tmp_path, unit):
    """Of 330 kB it was 18 s, and growing with the square."""

    def seconds(size):
        body = unit * (size // len(unit))
        content = header(9) + (
            body if unit.startswith(b"MTrk") else track(*scale(), (0, TEXT + body), END)
        )
        path, began = saved(tmp_path, content), time.process_time()
        try:
            _, timing = read_song(path, 2)
            timing.bars(10_000.0)
        except ValueError as error:
            assert "song.mid" in str(error)
        return time.process_time() - began

    short, long = (min(seconds(size) for _ in range(3)) for size in (2_500, 20_000))
    assert long < 24 * (short + 0.002)  # 8 if it is proportional, 64 if it is the square


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_files_give_notes_or_a_sentence(tmp_path):
    generator = random.Random(0)
    read = 0
    for content in generator.choices(list(SAME.values()), k=200):
        mutated = bytearray(content)
        for _ in range(generator.choice((1, 3, 10))):
            place = generator.randrange(len(mutated))
            mutated[place : place + generator.randrange(3)] = generator.randbytes(
                generator.randrange(3)
            )
        try:
            roll, timing = read_song(saved(tmp_path, bytes(mutated)), 2)
        except ValueError as error:
            assert "song.mid" in str(error)
        else:
            read += 1
            assert roll.any()
            assert timing.bars(len(roll) / 2)[0] == 0
    assert 50 < read < 190


FOUR, THREE = Signature(0.0, 4, 4), Signature(0.0, 3, 4)
TIMINGS = {
    "nothing said": (scale(), Timing(120.0, (FOUR,)), "4/4 at 120 quarter notes a minute"),
    "a waltz": (
        [(0, tempo(400_000)), (0, signature(3, 2)), *scale()],
        Timing(150.0, (THREE,)),
        "3/4 at 150 quarter",
    ),
    "six eighths": (
        [(0, signature(6, 3)), *scale()],
        Timing(120.0, (Signature(0.0, 6, 8),)),
        "6/8 at 120 quarter",
    ),
    "a pickup of its own metre": (
        [(0, signature(1, 2)), *scale()[:2], (0, signature(3, 2)), *scale()],
        Timing(120.0, (Signature(0.0, 1, 4), Signature(1.0, 3, 4))),
        "3/4 after a pickup of 1 quarter note at 120 quarter",
    ),
    "a pickup of half a quarter before the first metre": (
        [(240, signature(4, 2)), *scale()],
        Timing(120.0, (FOUR, Signature(0.5, 4, 4))),
        "4/4 after a pickup of 0.5 quarter notes at 120 quarter",
    ),
    "a metre that changes": (
        [(0, signature(3, 2)), *scale(), *scale()[:2], (0, signature(4, 2)), *scale()],
        Timing(120.0, (THREE, Signature(9.0, 4, 4))),
        "3/4 (the metre changes 1 time) at 120 quarter",
    ),
    "a metre that is said again": (
        [(0, signature(4, 2)), (0, signature(4, 2)), *scale(), (0, signature(4, 2)), *scale()],
        Timing(120.0, (FOUR,)),
        "4/4 at 120",
    ),
    "a metre after the last note": (
        [*scale(), (0, signature(3, 2))],
        Timing(120.0, (FOUR,)),
        "4/4 at 120",
    ),
    "no metre at all": (
        [(0, signature(0, 2)), (0, signature(4, 200)), *scale()],
        Timing(120.0, (FOUR,)),
        "4/4 at 120",
    ),
    "a slow end": (
        [(0, tempo(500_000)), *scale(), (0, tempo(2_000_000)), *scale()[:4]],
        Timing(120.0, (FOUR,), steady=False),
        "4/4 at about 120 quarter",
    ),
    "two tempi that share the piece": (
        [(0, tempo(300_000)), *scale(), (0, tempo(900_000)), *scale()],
        Timing(200.0, (FOUR,), steady=False),
        "at about 200",
    ),
    "a tempo that is said again": (
        [(0, tempo(666_666)), *scale(), (0, tempo(666_666)), *scale()],
        Timing(90.0, (FOUR,)),
        "4/4 at 90 quarter",
    ),
    "an absurd tempo": ([(0, tempo(1)), *scale()], Timing(1000.0, (FOUR,)), "at 1000 quarter"),
}  # fmt: skip


@pytest.mark.parametrize(("events", "expected", "words"), TIMINGS.values(), ids=TIMINGS)
def test_tempo_metre_and_pickup_are_read(events, expected, words):
    timing = parse_midi(song(*events)).timing
    assert timing == expected
    assert words in str(timing)


def test_tempo_and_metre_may_stand_in_any_track():
    content = (
        header(3, kind=1)
        + track(*scale(), END)
        + track((0, tempo(400_000)), END)
        + track((0, signature(3, 2)), END)
    )
    assert parse_midi(content).timing == Timing(150.0, (THREE,))


def test_what_was_read_is_said_in_words():
    parts = (
        track(*scale(), END)
        + track((0, signature(3, 2)), *scale(channel=1), END)
        + track(*scale(channel=9), END)
    )
    words = "3/4 at 120 quarter notes a minute, 2 parts, merged to one piano part, drums left out"
    assert str(parse_midi(header(3, kind=1) + parts)) == words
    assert str(parse_midi(PLAIN)) == "4/4 at 120 quarter notes a minute, 1 part"


def test_of_a_file_that_counts_seconds_a_quarter_note_is_half_a_second():
    midi = parse_midi(header(division=0xE350) + track((0, tempo(400_000)), *scale(), END))
    assert midi.ticks_per_quarter == pytest.approx(30_000 / 1001 * 80 / 2)  # 29.97 frames a second
    assert midi.timing.tempo == 120


@pytest.mark.parametrize(
    ("signatures", "end", "bars"),
    [
        ([FOUR], 9, [0, 4, 8]),
        ([FOUR], 8, [0, 4]),
        ([THREE], 7, [0, 3, 6]),
        ([Signature(0.0, 6, 8)], 7, [0, 3, 6]),
        ([Signature(0.0, 5, 8)], 6, [0, 2.5, 5]),
        ([Signature(0.0, 1, 4), Signature(1.0, 4, 4)], 10, [0, 1, 5, 9]),
        ([FOUR, Signature(0.5, 4, 4)], 5, [0, 0.5, 4.5]),
        ([FOUR, Signature(8.0, 3, 4), Signature(14.0, 2, 4)], 17, [0, 4, 8, 11, 14, 16]),
        ([FOUR, Signature(8.0, 3, 4)], 5, [0, 4]),
    ],
)
def test_bars(signatures, end, bars):
    assert Timing(120.0, tuple(signatures)).bars(float(end)).tolist() == bars


def test_each_bar_has_the_beat_of_its_signature():
    timing = Timing(120.0, (Signature(0.0, 1, 8), Signature(0.5, 6, 8), Signature(6.5, 3, 4)))
    assert timing.beats(10.0) == ((0.0, 8), (0.5, 8), (3.5, 8), (6.5, 4), (9.5, 4))
    assert [timing.moment(time) for time in (0.0, 2.25, 9.0)] == [
        "bar 1, beat 1",
        "bar 2, beat 4.5",
        "bar 4, beat 3.5",
    ]
    assert timing.moments([0.0, 2.25, 9.0]) == [timing.moment(time) for time in (0.0, 2.25, 9.0)]


def test_the_time_to_count_bars_grows_with_their_number_alone():
    """Of a file of 330 kB it was more than five minutes."""

    def seconds(number):
        signatures = tuple(Signature(i / 100, 3 + i % 2, 4) for i in range(number))
        began = time.process_time()
        assert len(Timing(120.0, signatures).beats(number / 100)) == number
        return time.process_time() - began

    short, long = (min(seconds(number) for _ in range(3)) for number in (500, 4000))
    assert long < 24 * (short + 0.002)  # 8 if it is proportional, 64 if it is the square


def test_a_length_is_counted_in_the_bars_and_beats_where_it_begins():
    timing = Timing(120.0, (Signature(0.0, 6, 8), Signature(6.0, 3, 4)))
    assert [timing.length(quarters, 0.0) for quarters in (0.5, 3.0, 4.5, 6.0)] == [
        "1 beat",
        "1 bar",
        "1 bar and 3 beats",
        "2 bars",
    ]
    assert [timing.length(quarters, 6.0) for quarters in (0.5, 3.0, 4.5)] == [
        "0.5 beats",
        "1 bar",
        "1 bar and 1.5 beats",
    ]


def test_a_part_has_the_metre_of_its_beginning_and_the_changes_within_it():
    whole = Timing(
        77.0, (Signature(0.0, 1, 4), Signature(1.0, 4, 4), Signature(9.0, 3, 4)), steady=False
    )
    assert whole.part(0.0, 10.0) == whole
    assert whole.part(1.0, 9.0).signatures == (FOUR,)
    assert whole.part(5.0, 12.0).signatures == (FOUR, Signature(4.0, 3, 4))
    assert whole.part(12.0, 15.0) == Timing(77.0, (THREE,), steady=False)
