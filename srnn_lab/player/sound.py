"""What the player plays: the sounds of a clip, and sounds as files."""

import io
import struct
from collections.abc import Mapping

import numpy as np
from jaxtyping import Num

from srnn_lab.analysis.inspection import Inspection
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data import widen
from srnn_lab.data.edits import insert_silence
from srnn_lab.data.kinds import LogMel
from srnn_lab.data.sound import midi_to_wav, roll_to_midi

Sounds = Mapping[str, tuple[Num[np.ndarray, "n"], int]]
"""By the name on its button, samples (floats with full scale 1, or of 16 bits) and their number a
second."""
ORIGINAL, MEAN = "original", "reconstructed mean"
MIN_RATE = 8_000
"""Lowest sample rate that every browser plays."""
MAX_SECONDS, MAX_MEL_SECONDS = 300, 30
"""Longest sound of notes, and of a reconstruction, that is made; phases for log-mel energies take
long to find."""


def clip_sounds(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> Sounds:
    """A clip as it is heard, and the reconstruction's mean, silent where no frame is scored.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: What the model makes of it.

    Returns:
        ``ORIGINAL`` and ``MEAN``, by name. A table has no sound, and neither has a piano roll
        without a note.
    """
    data, kind = checkpoint.config.data, checkpoint.config.data.kind
    if not kind.heard:
        return {}
    seconds = MAX_MEL_SECONDS if isinstance(kind, LogMel) else MAX_SECONDS
    frames = int(seconds / kind.unit_seconds * data.rate / data.hop)
    unscored = checkpoint.config.evaluation.unscored * data.hop
    mean = insert_silence(checkpoint.frontend.signal(clip.mean[:frames]), 0, unscored)
    signals = {ORIGINAL: widen(signal), MEAN: mean}
    if not kind.notes:
        return {name: (wave, data.sample_rate) for name, wave in signals.items()}
    rolls = {name: roll[:frames] for name, roll in signals.items()}
    midis = {
        name: roll_to_midi(roll, data.frames_per_quarter)
        for name, roll in rolls.items()
        if roll.any()
    }
    return {name: read_wav(midi_to_wav(midi)) for name, midi in midis.items()}


def original_sound(signal: np.ndarray, data: DataConfig) -> tuple[Num[np.ndarray, "n"], int]:
    """A clip as it is heard: a waveform itself, notes as they are played."""
    if not data.kind.notes:
        return widen(signal), data.sample_rate
    if not signal.any():
        return np.zeros(1, np.int16), MIN_RATE
    return read_wav(midi_to_wav(roll_to_midi(signal, data.frames_per_quarter)))


def read_wav(content: bytes) -> tuple[Num[np.ndarray, "n"], int]:
    """A WAV file's samples of 16 bits, in one channel, and their number a second."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16", always_2d=True)
    return samples.mean(1).astype(np.int16), rate


def wav_file(wave: Num[np.ndarray, "n"], rate: int) -> bytes:
    """A 16-bit WAV file with a 44-byte header; a rate below ``MIN_RATE`` becomes a multiple of it.

    Args:
        wave: Samples of 16 bits, or floats with full scale 1, which are clipped and not rescaled.
        rate: Samples a second.

    Returns:
        The bytes of the file, which has one channel.
    """
    if wave.dtype != np.int16:
        wave = np.round(np.clip(wave, -1, 1) * 32767)
    if (factor := -(-MIN_RATE // rate)) > 1:
        from scipy.signal import resample_poly

        wave = np.clip(np.round(resample_poly(wave.astype(float), factor, 1)), -32768, 32767)
    samples, rate = wave.astype("<i2").tobytes(), rate * factor
    described = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    sizes = (
        struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE"),
        struct.pack("<4sI", b"data", len(samples)),
    )
    return sizes[0] + described + sizes[1] + samples


def small_sound_file(wave: Num[np.ndarray, "n"], rate: int) -> tuple[bytes, str]:
    """A sound in as few bytes as it takes without a loss, and their media type.

    Args:
        wave: Samples, as ``wav_file`` takes them.
        rate: Samples a second.

    Returns:
        The bytes of a FLAC file, which are fewer than those of a WAV file, and ``audio/flac``;
        of a sound that is too short for that, of a WAV file, and ``audio/wav``.
    """
    import soundfile

    content, packed = wav_file(wave, rate), io.BytesIO()
    soundfile.write(packed, *soundfile.read(io.BytesIO(content), dtype="int16"), format="FLAC")
    flac = packed.getvalue()
    return (flac, "audio/flac") if len(flac) < len(content) else (content, "audio/wav")
