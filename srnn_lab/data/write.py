"""Signals -> files: MIDI, WAV, CSV and NumPy."""

import io

import numpy as np

from srnn_lab.data.frame_kind import FrameKind
from srnn_lab.data.kinds import Roll, Series
from srnn_lab.data.midi import Timing
from srnn_lab.data.sound import DEFAULT_TIMING, midi_to_wav, roll_to_midi, wav_bytes


def file_bytes(
    signal: np.ndarray, kind: FrameKind, suffix: str, timing: Timing | None = None
) -> bytes:
    """The content of a file that holds a signal.

    Args:
        signal: A piano roll, a waveform, or rows of a table, with or without its known inputs.
        kind: What its frames are.
        suffix: The ending of the file, one of ``kind.outputs``.
        timing: Tempo and metre of music, if they are known.

    Returns:
        The bytes of a MIDI, WAV, NumPy or CSV file.

    Raises:
        ValueError: A piano roll has no note.
    """
    if isinstance(kind, Roll):
        midi = roll_to_midi(signal, kind.frames_per_quarter, timing or DEFAULT_TIMING)
        return midi if suffix == ".mid" else midi_to_wav(midi)
    if not isinstance(kind, Series):
        return wav_bytes(signal, int(kind.rate))
    content = io.BytesIO()
    if suffix == ".npy":
        np.save(content, signal, allow_pickle=False)
    else:
        known = [*kind.names, *kind.input_names][: signal.shape[1]]
        names = known if kind.names else [str(i) for i in range(signal.shape[1])]
        np.savetxt(
            content, signal, "%.9g", ",", header=",".join(names), comments="", encoding="utf-8"
        )
    return content.getvalue()
