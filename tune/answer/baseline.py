"""The baseline of a search: a bag of words, fitted beside the first trials in a process of its own.

A thread waits for that process and writes the record. Should the driver be killed, the process goes on and
leaves its model in the cache, where the resumed search finds it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from goemo.data import Splits
from goemo.errors import GoemoError
from goemo.evaluation import as_kept, validation_metrics
from goemo.thresholds import threshold_options
from goemo.words import CachedWords, WordsConfiguration, cache_key, read_cached
from tune.records import BASELINE, Outcome, SearchFolder, TrialRecord, runs_folder
from tune.spec import SearchSpec, tried_of

_log = logging.getLogger(__name__)


class BaselineFit:
    """Fits the baseline of a search beside whatever the block does; use as a context manager.

    Where it is there already, or the search wants none, nothing happens. At the end of the block, what still
    fits is stopped: `wait` first for what shall be there.

    Args:
        spec: The search.
        search: Its records.
        splits: Its data.
        on_known: Called in a thread with the record, once it is written.
    """

    def __init__(
        self,
        spec: SearchSpec,
        search: SearchFolder,
        splits: Splits,
        on_known: Callable[[TrialRecord], None] | None = None,
    ) -> None:
        self._spec, self._search, self._splits = spec, search, splits
        self._on_known = on_known
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="baseline", daemon=True)
        self.trouble: str | None = None

    def __enter__(self) -> Self:
        record = self._search.snapshot().answers.get(BASELINE)
        if self._spec.baseline != "none" and (record is None or record.outcome is None):
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_stopped.set()
            if self._process is not None:
                self._process.terminate()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_running(self) -> bool:
        """Whether it still fits."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait until the baseline is there, or could not be made."""
        if self.is_running:
            self._thread.join()

    def _work(self) -> None:
        try:
            cached = self._cached() or self._fitted()
            record = write_baseline(self._search, self._spec, self._splits, cached)
            _log.info("baseline: %s %.4f; %s", record.objective_name, record.objective, cached.note)
            if self._on_known is not None:
                self._on_known(record)
        except Exception as error:  # noqa: BLE001 - told by `trouble`; a search is not worth less without it
            if not self._is_stopped.is_set():
                self.trouble = " ".join(str(error).split()) or type(error).__name__
                _log.warning("no baseline: %s", self.trouble)

    def _cached(self) -> CachedWords | None:
        try:
            return read_cached(self._folder)
        except (OSError, ValueError) as error:
            _log.warning("%s is damaged and is rebuilt: %s", self._folder, error)
            shutil.rmtree(self._folder, ignore_errors=True)
            return None

    def _fitted(self) -> CachedWords:
        with tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as errors:
            rows.write(json.dumps(_rows(self._splits, self._spec)).encode())
            rows.seek(0)
            command = [sys.executable, "-m", "goemo.words", str(self._folder)]
            with self._lock:
                if self._is_stopped.is_set():
                    raise GoemoError("stopped before it started")
                self._process = subprocess.Popen(  # noqa: S603 - of this project, nothing of it from outside
                    command, stdin=rows, stdout=subprocess.DEVNULL, stderr=errors, env=_one_core()
                )
            code = self._process.wait()
            errors.seek(0)
            told = errors.read().decode(errors="replace").strip().splitlines()
        found = read_cached(self._folder) if code == 0 else None
        if found is None:
            raise GoemoError(f"its process exited with code {code}: {told[-1] if told else 'no output'}")
        return found

    @property
    def _folder(self) -> Path:
        return cache_folder(self._splits, self._spec.seed, tried_of(self._spec.baseline))


def cache_folder(splits: Splits, seed: int, among: Mapping[str, Sequence[Any]] = {}) -> Path:
    """Return where the bag of words of this data is kept, once its settings are chosen and it is fitted."""
    return runs_folder() / "cache" / cache_key(splits.train.digest, splits.validation.digest, seed, among)


def write_baseline(
    search: SearchFolder, spec: SearchSpec, splits: Splits, cached: CachedWords
) -> TrialRecord:
    """Write the baseline's record, as a trial's, and return it; its outcome comes last."""
    scores, targets = as_kept(cached.scores), splits.validation.targets
    configuration = WordsConfiguration(
        **asdict(cached.settings),
        metric=spec.objective.metric,
        thresholds=spec.objective.thresholds,
        seed=spec.seed,
    )
    settings = configuration.to_dict()
    folder = search.trial(BASELINE)
    folder.write_config(settings, {name: settings[name] for name in ("C", "word_ngrams", "char_ngrams")})
    row = {
        "progress": 100,
        "time": time.time(),
        "seconds": cached.seconds,
        "gpu_seconds": 0.0,
        **validation_metrics(scores, targets, **threshold_options(spec.objective.thresholds)),
        "val/loss": _cross_entropy(scores, targets),
    }
    folder.write_report(row, scores)
    message = "; ".join([cached.note, *cached.notes])
    folder.write_outcome(Outcome(stop_reason="completed", message=message, ended_at=time.time()))
    return folder.read()


def _rows(splits: Splits, spec: SearchSpec) -> dict[str, Any]:
    """Return what the process reads."""
    return {
        "texts": splits.train.texts,
        "targets": [np.flatnonzero(row).tolist() for row in splits.train.targets],
        "validation": splits.validation.texts,
        "labels": list(splits.labels),
        "among": tried_of(spec.baseline),
        "seed": spec.seed,
    }


def _one_core() -> dict[str, str]:
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    root = str(Path(__file__).resolve().parents[2])  # so that goemo is found where it is not installed
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **dict.fromkeys(threads, "1"), "PYTHONPATH": path}


def _cross_entropy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean over examples and labels of -log p of what is true; scores stay off 0 and 1."""
    inside = np.clip(scores.astype(np.float64), 2.0**-24, 1 - 2.0**-24)
    return float(-np.where(targets, np.log(inside), np.log1p(-inside)).mean())
