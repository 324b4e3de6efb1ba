"""How the bundled clips were made: ``python -m srnn_lab.reports.make_clips``.

It needs music21, and SRNN_LAB_DATA has to be set.

Voice: the test prompts of the data set ``voice``, decoded from G.722 and written as FLAC, sample
for sample (from the prompts themselves once the bundled folder is removed).

Chorales: chorales of music21 that are test songs of the published data, and no others. The data
sets name no song, so
each chorale is looked for in them: in all transpositions, the share of a song's distinct chords of
three or more notes that the chorale holds too. That share is near 1 for one song (the two versions
split the songs alike) and below 0.6 for the rest. The first six by number are taken that hold at
least 0.9 of a test song and at most 0.6 of every training song of both versions, and last 40 to 60
quarter notes, in the transposition in which they were found. (The published rolls of JSB stand in
C, an octave above the chorales.)

Folk tunes, piano pieces and chamber music: the beginnings of ``PIECES``. Whether one is in a
training set is looked for in both versions of that set, in any key: the longest run of changes in
common, that is of successive frames that differ, so that tempo and lengths do not matter; of all
notes, and of the highest ones alone, since a song of the set may have other chords.
"""

from collections import Counter
from typing import Any

import numpy as np
import pretty_midi
import soundfile

from srnn_lab.analysis.novelty import longest_copied
from srnn_lab.checkpoint import ASSETS
from srnn_lab.config import PRESETS, DataConfig
from srnn_lab.data import load_split
from srnn_lab.data.music import read_midi
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.data.speech import BUNDLED_VOICE

FOUND, ABSENT = 0.9, 0.6
PIECES = {
    "folk": {
        "aloha-oe": ("liliuokalani/aloha_oe", 16, 1),
        "jeanie": ("leadSheet/fosterBrownHair", 12, 1),
        "banish-misfortune": ("ryansMammoth/BanishMisfortune", 18, 1),
    },
    "piano": {
        "maple-leaf-rag": ("joplin/maple_leaf_rag", 14, 2),
        "mazurka-op6-2": ("chopin/mazurka06-2", 20, 1),
    },
    "chamber": {
        "corelli-op3-1-grave": ("corelli/opus3no1/1grave", 8, 2),
        "haydn-op1-1-menuetto": ("haydn/opus1no1/movement2", 10, 2),
        "schumann-op41-1-presto": ("schumann_robert/opus41no1/movement2", 20, 1),
    },
}
"""Folder -> name -> place in music21's corpus, how many bars are taken, and by what the note values
are multiplied, and the tempo: models read eighth notes."""
SETS = {"folk": "nottingham", "piano": "piano", "chamber": "muse"}
"""Folder -> the data set of that kind of music."""
SHIFTS = range(-26, 27)


def chords(roll: np.ndarray) -> set[bytes]:
    """The distinct chords of three or more notes."""
    return {frame.tobytes() for frame in roll.astype(bool) if frame.sum() >= 3}


def largest_share(roll: np.ndarray, songs: list[set[bytes]]) -> tuple[float, int]:
    """The largest share of any song's chords that ``roll`` holds in a transposition, and which."""
    where = {chord: [] for song in songs for chord in song}
    for i, song in enumerate(songs):
        for chord in song:
            where[chord].append(i)
    best = (0.0, 0)
    for shift in SHIFTS:
        counts = Counter(
            i for chord in chords(np.roll(roll, shift, 1)) for i in where.get(chord, ())
        )
        best = max([best, *((count / len(songs[i]), shift) for i, count in counts.items())])
    return best


def chorale_rolls() -> dict[str, np.ndarray]:
    """Music21's four-part chorales as piano rolls, two frames a quarter note, in their own keys."""
    from music21 import corpus, stream

    rolls = {}
    for path in corpus.getComposer("bach"):
        score = corpus.parse(path)
        if not isinstance(score, stream.Score) or len(score.parts) != 4:
            continue
        roll = np.zeros((int(score.duration.quarterLength * 2), 88), np.float32)
        for part in score.parts:
            for note in part.flatten().notes:
                start, end = (
                    int(np.ceil(2 * float(t) - 0.5))
                    for t in (note.offset, note.offset + note.quarterLength)
                )
                for pitch in note.pitches:
                    roll[start:end, pitch.midi - 21] = 1
        rolls[path.stem.replace(".", "-")] = roll
    return rolls


