"""What ASHA saves on a real grid, and whether it keeps a trial that ties with the grid's best.

    python benchmarks/asha.py --data FOLDER_OF_GOEMOTIONS

The grid runs once with nobody stopped. Then it runs again under the ASHA of the search space, once for each
order of its trials: those that the seeds 0, 1, 2, ... give a shuffled grid. The order alone differs: every
training has the seed of the search space and gives the very scores of the full grid, as far as it
goes, which is checked. All searches are real ones, with their processes. Steps of training are compared, and
not seconds, because they do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
from measuring import find_goemotions, hardware, say, spread, table

from tune import leaderboard
from tune.driver import resume_search, run_search
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
    records = {record.trial_id: record for record in folder.records()}
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
    board = leaderboard.build(full.folder)
    chosen = board.row(leaderboard.build(cut.folder).best.trial_id)
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


def main() -> None:
    """Run the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published files")
    parser.add_argument("--space", default="minilm_head", help="a grid; default: minilm_head")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--orders", type=int, default=5, help="how many orders of the trials")
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
    print(leaderboard.summary(leaderboard.build(full.folder)))
    header = ["order", "training steps", "completed", "tied kept", "chosen", "behind", "tied", "wall time"]
    print(table(header, lines))
    print(f"steps: {spread(shares)} % of those of the full grid")


if __name__ == "__main__":
    main()
