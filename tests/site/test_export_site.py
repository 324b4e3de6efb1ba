"""The site: formulas and links in its notebooks, and its pages in a browser, served by Python
alone.
"""

import json
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from browser import PLAYER, launch, open_page, wait_until_it_moves
from playwright.sync_api import expect

from srnn_lab.cli import main
from srnn_lab.data.bundled import bundled_clips
from srnn_lab.site import export
from srnn_lab.site.markdown import html_of
from srnn_lab.site.notebooks import View, notebooks


def test_markdown_becomes_html_with_formulas_and_without_links_that_lead_nowhere():
    text = "A *b* [see](x.ipynb), [not](y) <b>&</b>: $a_t$ and $$c\\, d$$ $\\nonsense{$"
    found = html_of(text, {"x.ipynb": "x.html"}.get)
    assert found.startswith(
        '<p>A <em>b</em> <a href="x.html">see</a>, not &lt;b&gt;&amp;&lt;/b&gt;: '
        '<span class="math inline"><math'
    )
    assert "<msub><mi>a</mi><mi>t</mi></msub>" in found
    assert 'display="block"' in found
    assert "<code>" in found


def test_a_table_of_links_is_kept():
    assert html_of("| a |\n|---|\n| [b](c) |", lambda _: None).count("<td>b</td>") == 1


def test_the_sound_of_music_is_reduced_and_other_sounds_are_not():
    tone = (3000 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.int16)
    fewer, rate = export.reduced(tone, 48000)
    assert (len(fewer), rate, fewer.dtype) == (12000, 12000, np.int16)
    expected = 3000 * np.sin(2 * np.pi * 440 * np.arange(12000) / 12000)
    assert np.abs(fewer - expected)[200:-200].max() < 10
    assert export.reduced(tone, 16000)[0] is tone


def test_a_view_leads_to_the_player_of_its_model_and_clip():
    shown = [
        export.Shown("a", "one", "1"),
        export.Shown("a", "two", "2"),
        export.Shown("b", "one", "3"),
    ]
    assert export.player_of(View("", {"checkpoint": "a", "prompt": "two"}), shown).file == "2"
    assert export.player_of(View("studio", {"music": "b", "clip": "gone"}), shown).file == "3"
    assert export.player_of(View("train", {}), shown) is None


def test_a_file_in_the_place_of_the_folder_gets_a_sentence(tmp_path, capsys):
    (tmp_path / "site").touch()
    assert main(["export-site", str(tmp_path / "site")]) == 1
    assert "is a file; name a folder" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* notes were left out")
def test_the_whole_site_is_below_50_million_bytes(tmp_path, capsys):
    assert main(["export-site", str(tmp_path), "--json"]) == 0
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.*"))
    assert 10e6 < written < 50e6
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["MB"] == written / 1e6


@pytest.fixture(scope="module")
def browser():
    with launch() as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of a small site, as ``python -m http.server`` shows it."""
    folder = tmp_path_factory.mktemp("site")
    models = {"Speech": {"voice-mel": "It hears."}, "Music": {"jsb": "It sings."}}
    clips = {kind: dict(list(bundled_clips(kind).items())[:1]) for kind in ("log-mel", "roll")}
    lessons = {name: one for name, one in notebooks().items() if name in ("00_tour", "03_bound")}
    result = export.export_site(folder, models, clips, lessons)
    assert (result["players"], result["notebooks"]) == (2, 2)
    written = sum(path.stat().st_size for path in folder.rglob("*.*"))
    assert written / 1e6 == pytest.approx(result["MB"])
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "0",
        "--directory",
        str(folder),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        port = process.stdout.readline().split("port ")[1].split()[0]
        address = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(address, timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def test_its_pages_play_show_formulas_and_ask_no_other_machine(browser, site):
    with open_page(browser, site) as page:
        page.goto(site)
        page.get_by_role("link", name="agent-newlocation").click()
        page.get_by_role("button", name="Play").click()
        wait_until_it_moves(page)
        page.get_by_role("link", name="All pages").click()
        page.get_by_role("link", name="The moments with the largest KL").click()
        expect(page.get_by_role("heading", name="The strongest moments")).to_be_visible()
        page.wait_for_load_state()
        seconds = (
            "audios => Promise.all(audios.map(one => one.duration || new Promise((resolve) => "
            "one.addEventListener('loadedmetadata', () => resolve(one.duration)))))"
        )
        heard = page.locator("audio").evaluate_all(seconds)
        assert len(heard) > 5
        assert min(heard) > 0.3
        page.get_by_role("link", name="All pages").click()
        page.get_by_role("link", name="03. The bound").click()
        expect(page.locator("math").first).to_be_visible()
        page.get_by_role("link", name="All pages").click()
        page.get_by_role("link", name="00. A tour").click()
        expect(page.get_by_role("heading", name="00. A tour")).to_be_visible()
        page.wait_for_load_state()
        assert page.locator("img").count() > 2
        assert page.locator("img").evaluate_all("all => all.every((one) => one.naturalWidth > 100)")
        page.get_by_role("link", name="See and hear it: voice-mel").first.click()
        page.locator(PLAYER).wait_for()
