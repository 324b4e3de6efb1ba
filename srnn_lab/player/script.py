"""The player's JavaScript modules as one: Streamlit takes one string, and a page is one file."""

import re
from pathlib import Path

_HERE = Path(__file__).parent
MODULES = [
    *(_HERE / "js" / f"{name}.js" for name in ("numbers", "bytes", "sound", "rows", "painter")),
    _HERE / "player.js",
]
"""Each after those that it imports from; no two have a name in common, and no import renames."""


def player_script() -> str:
    """The text of all modules, without the imports and with the last one's export alone."""
    texts = (path.read_text(encoding="utf-8") for path in MODULES)
    return "\n".join(
        re.sub(r"^import .*\n|^export (?!default)", "", text, flags=re.M) for text in texts
    )
