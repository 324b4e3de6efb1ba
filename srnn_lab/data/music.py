"""Polyphonic music as piano rolls: the two published versions of the four benchmark collections, and MIDI files."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from srnn_lab.config import DataConfig
from srnn_lab.data.download import fetch
from srnn_lab.data.notices import notify

Roll = Float[np.ndarray, "t 88"]
NarrowRoll = Bool[np.ndarray, "_ 88"]

LOWEST_PITCH = 21
"""MIDI pitch of the first of the 88 values of a frame; the last is 108."""
NUM_PITCHES = 88
MIDI_SUFFIXES = (".mid", ".midi")
MAX_FRAMES = 20_000
"""Longest roll read from a MIDI file."""

_MAT = {"jsb": "JSB_Chorales", "nottingham": "Nottingham", "muse": "MuseData", "piano": "Piano_midi"}


def boulanger_lewandowski(
    collection: str, _config: DataConfig, split: str, data_dir: Path | None
) -> dict[str, NarrowRoll]:
    """The standard version: transposed to C, one frame an eighth note (a quarter note for JSB); whole songs."""
    import scipy.io

    name = _MAT[collection]
    songs = scipy.io.loadmat(fetch(f"boulanger-lewandowski/{name}.mat", data_dir))[f"{split}data"][0]
    return {f"{collection}-{split}-{i:03d}": song.astype(bool) for i, song in enumerate(songs)}


def fraccaro(collection: str, _config: DataConfig, split: str, data_dir: Path | None) -> dict[str, NarrowRoll]:
    """The SRNN authors' version: fixed time steps, original keys except JSB.

    Test songs are whole. Training and validation are one stream, published as 100-frame chunks in an order in which
    chunk i + 16 continues chunk i: here 16 rows, of which each continues the one before it.
    """
    path = fetch(f"fraccaro/{collection}_raw_batchsize16_seqlen100.npz", data_dir)
    with np.load(path, allow_pickle=False) as arrays:
        u, x = (arrays[f"{name}_{split}"].astype(bool) for name in "ux")
        if split == "test":
            lengths = arrays["mask_test"].sum(1).astype(int)
            songs = [np.concatenate([u[i, :1], x[i, :n]]) for i, n in enumerate(lengths)]
            return {f"{collection}-test-{i:03d}": song for i, song in enumerate(songs)}
    rows = list(u.reshape(-1, 16, *u.shape[1:]).swapaxes(0, 1).reshape(16, -1, NUM_PITCHES))
    rows[-1] = np.concatenate([rows[-1], x[-1, -1:]])  # the one frame that is never an input
    return {f"{collection}-{split}-{i:02d}": row for i, row in enumerate(rows)}


MUSIC = {
    f"{short}/{collection}": partial(read, collection)
    for short, read in {"bl": boulanger_lewandowski, "fraccaro": fraccaro}.items()
    for collection in _MAT
}


def transposed(roll: Float[np.ndarray, "_ x"], semitones: int) -> Float[np.ndarray, "_ x"]:
    """A piano roll moved up (down, if negative); what leaves the keyboard is dropped."""
    moved, notes = np.zeros_like(roll), roll.shape[1]
    if abs(semitones) < notes:
        moved[:, max(0, semitones) : notes + min(0, semitones)] = roll[
            :, max(0, -semitones) : notes - max(0, semitones)
        ]
    return moved


def read_midi(path: str | Path, frames_per_quarter: int) -> Roll:
    """A MIDI file as a piano roll on its own grid of beats, whatever its tempo map.

    A note is on in a frame if it sounds at the middle of that frame. Drums are left out, and notes outside 21 to 108
    are dropped with a warning that says how many.

    Args:
        path: The file.
        frames_per_quarter: Frames in a quarter note.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no MIDI file, holds no pitched note in range, or is too long.
    """
    import pretty_midi

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; give the path of a MIDI file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            midi = pretty_midi.PrettyMIDI(str(path))
    except Exception as error:  # pretty_midi and mido raise many kinds for a damaged file
        raise ValueError(
            f"{path} cannot be read as MIDI ({str(error) or 'it is empty or cut short'}); give a Standard MIDI file."
        ) from error
    notes = [note for instrument in midi.instruments if not instrument.is_drum for note in instrument.notes]
    if not notes:
        drums = " apart from drums" if any(i.notes for i in midi.instruments) else ""
        raise ValueError(f"{path} has no notes{drums}; give a MIDI file with pitched notes.")
    high = LOWEST_PITCH + NUM_PITCHES - 1
    inside = [note for note in notes if LOWEST_PITCH <= note.pitch <= high]
    if not inside:
        raise ValueError(f"{path} has no note within MIDI pitch {LOWEST_PITCH} to {high}; give one that has.")
    if len(inside) < len(notes):
        notify(
            f"{path}: {len(notes) - len(inside)} of {len(notes)} notes lie outside MIDI pitch {LOWEST_PITCH} to {high} "
            f"and were dropped."
        )
    ticks_per_frame = midi.resolution / frames_per_quarter
    # Frame k is on if its middle, k + 1/2, lies in [start, end).
    spans = [
        (np.ceil(np.array([midi.time_to_tick(n.start), midi.time_to_tick(n.end)]) / ticks_per_frame - 0.5), n.pitch)
        for n in inside
    ]
    num_frames = max(1, int(max(span[1] for span, _ in spans)))
    if num_frames > MAX_FRAMES:
        raise ValueError(f"{path} has {num_frames} frames; at most {MAX_FRAMES} are read. Cut it into shorter files.")
    roll = np.zeros((num_frames, NUM_PITCHES), np.float32)
    for (start, end), pitch in spans:
        roll[int(start) : int(end), pitch - LOWEST_PITCH] = 1
    if not roll.any():
        raise ValueError(
            f"{path} has only notes shorter than half a frame; a frame is 1/{frames_per_quarter} of a quarter note."
        )
    return roll
