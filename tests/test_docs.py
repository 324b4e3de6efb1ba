"""The README and the pages in docs/: their size, their links, and the commands that they show."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
