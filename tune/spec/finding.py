"""Paths of search space files."""

from __future__ import annotations

import difflib
from pathlib import Path

from goemo.errors import InputError


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


def find_space(space: str) -> Path:
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
