"""What a player sends to the browser, read back."""

import json
import struct
from collections.abc import Callable

import numpy as np


def unpacked(content: bytes) -> tuple[dict, Callable[[dict], np.ndarray]]:
    """The description, and a function that reads the arrays it speaks of."""
    (length,) = struct.unpack_from("<I", content)
    head, body = json.loads(content[4 : 4 + length]), content[4 + length :]
    assert (4 + length) % 4 == 0

    def array(place: dict) -> np.ndarray:
        kind = np.dtype(f"<{place['kind']}")
        assert place["start"] % kind.itemsize == 0
        return np.frombuffer(body, kind, place["length"], place["start"])

    return head, array


def made(sent: dict) -> list[dict]:
    """Of the sounds that stand in a player's switch, those that are made."""
    return [sound for sound in sent["sounds"] if sound["address"]]
