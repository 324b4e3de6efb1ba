"""Every panel says where to read on."""

import re
from pathlib import Path

import pytest
from test_notebooks import PATHS

from srnn_lab.dashboard import app as pages

VIEWS = Path(pages.__file__).parent
PAGES = ("explore", "compare", "latents", "transition", "studio", "train", "results")
PANELS = [*(f"pages/{name}" for name in PAGES), "panels/posterior", "panels/spike_list"]


@pytest.mark.parametrize("name", PANELS)
def test_it_explains_its_panels_and_names_notebooks_that_exist(name):
    text = (VIEWS / f"{name}.py").read_text()
    assert text.count(" explain(") >= 1
    named = set(re.findall(r'"(\d\d_\w+)"', text + (VIEWS / "words.py").read_text()))
    assert named - {path.stem for path in PATHS} == set()
    assert len(re.findall(r'\{\s*"\d\d_\w+":', text)) == text.count(" explain(")
