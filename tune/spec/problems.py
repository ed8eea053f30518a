"""Problems of a search space: all of them, each with its place."""

from __future__ import annotations

import math

from goemo.configuration.declared import dotted
from goemo.configuration.rules import KeyPath
from goemo.errors import InputError


class Problems:
    """Gathers what is wrong, and where each value came from.

    Attributes:
        lines: Line in the file, by path.
        origins: The command-line option that set a path.
        found: (path, message, whether to show the line).
        lost: (option, message) of options that point nowhere.
    """

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.origins: dict[KeyPath, str] = {}
        self.found: list[tuple[KeyPath, str, bool]] = []
        self.lost: list[tuple[str, str]] = []

    def add(self, path: KeyPath, message: str, *, show_line: bool = True) -> None:
        """Add what is wrong at ``path``."""
        self.found.append((path, message, show_line))

    def raise_if_any(self, where: str) -> None:
        """Raise `InputError` with everything; about the option itself when options alone are wrong."""
        in_order = sorted(self.found, key=lambda problem: self._line(problem[0]) or math.inf)
        named = [self._named(*problem) for problem in in_order] + list(self.lost)
        if not named:
            return
        if any(option is None for option, _ in named):
            raise InputError(
                where, [text if option is None else f"{option}: {text}" for option, text in named]
            )
        if len(named) == 1:
            raise InputError(str(named[0][0]), [named[0][1]])
        raise InputError("command line", [f"{option}: {text}" for option, text in named])

    def _named(self, path: KeyPath, message: str, show_line: bool) -> tuple[str | None, str]:
        for length in range(len(path), 0, -1):
            if origin := self.origins.get(path[:length]):
                return origin, message if length == len(path) else f"{dotted(path)}: {message}"
        line = self._line(path)
        end = f" (line {line})" if show_line and line is not None else ""
        return None, f"{dotted(path)}: {message}{end}" if path else message

    def _line(self, path: KeyPath) -> int | None:
        """Return the line of a path, or of the nearest that is above it in the file."""
        return next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
