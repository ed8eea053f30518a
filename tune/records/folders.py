"""What a search leaves on disk, and the only file that knows where.

The records are the truth of a search: the leaderboard, the report, MLflow and `goemo resume` are all
derived from them, so that none of them has to survive a crash.

    mlruns/searches/NAME/
        search.yaml            the search space as it was run, every default filled in
        validation.npz         targets and labels of the validation split
        search.json            data digests, versions, hardware, when it started
        warm_start.json        written by the driver: what TPE knows of earlier searches
        system.jsonl           written by the driver: how busy its machine was, one line a sample
        log.txt                written by the driver: what each command did, and when
        leaders.json           written by the driver: the best objectives so far, by trial
        confirm.json           written by the driver: which trials are trained again with further seeds
        trials/t001/
            config.json        written by the driver, before the trial starts
            history.jsonl      written by the trial: one line a report, in order of progress
            scores.npz         written by the trial: validation scores of the best report, float16
            checkpoint/        written by the trial: enough to go on exactly
            model/             written by the trial: the bundle of a leader
            test_scores.npz    written by the trial, where every trial is tested
            outcome.json       written by the driver, when the trial has ended
            artifacts/         written by the driver, once the outcome is known
        trials/t001-s43/       the same of a confirmation: the configuration of t001, trained with seed 43
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import yaml

from goemo.configuration.outcomes import RANKED
from goemo.errors import GoemoError, InputError

StopReason = Literal["completed", "stopped_early", "failed", "diverged", "out_of_memory"]
STOP_REASONS: tuple[str, ...] = get_args(StopReason)
# What reading an archive of arrays raises where a part of it is missing or wrong.
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
# Of workers that were killed.
HALF_DONE = (".checkpoint*", ".partial-*", ".goemo-partial-*", ".scores*", ".test_scores*", "hang.txt")


def runs_folder() -> Path:
    """Return the folder that holds the store, the searches and the caches: ``$GOEMO_RUNS`` or ``mlruns``."""
    return Path(os.environ.get("GOEMO_RUNS", "mlruns")).absolute()


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader, or a crash, never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:  # a full disk gets nothing to keep that nobody reads
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        stop_reason: One of `STOP_REASONS`.
        message: One line for the user; empty for a trial that completed.
        details: A traceback, where there is one.
        ended_at: Seconds since the epoch.
    """

    stop_reason: StopReason
    message: str = ""
    details: str = ""
    ended_at: float = 0.0


