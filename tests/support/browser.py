"""A Streamlit server and a headless browser that insists on staying on this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from processes import wait_for

PLAYER = "canvas[aria-valuenow]"
PATH = "--server.baseUrlPath"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
]


def browser_executable() -> str | None:
    """An installed Chromium or Chrome, or else Playwright's own, which is then installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    return None


@contextmanager
def serve(*arguments: str, program: str = "streamlit", cwd: Path | None = None) -> Iterator[str]:
    """The address of ``streamlit ARGUMENTS``, once it answers; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_HEADLESS": "true"}
    command = [str(Path(sys.executable).parent / program), *arguments]
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL)
    path = arguments[arguments.index(PATH) + 1] if PATH in arguments else ""
    address = f"http://127.0.0.1:{port}/{path}".rstrip("/")

    def answers() -> bool:
        assert process.poll() is None, f"the server ended with status {process.returncode}"
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).read()
        except OSError:
            time.sleep(0.1)
            return False
        return True

    try:
        wait_for(answers)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def launch() -> Iterator[Browser]:
    """A headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_executable(), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def open_dashboard(folder: Path, height: int = 900) -> Iterator[tuple[Page, str]]:
    """A page of a browser, and the address of a dashboard that has its runs in ``folder``."""
    script = Path(__file__).parents[2] / "dashboard.py"
    with (
        serve("run", str(script), "--browser.gatherUsageStats", "false", cwd=folder) as address,
        launch() as browser,
        open_page(browser, address, viewport={"width": 1280, "height": height}) as page,
    ):
        yield page, address


@contextmanager
def open_page(browser: Browser, address: str, **context: object) -> Iterator[Page]:
    """A page; at the end, no request has gone anywhere but to ``address``, and no script failed."""
    outside, errors = [], []
    page = browser.new_page(**context)
    page.on(
        "request",
        lambda r: (
            outside.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None
        ),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert outside == []
    assert errors == []


def wait_to_see(locator: Locator) -> None:
    """Wait until it is there, to within milliseconds: Playwright looks only twice a second."""
    wait_for(lambda: locator.is_visible() or locator.page.wait_for_timeout(10))


def drag(page: Page, start: float, end: float) -> None:
    """Drag over the player's rows from one time to another, between the margins of player.js."""
    canvas = page.locator(PLAYER)
    canvas.scroll_into_view_if_needed()
    box, length = canvas.bounding_box(), float(canvas.get_attribute("aria-valuemax"))
    x = [
        box["x"] + 66 + time / length * (box["width"] - 66 - 14)
        for time in (start, (start + end) / 2, end)
    ]
    page.mouse.move(x[0], box["y"] + 60)
    page.mouse.down()
    for position in x[1:]:
        page.mouse.move(position, box["y"] + 60)
        page.wait_for_timeout(50)
    page.mouse.up()


def times_between_places(page: Page) -> np.ndarray:
    """Milliseconds between two places of the playhead while the player plays, for two seconds."""
    seen = page.locator(PLAYER).evaluate(
        """canvas => new Promise((resolve) => {
             const seen = [];
             const look = (now) => {
               if (seen.at(-1)?.[1] !== canvas.dataset.time) seen.push([now, canvas.dataset.time]);
               if (now - seen[0][0] < 2000) requestAnimationFrame(look);
               else resolve(seen);
             };
             requestAnimationFrame(look);
           })"""
    )
    return np.diff([now for now, _ in seen])


def wait_until_it_moves(page: Page) -> None:
    """Wait until the playhead of the player stands elsewhere than now."""
    canvas = page.locator(PLAYER)
    expect(canvas).not_to_have_attribute(
        "data-time", canvas.get_attribute("data-time"), timeout=60_000
    )
