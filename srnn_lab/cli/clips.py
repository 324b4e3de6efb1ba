"""``srnn-lab inspect`` and ``sample``: what a model makes of a clip, and what it draws."""

import argparse
import math
from pathlib import Path
from typing import Any

from srnn_lab.cli.options import (
    AUCS,
    add_future,
    add_json,
    checkpoint_command,
    count,
    load_checkpoint,
    path,
    read_future,
    seed,
)
from srnn_lab.system.files import write_atomically

MAX_PARTICLES = 10_000
MAX_STEPS = 100_000
"""Frames that are drawn at the most: 20 minutes of the voice, nine hours of eighth notes."""


def add_inspect(commands: Any) -> None:
    """Add ``inspect``."""
    command = checkpoint_command(
        commands,
        "inspect",
        "compute KL, reconstruction and posterior of a file or a folder",
        inspect_file,
        " Bounds and KL are printed in nats per frame, times in seconds (MIDI: quarter notes)."
        + AUCS,
    )
    command.add_argument(
        "file",
        type=path,
        metavar="FILE",
        help="Audio, MIDI or table file, or a folder of them. Of a table that holds several "
        "sequences, FILE/NAME is one.",
    )
    command.add_argument(
        "--out",
        type=path,
        help=(
            "Folder for posterior.npz and player.html, which plays the clip, or for clips.csv if "
            "FILE is a folder."
        ),
    )
    command.add_argument(
        "--picture", type=path, metavar="FILE", help="Draw the rows in FILE.svg or FILE.pdf."
    )
    command.add_argument(
        "--width",
        type=float,
        default=265.0,
        metavar="MM",
        help="Width of the picture in millimetres, such as that of a paper's column; the text "
        "stays at 8 points. Default: 265.",
    )
    command.add_argument(
        "--labels",
        type=path,
        metavar="FILE",
        help="Phones or other labels of the file, in seconds (MIDI: in quarter notes): TextGrid, "
        ".lab, TIMIT's .PHN, Audacity's label track (.txt), or .csv with time and label. Default: "
        "those beside FILE, if there are any.",
    )


def inspect_file(args: argparse.Namespace) -> dict[str, Any]:
    """What a model makes of one file, as numbers and, if asked for, as files."""
    from srnn_lab.analysis.event_areas import areas_by_kind, measure_areas
    from srnn_lab.analysis.events import clip_events, near_windows
    from srnn_lab.analysis.export import npz_bytes
    from srnn_lab.analysis.inspection import inspect_signal, longest_clip
    from srnn_lab.data import read_clip, read_labels
    from srnn_lab.data.labels import labels_beside
    from srnn_lab.data.notices import notify
    from srnn_lab.pictures.clip import clip_scene
    from srnn_lab.pictures.svg import MM, scene_svg, svg_pdf
    from srnn_lab.player.page import scene_html
    from srnn_lab.player.sound import clip_sounds

    # Whether the files to write can be written, before anything is computed.
    suffix = args.picture.suffix.lower() if args.picture else ".svg"
    if suffix not in (".svg", ".pdf"):
        raise ValueError(f"--picture is {args.picture}; name a FILE.svg or a FILE.pdf.")
    if args.out and args.out.exists() and not args.out.is_dir():
        raise NotADirectoryError(
            f"--out is {args.out}, which is a file; name a folder for the two files to write."
        )
    # The model, the clip and its labels.
    checkpoint = load_checkpoint(args)
    data = checkpoint.config.data
    if args.file.is_dir():
        return _inspect_folder(args, checkpoint)
    signal, timing = read_clip(args.file, data, longest_clip(data))
    labels = None
    if given := args.labels or (labels_beside(args.file) if data.kind.heard else None):
        try:
            labels = read_labels(given).within(len(signal) / data.rate)
        except ValueError as error:
            if args.labels:
                raise
            notify(f"The labels beside the recording are left out: {error}")
    # What the model makes of the clip.
    clip = inspect_signal(checkpoint, signal)
    areas = measure_areas([clip], [clip_events(clip, signal, data, labels)], near_windows(data))
    scene = clip_scene(checkpoint, signal, clip, args.file.name, labels, timing)
    title = f"{args.file.name}, model {'/'.join(Path(args.checkpoint).parts[-2:])}"
    # The files.
    if args.out:
        arrays = clip.arrays() | (labels.arrays() if labels else {})
        write_atomically(args.out / "posterior.npz", npz_bytes(arrays))
        page = scene_html(scene, clip_sounds(checkpoint, signal, clip), title)
        write_atomically(args.out / "player.html", page.encode())
    if args.picture:
        svg = scene_svg(scene, title=title, width=args.width / MM)
        write_atomically(args.picture, svg_pdf(svg) if suffix == ".pdf" else svg.encode())
    return {
        **_told(clip),
        "labels": len(labels.names) if labels else None,
        "out": str(args.out) if args.out else None,
        "picture": str(args.picture) if args.picture else None,
        **areas_by_kind(areas),
    }


