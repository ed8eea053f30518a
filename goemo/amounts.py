"""Amounts of memory and disk, in words."""

from __future__ import annotations


def amount(size: float) -> str:
    """Return bytes in the unit that people would use."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
