"""``srnn-lab train`` and ``sweep``: one run, one for each seed, or some with Optuna's settings."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from srnn_lab.cli.options import (
    Parser,
    add_data_dir,
    add_device,
    add_json,
    count,
    loggers,
    path,
    seeds,
    text,
    varied,
)
from srnn_lab.config import PRESETS, RunConfig
from srnn_lab.reports.records import options_of
from srnn_lab.training.configuring import configured, fitted_settings, new_config

MAX_TRIALS = 10_000
"""Of a sweep at the most."""


def add_train(commands: Any) -> None:
    """Add ``train`` and ``sweep``, each with a command for every preset."""
    train = commands.add_parser(
        "train",
        help="train a model, or continue a run",
        description="Train a model from a PRESET, or continue with --resume RUN.",
        argument_default=argparse.SUPPRESS,
    )
    _add_train_options(train, None)
    presets = train.add_subparsers(metavar="PRESET", dest="preset", parser_class=Parser)
    for name, config in PRESETS.items():
        described = _described(config)
        preset = presets.add_parser(
            name,
            help=described,
            description=f"Train the preset {name}: {described}.",
            argument_default=argparse.SUPPRESS,
        )
        _add_train_options(preset, name)
    absent = dict.fromkeys(("preset", "out", "seeds", "resume", "device", "data_dir"))
    absent |= {"tensorboard": False, "eager": False, "json": False, "log": ()}
    train.set_defaults(run=train_model, usage_error=train.error, **absent)
    sweep = commands.add_parser(
        "sweep",
        help="train a preset with settings that Optuna chooses",
        description="Train a PRESET several times. Optuna chooses the settings of each trial by "
        "the validation bounds of the trials before it. Each trial is a run; the same command "
        "continues what was stopped.",
    )
    sweeps = sweep.add_subparsers(
        metavar="PRESET", dest="preset", required=True, parser_class=Parser
    )
    for name, preset in presets.choices.items():
        told = {
            "help": _described(PRESETS[name]),
            "description": f"Train the preset {name} with several settings.",
        }
        _add_sweep_options(sweeps.add_parser(name, parents=[preset], add_help=False, **told), name)
    sweep.set_defaults(run=sweep_settings, usage_error=sweep.error, **absent)


def _described(config: RunConfig) -> str:
    """A preset in a line."""
    data = config.data.data or "your own tables"
    return f"{config.model.model}, {data}, {config.data.features} frames"


def _add_train_options(parser: argparse.ArgumentParser, name: str | None) -> None:
    """The options of a preset, or those of ``train`` itself, which continues a run.

    Only those that are given reach ``args``.
    """
    # Where the run is, and what it continues.
    out = f"Folder of a new run. Default: {Path('runs') / name}." if name else argparse.SUPPRESS
    parser.add_argument("--out", type=path, help=out)
    begin = ", or start it there if there is none" if name else ", with the options it started with"
    parser.add_argument(
        "--resume", type=path, metavar="RUN", help=f"Continue the run in this folder{begin}."
    )
    if name:
        parser.add_argument(
            "--seeds",
            type=seeds,
            metavar="SEED,...",
            help="Train with each of these seeds, side by side: on a GPU in one process, on CPUs "
            f"one process for each CPU. The folders are {Path('runs') / name}-seed1 and so on "
            "(OUT-seed1 and so on with --out OUT). The same command continues what was stopped.",
        )
    # The machine, and where the curves are written.
    add_device(parser, "; under torchrun, one for each process")
    parser.add_argument(
        "--eager",
        action="store_true",
        help="On a GPU, launch the kernels of an update one by one instead of recording them once "
        "as a CUDA graph. Slower; for GPUs on which the recording fails.",
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="Write TensorBoard events to RUN/tensorboard."
    )
    parser.add_argument(
        "--log",
        type=loggers,
        metavar="NAME,...",
        help="Log the curves to these as well: tensorboard, wandb (Weights & Biases), mlflow.",
    )
    add_data_dir(parser)
    add_json(parser)
    # An option for each setting of each section.
    config = PRESETS[name] if name else RunConfig()
    for section in fields(config):
        values = getattr(config, section.name)
        group = parser.add_argument_group(section.name)
        for f in fields(values):
            flag, default = f"--{f.name.replace('_', '-')}", getattr(values, f.name)
            default = "none" if default == "" else default
            kind: dict[str, Any] = {"type": text if f.type is str else f.type}
            if f.type is bool:
                kind = {"action": argparse.BooleanOptionalAction}
            elif get_origin(f.type) is Literal:
                kind = {"choices": get_args(f.type)}
            told = f"{f.metadata['help']} Default: {default}.".replace("%", "%%")
            if not name:
                told = (
                    f"{f.metadata['help']} Default: as it started."
                    if f.name == "epochs"
                    else argparse.SUPPRESS
                )
            group.add_argument(flag, help=told, **kind)


def _add_sweep_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the options of a sweep, which come beside those of training."""
    group = parser.add_argument_group("sweep")
    group.add_argument(
        "--vary",
        type=varied,
        action="append",
        required=True,
        metavar="NAME=VALUES",
        help="A setting and its values: a range such as learning-rate=1e-4..1e-2 (logarithmic if "
        "its ends differ by a factor of 10 or more), or a list such as z-dim=20,50,100. May be "
        "given several times.",
    )
    group.add_argument(
        "--trials",
        type=count(MAX_TRIALS),
        default=20,
        help=f"Number of trials. Their folders are {Path('runs') / name}-sweep-1 and so on "
        "(OUT-1 and so on with --out OUT). Default: 20.",
    )


