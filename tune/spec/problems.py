"""What is wrong with a search space: all of it, each problem with its place."""

from __future__ import annotations

import reprlib
from typing import Any

from goemo.errors import InputError

KeyPath = tuple[Any, ...]  # keys from the top of the file down; an int is a place in a list

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlist = _REPR.maxdict = 8


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
        named = [self._named(*problem) for problem in self.found] + list(self.lost)
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
                return origin, message if length == len(path) else f"{_dotted(path)}: {message}"
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        end = f" (line {line})" if show_line and line is not None else ""
        return None, f"{_dotted(path)}: {message}{end}"


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def show(value: Any) -> str:
    """Return a value as the user would recognise it, never long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return _REPR.repr(value)
