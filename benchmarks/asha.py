r"""Who should go on at a rung of ASHA? Whole grids, replayed in many orders under several rules.

    python benchmarks/asha.py --data FOLDER_OF_GOEMOTIONS
    python benchmarks/asha.py --source sample: --space quickstart --set model.trainable=all \
        --set 'space.learning_rate={grid: [1.0e-4, 2.0e-4, 4.0e-4]}'
    python benchmarks/asha.py --rows 1000 --validation-rows 600 --space minilm_full \
        --set data.taxonomy=ekman --set 'space.batch_size={grid: [16, 32, 64]}'

Every trial of the grid is trained to its end, once, and its validation predictions at every report are kept
in WORK. The reports are then replayed in simulated time, two trials at once, in orders drawn at random: the
same for all rules. A rule sees at a rung what a scheduler sees in a search: the reports of the trials that
have come to it so far.

*Steps* are training steps as a share of the whole grid's. *Tied*: in how many orders the paired bootstrap
cannot tell the trial that the search ends with from the best of the whole grid; *behind* is by how much it is
worse.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measuring import find_goemotions, hardware, say, table, write_subset
from numpy.typing import NDArray

from goemo.data import load_splits
from goemo.significance import bootstrap, compare_draws
from goemo.thresholds import cross_fitted_predictions, threshold_options
from goemo.training import TrainingRun
from goemo.training.prepared import Prepared, prepare
from tune.engine.schedulers import goes_on, judged_at
from tune.forecast.simulation import TrialTimeline, simulate
from tune.spec import SearchSpec, configuration, load_spec, rungs

MIDDLE = 50  # per cent of a training, from which the rules for ties hold


@dataclass(frozen=True, eq=False)
class Trial:
    """One trial of the grid, trained to its end.

    Attributes:
        progress: Per cent at each report.
        steps: Optimizer steps from the report before to each.
        seconds: Of a core, likewise.
        objective: Of each report.
        draws: The objective in each resample of the validation rows, a row a report.
    """

    progress: tuple[int, ...]
    steps: tuple[int, ...]
    seconds: tuple[float, ...]
    objective: tuple[float, ...]
    draws: NDArray[np.float64]

    def at(self, progress: float) -> int:
        """Return which report stands for a rung: the first that has come to it."""
        return next(place for place, reached in enumerate(self.progress) if reached >= progress)

    @property
    def best(self) -> int:
        """Which report is the best."""
        return int(np.argmax(self.objective))


Others = Sequence[Trial]
Rule = Callable[[float, Trial, Others, float], bool]  # rung, trial, others there, reduction factor


def paper(rung: float, trial: Trial, others: Others, factor: float) -> bool:
    """Li et al. 2020: the best ``1 / factor`` of all that have come, itself included, at least one."""
    known = {str(place): other.objective[other.at(rung)] for place, other in enumerate(others)}
    return goes_on(trial.objective[trial.at(rung)], known, factor)


def quantile(rung: float, trial: Trial, others: Others, factor: float) -> bool:
    """As Ray's scheduler: up to the quantile of the others' objectives, interpolated."""
    known = [other.objective[other.at(rung)] for other in others]
    return not known or trial.objective[trial.at(rung)] >= np.percentile(known, 100 * (1 - 1 / factor))


def is_tied(rung: float, trial: Trial, others: Others) -> bool:
    """Whether the paired interval of the difference to the best of the rung holds zero."""
    leader = max(others, key=lambda other: other.objective[other.at(rung)])
    mine, best = trial.at(rung), leader.at(rung)
    difference = leader.objective[best] - trial.objective[mine]
    return not compare_draws(difference, leader.draws[best], trial.draws[mine]).can_tell_apart


def ties(rung: float, trial: Trial, others: Others, factor: float) -> bool:
    """The paper's; from the middle on, who is tied with the rung's leader goes on too."""
    return paper(rung, trial, others, factor) or (rung >= MIDDLE and is_tied(rung, trial, others))


def ties_anywhere(rung: float, trial: Trial, others: Others, factor: float) -> bool:
    """The same at every rung."""
    return paper(rung, trial, others, factor) or is_tied(rung, trial, others)


def extrapolated(rung: float, trial: Trial, others: Others, factor: float) -> bool:
    """The paper's, of where each curve will be at its end, if it goes on as a line over log progress."""

    def end(one: Trial) -> float:
        place = one.at(rung)
        if place == 0:
            return one.objective[0]
        slope = (one.objective[place] - one.objective[place - 1]) / math.log(
            one.progress[place] / one.progress[place - 1]
        )
        return one.objective[place] + slope * math.log(100 / one.progress[place])

    known = {str(place): end(other) for place, other in enumerate(others)}
    return goes_on(end(trial), known, factor)


RULES: Mapping[str, Rule] = {
    "the paper's": paper,
    "Ray's": quantile,
    "the paper's, and ties from the middle on": ties,
    "the paper's, and ties at every rung": ties_anywhere,
    "the paper's, on extrapolated curves": extrapolated,
}
PLACES = ((10, 3), (20, 3), (10, 4), (10, 2))  # grace, reduction factor


def train_grid(spec: SearchSpec, source: str, work: Path) -> list[Trial]:
    """Train every trial of a grid to its end, or read what an earlier call has left in WORK."""
    splits = load_splits(source, spec.data.taxonomy, seed=spec.seed)
    configurations = [configuration(spec, member) for member in spec.members]
    first = configurations[0]
    prepared = prepare(
        splits,
        first.checkpoint,
        trainable=first.trainable,
        pooling=first.pooling,
        max_lengths=sorted({one.max_length for one in configurations}),
        cache=work / "cache",
    )
    trials = []
    for number, one in enumerate(configurations, start=1):
        path = work / f"{spec.name}-{number}.npz"
        if not path.exists():
            say(f"{spec.name}: trial {number} of {len(configurations)}")
            np.savez_compressed(path, **trained(TrainingRun(one, prepared, threads=1), prepared))
        trials.append(read(path, splits.validation.targets, one.metric))
    return trials


