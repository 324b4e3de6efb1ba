"""Figures of chords that are made by hand."""

import numpy as np
import pytest

from srnn_lab.analysis.voice_leading import VoiceLeading, voice_leading


def roll(*chords):
    found = np.zeros((len(chords), 88), bool)
    for frame, chord in zip(found, chords, strict=True):
        frame[list(chord)] = True
    return found


def test_voices_and_repetition_are_counted_where_something_sounds():
    found = voice_leading(roll((1, 5, 8, 13), (1, 5, 8, 13), (), (), (2, 6), (2, 6), (3, 8)))
    assert found.voices == (4 + 4 + 2 + 2 + 2) / 5
    assert found.repeated == 2 / 3  # of the pairs 1-2, 5-6 and 6-7


@pytest.mark.parametrize(
    ("first", "second", "fifths", "octaves", "overlaps"),
    [
        ((20, 27), (22, 29), 1, 0, 0),  # a fifth, a tone up
        ((20, 39), (18, 37), 1, 0, 0),  # a twelfth, a tone down
        ((20, 27), (22, 30), 0, 0, 0),  # a fifth to a minor sixth
        ((20, 27), (13, 32), 0, 0, 0),  # a fifth to a twelfth against it: not the same distance
        ((20, 27, 32), (20, 27, 34), 0, 0, 0),  # a fifth that stays
        ((20, 32), (21, 33), 0, 1, 0),
        ((20, 24, 44), (22, 25, 46), 0, 1, 0),  # outer voices, two octaves apart
        ((20, 27, 32), (22, 29, 34), 1, 1, 0),
        ((20, 24), (25, 29), 0, 0, 1),  # the lower one goes above where the upper was
        ((20, 24), (15, 19), 0, 0, 1),  # and the upper below where the lower was
        ((20, 24), (24, 28), 0, 0, 0),  # to the very place of its neighbour is none
    ],
)
def test_parallels_and_overlaps_of_one_change(first, second, fifths, octaves, overlaps):
    found = voice_leading(roll(first, second))
    assert found == VoiceLeading(len(first), overlaps, fifths, octaves, 0)


def test_shares_are_of_the_changes_between_chords_of_as_many_voices():
    found = voice_leading(roll((20, 27), (22, 29), (22, 29), (23, 29), (20,), (20, 27, 30)))
    assert found.fifths == 1 / 2
    assert found.repeated == 1 / 5


def test_without_changes_there_are_no_shares():
    assert voice_leading(roll((), ())) == pytest.approx((np.nan,) * 5, nan_ok=True)
    assert voice_leading(roll((3,), (4,))) == pytest.approx(
        (1, np.nan, np.nan, np.nan, 0), nan_ok=True
    )
