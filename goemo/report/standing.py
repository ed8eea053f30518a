"""Sentences on how the best trial of a search compares with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_HOW = {"stopped_early": "stopped"}  # the others, such as running, are words of their own


def standing(best: Mapping[str, Any], ranked: Sequence[Mapping[str, Any]]) -> str:
    """Return how the best trial stands against trials that ran to their end, and against those that did not.

    What a trial that was stopped early would have ended with is not known, so it is compared as far as it got
    and counted by itself.

    Args:
        best: The best trial, in the shape of ``goemo leaderboard --format json``.
        ranked: All ranked trials likewise, the best among them; ``tied_with_best`` is the result of a paired
            comparison with the best on the same rows.
    """
    others = [trial for trial in ranked if trial["trial_id"] != best["trial_id"]]
    if not others:
        return "It is the only trial that can be ranked, so there is nothing to compare it with."
    whole = [trial for trial in others if trial.get("stop_reason") == "completed"]
    partial = [trial for trial in others if trial.get("stop_reason") != "completed"]
    sentences = [_against_whole(whole), _against_partial(partial)]
    if best.get("stop_reason") != "completed":
        sentences.insert(0, f"It has not run to its end itself: {_reached([best])}.")
    return " ".join(filter(None, sentences))


def _against_whole(trials: Sequence[Mapping[str, Any]]) -> str:
    tied, count = sum(bool(trial.get("tied_with_best")) for trial in trials), len(trials)
    others = "the other completed trial" if count == 1 else f"the other {count} completed trials"
    if not count:
        return "No other trial ran to its end."
    if not tied:
        verb = "is" if count == 1 else "are"
        return f"{others.capitalize()} {verb} behind it by more than chance (95 %)."
    if tied == count:
        verb = "is" if count == 1 else "are all"
        return (
            f"{others.capitalize()} {verb} statistically tied with it: on this much data, the settings of "
            "the completed trials make no difference that shows."
        )
    verb = "is" if tied == 1 else "are"
    return (
        f"Of {others}, {tied} {verb} statistically tied with it; among these, choose what trains or predicts "
        "fastest."
    )


def _against_partial(trials: Sequence[Mapping[str, Any]]) -> str:
    if not trials:
        return ""
    tied, count = sum(bool(trial.get("tied_with_best")) for trial in trials), len(trials)
    who, known = ("One trial has", "it") if count == 1 else (f"{count} trials have", "they")
    end = f"how {known} would have ended is not known"
    if tied:
        end = f"{tied} of them {'is' if tied == 1 else 'are'} statistically tied with it already; {end}"
    return f"{who} not run to {'its' if count == 1 else 'their'} end ({_reached(trials)}): {end}."


def _reached(trials: Sequence[Mapping[str, Any]]) -> str:
    """Return how far trials got: "20 stopped at 10 %, 1 running at 40 %"."""
    ways = Counter(
        (_HOW.get(trial["stop_reason"], trial["stop_reason"]), int(trial.get("progress") or 0))
        for trial in sorted(trials, key=lambda trial: trial.get("progress") or 0)
    )
    words = [f"{how} at {progress} %" for how, progress in ways]
    if len(trials) == 1:
        return words[0]
    return ", ".join(f"{count} {text}" for count, text in zip(ways.values(), words, strict=True))
