"""Documents made from the declarations: the tables of the documentation and the JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from goemo.configuration import HYPERPARAMETERS
from goemo.configuration.declared import Key, json_schema, key_at, keys_of
from tune.spec.search_spec import SearchSpec

_MARKED = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """Return a page with each table between ``<!-- keys: SECTION -->`` and ``<!-- end of keys -->`` anew."""
    return _MARKED.sub(lambda match: f"{match[1]}{table(match[2])}\n{match[3]}", page)


def table(section: str) -> str:
    """Return the table of the keys of a section in Markdown, or of the top level for ``top``."""
    prefix = "" if section == "top" else f"{section}."
    rows = [
        f"| `{prefix}{key.name}` | {_kind(key)} | {_default(key)} | {key.meaning} |" for key in _keys(section)
    ]
    return "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _keys(section: str) -> Sequence[Key]:
    if section == "space":
        return list(HYPERPARAMETERS.values())
    keys = keys_of(SearchSpec)
    if section == "top":
        return [key for name, key in keys.items() if key.rule is not None and name not in ("space", "text")]
    return list(keys_of(keys[section].annotation).values())


def _kind(key: Key) -> str:
    if key.rule is None:
        return f"mapping with {', '.join(f'`{name}`' for name in keys_of(key.annotation))}"
    words = key.rule.words.removeprefix("a ").replace(" a number", " number")
    names = words.removeprefix("one of ")
    return ", ".join(f"`{name}`" for name in names.split(", ")) if names != words else words


def _default(key: Key) -> str:
    if key.name == "name":
        return "the file's name"
    if not key.has_default:
        return "required"
    if key.default is None or key.rule is None:
        return "none"
    plain = list(key.default) if isinstance(key.default, tuple) else key.default
    text = yaml.safe_dump(plain, default_flow_style=True).removesuffix("\n").removesuffix("\n...")
    return f"`{text}`"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a search space, for editors."""
    found = json_schema(SearchSpec)
    properties = found["properties"]
    del properties["text"]
    found["required"] = ["model"]
    for section in ("search", "scheduler"):  # a bare algorithm stands for a mapping with it
        algorithm = key_at(SearchSpec, (section, "algorithm"))
        assert algorithm is not None
        assert algorithm.rule is not None
        whole = {key: part for key, part in properties[section].items() if key != "default"}
        properties[section] = {"anyOf": [algorithm.rule.json_schema(), whole]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **found,
        "title": "A search space of goemo",
    }


def schema_text() -> str:
    """Return the JSON Schema as the file has it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def write_schema(path: Path) -> None:
    """Write the JSON Schema to a file."""
    path.write_text(schema_text(), encoding="utf-8")
