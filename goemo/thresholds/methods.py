"""The methods that fit on all rows at once, by name; their options are in :mod:`goemo.threshold_options`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.exact import exact
from goemo.thresholds.example_f1 import example_f1
from goemo.thresholds.fbr import fbr
from goemo.thresholds.fixed import fixed
from goemo.thresholds.grid import grid
from goemo.thresholds.micro_f1 import micro_f1
from goemo.thresholds.micro_macro import micro_macro
from goemo.thresholds.one_cut import one_cut
from goemo.thresholds.plug_in import plug_in
from goemo.thresholds.proportional import proportional
from goemo.thresholds.shrunk import shrunk
from goemo.thresholds.smoothed import smoothed

# Scores and targets, both (n, l) and checked, n at least 1, and all options; the thresholds, (l,).
Fit = Callable[[Scores, Targets, Mapping[str, Any]], Values]

FITS: dict[str, Fit] = {
    "exact": exact,
    "grid": grid,
    "global": one_cut,
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
