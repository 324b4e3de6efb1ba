"""The picture of a scene as a file: its legend, its title, a paper's column, and PDF."""

import re
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from srnn_lab.pictures.scene import Line, Lines, Picture, Scene
from srnn_lab.pictures.svg import LEFT, MM, RIGHT, scene_svg, svg_pdf

TIMES = (np.arange(100) + 0.5) / 100
BLUE, RED = "#0072b2", "#d55e00"
KL = Lines(
    "KL(q ‖ p)",
    "nats",
    [
        Line("KL", TIMES, np.ones(100), RED),
        Line("spike at a change", TIMES[:2], np.ones(2), BLUE, "dots"),
        Line("elsewhere", TIMES[4:7], np.ones(3), BLUE, "rings"),
    ],
)
ENERGIES = Picture("Energies", "sd", TIMES, np.eye(100), ["#000000", "#ffffff"])
SCENE = Scene([KL, ENERGIES], TIMES, "A clip.", end=1.0, marks=np.array([0.3, 0.6]))


def parts(svg, name):
    return list(ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{name}"))


def test_the_legend_tells_a_dot_from_a_ring_of_one_colour_by_its_symbol():
    svg = scene_svg(SCENE)
    circles = [(c.get("fill"), c.get("stroke")) for c in parts(svg, "circle")]
    assert circles.count((BLUE, BLUE)) == 2 + 1
    assert circles.count(("none", BLUE)) == 3 + 1
    symbols = {c.get("fill"): float(c.get("cx")) for c in parts(svg, "circle")[:2]}
    names = {t.text: float(t.get("x")) for t in parts(svg, "text")}
    assert 0 < names["spike at a change"] - symbols[BLUE] < 20
    assert 0 < names["elsewhere"] - symbols["none"] < 20


def test_clip_and_model_stand_above_the_rows():
    plain, titled = scene_svg(SCENE), scene_svg(SCENE, title="a.wav, model <voice>")
    assert parts(titled, "text")[0].text == "a.wav, model <voice>"
    heights = [float(parts(svg, "svg")[0].get("height")) for svg in (plain, titled)]
    assert heights[1] == heights[0] + 19


@pytest.mark.parametrize("width", [200.0, 82.5 / MM, 1000.0])
def test_in_a_narrow_column_everything_stays_inside_and_no_text_over_another(width):
    note = (
        "3 of 100 frames above the axis, up to 1,000,000 nats; "
        "2 of 100 frames below the axis, down to −7 nats"
    )
    scene = Scene(
        [Lines(KL.title, "nats", KL.lines, (0.0, 2.0), note), ENERGIES], TIMES, "", end=1.0
    )
    svg = scene_svg(
        scene, title="a long name of a recording.wav, model voice-filt-res", width=width
    )
    assert float(parts(svg, "svg")[0].get("width")) == pytest.approx(width, abs=1e-3)
    lines = {}
    for text in (t for t in parts(svg, "text") if t.get("text-anchor") == "start"):
        lines.setdefault(text.get("y"), []).append((float(text.get("x")), len(text.text)))
    for line in lines.values():
        ends = [x + 6 * characters for x, characters in line]
        assert all(start >= end for (start, _), end in zip(line[1:], ends, strict=False))
        assert len(line) == 1 or ends[-1] <= width
    drawn = [c for c in parts(svg, "rect") if c.get("stroke") == "#ccc"]
    assert float(drawn[0].get("width")) == pytest.approx(width - LEFT - RIGHT, abs=1e-3)
    ticks = [float(t.get("x")) for t in parts(svg, "text") if re.fullmatch(r"[\d.]+", t.text or "")]
    assert len([x for x in ticks if x >= LEFT]) >= 2


def test_a_width_without_room_for_an_axis_is_refused():
    with pytest.raises(ValueError, match="The width is 20 mm; give at least 53 mm"):
        scene_svg(SCENE, width=20 / MM)


def test_two_pictures_in_one_page_cannot_cut_each_other():
    wide, narrow = scene_svg(SCENE), scene_svg(SCENE, title="moved down", width=400)
    boxes = {}
    for svg in (wide, narrow):
        for clip in parts(svg, "clipPath"):
            (box,) = clip
            assert boxes.setdefault(clip.get("id"), dict(box.attrib)) == box.attrib
        used = set(re.findall(r'clip-path="url\(#([^)]+)\)"', svg))
        assert used <= {clip.get("id") for clip in parts(svg, "clipPath")}
    assert len(boxes) == 4


def test_marks_run_through_the_rows_and_not_through_what_stands_above_them():
    marks = [p.get("d") for p in parts(scene_svg(SCENE), "path") if p.get("stroke-dasharray")]
    assert len(marks) == 2
    assert all(len(re.findall(r"M[\d.]+ [\d.]+v90", mark)) == 2 for mark in marks)


def test_a_pdf_is_one_page_as_wide_as_the_picture():
    pytest.importorskip("cairosvg")
    content = svg_pdf(scene_svg(SCENE, width=82.5 / MM))
    (box,) = re.findall(rb"/MediaBox \[ ?([-\d. ]+)\]", content)
    assert float(box.split()[2]) == pytest.approx(82.5 / 25.4 * 72, abs=0.1)
    assert content.startswith(b"%PDF")
    drawn = [
        part
        for part in content.split(b"endobj")
        if b"/Subtype /Image" in part and b"/Width 100" in part
    ]
    assert drawn and not any(b"/Interpolate true" in part for part in drawn)  # columns have edges


def test_without_the_library_a_pdf_is_refused_with_the_line_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(ValueError, match=r"pip install 'srnn-lab\[pdf\]'"):
        svg_pdf("<svg/>")


def test_the_axis_of_music_counts_bars():
    scene = replace(SCENE, end=24.0, bars=[(3.0 * i, 4) for i in range(8)])
    written = {t.text: float(t.get("x")) for t in parts(scene_svg(scene), "text")}
    assert "bar" in written
    assert {f"{i}" for i in range(1, 9)} <= written.keys()
    assert written["5"] - written["1"] == pytest.approx(4 * (written["2"] - written["1"]), abs=0.1)
    many = replace(SCENE, end=300.0, bars=[(3.0 * i, 4) for i in range(100)])
    written = {t.text for t in parts(scene_svg(many), "text")}
    assert {"20", "40", "100"} <= written
    assert not {"1", "7", "11"} & written
