import os
import sys
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

import pytest

MAIN = sys.modules["__main__"]
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
# The two workers of pytest-xdist, each with a thread on every core, would wait for each other. torch reads this once.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files have no place in the name of a test: that of an OGG file changes by the second, and so between workers."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items):
    """Mark what is slow by its kind; a test that is slow for a reason of its own has the mark itself."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")
        by_hand = any(item.get_closest_marker(name) for name in ("browser", "notebook", "alone"))
        if by_hand or "dashboard" in item.path.parts or is_crossed(getattr(item, "callspec", None)):
            item.add_marker("slow")


def is_crossed(case) -> bool:
    """Whether a case has a likelihood that is not the first, with other than the first model and its first posterior.

    So each model and posterior comes with one likelihood in the fast part, and each likelihood with one model.
    """
    from srnn_lab.config import ModelConfig
    from srnn_lab.models import MODELS
    from srnn_lab.models.likelihoods import LIKELIHOODS

    values = case.params if case else {}
    values = vars(values["config"]) if isinstance(values.get("config"), ModelConfig) else values
    model, likelihood = values.get("model", values.get("name")), values.get("likelihood")
    first_model = model == next(iter(MODELS)) and values.get("smoothing", True) and values.get("residual", True)
    return model in MODELS and likelihood in list(LIKELIHOODS)[1:] and not first_model


def pytest_terminal_summary(terminalreporter):
    """Say loudly what has not been tested, which the dots of a report hide."""
    skipped = terminalreporter.getreports("skipped")
    if count := sum("gpu" in report.keywords for report in skipped):
        terminalreporter.write_line(f"{count} GPU tests did not run: no CUDA device here", red=True, bold=True)


@pytest.fixture(autouse=True)
def main_module():
    """AppTest leaves the page that it ran as ``__main__``, which a process that a later test begins would run again."""
    yield
    sys.modules["__main__"] = MAIN


@pytest.fixture(autouse=True)
def machine(request):
    """What is marked ``alone`` measures seconds: no test of the other worker runs beside it."""
    with Path(__file__).open() as turn, PYPROJECT.open() as use:  # two files that are there, to lock
        flock(turn, LOCK_EX)  # which who waits to be alone keeps, so that nobody else begins
        flock(use, LOCK_EX if request.node.get_closest_marker("alone") else LOCK_SH)
        flock(turn, LOCK_UN)
        yield
        flock(use, LOCK_UN)  # a process that the test has forked may have it open
