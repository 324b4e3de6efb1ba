"""What is heard in each frame of a clip: its phone, or the lowest of its notes."""

import numpy as np
from jaxtyping import Float

from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.panels.clip_set import labels_of
from srnn_lab.data.music import LOWEST_PITCH

PITCH_CLASSES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
UNLABELLED, SILENCE = "not labelled", "silence"


def phones_at(clip: Choice, times: Float[np.ndarray, "t"]) -> list[str]:
    """The phone at each time of a clip, as its labels have it, or ``UNLABELLED`` if it has none."""
    labels = labels_of(clip)
    return labels.at(times) if labels else [UNLABELLED] * len(times)


def bass_notes(roll: Float[np.ndarray, "t 88"]) -> list[str]:
    """The pitch class of the lowest note of each frame."""
    sounding = [np.flatnonzero(frame) for frame in roll]
    return [
        PITCH_CLASSES[(LOWEST_PITCH + keys[0]) % 12] if len(keys) else SILENCE for keys in sounding
    ]
