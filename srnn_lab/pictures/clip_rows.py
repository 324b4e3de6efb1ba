"""An inspected clip as rows of the player, and kinds of rows that other pages make theirs of."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from srnn_lab.analysis.inspection import Inspection
from srnn_lab.analysis.transitions import Spikes
from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data import kinds
from srnn_lab.data.labels import Labels
from srnn_lab.data.music import LOWEST_PITCH, Roll
from srnn_lab.pictures.colours import KL, LOGVAR, MAGMA, MEAN, NOTES, OVERLAID, SIGNAL, VIRIDIS
from srnn_lab.pictures.limits import beyond, robust_limits
from srnn_lab.pictures.scene import Line, Lines, Names, Picture, Row, Style

LEFT_OUT = "#8c8c8c"
"""Grey of the KL in frames where no spike is looked for."""
MARGIN = 3
"""Semitones that are shown beyond the lowest and the highest note."""
MAX_DIMENSIONS = 64
"""Dimensions of z in the heat map; the others are used less."""
MAX_COLUMNS = 12
"""Columns of a table that have a row each; more are shown as a picture."""
KILOHERTZ = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Frequencies that are marked beside log-mel energies."""


def clip_rows(
    checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection, spikes: Spikes
) -> dict[str, Row]:
    """The rows of a clip: those of Figure 3 for raw frames, pictures for others.

    Args:
        checkpoint: The model.
        signal: The clip.
        clip: What the model makes of it.
        spikes: The spikes of its KL.

    Returns:
        Rows by their short name, from the top.
    """
    data = checkpoint.config.data
    kl = kl_row(clip, spikes, "steps" if data.kind.notes else "line")
    if isinstance(data.kind, kinds.Series):
        columns, inputs = _table_rows(checkpoint, signal, clip), _input_rows(signal, data)
        kl = replace(kl, lines=[_any_spike(line) for line in kl.lines if line.style != "dots"])
        return {**columns, "KL": kl, **inputs, "KL of z": latent_row(clip)}
    first = signal_row(data.kind.title, signal, data, [signal])
    shown = {
        kinds.Raw: _waveform_rows,
        kinds.LogMel: _mel_rows,
        kinds.Roll: _roll_rows,
    }[type(data.kind)]
    return {
        first.title.lower(): first,
        "KL": kl,
        **shown(checkpoint, signal, clip),
        "KL of z": latent_row(clip),
    }


def _any_spike(line: Line) -> Line:
    """A line of the KL where no events are known that its spikes could be at."""
    return replace(line, name="spike") if line.style == "rings" else line


def with_labels(rows: Mapping[str, Row], labels: Labels | None) -> list[Row]:
    """The rows, with what is heard when below the first."""
    first, *others = rows.values()
    return [first, *([Names("Labels", labels.times, labels.names)] if labels else []), *others]


def describe_rows(name: str, rows: Mapping[str, Row], clip: Inspection, largest_at: str) -> str:
    """What someone who does not see the rows of a clip should know.

    Args:
        name: Of the clip.
        rows: Those that are shown.
        clip: What they are of.
        largest_at: Where its largest spike is, in words.

    Returns:
        Two or three sentences.
    """
    told = (
        f"{name}: {', '.join(rows)} over {len(clip.kl)} frames. The KL is {clip.kl.mean():.1f} "
        f"nats on average and {clip.kl[clip.largest_spike]:.1f} at its largest spike, at "
        f"{largest_at}."
    )
    heat_map, known = rows.get("KL of z"), clip.kl_z.shape[1]
    if isinstance(heat_map, Picture) and (used := heat_map.values.shape[1]) < known:
        told += f" The heat map has the {used} most used of {known} dimensions of z."
    return told