def opening(place: str, bars: int, longer: int) -> pretty_midi.PrettyMIDI:
    """The first bars of a piece of the corpus, chord symbols as chords, grace notes left out."""
    from music21 import corpus, harmony

    score: Any = corpus.parse(place).stripTies(matchByPitch=True)
    whole = score.recurse()
    metre: Any = whole.getElementsByClass("TimeSignature").first()
    mark = whole.getElementsByClass("MetronomeMark").first()
    midi = pretty_midi.PrettyMIDI(initial_tempo=longer * (mark.getQuarterBPM() if mark else 100))
    instrument, quarter = pretty_midi.Instrument(0), 60 / midi.get_tempo_changes()[1][0]
    # The metre, after a pickup if there is one, and the end of the last bar that is taken.
    measures, bar = score.parts[0].getElementsByClass("Measure"), metre.barDuration.quarterLength
    pickup, signatures = measures[0].duration.quarterLength % bar, midi.time_signature_changes
    if pickup:
        unit = next(unit for unit in (4, 8, 16) if longer * pickup * unit % 4 == 0)
        signatures.append(pretty_midi.TimeSignature(int(longer * pickup * unit / 4), unit, 0))
    signatures.append(
        pretty_midi.TimeSignature(
            longer * metre.numerator, metre.denominator, longer * float(pickup) * quarter
        )
    )
    end = measures[min(bars, len(measures)) - 1].offset + bar
    for part in score.parts:
        if part.recurse().getElementsByClass(harmony.ChordSymbol):
            harmony.realizeChordSymbolDurations(part)
        for note in part.flatten().getElementsByClass(["Note", "Chord"]):
            start, stop = note.offset, min(end, note.offset + note.quarterLength)
            on, off = (longer * float(time) * quarter for time in (start, stop))
            if start < stop:
                instrument.notes += [
                    pretty_midi.Note(80, pitch.midi, on, off) for pitch in note.pitches
                ]
    midi.instruments.append(instrument)
    return midi


def changes(roll: np.ndarray) -> np.ndarray:
    """Successive frames that differ, without silent ones."""
    sounding = roll[roll.any(1)] > 0
    return sounding[np.append(True, (sounding[1:] != sounding[:-1]).any(1))]


def line(roll: np.ndarray) -> bytes:
    """The steps of the highest notes from change to change, each a byte, without repetitions."""
    sounding = roll[roll.any(1)] > 0
    steps = np.diff(87 - sounding[:, ::-1].argmax(1))
    return steps[steps != 0].astype(np.int8).tobytes()


def longest_line(piece: bytes, songs: list[bytes]) -> int:
    """Notes of the longest stretch of a line that a song has too, in any key."""
    joined, longest = b"\x7f".join(songs), 0  # no step is so large
    for start in range(len(piece)):
        while start + longest < len(piece) and piece[start : start + longest + 1] in joined:
            longest += 1
    return longest + 1


def write_pieces() -> None:
    """Write the pieces that are no chorales, and print what each shares with its training sets."""
    for folder, pieces in PIECES.items():
        names = (f"{version}/{SETS[folder]}" for version in ("bl", "fraccaro"))
        songs = [
            song for name in names for song in load_split(DataConfig(data=name), "train").values()
        ]
        chords, lines = {f"{i}": changes(song) for i, song in enumerate(songs)}, [*map(line, songs)]
        (ASSETS / folder).mkdir(exist_ok=True)
        for name, piece in pieces.items():
            path = ASSETS / folder / f"{name}.mid"
            opening(*piece).write(str(path))
            roll = read_midi(path, 2)
            changed, steps = changes(roll), line(roll)
            found = longest_copied(changed, chords)
            print(
                f"{folder}/{name}: at most {found.frames if found else 0} of {len(changed)} chords "
                f"and {longest_line(steps, lines)} of {len(steps) + 1} highest notes in a row",
                flush=True,
            )


def main() -> None:
    """Write the clips, and print the shares of each chorale that was looked at."""
    write_pieces()
    for name, wave in load_split(PRESETS["voice"].data, "test").items():
        path = BUNDLED_VOICE / f"{name}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, 16000)  # int16
    test = [chords(song) for song in load_split(DataConfig(data="bl/jsb"), "test").values()]
    train = [chords(song) for song in load_split(DataConfig(data="bl/jsb"), "train").values()]
    # The other version's training songs are one stream: pieces of 50 frames stand for its songs.
    stream = np.concatenate(list(load_split(DataConfig(data="fraccaro/jsb"), "train").values()))
    train += [chords(piece) for piece in np.array_split(stream, len(stream) // 50)]
    folder, written = ASSETS / "chorales", 0
    folder.mkdir(exist_ok=True)
    for name, roll in sorted(chorale_rolls().items()):
        if not 80 <= len(roll) <= 120 or written == 6:
            continue
        (in_test, shift), (in_train, _) = largest_share(roll, test), largest_share(roll, train)
        chosen = in_test >= FOUND and in_train <= ABSENT
        print(
            f"{name}: test {in_test:.2f}, training {in_train:.2f}{', taken' if chosen else ''}",
            flush=True,
        )
        if chosen:
            (folder / f"{name}.mid").write_bytes(roll_to_midi(np.roll(roll, shift, 1), 2))
            written += 1


if __name__ == "__main__":
    main()
