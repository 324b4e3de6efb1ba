"""The player as a page in one file with its sounds: it needs no server and no other machine."""

import base64
from html import escape
from pathlib import Path

from srnn_lab.pictures.protocol import Orders
from srnn_lab.pictures.scene import Scene, pack
from srnn_lab.player.script import player_script
from srnn_lab.player.sound import Sounds, small_sound_file

_HERE = Path(__file__).parent
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{
  color-scheme: light dark;
  --st-text-color: light-dark(#31333f, #e6e6e6);
  --st-background-color: light-dark(#ffffff, #0e1117);
  --st-primary-color: #0072b2;
  --st-font: sans-serif;
}}
body {{ margin: 1rem; background: var(--st-background-color); color: var(--st-text-color); \
font-family: sans-serif; }}
h1 {{ font-size: 1.2rem; }}
{style}</style>
{home}<h1>{title}</h1>
<p>{description}</p>
<div></div>
<script type="module">
import show from "{script}";
const data = Uint8Array.from(atob("{data}"), (byte) => byte.charCodeAt(0));
const parentElement = document.querySelector("div");
const draw = () => show({{ data, parentElement, setStateValue: () => {{}} }});
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
</script>
</html>
"""


def scene_html(
    scene: Scene,
    sounds: Sounds,
    title: str,
    selection: tuple[float, float] | None = None,
    view: tuple[float, float] | None = None,
    heard: str = "",
    home: str = "",
) -> str:
    """Rows and sounds to look at, to play and to zoom, in any browser.

    Args:
        scene: What is drawn.
        sounds: What can be heard.
        title: Heading of the page.
        selection: What is chosen when it is opened.
        view: The stretch of the axis that is zoomed to; None: all of it.
        heard: Name of the sound that is played first; empty: the first.
        home: Address of the page that links to this one, if it is part of a site.

    Returns:
        The text of an HTML file that holds all it needs.
    """
    start, end = view or (0.0, 0.0)
    orders: Orders = {
        "key": "player",
        "jump": {"start": selection[0], "end": selection[1], "number": 1} if selection else None,
        "look": {"start": start, "end": end, "sound": heard, "number": 1},
        "turn": 0,
        "sounds": [
            {"name": name, "address": _inline(*small_sound_file(*sound)), "onRequest": False}
            for name, sound in sounds.items()
        ],
    }
    data, _ = pack(scene, orders)
    return _PAGE.format(
        title=escape(title),
        home=f'<nav><a href="{escape(home)}">All pages</a></nav>\n' if home else "",
        description=escape(scene.description),
        style=(_HERE / "player.css").read_text(),
        script=_inline(player_script().encode(), "text/javascript"),
        data=base64.b64encode(data).decode(),
    )


def _inline(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
