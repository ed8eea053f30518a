"""Cross-fitted predictions of a trial on validation rows, computed once per process.

While a search runs, its trials are ranked again and again, and almost all of them have not changed.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from goemo.thresholds import cross_fitted_predictions, threshold_options
from tune.records import TrialRecord

KEPT = 2048  # trials; one of 5,000 examples and 28 labels takes 20 kB

_packed: dict[bytes, npt.NDArray[np.uint8]] = {}  # the oldest first


def cross_fitted(record: TrialRecord, targets: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return `goemo.thresholds.cross_fitted_predictions` of a trial's best report, shape of ``targets``.

    Kept by a digest of all that they follow from, so that what is returned is never stale.

    Raises:
        GoemoError: It has left no scores.
    """
    scores = record.scores(targets.shape)
    settings = record.config["thresholds"]
    told = json.dumps([settings, str(scores.dtype), scores.shape, targets.shape], sort_keys=True)
    digest = hashlib.blake2b(told.encode(), digest_size=16)
    digest.update(np.ascontiguousarray(scores).data)
    digest.update(np.ascontiguousarray(targets).data)
    key = digest.digest()
    kept: Any = _packed.get(key)
    if kept is None:
        kept = np.packbits(cross_fitted_predictions(scores, targets, **threshold_options(settings)))
        _packed[key] = kept
        while len(_packed) > KEPT:
            _packed.pop(next(iter(_packed)), None)
    return np.unpackbits(kept, count=targets.size).reshape(targets.shape).view(np.bool_)
