"""Finished seeds of a retrain, kept until its model is saved, so that a killed command loses none."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat

from goemo.configuration.json_files import UnreadableError, read_json
from goemo.data import Splits
from goemo.errors import GoemoError
from goemo.training import TrainingRun
from goemo.training.prepared import Prepared
from tune.environment import versions
from tune.models.exported import Exported
from tune.records import runs_folder, write_json

_FILE = "seeds.json"


class _Kept(BaseModel):
    """``seeds.json``: outcomes and reports as `EndedSeeds` has them.

    ``best`` is the seed whose training is kept beside the file; None where no seed has given a model.
    """

    model_config = ConfigDict(extra="forbid")

    outcomes: list[dict[str, FiniteFloat | int | str | None]]
    reports: list[dict[str, FiniteFloat | int]]
    best: int | None


class EndedSeeds:
    """What the seeds of one retrain have given.

    Args:
        exported: What is trained.
        splits: On what.
        wanted: The seeds; a single one is not kept, for it would not be saved any sooner.

    Attributes:
        outcomes: For each seed its best objective and the progress of that report; where it gave no model,
            both are None and ``stop_reason`` says why.
        reports: Every report of every seed.
        best: The training of the best seed.
    """

    def __init__(self, exported: Exported, splits: Splits, wanted: range) -> None:
        configuration = exported.configuration
        decides = [configuration.to_dict(), exported.origin.threads, splits.digest, versions()]
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        self._folder = runs_folder() / "cache" / "seeds" / digest[:32]
        self._exported, self.wanted = exported, wanted
        self.outcomes: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.best: TrainingRun | None = None

    def take_up(self, prepared: Prepared) -> None:
        """Read what an earlier command has kept, which is nothing where it is damaged.

        Memory may have been short for a while: a seed that ran out of it is trained again.
        """
        try:
            kept = read_json(self._folder / _FILE, _Kept)
            if not {one["seed"] for one in kept.outcomes} <= set(self.wanted):
                return  # fewer are asked for, and the best may be none of them
            if kept.best is not None:
                self.best = TrainingRun.restore(
                    replace(self._exported.configuration, seed=kept.best),
                    prepared,
                    self._folder / str(kept.best),
                    threads=self._exported.origin.threads,
                )
        except (UnreadableError, GoemoError, KeyError, ValueError):
            return
        self.outcomes = [one for one in kept.outcomes if one.get("stop_reason") != "out_of_memory"]
        ended = {one["seed"] for one in self.outcomes}
        self.reports = [row for row in kept.reports if row["seed"] in ended]

    def add(self, outcome: Mapping[str, Any], run: TrainingRun | None = None) -> None:
        """Keep how a seed has ended; with its training where it is the best so far."""
        self.outcomes.append(dict(outcome))
        if run is not None:
            self.best = run
        if len(self.wanted) == 1:
            return
        if run is not None:
            run.save(self._folder / str(outcome["seed"]))
        best = None if self.best is None else self.best.configuration.seed
        write_json(self._folder / _FILE, {"outcomes": self.outcomes, "reports": self.reports, "best": best})
        for path in self._folder.iterdir():
            if path.is_dir() and path.name != str(best):
                shutil.rmtree(path)

    def forget(self) -> None:
        """Remove what is kept: the model is saved."""
        shutil.rmtree(self._folder, ignore_errors=True)
