"""Maximising the bound: segments with carried state, KL weight, schedules, validation, curves; best and last kept."""

import csv
import io
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from srnn_lab.bounds import elbo, evaluate
from srnn_lab.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, write_atomically
from srnn_lab.config import RunConfig, TrainConfig
from srnn_lab.data import Frontend, Streams, load_split
from srnn_lab.models import SequenceModel, build_model

CURVES = (
    "epoch",
    "train_elbo",
    "train_kl",
    "valid_elbo",
    "valid_log_px",
    "valid_kl",
    "kl_weight",
    "learning_rate",
    "seconds",
)
"""Columns of ``curves.csv``."""
Row = dict[str, int | float]


def learning_rate(config: TrainConfig, epoch: int) -> float:
    """The learning rate of an epoch (from 0): constant up to the start of the decay, then a geometric series."""
    return config.learning_rate * config.learning_rate_decay ** max(0, epoch - config.learning_rate_decay_start)


def kl_weight(config: TrainConfig, update: int) -> float:
    """The weight of the KL term at an update (from 0): linear up to 1, then 1."""
    if update >= config.kl_weight_updates:
        return 1.0
    return config.kl_weight_start + (1 - config.kl_weight_start) * update / config.kl_weight_updates


def use_bf16(config: TrainConfig, device_type: str) -> bool:
    """Whether matrix products are done in bf16: as configured, or by what the hardware is made for."""
    if config.precision == "auto":
        if device_type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        return device_type == "cpu" and bool(
            getattr(torch.cpu, "get_capabilities", dict)().get("amx_bf16")
        )  # torch 2.9 has none
    return config.precision == "bf16"


def train_epoch(
    model: SequenceModel,
    optimizer: torch.optim.Optimizer,
    streams: Streams,
    config: TrainConfig,
    epoch: int,
    bar: tqdm,
) -> tuple[float, float]:
    """One pass over the training set.

    The noise and the order of the data depend on the seed and the epoch alone, so that an epoch can be run again.

    Returns:
        Mean bound (with the KL at full weight) and mean KL, in nats per frame.
    """
    device = next(model.parameters()).device
    torch.manual_seed(config.seed * 1_000_003 + epoch)
    order = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
    totals = torch.zeros(2, dtype=torch.float64)
    for i, (starts, batch) in enumerate(streams.epoch(order)):
        batch = batch.to(device)
        state = model.initial_state(len(batch.x)) if starts else state.detach()
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(config, device.type)):
            bound = elbo(model, batch, state)
        state = bound.trace.state
        objective = bound.log_px.mean() - kl_weight(config, epoch * len(streams) + i) * bound.kl.mean()
        optimizer.zero_grad()
        (-objective).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_norm)
        optimizer.step()
        values = torch.stack([bound.elbo.mean(), bound.kl.mean()]).detach().cpu().double()
        if not values.isfinite().all():
            raise FloatingPointError(
                f"The bound is not a finite number in epoch {epoch + 1}, update {i + 1}; lower the learning rate."
            )
        totals += values
        bar.set_postfix_str(f"epoch {epoch + 1}, {values[0]:.3f} nats per frame, KL {values[1]:.3f}", refresh=False)
        bar.update(batch.x.shape[0] * batch.x.shape[1])
    mean_elbo, mean_kl = (totals / len(streams)).tolist()
    return mean_elbo, mean_kl


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"adam.{i}.{name}": value for i, values in state.items() for name, value in values.items()}


def _restore(path: Path, config: RunConfig, model: SequenceModel, optimizer: torch.optim.Optimizer) -> list[Row]:
    last = load_checkpoint(path)
    if last.config != config:
        raise ValueError(
            f"{path} belongs to a run with another configuration ({_difference(last.config, config)}); resume it with "
            f"the options it began with."
        )
    if "curves" not in last.extra:
        raise ValueError(f"{path} holds no state of a training to continue; train anew, with another --out.")
    model.load_state_dict(last.model.state_dict())
    whole = optimizer.state_dict()
    for name, value in last.extra.items():
        if name.startswith("adam."):
            _, i, key = name.split(".")
            whole["state"].setdefault(int(i), {})[key] = value
    optimizer.load_state_dict(whole)
    rows = last.extra["curves"].tolist()
    return [dict(zip(CURVES, (int(epoch), *values), strict=True)) for epoch, *values in rows]


def _difference(there: RunConfig, here: RunConfig) -> str:
    pairs = zip(there.to_dict().items(), here.to_dict().values(), strict=True)
    return ", ".join(
        f"{section}.{key} was {value!r}, now {now[key]!r}"
        for (section, then), now in pairs
        for key, value in then.items()
        if value != now[key]
    )


