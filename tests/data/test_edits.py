import numpy as np
import pytest

from srnn_lab.data.edits import insert_silence, splice, transpose

WAVE = np.arange(1, 11, dtype=np.float32) / 20
ROLL = np.eye(12, 88, k=40, dtype=np.float32)
SIGNALS = {"waveform": WAVE, "roll": ROLL}


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("at", [0, 3, 10])
def test_silence_moves_what_follows_and_changes_nothing_else(signal, at):
    edited = insert_silence(signal, at, 4)
    assert len(edited) == len(signal) + 4
    assert not edited[at : at + 4].any()
    np.testing.assert_array_equal(np.concatenate([edited[:at], edited[at + 4 :]]), signal)


def test_no_silence_is_the_same_clip():
    np.testing.assert_array_equal(insert_silence(WAVE, 3, 0), WAVE)


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
def test_a_splice_is_one_clip_up_to_the_joint_and_the_other_from_there(signal):
    other = signal[::-1] * 0.5
    edited = splice(signal, 6, other, 2)
    assert len(edited) == 6 + len(other) - 2
    np.testing.assert_array_equal(edited[:6], signal[:6])
    np.testing.assert_array_equal(edited[6:], other[2:])


def test_a_splice_of_a_clip_with_itself_at_one_point_is_the_clip():
    np.testing.assert_array_equal(splice(ROLL, 5, ROLL, 5), ROLL)


def test_a_splice_brings_16_bit_samples_to_full_scale_1():
    edited = splice(np.array([16384, 0], np.int16), 1, WAVE, 8)
    np.testing.assert_array_equal(edited, np.float32([0.5, 0.45, 0.5]))


def test_transposing_moves_the_notes_of_the_bar_and_no_others():
    edited = transpose(ROLL, 5, 4, 8)
    assert edited.shape == ROLL.shape
    np.testing.assert_array_equal(edited[:4], ROLL[:4])
    np.testing.assert_array_equal(edited[8:], ROLL[8:])
    np.testing.assert_array_equal(edited[4:8].argmax(1), ROLL[4:8].argmax(1) + 5)
    np.testing.assert_array_equal(transpose(edited, -5, 4, 8), ROLL)


def test_transposing_leaves_its_input_alone_and_drops_what_leaves_the_keyboard():
    roll = np.zeros((2, 88), np.float32)
    roll[:, [3, 40]] = 1
    kept = roll.copy()
    assert transpose(roll, -10).sum(1).tolist() == [1, 1]
    np.testing.assert_array_equal(roll, kept)


@pytest.mark.parametrize("semitones", [-80, 60, 88, 200])
def test_a_bar_without_a_note_left_is_refused(semitones):
    with pytest.raises(ValueError, match=f"by {semitones} semitones, no note is left"):
        transpose(ROLL, semitones, 0, 4)


def test_a_bar_of_rests_stays_one():
    assert not transpose(np.zeros((4, 88), np.float32), 3).any()


@pytest.mark.parametrize(
    "edit",
    [
        lambda: insert_silence(WAVE, 11, 2),
        lambda: insert_silence(WAVE, 2, -1),
        lambda: splice(WAVE, -1, WAVE),
        lambda: splice(WAVE, 2, WAVE, 11),
    ],
)
def test_points_outside_the_clip_are_refused(edit):
    with pytest.raises(ValueError, match=r"outside the signal|0 or more"):
        edit()
