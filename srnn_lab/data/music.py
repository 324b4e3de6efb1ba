"""Polyphonic music as piano rolls: the four benchmark collections, and MIDI files.

Of the collections there are the two published versions.
"""

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from srnn_lab.config import DataConfig
from srnn_lab.data.download import fetch, is_at_hand
from srnn_lab.data.kinds import NUM_PITCHES
from srnn_lab.data.midi import DRUMS, Notes, Timing, parse_midi
from srnn_lab.data.notices import notify

Roll = Float[np.ndarray, "t 88"]
NarrowRoll = Bool[np.ndarray, "_ 88"]

LOWEST_PITCH = 21
"""MIDI pitch of the first of the 88 values of a frame; the last is 108."""
MAX_MIDI_BYTES = 4 * 2**20
"""Largest MIDI file that is read; it takes some seconds."""
MAX_FRAMES = 20_000
"""Longest roll read from a MIDI file."""

_MAT = {
    "jsb": "JSB_Chorales",
    "nottingham": "Nottingham",
    "muse": "MuseData",
    "piano": "Piano_midi",
}


def boulanger_lewandowski(
    collection: str, _config: DataConfig, split: str, data_dir: Path | None
) -> dict[str, NarrowRoll]:
    """The version of Boulanger-Lewandowski et al. (2012): whole songs, transposed to C.

    Args:
        collection: ``jsb``, ``nottingham``, ``muse`` or ``piano``.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files; None: they are downloaded once.

    Returns:
        Piano rolls (T, 88) of bool, by name. A frame is an eighth note; of JSB, a quarter note.

    Raises:
        OSError: The file is missing, or cannot be downloaded.
        ValueError: The file is not the published one.
    """
    import scipy.io

    name = _MAT[collection]
    songs = scipy.io.loadmat(fetch(f"boulanger-lewandowski/{name}.mat", data_dir))[f"{split}data"][
        0
    ]
    return {f"{collection}-{split}-{i:03d}": song.astype(bool) for i, song in enumerate(songs)}


