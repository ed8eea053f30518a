"""What early stopping saved, estimated from each trial's own pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def seconds_saved(trial: Mapping[str, Any]) -> float | None:
    """Return what was left of a trial when it was stopped early; None where that is not known.

    The estimate carries the trial's pace on to its end: a trial that took 30 seconds for 20 % of its training
    had 120 to go.

    Args:
        trial: In the shape of ``goemo leaderboard --format json``: ``stop_reason``, ``progress`` in per cent,
            ``seconds`` of training and evaluation so far.
    """
    progress, seconds = trial.get("progress") or 0, trial.get("seconds") or 0.0
    if trial.get("stop_reason") != "stopped_early" or not 0 < progress < 100 or not seconds:
        return None
    return float(seconds * (100 - progress) / progress)


def savings_sentence(trials: Sequence[Mapping[str, Any]]) -> str:
    """Return what all early stops of a search saved together; empty where nothing is known.

    Args:
        trials: As in `seconds_saved`, all trials of the search.
    """
    saved = [seconds for seconds in map(seconds_saved, trials) if seconds is not None]
    if not saved:
        return ""
    spent = sum(float(trial.get("seconds") or 0.0) for trial in trials)
    total = sum(saved) + spent
    stops = "one trial" if len(saved) == 1 else f"{len(saved)} trials"
    return (
        f"Early stopping cut {stops} short and saved about {duration(sum(saved))} of {duration(total)} of "
        f"trial time ({100 * sum(saved) / total:.0f} %), if each had gone on at its own pace."
    )


def duration(seconds: float) -> str:
    """Return a length of time in the unit that people would use."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
