"""The page Learn."""

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from browser import launch, open_page, serve
from playwright.sync_api import expect
from views import page_of, text_of

from srnn_lab.dashboard.pages import learn
from srnn_lab.dashboard.panels import lessons
from srnn_lab.site.notebooks import notebooks

pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns of things that are not ours


def opened(**params):
    page = page_of("learn")
    for name, value in params.items():
        page.query_params[name] = value
    return page.run()


def test_the_contents_open_each_section():
    page = opened()
    assert not page.exception
    assert [fold.label for fold in page.main.expander] == [
        learn.plain(n.title) for n in notebooks().values()
    ]
    next(button for button in page.button if button.label == "One spike").click().run()
    assert page.selectbox(key="notebook").value.startswith("00.")
    assert page.selectbox(key="section").value == "One spike"
    assert page.subheader[0].value == "One spike"


def test_a_section_is_shown_with_its_formulas_code_pictures_and_sounds():
    page = opened(notebook="00. A tour: one clip, one spike, one sample", section="One spike")
    assert not page.exception
    section = notebooks()["00_tour"].sections[3]
    kinds = [type(part) for part in section.parts]
    assert "\n$$\n\\mathrm{KL}(q" in page.markdown[0].value
    assert len(page.get("audio")) == kinds.count(learn.Sound) == 1
    assert len(page.get("image")) == kinds.count(learn.Picture) == 1
    assert [code.value for code in page.code] == [
        p[0] for p in section.parts if type(p) in (learn.Code, learn.Printed)
    ]
    folds = [fold.label for fold in page.expander if fold.label.startswith("Code")]
    assert len(folds) == kinds.count(learn.Code)


def test_a_search_leads_to_a_section_of_another_notebook():
    page = opened(notebook="03. The bound")
    page.text_input(key="search").set_value("particles resampling").run()
    page.button(key="found-0").click().run()
    assert not page.exception
    assert not page.warning
    assert page.selectbox(key="notebook").value == "10. Beyond the paper"
    assert page.selectbox(key="section").value == "Particles"
    assert page.text_input(key="search").value == ""


def test_the_next_section_follows():
    page = opened(notebook="03. The bound")
    assert page.button(key="step-Previous").disabled
    page.button(key="step-Next").click().run()
    assert page.subheader[0].value == "A bound on the evidence"
    assert not page.button(key="step-Previous").disabled


def test_links_lead_to_pages_and_displayed_formulas_get_lines_of_their_own():
    text = (
        "See [02](02_generative_model.ipynb), [it](http://localhost:8501/train), "
        "[README](README.md): $$a\nb$$ end"
    )
    there = lessons.address_of("02. The generative model")
    assert (
        learn.for_page(text)
        == f"See [02]({there}), [it](./train), README: \n\n$$\na\nb\n$$\n\n end"
    )
    assert parse_qs(there.split("?")[1]) == {"notebook": ["02. The generative model"]}


def test_a_panel_says_which_section_to_read_or_which_file_where_none_is_installed(monkeypatch):
    place = {"03_bound#The delta factors cancel": "does it"}
    here = lessons.address_of("03. The bound", "The delta factors cancel")
    assert (
        lessons.read_about(place)
        == f"**Read about this**: [03 The delta factors cancel]({here}) does it."
    )
    monkeypatch.setattr(lessons, "notebooks", dict)
    assert lessons.read_about(place) == "**Read about this**: `notebooks/03_bound.ipynb` does it."


def test_without_notebooks_a_sentence_says_where_they_are(monkeypatch):
    monkeypatch.setattr(learn, "notebooks", dict)
    page = opened()
    assert "part of the repository" in text_of(page)


@pytest.fixture(scope="module")
def browser():
    with launch() as browser:
        yield browser


def test_in_a_browser_a_section_opens_its_view_and_a_panel_its_section(browser):
    with serve("run", "dashboard.py", cwd=Path(__file__).parents[2]) as server:
        address = (
            f"{server}/learn?notebook=05.+The+bound+over+time"
            "&section=Ancestral+sampling+of+the+posterior"
        )
        with open_page(browser, address[: address.index("/learn")]) as page:
            page.goto(address)
            expect(page.locator(".katex").first).to_be_visible(timeout=60_000)
            assert page.locator(".katex-error").count() == 0
            page.get_by_role("button", name="Explore: voice-mel").click()
            expect(page.get_by_role("button", name="posterior sample")).to_have_attribute(
                "aria-pressed", "true", timeout=60_000
            )
            page.get_by_text("What is the KL?").click()
            link = page.get_by_role("link", name="05 A VAE at each frame")
            expect(link).to_have_attribute(
                "href", lessons.address_of("05. The bound over time", "A VAE at each frame")
            )
