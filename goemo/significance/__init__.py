"""Uncertainty: bootstrap intervals over examples, and paired differences.

Examples are drawn with replacement, and every metric is computed again from those drawn (Efron & Tibshirani,
"An Introduction to the Bootstrap", 1993). It speaks of the examples alone: another seed of the training would
move the numbers further, as :mod:`goemo.significance.seeds` knows. Which interval is made of the draws, and
why: :mod:`goemo.significance.intervals`.
"""

from goemo.significance.bootstrap import Bootstrap, Draws, bootstrap, bootstrap_interval
from goemo.significance.intervals import Interval, interval
from goemo.significance.paired import PairedDifference, compare, compare_draws, paired_difference
from goemo.significance.seeds import SeedMean, seed_difference, seed_mean

__all__ = [
    "Bootstrap",
    "Draws",
    "Interval",
    "PairedDifference",
    "SeedMean",
    "bootstrap",
    "bootstrap_interval",
    "compare",
    "compare_draws",
    "interval",
    "paired_difference",
    "seed_difference",
    "seed_mean",
]
