"""The driver's work for a trial that has ended: its tables, figures and page, made once and timed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from goemo.data import Splits
from tune.environment import describe
from tune.records import Outcome, SearchFolder
from tune.spec import SearchSpec, configuration


def trial_files(spec: SearchSpec, splits: Splits, varied: dict[str, object]) -> float:
    """Make the files of a trial with scores at random, and delete them; return the seconds that this takes.

    Args:
        spec: The search.
        splits: Its data.
        varied: Of one of its trials.
    """
    from tune.reporting.artifacts import TrialArtifacts

    with tempfile.TemporaryDirectory(prefix="goemo-forecast-") as made:
        search = SearchFolder(Path(made) / "forecast")
        search.path.mkdir()
        search.write_validation(splits.validation.targets, splits.labels)
        search.add_facts(data={"source": splits.source}, environment=describe())
        artifacts = TrialArtifacts(search, splits)
        seconds = 0.0
        for number in range(2):  # the first also imports and finds fonts
            trial = search.trial(f"t{number:03d}")
            _pretend(trial.path, search, spec, splits, varied, seed=number)
            started = time.perf_counter()
            artifacts.write(trial.path.name)
            seconds = time.perf_counter() - started
    return seconds


def _pretend(
    folder: Path,
    search: SearchFolder,
    spec: SearchSpec,
    splits: Splits,
    varied: dict[str, object],
    *,
    seed: int,
) -> None:
    """Write the record of a trial that has ended, as far as its files depend on it."""
    trial = search.trial(folder.name)
    trial.write_config(configuration(spec, varied).to_dict(), varied)
    scores = np.random.default_rng(seed).beta(1, 8, size=splits.validation.targets.shape)
    metrics = ("macro_f1", "weighted_f1", "micro_f1", "macro_f1_at_0.5", "loss")
    row = {"progress": 100, "time": time.time(), "seconds": 1.0, **{f"val/{name}": 0.3 for name in metrics}}
    trial.write_report({**row, "train/loss": 0.1, "train/samples_per_second": 1.0}, scores)
    trial.write_outcome(Outcome("completed", ended_at=time.time()))