def _told(clip: Any) -> dict[str, Any]:
    """What is said of a clip."""
    largest = int(clip.kl.argmax())
    return {
        "frames": len(clip.kl),
        "elbo": float((clip.log_px - clip.kl).mean()),
        "log_px": float(clip.log_px.mean()),
        "kl": float(clip.kl.mean()),
        "largest_kl": float(clip.kl[largest]),
        "largest_kl_time": float(clip.times[largest]),
        "changes": len(clip.changes),
    }


def _inspect_folder(args: argparse.Namespace, checkpoint: Any) -> dict[str, Any]:
    """A line for each clip of a folder, in one table; a file of no use is left out, and named."""
    from srnn_lab.analysis.export import csv_text
    from srnn_lab.analysis.inspection import inspect_signal, longest_clip
    from srnn_lab.data.datasets import read_signals
    from srnn_lab.data.notices import notify
    from srnn_lab.data.splits import files_below

    if args.picture or args.labels:
        raise ValueError(f"{args.file} is a folder; --picture and --labels are of one file.")
    rows, data = [], checkpoint.config.data
    for file in files_below(args.file, data.kind.suffixes):
        name = file.relative_to(args.file).as_posix()
        try:
            rows.extend(
                {
                    "file": f"{name}/{own}" if own else name,
                    **_told(inspect_signal(checkpoint, signal)),
                }
                for own, signal in read_signals(file, data, longest_clip(data)).items()
            )
        except ValueError as error:
            notify(f"{file} is left out: {error}")
    if not rows:
        raise ValueError(f"{args.file} holds no file that the model can inspect.")
    table = {name: [row[name] for row in rows] for name in rows[0]}
    if args.out:
        write_atomically(args.out / "clips.csv", csv_text(table).encode())
    frames = sum(table["frames"])
    means = {
        name: sum(row[name] * row["frames"] for row in rows) / frames
        for name in ("elbo", "log_px", "kl")
    }
    said = {
        row["file"]: {name: value for name, value in row.items() if name != "file"} for row in rows
    }
    return {
        **said,
        "files": len(rows),
        "frames": frames,
        **means,
        "out": str(args.out) if args.out else None,
    }


def add_sample(commands: Any) -> None:
    """Add ``sample``."""
    command = checkpoint_command(
        commands, "sample", "draw a new sequence, or continue a file", write_sample
    )
    command.add_argument(
        "--out",
        type=path,
        required=True,
        help="FILE.mid or FILE.wav; for a table FILE.csv or FILE.npy.",
    )
    command.add_argument("--prime", type=path, help="Audio, MIDI or table file to continue.")
    command.add_argument(
        "--between",
        type=float,
        nargs=2,
        metavar=("FROM", "TO"),
        help="Draw only this stretch of --prime anew, so that it fits at both ends. FROM and TO "
        "are in seconds (MIDI: in quarter notes; tables: in their unit of time).",
    )
    command.add_argument(
        "--particles",
        type=count(MAX_PARTICLES),
        default=256,
        help="With --between, number of particles (candidate fillings). Default: 256.",
    )
    command.add_argument(
        "--steps",
        type=count(MAX_STEPS),
        help="Frames to draw. Default: 200, or as many as --future has.",
    )
    add_future(command)
    command.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="Multiplies the standard deviation of z and of audio, and divides the logits of "
        "notes. 0 takes the most likely values. Default: 1, as trained.",
    )
    command.add_argument("--seed", type=seed, default=0, help="Seed of the draws. Default: 0.")


