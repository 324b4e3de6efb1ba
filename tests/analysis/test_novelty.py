"""The longest stretch of a piece that other songs have too."""

import numpy as np
import pytest

from srnn_lab.analysis.novelty import Copied, longest_copied


def roll(*chords):
    found = np.zeros((len(chords), 88), bool)
    for frame, chord in zip(found, chords, strict=True):
        frame[list(chord)] = True
    return found


C, F, G, NONE = (40, 44, 47), (40, 45, 49), (42, 47, 50), ()
SONG = roll((20,), C, F, NONE, G, (21,))


def up(roll, semitones):
    return np.roll(roll, semitones, 1)


@pytest.mark.parametrize("semitones", [-12, 0, 5])
def test_a_copy_is_found_in_any_key(semitones):
    piece = np.concatenate([roll((3, 80)), up(SONG[1:5], -semitones), roll((1, 2))])
    assert longest_copied(piece, {"other": roll((60, 70)), "song": SONG}) == Copied(
        4, 1, "song", 1, semitones
    )


def test_each_frame_of_a_copy_is_transposed_alike():
    piece = np.concatenate([SONG[1:2], up(SONG[2:3], 1)])
    assert longest_copied(piece, {"song": SONG}).frames == 1


def test_a_copy_does_not_go_on_over_the_end_of_a_song():
    piece = roll(C, G)
    assert longest_copied(piece, {"one": roll(F, C), "two": roll(G, F)}) == Copied(
        1, 0, "one", 1, 0
    )


def test_silence_is_no_copy_and_does_not_end_one_but_is_not_counted_at_its_ends():
    assert longest_copied(roll(NONE, NONE), {"song": SONG}) is None
    assert longest_copied(roll(NONE, F, NONE, NONE), {"song": SONG}) == Copied(1, 1, "song", 2, 0)
    assert longest_copied(roll(F, NONE, G), {"song": SONG}) == Copied(3, 0, "song", 2, 0)
    assert longest_copied(roll(F, G), {"song": SONG}).frames == 1


def test_nothing_is_copied_from_no_songs_or_by_no_piece():
    assert longest_copied(SONG, {}) is None
    assert longest_copied(SONG[:0], {"song": SONG}) is None


def test_it_is_what_looking_at_all_stretches_finds():
    rng = np.random.default_rng(0)
    songs = {f"{i}": rng.random((12, 88)) < 0.3 for i in range(3)}
    songs = {name: song.copy() for name, song in songs.items()}
    for song in songs.values():
        song[:, 4:] = False  # few notes, so that there are many copies
    piece = rng.random((10, 88)) < 0.3
    piece[:, 5:] = False
    lengths = [
        n
        for song in songs.values()
        for n in range(1, 11)
        for i in range(11 - n)
        for j in range(13 - n)
        for k in range(-5, 6)
        if piece[i].any()
        and piece[i + n - 1].any()
        and np.array_equal(up(piece[i : i + n], k), song[j : j + n])
    ]
    found = longest_copied(piece, songs)
    assert (found.frames if found else 0) == max(lengths, default=0)
