"""The methods that fit on all rows at once, by name; `goemo.configuration.thresholds` has their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.configuration.plugins import THRESHOLD_METHOD, plugins
from goemo.errors import GoemoError
from goemo.thresholds.methods.exact import exact
from goemo.thresholds.methods.example_f1 import example_f1
from goemo.thresholds.methods.fbr import fbr
from goemo.thresholds.methods.fixed import fixed
from goemo.thresholds.methods.global_threshold import global_threshold
from goemo.thresholds.methods.grid import grid
from goemo.thresholds.methods.micro_f1 import micro_f1
from goemo.thresholds.methods.micro_macro import micro_macro
from goemo.thresholds.methods.plug_in import plug_in
from goemo.thresholds.methods.proportional import proportional
from goemo.thresholds.methods.shrunk import shrunk
from goemo.thresholds.methods.smoothed import smoothed

# Scores and targets, both (n, l) and checked, n at least 1, and all options; the thresholds, (l,).
Fit = Callable[[Scores, Targets, Mapping[str, Any]], Values]

FITS: dict[str, Fit] = {
    "exact": exact,
    "grid": grid,
    "global": global_threshold,
    "fixed": fixed,
    "proportional": proportional,
    "shrunk": shrunk,
    "smoothed": smoothed,
    "fbr": fbr,
    "plug_in": plug_in,
    "micro_macro": micro_macro,
    "micro_f1": micro_f1,
    "example_f1": example_f1,
}


def fit_of(method: str) -> Fit:
    """Return what fits by a method: one of `FITS`, or another package's, whose result is checked.

    Raises:
        KeyError: There is no such method.
    """
    if method in FITS:
        return FITS[method]
    added = plugins(THRESHOLD_METHOD)[method]

    def fit(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
        values = np.asarray(
            added.function(scores, targets, **{name: options[name] for name in added.options}),
            dtype=np.float64,
        )
        if (
            values.shape != scores.shape[1:]
            or not (((values >= 0) & (values <= 1)) | np.isposinf(values)).all()
        ):
            rule = f"must return {scores.shape[1]} thresholds from 0 to 1, or inf for never"
            raise GoemoError(f"the threshold method {method} of {added.version} {rule}")
        return values

    return fit


# These decide whether it pays to predict a label at all, so one without a positive stays without predictions.
REFUSING = frozenset({"smoothed", "micro_macro", "micro_f1", "example_f1"})
