"""``srnn-lab evaluate``, ``transitions`` and ``probe`` measure a checkpoint, and may record it."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any, get_args

from srnn_lab.analysis.event_kinds import EVENT_KINDS, PHONE_EVENTS
from srnn_lab.cli.options import (
    AUCS,
    add_data,
    add_data_dir,
    add_record,
    bounds,
    check_record,
    checkpoint_command,
    count,
    event_kinds,
    load_checkpoint,
    load_named,
    say,
    seed,
    text,
)
from srnn_lab.config import CONVENTIONS, DataConfig, EvaluationConfig, TrainConfig
from srnn_lab.reports.records import PROBE_MINUTES, Result, read_results, record

MAX_REPETITIONS = 10_000
"""Evaluations with other noise at the most, whose standard error is a hundredth of their deviation.
"""
MAX_MINUTES = 6000
"""Of speech that a probe is trained on at the most."""


def add_evaluate(commands: Any) -> None:
    """Add ``evaluate``."""
    command = checkpoint_command(
        commands,
        "evaluate",
        "compute bounds on a split of a data set",
        evaluate_checkpoint,
        " NAME_se is the standard error of a bound over the sequences (two or more); it includes "
        "the noise of the sampled paths. NAME_se_repetitions is the standard error from this noise "
        "alone, over repetitions (two or more) on the same sequences.",
    )
    command.add_argument(
        "--bound",
        type=bounds,
        default=(),
        metavar="NAME,...",
        help="elbo, iwae:K (K importance-weighted paths) and fivo:K (particle filter with K "
        "particles), joined by commas. elbo is always among them. Default: elbo. ess:K is not a "
        "bound: it is the effective share of K particles, weighted by one frame alone.",
    )
    command.add_argument(
        "--repetitions",
        type=count(MAX_REPETITIONS),
        default=1,
        help="Number of evaluations, each with its own noise, that are averaged. Default: 1.",
    )
    for name in ("resampling", "resampling_share"):
        f = next(f for f in fields(TrainConfig) if f.name == name)
        kind: dict[str, Any] = (
            {"choices": get_args(f.type)} if get_args(f.type) else {"type": f.type}
        )
        told = f"{f.metadata['help']} Default: as in training."
        command.add_argument(f"--{name.replace('_', '-')}", help=told, **kind)
    command.add_argument(
        "--average",
        choices=("micro", "macro", "sequence"),
        help="How nats are averaged: over all frames (micro), within each sequence first (macro), "
        "or as one sum for each sequence. Default: as in training.",
    )
    command.add_argument(
        "--first-frame",
        action=argparse.BooleanOptionalAction,
        help="Whether x_1 is scored. Default: as in training.",
    )
    command.add_argument(
        "--convention",
        choices=tuple(CONVENTIONS),
        help="Sets --average and --first-frame as the SRNN paper or the rest of the field does.",
    )
    command.add_argument(
        "--seed", type=seed, default=0, help="Seed of the sampled paths. Default: 0."
    )
    add_record(command)
    add_data(command)


def evaluate_checkpoint(args: argparse.Namespace) -> dict[str, Any]:
    """The bounds, and how much z is used."""
    from srnn_lab.data.kinds import Sound
    from srnn_lab.data.storage import widen
    from srnn_lab.inference.evaluation import evaluate
    from srnn_lab.inference.use_of_z import told, use_of_z
    from srnn_lab.system.memory import keep_freed_memory

    check_record(args)
    checkpoint = load_checkpoint(args)
    convention = CONVENTIONS[args.convention] if args.convention else checkpoint.config.evaluation
    changed = {
        k: getattr(args, k) for k in ("average", "first_frame") if getattr(args, k) is not None
    }
    convention = replace(convention, **changed)
    data, split, named = load_named(args, checkpoint)
    signals, measured_on = list(named.values()), {"data": data.data, "split": split}
    given = {
        k: getattr(args, k)
        for k in ("resampling", "resampling_share")
        if getattr(args, k) is not None
    }
    train = replace(checkpoint.config.train, **given)
    how = {"resampling": train.resampling, "resampling_share": train.resampling_share}
    how |= {"repetitions": args.repetitions, "seed": args.seed}
    draft = _draft(args, "evaluate", checkpoint, (data.data, split, signals), convention, **how)
    frames = checkpoint.frontend.sequences(signals, checkpoint.config.model.x_dim)
    keep_freed_memory()
    began = time.perf_counter()
    kind = data.kind
    active = [kind.active(widen(signal)) for signal in signals] if isinstance(kind, Sound) else None
    score = evaluate(checkpoint.model, frames, convention, bounds=args.bound, active=active, **how)
    seconds = time.perf_counter() - began
    use = use_of_z(checkpoint.model, frames, convention, seed=args.seed)
    found = {**score.to_dict(), "unit": convention.unit, **measured_on}
    figures = {name: value for name, value in score.to_dict().items() if isinstance(value, float)}
    each = {"sums": score.sums, "lengths": score.lengths}
    measured = {"sequences": score.sequences, "frames": score.frames, "seconds": seconds, **each}
    return found | _record(args, draft, figures=figures, **measured) | told(use)


def add_transitions(commands: Any) -> None:
    """Add ``transitions``."""
    command = checkpoint_command(
        commands,
        "transitions",
        "measure whether the KL rises at transitions: AUC against a circular-shift null",
        score_transitions,
        f"{AUCS} null is the AUC over 1,000 circular shifts of the KL, reached the share of these "
        "shifts that reach the AUC, and by clip the mean over clips of the AUC within each.",
    )
    command.add_argument(
        "--events",
        type=event_kinds,
        metavar="KIND,...",
        help=f"Kinds of events, joined by commas: {', '.join(EVENT_KINDS)}. Those of phones need "
        "labels. Default: all that the data have.",
    )
    add_record(command)
    add_data(command)


def score_transitions(args: argparse.Namespace) -> dict[str, Any]:
    """The AUC of each kind of event, and the KL at splices."""
    from srnn_lab.analysis.transitions import measure_transitions
    from srnn_lab.data import load_labels

    check_record(args)
    if args.events and args.record:
        args.usage_error("--record takes all kinds of events; leave --events out")
    checkpoint = load_checkpoint(args)
    data, split, named = load_named(args, checkpoint)
    labels = {
        name: known
        for name, known in load_labels(data, split, args.data_dir).items()
        if name in named
    }
    _check_events(args.events or (), data, bool(labels))
    signals = list(named.values())
    draft = _draft(args, "transitions", checkpoint, (data.data, split, signals))
    began = time.perf_counter()
    found = measure_transitions(checkpoint, signals, [labels.get(name) for name in named])
    seconds = time.perf_counter() - began
    figures = {name: value for name, value in vars(found).items() if name != "areas"}
    chosen = args.events or EVENT_KINDS
    areas = {
        name: area.known() for name, area in found.areas.items() if name.partition("/")[0] in chosen
    }
    shown = {**figures, "labelled": len(labels), "data": data.data, "split": split, **areas}
    measured = {
        "sequences": figures.pop("clips"),
        "frames": figures.pop("frames"),
        "seconds": seconds,
    }
    # One level, as in every record: onset/active/2/auc.
    figures |= {
        f"{name}/{key}": float(value) for name, area in areas.items() for key, value in area.items()
    }
    return shown | _record(args, draft, figures=figures, **measured)


def add_probe(commands: Any) -> None:
    """Add ``probe``."""
    command = checkpoint_command(
        commands,
        "probe",
        "measure how well phones can be read from the states",
        probe_checkpoint,
        " A linear classifier predicts the phone of each frame from the posterior mean of z, from "
        "d, from both and from log-mel energies; majority always predicts the most frequent phone.",
    )
    command.add_argument(
        "--minutes",
        type=count(MAX_MINUTES),
        default=PROBE_MINUTES,
        help="Minutes of speech to train the classifier on. Default: %(default)s.",
    )
    add_record(command)
    command.add_argument(
        "--data",
        type=text,
        help=(
            "Data set or folder with phone labels. Default: the one the checkpoint was trained "
            "on, or reader."
        ),
    )
    add_data_dir(command)


def probe_checkpoint(args: argparse.Namespace) -> dict[str, Any]:
    """How well phones can be read from the states."""
    from srnn_lab.analysis import probe

    check_record(args)
    checkpoint = load_checkpoint(args)
    name = args.data or probe.labelled_data(checkpoint.config.data.data)
    data = replace(checkpoint.config.data, data=name)
    began, test = time.perf_counter(), probe.load_sentences(data, "test", args.data_dir)
    draft = _draft(args, "probe", checkpoint, (name, "test", list(test.signals.values())))
    try:
        train = probe.load_sentences(data, "train", args.data_dir)
    except FileNotFoundError:  # the bundled sentences are of the test split
        if draft:
            raise
        found = probe.probe_sentences(probe.phone_frames(checkpoint, *test))
        say(
            f"each of the {found.test_sentences} sentences is tested with a classifier trained on "
            "the others, which is little data."
        )
    else:
        chosen = probe.choose_minutes(train.signals, data.rate, args.minutes)
        frames = probe.phone_frames(checkpoint, chosen, train.labels)
        found = probe.probe_split(frames, probe.phone_frames(checkpoint, *test))
    sizes = {name: value for name, value in vars(found).items() if name != "of"}
    shown = {name: asdict(recognition) for name, recognition in found.of.items()}
    shown |= {**sizes, "data": name, "split": "test"}
    measured = {"sequences": found.test_sentences, "frames": found.test_frames}
    figures = found.figures() | {"minutes": float(args.minutes)}
    return shown | _record(
        args, draft, figures=figures, seconds=time.perf_counter() - began, **measured
    )


def _draft(
    args: argparse.Namespace,
    command: str,
    checkpoint: Any,
    scored: tuple[str, str, list[Any]],
    convention: EvaluationConfig | None = None,
    **how: Any,
) -> Result | None:
    """A record without its numbers, if one is asked for; what would prevent it is an error now."""
    from srnn_lab.reports.drafts import draft

    if not args.record:
        return None
    convention = convention or checkpoint.config.evaluation
    row = {"row": args.row or "", "device": args.device}
    drafted = draft(
        command,
        args.checkpoint,
        checkpoint,
        convention or checkpoint.config.evaluation,
        scored,
        **row,
        **how,
    )
    if args.record.exists():
        read_results(args.record)
    return drafted


def _record(args: argparse.Namespace, draft: Result | None, **measured: Any) -> dict[str, str]:
    """Record a draft with what was measured, if there is one."""
    if draft is None:
        return {}
    record(replace(draft, **measured), args.record)
    return {"row": draft.row, "recorded": str(args.record)}


def _check_events(kinds: Sequence[str], data: DataConfig, labelled: bool) -> None:
    from srnn_lab.analysis.events import kinds_of

    known = kinds_of(data, labelled)
    for kind in kinds:
        if kind not in known:
            why = (
                "no file with labels lies beside the recordings"
                if kind in PHONE_EVENTS
                else "its frames have none"
            )
            raise ValueError(
                f"--events asks for {kind!r} of {data.data!r}, but {why}; choose from "
                f"{', '.join(known)}."
            )
