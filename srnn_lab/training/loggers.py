"""Where else the curves of a training go while it runs: TensorBoard, Weights & Biases, MLflow."""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from srnn_lab.config import RunConfig
from srnn_lab.system.extras import optional_packages

Row = dict[str, int | float]
"""An epoch's values: those of the curves, and ``frames_per_second``."""
Log = Callable[[Row], None]
PROJECT = "srnn_lab"


@contextmanager
def tensorboard(out: Path, config: RunConfig, epochs: int) -> Iterator[Log]:  # noqa: ARG001 (all loggers take it)
    """Events in ``out / "tensorboard"``; those after the run's last whole epoch are forgotten."""
    with optional_packages():
        from torch.utils.tensorboard import SummaryWriter
    writer = SummaryWriter(str(out / "tensorboard"), purge_step=epochs + 1)

    def log(row: Row) -> None:
        for name, value in row.items():
            writer.add_scalar(name, value, row["epoch"])
        writer.flush()

    try:
        yield _lasting("TensorBoard", log, OSError)
    finally:
        with suppress(OSError):  # which would hide why a training ended
            writer.close()


@contextmanager
def wandb(out: Path, config: RunConfig, epochs: int) -> Iterator[Log]:  # noqa: ARG001
    """A run of the project ``srnn_lab`` of Weights & Biases, which goes on where the training does.

    Its own settings hold: with ``WANDB_MODE=offline`` it is written to ``out / "wandb"`` alone, for
    ``wandb sync``.

    Yields:
        A function that logs an epoch's row of the curves.

    Raises:
        ValueError: It refuses, as where nobody has logged in.
    """
    with optional_packages():
        import wandb as package
        from wandb.errors import Error
    try:
        run = package.init(
            project=PROJECT,
            name=out.name,
            id=_identity(out),
            dir=str(out),
            resume="allow",
            config=config.settings(),
            settings=package.Settings(silent=True, console="off"),
        )
    except Error as error:
        raise ValueError(
            f"Weights & Biases cannot be used ({error}); log in with: wandb login, or set "
            "WANDB_MODE=offline."
        ) from error
    try:
        yield _lasting("Weights & Biases", lambda row: run.log(row, step=int(row["epoch"])), Error)
    finally:
        run.finish()


@contextmanager
def mlflow(out: Path, config: RunConfig, epochs: int) -> Iterator[Log]:  # noqa: ARG001
    """A run of the experiment ``srnn_lab`` of MLflow, which goes on where the training does.

    It is kept where ``MLFLOW_TRACKING_URI`` says, such as ``sqlite:///runs/mlflow.db``.

    Yields:
        A function that logs an epoch's row of the curves.

    Raises:
        ValueError: It refuses.
    """
    with optional_packages():
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    try:
        client, identity = MlflowClient(), _identity(out)
        known = client.get_experiment_by_name(PROJECT)
        experiment = known.experiment_id if known else client.create_experiment(PROJECT)
        runs = client.search_runs([experiment], f"tags.identity = '{identity}'")
        run = (
            runs[0]
            if runs
            else client.create_run(experiment, run_name=out.name, tags={"identity": identity})
        )
        for name, value in config.settings().items():
            if name not in run.data.params:
                client.log_param(run.info.run_id, name, value)
        client.update_run(run.info.run_id, "RUNNING")
    except MlflowException as error:
        raise ValueError(
            f"MLflow cannot be used ({error}); set MLFLOW_TRACKING_URI to where it is."
        ) from error

    def log(row: Row) -> None:
        for name, value in row.items():
            client.log_metric(run.info.run_id, name, value, step=int(row["epoch"]))

    status = "FAILED"
    try:
        yield _lasting("MLflow", log, MlflowException)
        status = "FINISHED"
    finally:
        with suppress(MlflowException):  # which would hide why a training ended
            client.set_terminated(run.info.run_id, status)


@contextmanager
def opened(names: Sequence[str], out: Path, config: RunConfig, epochs: int) -> Iterator[Log]:
    """What writes to all of these loggers.

    Args:
        names: In ``LOGGERS``.
        out: Folder of the run.
        config: Its configuration.
        epochs: Whole epochs that are done.

    Yields:
        A function that hands an epoch's row of the curves to each of them.

    Raises:
        ValueError: One of them cannot be used.
    """
    with ExitStack() as stack:
        logs = [stack.enter_context(LOGGERS[name](out, config, epochs)) for name in names]

        def log(row: Row) -> None:
            for each in logs:
                each(row)

        yield log


def _lasting(name: str, log: Log, *errors: type[Exception]) -> Log:
    """The same, but a training goes on where it fails."""

    def try_to(row: Row) -> None:
        try:
            log(row)
        except errors as error:
            told = (
                f"Epoch {row['epoch']} could not be written to {name} ({error}); the training goes "
                "on."
            )
            warnings.warn(told, stacklevel=2)

    return try_to


def _identity(out: Path) -> str:
    """The same for a run that is continued."""
    return hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]


LOGGERS = {"tensorboard": tensorboard, "wandb": wandb, "mlflow": mlflow}
"""Name -> function of (folder of the run, its configuration, whole epochs that are done), the only
list."""
