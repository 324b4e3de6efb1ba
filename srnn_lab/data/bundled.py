"""The clips that come with the package."""

from pathlib import Path

from srnn_lab.data.kinds import KINDS
from srnn_lab.data.speech import BUNDLED_VOICE

ASSETS = BUNDLED_VOICE.parent


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
        return clip_names(ASSETS / "chorales", "*.mid")
    labelled = {
        f"reader/{name}": path for name, path in clip_names(ASSETS / "reader", "*.flac").items()
    }
    return clip_names(ASSETS / "voice", "**/*.flac") | labelled


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
