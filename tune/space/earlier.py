"""A trial of an earlier search, with what TPE needs to know about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class EarlierTrial:
    """What one trial of another search found, in the terms of this search space.

    Attributes:
        search: The other search.
        trial_id: The trial of it.
        varied: The hyperparameters that this space varies, with the trial's values.
        objective: Of its best report.
        stop_reason: ``completed``, or ``stopped_early`` at ``progress`` per cent of its training.
        progress: How far it came, in per cent.
    """

    search: str
    trial_id: str
    varied: Mapping[str, Any]
    objective: float
    stop_reason: Literal["completed", "stopped_early"]
    progress: int
