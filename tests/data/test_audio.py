import io
import sys

import numpy as np
import pretty_midi
import pytest
import soundfile
from tiny import roll

from srnn_lab.config import DataConfig
from srnn_lab.data import read_signal
from srnn_lab.data.midi import Signature, Timing, parse_midi
from srnn_lab.data.sound import (
    QUARTERS_PER_MINUTE,
    TAIL_SECONDS,
    frame_seconds,
    midi_to_wav,
    roll_to_midi,
    wav_bytes,
)


def parsed(midi):
    return pretty_midi.PrettyMIDI(io.BytesIO(midi))


@pytest.mark.parametrize("frames_per_quarter", [1, 2, 3, 4, 8, 240, 480])
def test_a_piano_roll_survives_the_way_through_a_midi_file(frames_per_quarter, tmp_path):
    rolls = {
        "climbing": roll(50),
        "random": (np.random.default_rng(0).random((40, 88)) < 0.1).astype(np.float32),
        "held": np.ones((30, 88), np.float32),
    }
    for name, before in rolls.items():
        path = tmp_path / f"{name}.mid"
        path.write_bytes(roll_to_midi(before, frames_per_quarter))
        after = read_signal(path, DataConfig(frames_per_quarter=frames_per_quarter))
        np.testing.assert_array_equal(after, before)


def test_a_note_that_stays_on_is_held_and_one_that_comes_back_is_struck_again():
    notes = np.zeros((6, 88), np.float32)
    notes[[0, 1, 2, 4], 39] = 1
    played = parsed(roll_to_midi(notes, 2)).instruments[0].notes
    frame = frame_seconds(2)
    assert [(n.pitch, n.start, n.end) for n in played] == [
        (60, 0, pytest.approx(3 * frame)),
        (60, pytest.approx(4 * frame), pytest.approx(5 * frame)),
    ]


def test_a_quarter_note_lasts_as_long_as_the_tempo_says():
    midi = parsed(roll_to_midi(roll(8), 4))
    assert midi.get_tempo_changes()[1] == pytest.approx([QUARTERS_PER_MINUTE], rel=1e-5)
    assert max(n.end for n in midi.instruments[0].notes) == pytest.approx(
        2 * 60 / QUARTERS_PER_MINUTE
    )


def test_tempo_and_metre_are_written_and_read_again(tmp_path):
    timing = Timing(132.0, (Signature(0.0, 1, 8), Signature(0.5, 6, 8), Signature(6.5, 5, 4)))
    content = roll_to_midi(roll(40), 2, timing)
    assert parse_midi(content).timing == timing
    assert parse_midi(roll_to_midi(roll(40), 2)).timing == Timing(QUARTERS_PER_MINUTE)
    (tmp_path / "song.mid").write_bytes(content)
    np.testing.assert_array_equal(
        read_signal(tmp_path / "song.mid", DataConfig(frames_per_quarter=2)), roll(40)
    )


@pytest.mark.parametrize("num_frames", [0, 5])
def test_a_roll_without_a_note_is_refused(num_frames):
    with pytest.raises(ValueError, match="The piano roll has no note"):
        roll_to_midi(np.zeros((num_frames, 88), np.float32), 2)


@pytest.mark.parametrize("renderer", ["as installed", "sine waves"])
def test_a_note_is_softer_than_a_chord_which_is_as_loud_as_speech(renderer, monkeypatch):
    if renderer == "sine waves":
        monkeypatch.setitem(sys.modules, "midirenderer", None)
    notes = np.zeros((8, 88), np.float32)
    loudest = []
    for key in (39, [43, 46, 51]):
        notes[:, key] = 1
        loudest.append(
            np.abs(soundfile.read(io.BytesIO(midi_to_wav(roll_to_midi(notes, 2))))[0]).max()
        )
    assert 0.1 < loudest[0] < 0.6 * loudest[1]
    assert 0.25 < loudest[1] < 0.7


@pytest.mark.parametrize("renderer", ["as installed", "sine waves"])
def test_the_sound_of_a_roll_lasts_as_long_as_the_roll_and_its_tail(renderer, monkeypatch):
    if renderer == "sine waves":
        monkeypatch.setitem(sys.modules, "midirenderer", None)
    samples, rate = soundfile.read(io.BytesIO(midi_to_wav(roll_to_midi(roll(6), 2))))
    assert 6 * frame_seconds(2) <= len(samples) / rate <= 6 * frame_seconds(2) + 3 * TAIL_SECONDS
    mono = samples.reshape(len(samples), -1).mean(1)
    sounding = np.abs(mono[: int(6 * frame_seconds(2) * rate)])
    assert sounding.max() > 0.01
    assert np.abs(mono).max() <= 1


def test_a_wave_keeps_its_gain_and_is_clipped_outside_1():
    quiet = np.array([0.0, 0.001, -0.5, 0.25], np.float32)
    loud = np.array([1.5, -7.0], np.float32)
    samples, rate = soundfile.read(io.BytesIO(wav_bytes(np.concatenate([quiet, loud]), 16000)))
    assert rate == 16000
    np.testing.assert_allclose(samples[:4], quiet, atol=1 / 32768)
    np.testing.assert_allclose(samples[4:], [1, -1], atol=1 / 32768)
    assert soundfile.info(io.BytesIO(wav_bytes(quiet, 8000))).subtype == "PCM_16"


def test_silence_stays_silent():
    samples, _ = soundfile.read(io.BytesIO(wav_bytes(np.zeros(100), 16000)))
    assert len(samples) == 100
    assert not samples.any()
