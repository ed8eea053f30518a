"""Which trials go on: ASHA on progress, or all of them."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from tune.records import TrialRecord
from tune.spec import SearchSpec

PROGRESS = "progress"
OBJECTIVE = "objective"


def build_scheduler(spec: SearchSpec, records: Iterable[TrialRecord] = ()) -> TrialScheduler:
    """Return the scheduler that the search asks for, knowing what the ended trials have reported.

    ASHA (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning") compares trials at
    the same per cent of their own training, because epochs may be a searched value. Its rungs are
    filled again from the records, so that a resumed search cuts as an undisturbed one would.
    """
    if spec.scheduler.algorithm == "none":
        return FIFOScheduler()
    scheduler = ASHAScheduler(
        time_attr=PROGRESS,
        metric=OBJECTIVE,
        mode="max",
        max_t=100,
        grace_period=spec.scheduler.grace,
        reduction_factor=spec.scheduler.reduction_factor,
    )
    for time, trial_id, progress, objective in sorted(_reports(records)):
        del time
        trial = SimpleNamespace(trial_id=trial_id)
        if trial_id not in scheduler._trial_info:  # noqa: SLF001 - no public way to ask
            scheduler.on_trial_add(None, trial)
        scheduler.on_trial_result(None, trial, {PROGRESS: progress, OBJECTIVE: objective})
    return scheduler


def _reports(records: Iterable[TrialRecord]) -> Iterable[tuple[float, str, float, float]]:
    """Yield (time, trial, progress, objective) of all reports of trials that have ended, however."""
    for record in records:
        if record.outcome is not None:
            for row in record.history:
                yield row["time"], record.trial_id, row["progress"], row[record.objective_name]
