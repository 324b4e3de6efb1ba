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
"""

from collections import Counter

import numpy as np
import soundfile

from srnn_lab.checkpoint import ASSETS
from srnn_lab.config import PRESETS, DataConfig
from srnn_lab.data import load_split
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.data.speech import BUNDLED_VOICE

FOUND, ABSENT = 0.9, 0.6
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


def main() -> None:
    """Write the clips, and print the shares of each chorale that was looked at."""
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
