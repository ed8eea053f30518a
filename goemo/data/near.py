"""Near duplicates: texts that are the same except for case, punctuation, symbols and white space."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class _Spaces(dict[int, str]):
    """A table for `str.translate`: a space for punctuation and symbols; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = " " if unicodedata.category(character)[0] in "PS" else character
        self[code] = kept
        return kept


_SPACES = _Spaces()
# The same for ASCII alone, many times as fast, with all signs at which `str.split` splits.
_ASCII_SPACES = bytes(
    ord(" ") if code < 128 and (chr(code).isspace() or _SPACES[code] == " ") else code for code in range(256)
)


def plain_text(text: str) -> str:
    """Return the words of a text in small letters, one space between them.

    Emojis are symbols and go too; a text of nothing but punctuation and symbols keeps them.
    """
    if text.isascii():
        words = text.encode().lower().translate(_ASCII_SPACES).split()
        if words:
            return b" ".join(words).decode()
    folded = text.casefold()
    return " ".join(folded.translate(_SPACES).split()) or " ".join(folded.split())


def near_groups(texts: Iterable[str]) -> NDArray[np.int64]:
    """Return a number for each text, the same for near duplicates, in the order of the first of each."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(plain_text(text), len(numbers)) for text in texts]
    return np.array(found, dtype=np.int64)
