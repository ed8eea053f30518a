"""The objective of a trial in each resample of the validation rows, computed once per process.

While a search runs, its trials are ranked again and again, and almost all of them have not changed. What is
kept of a trial is what ranking needs, some kB of it, and not its counts of every label in every resample.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from goemo.significance import Draws, bootstrap
from tune.ranking.crossfit import KEPT, cross_fitted
from tune.records import TrialRecord

AT_ONCE = 32  # trials: more of them would only take memory


@dataclass(frozen=True, eq=False)
class Resampled:
    """The objective of one trial, cross-fitted.

    Attributes:
        estimate: Of all validation rows.
        draws: In each resample, the same ones for all trials of the same validation rows, shape (n_draws,).
        low: Lower end of the 95 % interval of the estimate.
        high: Upper end.
    """

    estimate: float
    draws: Draws
    low: float
    high: float


_kept: dict[Hashable, Resampled] = {}  # the oldest first


def resampled(records: Sequence[TrialRecord], targets: npt.NDArray[np.bool_]) -> list[Resampled]:
    """Return the objective of each trial's best report in each resample.

    Args:
        records: Trials that were measured on the same rows by the same metric, each with a report.
        targets: Of those rows, shape (n_examples, n_labels).

    Raises:
        GoemoError: One of them has left no scores.
    """
    told = hashlib.blake2b(np.ascontiguousarray(targets).data, digest_size=16).digest()
    keys = [(_version(record), targets.shape, told) for record in records]
    found = [_kept.get(key) for key in keys]
    missing = [place for place, known in enumerate(found) if known is None]
    for start in range(0, len(missing), AT_ONCE):
        places = missing[start : start + AT_ONCE]
        predictions = [cross_fitted(records[place], targets) for place in places]
        for place, drawn in zip(places, bootstrap(targets, *predictions), strict=True):
            metric = records[place].config["metric"]
            ends = drawn.interval(metric)
            new = Resampled(drawn.estimate(metric), drawn.draws(metric), ends.low, ends.high)
            found[place] = _kept[keys[place]] = new
    while len(_kept) > KEPT:
        _kept.pop(next(iter(_kept)), None)
    return [known for known in found if known is not None]


def _version(record: TrialRecord) -> Hashable:
    """Return what tells the scores of a trial from any that stood there before: they are written anew."""
    path = record.folder / "scores.npz"
    settings = json.dumps([record.config["metric"], record.config["thresholds"]], sort_keys=True)
    try:
        file = path.stat()
    except FileNotFoundError:
        return str(path), settings
    return str(path), settings, file.st_ino, file.st_mtime_ns, file.st_size
