"""Untrusted JSON files: bounded, then checked against a declared model.

Every JSON file that the project reads goes through :func:`read_json` or :func:`parse_json`, so that a damaged
or hostile one is a single line that names the file and the field.
"""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from goemo.configuration.declared import dotted
from goemo.configuration.declared import problems_of as declared_problems
from goemo.configuration.rules import KeyPath
from goemo.configuration.wording import short

MAX_BYTES = 64 * 2**20  # no JSON file of a search or a bundle comes near this
MAX_DEPTH = 50  # of lists and mappings inside each other
MAX_KEY = 1_000  # characters of a key; names of labels are keys, see `goemo.data.tables`
MAX_INTEGER = 2**63 - 1
MAX_SHOWN = 3  # problems named of one file

Model = TypeVar("Model")  # a pydantic model, a dataclass, or a type that `pydantic.TypeAdapter` knows


class UnreadableError(ValueError):
    """A file's content is not what it should be; the message names file and field, in one line."""


def read_json(path: Path, model: type[Model]) -> Model:
    """Read one file as a declared model.

    Args:
        path: A regular file of at most `MAX_BYTES`.
        model: What it must hold.

    Raises:
        UnreadableError: It is not there, not JSON, out of bounds, or not what the model declares.
    """
    return _checked(path, read_text(path), model)


def read_json_lines(path: Path, model: type[Model]) -> list[Model]:
    """Read one model a line; empty lines are passed over.

    Raises:
        UnreadableError: As :func:`read_json`; the message names the line.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            found.append(_checked(f"{path}, line {number}", line, model))
    return found


def read_text(path: Path) -> str:
    """Return the text of a regular file of at most `MAX_BYTES`.

    Raises:
        UnreadableError: It cannot be read, is too large, not UTF-8, or no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError(f"{path}: must be a regular file")
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise UnreadableError(f"{path}: must be at most {MAX_BYTES // 2**20} MB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path}: must be UTF-8 text ({error.reason} at byte {error.start})") from error


def parse_json(text: str) -> Any:
    """Return the plain values of a JSON text within bounds.

    Raises:
        ValueError: It is not JSON, holds a number that is not finite or beyond 64 bits, a key of more than
            `MAX_KEY` characters, half a surrogate pair, or nests deeper than `MAX_DEPTH`.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"must not nest deeper than {MAX_DEPTH}") from error
    check_bounds(value)
    return value


def check_bounds(value: Any, path: KeyPath = ()) -> None:
    """Raise ValueError where plain values hold what no file of ours has; the message names the key."""
    reason = _out_of_bounds(value, len(path))
    if reason is not None:
        raise ValueError(f"{dotted(path[:4])}: {reason}" if path else reason)
    if isinstance(value, dict):
        for key, part in value.items():
            if len(str(key)) > MAX_KEY:
                raise ValueError(f"a key must have at most {MAX_KEY} characters, got {str(key)[:40]}...")
            check_bounds(str(key), path)
            check_bounds(part, (*path, str(key)))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            check_bounds(part, (*path, place))


def _out_of_bounds(value: Any, depth: int) -> str | None:
    """Return why a value by itself is out of bounds."""
    if depth > MAX_DEPTH:
        return f"must not nest deeper than {MAX_DEPTH}"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return "must not hold half of a surrogate pair"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must hold finite numbers, got {value}"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return f"whole numbers must fit 64 bits, got {short(value)}"
    return None


def problems_of(error: ValidationError, model: Any = None) -> list[str]:
    """Return one line a problem of a failed validation: the field, the rule, and what was there."""
    return [
        f"{dotted(path)}: {message}" if path else message for path, message in declared_problems(error, model)
    ]


def _checked(place: object, text: str, model: type[Model]) -> Model:
    try:
        return TypeAdapter(model).validate_python(parse_json(text))
    except ValidationError as error:
        lines = problems_of(error, model)
        more = f"; and {len(lines) - MAX_SHOWN} more" if len(lines) > MAX_SHOWN else ""
        raise UnreadableError(f"{place}: {'; '.join(lines[:MAX_SHOWN])}{more}") from error
    except ValueError as error:
        raise UnreadableError(f"{place}: {error}") from error
