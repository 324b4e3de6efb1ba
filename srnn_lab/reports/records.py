"""The results file: JSON lines, each a figure with all that it takes to check and to repeat it."""

import hashlib
import json
import math
import os
import platform
import re
import reprlib
import shlex
import subprocess
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

from srnn_lab import __version__
from srnn_lab.config import PRESETS, RunConfig
from srnn_lab.system.files import open_regular, read_bounded

RESULTS = Path(__file__).parent / "records.jsonl"
"""The results that the README and the dashboard show."""
RECORD = Path("results.jsonl")
"""Where ``srnn-lab evaluate --record`` writes to by default."""

PROBE_MINUTES = 10
"""Minutes of speech that a probe is trained on by default."""
MAX_ROW = 200
"""Characters of a row's name, which becomes a folder's."""
MAX_WARNINGS = 5
"""Lines of a file that are no results and are said one by one."""
_ALWAYS_BEFORE = {"device": "cpu", "precision": "fp32", "sums": [], "lengths": []}
"""What lines of earlier versions do not say."""
MEASURES = {"evaluate": "elbo", "transitions": "auc", "probe": "log-mel/accuracy"}
"""Command -> the figure that it always measures."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measurement of one checkpoint, a line of the results file.

    Attributes:
        row: Name, such as ``table2/jsb/seed1``; the last line of a row counts.
        command: The command that measured it: ``evaluate``, ``transitions`` or ``probe``.
        checkpoint: Name of the bundled checkpoint that was evaluated; empty if it was one of a run.
        checkpoint_sha256: Of the checkpoint's file.
        figures: Of ``transitions`` those of ``transitions.Transitions``, its areas as
            ``onset/active/2/auc``. Of ``probe`` those of ``probe.Probe``, such as ``z/accuracy``,
            and the minutes that it was trained on. Of ``evaluate`` ``elbo``, ``log_px``, ``kl``,
            further bounds such as ``fivo:128``, and of each bound its standard errors, as in
            ``evaluation.Score``; nats per frame, or per sequence if the average is ``sequence``.
        sums: Of ``evaluate``: the ELBO of each sequence of the split, in its order, in nats. From
            two records of one split follows how far one model is above the other, far more closely
            than from their two errors.
        lengths: Of ``evaluate``: scored frames of each sequence.
        average: ``micro``, ``macro`` or ``sequence``.
        first_frame: Whether x_1 is scored.
        sequences: Sequences of the split.
        frames: Scored frames, or those that are not silent.
        data: Data set or folder that was evaluated on.
        split: Its split.
        data_sha256: Of the split's signals (``signals_sha256``).
        config: Of the checkpoint: model, data, training with its seed, evaluation.
        best_epoch: The epoch, from 1, whose weights these are.
        parameters: Numbers in the model's weights.
        repetitions: Evaluations that ``figures`` average.
        resampling: Of ``fivo``.
        resampling_share: Of ``fivo``.
        seed: Of the sampled paths.
        seconds: What the measurement took.
        date: Day, as YYYY-MM-DD.
        version: Of srnn_lab; empty if it is not installed.
        commit: Of the source, with a + if its code has changed since; empty if it is not under git.
        device: Where it was measured: ``cpu``, or the name of a GPU.
        precision: Of the matrix products in measuring; of those in training, ``config`` says it.
        cpu: Model of the processor.
        threads: Threads that torch used.
        torch: Version of torch.
    """

    row: str
    command: str
    checkpoint: str
    checkpoint_sha256: str
    figures: dict[str, float]
    average: str
    first_frame: bool
    sequences: int
    frames: int
    data: str
    split: str
    data_sha256: str
    config: RunConfig
    best_epoch: int
    parameters: int
    repetitions: int
    resampling: str
    resampling_share: float
    seed: int
    seconds: float
    date: str
    version: str
    commit: str
    device: str
    precision: str
    cpu: str
    threads: int
    torch: str
    sums: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self):
        check_row(self.row)
        if self.command not in MEASURES:
            raise ValueError(f"The command is {self.command!r}; expected {', '.join(MEASURES)}.")
        needed = MEASURES[self.command]
        if needed not in self.figures or not all(map(_is_finite, self.figures.values())):
            raise ValueError(
                f"The figures are {reprlib.repr(self.figures)}; expected finite numbers, the "
                f"{needed} among them."
            )
        if self.sums and not (
            len(self.sums) == len(self.lengths) == self.sequences
            and all(map(_is_finite, self.sums))
        ):
            raise ValueError(
                f"sums and lengths have {len(self.sums)} and {len(self.lengths)} values; expected "
                f"finite ones, one for each of the {self.sequences} sequences."
            )

    @property
    def bounds(self) -> list[str]:
        """The names of the bounds among the figures."""
        return [
            name for name in self.figures if name == "elbo" or name.partition(":")[2].isdecimal()
        ]

    @property
    def run(self) -> str:
        """Folder of a run that trains the model again."""
        return f"runs/{self.row.replace('/', '-')}"

    @property
    def train(self) -> str:
        """The command that trains the model: the nearest preset and what the configuration changes.

        It begins the run or, where it was interrupted, continues it.
        """
        differences = {name: self.config.differences(preset) for name, preset in PRESETS.items()}
        preset = min(differences, key=lambda name: len(differences[name]))
        return shlex.join(
            ["srnn-lab", "train", preset, *options_of(differences[preset]), f"--resume={self.run}"]
        )

    @property
    def measure(self) -> str:
        """The command that measures the model, a bundled one by its name, and records the row."""
        evaluation, train, trained_on = (
            self.config.evaluation,
            self.config.train,
            self.config.data.data,
        )
        defaults = {
            "average": evaluation.average,
            "first_frame": evaluation.first_frame,
            "resampling": train.resampling,
            "resampling_share": train.resampling_share,
            "data": trained_on,
            "split": "test"
            if self.data == trained_on
            else "",  # of other data it depends on what they are
            "repetitions": 1,
            "seed": 0,
        }
        others = {
            name: getattr(self, name) for name in defaults if getattr(self, name) != defaults[name]
        }
        if self.command == "evaluate":
            others = {"bound": ",".join(self.bounds), **others}
        if self.command == "probe":  # always of the test split
            others.pop("split", None)
            others |= (
                {"minutes": round(minutes)}
                if (minutes := self.figures["minutes"]) != PROBE_MINUTES
                else {}
            )
        checkpoint = self.checkpoint or f"{self.run}/best.safetensors"
        return shlex.join(
            [
                "srnn-lab",
                self.command,
                checkpoint,
                *options_of(others),
                "--record",
                f"--row={self.row}",
            ]
        )

    @property
    def commands(self) -> list[str]:
        """What makes figures again: training, unless the model is bundled, then measurement."""
        return [self.measure] if self.checkpoint else [self.train, self.measure]

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, as in the file, with both commands in words."""
        return {**asdict(self), "train": self.train, "measure": self.measure}

    @classmethod
    def from_dict(cls, values: Any) -> "Result":
        """The inverse of ``to_dict``; the commands are for readers of the file, and are made anew.

        Returns:
            A record that has passed all checks.

        Raises:
            ValueError: A key is missing or unknown, or a value is of the wrong type or out of
                range.
        """
        types = {f.name: f.type for f in fields(cls)}
        if not isinstance(values, dict):
            raise ValueError(f"it is {reprlib.repr(values)}; expected keys and values.")
        values = _ALWAYS_BEFORE | values
        expected = {*types, "train", "measure"}
        if wrong := sorted(values.keys() ^ expected):
            raise ValueError(
                f"its key {wrong[0]!r} is {'missing' if wrong[0] in expected else 'unknown'}."
            )
        checked: dict[str, Any] = {}
        for name, kind in types.items():
            value = values[name]
            if name == "config":
                value = RunConfig.from_dict(value)
            elif name == "figures" and isinstance(value, dict):
                value = {key: _plain(f"figures[{key!r}]", value[key], float) for key in value}
            elif name in ("sums", "lengths") and isinstance(value, list):
                value = [
                    _plain(f"{name}[{i}]", one, *get_args(kind)) for i, one in enumerate(value)
                ]
            else:
                value = _plain(name, value, kind)
            checked[name] = value
        convention = {name: checked[name] for name in ("average", "first_frame")}
        resampling = {name: checked[name] for name in ("resampling", "resampling_share")}
        RunConfig.from_dict({"evaluation": convention, "train": resampling})
        return cls(**checked)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and -math.inf < value < math.inf


def check_row(row: str) -> None:
    """Whether a row may have this name, which becomes part of a folder's.

    Raises:
        ValueError: It may not.
    """
    name = r"[A-Za-z0-9][\w.+-]*"
    if len(row) > MAX_ROW or not re.fullmatch(rf"{name}(/{name})*", row, re.ASCII):
        raise ValueError(
            f"The row is named {row!r}; expected words joined by /, such as table2/jsb/seed1, of "
            f"{MAX_ROW} characters at most."
        )


def _plain(name: str, value: Any, kind: Any) -> Any:
    if type(value) is not kind and not (kind is float and type(value) is int):
        expected = getattr(kind, "__name__", kind)
        raise ValueError(f"{name} is {reprlib.repr(value)}; expected a value of type {expected}.")
    try:
        return kind(value)
    except OverflowError as error:
        raise ValueError(f"{name} is a whole number too large for type float.") from error


def options_of(values: Mapping[str, Any]) -> list[str]:
    """Settings by name -> options of the command line."""

    def option(name: str, value: Any) -> str:
        flag = name.replace("_", "-")
        return (
            f"--{flag}={value}"
            if not isinstance(value, bool)
            else f"--{flag}"
            if value
            else f"--no-{flag}"
        )

    return [option(name, value) for name, value in values.items()]


def read_results(path: str | Path = RESULTS) -> dict[str, Result]:
    """The recorded rows, in the order in which they were first recorded.

    A line that is no result is left out with a warning; of a file that holds no other, one can only
    be mistaken.

    Returns:
        The last record of each row, by the name of the row.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds lines, but no result, or is a device, a pipe or larger than
            ``files.MAX_BYTES``.
    """
    path, results, wrong = Path(path), {}, []
    for number, line in enumerate(read_bounded(path).decode(errors="replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            result = Result.from_dict(json.loads(line))
        except (ValueError, RecursionError) as error:
            reason = (
                "it is no JSON"
                if isinstance(error, json.JSONDecodeError | RecursionError)
                else f"{error}"
            )
            wrong.append(f"Line {number} of {path} is no result ({reason.rstrip('.')})")
        else:
            results[result.row] = result
    if wrong and not results:
        raise ValueError(f"{wrong[0]}; mend or remove it.")
    for sentence in wrong[:MAX_WARNINGS]:
        warnings.warn(f"{sentence}, so it was left out; mend or remove it.", stacklevel=2)
    if len(wrong) > MAX_WARNINGS:
        warnings.warn(
            f"{len(wrong) - MAX_WARNINGS} more lines of {path} are no results.", stacklevel=2
        )
    return results


def record(result: Result, path: str | Path = RECORD) -> None:
    """Append a line to the results file: the whole or nothing of it, and only one that can be read.

    Raises:
        OSError: The file cannot be written; what was in it before is unchanged.
        ValueError: The result has a value of a wrong type or out of its range, or the file is a
            device or a pipe.
    """
    path, text = Path(path), json.dumps(result.to_dict())
    Result.from_dict(json.loads(text))
    line = text.encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        with os.fdopen(descriptor, "a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
                line = b"\n" + line
            try:
                if file.write(line) != len(line):
                    raise OSError("the disk is full")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error.strerror or error}); what was there before is "
            "unchanged. Free some space or choose another file."
        ) from error


def signals_sha256(signals: Iterable[np.ndarray]) -> str:
    """The SHA-256 of a split's signals in order: type and shape as NumPy prints them, and bytes."""
    found = hashlib.sha256()
    for signal in signals:
        found.update(f"{signal.dtype}{signal.shape}".encode())
        found.update(np.ascontiguousarray(signal).data)
    return found.hexdigest()


def surroundings(device: str = "cpu") -> dict[str, Any]:
    """Version, commit and machine, by their names in a ``Result``.

    Args:
        device: The one that measures.

    Returns:
        Strings, and the number of threads. The precision is fp32, in which everything is measured.
    """
    import torch

    from srnn_lab.system.distributed import name_of

    return {
        "version": __version__,
        "commit": _commit(),
        "device": name_of(device),
        "precision": "fp32",
        "cpu": _cpu(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


def _commit() -> str:
    """The commit of this package's own repository, not of one whose .venv it is installed in."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD") + "+" * bool(
            git("status", "--porcelain", "--", ":(top)*.py")
        )
    except (OSError, subprocess.CalledProcessError):
        return ""


def _cpu() -> str:
    try:
        names = re.findall(
            r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
