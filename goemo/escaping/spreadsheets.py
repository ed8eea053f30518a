"""Escaping for CSV: names that a spreadsheet would take for a formula and run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_RUN = ("=", "+", "-", "@", "\t", "\r")  # first characters of formulas; OWASP, "CSV Injection"


def guarded(value: Any) -> Any:
    """Return a value for a cell: words that a spreadsheet would run get a ``'`` before them.

    Numbers stay numbers, negative ones too, for only words are looked at.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_RUN) else value


def guarded_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a table with its names and values guarded; not for texts, which programs read."""
    return {guarded(name): guarded(value) for name, value in row.items()}


def guarded_frame(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the words in its cells and the names of its columns guarded."""
    return table.map(guarded).rename(columns=guarded)
