"""Durations, parsed from and formatted for people."""

from __future__ import annotations

import re

_PARTS = re.compile(
    r"(?:(?P<d>\d+(?:\.\d+)?)d)?(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?"
)


def duration(seconds: float) -> str:
    """Return seconds as people say them: ``45 s``, ``12 min``, ``3 h 20 min``, ``12 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 3 * 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes / (24 * 60):.0f} days"


def read_duration(text: str) -> float:
    """Return the seconds that a text such as ``90s``, ``30m``, ``2h``, ``1h30m`` or ``30d`` stands for.

    Raises:
        ValueError: It stands for none, or for no time at all.
    """
    found = _PARTS.fullmatch(text.strip().lower().replace(" ", ""))
    units = {"d": 24 * 3600.0, "h": 3600.0, "m": 60.0, "s": 1.0}
    given = {unit: value for unit, value in (found.groupdict() if found else {}).items() if value}
    seconds = sum(float(value) * units[unit] for unit, value in given.items())
    if seconds <= 0:
        raise ValueError(f"must be a duration such as 90s, 30m, 2h, 1h30m or 30d, got {text!r}")
    return seconds
