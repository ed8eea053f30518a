"""Scripts that texts are written in."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

NONE = "no letters"


@cache
def script_of(character: str) -> str | None:
    """Return the script of a letter, the first word of its Unicode name; None for what is no letter."""
    if not unicodedata.category(character).startswith("L"):
        return None
    return unicodedata.name(character, "UNNAMED").split()[0].capitalize().replace("Cjk", "CJK")


def main_script(text: str) -> str:
    """Return the script of most letters of a text; of as many, the one that stands first."""
    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else NONE
    letters = Counter(script for script in map(script_of, text) if script)
    return letters.most_common(1)[0][0] if letters else NONE


def scripts(texts: Iterable[str]) -> dict[str, int]:
    """Return the number of texts by main script, the most frequent first."""
    return dict(Counter(map(main_script, texts)).most_common())
