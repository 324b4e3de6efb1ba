"""``srnn-lab``: train, evaluate, inspect, sample and measure from the command line."""

import argparse
import difflib
import hashlib
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from srnn_lab import __version__
from srnn_lab.analysis.event_kinds import EVENT_KINDS, PHONE_EVENTS
from srnn_lab.config import (
    CONVENTIONS,
    FRAMES_PER_QUARTER,
    PRESETS,
    DataConfig,
    EvaluationConfig,
    RunConfig,
    TrainConfig,
    parse_bound,
)
from srnn_lab.reports.records import (
    MEASURES,
    PROBE_MINUTES,
    RECORD,
    RESULTS,
    Result,
    options_of,
    read_results,
    record,
    signals_sha256,
    surroundings,
)
from srnn_lab.reports.tables import TABLES, check_place, make_tables, rows_of, write_tables
from srnn_lab.system.files import read_bounded, write_atomically
from srnn_lab.system.interrupts import Stopped, noted_signals
from srnn_lab.system.terminal import Lasting, drop_unwritten, lasting_output, one_line, printable

MAX_STEPS = 100_000
"""Frames that are drawn at the most: 20 minutes of the voice, nine hours of eighth notes."""
MAX_REPETITIONS = 10_000
"""Evaluations with other noise at the most, whose standard error is a hundredth of their deviation."""
MAX_MINUTES = 6000
"""Of speech that a probe is trained on at the most."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, one_line(f"{self.prog}: {message}. See {self.prog} --help."))


def _add_train_options(parser: argparse.ArgumentParser, name: str | None) -> None:
    """The options of a preset, or those of ``train`` itself, which continues a run; only those given reach ``args``."""
    out = f"Folder of a new run. Default: {Path('runs') / name}." if name else argparse.SUPPRESS
    parser.add_argument("--out", type=_path, help=out)
    begin = ", or begin it there if there is none" if name else ", with the options that it began with"
    parser.add_argument("--resume", type=_path, metavar="RUN", help=f"Continue the run in this folder{begin}.")
    if name:
        parser.add_argument(
            "--seeds",
            type=_seeds,
            metavar="SEED,...",
            help="Train it with each of these seeds, side by side (on a GPU in one process, on a CPU as many at a time "
            f"as there are CPUs), into folders named {Path('runs') / name}-seed1 (of --out OUT, OUT-seed1), and so "
            "on; the same command continues what was stopped.",
        )
    _add_device(parser, "; under torchrun, one for each process")
    parser.add_argument(
        "--eager",
        action="store_true",
        help="On a GPU, launch the kernels of an update one by one rather than record them once: slower, for a GPU "
        "that refuses a recording.",
    )
    parser.add_argument("--tensorboard", action="store_true", help="Write TensorBoard events to RUN/tensorboard.")
    _add_data_dir(parser)
    _add_json(parser)
    config = PRESETS[name] if name else RunConfig()
    for section in fields(config):
        values = getattr(config, section.name)
        group = parser.add_argument_group(section.name)
        for f in fields(values):
            flag, default = f"--{f.name.replace('_', '-')}", getattr(values, f.name)
            kind: dict[str, Any] = {"type": _text if f.type is str else f.type}
            if f.type is bool:
                kind = {"action": argparse.BooleanOptionalAction}
            elif get_origin(f.type) is Literal:
                kind = {"choices": get_args(f.type)}
            text = f"{f.metadata['help']} Default: {default}.".replace("%", "%%")
            if not name:
                text = f"{f.metadata['help']} Default: as the run began." if f.name == "epochs" else argparse.SUPPRESS
            group.add_argument(flag, help=text, **kind)


def _configured(config: RunConfig, given: dict[str, Any]) -> RunConfig:
    if given.get("data") in FRAMES_PER_QUARTER:  # published rolls, whose frames may not be those of the preset's
        given = {"frames_per_quarter": FRAMES_PER_QUARTER[given["data"]], **given}
    return replace(
        config,
        **{
            section.name: replace(
                getattr(config, section.name),
                **{f.name: given[f.name] for f in fields(getattr(config, section.name)) if f.name in given},
            )
            for section in fields(config)
        },
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="srnn-lab", description="Train, inspect and hear stochastic recurrent neural networks.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__ or 'from a folder'}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train a model, or continue to",
        description="Train a model from a PRESET, or continue with --resume RUN.",
        argument_default=argparse.SUPPRESS,
    )
    _add_train_options(train, None)
    presets = train.add_subparsers(metavar="PRESET", dest="preset", parser_class=_Parser)
    for name, config in PRESETS.items():
        described = f"{config.model.model}, {config.data.data}, {config.data.features} frames"
        preset = presets.add_parser(
            name,
            help=described,
            description=f"Train the preset {name}: {described}.",
            argument_default=argparse.SUPPRESS,
        )
        _add_train_options(preset, name)
    absent = dict.fromkeys(("preset", "out", "seeds", "resume", "device", "data_dir"))
    train.set_defaults(run=_train, usage_error=train.error, tensorboard=False, eager=False, json=False, **absent)

    evaluate = _checkpoint_command(
        commands,
        "evaluate",
        "bounds on a split of a data set",
        _evaluate,
        " NAME_se is the standard error of a bound over the sequences, which holds the noise of the sampled paths too "
        "(two sequences or more); NAME_se_repetitions is that of this noise alone, on the same sequences, over the "
        "repetitions (two or more).",
    )
    evaluate.add_argument(
        "--bound",
        type=_bounds,
        default=(),
        metavar="NAME,...",
        help="elbo, iwae:K (K importance-weighted paths) and fivo:K (particle filter, K particles), joined by "
        "commas. elbo is always among them. Default: elbo.",
    )
    evaluate.add_argument(
        "--repetitions",
        type=_count(MAX_REPETITIONS),
        default=1,
        help="Evaluations with other noise, averaged. Default: 1.",
    )
    for name in ("resampling", "resampling_share"):
        f = next(f for f in fields(TrainConfig) if f.name == name)
        kind = {"choices": get_args(f.type)} if get_args(f.type) else {"type": f.type}
        text = f"{f.metadata['help']} Default: as in training."
        evaluate.add_argument(f"--{name.replace('_', '-')}", help=text, **kind)
    evaluate.add_argument("--average", choices=("micro", "macro", "sequence"), help="Default: as published.")
    evaluate.add_argument("--first-frame", action=argparse.BooleanOptionalAction, help="Default: as published.")
    evaluate.add_argument("--convention", choices=tuple(CONVENTIONS), help="Average and first frame in one, by name.")
    evaluate.add_argument("--seed", type=_seed, default=0, help="Seed of the sampled paths. Default: 0.")
    _add_record(evaluate)
    _add_data(evaluate)

    inspect = _checkpoint_command(commands, "inspect", "KL, reconstruction and posterior of one file", _inspect)
    inspect.add_argument("file", type=_path, metavar="FILE", help="Audio or MIDI file.")
    inspect.add_argument(
        "--out", type=_path, help="Folder for posterior.npz and player.html, a page that plays the clip."
    )
    inspect.add_argument("--picture", type=_path, metavar="FILE", help="FILE.svg or FILE.pdf: the rows of the page.")
    inspect.add_argument(
        "--width",
        type=float,
        default=265.0,
        metavar="MM",
        help="Width of the picture in millimetres, such as a paper's column; its text stays at 8 points. Default: 265.",
    )
    inspect.add_argument(
        "--labels",
        type=_path,
        metavar="FILE",
        help="Phones or other labels of the file, in seconds (of MIDI in quarter notes): TextGrid, .lab, TIMIT's .PHN, "
        "Audacity's label track (.txt), or .csv with time and label. Default: those beside FILE, if there are any.",
    )

    sample = _checkpoint_command(commands, "sample", "draw a new sequence", _sample)
    sample.add_argument("--out", type=_path, required=True, help="FILE.mid or FILE.wav.")
    sample.add_argument("--prime", type=_path, help="Audio or MIDI file to continue.")
    sample.add_argument("--steps", type=_count(MAX_STEPS), default=200, help="Frames to draw. Default: 200.")
    sample.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="Multiplies the standard deviation of z and of audio, divides the logits of notes; 0: the likeliest. "
        "Default: 1, the model.",
    )
    sample.add_argument("--seed", type=_seed, default=0, help="Seed of the draws. Default: 0.")

    transitions = _checkpoint_command(
        commands, "transitions", "the KL where the signal changes, against elsewhere", _transitions
    )
    transitions.add_argument(
        "--events",
        type=_events,
        metavar="KIND,...",
        help=f"Which of {', '.join(EVENT_KINDS)}, joined by commas; those of phones need labels. Default: all that the "
        "data have.",
    )
    _add_record(transitions)
    _add_data(transitions)

    probe = _checkpoint_command(
        commands,
        "probe",
        "what the states know of the phones",
        _probe,
        " A linear classifier tells the phone of each frame from the mean of z's posterior, from d, from both and from "
        "log-mel energies; majority always says the most frequent phone.",
    )
    probe.add_argument(
        "--minutes",
        type=_count(MAX_MINUTES),
        default=PROBE_MINUTES,
        help="Speech to train it on. Default: %(default)s.",
    )
    _add_record(probe)
    probe.add_argument(
        "--data",
        type=_text,
        help="Data set or folder with phone labels. Default: the one the checkpoint was trained on, or reader.",
    )
    _add_data_dir(probe)

    results = commands.add_parser(
        "results",
        help="tables of recorded and published results",
        description="Print the tables that are made of the recorded results, or write them into a Markdown file.",
    )
    results.add_argument("--table", choices=tuple(TABLES), help="Default: all.")
    form = results.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="Print Markdown.")
    form.add_argument(
        "--write",
        type=_path,
        metavar="FILE.md",
        help="Make the blocks of FILE.md anew: what stands between <!-- results:TABLE --> and <!-- /results -->.",
    )
    _add_results(results)
    results.set_defaults(run=_results)

    reproduce = commands.add_parser(
        "reproduce",
        help="the commands that make a recorded row again",
        description="Print the commands that make a recorded row again: training, unless the checkpoint is bundled, "
        f"and evaluation, which records it in {RECORD}.",
    )
    reproduce.add_argument(
        "row",
        metavar="ROW",
        help="Name of a recorded row, such as bundled/jsb, or of a table's, which stands for all its seeds and sets.",
    )
    reproduce.add_argument("--run", dest="execute", action="store_true", help="Run them, one after the other.")
    _add_results(reproduce)
    reproduce.set_defaults(run=_reproduce)

    benchmark = commands.add_parser("benchmark", help="how fast the library is here", description="Measure the speed.")
    benchmark.add_argument(
        "--shape", choices=("music", "timit", "blizzard"), default="music", help="Default: %(default)s."
    )
    benchmark.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="Default: %(default)s.")
    _add_json(benchmark)
    benchmark.set_defaults(run=_benchmark)
    return parser


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results", type=_path, default=RESULTS, metavar="FILE", help="Results file. Default: the one of the package."
    )
    _add_json(parser)


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record",
        type=_path,
        nargs="?",
        const=RECORD,
        metavar="FILE",
        help=f"Append the numbers, with the commands that reproduce them, to a results file. Default: {RECORD}.",
    )
    parser.add_argument(
        "--row",
        type=_text,
        help="Name of the recorded row. Default: that of the checkpoint's folder; evaluate: bundled/NAME of a bundled "
        "one; transitions and probe: transitions/NAME and probe/NAME.",
    )
    parser.set_defaults(usage_error=parser.error)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=_text, help="Data set or folder. Default: the one the checkpoint was trained on."
    )
    parser.add_argument(
        "--split",
        type=_text,
        help="train, valid or test; of a folder also all. Default: test, or all of a folder given with --data.",
    )
    _add_data_dir(parser)


def _check_record(args: argparse.Namespace) -> None:
    if args.row and not args.record:
        args.usage_error("--row names a row of the file that --record writes; give that too")


def _load_checkpoint(args: argparse.Namespace) -> Any:
    """The checkpoint, with its model on the device that was asked for."""
    from srnn_lab.checkpoint import load_checkpoint
    from srnn_lab.system.distributed import usable_device

    args.device = usable_device(args.device)
    checkpoint = load_checkpoint(args.checkpoint)
    checkpoint.model.to(args.device)
    return checkpoint


def _load_data(args: argparse.Namespace, checkpoint: Any) -> tuple[str, str, list[Any]]:
    data, split, signals = _load_named(args, checkpoint)
    return data.data, split, list(signals.values())


def _load_named(args: argparse.Namespace, checkpoint: Any) -> tuple[DataConfig, str, dict[str, Any]]:
    from srnn_lab.data import DATASETS, load_split

    data = replace(checkpoint.config.data, data=args.data or checkpoint.config.data.data)
    split = args.split or ("all" if args.data and args.data not in DATASETS else "test")
    return data, split, load_split(data, split, args.data_dir)


def _bounds(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    try:
        for name in names:
            parse_bound(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}".rstrip(".")) from error
    return names


def _events(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    for kind in kinds:
        if kind not in EVENT_KINDS:
            raise argparse.ArgumentTypeError(f"{kind!r} is no kind of event; choose from {', '.join(EVENT_KINDS)}")
    return kinds


def _text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty; give a value or leave the option out")
    return text


def _path(text: str) -> Path:
    return Path(_text(text))  # of an empty one Path makes the current folder


def _whole(text: str, low: int, high: int, most: str) -> int:
    if not text.isdecimal() or len(text) > 20 or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {most}")
    return int(text)


def _seed(text: str) -> int:
    return _whole(text, 0, 2**32 - 1, "2^32 - 1")


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(map(_seed, text.split(","))))


def _count(most: int) -> Callable[[str], int]:
    return lambda text: _whole(text, 1, most, f"{most}")


def _checkpoint_command(commands: Any, name: str, help: str, run: Callable, more: str = "") -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.{more}")
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="A .safetensors file, or a bundled name.")
    _add_device(command)
    _add_json(command)
    command.set_defaults(run=run)
    return command


def _add_device(parser: argparse.ArgumentParser, more: str = "") -> None:
    parser.add_argument("--device", type=_text, help=f"cpu, cuda or mps. Default: a CUDA GPU if there is one{more}.")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="Print one JSON object as the last line of standard output."
    )


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=_path, help="Folder of the data sets' files. Default: SRNN_LAB_DATA.")


def _train(args: argparse.Namespace) -> dict[str, Any]:
    if not (args.preset or args.resume):
        args.usage_error("a PRESET to begin with, or --resume RUN, is required")
    if args.seeds:
        return _train_seeds(args)
    if args.resume and args.out and args.out.resolve() != args.resume.resolve():
        args.usage_error(
            f"--out {args.out} is for a new run, and --resume {args.resume} names another; give one of them"
        )
    out = args.resume or args.out or Path("runs") / args.preset
    config = _config(args, out, vars(args))

    from srnn_lab.training.fitting import fit

    run = fit(
        config,
        out,
        data_dir=args.data_dir,
        device=args.device,
        resume=args.resume is not None,
        tensorboard=args.tensorboard,
        eager=args.eager,
    )
    return _report(args, config, out, run)


def _config(args: argparse.Namespace, out: Path, given: dict[str, Any]) -> RunConfig:
    """The configuration of a run that begins in ``out`` or, with --resume or --seeds, may have begun there."""
    if (args.resume or args.seeds) and (out / "last.safetensors").exists():
        from srnn_lab.checkpoint import read_config

        began = read_config(out / "last.safetensors")
        config = _configured(PRESETS.get(args.preset, began), {"epochs": began.train.epochs, **given})
    elif args.preset:
        config = _configured(PRESETS[args.preset], given)
    else:
        raise ValueError(f"{out} holds no run to continue; name a PRESET to begin one there.")
    config.check_read(given)
    return config


def _train_seeds(args: argparse.Namespace) -> dict[str, Any]:
    """Runs that differ in their seeds, side by side; those that have begun are continued."""
    if not args.preset or args.resume or hasattr(args, "seed"):
        args.usage_error("--seeds trains a PRESET with several seeds, and takes neither --seed nor --resume")

    import torch

    from srnn_lab.system.distributed import usable_device, world_size
    from srnn_lab.training.seeds import fit_in_processes, fit_in_turns

    if world_size() > 1:
        raise ValueError("--seeds trains runs side by side by itself; start it without torchrun.")
    device, given = usable_device(args.device), vars(args)
    first = args.out or Path("runs") / args.preset
    seeds = {first.with_name(f"{first.name}-seed{seed}"): seed for seed in args.seeds}
    configs = {out: _config(args, out, {**given, "seed": seed}) for out, seed in seeds.items()}
    if torch.device(device).type == "cuda":
        options = {"data_dir": args.data_dir, "tensorboard": args.tensorboard, "eager": args.eager}
        runs = fit_in_turns(configs, device=device, **options)
        found = {out: _report(args, configs[out], out, run) for out, run in runs.items()}
    else:
        settings = {f.name for section in fields(RunConfig()) for f in fields(getattr(RunConfig(), section.name))}
        again = {name: value for name, value in given.items() if name in settings or (name == "data_dir" and value)}
        options = [*options_of(again), f"--device={device}", "--json", *["--tensorboard"] * args.tensorboard]
        commands = {
            out: ["train", args.preset, *options, f"--seed={seed}", f"--resume={out}"] for out, seed in seeds.items()
        }
        found = {out: json.loads(line) for out, line in fit_in_processes(commands).items()}
    return {
        f"seed {seeds[out]}": {
            **report["test"],
            "best_epoch": report["training"]["best_epoch"],
            "checkpoint": report["checkpoint"],
        }
        for out, report in sorted(found.items(), key=lambda item: [*seeds].index(item[0]))
    }


def _report(args: argparse.Namespace, config: RunConfig, out: Path, run: Any) -> dict[str, Any]:
    import torch

    from srnn_lab.system.distributed import world_size

    scores, unit = run.best.scores, _unit(config.evaluation.average)
    best = run.curves[scores["epoch"] - 1]
    return {
        "preset": args.preset,
        "data": config.data.data,
        "model": {
            "name": config.model.model,
            "likelihood": config.model.likelihood,
            "parameters": sum(p.numel() for p in run.best.model.parameters()),
        },
        "machine": {
            "device": run.device,
            "precision": run.precision,
            "processes": world_size(),
            "threads_each": torch.get_num_threads(),
        },
        "training": {
            "epochs": len(run.curves),
            "best_epoch": scores["epoch"],
            "updates": run.updates,
            "skipped": sum(row["skipped"] for row in run.curves),
        },
        "train": {
            config.train.bound: best["train_bound"],
            "kl": best["train_kl"],
            "unit": _unit("micro"),
            "average": "updates",
        },
        "valid": {**scores["valid"], "unit": unit},
        "test": {**scores["test"], "unit": unit},
        "time": {"seconds": run.seconds, "frames_per_second": run.frames_per_second},
        "checkpoint": str(out / "best.safetensors"),
        "files": [str(out / n) for n in ("last.safetensors", "curves.csv", *["tensorboard"] * args.tensorboard)],
    }


def _unit(average: str) -> str:
    return "nats per sequence" if average == "sequence" else "nats per frame"


def _evaluate(args: argparse.Namespace) -> dict[str, Any]:
    from srnn_lab.inference.bounds import evaluate
    from srnn_lab.system.memory import keep_freed_memory

    _check_record(args)
    checkpoint = _load_checkpoint(args)
    convention = CONVENTIONS[args.convention] if args.convention else checkpoint.config.evaluation
    changed = {k: getattr(args, k) for k in ("average", "first_frame") if getattr(args, k) is not None}
    convention = replace(convention, **changed)
    data, split, signals = _load_data(args, checkpoint)
    given = {k: getattr(args, k) for k in ("resampling", "resampling_share") if getattr(args, k) is not None}
    train = replace(checkpoint.config.train, **given)
    how = {"resampling": train.resampling, "resampling_share": train.resampling_share}
    how |= {"repetitions": args.repetitions, "seed": args.seed}
    draft = _draft(args, "evaluate", checkpoint, convention, (data, split, signals), **how)
    frames = checkpoint.frontend.sequences(signals, checkpoint.config.model.x_dim)
    keep_freed_memory()
    began = time.perf_counter()
    score = evaluate(checkpoint.model, frames, convention, bounds=args.bound, **how)
    seconds = time.perf_counter() - began
    found = {**score.to_dict(), "unit": _unit(score.average), "data": data, "split": split}
    figures = {name: value for name, value in score.to_dict().items() if isinstance(value, float)}
    measured = {"sequences": score.sequences, "frames": score.frames, "seconds": seconds}
    return found | _record(args, draft, figures=figures, **measured)


def _draft(
    args: argparse.Namespace,
    command: str,
    checkpoint: Any,
    convention: EvaluationConfig,
    scored: tuple[str, str, list[Any]],
    **how: Any,
) -> Result | None:
    """What is to be recorded but for its figures, if anything is; what would keep it from being recorded is said now.

    Args:
        args: The options.
        command: ``evaluate``, ``transitions`` or ``probe``.
        checkpoint: What is measured.
        convention: How.
        scored: Data, split and signals that it is measured on.
        how: Further values of the ``Result``.
    """
    from srnn_lab.checkpoint import list_checkpoints

    if not args.record:
        return None
    (data, split, signals), path = scored, list_checkpoints().get(args.checkpoint)
    name = args.checkpoint if path else Path(args.checkpoint).resolve().parent.name
    folder = {"evaluate": "bundled/" * bool(path)}.get(command, f"{command}/")
    row = args.row or f"{folder}{name}"
    check_place(row, command, data, split, convention.average, convention.first_frame)
    if args.record.exists():
        read_results(args.record)
    scores, config, train = checkpoint.scores, checkpoint.config, checkpoint.config.train
    if "test" not in scores:
        raise ValueError(f"{args.checkpoint} is of a run that has not ended; a row is recorded of one that has.")
    # What "auto" means depends on the machine; a checkpoint of an earlier version does not say what it was.
    train = {**asdict(train), "precision": scores.get("precision", train.precision)}
    try:
        return Result.from_dict(
            {
                "row": row,
                "command": command,
                "checkpoint": args.checkpoint if path else "",
                "checkpoint_sha256": hashlib.sha256((path or Path(args.checkpoint)).read_bytes()).hexdigest(),
                "figures": {MEASURES[command]: 0.0},
                "sequences": 0,
                "frames": 0,
                "seconds": 0.0,
                **asdict(convention),
                "data": data,
                "split": split,
                "data_sha256": signals_sha256(signals),
                "config": {**config.to_dict(), "train": train},
                "best_epoch": scores.get("epoch"),
                "parameters": sum(p.numel() for p in checkpoint.model.parameters()),
                "date": date.today().isoformat(),
                "train": "",
                "measure": "",
                **how,
                **surroundings(args.device),
            }
        )
    except ValueError as error:
        raise ValueError(f"{args.checkpoint} cannot be recorded ({error}); leave out --record.") from error


def _record(args: argparse.Namespace, draft: Result | None, **measured: Any) -> dict[str, str]:
    """Record a draft with what was measured, if there is one."""
    if draft is None:
        return {}
    record(replace(draft, **measured), args.record)
    return {"row": draft.row, "recorded": str(args.record)}


def _results(args: argparse.Namespace) -> dict[str, Any] | str:
    results = read_results(args.results)
    if args.write:
        page = read_bounded(args.write)
        try:
            text = write_tables(page.decode(), results)
        except ValueError as error:
            raise ValueError(f"{args.write} cannot be filled in: {error}") from error
        write_atomically(args.write, text.encode())
        return {"written": str(args.write)}
    tables = {name: make_tables(name, results) for name in ([args.table] if args.table else TABLES)}
    if args.json:
        return {name: [table.to_dict() for table in found] for name, found in tables.items()}
    return "\n\n".join(t.markdown() if args.markdown else t.text() for found in tables.values() for t in found)


def _reproduce(args: argparse.Namespace) -> dict[str, Any] | str:
    results = read_results(args.results)
    found = rows_of(results, args.row)
    if not found:
        near = difflib.get_close_matches(args.row, results, cutoff=0)
        choice = f"the nearest are {', '.join(near)}" if near else "it holds none"
        raise ValueError(f"{args.results} holds no row {args.row!r}; {choice}.")
    if args.execute:
        again = {result.row: _measure_again(result) for result in found}
    elif args.json:
        again = {r.row: {"row": r.row, "commands": r.commands, "trained_by": r.train} for r in found}
    else:
        return "\n".join(line for result in found for line in _script(result))
    return again if len(found) > 1 else again[found[0].row]


def _script(result: Result) -> list[str]:
    note = [f"# bundled; trained by: {result.train}"] * bool(result.checkpoint)
    return [*note, *result.commands]


def _measure_again(result: Result) -> dict[str, Any]:
    for command in result.commands:
        status = _wait_for([sys.executable, "-m", "srnn_lab", *shlex.split(command)[1:]])
        if status:
            raise ValueError(f"Stopped, since this command failed with status {status}: {command}")
    again = read_results(RECORD)[result.row]
    names = result.bounds or result.figures
    pairs = {name: {"recorded": result.figures[name], "again": again.figures[name]} for name in names}
    return {"row": result.row, **pairs, "same_data": result.data_sha256 == again.data_sha256}


def _wait_for(command: Sequence[str]) -> int:
    """The status of a command, which gets the time that it needs to write when it is interrupted.

    Raises:
        Stopped: Ctrl-C came, which the command has got too, or SIGTERM, which is handed on to it.
    """
    with noted_signals() as noted, subprocess.Popen(command) as process:
        told = False
        while process.poll() is None:
            if signal.SIGTERM in noted and not told:
                process.terminate()
                told = True
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
    if noted:
        raise Stopped("stopped; the same command continues what has begun", noted[0])
    return process.returncode


def _inspect(args: argparse.Namespace) -> dict[str, Any]:
    from srnn_lab.analysis.event_areas import measure_areas
    from srnn_lab.analysis.events import clip_events, near_windows
    from srnn_lab.analysis.export import npz_bytes
    from srnn_lab.analysis.inspection import inspect_signal, longest_clip
    from srnn_lab.data import read_labels, read_signal
    from srnn_lab.data.labels import labels_beside
    from srnn_lab.data.notices import notify
    from srnn_lab.pictures.clip import clip_scene
    from srnn_lab.pictures.svg import MM, scene_svg, svg_pdf
    from srnn_lab.player.page import scene_html
    from srnn_lab.player.sound import clip_sounds

    suffix = args.picture.suffix.lower() if args.picture else ".svg"
    if suffix not in (".svg", ".pdf"):
        raise ValueError(f"--picture is {args.picture}; name a FILE.svg or a FILE.pdf.")
    if args.out and args.out.exists() and not args.out.is_dir():
        raise NotADirectoryError(f"--out is {args.out}, which is a file; name a folder for the two files to write.")
    checkpoint = _load_checkpoint(args)
    data = checkpoint.config.data
    signal = read_signal(args.file, data, longest_clip(data))
    labels = None
    if given := args.labels or labels_beside(args.file):
        try:
            labels = read_labels(given).within(len(signal) / data.rate)
        except ValueError as error:
            if args.labels:
                raise
            notify(f"The labels beside the recording are left out: {error}")
    clip = inspect_signal(checkpoint, signal)
    areas = measure_areas([clip], [clip_events(clip, signal, data, labels)], near_windows(data))
    scene = clip_scene(checkpoint, signal, clip, args.file.name, labels)
    title = f"{args.file.name}, model {'/'.join(Path(args.checkpoint).parts[-2:])}"
    if args.out:
        arrays = clip.arrays() | (labels.arrays() if labels else {})
        write_atomically(args.out / "posterior.npz", npz_bytes(arrays))
        page = scene_html(scene, clip_sounds(checkpoint, signal, clip), title)
        write_atomically(args.out / "player.html", page.encode())
    if args.picture:
        svg = scene_svg(scene, title=title, width=args.width / MM)
        write_atomically(args.picture, svg_pdf(svg) if suffix == ".pdf" else svg.encode())
    largest = int(clip.kl.argmax())
    return {
        "frames": len(clip.kl),
        "elbo": float((clip.log_px - clip.kl).mean()),
        "log_px": float(clip.log_px.mean()),
        "kl": float(clip.kl.mean()),
        "largest_kl": float(clip.kl[largest]),
        "largest_kl_time": float(clip.times[largest]),
        "changes": len(clip.changes),
        "labels": len(labels.names) if labels else None,
        "out": str(args.out) if args.out else None,
        "picture": str(args.picture) if args.picture else None,
        **_areas_by_kind(areas),
    }


def _sample(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from srnn_lab.analysis.inspection import clip_batch, longest_clip
    from srnn_lab.data import read_clip
    from srnn_lab.data.sound import DEFAULT_TIMING, midi_to_wav, roll_to_midi, wav_bytes
    from srnn_lab.inference.sampling import generate

    checkpoint = _load_checkpoint(args)
    data = checkpoint.config.data
    suffixes = (".mid", ".wav") if data.kind.notes else (".wav",)
    if args.out.suffix.lower() not in suffixes:
        raise ValueError(f"--out is {args.out}; this checkpoint writes {' or '.join('FILE' + s for s in suffixes)}.")
    if args.out.is_dir():
        raise IsADirectoryError(f"{args.out} could not be written: it is a folder. Name a file in it.")
    prefix, timing = None, None
    if args.prime:
        signal, timing = read_clip(args.prime, data, longest_clip(data))
        prefix = torch.as_tensor(clip_batch(checkpoint, signal)[0])[None]
    first_frame = checkpoint.config.evaluation.first_frame
    drawn = generate(
        checkpoint.model,
        args.steps,
        prefix=prefix,
        first_frame=first_frame,
        temperature=args.temperature,
        seed=args.seed,
    )
    whole = (drawn if prefix is None else torch.cat([prefix, drawn], 1))[0].numpy()
    if data.kind.notes:
        content = roll_to_midi(whole, data.frames_per_quarter, timing or DEFAULT_TIMING)
        content = content if args.out.suffix.lower() == ".mid" else midi_to_wav(content)
    else:
        content = wav_bytes(checkpoint.frontend.waveform(whole), data.sample_rate)
    write_atomically(args.out, content)
    return {
        "out": str(args.out),
        "frames": len(whole),
        "drawn": args.steps,
        "temperature": args.temperature,
        "seed": args.seed,
    }


def _transitions(args: argparse.Namespace) -> dict[str, Any]:
    from srnn_lab.analysis.transitions import measure_transitions
    from srnn_lab.data import load_labels

    _check_record(args)
    if args.events and args.record:
        args.usage_error("--record takes all kinds of events; leave --events out")
    checkpoint = _load_checkpoint(args)
    config = checkpoint.config
    data, split, named = _load_named(args, checkpoint)
    labels = {name: known for name, known in load_labels(data, split, args.data_dir).items() if name in named}
    _check_events(args.events or (), data, bool(labels))
    signals = list(named.values())
    how = {name: getattr(config.train, name) for name in ("resampling", "resampling_share")}
    how |= {"repetitions": 1, "seed": 0}
    draft = _draft(args, "transitions", checkpoint, config.evaluation, (data.data, split, signals), **how)
    began = time.perf_counter()
    found = measure_transitions(checkpoint, signals, [labels.get(name) for name in named])
    seconds = time.perf_counter() - began
    figures = {name: value for name, value in vars(found).items() if name != "areas"}
    areas = {
        name: _plain_area(area) for name, area in found.areas.items() if not args.events or _kind(name) in args.events
    }
    shown = {**figures, "labelled": len(labels), "data": data.data, "split": split, **areas}
    measured = {"sequences": figures.pop("clips"), "frames": figures.pop("frames"), "seconds": seconds}
    # One level, as in every record: onset/active/2/auc.
    figures |= {f"{name}/{key}": float(value) for name, area in areas.items() for key, value in area.items()}
    return shown | _record(args, draft, figures=figures, **measured)


def _probe(args: argparse.Namespace) -> dict[str, Any]:
    from srnn_lab.analysis import probe
    from srnn_lab.data import LABELLED, load_labels, load_split

    _check_record(args)
    checkpoint = _load_checkpoint(args)
    config = checkpoint.config
    trained_on = config.data.data
    name = args.data or (trained_on if trained_on in LABELLED or Path(trained_on).is_dir() else "reader")
    data = replace(config.data, data=name)

    def labelled(split: str) -> dict[str, Any]:
        labels = load_labels(data, split, args.data_dir)
        signals = {name: signal for name, signal in load_split(data, split, args.data_dir).items() if name in labels}
        if not signals:
            raise ValueError(f"No recording of {data.data} ({split}) has a file with labels beside it.")
        return {"signals": signals, "labels": labels}

    began, test = time.perf_counter(), labelled("test")
    how = {name: getattr(config.train, name) for name in ("resampling", "resampling_share")}
    how |= {"repetitions": 1, "seed": 0}
    scored = (name, "test", list(test["signals"].values()))
    draft = _draft(args, "probe", checkpoint, config.evaluation, scored, **how)
    try:
        train = labelled("train")
    except FileNotFoundError:  # the bundled sentences are of the test split
        if draft:
            raise
        found = probe.probe_sentences(probe.phone_frames(checkpoint, **test))
        _say(f"each of the {found.test_sentences} sentences is tested on what the others teach: that is little.")
    else:
        train["signals"] = probe.choose_minutes(train["signals"], data.rate, args.minutes)
        found = probe.probe_split(probe.phone_frames(checkpoint, **train), probe.phone_frames(checkpoint, **test))
    sizes = {name: value for name, value in vars(found).items() if name != "of"}
    shown = {name: asdict(recognition) for name, recognition in found.of.items()}
    shown |= {**sizes, "data": name, "split": "test"}
    measured = {"sequences": found.test_sentences, "frames": found.test_frames}
    figures = found.figures() | {"minutes": float(args.minutes)}
    return shown | _record(args, draft, figures=figures, seconds=time.perf_counter() - began, **measured)


def _check_events(kinds: Sequence[str], data: DataConfig, labelled: bool) -> None:
    from srnn_lab.analysis.events import kinds_of

    known = kinds_of(data, labelled)
    for kind in kinds:
        if kind not in known:
            why = "no file with labels lies beside the recordings" if kind in PHONE_EVENTS else "its frames have none"
            raise ValueError(f"--events asks for {kind!r} of {data.data!r}, but {why}; choose from {', '.join(known)}.")


def _kind(area: str) -> str:
    return area.partition("/")[0]


def _plain_area(area: Any) -> dict[str, int | float]:
    """An area's values by name, without those that are not known: of one clip there is no standard error."""
    return {name: value for name, value in asdict(area).items() if math.isfinite(value)}


