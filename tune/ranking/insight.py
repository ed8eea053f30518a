"""Importance of hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goemo.configuration.outcomes import RANKED
from tune.records import TrialRecord
from tune.space import quiet_optuna
from tune.spec import Domain, SearchSpec

FEWEST_TRIALS = 8  # below this, a forest of regression trees has next to nothing to learn from


@dataclass(frozen=True)
class Importance:
    """How much of the differences between trials each hyperparameter explains by itself.

    Attributes:
        shares: Hyperparameter to its share, the largest first, adding up to 1; None where it cannot be said.
        reason: Why it cannot be said, as a sentence; empty where it can.
        trials: Trials that were compared.
        progress: Per cent of its own training at which each of them was measured.
    """

    shares: Mapping[str, float] | None
    reason: str
    trials: int
    progress: int

    @property
    def basis(self) -> str:
        """What the shares rest on, as a sentence; the reason where there are none."""
        if self.shares is None:
            return self.reason
        compared = f"{self.trials} trials, each at {self.progress} % of its training"
        early = "" if self.progress == 100 else ", which is as far as all of them got"
        return (
            f"Shares of the variance that each hyperparameter explains by itself (fANOVA): {compared}{early}."
        )


def hyperparameter_importance(spec: SearchSpec, records: Sequence[TrialRecord]) -> Importance:
    """Ask Optuna how much each hyperparameter mattered for the objective.

    The method is fANOVA (Hutter, Hoos and Leyton-Brown, ICML 2014): a forest of regression trees learns
    the objective from the hyperparameters, and the variance of its predictions over the whole space is
    taken apart. Optuna's default, PED-ANOVA, looks at the best tenth of the trials, which are two or three
    in the searches that are made here.

    All trials are compared at the same progress: the furthest that every ended, ranked trial reached, with
    the best report up to there. What ASHA stopped has no later score, and leaving those trials out would
    keep only settings that do well, among which little differs. In a search with early stopping, this is
    therefore importance for the start of the training. Trials that failed, or still run, are left out, and so
    are those that a budget stopped: no other trial has reported where they did.

    A hyperparameter that some of the trials were not asked for, or that has cases, is left out: its share
    would be that of its condition as well. A logarithmic range is taken by its logarithm. Listed values are
    categories. Effects of two hyperparameters together are not part of the shares.

    Args:
        spec: The search, for the domains.
        records: Its trials, in any order: the result is the same.

    Returns:
        The shares, or the reason why there are none: fewer than two hyperparameters differ, fewer than
        `FEWEST_TRIALS` trials have ended, or all scored the same.
    """
    ended = [record for record in records if _is_comparable(record)]
    ended.sort(key=lambda record: record.trial_id)
    progress = min((record.progress for record in ended), default=0)
    values = [_best_up_to(record, progress) for record in ended]
    differing = {
        name: domain
        for name, domain in spec.varying.items()
        if domain.kind != "cases"
        and all(name in record.varied for record in ended)
        and len({r.varied[name] for r in ended}) > 1
    }
    reason = _obstacle(spec, values, differing)
    shares = None if reason else _fanova(differing, [record.varied for record in ended], values)
    if shares is None and not reason:
        reason = "The scores differ too little for their variance to be decomposed."
    return Importance(shares, reason, len(ended), progress)


def _is_comparable(record: TrialRecord) -> bool:
    """Whether a trial has ended, with a score, at a progress at which others have reported too."""
    if not record.history or record.outcome is None or record.outcome.stop_reason not in RANKED:
        return False
    return record.outcome.stop_reason == "completed" or not record.outcome.message


def _obstacle(spec: SearchSpec, values: Sequence[float], differing: Mapping[str, Domain]) -> str:
    """Return why there can be no importance, as a sentence; empty where there can."""
    if not spec.varying:
        return "No hyperparameter varies in this search."
    if len(spec.varying) == 1:
        return f"Only {next(iter(spec.varying))} varies in this search: there is nothing to compare it with."
    if len(values) < FEWEST_TRIALS:
        return f"This needs {FEWEST_TRIALS} trials that have ended with a score; there are {len(values)}."
    if len(differing) < 2:
        return "Fewer than two hyperparameters differ between the trials that have ended."
    return "All trials have the same score." if min(values) == max(values) else ""


def _best_up_to(record: TrialRecord, progress: int) -> float:
    """Return a trial's best objective so far; its first report counts, late as it may be of few steps."""
    reached = max(progress, record.history[0]["progress"])
    return max(row[record.objective_name] for row in record.history if row["progress"] <= reached)


def _fanova(
    domains: Mapping[str, Domain], configurations: Sequence[Mapping[str, Any]], values: Sequence[float]
) -> dict[str, float] | None:
    """Return the share of each hyperparameter, the largest first; None where no variance can be computed."""
    import optuna

    distributions = {name: _distribution(domain) for name, domain in domains.items()}
    with quiet_optuna():
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
        for configuration, value in zip(configurations, values, strict=True):
            params = {name: _on_scale(domain, configuration[name]) for name, domain in domains.items()}
            study.add_trial(
                optuna.trial.create_trial(params=params, distributions=distributions, value=value)
            )
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        try:
            shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
        except RuntimeError:  # "zero total variance": the squares of the differences are 0 in floating point
            return None
    return {name: float(share) for name, share in shares.items()}


def _distribution(domain: Domain) -> Any:
    """Return a domain as fANOVA is to see it: every value with the same weight."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if domain.is_listed:
        return CategoricalDistribution(domain.values)
    low, high = (_on_scale(domain, value) for value in domain.values)
    # Half a step more at both ends: else the first and last whole number would weigh half of the others.
    return FloatDistribution(low - 0.5, high + 0.5) if domain.kind == "int" else FloatDistribution(low, high)


def _on_scale(domain: Domain, value: float) -> float:
    return math.log(value) if domain.kind == "log_uniform" else value
