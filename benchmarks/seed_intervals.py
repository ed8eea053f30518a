"""How often do intervals of a mean over seeds hold the truth? Evidence for goemo.significance.seeds.

    python benchmarks/seed_intervals.py [--repetitions 300]

A population whose truth is known, as in benchmarks/intervals.py: 28 labels with the hits, false alarms and
misses of the published XLNet tables. A training draws for each label how likely it hits and how often it is
wrong, around that population's; another seed draws anew. Its predictions share 70 % of their decisions with
those of the other seeds of the same configuration. So a mean of five seeds on one validation split is off for
two reasons: those seeds, and those examples. The truth is the mean macro-F1 over all seeds on all examples.

- *examples*: the bootstrap of the mean, its seeds held fixed
- *seeds*: Student's interval of the five values
- *both drawn*: seeds and examples drawn with replacement, percentiles
- *in squares*: the first two, added in squares
- *goemo*: likewise, without what both of them count: the luck of single seeds with single examples

A second table is about two configurations that are equally good: how often each interval tells them apart,
which it should in 5 % of the cases.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from goemo.metrics import average
from goemo.published import EXAMPLES, implied_counts, studies
from goemo.significance import Bootstrap, Interval, bootstrap, interval, seed_difference, seed_mean

Floats = NDArray[np.float64]
METRIC = "macro_f1"
SHARED = 0.7
DRAWS = 500
TRUTH_SEEDS = 20_000


@dataclass(frozen=True)
class Population:
    """What all seeds of a configuration have in common.

    Attributes:
        share: Of the examples that have each label, shape (n_labels,).
        hit: How likely such an example is predicted, in log-odds.
        alarm: How likely any other is, likewise.
        spread: Standard deviation of both between seeds, in log-odds.
    """

    share: Floats
    hit: Floats
    alarm: Floats
    spread: float

    def seed(self, generator: np.random.Generator, seeds: int) -> tuple[Floats, Floats]:
        """Draw what seeds give: how likely hits and false alarms are, (seeds, n_labels) each."""
        shape = (seeds, len(self.share))
        hit, alarm = (
            self.spread * generator.normal(size=shape) + middle for middle in (self.hit, self.alarm)
        )
        return 1 / (1 + np.exp(-hit)), 1 / (1 + np.exp(-alarm))

    def truth(self, generator: np.random.Generator) -> tuple[float, float]:
        """Return the mean of macro-F1 over seeds on all examples, and its standard deviation."""
        hit, alarm = self.seed(generator, TRUTH_SEEDS)
        hits, predicted = self.share * hit, self.share * hit + (1 - self.share) * alarm
        values = average(METRIC, hits, predicted, np.broadcast_to(self.share, hits.shape))
        return float(values.mean()), float(values.std())


def published(spread: float) -> Population:
    """Return the population that the published table of tuned thresholds implies."""
    (table,) = (s.table for s in studies() if s.table is not None and s.thresholds == "test_tuned")
    counts = implied_counts(table, EXAMPLES)
    hit = (counts.tp + 0.5) / (counts.support + 1)
    alarm = (counts.fp + 0.5) / (EXAMPLES - counts.support + 1)
    return Population(counts.support / EXAMPLES, np.log(hit / (1 - hit)), np.log(alarm / (1 - alarm)), spread)


def trainings(
    population: Population, targets: NDArray[np.bool_], seeds: int, generator: np.random.Generator
) -> list[NDArray[np.bool_]]:
    """Draw the predictions of one configuration with several seeds on the same examples."""
    common = generator.random(targets.shape, dtype=np.float32)
    found = []
    for hit, alarm in zip(*population.seed(generator, seeds), strict=True):
        own = generator.random(targets.shape, dtype=np.float32)
        luck = np.where(generator.random(targets.shape, dtype=np.float32) < SHARED, common, own)
        found.append(luck < np.where(targets, hit, alarm))
    return found


def in_squares(middle: float, rows: Interval, half: float) -> Interval:
    """Return an interval about the middle whose half-widths are those of two independent errors."""
    below, above = max(middle - rows.low, 0.0), max(rows.high - middle, 0.0)
    return Interval(middle - float(np.hypot(below, half)), middle + float(np.hypot(above, half)))


def intervals(trained: list[Bootstrap], generator: np.random.Generator) -> dict[str, Interval]:
    """Return each kind of interval of the mean."""
    values = np.array([one.estimate(METRIC) for one in trained])
    draws = np.array([one.draws(METRIC) for one in trained])  # (seeds, draws)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    drawn = np.take_along_axis(draws, generator.integers(len(values), size=draws.shape), axis=0).mean(axis=0)
    rows = interval(draws.mean(axis=0), estimate=float(values.mean()))
    ours = seed_mean(trained, METRIC)
    assert ours.low is not None
    assert ours.high is not None
    return {
        "examples": rows,
        "seeds": Interval(values.mean() - half, values.mean() + half),
        "both drawn": interval(drawn),
        "in squares": in_squares(float(values.mean()), rows, half),
        "goemo": Interval(ours.low, ours.high),
    }


def differences(
    a: list[Bootstrap], b: list[Bootstrap], generator: np.random.Generator
) -> dict[str, Interval]:
    """Return each kind of interval of the difference of two means."""
    values = [np.array([one.estimate(METRIC) for one in trained]) for trained in (a, b)]
    draws = [np.array([one.draws(METRIC) for one in trained]) for trained in (a, b)]
    drawn = [
        np.take_along_axis(of, generator.integers(len(of), size=of.shape), axis=0).mean(axis=0)
        for of in draws
    ]
    rows = interval(draws[0].mean(axis=0) - draws[1].mean(axis=0))
    middle = float(values[0].mean() - values[1].mean())
    welch = stats.ttest_ind(*values, equal_var=False).confidence_interval(0.95)
    return {
        "examples": rows,
        "seeds": Interval(float(welch.low), float(welch.high)),
        "both drawn": interval(drawn[0] - drawn[1]),
        "in squares": in_squares(middle, rows, float(welch.high) - middle),
        "goemo": seed_difference(a, b, METRIC),
    }


def study(spread: float, seeds: int, size: int, repetitions: int, generator: np.random.Generator) -> None:
    """Print how the intervals do in one setting."""
    start = time.perf_counter()
    population = published(spread)
    truth, deviation = population.truth(generator)
    held: dict[str, int] = defaultdict(int)
    told: dict[str, int] = defaultdict(int)
    widths: dict[str, float] = defaultdict(float)
    for _ in range(repetitions):
        targets = generator.random((size, len(population.share))) < population.share
        sets = [trainings(population, targets, seeds, generator) for _ in range(2)]
        drawn = bootstrap(targets, *sets[0], *sets[1], draws=DRAWS, seed=int(generator.integers(2**31)))
        a, b = drawn[:seeds], drawn[seeds:]
        for kind, found in intervals(a, generator).items():
            held[kind] += found.low <= truth <= found.high
            widths[kind] += found.high - found.low
        for kind, found in differences(a, b, generator).items():
            told[kind] += found.low > 0 or found.high < 0
    seconds = time.perf_counter() - start
    print(f"\n{seeds} seeds, {deviation:.4f} between seeds, {size:,} examples ({seconds:.0f} s)")
    print(f"{'':12}{'held the truth %':>18}{'mean width':>12}{'two equals told apart %':>26}")
    for kind, count in held.items():
        shares = f"{100 * count / repetitions:18.1f}{widths[kind] / repetitions:12.4f}"
        print(f"{kind:12}{shares}{100 * told[kind] / repetitions:26.1f}")


def main() -> None:
    """Print a table for each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    spread = 100 * np.sqrt(0.95 * 0.05 / given.repetitions)
    print(f"{given.repetitions} repetitions, {DRAWS} draws each; standard error of 95 %: {spread:.1f} %")
    generator = np.random.default_rng(given.seed)
    for between, seeds, size in ((0.1, 5, 1500), (0.4, 5, 1500), (0.4, 3, 1500), (0.1, 5, EXAMPLES)):
        study(between, seeds, size, given.repetitions, generator)


if __name__ == "__main__":
    main()
