"""The driver's work beside the trials, done once in small and timed: files, report, bag of words."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from goemo.data import Splits
from goemo.words import choose_settings, fit_words
from goemo.words.choosing import MOST_ROWS
from tune.answer.baseline import cache_folder
from tune.environment import describe
from tune.ranking import leaderboard
from tune.records import Outcome, SearchFolder, TrialFolder
from tune.spec import SearchSpec, configuration, tried_of

_ROWS = 500  # training rows of the bag of words that is timed


def files_and_report(
    spec: SearchSpec, splits: Splits, trials: Mapping[str, Mapping[str, Any]]
) -> tuple[float, float]:
    """Make the files of two trials with scores at random, and report on them; nothing stays.

    Args:
        spec: The search.
        splits: Its data.
        trials: What two of its trials vary, or its only one, by their ids.

    Returns:
        The seconds of the files of a trial, and of all that comes once: the report, and what is imported.
    """
    began = time.perf_counter()
    from tune.answer.blend import judge_blend
    from tune.reporting.artifacts import TrialArtifacts
    from tune.reporting.report import write_search_artifacts

    with tempfile.TemporaryDirectory(prefix="goemo-forecast-") as made:
        search = SearchFolder(Path(made) / "forecast")
        search.write_spec(spec.to_dict())
        search.write_validation(splits.validation.targets, splits.labels)
        search.add_facts(data={**splits.facts, "labels": splits.labels}, environment=describe())
        for number, (trial_id, varied) in enumerate(trials.items()):
            _pretend(search.trial(trial_id), spec, splits, varied, seed=number)
        artifacts = TrialArtifacts(search, splits)
        for trial_id in trials:  # the first also draws for the first time
            started = time.perf_counter()
            artifacts.write(trial_id)
            files_s = time.perf_counter() - started
        judge_blend(search)
        now = search.snapshot()
        write_search_artifacts(now, leaderboard.build(now), splits)
    return files_s, time.perf_counter() - began - len(trials) * files_s


def _pretend(
    trial: TrialFolder, spec: SearchSpec, splits: Splits, varied: Mapping[str, Any], *, seed: int
) -> None:
    """Write the record of a trial that has ended."""
    trial.write_config(configuration(spec, dict(varied)).to_dict(), varied)
    scores = np.random.default_rng(seed).beta(1, 8, size=splits.validation.targets.shape)
    metrics = ("macro_f1", "weighted_f1", "micro_f1", "macro_f1_at_0.5", "loss")
    row = {"progress": 100, "time": time.time(), "seconds": 1.0, **{f"val/{name}": 0.3 for name in metrics}}
    trial.write_report({**row, "train/loss": 0.1, "train/samples_per_second": 1.0}, scores)
    trial.write_outcome(Outcome("completed", ended_at=time.time()))


def fits_words(spec: SearchSpec, splits: Splits) -> bool:
    """Say whether the search will fit a bag of words: it wants one, and the cache has none."""
    is_wanted = spec.baseline != "none"
    return is_wanted and not cache_folder(splits, spec.seed, tried_of(spec.baseline)).is_dir()


def baseline_s(spec: SearchSpec, splits: Splits) -> float:
    """Return the seconds of one core that the bag of words will take, from those of a part of the rows.

    Choosing its settings takes a bounded number of rows, and fitting it all of them.
    """
    texts, n = splits.train.texts, len(splits.train)
    rows = np.random.default_rng(spec.seed).permutation(n)[:_ROWS]
    few, targets = [texts[row] for row in rows], splits.train.targets[rows]
    started = time.thread_time()
    choice = choose_settings(few, targets, among=tried_of(spec.baseline), seed=spec.seed)
    chosen_s = time.thread_time() - started
    fit_words(few, targets, choice.settings, labels=splits.labels)
    fitted_s = time.thread_time() - started - chosen_s
    return (chosen_s * min(n, MOST_ROWS) + fitted_s * n) / len(rows)
