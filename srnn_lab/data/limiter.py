"""A limiter: a sound that a model makes may be louder than a loudspeaker, or an ear, takes."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import minimum_filter1d, uniform_filter1d

REACH = 0.005
"""Seconds before and after a peak within which the gain falls and rises, so that it does not click.
"""


def limit(wave: Float[np.ndarray, "n"], sample_rate: int) -> Float[np.ndarray, "n"]:
    """``wave`` softer around what exceeds full scale (1), which then does not; else as it is."""
    peaks = np.abs(wave)
    if peaks.max(initial=0) <= 1:
        return wave
    width = 2 * max(1, round(REACH * sample_rate)) + 1
    # The mean of the smallest gains around is at most the gain that the sample itself needs.
    gain = uniform_filter1d(
        minimum_filter1d(1 / np.maximum(peaks, 1).astype(np.float64), width), width
    )
    return np.clip(wave * gain, -1, 1).astype(wave.dtype)
