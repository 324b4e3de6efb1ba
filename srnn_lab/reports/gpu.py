"""What a GPU computes, how fast, and whether it trains: one script for a machine that has one.

Where there is no GPU, ``prepare`` puts the data that the checks need into a folder, since a bare
machine has no libraries for audio; ``run`` measures on a machine with torch, NumPy, SciPy,
safetensors, jaxtyping and tqdm alone. ``docs/gpu.md`` says how. After each part the results are
written to ``results.json``, so that a stop keeps what was done.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from srnn_lab.config import PRESETS, DataConfig, ModelConfig, RunConfig
from srnn_lab.data import DATASETS, load_split
from srnn_lab.data.download import fetch
from srnn_lab.data.sequences import Batch
from srnn_lab.inference.bounds import elbo, fivo, iwae
from srnn_lab.inference.evaluation import evaluate
from srnn_lab.models import SequenceModel, build_model
from srnn_lab.models.base import State
from srnn_lab.models.networks import tf32
from srnn_lab.reports.benchmark import benchmark
from srnn_lab.system.distributed import name_of
from srnn_lab.training.capture import Captured
from srnn_lab.training.fitting import fit
from srnn_lab.training.seeds import fit_in_turns

Case = tuple[str, str, dict[str, Any]]
JSB = "fraccaro/jsb_raw_batchsize16_seqlen100.npz"
SHAPES = {"music": "jsb", "timit": "timit", "blizzard": "blizzard"}
"""Name of a shape -> the preset with its model and batch."""
TINY = {"d_dim": 12, "z_dim": 8, "hidden_dim": 16}
"""Sizes of a rehearsal."""
CASES = [
    *(
        ("srnn", "elbo", {"smoothing": s, "residual": r, "num_layers": n})
        for s in (0, 1)
        for r in (0, 1)
        for n in (1, 2)
    ),
    *(("srnn", bound, {"num_layers": 2}) for bound in ("iwae", "fivo")),
    *(("srnn", "elbo", {"likelihood": name}) for name in ("gaussian", "gaussian-mixture", "nade")),
    *((model, bound, {}) for model in ("vrnn", "vrnn-i", "storn") for bound in ("elbo", "fivo")),
    *(("dkf", "elbo", {"residual": r, "gated_transition": g}) for r in (0, 1) for g in (0, 1)),
    ("rnn", "elbo", {}),
]
"""Model, bound and options whose loss and gradients are compared with those of a CPU in float64."""
ALLOWED = {"float64": 1e-10, "float64, recorded": 1e-10, "fp32": 1e-4, "tf32": 1e-2, "bf16": 5e-2}
"""Largest relative error of each mode that is taken for rounding, unless a CPU has half as much in
the same mode."""


def prepare(folder: Path, data_dir: Path | None = None) -> None:
    """Put what ``run`` reads into a folder: the chorales, and the prompts of ``voice``, decoded.

    Args:
        folder: It must not exist.
        data_dir: Folder of the data sets' files.
    """
    chorales = folder / "music" / JSB
    chorales.parent.mkdir(parents=True)
    shutil.copy(fetch(JSB, data_dir), chorales)
    arrays = {}
    for split in ("train", "valid", "test"):
        waves = list(load_split(PRESETS["voice"].data, split, data_dir).values())
        arrays |= {
            split: np.concatenate(waves),
            f"{split}_lengths": np.array([len(wave) for wave in waves]),
        }
    np.savez_compressed(folder / "voice.npz", **arrays)


def prepared_voice(config: DataConfig, split: str, folder: Path | None) -> dict[str, np.ndarray]:  # noqa: ARG001
    """The data set ``voice`` as ``prepare`` left it."""
    with np.load(Path(folder or ".") / "voice.npz") as arrays:
        ends = np.cumsum(arrays[f"{split}_lengths"])
        return {f"{i}": wave for i, wave in enumerate(np.split(arrays[split], ends[:-1]))}


class Checks:
    """A run's parts, the most important first; each returns what belongs into ``results.json``.

    Args:
        out: Folder for the results and the runs that are trained.
        data: What ``prepare`` made.
        device: ``cuda`` or, for a rehearsal on tiny sizes, ``cpu``.
    """

    def __init__(self, out: Path, data: Path, device: str):
        self.out, self.data, self.device = out, data, device
        self.rehearsal = device == "cpu"

    def machine(self) -> dict[str, Any]:
        """The device, the speed of large products, what a launch costs, one by one and recorded."""
        found: dict[str, Any] = {
            "device": name_of(self.device),
            "torch": str(torch.__version__),
            "python": sys.version.split()[0],
        }
        side = 64 if self.rehearsal else 8192
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            square = torch.randn(side, side, device=self.device, dtype=dtype)
            found[f"{name}_tflops"] = (
                2e-9 * side**3 / self._ms(lambda square=square: square @ square)
            )
        layer, x = nn.Linear(1, 1).to(self.device), torch.ones(16, 100, device=self.device)

        def launches(x: Tensor) -> tuple[Tensor]:
            for _ in range(1000):
                x.add_(1.0)
            return (x,)

        found["launch_us"] = self._ms(lambda: launches(x))
        if not self.rehearsal:
            recorded = Captured(launches, layer)
            found["recorded_launch_us"] = self._ms(lambda: recorded(x))
        return found

    def correct(self) -> dict[str, Any]:
        """Relative errors of loss and gradients against a CPU in float64, by case and mode."""
        rows, wrong = {}, []
        for case in CASES:
            expected = self._loss_and_gradients(case, "float64", "cpu")

            def error(
                mode: str, device: str, case: Case = case, expected: Tensor = expected
            ) -> float:
                found = self._loss_and_gradients(case, mode, device)
                return float((found - expected).norm() / expected.norm())

            name = " ".join(map(str, case))
            # In FIVO, another rounding chooses other ancestors.
            modes = [mode for mode in ALLOWED if case[1] != "fivo" or mode.startswith("float64")]
            rows[name] = {mode: error(mode, self.device) for mode in modes}
            for mode in modes:
                if rows[name][mode] > ALLOWED[mode] and rows[name][mode] > 2 * error(mode, "cpu"):
                    wrong.append(f"{name}, {mode}")
        worst = {mode: max(row.get(mode, 0.0) for row in rows.values()) for mode in ALLOWED}
        return {"wrong": wrong, "worst": worst, "allowed": ALLOWED, "rows": rows}

    def _loss_and_gradients(self, case: Case, mode: str, device: str) -> Tensor:
        name, bound, options = case
        torch.manual_seed(0)
        likelihood = options.get("likelihood", "bernoulli")
        changes: dict[str, Any] = {
            key: bool(value) if value in (0, 1) and key != "num_layers" else value
            for key, value in options.items()
        }
        sizes: dict[str, Any] = {
            "x_dim": 12,
            "d_dim": 16,
            "z_dim": 8,
            "hidden_dim": 24,
            "num_components": 3,
        }
        dtype = torch.float64 if mode.startswith("float64") else torch.float32
        model = build_model(ModelConfig(model=name, **sizes | changes)).to(device, dtype)
        whole, lengths = torch.rand(4, 14, 12), torch.tensor([13, 9, 1, 5])
        whole = whole.round() if likelihood in ("bernoulli", "nade") else whole
        paths = 1 if bound == "elbo" else 4
        state = [0.3 * torch.randn(values.shape) for values in model.initial_state(4)]
        noise, uniforms = torch.randn(4 * paths, 13, model.z_dim), torch.rand(4, 13, 1)
        inputs = [
            v.to(device, dtype if v.is_floating_point() else None)
            for v in (whole, lengths, *state, noise, uniforms)
        ]

        def passes(*inputs: Tensor) -> tuple[Tensor]:
            model.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=mode == "bf16"):
                loss = _loss(model, bound, *inputs)
            loss.backward()
            return (loss.detach(),)

        with tf32(mode in ("tf32", "bf16")):
            recorded = "recorded" in mode and device != "cpu"
            (loss,) = (Captured(passes, model) if recorded else passes)(*inputs)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        return torch.cat([loss[None].double().cpu(), *(g.double().cpu().flatten() for g in grads)])

    def speed(self, shape: str) -> dict[str, Any]:
        """Milliseconds of an update at a shape.

        Returns:
            Those kernel by kernel, and recorded; and the yardsticks of ``benchmark``.
        """
        config = PRESETS[SHAPES[shape]]
        model_config, b, t = config.model, config.train.batch_size, config.train.segment_length
        if self.rehearsal:
            model_config, b, t = replace(model_config, **TINY), 3, 6
        torch.manual_seed(0)
        model = build_model(model_config).to(self.device)
        whole = torch.rand(b, t + 1, model_config.x_dim, device=self.device)
        whole = (whole < 0.05).float() if model_config.likelihood == "bernoulli" else whole
        noise = torch.randn(b, t, model.z_dim, device=self.device)
        inputs = [whole, torch.full((b,), t, device=self.device), *model.initial_state(b), noise]
        found: dict[str, Any] = {}
        for mode in ("fp32", "bf16", "fp32, recorded", "bf16, recorded"):
            found[mode] = self._ms(step := self._update(model, inputs, mode))
        found["kernels"] = self._kernels(step)
        return (
            found
            if self.rehearsal
            else found | {"yardsticks": asdict(benchmark(shape, self.device))}
        )

    def _update(
        self, model: SequenceModel, inputs: Sequence[Tensor], mode: str
    ) -> Callable[[], object]:
        """Forward, backward, clip and Adam; the gradient's norm is looked at, as in a training."""
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        low = mode.startswith("bf16")

        def passes(*inputs: Tensor) -> tuple[Tensor]:
            optimizer.zero_grad()
            with tf32(low):
                with torch.autocast(self.device, torch.bfloat16, enabled=low):
                    loss = _loss(model, "elbo", *inputs)
                (loss / len(inputs[0])).backward()
            return (loss.detach(),)

        run = Captured(passes, model) if "recorded" in mode and not self.rehearsal else passes

        def step() -> None:
            run(*inputs)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
            optimizer.step()

        return step

    def _kernels(self, step: Callable[[], object]) -> dict[str, Any]:
        """How many kernels an update has, how long they run, and which of them run longest."""
        if self.rehearsal:
            return {}
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiled:
            step()
            torch.cuda.synchronize()
        kernels = [e for e in profiled.events() or () if str(e.device_type).endswith("CUDA")]
        ms: dict[str, float] = {}
        for kernel in kernels:
            ms[kernel.name[:80]] = (
                ms.get(kernel.name[:80], 0) + kernel.time_range.elapsed_us() / 1000
            )
        longest = dict(sorted(ms.items(), key=lambda item: -item[1])[:12])
        return {"count": len(kernels), "ms": sum(ms.values()), "longest": longest}

    def train(
        self, preset: str, epochs: int | None = None, *, eager: bool = False
    ) -> dict[str, Any]:
        """A training, to its end or for ``epochs``, and what the CPU makes of the model it left."""
        out = self.out / f"{preset}{'-eager' * eager}"
        config = self._config(preset, epochs)
        run = fit(config, out, data_dir=self.data, device=self.device, eager=eager)
        best = run.best
        test = best.frontend.sequences(
            load_split(config.data, "test", self.data).values(), config.model.x_dim
        )
        again = evaluate(best.model, test, config.evaluation)  # ``fit`` has put it on the CPU
        return {
            "seconds": run.seconds, "frames_per_second": run.frames_per_second,
            "precision": run.precision, "epochs": len(run.curves),
            "best_epoch": best.scores["epoch"], "test": best.scores["test"],
            "test_on_the_cpu": again.elbo, "skipped": sum(row["skipped"] for row in run.curves),
        }  # fmt: skip

    def _config(self, preset: str, epochs: int | None, **train: Any) -> RunConfig:
        config = PRESETS[preset]
        if self.rehearsal:
            config = replace(config, model=replace(config.model, **TINY))
            train |= {"batch_size": 3, "segment_length": 8, "segments_per_reset": 0}
            epochs = min(epochs or 1, 2)
        return replace(
            config, train=replace(config.train, epochs=epochs or config.train.epochs, **train)
        )

    def resume(self) -> dict[str, Any]:
        """Largest weight differences between two trainings, and between one and one continued."""
        whole = self._config("jsb", 2)
        half = replace(whole, train=replace(whole.train, epochs=1))
        folders = [self.out / f"resume-{name}" for name in ("whole", "again", "continued")]
        for folder, configs in zip(folders, ([whole], [whole], [half, whole]), strict=True):
            for config in configs:
                fit(config, folder, data_dir=self.data, device=self.device, resume=True)
        first, *others = (load_file(folder / "last.safetensors") for folder in folders)
        names = [name for name in first if name.startswith("model.")]
        gaps = [max(float((first[n] - other[n]).abs().max()) for n in names) for other in others]
        return dict(zip(("again", "continued"), gaps, strict=True))

    def seeds(self) -> dict[str, float]:
        """Frames a second of several runs of ``jsb`` side by side, all together."""
        found = {}
        for count in (1, 2) if self.rehearsal else (1, 2, 4, 8):
            configs = {
                self.out / f"{count}-side-by-side" / f"seed{seed}": self._config(
                    "jsb", 2, seed=seed
                )
                for seed in range(count)
            }
            options = {"data_dir": self.data, "eager": False}
            runs = fit_in_turns(configs, device=self.device, **options).values()
            found[f"{count} side by side"] = sum(run.frames_per_second for run in runs)
        return found

    def _ms(self, step: Callable[[], object], seconds: float = 1.5) -> float:
        """Median milliseconds, the device being waited for after each step."""
        wait = (lambda: None) if self.rehearsal else torch.cuda.synchronize
        for _ in range(1 if self.rehearsal else 3):
            step()
        wait()
        taken: list[float] = []
        end = time.perf_counter() + (0 if self.rehearsal else seconds)
        while len(taken) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            step()
            wait()
            taken.append(1e3 * (time.perf_counter() - start))
        return median(taken)

    def parts(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """By name."""
        return {
            "machine": self.machine,
            "correct": self.correct,
            "speed music": partial(self.speed, "music"),
            "jsb": partial(self.train, "jsb"),
            "speed timit": partial(self.speed, "timit"),
            "speed blizzard": partial(self.speed, "blizzard"),
            "voice": partial(self.train, "voice"),
            "seeds": self.seeds,
            "resume": self.resume,
            "jsb eager": partial(self.train, "jsb", 5, eager=True),
        }


def _loss(
    model: SequenceModel,
    bound: str,
    whole: Tensor,
    lengths: Tensor,
    d: Tensor,
    z: Tensor,
    noise: Tensor,
    *uniforms: Tensor,
) -> Tensor:
    batch, state = Batch.of(whole, lengths), State(d, z)
    if bound == "elbo":
        terms = elbo(model, batch, state, noise)
        return (0.7 * terms.kl.clamp(min=0.01) - terms.log_px).sum()
    if bound == "iwae":
        return -iwae(model, batch, noise, state, kl_weight=0.7).value.sum()
    return -fivo(model, batch, noise, uniforms[0], state, kl_weight=0.7).value.sum()


def run(
    out: Path, data: Path, device: str, only: Sequence[str] = (), limit: float = 540.0
) -> dict[str, Any]:
    """Measure part after part; one that fails does not keep the next from being tried.

    Args:
        out: Folder for the results.
        data: What ``prepare`` made.
        device: ``cuda``, or ``cpu`` for a rehearsal.
        only: Names of parts; all by default.
        limit: Seconds after which no further part begins.

    Returns:
        By the name of a part, what it measured, or why it has no result (``error`` or
        ``left_out``).
    """
    out.mkdir(parents=True, exist_ok=True)
    began, results = time.perf_counter(), {}
    with patch.dict(DATASETS, voice=prepared_voice):
        for name, part in Checks(out, data, device).parts().items():
            if only and name not in only:
                continue
            start = time.perf_counter()
            if start - began > limit:
                results[name] = {"left_out": f"{limit:.0f} s were over"}
            else:
                try:
                    results[name] = {**part(), "part_seconds": time.perf_counter() - start}
                except (RuntimeError, ValueError, OSError, FloatingPointError) as error:
                    results[name] = {"error": f"{type(error).__name__}: {error}"}
            print(f"{name}: {json.dumps(results[name])}", flush=True)
            (out / "results.json").write_text(json.dumps(results, indent=1))
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m srnn_lab.reports.gpu prepare FOLDER``, ``run OUT FOLDER``; 1 if a part failed."""
    described = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m srnn_lab.reports.gpu", description=described)
    commands = parser.add_subparsers(required=True, dest="command")
    prepared = commands.add_parser(
        "prepare", help="put the data that the checks need into a folder"
    )
    prepared.add_argument("folder", type=Path)
    prepared.add_argument(
        "--data-dir",
        type=Path,
        help="Folder of the data sets' files. Default: they are downloaded.",
    )
    measured = commands.add_parser("run", help="measure")
    measured.add_argument("out", type=Path)
    measured.add_argument("data", type=Path, help="What prepare made.")
    measured.add_argument("--only", default="", metavar="PART,...", help="Default: all.")
    measured.add_argument(
        "--limit", type=float, default=540.0, help="Seconds after which no part begins."
    )
    measured.add_argument(
        "--cpu", action="store_true", help="Rehearse on tiny sizes, without a GPU."
    )
    args = parser.parse_args(argv)
    if args.command == "prepare":
        prepare(args.folder, args.data_dir)
        return 0
    only = [name for name in args.only.split(",") if name]
    found = run(args.out, args.data, "cpu" if args.cpu else "cuda", only, args.limit)
    return int(any("error" in result for result in found.values()))


if __name__ == "__main__":
    sys.exit(main())
