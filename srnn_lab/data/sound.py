"""Piano rolls -> MIDI -> sound, and waveforms -> WAV bytes."""

import io
from importlib import resources

import numpy as np
from jaxtyping import Float

from srnn_lab.data.kinds import QUARTERS_PER_MINUTE
from srnn_lab.data.midi import Timing
from srnn_lab.data.music import LOWEST_PITCH, Roll
from srnn_lab.system.extras import optional_packages

DEFAULT_TIMING = Timing(QUARTERS_PER_MINUTE)
"""Tempo and metre (4/4) of piano rolls that come from no file."""
TAIL_SECONDS = 1.0
"""Silence after the last note, in which it dies away."""
PIANO_GAIN, SINE_GAIN = 4.0, 50.0
"""Factors on what each renderer gives, with which a chord of four notes is as loud as speech."""


def frame_seconds(frames_per_quarter: int, tempo: float = QUARTERS_PER_MINUTE) -> float:
    """Seconds that a frame of a piano roll lasts when it is played."""
    return 60 / tempo / frames_per_quarter


def roll_to_midi(roll: Roll, frames_per_quarter: int, timing: Timing = DEFAULT_TIMING) -> bytes:
    """A Standard MIDI file (piano); a note that stays on over several frames is held.

    Args:
        roll: The notes.
        frames_per_quarter: Frames in a quarter note.
        timing: The tempo and the metre that are written.

    Returns:
        The content of the file. After the last frame it lasts ``TAIL_SECONDS`` longer.

    Raises:
        ValueError: The roll has no note.
    """
    with optional_packages():
        import pretty_midi

    if not roll.any():
        raise ValueError(
            "The piano roll has no note, so there is nothing to write; draw more frames or "
            "another seed."
        )
    seconds = frame_seconds(frames_per_quarter, timing.tempo)
    ticks = frames_per_quarter * max(1, 220 // frames_per_quarter)  # a frame begins at a tick
    midi = pretty_midi.PrettyMIDI(resolution=ticks, initial_tempo=timing.tempo)
    midi.time_signature_changes = [
        pretty_midi.TimeSignature(beats, unit, start * 60 / timing.tempo)
        for start, beats, unit in timing.signatures
    ]
    piano = pretty_midi.Instrument(program=0)
    edges = np.diff(np.pad(roll > 0, ((1, 1), (0, 0))).astype(int), axis=0)
    for note in range(roll.shape[1]):
        starts, ends = np.flatnonzero(edges[:, note] == 1), np.flatnonzero(edges[:, note] == -1)
        piano.notes += [
            pretty_midi.Note(
                velocity=80, pitch=LOWEST_PITCH + note, start=start * seconds, end=end * seconds
            )
            for start, end in zip(starts, ends, strict=True)
        ]
    # Renderers stop at the last event, so one that changes nothing keeps the tail.
    piano.control_changes.append(
        pretty_midi.ControlChange(7, 100, len(roll) * seconds + TAIL_SECONDS)
    )
    midi.instruments.append(piano)
    content = io.BytesIO()
    midi.write(content)
    return content.getvalue()


def midi_to_wav(midi: bytes) -> bytes:
    """A MIDI file as a WAV file: a sampled piano, or sine waves if no renderer can be installed.

    All files have one gain, at which a chord of four notes is as loud as speech; what it drives
    beyond full scale is clipped.

    Args:
        midi: The content of the MIDI file.

    Returns:
        The content of the WAV file.
    """
    with optional_packages():
        import pretty_midi
        import soundfile
    try:
        from midirenderer import render_wave_from
    except ImportError:  # it has no build for Linux on ARM
        rate = 22050
        played = pretty_midi.PrettyMIDI(io.BytesIO(midi)).synthesize(rate, normalize=False)
        return wav_bytes(SINE_GAIN * played, rate)
    soundfont = resources.files("pretty_midi").joinpath("TimGM6mb.sf2").read_bytes()
    played, rate = soundfile.read(
        io.BytesIO(bytes(render_wave_from(soundfont, midi))), dtype="float32"
    )
    return wav_bytes(PIANO_GAIN * played, rate)


def wav_bytes(
    wave: Float[np.ndarray, "n"] | Float[np.ndarray, "n channels"], sample_rate: int
) -> bytes:
    """A 16-bit WAV file; samples outside [-1, 1] are clipped, and nothing is rescaled."""
    with optional_packages():
        import soundfile

    content = io.BytesIO()
    soundfile.write(content, np.clip(wave, -1, 1), sample_rate, format="WAV", subtype="PCM_16")
    return content.getvalue()
