"""Where trials are compared, and cut, on their way."""

from __future__ import annotations

from itertools import count, takewhile


def rungs(grace: float, reduction_factor: float) -> tuple[float, ...]:
    """Return the rungs ``grace * reduction_factor ** k`` below 100, in per cent of a training, ascending.

    At 100 a trial has ended, and nothing is left to save.
    """
    return tuple(takewhile(lambda rung: rung < 100, (grace * reduction_factor**k for k in count())))
