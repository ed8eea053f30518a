"""Keys of a search space, and suggestions for misspelt ones."""

from __future__ import annotations

from functools import cache

from goemo.configuration import HYPERPARAMETERS
from goemo.configuration.declared import known_keys
from goemo.configuration.rules import KeyPath
from goemo.configuration.thresholds import CHOICE_KEYS
from goemo.configuration.wording import nearest
from tune.spec.baseline import BASELINE_KEYS
from tune.spec.domain import DOMAIN_KINDS, ONLY_IF
from tune.spec.search_spec import SearchSpec
from tune.spec.searchable import MODEL_KEYS, SEARCHABLE

# ShortName forms of the most frequent hyperparameters, for the command line.
ALIASES = {
    HYPERPARAMETERS[name].short: name for name in ("learning_rate", "batch_size", "max_length", "epochs")
}

# Keys inside what a rule of its own reads.
_INSIDE: dict[KeyPath, tuple[str, ...]] = {
    ("objective", "thresholds"): CHOICE_KEYS,
    ("baseline",): tuple(BASELINE_KEYS),
}


def known_at(path: KeyPath) -> tuple[str, ...]:
    """Return the keys that there are at a path; none where it goes on with values, or leads nowhere."""
    if len(path) > 2 and path[0] in ("space", "model") and isinstance(path[2], int):
        path = (*path[:2], *path[3:])  # a case has the keys of a domain
    match path:
        case ():
            return tuple(key for key in known_keys(SearchSpec, ()) if key != "text")
        case ("space",):
            return tuple(HYPERPARAMETERS)
        case ("space" | "model", name) if name in (HYPERPARAMETERS if path[0] == "space" else MODEL_KEYS):
            return (*DOMAIN_KINDS, ONLY_IF)
        case ("space" | "model", _, "only_if") | ("search", "enqueue", int()):
            return tuple(SEARCHABLE)
    return _INSIDE.get(path) or known_keys(SearchSpec, path)


def is_known(path: KeyPath) -> bool:
    """Return whether a search space may have this key."""
    return all(part in known_at(path[:place]) for place, part in enumerate(path))


def with_aliases(path: KeyPath) -> KeyPath:
    """Return a path from the command line with ``lr`` or ``space.lr`` as ``space.learning_rate``."""
    if path[0] in ALIASES:
        return ("space", ALIASES[path[0]], *path[1:])
    if path[0] == "space" and len(path) > 1:
        return ("space", ALIASES.get(path[1], path[1]), *path[2:])
    return path


def unknown(path: KeyPath) -> str:
    """Return the sentence about a key that nobody knows: the nearest of its place, or where it belongs."""
    key, known = path[-1], known_at(path[:-1])
    kind = "hyperparameter" if "enqueue" in path else "key"
    elsewhere = [] if kind != "key" else [other for other in dotted_keys() if _last(other) == key]
    if key in ALIASES and ALIASES[key] in known:
        elsewhere = [ALIASES[key]]
    hint = f"; did you mean {elsewhere[0]}?" if elsewhere else nearest(key, known)
    return f"unknown {kind}{hint}" if hint else f"unknown {kind}; known are: {', '.join(known)}"


def nearest_dotted(path: KeyPath) -> str:
    """Return the end of a message: the dotted key that was probably meant."""
    known = dotted_keys()
    same_end = [key for key in known if _last(key) == path[-1]]
    hint = f"; did you mean {same_end[0]}?" if same_end else nearest(".".join(map(str, path)), known)
    return hint or f"; known are: {', '.join(known)}"


@cache
def dotted_keys() -> tuple[str, ...]:
    """Return all keys that a search space may have, down to those of a section."""
    top = known_at(())
    sections = [f"{section}.{key}" for section in top for key in known_at((section,))]
    inside = [
        f"{section}.{key}"
        for section in sections
        if section.startswith(("data.", "objective."))
        for key in known_at(tuple(section.split(".")))
    ]
    return (*top, *sections, *inside)


def _last(key: str) -> str:
    return key.rsplit(".", 1)[-1]
