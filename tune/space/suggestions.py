"""The common interface of all ways of choosing configurations."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from tune.records import STOP_REASONS, TrialRecord
from tune.space.ids import digits_for, digits_of, number_of, trial_id
from tune.spec import SearchSpec


class Suggestions(ABC):
    """Asked for the next trial, told how trials ended.

    Trials that a record shows unfinished come first, under their own ids and with their own values;
    those that have ended never come again.

    Attributes:
        total: How many trials the search has, those of the records included.
    """

    def __init__(self, spec: SearchSpec, records: Sequence[TrialRecord]) -> None:
        self.total = spec.total
        self._spec = spec
        # Of the first trial that there is: more may have been added to the search since.
        self._digits = digits_of(records[0].trial_id) if records else digits_for(spec.total)
        self._unfinished = deque((r.trial_id, dict(r.varied)) for r in records if r.outcome is None)
        known = {number_of(r.trial_id) for r in records}
        self._numbers: Iterator[int] = (number for number in self._order() if number not in known)

    def ask(self) -> tuple[str, dict[str, Any]] | None:
        """Return the id and the varied hyperparameters of the next trial, or None when there is none."""
        if self._unfinished:
            return self._unfinished.popleft()
        number = next(self._numbers, None)
        if number is None:
            return None
        return trial_id(number, self._digits), self._draw(number)

    def tell(self, trial_id: str, objective: float | None, stop_reason: str, *, progress: int = 100) -> None:
        """Hear how a trial ended.

        Args:
            trial_id: As asked.
            objective: Of its best report; None before the first.
            stop_reason: One of `tune.records.STOP_REASONS`.
            progress: Per cent of its training at which it ended.

        Raises:
            ValueError: The stop reason is none of those, a completed trial has no finite objective, or
                the progress is not a per cent.
        """
        if stop_reason not in STOP_REASONS:
            raise ValueError(f"stop_reason must be one of {', '.join(STOP_REASONS)}, got {stop_reason!r}")
        if stop_reason == "completed" and (objective is None or not math.isfinite(objective)):
            raise ValueError(f"{trial_id}: a completed trial has a finite objective, got {objective}")
        if not 0 <= progress <= 100:
            raise ValueError(f"{trial_id}: progress is a per cent, got {progress}")

    def _order(self) -> Iterator[int]:
        """Yield the numbers of all trials, from 1, in the order in which they are asked for."""
        yield from range(1, self.total + 1)

    def _enqueued(self, number: int) -> dict[str, Any]:
        """Return what the space says of trial ``number``, where trials are asked for by their numbers."""
        first = self._spec.enqueued
        return first[number - 1] if number <= len(first) else {}

    @abstractmethod
    def _draw(self, number: int) -> dict[str, Any]:
        """Return the varied hyperparameters of one new trial."""
