"""Frames that are rows of a table."""

import re
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float, Int

from srnn_lab.data.frame_kind import TABLE, Framed, Values

MAX_CATEGORIES = 10_000
"""Most categories of a column: a frame has a value for each."""
SERIES_SUFFIXES = (".npy", ".npz", ".csv", ".parquet")


@final
@dataclass(frozen=True, kw_only=True)
class Series(Framed):
    """Rows of a table, of any meaning.

    Attributes:
        values: What the values are.
        columns: Names of the columns, joined by commas.
        inputs: Names of the columns after them that are known inputs u_t, joined by commas.
        sequence_column: The column that says which sequence a row is of.
        time_step: From one row to the next, in units of time.
        time_unit: The unit of time.
    """

    values: Values
    columns: str
    inputs: str
    sequence_column: str
    time_step: float
    time_unit: str

    name = "series"
    medium = TABLE
    suffixes = SERIES_SUFFIXES
    outputs = (".csv", ".npy")
    change = "change"
    title = "Table"
    heard = False

    @property
    def likelihood(self) -> str:
        """The simplest that takes the values."""
        return {
            "binary": "bernoulli",
            "real": "gaussian",
            "count": "poisson",
            "category": "categorical",
        }[self.values]

    @property
    def standardised(self) -> Literal["no", "by value"]:
        """By column, where the values are real."""
        return "by value" if self.values == "real" else "no"

    @property
    def alike(self) -> bool:
        """Whether columns without a unit are of one: counts, zeros and ones, or probabilities."""
        return self.values != "real"

    @property
    def names(self) -> list[str]:
        """Names of the columns; none where they are not known yet."""
        return self.columns.split(",") if self.columns else []

    @property
    def input_names(self) -> list[str]:
        """Names of the columns that are known inputs."""
        return self.inputs.split(",") if self.inputs else []

    def parts(
        self, signal: Float[np.ndarray, "t n"]
    ) -> tuple[Float[np.ndarray, "t c"], Float[np.ndarray, "t u"] | None]:
        """Separate the last columns, which are known inputs, from those of x.

        Returns:
            The columns of x, and the known inputs, or None without any.

        Raises:
            ValueError: There is no other column.
        """
        if not (n := len(self.input_names)):
            return signal, None
        known = signal[:, -n:]
        if signal.shape[1] <= n:
            raise ValueError(
                f"The table has {signal.shape[1]} columns; expected those of x and after them the "
                f"inputs {self.inputs}."
            )
        return signal[:, :-n], known

    @property
    def rate(self) -> int | float:
        """Rows in a unit of time."""
        return 1 / self.time_step

    def check_size(self, x_dim: int) -> None:
        """Any size: the data say how many columns or categories there are."""

    def check(self, signal: np.ndarray) -> None:
        """A table has two axes, and a row; what is missing in it is NaN."""
        if isinstance(signal, np.ma.MaskedArray):
            raise ValueError(
                "The table is a masked array; give one with NaN where a value is missing: "
                "table.astype(float).filled(np.nan)."
            )
        if signal.ndim != 2:
            self._refuse(signal)
        if not len(signal):
            raise ValueError("The table has no row; give a longer one.")

    def check_values(
        self, rows: Float[np.ndarray, "t c"], names: list[str], categories: int = MAX_CATEGORIES
    ) -> None:
        """Whether the columns of x hold what ``values`` says; a category may not be missing.

        Args:
            rows: A table, or a stretch of one.
            names: Of its columns, if they have any.
            categories: How many there may be.

        Raises:
            ValueError: They do not.
        """
        if self.values == "real":
            return
        highest = {"binary": 1, "count": np.inf, "category": categories - 1}[self.values]
        right = (rows >= 0) & (rows <= highest) & (rows == np.round(rows))
        if self.values != "category":
            right |= np.isnan(rows)
        if not right.all():
            row, column = np.argwhere(~right)[0]
            value, of = rows[row, column], f" {names[column]!r}" if names else ""
            if np.isnan(value):
                raise ValueError(
                    f"a category is missing in column{of}, row {1 + row}; give one in every row, "
                    "or leave out the rows without one"
                )
            limit = "on" if np.isinf(highest) else f"to {highest:g}"
            raise ValueError(
                f"column{of} holds {value:g} in row {1 + row}; values of {self.values!r} are "
                f"whole numbers from 0 {limit}: correct it, or train with other --values"
            )

    def frames(self, signal: Float[np.ndarray, "t c"], x_dim: int) -> Float[np.ndarray, "t x"]:
        """The rows; of categories, a 1 at the place of each."""
        columns, expected = signal.shape[1], 1 if self.values == "category" else x_dim
        if columns != expected:
            raise ValueError(
                f"The table has {columns} columns; the model takes {expected}: choose them by "
                "--columns."
            )
        try:
            self.check_values(signal, self.names, x_dim)
        except ValueError as error:
            raise ValueError(f"The table cannot be used: {error}.") from error
        return (
            np.eye(x_dim, dtype=np.float32)[signal[:, 0].astype(int)]
            if self.values == "category"
            else signal
        )

    def signal(self, frames: Float[np.ndarray, "t x"]) -> Float[np.ndarray, "t c"]:
        """The rows; of categories, the likeliest of each row."""
        return frames.argmax(1)[:, None].astype(np.float32) if self.values == "category" else frames

    def changes(
        self,
        signal: np.ndarray,  # noqa: ARG002
        frames: Float[np.ndarray, "t x"],
    ) -> tuple[Int[np.ndarray, "c"], Bool[np.ndarray, "t"]]:
        """None is sought; every frame is active."""
        return np.zeros(0, int), np.ones(len(frames), bool)

    def called(self, x_dim: int) -> str:
        """What a title calls them."""
        return f"rows of {x_dim} values"

    def described(self, x_dim: int) -> str:
        """Their columns."""
        return f"rows of {x_dim} values, {self.time_step:g} {self.time_unit} apart ({self.columns})"


def name_and_unit(column: str) -> tuple[str, str]:
    """The name of a column and its unit, which stands behind it in brackets.

    Returns:
        For instance ``load`` and ``MW`` of ``load (MW)``; without brackets no unit.
    """
    found = re.fullmatch(r"\s*(.*\S)\s*[(\[]([^()\[\]]+)[)\]]\s*", column)
    return (found[1], found[2]) if found else (column, "")
