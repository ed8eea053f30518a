"""The alias of a new version, champion or challenger; nothing here touches a store.

The test split never selects, not even here: versions are compared on validation, on the same rows, each row
predicted with thresholds that were fitted on other rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goemo.significance import PairedDifference, paired_difference
from goemo.thresholds import Targets, cross_fitted_predictions, threshold_options
from tune.models.exported import AnyConfiguration

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True, eq=False)
class Contender:
    """What is compared of a version.

    Attributes:
        configuration: Its ``thresholds`` say how its thresholds are fitted; the new version's ``metric``
            is the one that is compared.
        scores: Of its selection on validation, shape (examples, labels).
        digest: Of that validation split.
    """

    configuration: AnyConfiguration
    scores: NDArray[np.float32]
    digest: str


@dataclass(frozen=True)
class Verdict:
    """What a version becomes.

    Attributes:
        alias: ``champion`` or ``challenger``.
        reason: A sentence that says why.
        difference: From the champion on validation; None where nothing could be compared.
    """

    alias: str
    reason: str
    difference: PairedDifference | None = None


def first(name: str) -> Verdict:
    """Return the verdict where there is no champion yet."""
    return Verdict(CHAMPION, f"The first champion of {name}: there was none to compare with.")


def not_comparable(why: str) -> Verdict:
    """Return the verdict where a present champion cannot be compared with."""
    return Verdict(CHALLENGER, f"Not compared with the champion: {why}.")


def judge(new: Contender, targets: Targets, old: Contender, *, old_name: str) -> Verdict:
    """Compare a new version with the champion: it takes the alias where the interval lies above 0.

    ``targets`` are those of the new version's validation split, shape (examples, labels); ``old_name`` is
    what the champion is called in the reason.
    """
    if new.digest != old.digest:
        return not_comparable(
            f"{old_name} was measured on another validation split (digest {old.digest[:12]}, "
            f"this one {new.digest[:12]})"
        )
    metric = new.configuration.metric
    difference = paired_difference(
        targets, _predictions(new, targets), _predictions(old, targets), metric=metric
    )
    rows = f"paired bootstrap on the same {len(targets)} validation rows"
    interval = f"95 % interval {difference.low:+.4f} to {difference.high:+.4f}, {rows}"
    words = f"validation {metric} {difference.difference:+.4f} against {old_name} ({interval})"
    if difference.low > 0:
        return Verdict(CHAMPION, f"Better than the champion before it: {words}.", difference)
    reason = f"Not shown to be better than the champion: {words}."
    if np.array_equal(new.scores, old.scores):
        reason += f" It was chosen by the very scores of {old_name}, so validation cannot tell them apart."
    return Verdict(CHALLENGER, reason, difference)


def _predictions(contender: Contender, targets: Targets) -> Targets:
    options = threshold_options(contender.configuration.thresholds)
    return cross_fitted_predictions(contender.scores, targets, **options)