def fraccaro(
    collection: str, _config: DataConfig, split: str, data_dir: Path | None
) -> dict[str, NarrowRoll]:
    """The SRNN authors' version: fixed time steps, original keys except JSB.

    Test songs are whole. Training and validation are one stream, published as 100-frame chunks in
    an order in which chunk i + 16 continues chunk i. They are joined to 16 rows, each of which
    continues the one before it.

    Args:
        collection: ``jsb``, ``nottingham``, ``muse`` or ``piano``.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files; None: they are downloaded once.

    Returns:
        Piano rolls (T, 88) of bool, by name, in the order of the file.

    Raises:
        OSError: The file is missing, or cannot be downloaded.
        ValueError: The file is not the published one.
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


def songs_at_hand(data: str, split: str, data_dir: Path | None) -> dict[str, NarrowRoll] | None:
    """The songs of a published data set, if they are on this computer: nothing is downloaded.

    Args:
        data: The data set, such as ``fraccaro/jsb``.
        split: ``train``, ``valid`` or ``test``.
        data_dir: Folder of the data sets' files; None: the user's cache.

    Returns:
        Piano rolls by name; None if they are not there, or if it is another data set.
    """
    short, _, collection = data.partition("/")
    if data not in MUSIC:
        return None
    files = {
        "bl": f"boulanger-lewandowski/{_MAT[collection]}.mat",
        "fraccaro": f"fraccaro/{collection}_raw_batchsize16_seqlen100.npz",
    }
    return (
        MUSIC[data](DataConfig(data=data), split, data_dir)
        if is_at_hand(files[short], data_dir)
        else None
    )


def transposed(roll: Float[np.ndarray, "_ x"], semitones: int) -> Float[np.ndarray, "_ x"]:
    """A piano roll transposed up (down, if negative); what leaves the keyboard is dropped."""
    moved, notes = np.zeros_like(roll), roll.shape[1]
    if abs(semitones) < notes:
        moved[:, max(0, semitones) : notes + min(0, semitones)] = roll[
            :, max(0, -semitones) : notes - max(0, semitones)
        ]
    return moved


def read_midi(path: str | Path, frames_per_quarter: int) -> Roll:
    """A MIDI file as a piano roll: what ``read_song`` gives, without the timing."""
    return read_song(path, frames_per_quarter)[0]


def read_song(path: str | Path, frames_per_quarter: int) -> tuple[Roll, Timing]:
    """A MIDI file as a piano roll on its own grid of beats, at any tempo, and its tempo and metre.

    A note is on in a frame if it sounds at the middle of that frame. One that sounds at no middle
    is on in the frame in which it begins, unless it is an ornament: the note before or after it, of
    the same track and channel, sounds at that middle. Ornaments, drums and notes outside 21 to 108
    are left out, and a notice says how many.

    Args:
        path: The file.
        frames_per_quarter: Frames in a quarter note.

    Returns:
        The roll (T, 88), and the timing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no MIDI file, holds no pitched note in range, or is too long.
    """
    try:
        midi = parse_midi(_read_bytes(Path(path)))
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read as MIDI ({error}); give a Standard MIDI file."
        ) from error
    # The notes that a roll can hold.
    pitch, high = midi.notes.pitch, LOWEST_PITCH + NUM_PITCHES - 1
    pitched = midi.notes.channel != DRUMS
    inside = pitched & (pitch >= LOWEST_PITCH) & (pitch <= high)
    if not pitched.any():
        drums = " apart from drums (channel 10)" if len(pitched) else ""
        raise ValueError(f"{path} has no notes{drums}; give a MIDI file with pitched notes.")
    if not inside.any():
        raise ValueError(
            f"{path} has no note within MIDI pitch {LOWEST_PITCH} to {high}; give one that has."
        )
    notes = Notes(*(values[inside] for values in midi.notes))
    # The roll, and what was left out of it.
    roll, ornaments = _roll(path, notes, midi.ticks_per_quarter / frames_per_quarter)
    frame, total = (
        "a quarter note" if frames_per_quarter == 1 else f"1/{frames_per_quarter} quarter note",
        len(pitch),
    )
    for count, what in (
        (total - pitched.sum(), "are drums (channel 10) and were left out"),
        (
            pitched.sum() - inside.sum(),
            f"lie outside MIDI pitch {LOWEST_PITCH} to {high} and were dropped",
        ),
        (
            ornaments,
            f"were left out: another note of their voice sounds in the same frame ({frame})",
        ),
        (midi.unended, "have no end and last to the end of their track"),
    ):
        if count:
            notify(f"{path}: {count} of {total} notes {what}.")
    return roll, midi.timing


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give the path of a MIDI file.")
    if path.is_dir():
        raise ValueError("it is a folder")
    with path.open("rb") as file:
        content = file.read(MAX_MIDI_BYTES + 1)
    if len(content) > MAX_MIDI_BYTES:
        raise ValueError(f"it has more than the {MAX_MIDI_BYTES // 2**20} MB that are read")
    return content


def _roll(path: str | Path, notes: Notes, ticks_per_frame: float) -> tuple[Roll, int]:
    """The roll of these notes, and how many ornaments it leaves out."""
    # Frame k is on if its middle, k + 1/2, lies in [start, end).
    first, last = (
        np.ceil(ticks / ticks_per_frame - 0.5).astype(int) for ticks in (notes.start, notes.end)
    )
    begins, ends = (
        np.floor(ticks / ticks_per_frame).astype(int) for ticks in (notes.start, notes.end)
    )
    short = first >= last
    # An ornament begins in a frame whose middle a note of its voice covers, after it or before it.
    starting, ending = (
        list(zip(notes.voice.tolist(), frames.tolist(), strict=True)) for frames in (begins, ends)
    )
    after: dict[tuple[int, int], int] = {}
    before: dict[tuple[int, int], int] = {}
    for i in np.flatnonzero(~short & (first == begins)):
        after[starting[i]] = max(notes.start[i], after.get(starting[i], 0))
    for i in np.flatnonzero(~short & (last == ends + 1)):
        before[ending[i]] = min(notes.end[i], before.get(ending[i], notes.end[i]))
    kept = np.ones(len(short), bool)
    for i in np.flatnonzero(short):
        kept[i] = (
            after.get(starting[i], -1) < notes.end[i]
            and before.get(starting[i], np.inf) > notes.start[i]
        )
    first, last = np.where(short, begins, first)[kept], np.where(short, begins + 1, last)[kept]
    if last.max() > MAX_FRAMES:
        raise ValueError(
            f"{path} has {last.max()} frames; at most {MAX_FRAMES} are read. Cut it into shorter "
            "files."
        )
    # Beginnings less ends, summed up: how many notes of a pitch sound. The time does not depend on
    # their lengths.
    change, key = (
        np.zeros((last.max() + 1, NUM_PITCHES), np.int32),
        notes.pitch[kept] - LOWEST_PITCH,
    )
    np.add.at(change, (first, key), 1)
    np.add.at(change, (last, key), -1)
    return (change.cumsum(0)[:-1] > 0).astype(np.float32), int((~kept).sum())
