"""The content of a source: tables, and the split that each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goemo.data.tables import Table


@dataclass(frozen=True)
class SourceContent:
    """What a source holds.

    Attributes:
        tables: Each with its split; None where the source has no splits.
        names: Names of the labels in the order of their indices, where the source itself has them.
        named_by: What gave the names, for messages.
        problems: What is wrong with the source as a whole.
        notes: How it was found, where that is not evident.
        splitting: Who made the splits, where that is not ``official``.
    """

    tables: Sequence[tuple[str | None, Table]]
    names: tuple[str, ...] | None = None
    named_by: str = ""
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    splitting: str = "official"
