"""Savings of early stopping, estimated from each trial's own pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def seconds_saved(trial: Mapping[str, Any]) -> float | None:
    """Return what was left of a trial when it was stopped early; None where that is not known.

    The estimate carries the trial's pace on to its end: a trial that took 30 seconds for 20 % of its training
    had 120 to go.

    Args:
        trial: In the shape of ``goemo leaderboard --format json``: ``stop_reason``, ``progress`` in per cent,
            ``seconds`` of training and evaluation so far, ``message`` where a budget and no rival stopped it.
    """
    progress, seconds = trial.get("progress") or 0, trial.get("seconds") or 0.0
    if not _is_cut(trial) or not 0 < progress < 100 or not seconds:
        return None
    return float(seconds * (100 - progress) / progress)


def _is_cut(trial: Mapping[str, Any]) -> bool:
    """Whether early stopping has ended a trial."""
    return trial.get("stop_reason") == "stopped_early" and not trial.get("message")


def savings_sentence(trials: Sequence[Mapping[str, Any]]) -> str:
    """Return what all early stops of a search saved together; empty where nothing is known.

    Args:
        trials: As in `seconds_saved`, all trials of the search; with ``steps`` and ``total_steps`` where they
            are known.
    """
    saved = [seconds for seconds in map(seconds_saved, trials) if seconds is not None]
    if not saved:
        return ""
    spent = sum(float(trial.get("seconds") or 0.0) for trial in trials)
    total = sum(saved) + spent
    stops = "one trial" if len(saved) == 1 else f"{len(saved)} trials"
    return (
        f"Early stopping ended {stops} early and saved about {duration(sum(saved))} of {duration(total)} of "
        f"trial time ({100 * sum(saved) / total:.0f} %), if each had gone on at its own pace.{_steps(trials)}"
    )


def _steps(trials: Sequence[Mapping[str, Any]]) -> str:
    """Return the share of the optimizer steps that was saved, as a sentence; empty where it is not known."""
    known = [trial for trial in trials if trial.get("total_steps") and trial.get("steps") is not None]
    saved = sum(trial["total_steps"] - trial["steps"] for trial in known if _is_cut(trial))
    if not saved:
        return ""
    total = saved + sum(trial["steps"] for trial in known)
    return f" Of the training steps, {100 * saved / total:.0f} % were not needed: {saved:,} of {total:,}."


def duration(seconds: float) -> str:
    """Return a length of time in the unit that people would use."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
