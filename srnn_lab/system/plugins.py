"""What other packages bring by entry points, found by its name."""

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Registry(dict[str, T]):
    """Things by name: this package's, and what installed ones declare as entry points of a group.

    Iterated over, it has its own alone; one of another package is imported when it is asked for by
    its name.

    Args:
        group: Such as ``srnn_lab.models``.
        expected: What each of them is, as a class that they are derived from or an instance of.
        own: Those of this package, which no other can replace.
    """

    def __init__(self, group: str, expected: Any, own: Mapping[str, T]):
        super().__init__(own)
        self.group, self.expected = group, expected

    @property
    def _others(
        self,
    ) -> dict[
        str, Any
    ]:  # entry points; those of the backport importlib_metadata are of its own type
        return {found.name: found for found in entry_points(group=self.group)}

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._others

    def __missing__(self, name: str) -> T:
        """Load what another package declares under that name.

        Args:
            name: The name of the entry point.

        Returns:
            What was loaded; the next time it is found at once.

        Raises:
            KeyError: No installed package declares such a name.
            ValueError: What it declares cannot be imported, or is something else.
        """
        declared = self._others[name]
        where = f"{name!r} of the entry points {self.group!r} is {declared.value!r}"
        try:
            found: Any = declared.load()
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"{where}, which cannot be imported ({error}); mend or remove that package."
            ) from error
        check = issubclass if isinstance(found, type) else isinstance
        if not check(found, self.expected):
            raise ValueError(
                f"{where}; expected a {self.expected.__name__}: mend or remove that package."
            )
        self[name] = plugin = cast(T, found)
        return plugin

    def choices(self) -> str:
        """All names, for the message that something is none of them."""
        return ", ".join(dict.fromkeys([*self, *self._others]))

    def with_chosen(self, name: str) -> Iterator[tuple[str, T]]:
        """This package's own, and the one that was chosen, if it is another's."""
        yield from self.items()
        if not super().__contains__(name) and name in self:
            yield name, self[name]
