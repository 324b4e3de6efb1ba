"""The README and the pages in docs/: their size, their links, and the commands that they show."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.config import PRESETS

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= 10 * 1024


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_modules_that_a_page_names_exist(page):
    named = re.findall(r"srnn_lab/[\w/]+\.(?:py|jsonl|js)\b|tests/[\w/]+\.py\b", page.read_text())
    run = [
        f"{name.replace('.', '/')}.py"
        for name in re.findall(r"python -m (srnn_lab\.[\w.]+\w)", page.read_text())
    ]
    assert [
        name for name in named + run if "NAME" not in name and not (ROOT / name).is_file()
    ] == []


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", ROOT / "docs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "inspect_signal" in (tmp_path / "api.html").read_text()


class Rows:
    """A split of a Hugging Face data set: an iterable of rows, each of which is a mapping."""

    def __init__(self, tables):
        self.tables = tables

    def __iter__(self):
        for table in self.tables:
            yield {"id": 7, "values": table.tolist()}


@pytest.mark.parametrize(
    ("page", "number", "run"),
    [("README.md", 1, "waves"), ("docs/data.md", 0, "tides"), ("docs/data.md", 1, "tides")],
)
def test_the_python_of_own_sequences_runs_as_it_stands(
    page, number, run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    series = PRESETS["series"]
    small = replace(
        series,
        model=replace(series.model, d_dim=5, z_dim=2, hidden_dim=6),
        train=replace(series.train, epochs=1, batch_size=4, segment_length=20),
    )
    monkeypatch.setitem(PRESETS, "series", small)
    tables = np.random.default_rng(0).standard_normal((3, 2, 30, 2)).astype(object)
    tables[:, :, 3, 1] = None
    held = dict(zip(("train", "valid", "test"), tables.astype(np.float32), strict=True))
    dataset = dict(zip(("train", "validation", "test"), map(Rows, tables), strict=True))
    block = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)[number]
    assert len(block.strip().splitlines()) <= 10
    exec(block, {**held, "dataset": dataset})
    found = load_checkpoint(tmp_path / "runs" / run / "best.safetensors").config
    assert (found.data.features, found.model.missing) == ("series", run == "tides")
    assert ("nats per frame" in capsys.readouterr().out) == ("inspect_signal" in block)
