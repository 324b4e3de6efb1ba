"""The page Clips."""

import re

import numpy as np
import pytest
import soundfile
from views import open_view, save_runs, small_run, text_of

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.dashboard.pages import clips as view
from srnn_lab.dashboard.words import number, numbers_in_words
from srnn_lab.data import read_signal
from srnn_lab.data.bundled import bundled_clips, clip_titles

pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns of things that are not ours


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model, and three recordings of which one has no sound."""
    found = tmp_path_factory.mktemp("clips")
    save_runs(found, tiny=small_run())
    rng = np.random.default_rng(0)
    for i in range(2):
        noise = 0.1 * rng.normal(size=16000) * (np.arange(16000) // 4000 % 2)
        soundfile.write(found / f"clip{i}.wav", noise, 16000)
    soundfile.write(found / "empty.wav", np.zeros(10), 16000)
    return found


@pytest.fixture
def page(folder, monkeypatch):
    page = open_view("clips", "runs/tiny", monkeypatch, folder)
    return page.text_input(key="set").set_value(str(folder)).run()


def inspected(folder):
    model = load_checkpoint(folder / "runs" / "tiny" / "best.safetensors")
    return {
        n: inspect_signal(model, read_signal(folder / f"{n}.wav", model.config.data))
        for n in ("clip0", "clip1")
    }


def test_the_table_has_the_numbers_of_each_clip_of_a_folder(page, folder):
    assert not page.exception
    table = page.dataframe[0].value
    assert list(table["clip"]) == ["clip0", "clip1"]
    for row, clip in zip(table.itertuples(), inspected(folder).values(), strict=True):
        assert pytest.approx((clip.log_px - clip.kl).mean(), rel=1e-4) == row.ELBO
        assert pytest.approx(clip.kl.mean(), rel=1e-4) == row.KL
        assert max(row[-1]) == pytest.approx(clip.kl.max(), rel=1e-4)
    assert "Left out\\: empty" in text_of(page)


def test_numbers_in_a_table_have_true_minus_signs_and_commas_and_keep_their_values():
    table = numbers_in_words({"clip": ["a", "b"], "ELBO": [-1961.638, np.nan]}, {"ELBO": 2})
    cells = re.findall("<td[^>]*>(.*?)</td>", table.to_html())
    assert cells == ["a", "−1,961.64", "b", "–"]
    assert table.data["ELBO"][0] == -1961.638


@pytest.mark.parametrize("of", ["KL", "x", "z2"])
def test_the_moments_are_the_strongest_of_the_set(page, folder, of):
    page.selectbox(key="of").select(of).run()
    assert not page.exception
    clips = inspected(folder)
    values = {
        name: {"KL": clip.kl, "x": -clip.log_px, "z2": clip.kl_z[:, 2]}[of][~clip.left_out]
        for name, clip in clips.items()
    }
    first = next(m.value for m in page.markdown if "nats ·" in m.value)
    assert first.startswith(f"**{number(max(one.max() for one in values.values()))}** nats · clip")
    assert len(page.get("audio")) == sum("nats ·" in m.value for m in page.markdown) <= view.MOMENTS


def test_a_button_in_a_row_plays_its_clip_until_another_is_played(page):
    sounds = len(page.get("audio"))
    page.session_state["hear"] = {"row": 1, "label": "▶"}
    page.run()
    assert not page.exception
    assert "**clip1**" in [one.value for one in page.markdown]
    assert [sound.proto.autoplay for sound in page.get("audio")] == [True] + sounds * [False]
    page.selectbox(key="of").select("x").run()
    assert "**clip1**" in [one.value for one in page.markdown]
    assert not any(sound.proto.autoplay for sound in page.get("audio"))


def test_a_file_of_a_folder_becomes_the_clip_of_all_pages(page):
    page.session_state["clips-of-the-set"] = {
        "selection": {"rows": [1], "columns": [], "cells": []}
    }
    page.run()
    next(button for button in page.button if "clip of all pages" in button.label).click().run()
    assert page.session_state["visit"].choice.name == "clip1.wav"


def test_the_bundled_clips_can_be_opened_where_their_spike_is(folder, monkeypatch):
    page = open_view("clips", "jsb", monkeypatch, folder)
    assert not page.exception
    table = page.dataframe[0].value
    assert all(address.startswith("./?checkpoint=jsb&clip=bwv") for address in table["open"])
    assert "place=" in table["open"][0]
    assert "said" not in table
    titles = clip_titles(bundled_clips("roll"))
    assert list(table["clip"]) == [titles[name] for name in table["file"]]


def test_what_is_said_in_a_bundled_clip_is_in_the_table(folder, monkeypatch):
    page = open_view("clips", "runs/tiny", monkeypatch, folder)
    table = page.dataframe[0].value.set_index("file")
    assert (
        table.loc["agent-newlocation", "said"] == "Please enter a new extension, followed by pound."
    )


def test_a_visitor_of_a_dashboard_that_is_read_only_cannot_read_folders(folder, monkeypatch):
    monkeypatch.setattr("sys.argv", ["dashboard.py", "--read-only"])
    page = open_view("clips", "jsb", monkeypatch, folder)
    assert not page.exception
    assert not page.text_input


def test_a_folder_that_is_none_gets_a_sentence(folder, monkeypatch):
    page = open_view("clips", "runs/tiny", monkeypatch, folder)
    page.text_input(key="set").set_value(str(folder / "gone")).run()
    assert "is not a folder" in page.error[0].value
