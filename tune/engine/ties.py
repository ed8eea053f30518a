"""Checks whether a trial is statistically tied with the best of its rung, at equal progress."""

from __future__ import annotations

import logging

from goemo.errors import GoemoError
from goemo.significance import paired_difference
from tune.records import SearchFolder

log = logging.getLogger(__name__)


class Ties:
    """Compares what trials predicted at a rung, paired on the same validation rows.

    What the trials have kept there decides, so that a resumed search decides as an undisturbed one. Where one
    of two has kept nothing, they count as not tied.

    Args:
        search: The records.
    """

    def __init__(self, search: SearchFolder) -> None:
        self._path = search.path  # Ray copies schedulers, and a `SearchFolder` has a lock

    def __call__(self, trial_id: str, best_id: str, rung: float) -> bool:
        """Return whether the 95 % interval of the difference between two trials holds zero.

        Args:
            trial_id: The trial that would be stopped.
            best_id: The best of those that have come to the rung.
            rung: Per cent of a training; trials are compared at the first report from there on.
        """
        search = SearchFolder(self._path)
        targets, _ = search.validation()
        metric = search.spec["objective"]["metric"]
        try:
            mine, best = (search.trial(one).predictions(rung, targets.shape) for one in (trial_id, best_id))
        except GoemoError as error:
            log.warning("%s and %s are not compared at %g %%: %s", trial_id, best_id, rung, error)
            return False
        if mine is None or best is None:
            return False
        if paired_difference(targets, best, mine, metric=metric).can_tell_apart:
            return False
        log.info("%s goes on at %g %%: it is statistically tied with %s", trial_id, rung, best_id)
        return True
