"""``srnn-lab``: train, evaluate, inspect, sample and measure from the command line."""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from srnn_lab.config import CONVENTIONS, PRESETS, RunConfig


def _one_line(message: str) -> str:
    return " ".join(line.strip() for line in message.splitlines()) + "\n"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, _one_line(f"{self.prog}: {message}. See {self.prog} --help."))


def _add_config_options(parser: argparse.ArgumentParser, config: RunConfig) -> None:
    for section in fields(config):
        values = getattr(config, section.name)
        group = parser.add_argument_group(section.name)
        for f in fields(values):
            flag, default = f"--{f.name.replace('_', '-')}", getattr(values, f.name)
            kind: dict[str, Any] = {"type": f.type}
            if f.type is bool:
                kind = {"action": argparse.BooleanOptionalAction}
            elif get_origin(f.type) is Literal:
                kind = {"choices": get_args(f.type)}
            text = f"{f.metadata['help']} Default: {default}.".replace("%", "%%")
            group.add_argument(flag, default=default, help=text, **kind)


def _configured(config: RunConfig, args: argparse.Namespace) -> RunConfig:
    return replace(
        config,
        **{
            section.name: replace(
                getattr(config, section.name),
                **{f.name: getattr(args, f.name) for f in fields(getattr(config, section.name))},
            )
            for section in fields(config)
        },
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="srnn-lab", description="Train, inspect and hear stochastic recurrent neural networks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a model", description="Train a model from a preset.")
    presets = train.add_subparsers(required=True, metavar="PRESET", dest="preset", parser_class=_Parser)
    for name, config in PRESETS.items():
        described = f"{config.model.model}, {config.data.data}, {config.data.features} frames"
        preset = presets.add_parser(name, help=described, description=f"Train the preset {name}: {described}.")
        preset.add_argument(
            "--out", type=Path, default=Path("runs") / name, help="Folder of the run. Default: %(default)s."
        )
        preset.add_argument(
            "--resume", action="store_true", help="Continue the run in --out from its last whole epoch."
        )
        preset.add_argument("--device", help="cpu, cuda or mps. Default: a CUDA GPU if there is one.")
        _add_data_dir(preset)
        _add_json(preset)
        _add_config_options(preset, config)
        preset.set_defaults(run=_train)

    evaluate = _checkpoint_command(commands, "evaluate", "the bound on a split of a data set", _evaluate)
    evaluate.add_argument("--average", choices=("micro", "macro", "sequence"), help="Default: as published.")
    evaluate.add_argument("--first-frame", action=argparse.BooleanOptionalAction, help="Default: as published.")
    evaluate.add_argument("--convention", choices=tuple(CONVENTIONS), help="Average and first frame in one, by name.")
    evaluate.add_argument("--seed", type=_seed, default=0, help="Seed of the sampled paths. Default: 0.")
    _add_data(evaluate)

    inspect = _checkpoint_command(commands, "inspect", "KL, reconstruction and posterior of one file", _inspect)
    inspect.add_argument("file", type=Path, metavar="FILE", help="Audio or MIDI file.")
    inspect.add_argument("--out", type=Path, help="Folder for posterior.npz and figure.html.")

    sample = _checkpoint_command(commands, "sample", "draw a new sequence", _sample)
    sample.add_argument("--out", type=Path, required=True, help="FILE.mid or FILE.wav.")
    sample.add_argument("--prime", type=Path, help="Audio or MIDI file to continue.")
    sample.add_argument("--steps", type=int, default=200, help="Frames to draw. Default: 200.")
    sample.add_argument("--seed", type=_seed, default=0, help="Seed of the draws. Default: 0.")

    transitions = _checkpoint_command(
        commands, "transitions", "the KL where the signal changes, against elsewhere", _transitions
    )
    _add_data(transitions)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", help="Data set or folder. Default: the one the checkpoint was trained on.")
    parser.add_argument(
        "--split",
        help="train, valid or test; of a folder also all. Default: test, or all of a folder given with --data.",
    )
    _add_data_dir(parser)


def _load_data(args: argparse.Namespace, checkpoint: Any) -> tuple[str, str, list[Any]]:
    from srnn_lab.data import DATASETS, load_split

    data = replace(checkpoint.config.data, data=args.data or checkpoint.config.data.data)
    split = args.split or ("all" if args.data and args.data not in DATASETS else "test")
    return data.data, split, list(load_split(data, split, args.data_dir).values())


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^32 - 1")
    return int(text)


def _checkpoint_command(commands: Any, name: str, help: str, run: Callable) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="A .safetensors file, or a bundled name.")
    _add_json(command)
    command.set_defaults(run=run)
    return command


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="Print one JSON object as the last line of standard output."
    )


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="Folder of the data sets' files. Default: SRNN_LAB_DATA.")


