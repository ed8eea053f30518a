"""Rows beside the trials on a leaderboard: the baseline, and the blend of the best models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from goemo.significance import compare_draws
from tune.ranking.resampled import resampled
from tune.records import BASELINE, BLEND, Snapshot, TrialRecord


@dataclass(frozen=True)
class Gain:
    """How much better one model is than another, on the same validation rows.

    Attributes:
        value: The difference of the objective.
        low: Lower end of its 95 % interval, paired over the rows.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The difference with its interval."""
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


@dataclass(frozen=True)
class BaselineRow:
    """The bag of words that every search is compared with.

    Attributes:
        trial_id: ``baseline``.
        objective: Its objective on validation, thresholds cross-fitted.
        val_macro_f1: Its macro-F1, likewise.
        low: Lower end of the objective's 95 % interval over examples.
        high: Upper end.
        seconds: Choosing its settings, fitting and scoring took.
        best_minus_baseline: How far the best trial is ahead; None before a trial has reported.
    """

    trial_id: str
    objective: float
    val_macro_f1: float
    low: float
    high: float
    seconds: float
    best_minus_baseline: Gain | None

    @property
    def sentence(self) -> str:
        """Whether the search was worth it, in a sentence."""
        what = f"Baseline, a bag of words: {self.objective:.4f} [{self.low:.4f}, {self.high:.4f}]"
        gain = self.best_minus_baseline
        if gain is None:
            return f"{what}."
        if gain.low > 0:
            return f"{what}; the best trial is {gain.words} better on the same rows."
        if gain.low == gain.high == 0:  # on every resample: both are right, or wrong, on the same labels
            return f"{what}; the best trial does as well and no better: a bag of words is enough here."
        how = "behind it" if gain.high < 0 else "not shown to be better"
        return (
            f"{what}; no trial beats a bag of words: the best is {how}, {gain.words} on the same rows. "
            "Try training all weights, a larger encoder, or more epochs."
        )


def baseline_row(search: Snapshot, best: TrialRecord | None, targets: Any) -> BaselineRow | None:
    """Return the baseline's row; None where there is none yet.

    Args:
        search: The search.
        best: Its best trial, if one has reported.
        targets: Of the validation split, shape (n_examples, n_labels).

    Raises:
        DamagedTrialError: The scores of one of the two cannot be read.
    """
    record = search.answers.get(BASELINE)
    if record is None or record.outcome is None or record.best is None or record.objective is None:
        return None
    drawn, *others = resampled([record, *([best] if best is not None else [])], targets)
    gain = None
    for other in others:
        ahead = compare_draws(other.estimate - drawn.estimate, other.draws, drawn.draws)
        gain = Gain(ahead.difference, ahead.low, ahead.high)
    return BaselineRow(
        trial_id=record.trial_id,
        objective=record.objective,
        val_macro_f1=record.best["val/macro_f1"],
        low=drawn.low,
        high=drawn.high,
        seconds=record.seconds,
        best_minus_baseline=gain,
    )


@dataclass(frozen=True)
class Part:
    """A member of a blend, and its weight, in tenths of 1."""

    trial_id: str
    weight: float


@dataclass(frozen=True)
class BlendRow:
    """The best models as one, offered where that gains.

    Attributes:
        trial_id: ``blend``.
        members: What is blended; the logits are averaged with these weights.
        objective: On validation rows that chose neither members nor weights nor thresholds.
        val_macro_f1: Macro-F1, likewise.
        low: Lower end of the objective's 95 % interval over examples.
        high: Upper end.
        best_single: The best of the models on its own.
        minus_best_single: How far the blend is ahead of it.
    """

    trial_id: str
    members: tuple[Part, ...]
    objective: float
    val_macro_f1: float
    low: float
    high: float
    best_single: str
    minus_best_single: Gain

    @property
    def sentence(self) -> str:
        """What the blend is and gains, in a sentence."""
        parts = " + ".join(f"{part.weight:.1f} {part.trial_id}" for part in self.members)
        score = f"{self.objective:.4f} [{self.low:.4f}, {self.high:.4f}]"
        gain = f"{self.minus_best_single.words} better than {self.best_single} alone"
        return f"Blend, {parts}: {score}, {gain} on the same rows."


def blend_row(search: Snapshot) -> BlendRow | None:
    """Return the blend's row; None where none is offered, or none was judged yet."""
    found = search.blended
    if found is None or not found.is_offered:
        return None
    return BlendRow(
        trial_id=BLEND,
        members=tuple(Part(member.trial_id, member.tenths / 10) for member in found.members),
        objective=found.objective,
        val_macro_f1=found.val_macro_f1,
        low=found.low,
        high=found.high,
        best_single=found.best_single,
        minus_best_single=Gain(found.gain, found.gain_low, found.gain_high),
    )


def better_answer(baseline: BaselineRow | None, blend: BlendRow | None) -> tuple[str, str] | None:
    """Return what is shown to be better than the best trial, and how; None where nothing is.

    Returns:
        ``blend`` or ``baseline``, as `goemo export --trial` takes it, and a sentence on it.
    """
    if blend is not None:
        return BLEND, blend.sentence
    gain = None if baseline is None else baseline.best_minus_baseline
    return (BASELINE, baseline.sentence) if baseline and gain and gain.high < 0 else None


def why_no_blend(search: Snapshot) -> str:
    """Return why a search offers no blend, in a few words."""
    found = search.blended
    if found is None:
        return "it is evaluated after the last trial"
    if len(found.members) < 2:
        return f"no other model improves {found.best_single} when blended with it"
    gain = Gain(found.gain, found.gain_low, found.gain_high)
    return f"the best blend is not shown to be better than {found.best_single} alone, {gain.words}"
