"""Parsing of untrusted YAML: bounded, with the line of every key."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import yaml

from goemo.configuration.json_files import MAX_DEPTH
from goemo.configuration.rules import KeyPath
from goemo.configuration.wording import show
from goemo.errors import InputError
from tune.spec.problems import Problems

MAX_BYTES = 2**18  # no search space or exported configuration comes near this
MAX_NODES = 20_000  # of a file with all that its anchors stand for


def read_text(path: Path) -> str:
    """Return the text of a YAML file, without a byte order mark.

    Raises:
        InputError: It cannot be read, is no regular file, too large, or not UTF-8.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(str(path), ["must be a regular file"])
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(str(path), [f"cannot be read: {error.strerror}"]) from None
    if len(content) > MAX_BYTES:
        raise InputError(str(path), [f"must be at most {MAX_BYTES // 2**10} kB"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), [f"must be UTF-8 text: {error.reason} at byte {error.start}"]) from None


def parse(
    text: str, path: Path, problems: Problems, *, keys: str = "model, data, space, ..."
) -> dict[str, Any]:
    """Return the top-level mapping; fill in the lines of all keys and the problem of each doubled one.

    Args:
        text: Of the file.
        path: Of the file, for messages.
        problems: Gets lines, and keys that are given twice.
        keys: What the mapping has, for the message about a file that is none.

    Raises:
        InputError: The text is no YAML, no mapping, nests too deeply or stands for too much.
    """
    try:
        node, values = bounded(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" (line {mark.line + 1})" if mark else ""
        raise InputError(str(path), [f"not valid YAML: {error.problem or error.context}{line}"]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(str(path), [f"not valid YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(values, dict):
        raise InputError(str(path), [f"must be a mapping with {keys}, got {show(values)}"])
    _walk(node, (), problems, seen=set())
    return values


def bounded(text: str) -> tuple[yaml.Node | None, Any]:
    """Return what a YAML text says, as nodes and as plain values.

    Raises:
        yaml.YAMLError: It is no YAML.
        ValueError: It nests too deeply, stands for too much, or has a value that is none.
    """
    _check_size(text)
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    _check_expansion(node)
    return node, yaml.safe_load(text)


def _check_size(text: str) -> None:
    """Raise ValueError where a text nests too deeply or has too much, before anything recursive reads it."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = f" (line {event.start_mark.line + 1})" if event.start_mark else ""
            raise ValueError(f"must not nest deeper than {MAX_DEPTH}{line}")
        if count > 2 * MAX_NODES:
            raise ValueError(f"must have at most {MAX_NODES:,} values")


def _check_expansion(node: yaml.Node | None) -> None:
    """Raise ValueError where anchors stand for more than `MAX_NODES` values, or endlessly many."""
    sizes: dict[int, int] = {}

    def size(part: yaml.Node) -> int:
        if id(part) not in sizes:
            sizes[id(part)] = MAX_NODES  # while it is counted: who meets it again contains itself
            inner = part.value if isinstance(part, yaml.CollectionNode) else ()
            flat = [one for pair in inner for one in (pair if isinstance(pair, tuple) else (pair,))]
            sizes[id(part)] = 1 + sum(map(size, flat))
        return sizes[id(part)]

    if node is not None and size(node) > MAX_NODES:
        raise ValueError(f"must stand for at most {MAX_NODES:,} values, anchors and merges included")


def _walk(node: yaml.Node | None, path: KeyPath, problems: Problems, *, seen: set[int]) -> None:
    if node is None or id(node) in seen:  # an anchor that was met before
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            problems.lines[*path, index] = item.start_mark.line + 1
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
