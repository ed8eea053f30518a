"""Changes to valid files: of their bytes, and of the values that they hold."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import strategies as st

MOST_BYTES, MOST_ITEMS = 200_000, 2_000  # repeats of repeats: sizes have tests of their own

TOKENS = [
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc3",
        b"\x1b[2J",
        b"\r",
        b"\n",
        b"\t",
        b'"',
        b"'",
    ),
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-1",
        b"9" * 30,
        b"0." + b"1" * 400,
        b"0x10",
        b"1_000",
        b"null",
        b"true",
    ),
    *(
        b"\\ud800",
        b"[",
        b"{",
        b"}",
        b"]",
        b":",
        b",",
        b"- ",
        b"#",
        b"%",
        b"|",
        b">",
        b"? ",
        b"&a [*a]",
        b"*a",
    ),
    *(b"<<: ", b"!!binary aGk=", b"!!set {a}", b"2026-01-31", b"!!python/object/apply:os.system [id]"),
    *(b"../../etc/passwd", b"/dev/zero", b"=cmd()", b"<script>", b"__label__", b"__label__a ", b"," * 40),
    *("\u200b".encode(), "\u202e".encode(), "é".encode("latin-1"), "\U0001f600".encode()),
]

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 100, 101, 2**31, 2**63, 2**70, 10**400, -(10**400)),
    *(0.0, -0.0, 0.5, 1.5, 1e-9, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *(
        "",
        " ",
        "x" * 5_000,
        "nan",
        "None",
        "0",
        "1e-3",
        "true",
        "é",
        "\u202e",
        "\x1b[2J",
        "\x00",
        "\ud800",
        "a\nb",
    ),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "/",
        ".",
        "~",
        "=cmd()",
        "<script>",
        "[b]x[/b]",
        "{}",
        "%s",
        "${HOME}",
    ),
    *([], {}, [[]], [None], {"": None}, {"a": {"a": {"a": {}}}}, [1, 2], [1, 1], ["a", "b"], ["a", "a"]),
    *({"grid": []}, {"choice": [1, "a"]}, {"uniform": [0, 1]}, {"log_uniform": [0, 1]}, {"int": [1, 2**70]}),
]


@st.composite
def changed_bytes(draw: Any, content: bytes) -> bytes:
    """Return a content with one to four pieces cut, repeated, moved, or replaced by something hostile."""
    for _ in range(draw(st.integers(1, 4))):
        content = content[:MOST_BYTES]
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(["token", "bytes", "cut", "end", "repeat", "move", "flip"]))
        if kind == "token":
            content = content[:start] + draw(st.sampled_from(TOKENS)) + content[end:]
        elif kind == "bytes":
            content = content[:start] + draw(st.binary(max_size=8)) + content[end:]
        elif kind == "cut":
            content = content[:start] + content[end:]
        elif kind == "end":
            content = content[:start]
        elif kind == "repeat":
            content = content[:end] + content[start:end] * draw(st.integers(1, 60)) + content[end:]
        elif kind == "move":
            place = draw(st.integers(0, len(content)))
            content = content[:place] + content[start:end] + content[place:]
        elif start < len(content):
            content = (
                content[:start]
                + bytes([content[start] ^ (1 << draw(st.integers(0, 7)))])
                + content[start + 1 :]
            )
    return content


@st.composite
def changed_values(draw: Any, values: Any) -> Any:
    """Return plain values with one to three of them replaced, removed, renamed or wrapped."""
    values = copy.deepcopy(values)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(values))
        if not places:
            return draw(st.sampled_from(VALUES))
        holder, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(["value", "value", "value", "gone", "name", "wrap", "swap", "many"]))
        if kind == "value":
            holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif kind == "gone":
            del holder[key]
        elif kind == "name" and isinstance(holder, dict):
            holder[
                str(draw(st.sampled_from(["", "x", "\ud800", "\x1b[2J", "a" * 2_000, "grid", "name"])))
            ] = holder.pop(key)
        elif kind == "wrap":
            holder[key] = draw(st.sampled_from([[holder[key]], {"a": holder[key]}, {"grid": [holder[key]]}]))
        elif kind == "swap":
            other, place = draw(st.sampled_from(places))
            holder[key] = copy.deepcopy(other[place])
        elif isinstance(holder[key], list):
            holder[key] = (holder[key] * 200)[:MOST_ITEMS]
    return values


def _places(values: Any) -> Any:
    """Yield each container inside plain values with each of its keys."""
    if isinstance(values, dict | list):
        for key in list(values) if isinstance(values, dict) else range(len(values)):
            yield values, key
            yield from _places(values[key])


def written_as(name: str) -> tuple[Callable[[bytes], Any], Callable[[Any], bytes]] | None:
    """Return how the values in a file of this name are read and written; None where it has none."""
    if name.endswith(".json"):
        return json.loads, lambda values: json.dumps(values).encode()
    if name.endswith(".jsonl"):
        return _lines, lambda rows: "".join(json.dumps(row) + "\n" for row in _listed(rows)).encode()
    if name.endswith(".yaml"):
        return yaml.safe_load, lambda values: yaml.safe_dump(values).encode(errors="surrogatepass")
    return None


def _lines(content: bytes) -> Any:
    return [json.loads(line) for line in content.splitlines() if line.strip()]


def _listed(rows: Any) -> list[Any]:
    return rows if isinstance(rows, list) else [rows]
