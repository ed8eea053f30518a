"""Escaping for Markdown: CommonMark, GitHub's tables, MLflow's Showdown."""

from __future__ import annotations

import re

from goemo.escaping.terminals import printable

# As entities what HTML, formulas and addresses begin with; backslashes do not help there in every renderer.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "@": "&#64;"}
_MARKS = re.compile(r"[&<>$@\\`*_\[\]#|~]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_STARTS = re.compile(r"^(?:[-+=]|(\d+)(?=[.)]))")  # of lists and headings


def prose(text: object) -> str:
    """Return a text for a sentence or a cell of a table: one line, nothing in it is Markdown or HTML.

    White space becomes single spaces, which Markdown would show of it anyway.
    """
    line = " ".join(printable(str(text)).split())
    escaped = _MARKS.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)
    return _STARTS.sub(lambda found: f"{found[1]}\\" if found[1] else f"\\{found[0]}", escaped)


def code(text: object) -> str:
    """Return a text as code within a sentence, one line; not for a cell of a table, whose bars it keeps.

    The fence is longer than any run of backticks in the text (CommonMark 0.31, section 6.1).
    """
    line = " ".join(printable(str(text)).split())
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or not line else ""
    return f"{fence}{space}{line}{space}{fence}"
