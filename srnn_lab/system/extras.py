"""What of the installation is optional, and the sentence on what to install where it is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

EXTRAS = {
    "audio": ("av", "soundfile", "soxr"),
    "music": ("midirenderer", "pooch", "pretty_midi"),
    "dashboard": ("plotly", "streamlit"),
    "notebooks": ("IPython",),
    "pdf": ("cairosvg",),
    "probe": ("sklearn",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "sqlalchemy"),
    "site": ("latex2mathml", "markdown_it", "mdit_py_plugins"),
    "sweep": ("optuna",),
    "forecast": ("statsmodels",),
    "arviz": ("arviz", "pandas", "xarray"),
}
"""Of an extra in ``pyproject.toml``, the modules that it brings."""
NAMES = {
    "markdown_it": "markdown-it-py",
    "mdit_py_plugins": "mdit-py-plugins",
    "mlflow": "mlflow-skinny",
    "sklearn": "scikit-learn",
}
"""Packages that are not called as their modules."""


class MissingExtraError(ValueError, ImportError):
    """A package that is optional is needed, and is not there."""


def explained(error: ModuleNotFoundError) -> Exception:
    """The same in a sentence with the line to type, where an extra brings the module."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return MissingExtraError(
                f"This needs the package {NAMES.get(module, module)}, which is not installed; "
                f"install it with: pip install 'srnn-lab[{extra}]'"
            )
    return error


@contextmanager
def optional_packages() -> Iterator[None]:
    """Around imports of packages that an extra brings.

    Raises:
        MissingExtraError: One of them is not installed.
    """  # noqa: DOC501 (what ``explained`` returns)
    try:
        yield
    except ModuleNotFoundError as error:
        raise explained(error) from error