def kl_row(clip: Inspection, spikes: Spikes, style: Style) -> Lines:
    """The KL of each frame, grey where no spike is looked for, with its spikes as circles.

    Args:
        clip: The clip.
        spikes: Its spikes: filled circles at events, open ones elsewhere.
        style: How the KL is drawn.

    Returns:
        A row in nats, whose axis no rare frame can stretch.
    """
    left_out = np.where(clip.left_out, clip.kl, np.nan)
    lines = [
        Line("KL", clip.times, clip.kl, KL, style),
        Line("left out", clip.times, left_out, LEFT_OUT, style),
    ]
    shapes: dict[Style, str] = {"dots": "spike at an event", "rings": "elsewhere"}
    for (shape, name), chosen in zip(shapes.items(), (spikes.hits, ~spikes.hits), strict=True):
        frames = spikes.frames[chosen]
        lines.append(Line(name, clip.times[frames], clip.kl[frames], SIGNAL, shape))
    return nats_row("KL(q ‖ p)", lines, robust_limits([clip.kl]))


def nats_row(title: str, lines: list[Line], limits: tuple[float, float]) -> Lines:
    """Lines of nats per frame.

    Args:
        title: What stands above the row.
        lines: The lines.
        limits: Lowest and highest value of the axis.

    Returns:
        A row with a note on how many frames leave the axis, and how far.
    """
    return Lines(
        title,
        "nats",
        lines,
        limits,
        beyond([(line.times, line.values) for line in lines], limits, "nats"),
    )


