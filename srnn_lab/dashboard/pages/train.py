"""Trainings: start one in its own process, watch its curves, stop or continue it, use the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from srnn_lab.checkpoint import ASSETS
from srnn_lab.dashboard.address import owned
from srnn_lab.dashboard.choice import options
from srnn_lab.dashboard.linked import choose_linked
from srnn_lab.dashboard.panels.charts import show_chart
from srnn_lab.dashboard.panels.keep import Files, chart_files, download_buttons
from srnn_lab.dashboard.panels.reading import show_notices, show_reading, told_of_split
from srnn_lab.dashboard.panels.run_comparison import show_comparison
from srnn_lab.dashboard.panels.run_controls import begin_alone, show_controls
from srnn_lab.dashboard.visit import want
from srnn_lab.dashboard.words import explain, guarded, number, plain
from srnn_lab.data.frame_kind import VALUES
from srnn_lab.pictures.charts import curves_figure
from srnn_lab.reports.records import options_of
from srnn_lab.system.lock import is_running
from srnn_lab.training.runs import (
    LOG,
    Progress,
    check_name,
    list_runs,
    newest_first,
    progress,
    read_curves,
)

REFRESH = 2.0
"""Seconds between two looks at the files of a training that runs."""


@dataclass(frozen=True)
class Recipe:
    """What a training can be begun on.

    Attributes:
        preset: A name in ``PRESETS``.
        about: What it is and how long it takes.
        epochs: Passes over the data.
        data: A folder; None for the preset's own data.
        asks: Kind of files of which a folder is asked for.
        full: What the full size sets, where that is not the preset's.
    """

    preset: str
    about: str
    epochs: int
    data: Path | None = None
    asks: str = ""
    full: Mapping[str, int] = field(default_factory=dict)


RECIPES = {
    "Six chorales": Recipe(
        "jsb",
        "The bundled chorales: nothing to download. Enough to see a model learn and then overfit.",
        60,
        ASSETS / "chorales",
    ),
    "A minute of a voice": Recipe(
        "voice-mel",
        "The bundled prompts, as log-mel frames: nothing to download.",
        20,
        ASSETS / "voice",
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
    ),
    "My recordings": Recipe(
        "voice-mel",
        "A folder on this computer, split 90/5/5 by file.",
        40,
        asks="audio",
    ),
    "My tables": Recipe(
        "series",
        (
            "A folder of CSV, NumPy or Parquet files, rows in the order of time, split 90/5/5 by "
            "sequence; one alone, by time."
        ),
        60,
        asks="table",
        full={"d_dim": 256, "z_dim": 64, "hidden_dim": 256},  # the preset is as small as small
    ),
}
COLUMNS = {
    "columns": ("Columns", "all others", "Those that are modelled; commas between their names."),
    "inputs": (
        "Known inputs",
        "none",
        "Columns that are known for the future too, such as the hour or a holiday; commas between "
        "their names. They are given to the model and not modelled.",
    ),
    "sequence_column": (
        "Column that names the sequence",
        "none: a file is a sequence",
        "Where a table holds several sequences, the column that says which one a row is of.",
    ),
}
"""By setting, the label of a box for columns of tables, what stands in it while it is empty, and
its help."""
SIZES = {
    "small": {"d_dim": 64, "z_dim": 16, "hidden_dim": 64},
    "medium": {"d_dim": 128, "z_dim": 32, "hidden_dim": 128},
    "full": {},
}
"""By name, what the recurrent states, z and the hidden layers are made to; ``full`` is the
recipe's."""


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
        show_runs(folder, read_only)
        return
    chosen = choose_training()
    guarded(partial(begin_if_asked, folder, chosen))()
    slot = st.container()
    show_runs(folder, read_only)
    with slot:  # last, since it takes long
        guarded(partial(show_what_is_read, chosen))()


