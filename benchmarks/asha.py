"""What ASHA saves on a real grid, and whether it keeps a trial that ties with the grid's best.

    python benchmarks/asha.py --data FOLDER_OF_GOEMOTIONS

The grid runs once with nobody stopped. Then it runs again under the ASHA of the search space, once for each
order of its trials: those that the seeds 0, 1, 2, ... give a shuffled grid. The order alone differs: every
training has the seed of the search space and gives the very scores of the full grid, as far as it
goes, which is checked. All searches are real ones, with their processes. Steps of training are compared, and
not seconds, because they do not depend on what else the machine does.

Last, the reports of the full grid are replayed in simulated time in many more orders, under other rungs and
under the rule of Ray's own class, which no machine has the time to train.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from measuring import find_goemotions, hardware, say, spread, table
from ray.tune.schedulers import TrialScheduler
from ray.tune.schedulers.async_hyperband import _Bracket

from tune.driver import resume_search, run_search
from tune.engine.schedulers import OBJECTIVE, PROGRESS, Asha
from tune.forecast.simulation import TrialTimeline, simulate
from tune.ranking import leaderboard
from tune.records import SearchFolder, TrialRecord, search_names
from tune.spec import SearchSpec, load_spec


@dataclass(frozen=True)
class Finished:
    """A search that has ended.

    Attributes:
        folder: Its records.
        records: Its trials by id.
        wall: Seconds, with the start and the end of Ray; None where it went on after an interrupt.
    """

    folder: SearchFolder
    records: dict[str, TrialRecord]
    wall: float | None

    def steps(self) -> float:
        """Return how many steps its trials have trained."""
        examples = self.folder.facts["data"]["splits"]["train"]["examples"]
        return sum(
            ceil(examples / r.config["batch_size"]) * r.config["epochs"] * r.progress / 100
            for r in self.records.values()
        )


def run(spec: SearchSpec) -> Finished:
    """Run a search, or go on with it where an earlier call of the benchmark was interrupted.

    Raises:
        SystemExit: A trial ended neither completed nor stopped early.
    """
    started = time.perf_counter()
    is_new = spec.name not in search_names()
    if is_new:
        run_search(spec, tracking_uri="none")
    else:
        resume_search(spec.name, tracking_uri="none")
    wall = time.perf_counter() - started if is_new else None
    folder = SearchFolder.open(spec.name)
    records = {record.trial_id: record for record in folder.snapshot().trials}
    reasons = {r.outcome.stop_reason if r.outcome else "unfinished" for r in records.values()}
    if len(records) != spec.total or reasons - {"completed", "stopped_early"}:
        raise SystemExit(f"{spec.name}: {len(records)} of {spec.total} trials, ended as {sorted(reasons)}")
    return Finished(folder, records, wall)


def in_order(spec: SearchSpec, seed: int) -> SearchSpec:
    """Return the search with its trials in the order that a seed gives, and nothing else changed."""
    order = np.random.default_rng(seed).permutation(len(spec.members))
    first = tuple(spec.members[int(place)] for place in order)
    return replace(spec, name=f"{spec.name}-{seed}", search=replace(spec.search, enqueue=first))


def check_equal(full: Finished, cut: Finished) -> None:
    """Make sure that every report of the second search is that of the first.

    Raises:
        SystemExit: A training differs.
    """
    measured = {"time", "seconds", "train/samples_per_second", "train/peak_memory_gb"}  # of the machine
    for trial_id, record in cut.records.items():
        for row, expected in zip(record.history, full.records[trial_id].history, strict=False):
            if {k: v for k, v in row.items() if k not in measured} != {
                k: v for k, v in expected.items() if k not in measured
            }:
                raise SystemExit(f"{trial_id} at {row['progress']} %: not what the full grid has there")


def compare(full: Finished, cut: Finished, order: int) -> tuple[list[str], float]:
    """Return a line of the table, and the share of the full grid's steps."""
    check_equal(full, cut)
    board = leaderboard.build(full.folder.snapshot())
    chosen = board.row(leaderboard.build(cut.folder.snapshot()).best.trial_id)
    tied = [row.trial_id for row in board.rows if row.tied_with_best]
    completed = [trial_id for trial_id, record in cut.records.items() if record.progress == 100]
    share = cut.steps() / full.steps()
    line = [
        str(order),
        f"{100 * share:.1f} %",
        str(len(completed)),
        f"{len(set(tied) & set(completed))} of {len(tied)}",
        f"{chosen.trial_id}, place {chosen.rank}",
        f"{chosen.objective - board.best.objective:+.4f}",
        "yes" if chosen.tied_with_best else "no",
        seconds(cut.wall),
    ]
    return line, share


def seconds(wall: float | None) -> str:
    """Return a wall time as text."""
    return "interrupted" if wall is None else f"{wall:,.0f} s"


class AsRay(Asha):
    """ASHA that decides as Ray's own class does."""

    def __init__(self, unfinished: Sequence[TrialRecord], spec: SearchSpec) -> None:
        super().__init__(unfinished, spec)
        for bracket in self._brackets:
            bracket.cutoff = functools.partial(_Bracket.cutoff, bracket)


@dataclass(frozen=True)
class Way:
    """Who decides, and from where on."""

    name: str
    asha: type[Asha]
    grace: int
    reduction_factor: float


