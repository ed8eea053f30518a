"""Loading of a search space, by its path or its name, with every problem reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from goemo.errors import InputError
from tune.spec.checking import checked
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
    path = _find(space)
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


def shipped_spaces() -> list[Path]:
    """Return the search spaces that come with the project, by name.

    An installed wheel carries them in ``tune/search_spaces``; a checkout has them in ``search_spaces``,
    beside ``tune``.
    """
    package = Path(__file__).resolve().parents[1]  # tune
    found: dict[str, Path] = {}
    for folder in (package / "search_spaces", package.parent / "search_spaces"):
        for path in folder.glob("*.yaml"):
            found.setdefault(path.stem, path)
    return [found[stem] for stem in sorted(found)]


def _find(space: str) -> Path:
    """Return a file, or the shipped space of this name with or without ``.yaml``.

    Raises:
        InputError: There is neither; the message names the nearest.
    """
    path = Path(space)
    if path.is_file():
        return path
    shipped = {p.stem: p for p in shipped_spaces()}
    wanted = space.removesuffix(".yaml")
    if wanted in shipped:
        return shipped[wanted]
    if path.is_dir():
        raise InputError(space, ["is a folder; give a search space file in it"])
    nearest = difflib.get_close_matches(Path(wanted).name, shipped, n=1)
    hint = f"did you mean {nearest[0]}? There are: " if nearest else "there are: "
    raise InputError(space, [f"no such file or shipped search space; {hint}{', '.join(shipped) or 'none'}"])
