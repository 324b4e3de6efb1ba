"""The player's sounds as files that the browser fetches when it first plays them."""

import struct
from collections.abc import Mapping

import numpy as np
import streamlit as st
from jaxtyping import Num
from streamlit import runtime

Sounds = Mapping[str, tuple[Num[np.ndarray, "n"], int]]
"""By the name on its button, samples (floats with full scale 1, or of 16 bits) and their number a second."""
MIN_RATE = 8_000
"""Lowest sample rate that every browser plays."""


def wav_file(wave: Num[np.ndarray, "n"], rate: int) -> bytes:
    """A 16-bit WAV file with a header of 44 bytes; a rate below ``MIN_RATE`` becomes a multiple of it.

    Args:
        wave: Samples of 16 bits, or floats with full scale 1, which are clipped and not rescaled.
        rate: Samples a second.
    """
    if wave.dtype != np.int16:
        wave = np.round(np.clip(wave, -1, 1) * 32767)
    if (factor := -(-MIN_RATE // rate)) > 1:
        from scipy.signal import resample_poly

        wave = np.clip(np.round(resample_poly(wave.astype(float), factor, 1)), -32768, 32767)
    samples, rate = wave.astype("<i2").tobytes(), rate * factor
    described = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    sizes = struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE"), struct.pack("<4sI", b"data", len(samples))
    return sizes[0] + described + sizes[1] + samples


def served(content: bytes, name: str) -> str:
    """The address at which this server has a sound, for as long as the page that was last shown has it.

    Sounds could travel with the rows, but a minute of four of them would keep the connection, and so the page, waiting.

    Args:
        content: A WAV file.
        name: Names its place on the page; another sound there takes it over.
    """
    address = runtime.get_instance().media_file_mgr.add(content, "audio/wav", name)
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}{address}" if base else address
