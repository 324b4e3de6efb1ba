"""One .safetensors file that rebuilds its model: weights, configuration, normalisation, scores.

It runs no code.
"""

import hashlib
import json
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from srnn_lab.config import ModelConfig, RunConfig
from srnn_lab.data import Frontend
from srnn_lab.models import SequenceModel, build_model
from srnn_lab.system.files import write_atomically

ASSETS = Path(__file__).parent / "assets"
FORMAT = "srnn_lab/1"
RANGE = ("low", "high")
"""Names of the smallest and the largest log-mel energies of the training set: attributes of a front
end, and tensors of its checkpoint."""
OF_U = ("u_mean", "u_std")
"""Names of the mean and the deviation of known inputs, in the same places."""
MAX_REASON = 300
"""Characters of safetensors' own message that are repeated; it repeats what the file holds."""
MAX_DIMENSIONS, MAX_TENSORS = 8, 10_000
"""Dimensions of a tensor, and tensors of a checkpoint, that are read at the most; the largest
preset has matrices, and some hundred tensors with the state of its training."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, with all that its scores depend on.

    Attributes:
        config: Architecture, data, training recipe and conventions.
        model: The model, with its weights.
        frontend: Signals <-> the frames it was trained on.
        scores: What it reaches: by split the numbers of a ``Score``, and what it was made with.
        extra: Further tensors by name, such as the state of an interrupted training.
    """

    config: RunConfig
    model: SequenceModel
    frontend: Frontend
    scores: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: str | Path, *, half: bool = False) -> None:
    """Write a checkpoint; the file appears whole or not at all, and an older one stays until then.

    Args:
        checkpoint: What to write.
        path: Where to; its folder is made if need be.
        half: Store the weights in 16-bit floats.

    Raises:
        FloatingPointError: A tensor holds a value that is not a finite number; nothing is written.
        OSError: The file cannot be written, for instance because the disk is full.
    """
    weights = {
        f"model.{name}": value.half() if half else value
        for name, value in checkpoint.model.state_dict().items()
    }
    tensors = {
        **weights,
        "normalisation.mean": torch.as_tensor(checkpoint.frontend.mean),
        "normalisation.std": torch.as_tensor(checkpoint.frontend.std),
        **{
            f"normalisation.{name}": torch.as_tensor(value)
            for name in RANGE + OF_U
            if (value := getattr(checkpoint.frontend, name)) is not None
        },
        **{f"extra.{name}": value for name, value in checkpoint.extra.items()},
    }
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise FloatingPointError(
                f"{name} holds a value that is not a finite number, so {path} was not written; "
                "lower --learning-rate."
            )
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    header = {"format": FORMAT, "config": checkpoint.config.to_dict(), "scores": checkpoint.scores}
    header["sha256"] = _digest(header, tensors)
    write_atomically(Path(path), save(tensors, {"srnn_lab": json.dumps(header)}))


