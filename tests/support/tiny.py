"""Small data, models and runs that tests share; nothing here needs a published data set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import PRESETS, DataConfig, ModelConfig, RunConfig, TrainConfig
from srnn_lab.data import Frontend
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.models import build_model
from srnn_lab.reports.records import Result

FRAMES_PER_QUARTER = 2
RATE = 8000
"""Samples a second of the tiny waveforms."""
SIZES = {"d_dim": 6, "z_dim": 3, "hidden_dim": 8}


def roll(num_frames: int, first: int = 40) -> np.ndarray:
    """Two notes at a time, climbing through eight pitches over and over, two frames each."""
    notes = np.zeros((num_frames, 88), np.float32)
    for t in range(num_frames):
        notes[t, [first + t // 2 % 8, first + 12 + t // 2 % 8]] = 1
    return notes


def midi_folder(folder: Path, num_files: int = 12) -> Path:
    """MIDI files of 12, 13, 14, ... frames."""
    folder.mkdir(parents=True)
    for i in range(num_files):
        content = roll_to_midi(roll(12 + i % 8, 36 + i % 4 + i // 8), FRAMES_PER_QUARTER)
        (folder / f"song-{i:02d}.mid").write_bytes(content)
    return folder


def wave(seconds: float = 0.3, seed: int = 0) -> np.ndarray:
    """A tone with noise, whose pitch changes half-way."""
    t = np.arange(int(RATE * seconds)) / RATE
    tone = np.where(t < seconds / 2, np.sin(2 * np.pi * 110 * t), np.sin(2 * np.pi * 330 * t))
    return (0.3 * tone + 0.01 * np.random.default_rng(seed).normal(size=t.size)).astype(np.float32)


def wav_folder(folder: Path, num_files: int = 6) -> Path:
    """WAV files of about 0.3 s."""
    folder.mkdir(parents=True)
    for i in range(num_files):
        soundfile.write(folder / f"clip-{i}.wav", wave(0.3 + 0.02 * i, seed=i), RATE)
    return folder


def table_folder(folder: Path, *lengths: int) -> Path:
    """CSV files of two columns, with so many rows."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i, length in enumerate(lengths):
        rows = "\n".join(f"{a:.3f},{b:.3f}" for a, b in rng.normal(size=(length, 2)))
        (folder / f"{i}.csv").write_text(f"flow,level\n{rows}\n")
    return folder


def music_run(data: str = "fraccaro/jsb", **train: object) -> RunConfig:
    """The paper's music run, with a model of a few thousand weights."""
    small = {
        "epochs": 3,
        "batch_size": 3,
        "segment_length": 8,
        "learning_rate": 1e-2,
        "kl_weight_updates": 10,
    }
    return replace(
        PRESETS["jsb"],
        model=ModelConfig(**SIZES),
        data=DataConfig(data=data),
        train=TrainConfig(**small | train),
    )


def speech_run(data: str = "voice", features: str = "raw") -> RunConfig:
    """Raw frames of 80 samples, or log-mel frames of 6 bins."""
    return replace(
        PRESETS["voice"],
        model=ModelConfig(likelihood="gaussian", x_dim=80 if features == "raw" else 6, **SIZES),
        data=DataConfig(
            data=data, features=features, sample_rate=RATE, frame_length=80, window_length=256
        ),
    )


def untrained(config: RunConfig, seed: int = 0, **more: object) -> Checkpoint:
    """A checkpoint with random weights, whose noise is not a rounding error of its means."""
    torch.manual_seed(seed)
    signals = [wave(seed=i) for i in range(2)] if config.data.features != "roll" else []
    frontend = Frontend.fit(config.data, config.model.x_dim, signals)
    return Checkpoint(config, build_model(config.model).eval(), frontend, **more)


def a_result(row: str, **changes: object) -> Result:
    """A made-up line of the results file."""
    values = {
        "command": "evaluate", "checkpoint": "", "checkpoint_sha256": (
            "c"
        ), "figures": {"elbo": -4.5, "elbo_se": 0.25},
        "average": "micro", "first_frame": True, "sequences": 2, "frames": 20,
        "data": "bl/jsb", "split": "test", "data_sha256": (
            "d"
        ), "config": PRESETS["jsb"], "best_epoch": 3,
        "parameters": 1000, "repetitions": 1, "resampling": (
            "systematic"
        ), "resampling_share": 0.5, "seed": 0,
        "seconds": 1.5, "date": "2026-01-31", "version": "0.1.0", "commit": "", "device": (
            "cpu"
        ), "precision": (
            "fp32"
        ),
        "cpu": "abacus", "threads": 1,
        "torch": "2",
    }  # fmt: skip
    return Result(row=row, **values | changes)