def latent_row(clip: Inspection) -> Picture:
    """The KL of each dimension of z, the most used on top.

    Returns:
        A picture whose brightest colour is the largest value but for a few, in nats.
    """
    shown = min(MAX_DIMENSIONS, max(8, 2 * clip.active_units))
    order = np.argsort(-clip.use, kind="stable")[:shown][::-1]
    values = clip.kl_z[:, order] if len(order) else np.zeros((len(clip.kl), 1))
    high = max(float(np.quantile(values, 0.998)), 1e-3)
    ticks = {int(i): f"z{order[i]}" for i in {len(order) - 1, len(order) // 2} if len(order)}
    return Picture(
        "KL of each dimension of z",
        "nats",
        clip.times,
        values,
        VIRIDIS,
        ticks,
        (0.0, high),
        "dimension",
    )


def signal_row(title: str, signal: np.ndarray, data: DataConfig, alike: list[np.ndarray]) -> Row:
    """The signal of a clip that is something to hear: a waveform or a piano roll.

    Args:
        title: What stands above the row.
        signal: What is drawn.
        data: What a frame is.
        alike: Signals that are drawn on the same scale, this one included.

    Returns:
        A row over the time axis of the signal.
    """
    times = signal_times(signal, data)
    if data.kind.notes:
        return roll_row(title, times, signal, pitch_range(*alike))
    return wave_row(title, times, signal, max(float(np.abs(wave).max()) for wave in alike))


def signal_rows(title: str, signal: np.ndarray, data: DataConfig) -> list[Row]:
    """The signal of a clip: one row, or of a table those of ``table_rows``."""
    if not isinstance(data.kind, kinds.Series):
        return [signal_row(title, signal, data, [signal])]
    columns = data.kind.parts(signal)[0]
    return table_rows(
        title, signal_times(signal, data), columns, data.kind.column_names(columns), data.kind.alike
    )


def signal_times(signal: np.ndarray, data: DataConfig) -> np.ndarray:
    """Times of a waveform's samples, in seconds, or of a roll's frame middles, in quarter notes."""
    return (np.arange(len(signal)) + 0.5 * (signal.ndim > 1)) / data.rate


def wave_row(
    title: str,
    times: Float[np.ndarray, "n"],
    wave: Float[np.ndarray, "n"],
    loudest: float,
    colour: str = SIGNAL,
) -> Lines:
    """A waveform.

    Args:
        title: What stands above the row.
        times: When each sample is heard, in seconds.
        wave: The samples.
        loudest: Largest amplitude that the axis has room for.
        colour: Of the line.

    Returns:
        A row with 0 in the middle.
    """
    limit = 1.05 * loudest
    return Lines(title, "amplitude", [Line(title, times, wave, colour)], (-limit, limit))


def mean_row(
    title: str, checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection, mean: np.ndarray
) -> Row:
    """What frames look like as a row of their signal, such as their mean under the posterior.

    Args:
        title: What stands above the row.
        checkpoint: The model.
        signal: The clip, whose scale is taken; for log-mel energies, that of its frames.
        clip: What the model makes of it.
        mean: The frames (T, X) that are drawn, in the units that the model sees.

    Returns:
        A waveform, p(note) as opacity, or a picture of energies.
    """
    data, frontend = checkpoint.config.data, checkpoint.frontend
    if data.kind.notes:
        return roll_row(title, clip.times, mean, pitch_range(signal), "p")
    if isinstance(data.kind, kinds.LogMel):
        return mel_row(
            title,
            clip.times,
            mean,
            data.sample_rate,
            (float(clip.frames.min()), float(clip.frames.max())),
        )
    return wave_row(
        title, sample_times(clip, data), frontend.waveform(mean), float(np.abs(signal).max()), MEAN
    )


def frames_row(
    title: str, checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection, mean: np.ndarray
) -> Row:
    """What frames look like: ``mean_row``, or of a table one picture of all its columns."""
    data, kind = checkpoint.config.data, checkpoint.config.data.kind
    if not isinstance(kind, kinds.Series):
        return mean_row(title, checkpoint, signal, clip, mean)
    of, unit = (f"{title} (standardised)", "sd") if kind.values == "real" else (title, "value")
    if kind.values == "category":
        unit, names = "p", [str(i) for i in range(mean.shape[1])]
    else:
        names = data.kind.column_names(mean)
    return _columns_picture(of, unit, clip.times, mean, names)


def sample_times(clip: Inspection, data: DataConfig) -> Float[np.ndarray, "n"]:
    """When each sample of the scored frames of a waveform is heard, in seconds."""
    return (
        clip.times[0]
        - data.frame_length / 2 / data.sample_rate
        + np.arange(clip.mean.size) / data.sample_rate
    )


def table_rows(
    title: str,
    times: Float[np.ndarray, "t"],
    rows: Float[np.ndarray, "t c"],
    names: list[str],
    alike: bool,
) -> list[Row]:
    """The columns of a table, with an axis for each unit.

    Args:
        title: What stands above the row, before the names of its columns if there are several rows.
        times: Of the rows of the table.
        rows: Their values.
        names: Of the columns.
        alike: Whether columns that have no unit share an axis.

    Returns:
        A row for each unit, in the order of the columns: lines or, where columns of one unit are
        many, a picture. Where there are more than ``MAX_COLUMNS`` rows, one picture of all columns,
        each standardised.
    """
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        unit = kinds.name_and_unit(name)[1]
        groups.setdefault(unit or ("" if alike else f"column {i}"), []).append(i)
    if len(groups) > MAX_COLUMNS:
        known = np.ma.masked_invalid(rows)
        spread = known.std(0).filled(0)
        standardised = (rows - known.mean(0).filled(0)) / np.where(spread > 0, spread, 1)
        return [_columns_picture(f"{title} (standardised)", "sd", times, standardised, names)]
    found = []
    for own in groups.values():
        here = [names[i] for i in own]
        short = [kinds.name_and_unit(name)[0] for name in here]
        unit = kinds.name_and_unit(here[0])[1] or "value"
        of = f"{title}: {', '.join(short)}" if len(groups) > 1 else title
        if len(own) > len(OVERLAID):
            found.append(_columns_picture(of, unit, times, rows[:, own], short))
            continue
        columns = zip(here, rows.T[own], OVERLAID, strict=False)
        lines = [Line(name, times, values, colour) for name, values, colour in columns]
        found.append(Lines(of, unit, lines))
    return found


def _columns_picture(
    title: str, unit: str, times: np.ndarray, rows: np.ndarray, names: list[str]
) -> Picture:
    return Picture(title, unit, times, rows, VIRIDIS, dict(enumerate(names)), None, "column")


def mel_row(
    title: str,
    times: Float[np.ndarray, "t"],
    values: Float[np.ndarray, "t x"],
    sample_rate: int,
    limits: tuple[float, float] | None,
    colours: list[str] = MAGMA,
    unit: str = "sd",
) -> Picture:
    """Log-mel energies as a picture, or another value for each of them.

    Args:
        title: What stands above the row.
        times: Middle of each frame, in seconds.
        values: A value for each bin of each frame.
        sample_rate: Samples a second of the sound, which says where the marked frequencies lie.
        limits: Values of the first and the last colour; None: the lowest and the highest value.
        colours: From the lowest to the highest value.
        unit: Of the values; ``sd`` is standard deviations of the training set.

    Returns:
        A picture whose colours by default get ever brighter, so that they read without colour.
    """
    bins = values.shape[1]
    ticks = {mel_bin(f, sample_rate, bins): f"{f:g}" for f in KILOHERTZ if f <= sample_rate / 2000}
    return Picture(title, unit, times, values, colours, ticks, limits, "kHz")


def mel_bin(kilohertz: float, sample_rate: int, num_bins: int) -> float:
    """The index of the mel bin that is centred at a frequency, on Slaney's mel scale.

    Args:
        kilohertz: The frequency.
        sample_rate: Samples a second of the sound.
        num_bins: Mel bins from 0 Hz to half the sample rate.

    Returns:
        An index from 0, a fraction between two bins.
    """

    def mel(frequency: float) -> float:
        return 15 * frequency if frequency < 1 else 15 + 27 * np.log(frequency) / np.log(6.4)

    return float(mel(kilohertz) / mel(sample_rate / 2000) * (num_bins + 1) - 1)


def roll_row(
    title: str, times: Float[np.ndarray, "t"], roll: Roll, pitches: tuple[int, int], unit: str = ""
) -> Picture:
    """Notes of a range of pitches, or p(note) as opacity.

    Args:
        title: What stands above the row.
        times: Middle of each frame, in quarter notes.
        roll: Notes, or p(note), from 0 to 1.
        pitches: The first key that is shown and the one after the last, as of ``pitch_range``.
        unit: Empty for notes; with one, a scale of colours stands beside the title.

    Returns:
        A picture with the names of the octaves.
    """
    shown = roll[:, slice(*pitches)]
    return Picture(title, unit, times, shown, NOTES, octave_ticks(pitches), (0.0, 1.0), "pitch")


def pitch_range(*rolls: Float[np.ndarray, "_ 88"]) -> tuple[int, int]:
    """The first key shown of piano rolls, counted from the lowest, and the one after the last."""
    sounding = np.flatnonzero(np.any([roll.any(0) for roll in rolls], 0))
    low, high = (sounding[0], sounding[-1]) if len(sounding) else (0, rolls[0].shape[1] - 1)
    return max(0, int(low) - MARGIN), min(rolls[0].shape[1], int(high) + MARGIN + 1)


def octave_ticks(pitches: tuple[int, int]) -> dict[int, str]:
    """The name of each C in a range of pitches, by its place there."""
    keys = [key for key in range(*pitches) if (LOWEST_PITCH + key) % 12 == 0]
    return {key - pitches[0]: f"C{(LOWEST_PITCH + key) // 12 - 1}" for key in keys}


def _waveform_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> dict[str, Row]:
    logvar = (clip.logvar + 2 * np.log(checkpoint.frontend.std)).reshape(-1)
    line = Line("log-variance", sample_times(clip, checkpoint.config.data), logvar, LOGVAR)
    return {
        "mean": mean_row("Reconstructed mean", checkpoint, signal, clip, clip.mean),
        "log-variance": Lines("Reconstructed log-variance", "log amp²", [line]),
    }


def _mel_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> dict[str, Row]:
    rate, logvar = checkpoint.config.data.sample_rate, "Reconstructed log-variance"
    return {
        kinds.LogMel.name: mean_row(
            "Log-mel energies (standardised)", checkpoint, signal, clip, clip.frames
        ),
        "mean": mean_row("Reconstructed mean", checkpoint, signal, clip, clip.mean),
        "log-variance": mel_row(logvar, clip.times, clip.logvar, rate, None, VIRIDIS, "log sd²"),
    }


def _roll_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> dict[str, Row]:
    return {
        "p(note)": mean_row(
            "p(note) under the posterior (opacity)", checkpoint, signal, clip, clip.mean
        )
    }


def _table_rows(checkpoint: Checkpoint, signal: np.ndarray, clip: Inspection) -> dict[str, Row]:
    """A row for each column with its unit, beside what the model makes of it.

    Returns:
        Rows by name; of many columns, or of categories, two pictures.
    """
    data, kind = checkpoint.config.data, checkpoint.config.data.kind
    columns = kind.parts(signal)[0]
    if not isinstance(kind, kinds.Series) or kind.values == "category":
        (table,) = signal_rows(kind.title, signal, data)
        mean = frames_row("Mean under the posterior", checkpoint, signal, clip, clip.mean)
        return {"table": table, "mean": mean}
    names = data.kind.column_names(columns)
    if len(names) > MAX_COLUMNS:
        return {
            title.lower(): frames_row(title, checkpoint, signal, clip, values)
            for title, values in (("Columns", clip.frames), ("Mean", clip.mean))
        }
    mean = checkpoint.frontend.signal(clip.mean)
    sd = np.exp(clip.logvar / 2) * checkpoint.frontend.std
    return {
        f"{name} (column)" if name.startswith(("KL", "Known input")) else name: column_row(
            name, signal_times(signal, data), columns[:, i], clip.times, mean[:, i], sd[:, i]
        )
        for i, name in enumerate(names)
    }


def column_row(
    name: str,
    times: Float[np.ndarray, "n"],
    x: Float[np.ndarray, "n"],
    scored: Float[np.ndarray, "t"],
    mean: Float[np.ndarray, "t"],
    sd: Float[np.ndarray, "t"],
) -> Lines:
    """A column of a table, and its mean under the posterior with two deviations on either side.

    A missing value leaves a gap; one between two gaps is a dot.

    Args:
        name: Of the column, with its unit in brackets.
        times: Of its values.
        x: Its values.
        scored: Times of the mean.
        mean: Of x under the posterior.
        sd: Its standard deviation.

    Returns:
        A row with the unit of the column.
    """
    known = np.isfinite(x)
    beside = np.append(known[1:], False) | np.append(False, known[:-1])
    alone = known & ~beside
    dots = [Line("x between gaps", times[alone], x[alone], SIGNAL, "dots")] if alone.any() else []
    return Lines(
        name,
        kinds.name_and_unit(name)[1],
        [
            Line("mean − 2 sd", scored, mean - 2 * sd, LOGVAR),
            Line("mean + 2 sd", scored, mean + 2 * sd, LOGVAR),
            Line("mean", scored, mean, MEAN),
            Line("x", times, x, SIGNAL),
            *dots,
        ],
    )


def _input_rows(signal: np.ndarray, data: DataConfig) -> dict[str, Row]:
    """The known inputs of a table, if it has any."""
    if (known := data.kind.parts(signal)[1]) is None:
        return {}
    names = data.kind.input_names
    title = f"Known input {names[0]}" if len(names) == 1 else "Known inputs"
    rows = table_rows(title, signal_times(signal, data), known, names, alike=False)
    return {row.title: row for row in rows}
