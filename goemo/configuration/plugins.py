"""Plugins of other packages, found by entry points: losses, threshold methods, metrics, sources of data.

An entry point names a function; docs/extending.md has what each kind takes and returns. The options of a loss
or a method are the function's keyword-only parameters, each with a number as its default. Losses and sources
are imported when they are named, threshold methods and metrics when the first of their kind is asked for.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from goemo.errors import InputError, first_line

LOSS, THRESHOLD_METHOD, METRIC, SOURCE = (
    "goemo.losses",
    "goemo.threshold_methods",
    "goemo.metrics",
    "goemo.sources",
)
GROUPS = (LOSS, THRESHOLD_METHOD, METRIC, SOURCE)


@dataclass(frozen=True)
class Plugin:
    """One function that another package adds.

    Attributes:
        entry: Where it stands.
    """

    entry: EntryPoint

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function.

        Raises:
            InputError: Its package cannot be imported, or it is not a function.
        """
        try:
            function = self.entry.load()
        except Exception as error:  # whatever a stranger's module raises when it is imported
            raise self._wrong(f"cannot be imported: {first_line(error)}") from error
        if not callable(function):
            raise self._wrong("is not a function")
        return function  # type: ignore[no-any-return]  # callable() has just said so

    @cached_property
    def options(self) -> Mapping[str, float]:
        """Its options with their defaults.

        Raises:
            InputError: As `function`, or a keyword-only parameter has no finite number as its default.
        """
        found = {}
        for name, parameter in inspect.signature(self.function).parameters.items():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                default = parameter.default
                if (
                    isinstance(default, bool)
                    or not isinstance(default, int | float)
                    or not math.isfinite(default)
                ):
                    raise self._wrong(f"must have a number as the default of {name}")
                found[name] = float(default)
        return found

    @property
    def version(self) -> str:
        """The package with its version, and a digest of the file that the function stands in."""
        package = self.entry.dist
        name = f"{package.name} {package.version}" if package is not None else "a package without a name"
        try:
            file = inspect.getsourcefile(inspect.unwrap(self.function))
        except TypeError:  # a callable that is not a function, or one in C
            file = None
        if file is None:
            return name
        return f"{name} ({hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]})"

    def _wrong(self, problem: str) -> InputError:
        return InputError(f"{self.entry.group}: {self.entry.name} = {self.entry.value}", [problem])


@cache
def plugins(group: str) -> Mapping[str, Plugin]:
    """Return what is installed for one of the groups, by name."""
    return {
        entry.name: Plugin(entry) for entry in sorted(entry_points(group=group), key=lambda one: one.name)
    }
