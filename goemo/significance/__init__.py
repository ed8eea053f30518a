"""How sure a number is: bootstrap intervals over examples, and paired differences.

Examples are drawn with replacement, and every metric is computed again from those drawn (Efron & Tibshirani,
"An Introduction to the Bootstrap", 1993). It speaks of the examples alone: another seed of the training would
move the numbers further. Which interval is made of the draws, and why: :mod:`goemo.significance.intervals`.
"""

from goemo.significance.bootstrap import Bootstrap, Draws, bootstrap, bootstrap_interval
from goemo.significance.intervals import Interval, interval
from goemo.significance.paired import PairedDifference, compare, compare_draws, paired_difference

__all__ = [
    "Bootstrap",
    "Draws",
    "Interval",
    "PairedDifference",
    "bootstrap",
    "bootstrap_interval",
    "compare",
    "compare_draws",
    "interval",
    "paired_difference",
]
