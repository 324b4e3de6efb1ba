import os
import sys
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

import pytest

# The two workers of pytest-xdist, each with a thread on every core, would wait for each other.
# NumPy, which jaxtyping imports, and torch read this once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
import jaxtyping

MAIN = sys.modules["__main__"]
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def pytest_configure(config):
    """Check types and shapes at each call, but not in the fast part, which took twice as long."""
    if config.option.markexpr != "not slow":
        jaxtyping.install_import_hook("srnn_lab", "beartype.beartype")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files have no place in a test's name: an OGG file's changes by the second, and by worker."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items):
    """Mark what is slow by its kind; a test that is slow for its own reason has the mark itself."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")
        by_hand = any(item.get_closest_marker(name) for name in ("browser", "notebook", "alone"))
        if by_hand or "dashboard" in item.path.parts or is_one_of_many(item):
            item.add_marker("slow")


def is_one_of_many(item) -> bool:
    """Whether a test is one of all combinations of models and likelihoods.

    Those where each comes once do not count.
    """
    from crossed import is_crossed  # not before the hook looks at what is imported

    from srnn_lab.config import ModelConfig

    values = item.callspec.params if hasattr(item, "callspec") else {}
    if isinstance(values.get("config"), ModelConfig):
        return is_crossed(**vars(values["config"]))
    return is_crossed(values.get("model", values.get("name")), values.get("likelihood"))


def pytest_terminal_summary(terminalreporter):
    """Say loudly what has not been tested, which the dots of a report hide."""
    skipped = terminalreporter.getreports("skipped")
    if count := sum("gpu" in report.keywords for report in skipped):
        terminalreporter.write_line(
            f"{count} GPU tests did not run: no CUDA device here", red=True, bold=True
        )


@pytest.fixture(autouse=True)
def main_module():
    """AppTest leaves its page as ``__main__``, which a later test's process would run again."""
    yield
    sys.modules["__main__"] = MAIN


@pytest.fixture(autouse=True)
def checked_types(request):
    """Of all combinations, check types and shapes where each model and likelihood comes once."""
    jaxtyping.config.update("jaxtyping_disable", is_one_of_many(request.node))


@pytest.fixture(autouse=True)
def machine(request):
    """What is marked ``alone`` measures seconds: no test of the other worker runs beside it."""
    with (
        Path(__file__).open() as turn,
        PYPROJECT.open() as use,
    ):  # two files that are there, to lock
        flock(turn, LOCK_EX)  # which who waits to be alone keeps, so that nobody else begins
        flock(use, LOCK_EX if request.node.get_closest_marker("alone") else LOCK_SH)
        flock(turn, LOCK_UN)
        yield
        flock(use, LOCK_UN)  # a process that the test has forked may have it open
