"""Per-label thresholds, from arrays alone: fit them, apply them, evaluate them on other rows.

A label is predicted where ``score >= threshold``. :func:`fit_thresholds` chooses the thresholds by one of
these methods, each in a file of its own with its source; options and their ranges are in
:mod:`goemo.configuration.thresholds`.

============== ================================================================ ==============================
method         what it chooses                                                  options (default)
============== ================================================================ ==============================
`exact`        each label's best threshold of all there are                       target
`grid`         the best of ``step``, ``2 * step`` .., as the published study    step (0.05), target
`global`       the best single threshold for all labels                           target
`fixed`        a given threshold                                                  value (0.5)
`proportional` of thresholds about as good as `exact`'s, what all labels agree on tolerance (0.5)
`shrunk`       `exact`, drawn to `global` where positives are few               strength (10), target
`smoothed`     the best threshold by a smoothed F, or none                        a (1), b (1), target
`fbr`          `exact`, but the highest score where F stays low                 fbr (0.1), target
`plug_in`      the best threshold that calibrated probabilities expect            calibration (platt), target
`micro_macro`  label by label, the best sum of macro-F1 and micro-F1            none
`micro_f1`     the best micro-F1, all labels together                           none
`example_f1`   a high mean F1 of the examples, all labels together              none
`cross_fit`    the average of another method over folds                         of (exact), folds (5),
                                                                                seed (0), those of the method
============== ================================================================ ==============================

``target`` is what is maximised: ``f1``; ``f_beta`` with the option ``beta``; ``mcc``;
``precision_at_recall``, the best precision where recall is at least the option ``recall``;
``recall_at_precision``, the best recall where precision is at least the option ``precision``. `global` and
`shrunk` take the first three, `smoothed` and `fbr` the first two. All methods take ``fallback``: ``none``, or
``top1``, which gives an example that is left without a label that of its highest score; thresholds are fitted
as if it were not there.

The threshold lies half-way, in logits, between the lowest score that it predicts and the highest that it
refuses (:mod:`goemo.thresholds.between`); `fixed` and `grid` have thresholds of their own.

Of equally good thresholds the higher wins; with `grid` the lower, as in the published loop, and with
``precision_at_recall`` the lower, which has more recall.

What else can happen, and the answer:

* **No positive.** The threshold is borrowed from the other labels (:mod:`goemo.thresholds.borrowing`), and
  ``FittedThresholds.borrowed`` names the label. `global`, `fixed` and `shrunk` give it the threshold for all,
  `fbr` its highest score, as published. It is never predicted (``inf``) by `smoothed`, `micro_macro`,
  `micro_f1` and `example_f1`, which decide whether a label pays, and where a recall or precision is required.
* **No negative.** The label's lowest score, so that it is always predicted; `grid` gives its lowest threshold
  of the best, `global` and `fixed` the threshold for all, and `shrunk` draws the lowest score to it. MCC,
  which is 0 for any threshold then, counts as recall.
* **Equal scores.** They are predicted together. If all scores of a label are equal, the one threshold
  predicts all examples.
* **A requirement that no threshold meets** (a precision out of reach): ``inf``.
* **F of a label with neither positives nor predictions**, 0 / 0: 0.
* **NaN, infinity, a score outside [0, 1], a target that is no truth value, no examples:** an error that names
  the label.
"""

from goemo.arrays import Scores, Targets, Values, check_flags, check_scores
from goemo.configuration.thresholds import DEFAULT_METHOD, threshold_options
from goemo.thresholds.fitted import FittedThresholds, apply_thresholds, threshold_values
from goemo.thresholds.fitting import cross_fitted_predictions, fit_thresholds
from goemo.thresholds.folds import fold_of_rows

__all__ = [
    "DEFAULT_METHOD",
    "FittedThresholds",
    "Scores",
    "Targets",
    "Values",
    "apply_thresholds",
    "check_flags",
    "check_scores",
    "cross_fitted_predictions",
    "fit_thresholds",
    "fold_of_rows",
    "threshold_options",
    "threshold_values",
]
