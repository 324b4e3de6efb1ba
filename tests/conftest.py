import os

# The two workers of pytest-xdist, each with a thread on every core, would wait for each other. torch reads this once.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files have no place in the name of a test: that of an OGG file changes by the second, and so between workers."""
    return argname if isinstance(val, bytes) else None
