"""Damaged inputs of every kind: each is read, or refused by one sentence in good time.

``SRNN_LAB_FUZZ_SEED`` chooses other inputs, and ``SRNN_LAB_FUZZ_TIMES`` makes as many times more of
them."""

import io
import json
import os
import re
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from safetensors.torch import save
from tiny import SIZES, a_result, music_run, roll, untrained, wave

from srnn_lab.checkpoint import load_checkpoint, save_checkpoint
from srnn_lab.cli import main
from srnn_lab.config import DataConfig
from srnn_lab.data import read_signal
from srnn_lab.data.series import read_table
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.reports.records import read_results

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

SEED = int(os.environ.get("SRNN_LAB_FUZZ_SEED", "0"))
TIMES = int(os.environ.get("SRNN_LAB_FUZZ_TIMES", "1"))
PATIENCE = 60
"""Seconds that one input may take; an idle machine needs a hundredth of it."""
LONGEST = 1500
"""Characters of a message."""
REFUSALS = (ValueError, OSError, FloatingPointError)
RATE = 8000


def damaged(content: bytes, draws: np.random.Generator) -> bytes:
    """A few bytes of it flipped, set to extremes, dropped, doubled, moved or made up."""
    found = bytearray(content)
    for _ in range(draws.integers(1, 5)):
        # Half of the time near the beginning, where the headers are.
        end = max(1, min(len(found), 64) if draws.random() < 0.5 else len(found))
        place, length = int(draws.integers(end)), int(draws.integers(1, 9))
        part = slice(place, place + length)
        match draws.integers(8):
            case 0 if found:
                found[place % len(found)] ^= 1 << int(draws.integers(8))
            case 1:
                found[part] = draws.bytes(length)
            case 2:
                found[part] = bytes([int(draws.choice([0x00, 0x7F, 0x80, 0xFF]))]) * length
            case 3:
                del found[part]
            case 4:
                found[place:place] = found[place : place + 50 * length]
            case 5:
                del found[place + 1 :]
            case 6:
                other = int(draws.integers(end))
                found[part] = found[other : other + length]
            case _:
                found[place:place] = draws.bytes(length)
    return bytes(found)


def each(kind: str, count: int, check: Callable[[np.random.Generator], None]) -> None:
    """Check ``count`` inputs; say of each that fails which number of which seed makes it again."""

    def late(*_: object) -> None:
        raise TimeoutError(f"it took more than {PATIENCE} s")

    failures, before = [], signal.signal(signal.SIGALRM, late)
    for number in range(count * TIMES):
        draws = np.random.default_rng([SEED, number, *kind.encode()])
        signal.alarm(PATIENCE)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(draws)
        except Exception as error:  # whatever a damaged input brings about is what is sought
            failures.append(
                f"{kind} {number} of seed {SEED}: {type(error).__name__}: {str(error)[:300]}"
            )
        finally:
            signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert not failures, "\n".join([f"{len(failures)} failed", *failures[:10]])


def check_refusal(error: BaseException, name: str) -> None:
    """Whether it is one sentence that names the file."""
    said = str(error)
    assert name in said, said[:300]
    assert "\n" not in said.strip(), said[:300]
    assert len(said) < LONGEST


def sound(kind: str, subtype: str) -> bytes:
    content = io.BytesIO()
    soundfile.write(
        content, np.stack([wave(0.4), wave(0.4, seed=1)], 1), RATE, format=kind, subtype=subtype
    )
    return content.getvalue()


SOUNDS = {
    "wav": sound("WAV", "PCM_16"),
    "flac": sound("FLAC", "PCM_16"),
    "ogg": sound("OGG", "VORBIS"),
    "mp3": sound("MP3", "MPEG_LAYER_III"),
}


@pytest.mark.parametrize("kind", SOUNDS)
def test_damaged_sounds(kind, tmp_path):
    config = DataConfig(features="raw", sample_rate=RATE)

    def check(draws: np.random.Generator) -> None:
        path = tmp_path / f"clip.{kind}"
        path.write_bytes(damaged(SOUNDS[kind], draws))
        try:
            read = read_signal(path, config, 60)
        except REFUSALS as error:
            check_refusal(error, path.name)
        else:
            assert 0 < len(read) <= 61 * RATE
            assert read.dtype == np.float32
            assert np.isfinite(read).all()

    each(kind, 60, check)


@pytest.mark.parametrize("kind", ["npy", "npz", "csv", "parquet"])
def test_damaged_tables(kind, tmp_path):
    """Files are read or refused in a sentence; what is read is numbers or says they are missing."""
    table, whole = (
        np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32),
        tmp_path / f"whole.{kind}",
    )
    if kind == "npy":
        np.save(whole, table)
    elif kind == "npz":
        np.savez_compressed(whole, x=table, y=table[:5])
    else:
        frame = pd.DataFrame(table, columns=list("abc"))
        frame.to_csv(whole, index=False) if kind == "csv" else frame.to_parquet(whole)
    content, file, series = (
        whole.read_bytes(),
        tmp_path / f"table.{kind}",
        DataConfig(features="series").kind,
    )

    def check(draws):
        file.write_bytes(damaged(content, draws))
        try:
            found = read_table(file, series)
        except REFUSALS as error:
            check_refusal(error, str(file))
        else:
            assert found
            assert all(rows.ndim == 2 and not np.isinf(rows).any() for rows in found.values())

    each(kind, 60, check)


def test_damaged_songs(tmp_path):
    content = roll_to_midi(roll(24), 2)

    def check(draws: np.random.Generator) -> None:
        path = tmp_path / "song.mid"
        path.write_bytes(damaged(content, draws))
        try:
            read = read_signal(path, DataConfig())
        except REFUSALS as error:
            check_refusal(error, path.name)
        else:
            assert read.shape == (len(read), 88)
            assert set(np.unique(read)) <= {0, 1}

    each("mid", 100, check)


