"""A file, read and checked whole: every problem at once."""

from __future__ import annotations

from collections.abc import Sequence

from goemo.errors import InputError
from tune.spec.checking import checked_fields
from tune.spec.finding import find_space
from tune.spec.overrides import apply_override, place
from tune.spec.parsing import parse
from tune.spec.problems import Problems
from tune.spec.search_spec import SearchSpec


def load_spec(
    space: str, *, overrides: Sequence[str] = (), data: str | None = None, name: str | None = None
) -> SearchSpec:
    """Read a search space and check all of it.

    Numbers such as ``2e-5``, which YAML 1.1 takes for text, are read as numbers.

    Args:
        space: A file, or the name of a shipped space with or without ``.yaml``.
        overrides: ``KEY=VALUE`` with a dotted key and a YAML value, the last of equals wins.
        data: Replaces ``data.source``.
        name: Replaces ``name``, which by default is the file's name without its ending.

    Raises:
        InputError: There is no such file, or something is wrong in it; the message has all of it.
    """
    path = find_space(space)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), [f"must be UTF-8 text: {error.reason} at byte {error.start}"]) from None
    except OSError as error:
        raise InputError(str(path), [f"cannot be read: {error.strerror}"]) from None
    problems = Problems()
    values = parse(text, path, problems)
    for override in overrides:
        apply_override(values, override, problems)
    for option, key, value in (("--data", ("data", "source"), data), ("--name", ("name",), name)):
        if value is not None:
            place(values, key, value)
            problems.origins[key] = f"{option} {value}"
    fields = checked_fields(values, problems, where=str(path), default_name=path.stem)
    return SearchSpec(**fields, text=text)
