"""How often do 95 % intervals hold the truth? Evidence for docs/decisions/004 and goemo.significance.

    python benchmarks/intervals.py [--repetitions 500]

A population whose truth is known: 28 labels, each with the shares of hits, false alarms and misses that the
published XLNet tables imply, so the supports are those of GoEmotions (6 to 1,787 of 5,427). From it, data
sets of a given size are drawn again and again; each gives an interval of macro-F1, weighted-F1, micro-F1 and
of every label's F1. The truth is the metric in the population. A good 95 % interval holds it in 95 % of the
data sets, and misses it as often on one side as on the other.

A second table is about two trials with the same true F1, which share some of their errors: how often each
interval of the difference tells them apart, which it should in 5 % of the data sets.

A data set is drawn as the counts of each label, and resampled likewise: labels are independent of each other
here. That saves drawing 5,427 x 28 decisions a resample, and is the same in distribution.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from goemo.metrics import average, label_metric
from goemo.published import EXAMPLES, implied_counts, studies
from goemo.significance import Bootstrap, Interval, compare_draws, interval

Floats = NDArray[np.float64]
Cells = NDArray[np.float64]  # share or number of each cell, (.., l, 8); see _CELLS

METRICS = ("macro_f1", "weighted_f1", "micro_f1")
RAREST = 4
DRAWS = 1000

# What an example can be for a label: has it or not, a predicts it or not, b predicts it or not.
_CELLS = np.array([(y, a, b) for y in (1, 0) for a in (1, 0) for b in (1, 0)])


def population(thresholds: str, shared: float) -> Cells:
    """Return the probability of each cell, (l, 8): a and b alike, sharing some of their decisions.

    Args:
        thresholds: Which published table: ``fixed_0.5`` or ``test_tuned``.
        shared: Share of the examples that b decides as a does; on the others it draws its own.
    """
    (table,) = (s.table for s in studies() if s.table is not None and s.thresholds == thresholds)
    counts = implied_counts(table, EXAMPLES)
    cells = np.empty((len(table), len(_CELLS)))
    for index, (y, a, b) in enumerate(_CELLS):
        of_class, hit = (counts.support, counts.tp) if y else (EXAMPLES - counts.support, counts.fp)
        chance = hit / of_class  # of being predicted
        of_a, of_b = (chance if decision else 1 - chance for decision in (a, b))
        cells[:, index] = of_class / EXAMPLES * of_a * (shared * (a == b) + (1 - shared) * of_b)
    return cells


def tallies(cells: Cells, trial: int) -> tuple[Floats, Floats, Floats]:
    """Return hits, predictions and positives of trial 1 (a) or 2 (b), each (.., l)."""
    y, predicted = _CELLS[:, 0], _CELLS[:, trial]
    return cells @ (y * predicted), cells @ predicted, cells @ y


def resample(sample: Cells, generator: np.random.Generator) -> Cells:
    """Draw the counts of every label anew, (draws, l, 8)."""
    size = int(sample[0].sum())
    return np.stack([generator.multinomial(size, row / size, size=DRAWS) for row in sample], axis=1).astype(
        float
    )


def acceleration(influences: Floats, weights: Floats) -> float:
    """Return the acceleration of BCa from leave-one-out values and how many examples have each."""
    gaps = (weights * influences).sum() / weights.sum() - influences
    squares = (weights * gaps**2).sum()
    return float((weights * gaps**3).sum() / (6 * squares**1.5)) if squares else 0.0


def macro_acceleration(counts: tuple[Floats, Floats, Floats], size: int) -> float:
    """Return the acceleration for macro-F1 of independent labels: their second and third moments add up."""
    second = third = 0.0
    for weights, without in zip(*_left_out(counts, size), strict=True):
        gaps = (weights * without).sum() / size - without
        second, third = second + (weights * gaps**2).sum(), third + (weights * gaps**3).sum()
    return float(third / (6 * second**1.5))


def label_accelerations(counts: tuple[Floats, Floats, Floats], size: int) -> list[float]:
    """Return the acceleration for each label's F1, (l,)."""
    return [acceleration(without, weights) for weights, without in zip(*_left_out(counts, size), strict=True)]


def _left_out(counts: tuple[Floats, Floats, Floats], size: int) -> tuple[Floats, Floats]:
    """Return how many hits, false alarms, misses and others there are, and F1 without one; (l, 4) each."""
    hits, predicted, positives = counts
    weights = np.stack(
        [hits, predicted - hits, positives - hits, size - predicted - positives + hits], axis=1
    )
    lost = np.array([(1, 1, 1), (0, 1, 0), (0, 0, 1), (0, 0, 0)])
    without = [
        label_metric("f1", *(np.maximum(count - less, 0) for count, less in zip(counts, row, strict=True)))
        for row in lost
    ]
    return weights, np.stack(without, axis=1)


@dataclass
class Tally:
    """How often an interval missed the truth, on which side, and how wide it was."""

    below: int = 0
    above: int = 0
    width: float = 0.0
    seen: int = 0

    def add(self, held: Interval, truth: float) -> None:
        """Count one interval."""
        self.below += held.low > truth + 1e-9
        self.above += held.high < truth - 1e-9
        self.width += held.high - held.low
        self.seen += 1

    def __str__(self) -> str:
        covered = 1 - (self.below + self.above) / self.seen
        sides = f"{100 * self.below / self.seen:5.1f} {100 * self.above / self.seen:6.1f}"
        return f"{100 * covered:6.1f} {sides} {self.width / self.seen:8.4f}"


