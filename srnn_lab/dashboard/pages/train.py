"""Trainings: start one in its own process, watch its curves, stop or continue it, use the model."""

import re
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.checkpoint import ASSETS
from srnn_lab.config import FEW
from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.choice import choose_linked, options
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.panels.keep import Files, chart_files, download_buttons
from srnn_lab.dashboard.visit import want
from srnn_lab.dashboard.words import explain, guarded, number, plain
from srnn_lab.data.kinds import LogMel, Roll
from srnn_lab.pictures.charts import curves_figure
from srnn_lab.reports.records import options_of
from srnn_lab.system.lock import is_running, terminate
from srnn_lab.training.runs import LOG, Progress, begin, list_runs, progress, read_curves

REFRESH = 2.0
"""Seconds between two looks at the files of a training that runs."""
_BEGINNING = threading.Lock()
"""Held from looking whether a training runs until one does, since two visitors may begin at once.
"""


@dataclass(frozen=True)
class Recipe:
    """What a training can be begun on.

    Attributes:
        preset: A name in ``PRESETS``.
        about: What it is and how long it takes.
        epochs: Passes over the data.
        data: A folder; None for the preset's own data.
        asks: Kind of files of which a folder is asked for.
        options: Further options of ``srnn-lab train``.
    """

    preset: str
    about: str
    epochs: int
    data: Path | None = None
    asks: str = ""
    options: tuple[str, ...] = ()


FEW_SONGS, FEW_WORDS = (tuple(options_of(FEW[name])) for name in (Roll.name, LogMel.name))
RECIPES = {
    "Six chorales": Recipe(
        "jsb",
        "The bundled chorales: nothing to download. Enough to see a model learn and then overfit.",
        60,
        ASSETS / "chorales",
        options=FEW_SONGS,
    ),
    "A minute of a voice": Recipe(
        "voice-mel",
        "The bundled prompts, as log-mel frames: nothing to download.",
        20,
        ASSETS / "voice",
        options=FEW_WORDS,
    ),
    "All chorales": Recipe(
        "jsb",
        (
            "The paper's data. They are read from the folder that SRNN_LAB_DATA names, or "
            "downloaded once (0.3 MB)."
        ),
        60,
    ),
    "My MIDI files": Recipe(
        "jsb",
        "A folder on this computer, split 90/5/5 by file.",
        60,
        asks="MIDI",
        options=FEW_SONGS,
    ),
    "My recordings": Recipe(
        "voice-mel",
        "A folder on this computer, split 90/5/5 by file.",
        40,
        asks="audio",
        options=FEW_WORDS,
    ),
    "My tables": Recipe(
        "series",
        (
            "A folder of CSV, NumPy or Parquet files, rows in the order of time, split 90/5/5 by "
            "file; one alone, by time."
        ),
        60,
        asks="table",
    ),
}
SIZES = {
    "small": ("--d-dim=64", "--z-dim=16", "--hidden-dim=64"),
    "medium": ("--d-dim=128", "--z-dim=32", "--hidden-dim=128"),
    "full": (),
}
"""By name, what the recurrent states, z and the hidden layers are made to; ``full`` is the
preset's."""


def show() -> None:
    """The page."""
    st.caption(
        "Training maximises the ELBO: the reconstruction term minus the KL, in nats per frame. It "
        "runs in a process of its own, so you may close or reload this page; its files are in the "
        "folder of runs."
    )
    folder, read_only = options().runs, options().read_only
    if read_only:
        st.info(
            "This dashboard was started with `--read-only`: it shows trainings, and cannot start "
            "or stop one."
        )
    else:
        guarded(partial(begin_one, folder))()
    st.subheader("Runs")
    runs = list_runs(folder)
    if not runs:
        start = "" if read_only else " Start one above."
        st.info(
            f"No runs yet in {plain(str(folder))}.{start} For another folder of runs: "
            "`streamlit run dashboard.py -- --runs DIR`."
        )
        return
    name = choose_linked(st.selectbox, "Run", list(runs), "run")
    running = is_running(runs[name])
    st.fragment(
        guarded(partial(show_run, runs[name], running, read_only)),
        run_every=REFRESH if running else None,
    )()


def begin_one(folder: Path) -> None:
    """The widgets that begin a training."""
    left, right = st.columns(2)
    name = left.selectbox("Train on", list(RECIPES), key="recipe", bind="query-params")
    recipe = RECIPES[name]
    size = right.segmented_control(
        "Size",
        list(SIZES),
        default="small",
        required=True,
        key="size",
        bind="query-params",
        width="stretch",
    )
    st.caption(f"{recipe.about} Preset: {recipe.preset}.")
    data = recipe.data
    if recipe.asks:
        given = st.text_input(
            f"Folder of {recipe.asks} files", key="folder", placeholder="/path/to/files"
        )
        given = given.strip().strip("'\"")  # as a file manager copies it
        data = Path(given).expanduser() if given else None
    left, right = st.columns(2)
    # Each recipe has its own, so that another one brings its own number and name.
    of_recipe = list(RECIPES).index(name) + 1
    epochs = left.number_input(
        "Epochs", 1, 10_000, recipe.epochs, key=owned("epochs", of_recipe), bind="query-params"
    )
    run = right.text_input(
        "Name of the run",
        f"{recipe.preset}-{size}",
        key=owned("name", of_recipe, size),
        max_chars=60,
        bind="query-params",
    )
    if st.button("Start", type="primary", key="begin"):
        if recipe.asks and (data is None or not data.is_dir()):
            wrong = f"; {given!r} is not a folder" if given else ""
            raise ValueError(f"Enter the path of a folder with {recipe.asks} files{wrong}.")
        options = [f"--epochs={epochs}", *recipe.options, *SIZES[size]]
        begin_training(
            folder, run, recipe.preset, [*options, *([f"--data={data.resolve()}"] if data else [])]
        )


