"""A row of names, such as phones: as the browser gets it, as SVG and as arrays."""

import re

import numpy as np
from payload import unpacked

from srnn_lab.pictures.scene import Line, Lines, Names, Scene, pack, row_arrays
from srnn_lab.pictures.svg import scene_svg

TIMES = (np.arange(100) + 0.5) / 100
SPOKEN = Names("Phones", np.array([0.0, 0.3, 0.31, 0.8]), ("pau", "aa", "narrow<&>", ""))
WAVE = Lines("KL", "nats", [Line("KL", TIMES, np.ones(100), "#000000")])
SCENE = Scene([WAVE, SPOKEN], TIMES, "A clip.", end=1.0)


def shown(svg):
    return re.findall(r">([^<]+)</text>", svg)


def test_the_browser_gets_names_and_where_they_start():
    content, _ = pack(SCENE, {})
    head, array = unpacked(content)
    row = head["rows"][1]
    assert (row["title"], row["names"]) == ("Phones", ["pau", "aa", "narrow<&>", ""])
    np.testing.assert_allclose(array(row["times"]), SPOKEN.times, atol=1e-6)
    assert "lines" not in row


def test_the_svg_writes_a_name_where_it_has_room_and_leaves_a_gap_for_an_empty_one():
    svg = scene_svg(SCENE)
    assert "pau" in shown(svg)
    assert "narrow&lt;&amp;&gt;" in shown(svg)
    assert "aa" not in shown(svg)  # 9 pixels
    assert svg.count('fill="#f4f4f4"') == 3
    zoomed = scene_svg(SCENE, view=(0.29, 0.32))
    assert "aa" in shown(zoomed)
    assert zoomed.count('fill="#f4f4f4"') == 3
    assert "pau" not in shown(scene_svg(SCENE, view=(0.4, 0.6)))
    x = [
        float(at)
        for at in re.findall(r'<rect x="([-\d.]+)" y="\d+" width="[\d.]+" height="30"', zoomed)
    ]
    assert min(x) >= 70


def test_the_names_are_kept_beside_their_times():
    arrays = row_arrays(SCENE)
    assert arrays["Phones"].tolist() == list(SPOKEN.names)
    np.testing.assert_array_equal(arrays["Phones, times (s)"], SPOKEN.times)