def _digest(header: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """The SHA-256 of all that a checkpoint says: its tensors by name, and what is beside them."""
    found = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def list_checkpoints() -> dict[str, Path]:
    """The bundled checkpoints, by name."""
    return {path.stem: path for path in sorted(ASSETS.glob("*.safetensors"))}


class Header(NamedTuple):
    """What a checkpoint says of itself.

    Attributes:
        config: Architecture, data, training recipe and conventions.
        scores: What it reaches, as in ``Checkpoint``.
    """

    config: RunConfig
    scores: dict[str, Any]


def read_header(path: str | Path) -> Header:
    """The configuration and the scores of a checkpoint, without reading its weights.

    Args:
        path: A file, or the name of a bundled checkpoint.

    Returns:
        The configuration and the scores.

    Raises:
        FileNotFoundError: There is no such file and no bundled checkpoint of that name.
        ValueError: The file is truncated or of another format.
    """
    file, stored, _ = _read(path, weights=False)
    with _naming(file):
        return _header(stored)


def read_config(path: str | Path) -> RunConfig:
    """The configuration of a checkpoint, without its weights; raises what ``read_header`` does."""
    return read_header(path).config


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is executed.

    Args:
        path: A file, or the name of a bundled checkpoint.

    Returns:
        The model on the CPU, ready to evaluate, with its configuration, front end, scores and extra
        tensors.

    Raises:
        FileNotFoundError: There is no such file and no bundled checkpoint of that name.
        ValueError: The file is truncated, damaged, of another format, or its parts do not fit
            together.
    """
    file, stored, tensors = _read(path)
    with _naming(file):
        config, scores = _header(stored)
        weights = {
            k.removeprefix("model."): _plain(k, v)
            for k, v in tensors.items()
            if k.startswith("model.")
        }
        model = _rebuild(config.model, weights)
        if config.model.u_dim != (named := len(config.data.kind.input_names)):
            raise ValueError(
                f"its model reads {config.model.u_dim} known inputs, and its data name {named}."
            )
        mean, std = (_normalisation(config, tensors, name) for name in ("mean", "std"))
        of_u = {name: _normalisation(config, tensors, name) for name in OF_U if config.model.u_dim}
        if not all((deviation > 0).all() for deviation in (std, *list(of_u.values())[1:])):
            raise ValueError("its normalisation divides by a number that is not above 0.")
        # Checkpoints of earlier versions have no range.
        ranges = [
            _normalisation(config, tensors, name)
            for name in RANGE
            if f"normalisation.{name}" in tensors
        ]
        if ranges and (len(ranges) < len(RANGE) or not (ranges[0] <= ranges[1]).all()):
            raise ValueError("its normalisation has no range from low to high.")
    _check_digest(file, stored, tensors)
    extra = {k.removeprefix("extra."): v for k, v in tensors.items() if k.startswith("extra.")}
    return Checkpoint(
        config, model.eval(), Frontend(config.data, mean, std, *ranges, **of_u), scores, extra
    )


def _read(path: str | Path, weights: bool = True) -> tuple[Path, dict[str, Any], dict[str, Tensor]]:
    """The file, its header, and its tensors by name; without ``weights`` there is no tensor."""
    bundled = list_checkpoints()
    file = Path(bundled.get(str(path), path))
    if not file.is_file():
        best = Path("best.safetensors")
        if run := next((run for run in (file, "runs" / file) if (run / best).is_file()), None):
            raise FileNotFoundError(f"{path} is a run; its checkpoint is {run / best}.")
        raise FileNotFoundError(
            f"{path} is neither a file nor a bundled checkpoint ({', '.join(bundled)})."
        )
    try:
        with safe_open(file, "pt") as opened:
            stored = json.loads((opened.metadata() or {}).get("srnn_lab", "{}"))
            names = opened.keys() if weights else []
            if len(names) > MAX_TENSORS:
                raise ValueError(f"it holds {len(names)} tensors, at most {MAX_TENSORS} are read")
            # Copies: a tensor is mapped from the file, and who overwrites that in place would end
            # this process.
            tensors = {name: opened.get_tensor(name).clone() for name in names}
            if any(value.ndim > MAX_DIMENSIONS for value in tensors.values()):
                raise ValueError(f"it holds a tensor of more than {MAX_DIMENSIONS} dimensions")
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        reason = f"{error}"[:MAX_REASON]
        raise ValueError(
            f"{file} is not a readable .safetensors file ({reason}); it may be truncated."
        ) from error
    stored = stored if isinstance(stored, dict) else {}
    if stored.get("format") != FORMAT:
        found = reprlib.repr(stored.get("format"))
        raise ValueError(
            f"{file} is not a checkpoint of this version of srnn_lab: its format is {found}, "
            f"expected {FORMAT!r}."
        )
    return file, stored, tensors


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{file} cannot be used: {error}") from error


class ChecksumError(ValueError):
    """A checkpoint is not as it was written."""


def _check_digest(file: Path, stored: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Whether a checkpoint is as it was written.

    One of an earlier version has no checksum and is taken as it is.

    Raises:
        ChecksumError: The checksum is not that of the content.
    """
    header = {name: value for name, value in stored.items() if name != "sha256"}
    # A checksum whose own name was damaged would be taken for none.
    unknown = header.keys() - {"format", "config", "scores"}
    if unknown or ("sha256" in stored and stored["sha256"] != _digest(header, tensors)):
        raise ChecksumError(
            f"{file} was damaged or changed after it was written: its checksum is not that of its "
            "content. Use a copy of it, or train anew with another --out."
        )


def _header(stored: dict[str, Any]) -> Header:
    return Header(RunConfig.from_dict(stored.get("config")), _scores(stored.get("scores", {})))


def _plain(name: str, value: Tensor) -> Tensor:
    if value.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise ValueError(
            f"its {name} is of type {value.dtype}; expected floating-point numbers of 16 bits or "
            "more."
        )
    if not value.isfinite().all():
        raise ValueError(f"its {name} holds a value that is not a finite number.")
    return value.float()


def _normalisation(config: RunConfig, tensors: dict[str, Tensor], name: str) -> np.ndarray:
    size = config.model.u_dim if name in OF_U else config.model.x_dim
    name = f"normalisation.{name}"
    values = _plain(name, tensors[name]) if name in tensors else None
    if values is None or values.shape not in ((), (size,)):
        found = (
            "missing"
            if values is None
            else f"{reprlib.repr(values.tolist())}, of shape {tuple(values.shape)}"
        )
        raise ValueError(
            f"its {name} is {found}; expected one number, or one for each of the {size} values of "
            "a frame."
        )
    return values.numpy()


def _scores(scores: Any) -> dict[str, Any]:
    def fits(name: str, value: Any) -> bool:
        if name not in ("valid", "test"):
            return isinstance(value, (int, float, str))
        figures = value if isinstance(value, dict) else {}
        known = isinstance(figures.get("elbo"), (int, float)) and isinstance(
            figures.get("average"), str
        )
        return known and all(isinstance(v, (int, float, str)) for v in figures.values())

    if not isinstance(scores, dict) or not all(fits(*item) for item in scores.items()):
        raise ValueError(
            f"its scores are {reprlib.repr(scores)}; expected figures by name, of 'valid' and "
            "'test' an 'elbo' and its 'average' among them."
        )
    return scores


class _WithoutDraws(TorchFunctionMode):
    """Skips the random initialisation of weights that are read from a file afterwards.

    Drawing them on the meta device would import torch's compiler.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is nn.init.normal_:
            return kwargs["tensor"]
        return args[0] if func is Tensor.normal_ else func(*args, **kwargs)


def _rebuild(config: ModelConfig, weights: dict[str, Tensor]) -> SequenceModel:
    """The model with its weights; memory is taken only once their shapes are known to fit."""
    for name in ("num_layers", "emission_layers"):
        if (layers := getattr(config, name)) > len(weights):
            raise ValueError(f"ModelConfig.{name} is {layers}; it has only {len(weights)} weights.")
    try:
        with torch.device("meta"), _WithoutDraws():
            model = build_model(config)
    except (RuntimeError, OverflowError, TypeError) as error:
        raise ValueError(
            "a model of the sizes in its configuration is too large to build."
        ) from error
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if expected != found:
        name = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))[
            0
        ]
        raise ValueError(
            f"its weights are not those of its configuration: {name!r} has shape "
            f"{found.get(name, 'none (missing)')}, expected "
            f"{expected.get(name, 'none (no part of the model)')}."
        )
    model.to_empty(device="cpu").load_state_dict(weights)
    return model
