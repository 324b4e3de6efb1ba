"""Names of a package that are found in its modules when they are first used."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def found_in(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """A package's ``__getattr__``.

    Args:
        package: Its name.
        homes: Module of the package -> the names that are found in it.

    Returns:
        A function that finds what has a name, and imports its module for that.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    return find