def test_damaged_checkpoints(tmp_path):
    """Those that are damaged as files, and those with a checksum that someone made anew."""
    path = tmp_path / "model.safetensors"
    save_checkpoint(untrained(music_run()), path)
    content, found = path.read_bytes(), load_checkpoint(path)
    header = {"format": "srnn_lab/1", "config": found.config.to_dict(), "scores": {"epoch": 1}}
    tensors = {f"model.{name}": value for name, value in found.model.state_dict().items()}
    tensors |= {
        f"normalisation.{name}": torch.as_tensor(getattr(found.frontend, name))
        for name in ("mean", "std")
    }

    def check(draws: np.random.Generator) -> None:
        if draws.random() < 0.5:
            changed = damaged(content, draws)
            path.write_bytes(changed)
            expected = changed == content
        else:
            text = damaged(json.dumps(header).encode(), draws).decode(errors="replace")
            path.write_bytes(save(tensors, {"srnn_lab": text}))
            expected = None
        try:
            load_checkpoint(path)
        except REFUSALS as error:
            check_refusal(error, path.name)
            assert not expected
        else:
            assert expected is not False

    each("checkpoint", 60, check)


def test_damaged_records(tmp_path):
    """A line that is damaged leaves the others as they were."""
    path = tmp_path / "results.jsonl"
    lines = [json.dumps(a_result(row).to_dict()).encode() for row in ("a", "b")]

    def check(draws: np.random.Generator) -> None:
        wrong = damaged(lines[1], draws).replace(b"\n", b" ")
        path.write_bytes(b"\n".join([lines[0], wrong, lines[1]]))
        found = read_results(path)
        assert {"a", "b"} <= found.keys()
        assert found["b"] == a_result("b")
        path.write_bytes(wrong)
        try:
            read_results(path)
        except REFUSALS as error:
            check_refusal(error, path.name)

    each("record", 60, check)


VALUES = [
    "",
    "-1",
    "0",
    "1",
    "2",
    "10" * 11,
    "9" * 400,
    "9" * 5000,
    "nan",
    "inf",
    "-inf",
    "1e300",
    "-1e-300",
    "1e38",
]
VALUES += [
    "\x1b[2J",
    "é",
    "\udce9",
    "a\nb",
    "../..",
    "x" * 10**5,
    "none",
    "folder",
    "pipe",
    "endless",
    "text",
    "jsb",
]
COMMANDS = {
    "train jsb --data=songs --epochs=1": (
        *(
            "out",
            "resume",
            "device",
            "data",
            "data-dir",
            "model",
            "likelihood",
            "d-dim",
            "z-dim",
            "hidden-dim",
        ),
        *(
            "num-layers",
            "variance-floor",
            "dropout-d",
            "frames-per-quarter",
            "objective",
            "num-particles",
        ),
        *(
            "epochs",
            "batch-size",
            "segment-length",
            "segments-per-reset",
            "transposition",
            "learning-rate",
        ),
        *(
            "adam-epsilon",
            "learning-rate-decay",
            "learning-rate-decay-start",
            "kl-weight-start",
            "free-bits",
        ),
        *("kl-weight-updates", "weight-decay", "gradient-norm", "precision", "seed", "average"),
    ),
    "evaluate model --data=songs": (
        *(
            "bound",
            "repetitions",
            "resampling",
            "resampling-share",
            "convention",
            "seed",
            "record",
            "row",
            "data",
        ),
        *("split", "data-dir"),
    ),
    "transitions model --data=songs": ("record", "row", "data", "split", "events"),
    "inspect model songs/song-00.mid": ("out", "labels"),
    "sample model --out=a.mid": ("out", "prime", "steps", "temperature", "seed"),
    "results": ("table", "results", "write"),
    "reproduce a": ("results",),
}


def test_odd_options(tmp_path, monkeypatch, capsys):
    """One or two options of each command have values of another kind, or order of magnitude."""
    monkeypatch.chdir(tmp_path)
    songs = Path("songs")
    songs.mkdir()
    for i in range(12):
        (songs / f"song-{i:02d}.mid").write_bytes(roll_to_midi(roll(12 + i % 8), 2))
    Path("folder").mkdir()
    Path("text").write_text("words\n")
    Path("endless").symlink_to("/dev/zero")
    os.mkfifo("pipe")
    save_checkpoint(untrained(music_run(), scores={"epoch": 1}), "model")
    sizes = [f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()]

    def check(draws: np.random.Generator) -> None:
        command = str(draws.choice(list(COMMANDS)))
        names = draws.choice(
            COMMANDS[command], min(len(COMMANDS[command]), 1 + int(draws.random() < 0.3)), False
        )
        options = [f"--{name}={VALUES[draws.integers(len(VALUES))]}" for name in names]
        argv = [*command.split(), *(sizes if command.startswith("train") else []), *options]
        try:
            status = main(argv)
        except SystemExit as stopped:
            status = stopped.code
        said = capsys.readouterr().err
        said = re.sub(r"\r[^\r\n]*", "", said)  # a progress bar
        assert status in (0, 1, 2), options
        assert said.isascii() or said.replace("\n", "").isprintable(), options
        assert all(len(line) < LONGEST for line in said.splitlines()), options
        if status:
            assert said.startswith("srnn-lab"), (options, said[:300])
            assert said.count("\n") == 1, (options, said[:300])

    began = time.monotonic()
    each("options", 60, check)
    print(f"{time.monotonic() - began:.0f} s")
