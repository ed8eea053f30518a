"""The YAML of a search space, with the line of every key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from goemo.errors import InputError
from tune.spec.problems import KeyPath, Problems, show


def parse(text: str, path: Path, problems: Problems) -> dict[str, Any]:
    """Return the top-level mapping; fill in the lines of all keys and the problem of each doubled one.

    Raises:
        InputError: The text is no YAML, or no mapping.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" (line {mark.line + 1})" if mark else ""
        raise InputError(str(path), [f"not valid YAML: {error.problem or error.context}{line}"]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(str(path), [f"not valid YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(values, dict):
        raise InputError(str(path), [f"must be a mapping with model, data, space, ..., got {show(values)}"])
    _walk(node, (), problems, seen=set())
    return values


def _walk(node: yaml.Node | None, path: KeyPath, problems: Problems, *, seen: set[int]) -> None:
    if node is None or id(node) in seen:  # an anchor that contains itself
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            problems.lines[(*path, index)] = item.start_mark.line + 1
            _walk(item, (*path, index), problems, seen=seen)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        here, line = (*path, key.value), key.start_mark.line + 1
        if here in problems.lines:
            problems.add(here, f"given twice, in lines {problems.lines[here]} and {line}", show_line=False)
        else:
            problems.lines[here] = line
        _walk(value, here, problems, seen=seen)
