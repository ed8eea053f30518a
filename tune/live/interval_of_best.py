"""The interval of the best trial so far, for the live view, computed beside the search and rarely."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from tune.live.progress import Best, SearchState
from tune.ranking.resampled import resampled
from tune.records import SearchFolder

LOOK_EVERY_S = 1.0
SHARE = 0.05  # of a core, at most: the trials need it more

_log = logging.getLogger(__name__)


class IntervalOfBest:
    """Keeps ``state.interval`` up to date from a thread of its own; use as a context manager.

    It is the interval of the leaderboard: of the best report, thresholds cross-fitted, examples resampled.

    Args:
        search: The records.
        state: Says which trial is the best.
    """

    def __init__(self, search: SearchFolder, state: SearchState) -> None:
        self._search = search
        self._state = state
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="interval-of-best", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        pause = LOOK_EVERY_S
        tried: Best | None = None
        while not self._stopped.wait(pause):
            pause = LOOK_EVERY_S
            best = self._state.best
            if best is None or best == tried:
                continue
            tried = best
            started = time.thread_time()
            try:
                self._state.interval = self._interval(best)
            except Exception as error:  # noqa: BLE001 - a search is not worth less without it
                _log.warning("%s: no interval: %s", best.trial_id, error)
            pause = max(pause, (time.thread_time() - started) / SHARE)

    def _interval(self, best: Best) -> tuple[Best, float, float] | None:
        """Return the interval of the best; None where its record has gone on meanwhile."""
        record = self._search.trial(best.trial_id).read()
        if record.objective != best.objective:
            return None
        targets, _ = self._search.validation()
        (found,) = resampled([record], targets)
        return best, found.low, found.high
