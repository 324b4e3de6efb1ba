"""A clip as a scene: what the dashboard plays, the command line writes and the notebooks show."""

import numpy as np

from srnn_lab.analysis.events import near_windows
from srnn_lab.analysis.inspection import Inspection
from srnn_lab.analysis.transitions import match_spikes
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.data.kinds import Roll
from srnn_lab.data.labels import Labels
from srnn_lab.data.midi import Timing
from srnn_lab.data.music import Roll as Notes
from srnn_lab.pictures.clip_rows import clip_rows, describe_rows, pitch_range, roll_row, with_labels
from srnn_lab.pictures.scene import Scene


def clip_scene(
    checkpoint: Checkpoint,
    signal: np.ndarray,
    clip: Inspection,
    name: str,
    labels: Labels | None = None,
    timing: Timing | None = None,
) -> Scene:
    """Figure 3 for raw frames, pictures for log-mel ones, piano rolls for music, lines for tables.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: What the model makes of it; its changes are the dotted lines.
        name: Of the clip.
        labels: What is heard when, drawn below the first row.
        timing: Tempo and metre of music, whose axis then counts bars.

    Returns:
        The rows over one time axis, with a description for someone who does not see them.
    """
    data = checkpoint.config.data
    rows = clip_rows(checkpoint, signal, clip, match_spikes(clip, near_windows(data)[-1]))
    # What someone who does not see it should know.
    unit, peak = data.kind.time_unit, float(clip.times[clip.largest_spike])
    largest_at = timing.moment(peak) if timing else f"{peak:.2f} {unit}"
    description = describe_rows(name, rows, clip, largest_at)
    return Scene(
        with_labels(rows, labels),
        clip.times,
        description,
        end=len(signal) / data.rate,
        unit=unit,
        seconds=data.kind.unit_seconds,
        marks=clip.times[clip.changes],
        mark_name=data.kind.change,
        bars=timing.beats(len(signal) / data.rate) if timing else (),
    )


def roll_scene(title: str, roll: Notes, times: np.ndarray, marks: tuple[float, ...] = ()) -> Scene:
    """A piano roll alone.

    Args:
        title: What stands above it.
        roll: Notes, or p(note).
        times: Middle of each frame, in quarter notes.
        marks: Times of dotted lines.

    Returns:
        One row over an axis in quarter notes, with a description.
    """
    description = f"{title}: {len(roll)} frames of notes."
    row = roll_row(title, times, roll, pitch_range(roll))
    return Scene(
        [row],
        times,
        description,
        unit=Roll.time_unit,
        seconds=Roll.unit_seconds,
        marks=np.array(marks),
    )
