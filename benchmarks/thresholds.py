"""Which way of choosing per-label thresholds should be the default? Evidence for docs/thresholds.md.

    python benchmarks/threshold_scores.py FOLDER_OF_GOEMOTIONS SCORES     # real scores, once
    python benchmarks/thresholds.py SCORES [--figure FILE.png]

Every method fits thresholds on some rows and is judged on others, in two ways:

* Simulated scores whose truth is known. The probability of each label in each example is drawn first, so the
  F1 of any thresholds in the limit of many examples is known: what differs between methods is the methods,
  not the luck of a test split. Settings: scores that are probabilities and scores that are far from it, 5,426
  rows to fit on (GoEmotions' validation split) and 1,000. Worlds are drawn anew, independent of each other.
* Real scores of several trained models (benchmarks/threshold_scores.py): validation and test are pooled and
  split again at random, one half to fit and one to judge, the same splits for all methods and models; and the
  official split.

THE RULE. Its four parts were written before there were results. What was changed afterwards is marked with
a star, and docs/thresholds.md says why.

1. Of each method, the options stand for it that gain most over `exact` in macro-F1, on average over the
   simulated settings and the three models of the design half (*: first, over the settings alone).
   `cross_fit` of two methods is two methods (*).
2. A method that fits 28 labels x 5,426 rows in more than 100 ms cannot be the default: a training fits it
   five times at every report.
3. A method can be the default where its macro-F1, on average over the splits, is not below that of `exact`
   for any of the other models by more than the 0.1 points that part 4 calls equal (*: first, not at all), and
   where its macro-F1 over the four rarest labels is at least that of `exact` on average over these models.
4. Of these, the one with the highest macro-F1 over these models is the default; where others are within 0.1
   points of it, the fastest of them. Models that differ only by their seed count as one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from goemo.evaluation import as_kept
from goemo.metrics import macro_f1
from goemo.significance import paired_difference
from goemo.thresholds import apply_thresholds, fit_thresholds

Floats = NDArray[np.float64]
Scores = NDArray[np.float32]  # (n, l)
Targets = NDArray[np.bool_]  # (n, l)
Record = dict[str, Any]
Interval = Callable[[Floats], tuple[float, float]]

BASELINE = "exact"
RAREST = 4
FIT_ROWS = 5_426
FEW_FIT_ROWS = 1_000
SLOW_MS = 100.0
SAME_F1 = 0.001
FIGURE_RANGE = (-3.0, 2.5)  # in points; what lies below is written
DESIGN_HALF = ("fine_tuned", "head", "logistic")
FIGURES = ("macro_f1", "weighted_f1", "micro_f1", "rarest_f1")
UPPER = "tuned on the evaluation rows"

# What a method is called in the tables, and what fit_thresholds is told. The first word is the method's name.
CANDIDATES: dict[str, dict[str, Any]] = {
    "exact": {"method": "exact"},
    "grid 0.05": {"method": "grid", "step": 0.05},
    "grid 0.01": {"method": "grid", "step": 0.01},
    "global": {"method": "global"},
    "fixed 0.5": {"method": "fixed", "value": 0.5},
    "shrunk 5": {"method": "shrunk", "strength": 5.0},
    "shrunk 20": {"method": "shrunk", "strength": 20.0},
    "shrunk 50": {"method": "shrunk", "strength": 50.0},
    "smoothed 1/1": {"method": "smoothed", "a": 1.0, "b": 1.0},
    "smoothed 0/1": {"method": "smoothed", "a": 0.0, "b": 1.0},
    "smoothed 2/2": {"method": "smoothed", "a": 2.0, "b": 2.0},
    "micro_macro": {"method": "micro_macro"},
    "fbr 0.1": {"method": "fbr", "fbr": 0.1},
    "fbr 0.2": {"method": "fbr", "fbr": 0.2},
    "fbr 0.3": {"method": "fbr", "fbr": 0.3},
    "plug_in platt": {"method": "plug_in", "calibration": "platt"},
    "plug_in isotonic": {"method": "plug_in", "calibration": "isotonic"},
    "plug_in temperature": {"method": "plug_in", "calibration": "temperature"},
    "proportional 0.25": {"method": "proportional", "tolerance": 0.25},
    "proportional 0.5": {"method": "proportional", "tolerance": 0.5},
    "proportional 1": {"method": "proportional", "tolerance": 1.0},
    "proportional 2": {"method": "proportional", "tolerance": 2.0},
    "proportional 1e9": {"method": "proportional", "tolerance": 1e9},
    "cross_fit exact": {"method": "cross_fit", "of": "exact"},
    "cross_fit exact, 10 folds": {"method": "cross_fit", "of": "exact", "folds": 10},
    "cross_fit shrunk 5": {"method": "cross_fit", "of": "shrunk", "strength": 5.0},
    "cross_fit proportional 0.5": {"method": "cross_fit", "of": "proportional", "tolerance": 0.5},
    "cross_fit proportional 1": {"method": "cross_fit", "of": "proportional", "tolerance": 1.0},
    "cross_fit micro_macro": {"method": "cross_fit", "of": "micro_macro"},
    "cross_fit fbr 0.1": {"method": "cross_fit", "of": "fbr", "fbr": 0.1},
}


# Simulated scores


@dataclass(frozen=True)
class Setting:
    """One kind of simulated problem."""

    name: str
    is_calibrated: bool
    correlation: float
    fit_rows: int


SETTINGS = (
    Setting("calibrated", is_calibrated=True, correlation=0.0, fit_rows=FIT_ROWS),
    Setting("distorted", is_calibrated=False, correlation=0.4, fit_rows=FIT_ROWS),
    Setting("calibrated, few rows", is_calibrated=True, correlation=0.0, fit_rows=FEW_FIT_ROWS),
    Setting("distorted, few rows", is_calibrated=False, correlation=0.4, fit_rows=FEW_FIT_ROWS),
)

# 28 labels from one example in a thousand to one in four: GoEmotions' range, 1.3 labels an example.
PREVALENCES = np.geomspace(0.001, 0.25, 28)
LIMIT_ROWS = 50_000


@dataclass(frozen=True, eq=False)
class World:
    """How examples come about: the logit of each label's probability is a normal variable.

    Attributes:
        centre: Mean of the logits, (l,).
        spread: Their standard deviation, (l,): how well the label can be told.
        correlation: Between the logits of two labels, up to its sign.
        side: Which way a label goes with the common factor, -1 or 1, (l,).
        slope: How the logit of a score follows that of the probability, (l,): 1 where scores are calibrated.
        shift: Likewise; 0 where scores are calibrated, (l,).
        is_calibrated: Scores are the probabilities; otherwise their logits are bent, stretched and shifted.
    """

    centre: Floats
    spread: Floats
    correlation: float
    side: Floats
    slope: Floats
    shift: Floats
    is_calibrated: bool

    @classmethod
    def draw(cls, setting: Setting, generator: np.random.Generator) -> World:
        """Draw how well each label can be told, and how its scores are distorted."""
        labels = len(PREVALENCES)
        spread = generator.uniform(0.1, 3.6, labels)
        return cls(
            centre=centres(PREVALENCES, spread),
            spread=spread,
            correlation=setting.correlation,
            side=generator.choice([-1.0, 1.0], labels),
            slope=np.exp(generator.normal(0, 0.4, labels)),
            shift=generator.normal(0, 1, labels),
            is_calibrated=setting.is_calibrated,
        )

    def examples(self, rows: int, generator: np.random.Generator) -> tuple[Scores, Floats]:
        """Draw examples; return scores, rounded as a trial keeps them, and probabilities, (n, l) each."""
        own = generator.standard_normal((rows, len(self.centre)))
        common = generator.standard_normal((rows, 1)) * self.side
        noise = np.sqrt(self.correlation) * common + np.sqrt(1 - self.correlation) * own
        logits = self.centre + self.spread * noise
        told = logits if self.is_calibrated else self.shift + self.slope * 2 * np.arcsinh(logits / 2)
        return as_kept(sigmoid(told)), sigmoid(logits)


class Limit:
    """F1 on infinitely many examples, from a sample in which every probability is known.

    The probabilities stand for the targets, which leaves the noise of scores alone: with 200,000 rows, less
    than a tenth of what methods differ by.
    """

    def __init__(self, scores: Scores, probabilities: Floats) -> None:
        order = np.argsort(scores, axis=0, kind="stable")  # ascending
        self._scores = np.take_along_axis(scores, order, axis=0)
        ranked = np.take_along_axis(probabilities, order, axis=0)[::-1].cumsum(axis=0)[::-1]
        self._hits_from = np.vstack([ranked, np.zeros(ranked.shape[1])])  # (n + 1, l)
        self._positives = self._hits_from[0]

    def judge(self, thresholds: Floats) -> dict[str, float]:
        """Return the averages for thresholds, (l,)."""
        rows, labels = self._scores.shape
        columns = range(labels)
        start = np.array([np.searchsorted(self._scores[:, j], thresholds[j]) for j in columns])
        return averages(self._hits_from[start, columns], rows - start, self._positives)

    def best_macro_f1(self) -> float:
        """Return macro-F1 of the best thresholds that there are."""
        predicted = np.arange(len(self._scores), 0, -1)[:, None]
        return float((2 * self._hits_from[:-1] / (predicted + self._positives)).max(axis=0).mean())


def simulate(setting: Setting, seed: int, draws: int) -> list[Record]:
    """Draw one world, fit every candidate on a few draws of it, and judge on the limit."""
    generator = np.random.default_rng([seed, SETTINGS.index(setting)])
    world = World.draw(setting, generator)
    limit = Limit(*world.examples(LIMIT_ROWS, generator))
    upper = limit.best_macro_f1()
    records = []
    for _ in range(draws):
        scores, probabilities = world.examples(setting.fit_rows, generator)
        targets = generator.random(probabilities.shape) < probabilities
        for name, how in CANDIDATES.items():
            judged = limit.judge(fit_thresholds(scores, targets, **how).values)
            records.append({"setting": setting.name, "draw": seed, "method": name, "upper": upper, **judged})
    return records


def centres(prevalences: Floats, spread: Floats) -> Floats:
    """Return the mean logits, (l,), that give each label its prevalence; by bisection."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    weights = weights / weights.sum()
    low, high = np.full(len(spread), -40.0), np.full(len(spread), 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        is_low = sigmoid(middle + np.outer(nodes, spread)).T @ weights < prevalences
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return low


def sigmoid(logits: Floats) -> Floats:
    """Return the probabilities of logits, without overflow."""
    return 0.5 * (1 + np.tanh(logits / 2))


# Real scores


@dataclass(frozen=True, eq=False)
class Kept:
    """The scores of one model; validation rows come first."""

    name: str
    scores: Scores
    targets: Targets
    validation_rows: int
    labels: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Kept:
        """Read what benchmarks/threshold_scores.py wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(
                name=path.stem,
                scores=np.concatenate([file["validation_scores"], file["test_scores"]]).astype(np.float32),
                targets=np.concatenate([file["validation_targets"], file["test_targets"]]),
                validation_rows=len(file["validation_scores"]),
                labels=tuple(file["labels"].tolist()),
            )

    @property
    def family(self) -> str:
        """The model without its seed."""
        return re.sub(r"_\d+$", "", self.name)


def resample(model: Kept, fit_rows: int, seed: int) -> list[Record]:
    """Split the pooled rows at random, fit every candidate on one part and judge on the other.

    The splits depend on the number of rows and the seed alone, so all models and methods see the same ones.
    """
    order = np.random.default_rng(seed).permutation(len(model.targets))
    fitting, judging = order[:fit_rows], order[fit_rows:]
    judge = partial(judge_rows, model.scores[judging], model.targets[judging], rarest(model))
    upper = judge(fit_thresholds(model.scores[judging], model.targets[judging]).values)["macro_f1"]
    scores, targets = model.scores[fitting], model.targets[fitting]
    where = {"model": model.name, "family": model.family, "fit_rows": fit_rows, "draw": seed, "upper": upper}
    return [
        {**where, "method": name, **judge(fit_thresholds(scores, targets, **how).values)}
        for name, how in CANDIDATES.items()
    ]


def official(models: Sequence[Kept], names: Iterable[str]) -> list[Record]:
    """Fit on validation, judge on test; paired bootstrap of the difference to exact over test rows."""
    records = []
    for model in models:
        validation, test = slice(None, model.validation_rows), slice(model.validation_rows, None)
        targets = model.targets[test]

        def predict(name: str, model: Kept = model, fit: slice = validation, on: slice = test) -> Targets:
            fitted = fit_thresholds(model.scores[fit], model.targets[fit], **CANDIDATES[name])
            return apply_thresholds(model.scores[on], fitted)

        baseline = predict(BASELINE)
        upper = fit_thresholds(model.scores[test], targets)
        for name in names:
            predictions = predict(name)
            paired = paired_difference(targets, predictions, baseline)
            records.append(
                {
                    "model": model.name,
                    "method": name,
                    "macro_f1": macro_f1(targets, predictions),
                    "difference": paired.difference,
                    "low": paired.low,
                    "high": paired.high,
                    "upper": macro_f1(targets, apply_thresholds(model.scores[test], upper)),
                }
            )
    return records


def rarest(model: Kept) -> NDArray[np.intp]:
    """Return the columns of the rarest labels of all the rows."""
    return np.argsort(np.count_nonzero(model.targets, axis=0), kind="stable")[:RAREST]


def judge_rows(
    scores: Scores, targets: Targets, rare: NDArray[np.intp], thresholds: Floats
) -> dict[str, float]:
    """Return the averages for thresholds, (l,), on these rows."""
    predictions = scores >= thresholds
    hits = np.count_nonzero(predictions & targets, axis=0)
    return averages(hits, predictions.sum(axis=0), targets.sum(axis=0), rare)


def averages(hits: Any, predicted: Any, positives: Any, rare: Any = slice(RAREST)) -> dict[str, float]:
    """Return macro, weighted, micro F1 and macro-F1 of the rarest, from counts a label, (l,) each."""
    f1 = 2 * hits / np.maximum(predicted + positives, 1)
    return {
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * positives).sum() / positives.sum()),
        "micro_f1": float(2 * hits.sum() / (predicted + positives).sum()),
        "rarest_f1": float(f1[rare].mean()),
    }


def fit_time_ms(model: Kept, how: dict[str, Any], repeats: int = 7) -> float:
    """Return the milliseconds of CPU time of the fastest of several fits on the validation split."""
    scores, targets = model.scores[: model.validation_rows], model.targets[: model.validation_rows]
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        fit_thresholds(scores, targets, **how)
        taken.append(time.process_time() - started)
    return 1000 * min(taken)


# From records to tables


def standing(simulated: pd.DataFrame, designing: pd.DataFrame) -> list[str]:
    """Return the candidate that stands for each method: the options with the best gain over the baseline.

    Args:
        simulated: Records of the simulated settings.
        designing: Records of the models of the design half.
    """
    parts = [own for _, own in simulated.groupby("setting")] + [own for _, own in designing.groupby("model")]
    gain = pd.DataFrame([differences(own).mean() for own in parts]).mean()
    best: dict[str, str] = {}
    for name in CANDIDATES:
        method = method_of(name)
        if method not in best or gain[name] > gain[best[method]]:
            best[method] = name
    return list(best.values())


def method_of(name: str) -> str:
    """Return the method of a candidate, with the one that it averages."""
    how = CANDIDATES[name]
    return f"{how['method']} {how.get('of', '')}"


def over_models(records: pd.DataFrame) -> pd.DataFrame:
    """Average the records of each draw over the models; those that differ by their seed count as one."""
    figures = [*FIGURES, "upper"]
    families = records.groupby(["method", "draw", "family"])[figures].mean()
    return families.groupby(["method", "draw"]).mean().reset_index()


def differences(records: pd.DataFrame, figure: str = "macro_f1") -> pd.DataFrame:
    """Return each method's difference to the baseline in each draw: rows are draws, columns methods."""
    # Where a draw has several records of a method, their mean.
    table = records.pivot_table(index="draw", columns="method", values=figure)
    return table.sub(table[BASELINE], axis=0)[list(CANDIDATES)]


def corrected_interval(values: Floats, ratio: float) -> tuple[float, float]:
    """Return a 95 % interval of the mean of a figure over random splits of the same rows.

    Splits share rows, so they are not independent, and the usual standard error, which falls with their
    number, would promise too much. Nadeau & Bengio, "Inference for the generalization error" (Machine
    Learning 52, 2003), add the ratio of judging to fitting rows: the variance of the mean is
    ``variance * (1 / splits + ratio)``. With equal halves that is about the variance of a single split: more
    splits do not make more rows.
    """
    half = 1.96 * values.std(ddof=1) * np.sqrt(1 / len(values) + ratio)
    return values.mean() - half, values.mean() + half


def independent_interval(values: Floats) -> tuple[float, float]:
    """Return a 95 % interval of the mean of independent values."""
    return corrected_interval(values, ratio=0.0)


def simulated_table(simulated: pd.DataFrame) -> pd.DataFrame:
    """Tabulate what simulated worlds say: one row a candidate."""
    rows = []
    overall = simulated.assign(draw=simulated["setting"] + simulated["draw"].astype(str))
    for name in CANDIDATES:
        own = simulated[simulated["method"] == name]
        row = {"method": name, "macro-F1": decimals(own["macro_f1"].mean())}
        for setting in SETTINGS:
            of_setting = differences(simulated[simulated["setting"] == setting.name])[name].to_numpy()
            row[setting.name] = points(of_setting.mean(), independent_interval(of_setting))
        every = differences(overall)[name].to_numpy()
        row["all settings"] = points(every.mean(), independent_interval(every))
        row["rarest 4"] = points(differences(overall, "rarest_f1")[name].mean())
        row["below the best possible"] = points((own["upper"] - own["macro_f1"]).mean(), signed=False)
        rows.append(row)
    return pd.DataFrame(rows)


def spread(values: Floats) -> tuple[float, float]:
    """Return the middle 95 % of a figure over random splits: where a single split is likely to come out."""
    low, high = np.quantile(values, [0.025, 0.975])
    return low, high


def real_table(real: pd.DataFrame, interval: Interval, times: dict[str, float]) -> pd.DataFrame:
    """Tabulate what random splits of the real scores say, averaged over the models: one row a candidate."""
    average = over_models(real)
    gains = differences(average)
    ranks = real.groupby(["model", "draw"])["macro_f1"].rank(ascending=False).groupby(real["method"]).mean()
    rows = []
    for name in CANDIDATES:
        own = average[average["method"] == name]
        gain = gains[name].to_numpy()
        rows.append(
            {
                "method": name,
                "macro-F1": decimals(own["macro_f1"].mean()),
                "weighted": decimals(own["weighted_f1"].mean()),
                "micro": decimals(own["micro_f1"].mean()),
                "rarest 4": decimals(own["rarest_f1"].mean()),
                "below the upper bound": points((own["upper"] - own["macro_f1"]).mean(), signed=False),
                "macro-F1 less exact's": points(gain.mean(), interval(gain)),
                "splits won": "" if name == BASELINE else f"{100 * won(real, name):.0f} %",
                "mean rank": f"{ranks[name]:.1f}",
                "fit, ms": f"{times[name]:.1f}",
            }
        )
    return pd.DataFrame(rows)


def won(real: pd.DataFrame, name: str) -> float:
    """Return the share of splits and models in which a method beats the baseline; a draw counts half."""
    table = real.pivot_table(index=["model", "draw"], columns="method", values="macro_f1")
    gain = table[name] - table[BASELINE]
    return float(np.mean(gain > 0) + np.mean(gain == 0) / 2)


def model_table(real: pd.DataFrame, names: Sequence[str], interval: Interval) -> pd.DataFrame:
    """Tabulate the difference to the baseline for each model: one row a candidate."""
    rows = []
    for name in names:
        row = {"method": name}
        for model, own in real.groupby("model", sort=False):
            gain = differences(own)[name].to_numpy()
            row[str(model)] = points(gain.mean(), interval(gain))
        rows.append(row)
    return pd.DataFrame(rows)


def official_table(records: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the official split: macro-F1 and the difference to the baseline for each model."""
    rows = []
    for name, own in records.groupby("method", sort=False):
        row = {"method": str(name)}
        for found in own.to_dict(orient="records"):
            paired = "" if name == BASELINE else points(found["difference"], (found["low"], found["high"]))
            row[found["model"]] = f"{decimals(found['macro_f1'])} {paired}".strip()
        rows.append(row)
    upper = {model: decimals(own["upper"].iloc[0]) for model, own in records.groupby("model", sort=False)}
    return pd.DataFrame([*rows, {"method": UPPER, **upper}])


def decide(real: pd.DataFrame, names: Sequence[str], times: dict[str, float]) -> str:
    """Apply the rule to the candidates that stand for their methods, say why, and return the default."""
    average = over_models(real)
    macro, rare = (differences(average, figure).mean() for figure in ("macro_f1", "rarest_f1"))
    worst = pd.DataFrame({f: differences(own).mean() for f, own in real.groupby("family")}).min(axis=1)
    allowed = []
    for name in names:
        reasons = []
        if times[name] > SLOW_MS:
            reasons.append(f"{times[name]:.0f} ms")
        if worst[name] < -SAME_F1:
            reasons.append(f"worst model {points(worst[name])}")
        if rare[name] < 0:
            reasons.append(f"rarest labels {points(rare[name])}")
        verdict = f"not allowed: {', '.join(reasons)}" if reasons else "allowed"
        print(f"  {name}: {points(macro[name])}; {verdict}")
        if not reasons:
            allowed.append(name)
    best = max(macro[name] for name in allowed)
    return min((name for name in allowed if macro[name] >= best - SAME_F1), key=lambda name: times[name])


def decimals(value: float) -> str:
    """Write an F1 as ``.397``."""
    return f"{value:.4f}".removeprefix("0")


def points(value: float, interval: tuple[float, float] | None = None, *, signed: bool = True) -> str:
    """Write a difference of F1 in points, hundredths of F1, with its interval."""
    text = f"{100 * value:{'+' if signed else ''}.2f}"
    return text if interval is None else f"{text} [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]"


def markdown(table: pd.DataFrame) -> str:
    """Write a table in Markdown; numbers stand right."""
    lines = [list(table.columns), ["---", *["---:"] * (len(table.columns) - 1)], *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


# The picture


def draw(real: pd.DataFrame, names: Sequence[str], interval: Interval, path: Path) -> None:
    """Draw each method's difference to exact for each model, with its interval."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shown = [name for name in names if name != BASELINE]
    models = list(real["model"].unique())
    figure, panels = plt.subplots(1, len(models), figsize=(2.1 * len(models) + 1.4, 0.34 * len(shown) + 1.5),
                                  sharey=True, sharex=True, layout="constrained")  # fmt: skip
    for panel, model in zip(np.atleast_1d(panels), models, strict=True):
        gains = differences(real[real["model"] == model])
        for row, name in enumerate(shown):
            values = 100 * gains[name].to_numpy()
            if values.mean() < FIGURE_RANGE[0]:
                panel.text(FIGURE_RANGE[0], row, f" ← {values.mean():.1f}", fontsize=8, va="center")
                continue
            low, high = interval(values)
            clear = low > 0 or high < 0
            panel.plot([low, high], [row, row], color="#444444", linewidth=1.6, solid_capstyle="butt")
            panel.plot(
                values.mean(), row, "o", color="#0b5394" if clear else "white", markeredgecolor="#0b5394"
            )
        panel.axvline(0, color="#999999", linewidth=0.8, zorder=0)
        panel.set_xlim(FIGURE_RANGE)
        panel.set_title(model, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(axis="x", color="#e5e5e5", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    np.atleast_1d(panels)[0].set_yticks(range(len(shown)), shown)
    np.atleast_1d(panels)[0].invert_yaxis()
    figure.supxlabel("macro-F1 less that of exact, in points, with 95 % interval", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def measure(tasks: Sequence[partial[list[Record]]], pool: Executor, kept: Path | None) -> pd.DataFrame:
    """Do tasks and return their records; where a file of them is given and there, read it instead."""
    if kept is not None and kept.is_file():
        return pd.read_csv(kept)
    records = pd.DataFrame(itertools.chain.from_iterable(pool.map(run, tasks)))
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        records.to_csv(kept, index=False)
    return records


def run(task: partial[list[Record]]) -> list[Record]:
    """Do one task; a function of the module, so that a worker process finds it."""
    return task()


def main() -> None:
    """Measure, print the tables, and decide."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scores", type=Path, help="folder that benchmarks/threshold_scores.py has filled")
    parser.add_argument("--resamples", type=int, default=60, help="random splits of the real scores")
    parser.add_argument("--worlds", type=int, default=30, help="simulated worlds in each setting")
    parser.add_argument("--draws", type=int, default=2, help="fits in each world")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--figure", type=Path, help="PNG file for the picture")
    parser.add_argument("--records", type=Path, help="folder: what was measured before is read from there")
    options = parser.parse_args()
    models = [Kept.load(path) for path in sorted(options.scores.glob("*.npz"))]
    if not models:
        parser.error(f"{options.scores} holds no scores; run benchmarks/threshold_scores.py first")
    print(f"{len(models)} models: {', '.join(model.name for model in models)}", flush=True)

    # Alone, before the other processes start.
    times = {name: fit_time_ms(models[0], how) for name, how in CANDIDATES.items()}

    def kept(part: str) -> Path | None:
        return options.records / f"{part}.csv" if options.records else None

    worlds = itertools.product(SETTINGS, range(options.worlds))
    with ProcessPoolExecutor(options.processes) as pool:
        tasks = [partial(simulate, setting, seed, options.draws) for setting, seed in worlds]
        simulated = measure(tasks, pool, kept("simulated"))
        parts = []
        for model in models:
            splits = itertools.product((FIT_ROWS, FEW_FIT_ROWS), range(options.resamples))
            tasks = [partial(resample, model, rows, seed) for rows, seed in splits]
            parts.append(measure(tasks, pool, kept(model.name)))
    print_tables(models, simulated, pd.concat(parts), times, options.figure)


def print_tables(
    models: Sequence[Kept],
    simulated: pd.DataFrame,
    real: pd.DataFrame,
    times: dict[str, float],
    figure: Path | None,
) -> None:
    """Print all tables and what the rule says; draw the picture where a file is given for it."""
    half, few = (real[real["fit_rows"] == rows] for rows in (FIT_ROWS, FEW_FIT_ROWS))
    corrected = partial(corrected_interval, ratio=len(models[0].targets) / FIT_ROWS - 1)
    is_design = half["model"].isin(DESIGN_HALF)
    names = standing(simulated, half[is_design])
    worlds, splits = simulated.groupby("setting")["draw"].nunique().max(), half["draw"].nunique()
    print(f"\n## Simulated scores: {worlds} worlds a setting\n")
    print(markdown(simulated_table(simulated)))
    print(f"\n## Real scores: {splits} random splits, {FIT_ROWS} rows to fit, mean over models\n")
    print(markdown(real_table(half, corrected, times)))
    print("\n## The same for each model: macro-F1 less exact's\n")
    print(markdown(model_table(half, names, corrected)))
    print("\n## The official split: macro-F1 on test, and less exact's\n")
    print(markdown(official_table(pd.DataFrame(official(models, names)))))
    print(f"\n## Real scores, {FEW_FIT_ROWS} rows to fit; the interval is the middle 95 % of the splits\n")
    print(markdown(real_table(few, spread, times)))
    print("\n## The rule\n")
    print(f"default: {decide(half[~is_design], names, times)}")
    print("if all models evaluated:")
    print(f"default: {decide(half, names, times)}")
    if figure:
        draw(half, names, corrected, figure)


if __name__ == "__main__":
    main()
