"""Loading of a search space file, with every problem reported at once."""

from __future__ import annotations

from collections.abc import Sequence

from tune.spec.checking import checked
from tune.spec.finding import find_space
from tune.spec.overrides import apply_override, place
from tune.spec.parsing import parse, read_text
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
    text = read_text(path)
    problems = Problems()
    values = parse(text, path, problems)
    for override in overrides:
        apply_override(values, override, problems)
    for option, key, value in (("--data", ("data", "source"), data), ("--name", ("name",), name)):
        if value is not None:
            place(values, key, value)
            problems.origins[key] = f"{option} {value}"
    return checked(values, problems, where=str(path), text=text, name=path.stem)
