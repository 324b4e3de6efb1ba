"""What can be done with a run: stop it, continue it, train it further, rename and delete it."""

import threading
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from srnn_lab.dashboard.choice import checkpoints
from srnn_lab.dashboard.visit import visit, want
from srnn_lab.dashboard.words import guarded, plain
from srnn_lab.system.lock import is_running, terminate
from srnn_lab.training.runs import (
    Progress,
    begin,
    delete_run,
    list_runs,
    newest_first,
    rename_run,
)

MORE = 20
"""Epochs that a finished run is trained further."""
_BEGINNING = threading.Lock()
"""Held from looking whether a training runs until one does, since two visitors may begin at once.
"""


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


def show_controls(run: Path, state: Progress, buttons: DeltaGenerator) -> None:
    """The buttons; none that changes the files of a run that is trained."""
    if state.running:
        if buttons.button("Stop", key="stop", help="It saves its state, so you can continue it."):
            terminate(run)
            st.toast("Stopping after the current update.")
        return
    if state.header and not state.test and buttons.button("Continue", key="continue"):
        guarded(partial(_train_on, run))()
    if state.header and state.test:
        total = state.header.config.train.epochs + MORE
        if buttons.button(
            f"Train {MORE} more epochs",
            key="more",
            help="It goes on from its last epoch, with the state of its optimiser.",
        ):
            guarded(partial(_train_on, run, f"--epochs={total}"))()
    _offer_new_name(run, buttons)
    _offer_deletion(run, buttons)


def _train_on(run: Path, *options: str) -> None:
    begin_alone([f"--resume={run}", *options], run)
    st.rerun()


def _offer_new_name(run: Path, buttons: DeltaGenerator) -> None:
    with buttons.popover("Rename"):
        name = st.text_input("New name", run.name, max_chars=60, key=f"rename-{run.name}")
        if st.button("Rename it", key="rename", disabled=name == run.name):
            guarded(partial(_rename, run, name))()  # what is wrong with it stands below it


def _rename(run: Path, name: str) -> None:
    rename_run(run, name)
    _go_to(run, name)


def _offer_deletion(run: Path, buttons: DeltaGenerator) -> None:
    with buttons.popover("Delete"):
        files = [path for path in run.rglob("*") if path.is_file()]
        megabytes = sum(path.stat().st_size for path in files) / 1e6
        st.markdown(
            f"Delete **{plain(run.name)}** with its checkpoints, curves and log: {len(files)} "
            f"files, {megabytes:.1f} MB? They cannot be brought back."
        )
        if st.button("Delete it", key="delete", type="primary"):
            guarded(partial(_delete, run))()


def _delete(run: Path) -> None:
    delete_run(run)
    _go_to(run, next(iter(newest_first(list_runs(run.parent))), ""))


def _go_to(run: Path, name: str) -> None:
    """Show another run in place of one that is not there any more, also at the side."""
    want("run", name)
    if visit().wanted.get("checkpoint") == f"{run.parent.name}/{run.name}":
        known, new = checkpoints(), f"{run.parent.name}/{name}"
        want("checkpoint", new if new in known else next(iter(known)))
    st.rerun()
