"""Mel filters, and a sound from their energies: what librosa does, without the compiler it needs.

librosa compiles for 20 s after each installation, and ends where it can keep nothing of it
(read-only packages and no home). The tests compare the values.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Complex, Float

MOMENTUM = 0.99
"""Of Griffin-Lim's iterations (Perraudin et al., 2013)."""
_HERTZ_A_MEL, _MEL_OF_1_KHZ, _LOG_STEP = 200 / 3, 15, np.log(6.4) / 27
"""Slaney's mel scale: linear up to 1 kHz, logarithmic above."""


@lru_cache(maxsize=8)
def mel_filters(sample_rate: int, width: int, num_mels: int) -> Float[np.ndarray, "m f"]:
    """Slaney's triangles of one area, from 0 Hz to half the sample rate; not to be written to.

    Args:
        sample_rate: Samples a second.
        width: Samples of the window whose powers are filtered.
        num_mels: Filters.

    Returns:
        The weight of each frequency in each filter. All callers share this array.
    """
    hertz = np.fft.rfftfreq(width, 1 / sample_rate)
    top = _MEL_OF_1_KHZ + np.log(max(sample_rate / 2, 1000) / 1000) / _LOG_STEP
    mels = np.linspace(
        0, top if sample_rate > 2000 else sample_rate / 2 / _HERTZ_A_MEL, num_mels + 2
    )
    edges = np.where(
        mels < _MEL_OF_1_KHZ, mels * _HERTZ_A_MEL, 1000 * np.exp(_LOG_STEP * (mels - _MEL_OF_1_KHZ))
    )[:, None]
    below, above = (
        (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2]),
        (edges[2:] - hertz) / (edges[2:] - edges[1:-1]),
    )
    triangles = np.maximum(0, np.minimum(below, above)).astype(np.float32)
    return (triangles * (2 / (edges[2:] - edges[:-2]))).astype(np.float32)


def mel_to_power(
    energies: Float[np.ndarray, "t m"], filters: Float[np.ndarray, "m f"], num_iterations: int = 30
) -> Float[np.ndarray, "t f"]:
    """Powers, not below 0, whose mel energies are nearly ``energies``.

    From the pseudo-inverse, clamped, by multiplicative updates (Lee and Seung, 2001): each brings a
    frame closer in squares, whatever its size, so that a frame that explodes takes no longer than
    others.

    Args:
        energies: Mel energies of each frame.
        filters: Of ``mel_filters``.
        num_iterations: Number of updates.

    Returns:
        The power at each frequency of each frame.
    """
    least = np.float32(1e-10)
    powers = np.maximum(
        energies @ np.linalg.pinv(filters).T, least * (1 + energies.max(1, keepdims=True))
    )
    asked = energies @ filters
    for _ in range(num_iterations):
        powers *= asked / ((powers @ filters.T) @ filters + least)
    return powers


def griffin_lim(
    magnitudes: Float[np.ndarray, "t f"], hop: int, width: int, num_iterations: int = 32
) -> Float[np.ndarray, "n"]:
    """A sound whose windows have these magnitudes (Griffin and Lim, 1984).

    The momentum is that of Perraudin et al.

    Args:
        magnitudes: Of windows of ``width`` samples, one every ``hop``.
        hop: Samples from one window to the next.
        width: Samples of a window.
        num_iterations: Of the search for phases that fit, from random ones of a fixed seed.

    Returns:
        The waveform, of (T - 1) ``hop`` + ``width`` samples.
    """
    window = np.hanning(width + 1)[:-1].astype(np.float32)
    weight = np.maximum(
        _overlap_add(np.broadcast_to(window**2, (len(magnitudes), width)), hop), 1e-8
    )

    def inverse(spectrum: Complex[np.ndarray, "t f"]) -> Float[np.ndarray, "n"]:
        return _overlap_add(np.fft.irfft(spectrum, width) * window, hop) / weight

    def spectrum_of(wave: Float[np.ndarray, "n"]) -> Complex[np.ndarray, "t f"]:
        return np.fft.rfft(np.lib.stride_tricks.sliding_window_view(wave, width)[::hop] * window)

    phases = np.random.RandomState(0).random(magnitudes.T.shape).T
    spectrum = magnitudes * np.exp(2j * np.pi * phases).astype(np.complex64)
    before = np.zeros_like(spectrum)
    for _ in range(num_iterations):
        rebuilt = spectrum_of(inverse(spectrum))
        spectrum = rebuilt - np.float32(MOMENTUM / (1 + MOMENTUM)) * before
        spectrum *= magnitudes / (np.abs(spectrum) + np.finfo(np.float32).tiny)
        before = rebuilt
    return inverse(spectrum)


def _overlap_add(windows: Float[np.ndarray, "t w"], hop: int) -> Float[np.ndarray, "n"]:
    count, width = windows.shape
    parts = -(-width // hop)
    padded = np.pad(windows, ((0, 0), (0, parts * hop - width))).reshape(count, parts, hop)
    out = np.zeros((count + parts - 1, hop), np.float32)
    for i in range(parts):
        out[i : i + count] += padded[:, i]
    return out.reshape(-1)[: (count - 1) * hop + width]