def _areas_by_kind(areas: Mapping[str, Any]) -> dict[str, dict[str, int | float]]:
    """Of each kind of event how many there are, and the AUC by frames and window, such as ``active/2``."""
    found: dict[str, dict[str, int | float]] = {}
    for name, area in areas.items():
        kind, _, how = name.partition("/")
        found.setdefault(kind, {"events": area.events})[how] = area.auc
    return found


def _benchmark(args: argparse.Namespace) -> dict[str, Any]:
    from srnn_lab.reports.benchmark import benchmark

    return asdict(benchmark(args.shape, args.device))


def _print(result: dict[str, Any] | str, as_json: bool) -> None:
    if isinstance(result, str):
        print(printable(result))
        return
    if as_json:
        print(json.dumps(result))
        return
    width = max(16, *map(len, result))
    for key, value in result.items():
        if isinstance(value, dict):
            pairs = ((k.replace("_", " "), v) for k, v in value.items())
            value = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in pairs)
        elif isinstance(value, list):
            value = ", ".join(value)
        print(printable(f"{key:>{width}}  {value:.4f}" if isinstance(value, float) else f"{key:>{width}}  {value}"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 1 if the command failed, 130 or 143 after Ctrl-C or SIGTERM; argparse itself exits with 2 on a
        wrong option.
    """
    try:
        with lasting_output() as output:
            return _run(argv, output)
    finally:
        drop_unwritten()


def _run(argv: Sequence[str] | None, output: Lasting) -> int:
    args = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: _say(f"{message}") if _is_first() else None
            result = args.run(args)
        if _is_first():
            _print(result, args.json)
            output.flush()
            if output.error and args.run is not _train:  # which has written its result to files
                raise OSError(f"The result could not be printed ({output.error}); free some space or print elsewhere.")
    except (ValueError, OSError, FloatingPointError) as error:
        # Where the Python interface names a field, the command line has an option of that name.
        _say(re.sub(r"^\w+Config\.(\w+)", lambda field: f"--{field[1].replace('_', '-')}", f"{error}"))
        return 1
    except MemoryError:
        _say("this does not fit into memory; give less data at a time, or a smaller model.")
        return 1
    except Stopped as stopped:
        if _is_first():
            _say(f"{stopped}")
        return stopped.exit_status
    except KeyboardInterrupt:
        _say("stopped.")
        return 130
    return 0


def _is_first() -> bool:
    """Whether this process speaks, where several do the same under torchrun; alone it need not load torch to know."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return True
    from srnn_lab.system.distributed import rank

    return rank() == 0


def _say(message: str) -> None:
    sys.stderr.write(one_line(f"srnn-lab: {message}"))