def begin_training(folder: Path, name: str, preset: str, options: list[str]) -> None:
    """Begin a run, unless one is being trained: two at a time would slow each other and the page.

    Raises:
        ValueError: The name is none for a folder or is taken, or a training runs.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            f"{name!r} cannot name a run; use letters, digits, '-', '_' and '.', and start with a "
            "letter."
        )
    path = folder / name
    files = [path / file for file in ("last.safetensors", "best.safetensors")]
    failed = (path / LOG).exists() and not any(map(Path.exists, files)) and not is_running(path)
    if path.exists() and not failed:
        raise ValueError(
            f"A run {name!r} exists already; choose another name, or continue that one below."
        )
    begin_alone([preset, f"--out={path}", *options], path)
    want("run", name)


def begin_alone(arguments: list[str], run: Path) -> None:
    """Begin a training beside which no other one of its folder runs.

    Raises:
        ValueError: One runs.
    """
    with _BEGINNING:
        if running := [name for name, other in list_runs(run.parent).items() if is_running(other)]:
            raise ValueError(
                f"{running[0]!r} is being trained; stop it first, or wait until it is done."
            )
        begin(arguments, run)


def show_run(run: Path, was_running: bool, read_only: bool) -> None:
    """How far a run is and its curves, which are drawn anew while it runs."""
    state = progress(run)
    if state.running != was_running:
        st.rerun()
    show_state(state)
    buttons = st.container(horizontal=True)
    if not read_only:
        show_controls(run, state, buttons)
    best = run / "best.safetensors"
    if best.exists():
        buttons.download_button(
            "Download the best checkpoint",
            best.read_bytes,
            f"{run.name}.safetensors",
            on_click="ignore",
        )
        address = f"./?checkpoint={quote(f'{run.parent.name}/{run.name}', safe='')}"
        buttons.link_button("Explore it", address)
    curves = read_curves(run)
    if len(curves["epoch"]) and state.header:
        files = show_curves(curves, state)
        download_buttons(
            run.name, {**files, "Curves (CSV)": ((run / "curves.csv").read_bytes, "curves.csv")}
        )
    with st.expander("Log", expanded=bool(state.said) and not len(curves["epoch"])):
        st.code("\n".join(state.said) or f"Nothing yet ({LOG}).", language=None)


def show_controls(run: Path, state: Progress, buttons: DeltaGenerator) -> None:
    """Buttons that stop and continue a run."""
    if state.running and buttons.button(
        "Stop", key="stop", help="It saves its state, so you can continue it."
    ):
        terminate(run)
        st.toast("Stopping after the current update.")
    if (
        state.header
        and not (state.running or state.test)
        and buttons.button("Continue", key="continue")
    ):
        begin_alone([f"--resume={run}"], run)
        st.rerun()


def show_state(state: Progress) -> None:
    """In one line and a bar, where a run is."""
    total = state.header.config.train.epochs if state.header else 0
    done = f"{state.epochs} of {total} epochs"
    if state.running and not state.header:
        st.progress(0.0, "Reading the data …")
    elif state.running:
        st.progress(
            state.share, plain(f"{done} · {state.step} · {state.left} left" if state.step else done)
        )
    elif state.test:
        n = state.test.get("sequences")
        counted = f", {n} sequence{'s' * (n != 1)}" if n else ""
        told = (
            f"Done: {done}. Test ELBO {number(state.test['elbo'])} "
            f"({state.test['average']} average{counted})."
        )
        st.success(plain(told))
        if of_z := state.header and state.header.scores.get("z"):
            st.caption(plain(of_z))
    elif state.header:
        st.info(f"Stopped after {done}. It can be continued from where it stopped, bit for bit.")
    else:
        said = [line for line in state.said if not line.startswith("$ ")]  # but the command
        reason = said[-1].removeprefix("srnn-lab: ") if said else "its log is empty."
        st.error(plain(f"Training did not start: {reason}"))


def show_curves(curves: dict, state: Progress) -> Files:
    """The curves, as a file too, and how to read them."""
    if state.header is None:  # curves are shown of a run that has begun
        return {}
    config = state.header.config
    unit = config.evaluation.unit
    best = int(curves["valid_bound"].argmax())
    figure = curves_figure(curves, config.train.bound.upper(), unit)
    show_chart(
        figure,
        "curves",
        f"Training curves over {len(curves['epoch'])} epochs. The validation bound is best in "
        f"epoch {best + 1}, at {number(curves['valid_bound'][best])} {unit}.",
    )
    explain(
        "How do I read the curves?",
        "**Bound**: the objective on training data (while the weights still change) and on "
        f"validation data after each epoch ({config.evaluation.average} average); the star is the "
        "best checkpoint. **KL**: how much information about the frames goes through z. "
        "**Schedules**: the weight β of the KL in the objective, and the learning rate.\n\n**Look "
        "for**: validation that falls while training rises: the model overfits, and more data or "
        "fewer epochs would help. A KL that falls to 0 and stays there: z is not used (posterior "
        "collapse), which warming up β and Res_q are meant to prevent. A jump: the learning rate "
        "is too high.",
        r"\sum_t \ \mathbb{E}_q\big[\log p(x_t \mid z_t, d_t)\big] - \beta \, "
        r"\mathrm{KL}\big(q(z_t \mid z_{t-1}, a_t) \,\big\|\, p(z_t \mid z_{t-1}, d_t)\big)",
        {
            "07_training#A model in half a minute": "trains a model in a minute",
            "06_inference_network#Why the KL collapses": "says why the KL collapses",
        },
    )
    return chart_files(figure)
