"""Frames a second of the page Map in headless Chromium: ``map_frames.py ADDRESS FOLDER POINTS``.

ADDRESS is that of a running dashboard, FOLDER of sounds that the server can read, POINTS how many
of their frames the map shows. While the pointer moves without a pause for four seconds, the browser
counts its frames: at rest, over the points, as a drag draws the frame of a zoom, and as shift and
a drag move the map.
"""

import math
import sys
import time

import numpy as np
from browser import launch

SECONDS = 4
SHOWN = """(points) => {
    const data = document.querySelector('.js-plotly-plot')?._fullData ?? [];
    return data.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0) === points;
}"""
COUNT = """() => {
    window.seen = [];
    const look = (now) => {
        if (window.seen?.push(now)) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""
STOP = "() => { const seen = window.seen; window.seen = null; return seen; }"


def main(address: str, folder: str, points: int) -> None:
    """Print how long the map takes to come, and the frames a second of each movement."""
    with launch() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)
        page.goto(f"{address}/map?checkpoint=voice-mel")
        box = page.get_by_label("Folder of")
        box.fill(folder)
        start = time.perf_counter()
        box.press("Enter")
        page.wait_for_function(SHOWN, arg=points, timeout=900_000)
        print(f"{points:,} points after {time.perf_counter() - start:.0f} s")
        page.wait_for_timeout(5000)
        chart = page.locator(".js-plotly-plot")
        chart.scroll_into_view_if_needed()
        where = chart.bounding_box() or {}
        for movement in ("rest", "hover", "zoom", "pan"):
            page.evaluate(COUNT)
            end, i = time.perf_counter() + SECONDS, 0
            while time.perf_counter() < end:
                if movement == "rest":
                    page.wait_for_timeout(100)
                    continue
                x, y = 0.4 + 0.2 * math.sin(i / 11), 0.4 + 0.2 * math.sin(i / 7)
                page.mouse.move(where["x"] + x * where["width"], where["y"] + y * where["height"])
                if movement == "pan" and i == 0:
                    page.keyboard.down("Shift")
                if movement in ("zoom", "pan") and i == 0:
                    page.mouse.down()
                i += 1
            took = np.diff(page.evaluate(STOP))
            page.mouse.up()
            page.keyboard.up("Shift")
            page.wait_for_timeout(2000)
            print(
                f"{movement}: {1000 / took.mean():.0f} a second, longest {took.max():.0f} ms, "
                f"{i} movements"
            )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