WAYS = (
    Way("ours", Asha, 10, 3),
    Way("ours", Asha, 20, 3),
    Way("ours", Asha, 10, 4),
    Way("Ray's", AsRay, 10, 3),
    Way("Ray's", AsRay, 20, 3),
    Way("Ray's", AsRay, 10, 4),
)


def replayed(full: Finished, spec: SearchSpec, way: Way, order: Sequence[int]) -> tuple[float, float, bool]:
    """Run the full grid's reports again in simulated time, two trials at once, in some order.

    Returns:
        The share of the steps, how far the best trial that ended lies behind the grid's best, and whether it
        is tied with it.
    """
    records = [list(full.records.values())[place] for place in order]
    timelines = [timeline(full, record) for record in records]
    scheduler = replace(spec.scheduler, grace=way.grace, reduction_factor=way.reduction_factor)
    asha = way.asha([], replace(spec, scheduler=scheduler))
    trials = [SimpleNamespace(trial_id=record.trial_id) for record in records]
    for trial in trials:
        asha.on_trial_add(None, trial)
    best: dict[str, float] = defaultdict(float)

    def goes_on(number: int, progress: int) -> bool:
        record, trial = records[number], trials[number]
        objective = next(row[record.objective_name] for row in record.history if row["progress"] == progress)
        best[record.trial_id] = max(best[record.trial_id], objective)
        result = {PROGRESS: progress, OBJECTIVE: objective}
        return progress < 100 and asha.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE

    steps = simulate(timelines, 2, goes_on).steps
    board = leaderboard.build(full.folder.snapshot())
    chosen = max(best, key=lambda trial_id: best[trial_id])
    behind = board.best.objective - best[chosen]
    return steps / sum(sum(one.steps) for one in timelines), behind, board.row(chosen).tied_with_best


def timeline(full: Finished, record: TrialRecord) -> TrialTimeline:
    """Return what a trial of the full grid took to each of its reports."""
    examples = full.folder.facts["data"]["splits"]["train"]["examples"]
    total = ceil(examples / record.config["batch_size"]) * record.config["epochs"]
    progress = tuple(int(row["progress"]) for row in record.history)
    seconds = np.diff([0.0, *(row["seconds"] for row in record.history)])
    steps = np.diff([0, *(total * at // 100 for at in progress)])
    return TrialTimeline(progress, tuple(seconds.tolist()), tuple(steps.tolist()))


def replay(full: Finished, spec: SearchSpec, orders: int) -> str:
    """Return a table of the ways, each over the same orders drawn at random."""
    drawn = [np.random.default_rng((7, i)).permutation(spec.total).tolist() for i in range(orders)]
    lines = []
    for way in WAYS:
        found = [replayed(full, spec, way, order) for order in drawn]
        shares = [100 * share for share, _, _ in found]
        low, high = np.percentile(shares, [5, 95])
        lines.append(
            [
                way.name,
                f"{way.grace} %, {way.reduction_factor:g}",
                f"{np.mean(shares):.1f} % ({low:.1f} to {high:.1f})",
                f"{100 * np.mean([share > 45 for share in shares]):.0f} %",
                f"{100 * np.mean([tied for _, _, tied in found]):.1f} %",
                f"{np.mean([behind for _, behind, _ in found]):.4f}",
            ]
        )
    header = ["rule", "grace, factor", "training steps (5 to 95 %)", "orders above 45 %"]
    return table([*header, "orders whose best is tied", "behind, mean"], lines)


def main() -> None:
    """Run the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published files")
    parser.add_argument("--space", default="minilm_head", help="a grid; default: minilm_head")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--orders", type=int, default=5, help="how many orders of the trials")
    parser.add_argument(
        "--replay", type=int, default=400, help="orders in which the full grid's reports are replayed"
    )
    parser.add_argument("--work", type=Path, help="folder of the searches; default: a new temporary one")
    options = parser.parse_args()
    work = (options.work or Path(tempfile.mkdtemp(prefix="asha-"))).resolve()
    os.environ["GOEMO_RUNS"] = str(work)
    source = f"dir:{find_goemotions(options.data)}"
    spec = load_spec(options.space, overrides=options.overrides, data=source)
    asha = f"ASHA from {spec.scheduler.grace} %, reduction factor {spec.scheduler.reduction_factor:g}"

    say(f"the full grid of {spec.total} trials, in {work}")
    full = run(replace(spec, name=f"{spec.name}-full", scheduler=replace(spec.scheduler, algorithm="none")))
    lines, shares = [], []
    for order in range(options.orders):
        say(f"{asha}, order {order}")
        line, share = compare(full, run(in_order(spec, order)), order)
        lines.append(line)
        shares.append(100 * share)
    print(f"{hardware()}\n{spec.name}, {asha}; full grid {seconds(full.wall)}")
    print(leaderboard.summary(leaderboard.build(full.folder.snapshot())))
    header = ["order", "training steps", "completed", "tied kept", "chosen", "behind", "tied", "wall time"]
    print(table(header, lines))
    print(f"steps: {spread(shares)} % of those of the full grid")
    print(f"\nThe reports of the full grid, replayed in {options.replay} orders, two trials at once:\n")
    print(replay(full, spec, options.replay))


if __name__ == "__main__":
    main()