def trained(run: TrainingRun, prepared: Prepared) -> dict[str, NDArray[np.generic]]:
    """Return progress, steps, seconds of a core and the cross-fitted predictions of every report."""
    targets = np.asarray(prepared.targets["validation"])
    options = threshold_options(run.configuration.thresholds)
    rows = []
    while not run.is_finished:
        started = time.process_time()
        report = run.advance()
        seconds = time.process_time() - started
        predicted = cross_fitted_predictions(report.scores.astype(np.float32), targets, **options)
        rows.append((report.progress, report.step, seconds, np.packbits(predicted)))
    names = ("progress", "step", "seconds", "predicted")
    return {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def read(path: Path, targets: NDArray[np.bool_], metric: str) -> Trial:
    """Return a trial as `trained` has left it."""
    with np.load(path) as kept:
        predicted = [
            np.unpackbits(packed, count=targets.size).reshape(targets.shape).view(np.bool_)
            for packed in kept["predicted"]
        ]
        drawn = bootstrap(targets, *predicted)
        return Trial(
            tuple(kept["progress"].tolist()),
            tuple(np.diff(kept["step"], prepend=0).tolist()),
            tuple(kept["seconds"].tolist()),
            tuple(one.estimate(metric) for one in drawn),
            np.array([one.draws(metric) for one in drawn]),
        )


def replayed(
    grid: Sequence[Trial], order: Sequence[int], rule: Rule, grace: float, factor: float
) -> tuple[float, float, bool]:
    """Run the reports of a grid again in simulated time, two trials at once, in some order.

    Returns:
        The share of the steps, how far the best trial that was seen lies behind the grid's best, and whether
        it is tied with it.
    """
    trials = [grid[place] for place in order]
    come: dict[float, dict[str, float]] = {rung: {} for rung in rungs(grace, factor)}
    seen: dict[int, int] = {}  # the best report of each trial so far

    def decide(number: int, progress: int) -> bool:
        trial = trials[number]
        place = trial.progress.index(progress)
        if number not in seen or trial.objective[place] > trial.objective[seen[number]]:
            seen[number] = place
        rung = judged_at(come, str(number), progress)
        if rung is None:
            return True
        others = [trials[int(other)] for other in come[rung]]
        come[rung][str(number)] = trial.objective[place]
        return not others or rule(rung, trial, others, factor)

    timelines = [TrialTimeline(trial.progress, trial.seconds, trial.steps) for trial in trials]
    steps = simulate(timelines, 2, decide).steps
    best = max(grid, key=lambda trial: trial.objective[trial.best])
    number = max(seen, key=lambda number: trials[number].objective[seen[number]])
    found, place = trials[number], seen[number]
    behind = best.objective[best.best] - found.objective[place]
    tied = (
        found is best or not compare_draws(behind, best.draws[best.best], found.draws[place]).can_tell_apart
    )
    return steps / sum(sum(trial.steps) for trial in grid), behind, tied


def replay(grid: Sequence[Trial], orders: int) -> str:
    """Return a table of the rules at several graces and factors, each over the same orders."""
    drawn = [np.random.default_rng((7, i)).permutation(len(grid)).tolist() for i in range(orders)]
    lines = []
    for grace, factor in PLACES:
        for name, rule in RULES.items():
            found = [replayed(grid, order, rule, grace, factor) for order in drawn]
            shares, behind, tied = (np.array(column) for column in zip(*found, strict=True))
            low, high = np.percentile(100 * shares, [5, 95])
            lines.append(
                [
                    name,
                    f"{grace} %, {factor}",
                    f"{100 * shares.mean():.1f} % ({low:.1f} to {high:.1f})",
                    f"{100 * tied.mean():.1f} %",
                    f"{behind.mean():.4f}",
                    f"{np.percentile(behind, 95):.4f}",
                ]
            )
    header = ["rule", "grace, factor", "steps (5 to 95 % of the orders)", "tied", "behind, mean"]
    return table([*header, "behind, 95 %"], lines)


def main() -> None:
    """Train the grid where that was not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published files")
    parser.add_argument("--source", help="other data, as in a search space: sample:")
    parser.add_argument("--rows", type=int, default=0, help="of GoEmotions' train; default: all")
    parser.add_argument("--validation-rows", type=int, default=0, help="of its validation; default: all")
    parser.add_argument("--space", default="minilm_head", help="a grid; default: minilm_head")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--orders", type=int, default=400, help="orders in which the reports are replayed")
    parser.add_argument("--work", type=Path, help="folder of what was trained; default: a new temporary one")
    options = parser.parse_args()
    work = (options.work or Path(tempfile.mkdtemp(prefix="asha-"))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    source = options.source
    if source is None:
        rows = {"train": options.rows, "validation": options.validation_rows}
        folder = work / "-".join(["data", *map(str, rows.values())])
        if not folder.is_dir():
            write_subset(find_goemotions(options.data), folder, **rows)
        source = f"dir:{folder}"
    spec = load_spec(options.space, overrides=options.overrides, data=source)
    say(f"the grid of {spec.total} trials, in {work}")
    grid = train_grid(spec, source, work)
    best = max(trial.objective[trial.best] for trial in grid)
    print(f"{hardware(1)}\n{spec.name}, {len(grid)} trials, best {best:.4f}, {options.orders} orders\n")
    print(replay(grid, options.orders))


if __name__ == "__main__":
    main()