@dataclass(frozen=True)
class Chosen:
    """A training that can be begun.

    Attributes:
        recipe: What it is begun on.
        given: What was entered as the folder.
        of_tables: What was entered of tables, by the name of the setting; empty: its default.
        size: A name in ``SIZES``.
        epochs: Passes over the data.
        run: Name of the run.
    """

    recipe: Recipe
    given: str
    of_tables: Mapping[str, str | float | None]
    size: str
    epochs: int
    run: str

    @property
    def data(self) -> Path | None:
        """The folder; None for the preset's own data."""
        if not self.recipe.asks:
            return self.recipe.data
        data = folder_of(self.given)
        if not self.given or not data.is_dir():
            wrong = f"; {str(data)!r} is not a folder" if self.given else ""
            raise ValueError(f"Enter the path of a folder with {self.recipe.asks} files{wrong}.")
        return data

    @property
    def data_settings(self) -> dict[str, str | float]:
        """What the options say of the data."""
        found: dict[str, str | float] = {"data": str(self.data.resolve())} if self.data else {}
        for name, value in self.of_tables.items():
            if entered := value.strip() if isinstance(value, str) else value:
                found[name] = entered
        return found

    @property
    def sizes(self) -> dict[str, Mapping[str, int]]:
        """What each size sets."""
        return SIZES | ({"full": self.recipe.full} if self.recipe.full else {})


def folder_of(text: str) -> Path:
    """A path as it is typed, or as file managers and shells copy it: in quotes, or from ``~``."""
    try:
        return Path(text.strip().strip("'\"").strip()).expanduser()
    except RuntimeError:  # no such user: it is a folder's name
        return Path(text)


def choose_training() -> Chosen:
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
    given, of_tables = "", {}
    if recipe.asks:
        given = st.text_input(
            f"Folder of {recipe.asks} files", key="folder", placeholder="/path/to/files"
        )
    if recipe.asks == "table":
        of_tables = describe_tables()
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
    return Chosen(recipe, given, of_tables, size, int(epochs), run)


def describe_tables() -> dict[str, str | float | None]:
    """The boxes for what tables hold.

    Returns:
        What was entered by the name of the setting; nothing where a box is empty.
    """
    boxes = st.columns(len(COLUMNS))
    columns = {
        setting: box.text_input(label, key=setting, placeholder=empty, help=told)
        for box, (setting, (label, empty, told)) in zip(boxes, COLUMNS.items(), strict=True)
    }
    of_values, of_step, of_unit = st.columns(3)
    values = of_values.selectbox(
        "Values",
        list(VALUES),
        index=None,
        format_func=VALUES.__getitem__,
        key="values",
        placeholder=VALUES["real"],
        help="What all of the columns hold that are modelled. Of counts, the model has Poisson "
        "distributions; other likelihoods are chosen at the command line (`--likelihood`).",
    )
    step = of_step.number_input(
        "Time step",
        min_value=1e-9,
        value=None,
        format="%g",
        key="time_step",
        placeholder="1",
        help="The time from one row to the next, in the unit beside it.",
    )
    unit = of_unit.text_input(
        "Unit of the time step",
        key="time_unit",
        placeholder="steps",
        help="Such as hours or days; it stands at the time axis.",
    )
    return {**columns, "values": values, "time_step": step, "time_unit": unit}


def begin_if_asked(folder: Path, chosen: Chosen) -> None:
    """The button that begins the training."""
    if st.button("Start", type="primary", key="begin"):
        settings = {"epochs": chosen.epochs, **chosen.sizes[chosen.size], **chosen.data_settings}
        begin_training(folder, chosen.run, chosen.recipe.preset, options_of(settings))


def show_what_is_read(chosen: Chosen) -> None:
    """How the files are split, and how long each size of model takes, once there is a folder."""
    if chosen.given or not chosen.recipe.asks:
        settings = chosen.data_settings
        show_reading(chosen.recipe.preset, settings, chosen.sizes, chosen.epochs)


