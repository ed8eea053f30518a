"""Names of registered models."""

from __future__ import annotations

import re
from pathlib import Path

from goemo.errors import InputError

_ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*")
LONGEST = 200  # MLflow's databases take 256 characters, of which tags and paths want some
_RULE = (
    f"must be of at most {LONGEST} letters, digits, '_', '-', '.' and spaces, and begin with a letter, "
    "a digit or '_'"
)


def default_name(source: str, taxonomy: str) -> str:
    """Return the name under which models of the same data and labels compete: ``go_emotions-fine``.

    The checkpoint is not part of it: models of different searches compete when they answer the same question.
    The source is as a search space has it.
    """
    scheme, colon, place = source.partition(":")
    if not colon:
        scheme, place = "dir", source
    if scheme == "sample":
        place = "sample"
    elif scheme in {"dir", "file"}:
        path = Path(place).expanduser().absolute()
        place = path.stem if scheme == "file" else path.name
    else:
        place = place.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", place).strip("-.")
    return f"{plain or scheme}-{taxonomy}"


def check_name(name: str) -> None:
    """Refuse a name that MLflow, or a URI such as ``models:/NAME@champion``, cannot hold.

    Raises:
        InputError: With the rule.
    """
    if not _ALLOWED.fullmatch(name) or len(name) > LONGEST:
        raise InputError("the registered model's name", [f"{_RULE}, got {name!r}"])
