"""The interval of the best trial so far, for the live view, computed in the background and rarely."""

from __future__ import annotations

import logging
import threading
import time
from typing import Self

from goemo.significance import compare_draws
from tune.live.progress import Best, SearchState
from tune.ranking.resampled import resampled
from tune.records import BASELINE, SearchFolder

LOOK_EVERY_S = 1.0
SHARE = 0.05  # of a core, at most: the trials need it more

_log = logging.getLogger(__name__)


class IntervalOfBest:
    """Keeps ``state.interval`` and ``state.ahead`` up to date from a thread; use as a context manager.

    They are those of the leaderboard: of the best report, thresholds cross-fitted, examples resampled.

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

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        pause = LOOK_EVERY_S
        tried: tuple[Best, float | None] | None = None
        while not self._stopped.wait(pause):
            pause = LOOK_EVERY_S
            best, baseline = self._state.best, self._state.baseline
            if best is None or (best, baseline) == tried:
                continue
            tried = best, baseline
            started = time.thread_time()
            try:
                self._look(best, has_baseline=baseline is not None)
            except Exception as error:  # noqa: BLE001 - a search is not worth less without it
                _log.warning("%s: no interval: %s", best.trial_id, error)
            pause = max(pause, (time.thread_time() - started) / SHARE)

    def _look(self, best: Best, *, has_baseline: bool) -> None:
        """Compute both; neither where the record of the best has gone on meanwhile."""
        record = self._search.trial(best.trial_id).read()
        if record.objective != best.objective:
            self._state.interval = self._state.ahead = None
            return
        targets, _ = self._search.validation()
        (found,) = resampled([record], targets)
        self._state.interval = best, found.low, found.high
        if has_baseline:
            (baseline,) = resampled([self._search.trial(BASELINE).read()], targets)
            ahead = compare_draws(found.estimate - baseline.estimate, found.draws, baseline.draws)
            self._state.ahead = best, ahead.difference, ahead.low, ahead.high