def _train(args: argparse.Namespace) -> dict[str, Any]:
    config = _configured(PRESETS[args.preset], args)

    from srnn_lab.training import fit

    checkpoint = fit(config, args.out, data_dir=args.data_dir, device=args.device, resume=args.resume)
    return {"checkpoint": str(args.out / "best.safetensors"), **checkpoint.scores}


def _evaluate(args: argparse.Namespace) -> dict[str, Any]:
    from srnn_lab.bounds import evaluate
    from srnn_lab.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(args.checkpoint)
    convention = CONVENTIONS[args.convention] if args.convention else checkpoint.config.evaluation
    changed = {k: getattr(args, k) for k in ("average", "first_frame") if getattr(args, k) is not None}
    data, split, signals = _load_data(args, checkpoint)
    frames = [checkpoint.frontend.frames(signal, checkpoint.config.model.x_dim) for signal in signals]
    score = evaluate(checkpoint.model, frames, replace(convention, **changed), seed=args.seed)
    unit = "nats per sequence" if score.average == "sequence" else "nats per frame"
    return {**asdict(score), "unit": unit, "data": data, "split": split}


def _inspect(args: argparse.Namespace) -> dict[str, Any]:
    import io

    import numpy as np

    from srnn_lab.checkpoint import load_checkpoint, write_atomically
    from srnn_lab.data import read_signal
    from srnn_lab.figures import clip_figure
    from srnn_lab.inspection import inspect_signal

    checkpoint = load_checkpoint(args.checkpoint)
    signal = read_signal(args.file, checkpoint.config.data)
    clip = inspect_signal(checkpoint, signal)
    if args.out:
        content = io.BytesIO()
        np.savez_compressed(content, **clip.arrays())
        write_atomically(args.out / "posterior.npz", content.getvalue())
        page = clip_figure(checkpoint, signal, clip).to_html(include_plotlyjs=True)
        write_atomically(args.out / "figure.html", page.encode())
    largest = int(clip.kl.argmax())
    return {
        "frames": len(clip.kl),
        "elbo": float((clip.log_px - clip.kl).mean()),
        "log_px": float(clip.log_px.mean()),
        "kl": float(clip.kl.mean()),
        "largest_kl": float(clip.kl[largest]),
        "largest_kl_time": float(clip.seconds[largest]),
        "changes": len(clip.changes),
        "out": str(args.out) if args.out else None,
    }


def _sample(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from srnn_lab.audio import midi_to_wav, roll_to_midi, wav_bytes
    from srnn_lab.checkpoint import load_checkpoint, write_atomically
    from srnn_lab.data import read_signal
    from srnn_lab.generate import generate

    checkpoint = load_checkpoint(args.checkpoint)
    data, x_dim = checkpoint.config.data, checkpoint.config.model.x_dim
    suffixes = (".mid", ".wav") if data.features == "roll" else (".wav",)
    if args.out.suffix.lower() not in suffixes:
        raise ValueError(f"--out is {args.out}; this checkpoint writes {' or '.join('FILE' + s for s in suffixes)}.")
    prefix = None
    if args.prime:
        frames = checkpoint.frontend.frames(read_signal(args.prime, data), x_dim)
        prefix = torch.as_tensor(frames)[None]
    first_frame = checkpoint.config.evaluation.first_frame
    drawn = generate(checkpoint.model, args.steps, prefix=prefix, first_frame=first_frame, seed=args.seed)
    whole = (drawn if prefix is None else torch.cat([prefix, drawn], 1))[0].numpy()
    if data.features == "roll":
        content = roll_to_midi(whole, data.frames_per_quarter)
        content = content if args.out.suffix.lower() == ".mid" else midi_to_wav(content)
    else:
        content = wav_bytes(checkpoint.frontend.waveform(whole), data.sample_rate)
    write_atomically(args.out, content)
    return {"out": str(args.out), "frames": len(whole), "drawn": args.steps, "seed": args.seed}


def _transitions(args: argparse.Namespace) -> dict[str, Any]:
    from srnn_lab.checkpoint import load_checkpoint
    from srnn_lab.transitions import measure_transitions

    checkpoint = load_checkpoint(args.checkpoint)
    data, split, signals = _load_data(args, checkpoint)
    return {**asdict(measure_transitions(checkpoint, signals)), "data": data, "split": split}


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
        print(f"{key:>16}  {value:.4f}" if isinstance(value, float) else f"{key:>16}  {value}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 1 if the command failed; argparse itself exits with 2 on a wrong option.
    """
    args = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: sys.stderr.write(_one_line(f"srnn-lab: {message}"))
            _print(args.run(args), args.json)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.stderr.write(_one_line(f"srnn-lab: {error}"))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(_one_line("srnn-lab: stopped; a run is continued with --resume."))
        return 130
    return 0
