"""Pages of the dashboard in a folder with small checkpoints of their own."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from tiny import SIZES, untrained

from srnn_lab.checkpoint import save_checkpoint
from srnn_lab.config import PRESETS, ModelConfig, RunConfig


def small_run(preset: str = "voice-mel", **model: object) -> RunConfig:
    """The run of a preset, with its frames and a model of a few thousand weights."""
    run = PRESETS[preset]
    fixed = {"x_dim": run.model.x_dim, "likelihood": run.model.likelihood}
    return replace(run, model=ModelConfig(**fixed, **SIZES | model))


def save_runs(folder: Path, **runs: RunConfig) -> None:
    """``runs/NAME/best.safetensors`` below a folder, untrained."""
    for seed, (name, run) in enumerate(runs.items()):
        save_checkpoint(untrained(run, seed), folder / "runs" / name / "best.safetensors")


def page_of(view: str) -> AppTest:
    """A page by the name of its module, without the others, not run yet."""
    title = {"transition": "Make a transition", "z_map": "Map"}.get(view, view.title())
    script = (
        "from srnn_lab.dashboard.app import body_of, show_head\n"
        f"show_head({title!r})\nbody_of({title!r})()"
    )
    return AppTest.from_string(script, default_timeout=180)


def open_view(
    view: str,
    checkpoint: str | None,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    **params: object,
) -> AppTest:
    """A page, run once, in a folder with ``runs``; without a checkpoint, as at a first visit."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("srnn_lab.dashboard.pages.explore.HEAD_START", 0)  # no browser needs it
    page = page_of(view)
    if checkpoint:
        page.query_params["checkpoint"] = checkpoint
    for name, value in params.items():
        page.query_params[name.replace("_", "-")] = value
    return page.run()


def kept_by(view: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | bytes]:
    """What the files of a page hold, by the name on the button, after each run of it."""
    found = {}

    def keep(stem: str, files: dict, note: str = "") -> None:
        found.clear()
        found.update(
            {
                name: content() if callable(content) else content
                for name, (content, _) in files.items()
            }
        )

    monkeypatch.setattr(f"srnn_lab.dashboard.pages.{view}.keep", keep)
    return found


def arrays_of(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def text_of(page: AppTest) -> str:
    """All that stands on the page."""
    return " ".join(
        element.value for kind in ("markdown", "caption", "info") for element in getattr(page, kind)
    )
