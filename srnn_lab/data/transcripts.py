"""What is said in the bundled clips."""

from pathlib import Path

TRANSCRIPTS = "transcripts.tsv"
"""Name of the file in a folder of clips: on each line a clip's path without its ending, a tab and
its text."""


def transcripts(folder: Path) -> dict[str, str]:
    """What is said in the clips of a folder.

    Returns:
        The text of each clip, by the clip's name. Empty if the folder has no file of texts.

    Raises:
        ValueError: A line has no tab.
    """
    path = folder / TRANSCRIPTS
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    if wrong := next((line for line in lines if "\t" not in line), None):
        raise ValueError(
            f"{path}: the line {wrong[:40]!r} has no tab; expected a clip, a tab and its text."
        )
    return dict(line.split("\t", 1) for line in lines)