def write_sample(args: argparse.Namespace) -> dict[str, Any]:
    """Draw a sequence, go on from a file or redraw a stretch of it; write notes, sound, a table."""
    import numpy as np

    from srnn_lab.analysis.inspection import clip_batch, longest_clip
    from srnn_lab.data import read_clip
    from srnn_lab.data.write import file_bytes
    from srnn_lab.inference.infilling import infill_frames
    from srnn_lab.inference.sampling import continue_frames

    checkpoint = load_checkpoint(args)
    data = checkpoint.config.data
    suffix = args.out.suffix.lower()
    if suffix not in data.kind.outputs:
        written = " or ".join(f"FILE{ending}" for ending in data.kind.outputs)
        raise ValueError(f"--out is {args.out}; this checkpoint writes {written}.")
    if args.out.is_dir():
        raise IsADirectoryError(
            f"{args.out} could not be written: it is a folder. Name a file in it."
        )
    if args.between and (not args.prime or args.temperature != 1):
        raise ValueError("--between is a stretch of --prime FILE, and is drawn at temperature 1.")
    if args.between and not all(map(math.isfinite, args.between)):
        raise ValueError(f"--between is {args.between}; give two finite numbers.")
    given, timing = None, None
    future = None if args.between else read_future(args, data)
    steps = args.steps or (200 if future is None else len(future))
    if args.prime:
        signal, timing = read_clip(args.prime, data, longest_clip(data))
        given, _ = clip_batch(checkpoint, signal)
    if args.between and given is not None:
        start, stop = (round(time * data.rate / data.hop) for time in args.between)
        steps = stop - start
        drawn = infill_frames(
            checkpoint, given, start, stop, particles=args.particles, seed=args.seed
        )
    else:
        drawn = continue_frames(
            checkpoint,
            given,
            steps,
            inputs=None if future is None else checkpoint.frontend.inputs(future),
            temperature=args.temperature,
            seed=args.seed,
        )
    whole = drawn.frames
    table = checkpoint.frontend.signal(whole)
    # Beside them what they follow from, as in the tables of the training.
    known = [data.kind.parts(signal)[1]] if args.prime and data.kind.input_names else []
    known += [] if future is None else [future[:steps]]
    if known:
        table = np.hstack([table, np.concatenate(known)])
    write_atomically(args.out, file_bytes(table, data.kind, suffix, timing))
    return {
        "out": str(args.out),
        "frames": len(whole),
        "drawn": steps,
        "temperature": args.temperature,
        "seed": args.seed,
    }


def add_export_site(commands: Any) -> None:
    """The command."""
    command = commands.add_parser(
        "export-site",
        help="write bundled models, clips and notebooks as static pages",
        description="Write the bundled models with a few clips, the strongest moments and the "
        "notebooks as static pages with sound. Any web host can serve them, or python -m "
        "http.server. They load nothing from other machines.",
    )
    command.add_argument("out", type=path, metavar="DIR", help="Folder of the site.")
    add_json(command)
    command.set_defaults(run=write_site)


def write_site(args: argparse.Namespace) -> dict[str, Any]:
    """Write the site."""
    from srnn_lab.dashboard.words import GROUPS
    from srnn_lab.data.bundled import bundled_clips
    from srnn_lab.data.kinds import KINDS
    from srnn_lab.site.export import export_site
    from srnn_lab.site.notebooks import notebooks

    clips = {name: bundled_clips(name) for name, kind in KINDS.items() if kind.heard}
    return export_site(args.out, GROUPS, clips, notebooks())
