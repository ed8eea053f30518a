"""The folder of one trial: reading and writing it."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from goemo.configuration.json_files import UnreadableError, read_json, read_json_lines
from goemo.configuration.outcomes import RANKED
from goemo.errors import GoemoError
from tune.records.declared import KEYS, Leaders, Outcome, ReportRow, TrialConfig
from tune.records.writing import write_arrays, write_json, write_text

# What stands beside the trials and is none of them: a bag of words, and the best models as one.
BASELINE, BLEND = "baseline", "blend"
ANSWERS = (BASELINE, BLEND)

# What reading an archive of arrays raises where a part of it is missing or wrong.
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
# Of workers that were killed.
HALF_DONE = (".checkpoint*", ".partial-*", ".goemo-partial-*", ".scores*", ".test_scores*", "hang.txt")


def confirmation_id(leader: str, seed: int) -> str:
    """Return the id of the trial that repeats a leader with another seed: ``t007-s43``."""
    return f"{leader}-s{seed}"


# Of each report, whatever ranks.
RANKING_METRICS = ("val/macro_f1", "val/weighted_f1", "val/micro_f1", "val/macro_f1_at_0.5")


def is_confirmation(trial_id: str) -> bool:
    """Whether a trial of this id repeats another one, as `confirmation_id` names it."""
    return "-s" in trial_id


class DamagedTrialError(GoemoError):
    """A file of a trial's record is not what it should be: the trial is lost, and nothing else.

    Args:
        folder: The trial's.
        why: One line that names the file and the field.

    Attributes:
        trial_id: The trial.
        search: Name of the search that it belongs to.
    """

    def __init__(self, folder: Path, why: str) -> None:
        super().__init__(f"{folder.name}: {why}")
        self.trial_id = folder.name
        self.search = folder.parent.parent.name


@dataclass(frozen=True)
class TrialRecord:
    """One trial as its folder tells it.

    Attributes:
        trial_id: ``t001``, ``t002``, ...; of a grid, the position in the grid before shuffling.
        config: The fields of a `goemo.configuration.Configuration`.
        varied: The hyperparameters that the space varies, as asked for.
        history: One mapping per report: ``progress`` (per cent), ``time`` (seconds since the epoch),
            ``seconds`` (of training so far), ``gpu_seconds`` (these times its GPUs) and the metrics by their
            names in MLflow (``val/macro_f1``); among them what `goemo.training.reading_cost` measures
            (``cost/ms_per_text``), which records of an earlier version lack.
        outcome: None while the trial has not ended.
        folder: Where all this stands.
        confirms: The trial whose configuration this one repeats with another seed; None for a trial of the
            search itself.
    """

    trial_id: str
    config: dict[str, Any]
    varied: dict[str, Any]
    history: tuple[dict[str, float], ...]
    outcome: Outcome | None
    folder: Path
    confirms: str | None = None

    @property
    def search(self) -> str:
        """Name of the search that it belongs to."""
        return self.folder.parent.parent.name

    @property
    def progress(self) -> int:
        """Per cent of its training that the trial has reported, 0 to 100."""
        return int(self.history[-1]["progress"]) if self.history else 0

    @property
    def objective_name(self) -> str:
        """The metric that ranks, as named in the history."""
        return f"val/{self.config['metric']}"

    @property
    def seed(self) -> int:
        """The seed that the trial is trained with."""
        return int(self.config.get("seed", KEYS["seed"].default))

    @property
    def best(self) -> dict[str, float] | None:
        """The report with the highest objective, the earlier of equals; None before the first report."""
        if not self.history:
            return None
        return max(self.history, key=lambda row: (row[self.objective_name], -row["progress"]))

    def ranked_report(self) -> dict[str, float]:
        """Return the best report of a trial that has one, with all that ranks.

        Raises:
            DamagedTrialError: Something is missing in it.
        """
        assert self.best is not None
        missing = [name for name in RANKING_METRICS if name not in self.best]
        if missing:
            where = self.folder / "history.jsonl"
            raise DamagedTrialError(self.folder, f"{where} is damaged: {missing[0]}: is missing")
        return self.best

    @property
    def objective(self) -> float | None:
        """The best report's objective; None before the first report."""
        return None if self.best is None else self.best[self.objective_name]

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation that the trial has reported."""
        return float(self.history[-1]["seconds"]) if self.history else 0.0

    @property
    def gpu_seconds(self) -> float:
        """The same, times the GPUs, or the share of one, that it had."""
        return float(self.history[-1].get("gpu_seconds", 0.0)) if self.history else 0.0

    @property
    def is_ranked(self) -> bool:
        """Whether the trial can stand on the leaderboard."""
        return bool(self.history) and (self.outcome is None or self.outcome.stop_reason in RANKED)

    def scores(self, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.float32]:
        """Return the validation scores of the best report, shape (n_examples, n_labels).

        Args:
            shape: That of the targets, which the scores must have too; None where it is not known.

        Raises:
            DamagedTrialError: The trial has not left any, or the file is damaged.
        """
        path = self.folder / "scores.npz"
        if not path.is_file():
            raise DamagedTrialError(
                self.folder, f"no scores in {path}; the trial ended before its first report"
            )
        try:
            with np.load(path, allow_pickle=False) as archive:
                return _checked_scores(archive["scores"], shape)
        except DAMAGED as error:
            raise DamagedTrialError(self.folder, f"{path} is damaged ({error})") from error


class TrialFolder:
    """Writes one trial's record; safe against a crash between any two calls."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def trial_id(self) -> str:
        """Its id in the search, such as ``t001``."""
        return self.path.name

    @property
    def is_begun(self) -> bool:
        """Whether it was written down what the trial is to train."""
        return (self.path / "config.json").is_file()

    @property
    def checkpoint_time(self) -> int:
        """When the trial last saved what it takes to go on, in nanoseconds; 0 where it has not."""
        try:
            return (self.path / "checkpoint").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def read(self) -> TrialRecord:
        """Return what the folder tells now.

        Raises:
            DamagedTrialError: One of its files is not what it should be; the message names file and field.
        """
        try:
            asked = read_json(self.path / "config.json", TrialConfig)
            ended = self.path / "outcome.json"
            record = TrialRecord(
                trial_id=self.trial_id,
                config=dict(asked.config),
                varied=dict(asked.varied),
                history=tuple(self._history()),
                outcome=read_json(ended, Outcome) if ended.is_file() else None,
                folder=self.path,
                confirms=asked.confirms,
            )
            _check(record)
        except UnreadableError as error:
            raise DamagedTrialError(self.path, f"damaged record: {error}") from error
        return record

    def write_config(
        self, config: Mapping[str, Any], varied: Mapping[str, Any], *, confirms: str | None = None
    ) -> None:
        """Record what was asked for; of a confirmation, also which trial it repeats with another seed."""
        told = {} if confirms is None else {"confirms": confirms}
        write_json(self.path / "config.json", {"config": dict(config), "varied": dict(varied), **told})

    def write_report(self, row: Mapping[str, float], scores: npt.NDArray[np.floating[Any]] | None) -> None:
        """Append one report, replacing any at the same or a later progress; keep ``scores`` if given.

        A trial that went on from an earlier point reports again what it had reported after it.
        """
        if scores is not None:
            self.write_scores(scores)
        rows = [*(r for r in self._history() if r["progress"] < row["progress"]), dict(row)]
        write_text(self.path / "history.jsonl", "".join(json.dumps(r, allow_nan=False) + "\n" for r in rows))

    def write_scores(self, scores: npt.NDArray[np.floating[Any]]) -> None:
        """Keep the validation scores of the best report."""
        write_arrays(self.path / "scores.npz", scores=scores.astype(np.float16))

    def write_test_scores(self, scores: npt.NDArray[np.floating[Any]]) -> None:
        """Keep the scores of the test split, which rank nothing."""
        write_arrays(self.path / "test_scores.npz", scores=scores.astype(np.float16))

    def write_predictions(self, progress: int, predictions: npt.NDArray[np.bool_]) -> None:
        """Keep the cross-fitted predictions of a report, a bit each, for who is compared with it there."""
        path = self.path / f"predictions-{progress:03}.npy"
        partial = path.with_name(f".partial-{path.name}")
        with partial.open("wb") as file:
            np.save(file, np.packbits(predictions))
        partial.replace(path)

    def predictions(self, progress: float, shape: tuple[int, ...]) -> npt.NDArray[np.bool_] | None:
        """Return the predictions of the first report from a progress on that were kept; None where none were.

        Raises:
            DamagedTrialError: The file holds something else.
        """
        kept = sorted(self.path.glob("predictions-???.npy"))
        path = next((one for one in kept if one.stem >= f"predictions-{math.ceil(progress):03}"), None)
        if path is None:
            return None
        count = math.prod(shape)
        try:
            packed = np.load(path, allow_pickle=False)
            if packed.dtype != np.uint8 or packed.shape != (-(-count // 8),):
                raise ValueError(f"must be {-(-count // 8)} bytes, got {packed.dtype} {packed.shape}")
        except DAMAGED as error:
            raise DamagedTrialError(self.path, f"{path} is damaged ({error})") from error
        return np.unpackbits(packed, count=count).reshape(shape).view(np.bool_)

    def truncate_history(self, progress: int) -> None:
        """Drop the reports after ``progress``, because the trial will make them again."""
        rows = [r for r in self._history() if r["progress"] <= progress]
        write_text(self.path / "history.jsonl", "".join(json.dumps(r) + "\n" for r in rows))

    def write_outcome(self, outcome: Outcome) -> None:
        """Record how the trial ended and drop its checkpoint, which nothing needs any more."""
        write_json(self.path / "outcome.json", asdict(outcome))
        self.drop_leftovers()

    def drop_leftovers(self) -> None:
        """Delete what an ended trial needs no more: its checkpoint, and what a killed worker left."""
        half_done = (path for pattern in HALF_DONE for path in self.path.glob(pattern))
        for path in (self.path / "checkpoint", *half_done):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _history(self) -> list[dict[str, float]]:
        path = self.path / "history.jsonl"
        if not path.is_file():
            return []
        return [row.root for row in read_json_lines(path, ReportRow)]


def leaders_beaten_by(trial: TrialFolder, objective: float) -> bool:
    """Whether a trial with this objective may belong to the leaders, whose weights are kept."""
    path = trial.path.parent.parent / "leaders.json"
    if not path.is_file():
        return True
    try:
        leaders = read_json(path, Leaders)
    except UnreadableError:
        return True  # weights too many cost some disk; the driver writes the file anew
    keep, others = leaders.keep, list(leaders.best.values())
    # At a tie the leaderboard decides by trial id: the driver does, and deletes the other's weights.
    return keep > 0 and (len(others) < keep or objective >= min(others))


def _checked_scores(array: npt.NDArray[Any], shape: tuple[int, ...] | None) -> npt.NDArray[np.float32]:
    """Return an array of scores, or raise ValueError where it is none."""
    scores = np.asarray(array)
    if scores.ndim != 2 or not np.issubdtype(scores.dtype, np.floating):
        raise ValueError(f"scores must be real numbers of two dimensions, got {scores.dtype} {scores.shape}")
    if shape is not None and scores.shape != shape:
        raise ValueError(f"scores {scores.shape} must have the shape of the targets, {shape}")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("scores must lie in [0, 1]")
    return scores.astype(np.float32)


def _check(record: TrialRecord) -> None:
    """Raise UnreadableError where id and configuration differ, or a report has no objective or no place."""
    if (record.confirms is not None) != is_confirmation(record.trial_id):
        where = record.folder / "config.json"
        raise UnreadableError(
            f"{where}: confirms: must be given for the id of a confirmation, and for no other"
        )
    path = record.folder / "history.jsonl"
    before = 0.0
    for number, row in enumerate(record.history, start=1):
        if record.objective_name not in row:
            raise UnreadableError(f"{path}, line {number}: {record.objective_name}: is missing")
        if row["progress"] <= before:
            raise UnreadableError(f"{path}, line {number}: progress: must rise from report to report")
        before = row["progress"]