def sweep_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Train with settings that Optuna chooses, and return the bound of each trial."""
    given = vars(args)
    if args.resume or args.seeds:
        args.usage_error(
            "a sweep takes neither --resume nor --seeds; the same command continues it"
        )
    if fixed := next((one.name for one in args.vary if one.name in given), None):
        args.usage_error(f"--{fixed.replace('_', '-')} is given and varied; leave one of them out")

    from srnn_lab.system.distributed import world_size
    from srnn_lab.training.fitting import fit
    from srnn_lab.training.sweep import sweep

    if world_size() > 1:
        raise ValueError("sweep trains one run after another; start it without torchrun.")
    options = {
        "data_dir": args.data_dir,
        "device": args.device,
        "loggers": _logs(args),
        "eager": args.eager,
    }

    def train(run: Path, settings: Mapping[str, Any]) -> float:
        config = _begun(args, run, {**given, **settings}, again=True)
        return fit(config, run, resume=True, **options).best.scores["valid"][config.train.bound]

    trials = sweep(args.vary, args.trials, args.out or Path("runs") / f"{args.preset}-sweep", train)
    ended = {trial.bound: trial for trial in trials if trial.bound is not None}
    best = ended[max(ended)]
    said = {trial.run.name: {"valid": trial.bound, **trial.settings} for trial in trials}
    return {**said, "best": best.run.name, "checkpoint": str(best.run / "best.safetensors")}


def train_model(args: argparse.Namespace) -> dict[str, Any]:
    """Train, and return the scores of the best epoch, the time and the files."""
    if not (args.preset or args.resume):
        args.usage_error("a PRESET to start with, or --resume RUN, is required")
    if args.seeds:
        return _train_seeds(args)
    if args.resume and args.out and args.out.resolve() != args.resume.resolve():
        args.usage_error(
            f"--out {args.out} is for a new run, and --resume {args.resume} names another; give "
            "one of them"
        )
    out = args.resume or args.out or Path("runs") / args.preset
    config = _begun(args, out, vars(args), again=args.resume is not None)

    from srnn_lab.training.fitting import fit

    _warn_of_others(args.device)
    run = fit(
        config,
        out,
        data_dir=args.data_dir,
        device=args.device,
        resume=args.resume is not None,
        loggers=_logs(args),
        eager=args.eager,
    )
    return _report(args, config, out, run)


def _warn_of_others(device: str | None) -> None:
    """Tell whoever watches that threads will wait for other programs, if some keep CPUs busy."""
    import torch

    load, cpus, threads = os.getloadavg()[0], os.cpu_count() or 1, torch.get_num_threads()
    on_cpu = device == "cpu" or (device is None and not torch.cuda.is_available())
    if sys.stderr.isatty() and on_cpu and threads > 1 and load > cpus / 2:
        print(
            f"Other programs keep about {load:.0f} CPUs busy, of {cpus}. Training with "
            f"{threads} threads may be many times slower than with one: OMP_NUM_THREADS=1.",
            file=sys.stderr,
        )


def _begun(args: argparse.Namespace, out: Path, given: dict[str, Any], *, again: bool) -> RunConfig:
    """The configuration of a run that begins in ``out`` or, with ``again``, may have begun."""
    from srnn_lab.data.series import complete

    if again and (out / "last.safetensors").exists():
        from srnn_lab.checkpoint import read_config

        began = read_config(out / "last.safetensors")
        kept = {name: getattr(began.train, name) for name in ("epochs", *fitted_settings(began))}
        kept["stand_in"] = began.model.stand_in  # 0 in a run from before it could be chosen
        config = configured(PRESETS.get(args.preset, began), {**kept, **given})
    elif args.preset:
        return new_config(args.preset, given)
    else:
        raise ValueError(f"{out} holds no run to continue; name a PRESET to start one there.")
    config.check_read(given)
    return complete(config)


def _logs(args: argparse.Namespace) -> tuple[str, ...]:
    """The loggers that were asked for."""
    return tuple(dict.fromkeys([*["tensorboard"] * args.tensorboard, *args.log]))


def _train_seeds(args: argparse.Namespace) -> dict[str, Any]:
    """Runs that differ in their seeds, side by side; those that have begun are continued."""
    if not args.preset or args.resume or hasattr(args, "seed"):
        args.usage_error(
            "--seeds trains a PRESET with several seeds, and takes neither --seed nor --resume"
        )

    import torch

    from srnn_lab.system.distributed import usable_device, world_size
    from srnn_lab.training.seeds import fit_in_processes, fit_in_turns

    if world_size() > 1:
        raise ValueError("--seeds trains runs side by side by itself; start it without torchrun.")
    # A folder and a configuration for each seed.
    device, given = usable_device(args.device), vars(args)
    first = args.out or Path("runs") / args.preset
    seeds = {first.with_name(f"{first.name}-seed{seed}"): seed for seed in args.seeds}
    configs = {
        out: _begun(args, out, {**given, "seed": seed}, again=True) for out, seed in seeds.items()
    }
    # On a GPU all runs share this process.
    if torch.device(device).type == "cuda":
        options = {"data_dir": args.data_dir, "loggers": _logs(args), "eager": args.eager}
        runs = fit_in_turns(configs, device=device, **options)
        found = {out: _report(args, configs[out], out, run) for out, run in runs.items()}
    else:
        # On a CPU each run is a process with the same options.
        settings = {
            f.name
            for section in fields(RunConfig())
            for f in fields(getattr(RunConfig(), section.name))
        }
        again = {
            name: value
            for name, value in given.items()
            if name in settings or (name == "data_dir" and value)
        }
        options = [
            *options_of(again),
            f"--device={device}",
            "--json",
            *[f"--log={','.join(_logs(args))}"] * bool(_logs(args)),
        ]
        commands = {
            out: ["train", args.preset, *options, f"--seed={seed}", f"--resume={out}"]
            for out, seed in seeds.items()
        }
        found = {out: json.loads(line) for out, line in fit_in_processes(commands).items()}
    # The test scores in the order of the seeds.
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

    from srnn_lab.inference.use_of_z import told
    from srnn_lab.system.distributed import world_size

    # The scores are those of the best epoch.
    scores, unit = run.best.scores, config.evaluation.unit
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
            "unit": "nats per frame",
            "average": "updates",
        },
        "valid": {**scores["valid"], "unit": unit},
        "test": {**scores["test"], "unit": unit},
        **told(run.use),
        "time": {"seconds": run.seconds, "frames_per_second": run.frames_per_second},
        "checkpoint": str(out / "best.safetensors"),
        "files": [
            str(out / n)
            for n in (
                "last.safetensors",
                "curves.csv",
                *[name for name in _logs(args) if (out / name).exists()],
            )
        ],
    }
