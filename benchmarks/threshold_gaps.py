"""Where should a threshold lie in a gap between scores, and where without a positive? For docs/thresholds.md.

    python benchmarks/threshold_gaps.py

Two tables, each from simulated laws of scores whose positives and negatives part widely:

* Gaps. 60 labels with 3, 5, 10 or 40 positives among 5,000 rows; the exact cut is found, placed in its gap by
  each rule, and judged on 20 times as many rows of the same law.
* Borrowing. Labels without any positive beside 20 labels that have 3 to 40: the threshold comes from the
  label's own scores, from the other labels, or from both. The worlds of benchmarks/thresholds.py, whose
  scores overlap and mean something else for each label, are there as well.

Scores are rounded to float16, as trials keep them. A minute on one core.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from thresholds import SETTINGS, World, decimals, markdown, sigmoid  # benchmarks/thresholds.py

from goemo.evaluation import as_kept
from goemo.thresholds import fit_thresholds, threshold_values
from goemo.thresholds.between import between, bounded_logits, from_logits, halfway
from goemo.thresholds.borrowing import borrow

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Generator = np.random.Generator
Draw = Callable[[Flags], Floats]  # targets, (n, l) -> scores, (n, l)

LABELS = 60
ROWS = 5_000
FRESH = 20
POSITIVES = (3, 5, 10, 40)
UNSEEN = 10


# Laws of scores: each takes a generator and draws what differs between labels.


def normal(generator: Generator, labels: int) -> Draw:
    """Logits normal on both sides of a gap around one half."""
    centre, gap = generator.normal(-0.5, 1, labels), generator.uniform(6, 10, labels)
    return lambda targets: sigmoid(
        centre + np.where(targets, gap / 2, -gap / 2) + generator.normal(size=targets.shape)
    )


def beta(generator: Generator, labels: int) -> Draw:
    """Scores themselves from beta laws: negatives near 0, positives above one half."""
    a, b = generator.uniform(6, 12, labels), generator.uniform(60, 120, labels)
    return lambda targets: np.where(
        targets,
        generator.beta(np.broadcast_to(a, targets.shape), 2),
        generator.beta(1, np.broadcast_to(b, targets.shape)),
    )


def low(generator: Generator, labels: int) -> Draw:
    """All scores low, as those of rare labels are: positives around 0.1."""
    centre, gap = generator.normal(-8, 0.7, labels), generator.uniform(5.5, 8, labels)
    return lambda targets: sigmoid(
        centre + np.where(targets, gap, 0) + 0.8 * generator.normal(size=targets.shape)
    )


def saturated(generator: Generator, labels: int) -> Draw:
    """So sure that many scores are kept as 0 and 1."""
    centre, gap = generator.normal(0, 1, labels), generator.uniform(16, 24, labels)
    return lambda targets: sigmoid(
        centre + np.where(targets, gap / 2, -gap / 2) + 2 * generator.normal(size=targets.shape)
    )


def skewed(generator: Generator, labels: int) -> Draw:
    """Positives with a long tail downwards."""
    centre, gap = generator.normal(-6, 0.7, labels), generator.uniform(8, 10, labels)
    return lambda targets: sigmoid(
        centre
        + np.where(
            targets,
            gap - generator.exponential(1, targets.shape),
            0.7 * generator.normal(size=targets.shape),
        )
    )


LAWS = (normal, beta, low, saturated, skewed)


# Where in the gap


def _in_logits(share: float) -> Callable[[Floats, Floats], Floats]:
    return lambda low, high: from_logits((1 - share) * bounded_logits(low) + share * bounded_logits(high))


PLACES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "lowest predicted": lambda _low, high: high,
    "middle of scores": lambda low, high: (low + high) / 2,
    "middle of square roots": lambda low, high: ((np.sqrt(low) + np.sqrt(high)) / 2) ** 2,
    "logits, 0.3 up": _in_logits(0.3),
    "logits, 0.4 up": _in_logits(0.4),
    "middle of logits": halfway,
}
TAILS = "tails"


def tails(scores: Floats, low: float, high: float) -> float:
    """Balance new errors on both sides, each side's logits having an exponential tail beyond its edge."""
    ranked = np.sort(bounded_logits(scores))
    bottom, top = ranked[scores.size - np.count_nonzero(scores >= high) :], bounded_logits(low)
    tail = max(3, int(np.sqrt(scores.size)))
    below = float(np.mean(top - ranked[ranked <= top][-tail:-1])) + 1e-3
    above = float(np.mean(bottom[: max(2, tail)] - bottom[0])) + 1e-3
    share = below / (above + below)
    return float(from_logits((1 - share) * top + share * bottom[0]))