def _as_csv(curves: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, CURVES)
    writer.writeheader()
    writer.writerows(curves)
    return text.getvalue().encode()


def _usable(device: str | None) -> str:
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch raises either, by what is missing
        raise ValueError(
            f"The device {device!r} cannot be used ({str(error).splitlines()[0]}); choose cpu, or cuda or mps where "
            f"there is one."
        ) from error
    return device


def fit(
    config: RunConfig,
    out: str | Path,
    *,
    data_dir: str | Path | None = None,
    device: str | None = None,
    resume: bool = False,
) -> Checkpoint:
    """Train a model; the best epoch by validation bound is kept.

    Args:
        config: What to train, on what, and how.
        out: Folder for ``best.safetensors``, ``last.safetensors`` (with the optimiser's state) and ``curves.csv``.
        data_dir: Folder of the data sets' files.
        device: ``cpu``, ``cuda`` or ``mps``; by default a GPU if there is one.
        resume: Continue from ``last.safetensors`` in ``out``.

    Returns:
        The best checkpoint, with its scores on validation and test data.

    Raises:
        FileExistsError: ``out`` holds a run and ``resume`` is not set.
        NotADirectoryError: ``out`` is a file.
        ValueError: There is no such device, or the run to resume has another configuration.
        FloatingPointError: The bound stopped being a number.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file; a run needs a folder. Choose another --out.")
    device = _usable(device)
    last_path, best_path, curves_path = out / "last.safetensors", out / "best.safetensors", out / "curves.csv"
    if last_path.exists() and not resume:
        raise FileExistsError(f"{out} already holds a run; continue it with --resume or choose another --out.")
    signals = {split: list(load_split(config.data, split, data_dir).values()) for split in ("train", "valid", "test")}
    frontend = Frontend.fit(config.data, config.model.x_dim, signals["train"])
    frames = {split: [frontend.frames(s, config.model.x_dim) for s in values] for split, values in signals.items()}
    torch.manual_seed(config.train.seed)
    model = build_model(config.model).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.train.learning_rate, eps=config.train.adam_epsilon)
    curves: list[Row] = []
    if resume and last_path.exists():  # a run killed in its first epoch begins again
        curves = _restore(last_path, config, model, optimizer)
    streams = Streams(
        frames["train"], config.train.batch_size, config.train.segment_length, config.train.segments_per_reset
    )
    per_epoch = len(streams) * config.train.batch_size * config.train.segment_length
    with tqdm(
        total=config.train.epochs * per_epoch, initial=len(curves) * per_epoch, unit=" frames", unit_scale=True
    ) as bar:
        for epoch in range(len(curves), config.train.epochs):
            start = time.perf_counter()
            optimizer.param_groups[0]["lr"] = learning_rate(config.train, epoch)
            model.train()
            train_elbo, train_kl = train_epoch(model, optimizer, streams, config.train, epoch, bar)
            valid = evaluate(model.eval(), frames["valid"], config.evaluation)
            if not math.isfinite(valid.elbo):
                raise FloatingPointError(
                    f"The validation bound is not a finite number after epoch {epoch + 1}; lower the learning rate."
                )
            values = (
                epoch + 1, train_elbo, train_kl, valid.elbo, valid.log_px, valid.kl,
                kl_weight(config.train, (epoch + 1) * len(streams) - 1), learning_rate(config.train, epoch),
                time.perf_counter() - start,
            )  # fmt: skip
            curves.append(dict(zip(CURVES, values, strict=True)))
            best = max(row["valid_elbo"] for row in curves)
            bar.write(
                f"epoch {epoch + 1}: train {train_elbo:.3f}, valid {valid.elbo:.3f} ({valid.average}), best {best:.3f}"
            )
            if valid.elbo == best:
                scores = {"valid": vars(valid), "epoch": epoch + 1}
                save_checkpoint(Checkpoint(config, model, frontend, scores), best_path)
            extra = _optimizer_tensors(optimizer) | {
                "curves": torch.tensor([list(r.values()) for r in curves], dtype=torch.float64)
            }
            write_atomically(curves_path, _as_csv(curves))
            save_checkpoint(Checkpoint(config, model, frontend, {}, extra), last_path)
    best_checkpoint = load_checkpoint(best_path)
    test = evaluate(best_checkpoint.model, frames["test"], config.evaluation)
    best_checkpoint.scores["test"] = vars(test)
    save_checkpoint(best_checkpoint, best_path)
    return best_checkpoint