@dataclass(frozen=True)
class TrialRecord:
    """One trial as its folder tells it.

    Attributes:
        trial_id: ``t001``, ``t002``, ...; of a grid, the position in the grid before shuffling.
        config: The fields of a `goemo.configuration.Configuration`.
        varied: The hyperparameters that the space varies, as asked for.
        history: One mapping per report: ``progress`` (per cent), ``time`` (seconds since the epoch),
            ``seconds`` (of training so far), ``gpu_seconds`` (these times its GPUs) and the metrics by their
            names in MLflow (``val/macro_f1``).
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
    def best(self) -> dict[str, float] | None:
        """The report with the highest objective, the earlier of equals; None before the first report."""
        if not self.history:
            return None
        return max(self.history, key=lambda row: (row[self.objective_name], -row["progress"]))

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

    def scores(self) -> npt.NDArray[np.float32]:
        """Return the validation scores of the best report, shape (n_examples, n_labels).

        Raises:
            GoemoError: The trial has not left any, or the file is damaged.
        """
        path = self.folder / "scores.npz"
        if not path.is_file():
            raise GoemoError(f"{self.trial_id}: no scores in {path}; the trial ended before its first report")
        try:
            with np.load(path, allow_pickle=False) as archive:
                return np.asarray(archive["scores"], dtype=np.float32)
        except DAMAGED as error:
            raise GoemoError(
                f"{self.trial_id}: {path} is damaged ({error}); to leave the trial out, move its folder away"
            ) from error


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
        """Return what the folder tells now."""
        config = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        outcome_path = self.path / "outcome.json"
        outcome = None
        if outcome_path.is_file():
            outcome = Outcome(**json.loads(outcome_path.read_text(encoding="utf-8")))
        return TrialRecord(
            trial_id=self.trial_id,
            config=config["config"],
            varied=config["varied"],
            history=tuple(self._history()),
            outcome=outcome,
            folder=self.path,
            confirms=config.get("confirms"),
        )

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
        partial = self.path / ".scores.partial.npz"
        np.savez_compressed(partial, scores=scores.astype(np.float16))
        partial.replace(self.path / "scores.npz")

    def write_test_scores(self, scores: npt.NDArray[np.floating[Any]]) -> None:
        """Keep the scores of the test split, which rank nothing."""
        partial = self.path / ".test_scores.partial.npz"
        np.savez_compressed(partial, scores=scores.astype(np.float16))
        partial.replace(self.path / "test_scores.npz")

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
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


class SearchFolder:
    """One search's records.

    Attributes:
        name: The search's name, unique in its store.
        path: Its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    @staticmethod
    def refuse_taken(name: str) -> None:
        """Make sure that a search can be made under this name.

        Raises:
            InputError: One exists.
        """
        if (runs_folder() / "searches" / name / "search.yaml").exists():
            problem = f"a search named {name!r} exists; choose another, or: goemo resume {name}"
            raise InputError("--name", [problem])

    @classmethod
    def create(
        cls, name: str, spec: Mapping[str, Any], *, text: str = "", facts: Mapping[str, Any] | None = None
    ) -> SearchFolder:
        """Make the folder of a new search.

        Args:
            name: The search.
            spec: The search space, every default filled in.
            text: The search space as it was given, for readers.
            facts: What `resume` has to know from the first moment on.

        Raises:
            InputError: A search of that name exists.
        """
        cls.refuse_taken(name)
        path = runs_folder() / "searches" / name
        path.mkdir(parents=True, exist_ok=True)
        if text:
            write_text(path / "artifacts" / "search_space.yaml", text)
        search = cls(path)
        if facts:
            write_json(path / "search.json", dict(facts))
        search.write_spec(spec)  # last: with it, the search exists
        return search

    @classmethod
    def open(cls, name: str) -> SearchFolder:
        """Find the folder of a search by name.

        Raises:
            InputError: There is none; the message lists those there are.
        """
        path = runs_folder() / "searches" / name
        if not (path / "search.yaml").is_file():
            known = ", ".join(search_names()) or "none yet"
            raise InputError(name, [f"no search of that name in {runs_folder()}; there are: {known}"])
        return cls(path)

    @property
    def spec(self) -> dict[str, Any]:
        """The search space as it was run, as plain values."""
        values: dict[str, Any] = yaml.safe_load((self.path / "search.yaml").read_text(encoding="utf-8"))
        return values

    def write_spec(self, spec: Mapping[str, Any]) -> None:
        """Write the search space, in place of the one before where the search was extended."""
        text = yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True)
        write_text(self.path / "search.yaml", text)

    @property
    def facts(self) -> dict[str, Any]:
        """What was true when it ran: data digests, versions, hardware. Empty before it is known."""
        path = self.path / "search.json"
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return facts

    def add_facts(self, **facts: Any) -> None:
        """Add to the facts, keeping those that are not named."""
        write_json(self.path / "search.json", {**self.facts, **facts})

    def trial(self, trial_id: str) -> TrialFolder:
        """Return the folder of one trial, which need not exist yet."""
        return TrialFolder(self.path / "trials" / trial_id)

    def write_validation(self, targets: npt.NDArray[np.bool_], labels: Sequence[str]) -> None:
        """Keep the validation targets, so that every number can be computed again from the folder alone."""
        partial = self.path / ".validation.partial.npz"
        np.savez_compressed(partial, targets=np.asarray(targets, dtype=np.bool_), labels=np.array(labels))
        partial.replace(self.path / "validation.npz")

    def validation(self) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
        """Return targets, shape (n_examples, n_labels), and label names of the validation split.

        Raises:
            GoemoError: The search ended before its data was prepared, or the file is damaged.
        """
        path = self.path / "validation.npz"
        if not path.is_file():
            raise GoemoError(f"{self.name}: nothing to show yet; its data was not prepared")
        try:
            with np.load(path, allow_pickle=False) as archive:
                return archive["targets"], tuple(str(name) for name in archive["labels"])
        except DAMAGED as error:
            raise GoemoError(
                f"{self.name}: {path} is damaged ({error}); to write it again: goemo resume {self.name}"
            ) from error

    def write_leaders(self, best: Mapping[str, float], keep: int) -> None:
        """Tell the trials whom they have to beat for their weights to be kept."""
        write_json(self.path / "leaders.json", {"keep": keep, "best": dict(best)})

    @property
    def warm_start(self) -> list[dict[str, Any]] | None:
        """Trials of earlier searches, as `tune.space.warm_start` has chosen them; None before that."""
        path = self.path / "warm_start.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def write_warm_start(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Keep what TPE knows of earlier searches."""
        write_json(self.path / "warm_start.json", list(trials))

    def add_system_sample(self, row: Mapping[str, float]) -> None:
        """Append how busy the machine was: ``step``, ``time`` and metrics by their names in MLflow."""
        with (self.path / "system.jsonl").open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(dict(row)))  # first, so that a torn line before it stays alone

    def system_samples(self) -> list[dict[str, float]]:
        """Return the samples of all processes that have driven the search, in order of their steps."""
        path = self.path / "system.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        # A full disk or a loss of power may tear a line; that sample is left out.
        return [json.loads(line) for line in lines if line.endswith("}")]

    def records(self) -> list[TrialRecord]:
        """Return the trials of the search, in order of their ids: what ranks, and what is learned from.

        Confirmations are not among them; see `confirmations`.
        """
        return [record for record in self._read("*") if record.confirms is None]

    def confirmations(self) -> list[TrialRecord]:
        """Return the trials that repeat one of the search with another seed, in order of their ids."""
        return [record for record in self._read("*-s*") if record.confirms is not None]

    @property
    def confirming(self) -> dict[str, Any] | None:
        """Which trials are confirmed, as `tune.ranking.confirm` has decided; None before that."""
        path = self.path / "confirm.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def write_confirming(self, decision: Mapping[str, Any]) -> None:
        """Keep the decision which trials are confirmed."""
        write_json(self.path / "confirm.json", dict(decision))

    def _read(self, names: str) -> list[TrialRecord]:
        """Return the trials whose ids fit a pattern."""
        files = self.path.glob(f"trials/{names}/config.json")
        return [TrialFolder(path.parent).read() for path in sorted(files)]


def leaders_beaten_by(trial: TrialFolder, objective: float) -> bool:
    """Whether a trial with this objective may belong to the leaders, whose weights are kept."""
    path = trial.path.parent.parent / "leaders.json"
    if not path.is_file():
        return True
    leaders = json.loads(path.read_text(encoding="utf-8"))
    keep, others = int(leaders["keep"]), [float(value) for value in leaders["best"].values()]
    # At a tie the leaderboard decides by trial id: the driver does, and deletes the other's weights.
    return keep > 0 and (len(others) < keep or objective >= min(others))


def search_names() -> list[str]:
    """Return the names of the searches in the store, oldest first."""
    files = (runs_folder() / "searches").glob("*/search.yaml")
    return [p.parent.name for p in sorted(files, key=lambda p: p.stat().st_mtime)]