def gaps() -> pd.DataFrame:
    """Return the mean F1 on new rows: one row a law and number of positives, one column a rule."""
    rows = []
    for law in LAWS:
        for positives in POSITIVES:
            generator = np.random.default_rng(positives)
            draw = law(generator, LABELS)
            targets = np.zeros((ROWS, LABELS), dtype=bool)
            targets[:positives] = True
            scores = as_kept(draw(targets)).astype(np.float64)
            truth = np.repeat(targets, FRESH, axis=0)
            fresh = as_kept(draw(truth)).astype(np.float64)
            cuts = fitted(scores, targets)
            high = np.where(scores >= cuts, scores, np.inf).min(axis=0)
            below = np.where(scores < cuts, scores, -np.inf).max(axis=0)
            row = {"law": law.__name__, "positives": str(positives)}
            for name, place in PLACES.items():
                row[name] = decimals(f1(fresh, truth, place(below, high)).mean())
            own = [tails(scores[:, j], below[j], high[j]) for j in range(LABELS)]
            row[TAILS] = decimals(f1(fresh, truth, np.array(own)).mean())
            exact, default = (fitted(scores, targets, method) for method in ("exact", "proportional"))
            row["`exact`"] = decimals(f1(fresh, truth, exact).mean())
            row["`proportional`"] = decimals(f1(fresh, truth, default).mean())
            rows.append(row)
    return pd.DataFrame(rows)


def fitted(scores: Floats, targets: Flags, method: str = "exact") -> Floats:
    """Return the thresholds of a method, (l,)."""
    return threshold_values(fit_thresholds(scores, targets, method=method), labels=scores.shape[1])


def f1(scores: Floats, shares: NDArray[np.floating] | Flags, thresholds: Floats) -> Floats:
    """Return each label's F1, (l,); ``shares`` are targets, or their probabilities."""
    predicted = scores >= thresholds
    size = predicted.sum(axis=0) + shares.sum(axis=0)
    return 2 * (predicted * shares).sum(axis=0) / size


# Without a positive


def lent(scores: Floats, targets: Flags) -> dict[str, Floats]:
    """Return thresholds of all labels by each rule, (l,)."""
    own = fitted(scores, targets, "proportional")
    known = targets.any(axis=0)
    top = scores.max(axis=0)
    ranked = np.sort(scores, axis=0)[::-1]
    common = fitted(scores[:, known], targets[:, known], "global")[0]
    median = np.median(bounded_logits(own[known]))
    spread = np.quantile(bounded_logits(scores), [0.1, 0.5, 0.9], axis=0)
    unit = np.median(((bounded_logits(own) - spread[1]) / (spread[2] - spread[0]))[known])
    return {
        "never": np.full(len(own), np.inf),
        "highest score alone": between(top, scores),
        "two highest scores": between(ranked[1], scores),
        "global cut": np.full(len(own), common),
        "median of the others": np.full(len(own), from_logits(median)),
        "the same, by spread": from_logits(spread[1] + unit * (spread[2] - spread[0])),
        "half-way to the median": from_logits((bounded_logits(top) + median) / 2),
        "that, or the highest alone": borrow(np.where(known, own, np.inf), scores, targets),
    }


def borrowing() -> pd.DataFrame:
    """Return the mean F1 on new rows of labels without a positive: one row a law, one column a rule."""
    rows = []
    for setting in SETTINGS[2:]:
        found = defaultdict(list)
        for seed in range(16):
            generator = np.random.default_rng([seed, 5])
            world = World.draw(setting, generator)
            fresh, probabilities = world.examples(40_000, generator)
            scores, shares = world.examples(setting.fit_rows, generator)
            targets = generator.random(shares.shape) < shares
            kept = ~targets[:, :UNSEEN].any(axis=1)
            for name, values in lent(scores[kept].astype(np.float64), targets[kept]).items():
                judged = f1(fresh[:, :UNSEEN], probabilities[:, :UNSEEN], values[:UNSEEN])
                found[name].append(judged.mean())
        rows.append({"law": setting.name, **{name: decimals(np.mean(all_)) for name, all_ in found.items()}})
    for law in LAWS:
        found = defaultdict(list)
        for seed in range(8):
            generator = np.random.default_rng(seed)
            draw = law(generator, UNSEEN + 20)
            targets = np.zeros((3_000, UNSEEN + 20), dtype=bool)
            for label in range(UNSEEN, UNSEEN + 20):
                targets[generator.choice(3_000, POSITIVES[label % 4], replace=False), label] = True
            scores = as_kept(draw(targets)).astype(np.float64)
            truth = generator.random((30_000, UNSEEN + 20)) < 0.002
            fresh = as_kept(draw(truth)).astype(np.float64)
            for name, values in lent(scores, targets).items():
                judged = f1(fresh[:, :UNSEEN], truth[:, :UNSEEN], values[:UNSEEN])
                found[name].append(judged.mean())
        rows.append({"law": law.__name__, **{name: decimals(np.mean(all_)) for name, all_ in found.items()}})
    return pd.DataFrame(rows)


def main() -> None:
    """Print both tables."""
    print("## Where in a gap: mean F1 on new rows\n")
    print(markdown(gaps()))
    print("\n## Without a positive: mean F1 on new rows\n")
    print(markdown(borrowing()))


if __name__ == "__main__":
    main()