def begin_training(folder: Path, name: str, preset: str, options: list[str]) -> None:
    """Begin a run, unless one is being trained: two at a time would slow each other and the page.

    Raises:
        ValueError: The name is none for a folder or is taken, or a training runs.
    """
    check_name(name)
    path = folder / name
    files = [path / file for file in ("last.safetensors", "best.safetensors")]
    failed = (path / LOG).exists() and not any(map(Path.exists, files)) and not is_running(path)
    if path.exists() and not failed:
        raise ValueError(
            f"A run {name!r} exists already; choose another name, or continue that one below."
        )
    begin_alone([preset, f"--out={path}", *options], path)
    want("run", name)


def show_runs(folder: Path, read_only: bool) -> None:
    """The chosen run, and others beside it."""
    st.subheader("Runs")
    runs = newest_first(list_runs(folder))
    if not runs:
        start = "" if read_only else " Start one above."
        st.info(
            f"The folder {plain(str(folder))} has no runs yet.{start} For another folder of runs: "
            "`streamlit run dashboard.py -- --runs DIR`."
        )
        return
    name = choose_linked(st.selectbox, "Run", list(runs), "run")
    running = is_running(runs[name])
    st.fragment(
        guarded(partial(show_run, runs[name], running, read_only)),
        run_every=REFRESH if running else None,
    )()
    guarded(partial(show_comparison, name, runs))()


def show_run(run: Path, was_running: bool, read_only: bool) -> None:
    """How far a run is and its curves, which are drawn anew while it runs."""
    state = progress(run)
    if state.running != was_running:
        st.rerun()
    show_state(state)
    show_data(state)
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
        query = urlencode({"checkpoint": f"{run.parent.name}/{run.name}"})
        buttons.link_button("Open in Explore", f"./?{query}")
        if state.header and state.header.config.data.kind.notes:
            buttons.link_button("Open in Studio", f"./studio?{query}")
    curves = read_curves(run)
    if len(curves["epoch"]) and state.header:
        files = show_curves(curves, state)
        download_buttons(
            run.name, {**files, "Curves (CSV)": ((run / "curves.csv").read_bytes, "curves.csv")}
        )
    with st.expander("Log", expanded=bool(state.said) and not len(curves["epoch"])):
        st.code("\n".join(state.said) or f"Nothing yet ({LOG}).", language=None)


def show_state(state: Progress) -> None:
    """In one line and a bar, where a run is."""
    total = state.header.config.train.epochs if state.header else 0
    done = f"{state.epochs} of {total} epochs"
    if state.running and not state.step and state.epochs >= total:  # new, or trained further
        st.progress(0.0, "Reading the data …")
    elif state.running:
        st.progress(
            state.share, plain(f"{done} · {state.step} · {state.left} left" if state.step else done)
        )
    elif state.test:
        test, unit = state.test, state.header.config.evaluation.unit if state.header else ""
        over = f"{test['average']} average"
        if n := test.get("sequences"):
            over += f" over {n} test sequence{'s' * (n != 1)}"
        st.success(plain(f"Done: {done}. Test ELBO {number(test['elbo'])} {unit} ({over})."))
        if of_z := state.header and state.header.scores.get("z"):
            st.caption(plain(of_z))
    elif state.header:
        st.info(f"Stopped after {done}. It can be continued from where it stopped, bit for bit.")
    if state.refused:
        begun = "The training did not go on" if state.header else "Training did not start"
        st.error(plain(f"{begun}: {state.refused}"))
    elif not (state.running or state.header):
        st.error(plain("Training did not start: its log is empty."))


def show_data(state: Progress) -> None:
    """What the run was trained on, and what was left out of it."""
    scores = state.header.scores if state.header else {}
    counts = {
        "train": scores.get("train_sequences"),
        "valid": scores.get("valid", {}).get("sequences"),
        "test": scores.get("test", {}).get("sequences"),
    }
    if state.header and all(counts.values()):
        name = Path(state.header.config.data.data).name
        st.caption(f"Data: {plain(name)}, {told_of_split(counts)}")
    show_notices(state.noted)


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
