"""Inspection of data before training: labels, lengths, duplicates, scripts."""

from __future__ import annotations

from goemo.looking.lines import looked_lines
from goemo.looking.looked import look

__all__ = ["look", "looked_lines"]
