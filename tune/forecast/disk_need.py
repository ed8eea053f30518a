"""Disk space that a search needs, and whether there is room for it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goemo.data import Splits
from goemo.errors import InputError
from goemo.files import amount
from tune.engine.preparation import ModelCheck
from tune.records import TrialRecord, runs_folder
from tune.spec import SearchSpec

# Tables, figures and the page of a trial, without its scores: 28 labels and 5,426 validation rows took
# 347 KB, and what the page embeds grows with the labels alone.
ARTIFACT_BYTES = 4e5
# The leaderboard, its figures and its page, in the records and in MLflow.
_SEARCH_BYTES = 1e7
_FLOAT16, _FLOAT32 = 2, 4


@dataclass(frozen=True)
class DiskNeed:
    """Bytes that a search adds to the disk at most.

    Attributes:
        frozen_output: The frozen encoder's output, shared by all trials.
        records: Scores, tables and figures of all trials, and what MLflow copies of them.
        weights: Of the leaders, and of trials that are about to become leaders.
        checkpoints: Of the trials that run at a time.
    """

    frozen_output: float
    records: float
    weights: float
    checkpoints: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.frozen_output + self.records + self.weights + self.checkpoints


def disk_needed(
    spec: SearchSpec,
    check: ModelCheck,
    *,
    labels: int,
    rows: tuple[int, int],
    at_once: int,
    ended: int = 0,
    frozen_output: float = 0,
    is_checkpointed: bool = False,
) -> DiskNeed:
    """Estimate what a search adds to the disk.

    Args:
        spec: The search.
        check: Of its model.
        labels: Of the data.
        rows: Of the validation and of the test split.
        at_once: How many trials run at a time.
        ended: How many have ended, so that what they add is there.
        frozen_output: Bytes of the frozen encoder's output that are still to be written.
        is_checkpointed: Whether trials last long enough to write checkpoints.
    """
    validation, test = rows
    scores = labels * validation * _FLOAT16
    # Once among the records, once among the artifacts, and what MLflow copies of those.
    files = scores + 2 * (scores + ARTIFACT_BYTES)
    if spec.objective.test == "every_trial":
        files += labels * test * _FLOAT16
    weights = check.weights * _FLOAT32
    trained = check.trained * _FLOAT32
    trials = max(0, spec.total + spec.confirm.most_trials(spec.total) - ended)
    leaders = max(0, min(spec.total, spec.keep_models + spec.confirm.top) - ended)
    kept = leaders + at_once if spec.keep_models else 0
    # The weights, two moments and the best weights; the earlier one stays until the next is whole.
    checkpoints = 2 * at_once * 4 * trained if is_checkpointed else 0
    return DiskNeed(
        frozen_output=frozen_output,
        records=trials * files + _SEARCH_BYTES,
        weights=kept * weights,
        checkpoints=checkpoints,
    )


def free_bytes(folder: Path) -> int:
    """Return what the disk of a folder has free; the folder need not exist yet."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_disk(
    spec: SearchSpec, splits: Splits, check: ModelCheck, *, records: Sequence[TrialRecord] | None = None
) -> float:
    """Refuse a search whose trials' files clearly do not fit, before the first of them is started.

    Counted is what is certain: neither checkpoints, which short trials do not write, nor the weights of
    trials that only may lead. What the frozen encoder writes is checked when its size is known.

    Args:
        spec: The search.
        splits: Its data.
        check: Of its model.
        records: Of the trials of a search that goes on; None for a new one.

    Returns:
        The bytes that the trials need, which must be left for them.

    Raises:
        InputError: They do not fit; the message says what takes how much, and what to change. A search that
            goes on cannot be changed.
    """
    need = disk_needed(
        spec,
        check,
        labels=len(splits.labels),
        rows=(len(splits.validation), len(splits.test)),
        at_once=0,
        ended=sum(record.outcome is not None for record in records or ()),
    )
    free = free_bytes(runs_folder())
    if need.total <= free:
        return need.total
    parts = [(need.records, "the trials' files", "the number of trials")]
    if need.weights:
        parts.append((need.weights, "the leaders' weights", "keep_models"))
    parts.sort(reverse=True)
    takes = ", ".join(f"{name} {amount(size)}" for size, name, _ in parts)
    keys = ", ".join(key for _, _, key in parts)
    remedy = f"make room, use another disk (GOEMO_RUNS), or change: {keys}"
    if records is not None:
        remedy = f"make room, then: goemo resume {spec.name}"
    problem = f"the search needs about {amount(need.total)} and the disk has {amount(free)} free ({takes})"
    raise InputError(str(runs_folder()), [f"{problem}; {remedy}"])