@dataclass
class Study:
    """The tallies of one setting, by metric and kind of interval."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def add(self, metric: str, kind: str, held: Interval, truth: float) -> None:
        """Count one interval of a metric and kind."""
        self.tallies.setdefault((metric, kind), Tally()).add(held, truth)


def one_trial(cells: Cells, size: int, repetitions: int, generator: np.random.Generator) -> Study:
    """Return how the intervals of one trial do."""
    truth = {metric: float(average(metric, *tallies(cells, 1))) for metric in METRICS}
    true_f1 = label_metric("f1", *tallies(cells, 1))
    rarest = np.argsort(cells @ _CELLS[:, 0])[:RAREST]
    study = Study()
    for _ in range(repetitions):
        sample = np.stack([generator.multinomial(size, row) for row in cells]).astype(float)
        drawn = Bootstrap(tallies(sample, 1), tallies(resample(sample, generator), 1))
        for metric in METRICS:
            values, estimate, true = drawn.draws(metric), drawn.estimate(metric), truth[metric]
            study.add(metric, "percentile", interval(values), true)
            study.add(metric, "BC", interval(values, estimate=estimate), true)
            if metric == "macro_f1":
                bent = macro_acceleration(drawn.counts, size)
                study.add(metric, "BCa", bca(values, estimate, bent), true)
            study.add(metric, "goemo", drawn.interval(metric), true)
        f1, f1_draws = (label_metric("f1", *counts) for counts in (drawn.counts, drawn.resampled))
        bends = label_accelerations(drawn.counts, size)
        for label, held in enumerate(drawn.label_f1_intervals()):
            name = f"F1 of the {RAREST} rarest" if label in rarest else "F1 of the others"
            values, estimate, true = f1_draws[:, label], float(f1[label]), float(true_f1[label])
            study.add(name, "percentile", interval(values), true)
            study.add(name, "BC", interval(values, estimate=estimate), true)
            study.add(name, "BCa", bca(values, estimate, bends[label]), true)
            study.add(name, "goemo", held, true)
    return study


def bca(values: Floats, estimate: float, bend: float) -> Interval:
    """Return the bias-corrected and accelerated interval (Efron 1987)."""
    normal = NormalDist()
    below = np.mean(values < estimate) + np.mean(values == estimate) / 2
    bias = normal.inv_cdf(float(np.clip(below, 0.5 / DRAWS, 1 - 0.5 / DRAWS)))
    ends = (bias + normal.inv_cdf(share) for share in (0.025, 0.975))
    low, high = np.quantile(values, [normal.cdf(bias + end / (1 - bend * end)) for end in ends])
    return Interval(float(low), float(high))


def two_trials(cells: Cells, size: int, repetitions: int, generator: np.random.Generator) -> Study:
    """Return how the intervals of the difference of two equally good trials do."""
    study = Study()
    for _ in range(repetitions):
        sample = np.stack([generator.multinomial(size, row) for row in cells]).astype(float)
        resampled = resample(sample, generator)
        a, b = (Bootstrap(tallies(sample, trial), tallies(resampled, trial)) for trial in (1, 2))
        for metric in METRICS:
            gains = a.draws(metric) - b.draws(metric)
            paired = compare_draws(a.estimate(metric) - b.estimate(metric), a.draws(metric), b.draws(metric))
            study.add(metric, "BC", interval(gains, estimate=a.estimate(metric) - b.estimate(metric)), 0.0)
            study.add(metric, "goemo", Interval(paired.low, paired.high), 0.0)
    return study


def show(title: str, study: Study, seconds: float) -> None:
    """Print one setting."""
    print(f"\n{title} ({seconds:.0f} s)")
    print(f"{'':24}{'':12}{'held':>6} {'truth':>5} {'truth':>6} {'mean':>8}")
    print(f"{'':24}{'':12}{'%':>6} {'below':>5} {'above':>6} {'width':>8}")
    for (metric, kind), tally in study.tallies.items():
        print(f"{metric:24}{kind:12}{tally}")


def main() -> None:
    """Print both tables for each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    spread = 100 * np.sqrt(0.95 * 0.05 / given.repetitions)
    print(f"{given.repetitions} data sets, {DRAWS} draws each; standard error of 95 %: {spread:.1f} %")
    print("goemo: what goemo.significance gives")
    generator = np.random.default_rng(given.seed)
    settings: list[tuple[str, str, int, Callable[..., Study]]] = [
        ("tuned thresholds", "test_tuned", EXAMPLES, one_trial),
        ("0.5 for all labels", "fixed_0.5", EXAMPLES, one_trial),
        ("tuned thresholds", "test_tuned", 1500, one_trial),
        ("difference of two equals, tuned thresholds", "test_tuned", EXAMPLES, two_trials),
    ]
    for title, thresholds, size, run in settings:
        start = time.perf_counter()
        study = run(population(thresholds, shared=0.7), size, given.repetitions, generator)
        show(f"{title}, {size:,} examples", study, time.perf_counter() - start)


if __name__ == "__main__":
    main()
