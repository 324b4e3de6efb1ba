"""The clips that come with the package."""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from textwrap import shorten

from srnn_lab.config import DataConfig
from srnn_lab.data.kinds import KINDS
from srnn_lab.data.speech import BUNDLED_VOICE
from srnn_lab.data.transcripts import transcripts

ASSETS, CHORALES = BUNDLED_VOICE.parent, "chorales"
LONGEST_TITLE = 32
"""Characters of a clip's title, which has to fit into a box at the side of a page."""

MUSIC_OF = {"nottingham": "folk", "piano": "piano", "muse": "chamber"}
"""Collection that a model is trained on -> folder of clips of that kind; of others, chorales."""


def music_of(config: DataConfig) -> str:
    """The folder of clips of the kind that a model of music is trained on."""
    return MUSIC_OF.get(config.data.rpartition("/")[2], CHORALES)


def clips_of_kind(config: DataConfig) -> dict[str, Path]:
    """The clips of the kind that a model is trained on.

    Args:
        config: What the model is trained on.

    Returns:
        By name, their files; none of tables.
    """
    clips = bundled_clips(config.features)
    if not config.kind.notes:
        return clips
    return {name: path for name, path in clips.items() if path.parent.name == music_of(config)}


def bundled_clips(features: str) -> dict[str, Path]:
    """The clips that models of such frames can take, by name.

    Args:
        features: Kind of frame.

    Returns:
        By name, their files; none of tables.
    """
    if not KINDS[features].heard:
        return {}
    if KINDS[features].notes:
        others = {
            f"{folder}/{name}": path
            for folder in MUSIC_OF.values()
            for name, path in clip_names(ASSETS / folder, "*.mid").items()
        }
        return clip_names(ASSETS / CHORALES, "*.mid") | others
    labelled = {
        f"reader/{name}": path for name, path in clip_names(ASSETS / "reader", "*.flac").items()
    }
    return clip_names(ASSETS / "voice", "**/*.flac") | labelled


@cache  # a page asks at each run, and each sound would be opened for its length
def clip_names(folder: Path, pattern: str) -> dict[str, Path]:
    """Clips by the name a visitor reads; speech clips of 2 to 4 s come first.

    Args:
        folder: Where they are.
        pattern: Of their files.

    Returns:
        By name, their files.
    """
    import soundfile

    paths = sorted(folder.glob(pattern))
    if folder.name == "voice":
        paths.sort(key=lambda path: not 2 <= soundfile.info(path).duration <= 4)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def words_of(path: Path) -> str:
    """What is said or sung in the file of a bundled clip, or what the piece is called.

    Returns:
        The words; empty if the file is no bundled clip.
    """
    if not path.is_relative_to(ASSETS):
        return ""
    folder = ASSETS / path.relative_to(ASSETS).parts[0]
    name = path.relative_to(folder).with_suffix("").as_posix()
    return _bundled_words(folder).get(name, "")


@cache
def _bundled_words(folder: Path) -> dict[str, str]:
    """The transcripts of a folder of bundled clips, which nobody changes."""
    return transcripts(folder)


def clip_titles(clips: Mapping[str, Path]) -> dict[str, str]:
    """What clips are called in a list: by the beginning of their words.

    Args:
        clips: Files by name.

    Returns:
        By name, a title; no two are alike. Clips without words keep their names.
    """
    words = {name: words_of(path).replace("...", " ") for name, path in clips.items()}
    titles = {
        name: shorten(text, LONGEST_TITLE, placeholder=" …") or name for name, text in words.items()
    }
    count = Counter(titles.values())
    return {
        name: title if count[title] == 1 else f"{title} ({name})" for name, title in titles.items()
    }
