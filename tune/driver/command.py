"""One command's work on a search: what it was given, and what shows, logs and stops it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tune.live.log import SearchLog
    from tune.live.progress import View
    from tune.spec import SearchSpec
    from tune.stopping.budget import Budget
    from tune.stopping.interrupts import Interrupts


@dataclass(frozen=True, kw_only=True)
class Command:
    """A `goemo search`, `resume` or `extend`.

    Attributes:
        spec: The search.
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.
        tracking_uri: Of the store; None for the one under ``mlruns``, ``none`` to log nothing.
        budget: What it may spend at most.
        started: When it began, by `time.monotonic`.
        view: Shows what is going on.
        log: Takes it down.
        signals: Says when it is to stop.
    """

    spec: SearchSpec
    address: str | None
    tracking_uri: str | None
    budget: Budget
    started: float
    view: View
    log: SearchLog
    signals: Interrupts
