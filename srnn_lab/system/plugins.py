"""What other packages bring by entry points, found by its name."""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeVar, cast

T = TypeVar("T")


# To read what all packages declare takes tens of milliseconds, so it is kept while sys.path, where
# packages may come in, stays. Of no type that has a name: importlib_metadata may put in its own.
@cache
def _declared(group: str, path: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001
    return {found.name: found for found in entry_points(group=group)}


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
    def _others(self) -> dict[str, Any]:
        return _declared(self.group, tuple(sys.path))

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
