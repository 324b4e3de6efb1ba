"""How the process holds memory: glibc's defaults suit no training and no server of many threads."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Let the allocator keep what is freed from now on, for the rest of the process.

    glibc returns blocks above 32 MB to the system as soon as they are free; the system then clears
    every page of the next such block, which costs a training step on long segments a quarter of its
    time. Elsewhere nothing changes.
    """
    _set({_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1})


def share_arenas() -> None:
    """Let all threads allocate from two places, before most of them begin.

    A dashboard runs each interaction in a new thread; by default each would leave holes in a place
    of its own, up to eight places a core.
    """
    _set({_ARENA_MAX: 2})


def _set(options: dict[int, int]) -> None:
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option, value in options.items():
            libc.mallopt(option, value)
