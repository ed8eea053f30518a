"""One trial inside a Ray actor: train to the next report, write it down, tell the driver.

The actor is reused: the next trial finds torch and transformers imported, CUDA started and the
shared data mapped. What a trial leaves is on disk before the driver hears of it, so a trial that is
started again, in this actor or another, goes on from its own folder and not from Ray's memory.
"""

from __future__ import annotations

import gc
import importlib
import shutil
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import ray.tune as ray_tune

from goemo.errors import GoemoError
from tune.records import Outcome, SearchFolder, StopReason, TrialFolder, TrialRecord, leaders_beaten_by
from tune.schedulers import OBJECTIVE, PROGRESS

if TYPE_CHECKING:
    from goemo.training import Report, TrainingRun

ENDED = "ended"  # the key under which a trial tells the driver how it ended by itself


def _import_what_trials_need() -> None:
    """Import what takes seconds; without the collector, for what is imported stays."""
    gc.disable()
    try:
        for name in ("transformers.modeling_utils", "goemo.bundle", "goemo.prepared", "goemo.training"):
            importlib.import_module(name)
    finally:
        gc.enable()


class TrialActor(ray_tune.Trainable):  # type: ignore[misc]  # Ray ships no types
    """Runs trials, one after the other.

    Its Ray configuration holds ``folder`` (the trial's), ``prepared`` (what all trials share),
    ``threads``, ``device``, ``gpus``, ``checkpoint_every_s`` and ``with_test``.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first trial; the work starts with the first `step`, where errors are caught."""
        _import_what_trials_need()
        self.reset_config(config)
        _keep_to_share(config["gpus"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial."""
        self.task = new_config
        self.folder = TrialFolder(Path(new_config["folder"]))
        self.training: TrainingRun | None = None
        self.saved_at = time.monotonic()
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next report; a trial that cannot go on says why and ends."""
        from torch import AcceleratorError, OutOfMemoryError

        from goemo.training import Diverged

        try:
            return self._advance()
        except Diverged as error:
            return self._ended("diverged", str(error))
        except (OutOfMemoryError, MemoryError) as error:
            return self._ended("out_of_memory", str(error) or "the machine's memory is full")
        except AcceleratorError:
            raise  # the GPU's state in this process is lost: Ray starts another worker
        except Exception as error:  # noqa: BLE001 - whatever it is, the search goes on and shows it
            return self._ended("failed", f"{type(error).__name__}: {error}", traceback.format_exc())

    def save_checkpoint(self, checkpoint_dir: str) -> None:  # noqa: ARG002 - Ray's signature
        """Save what a paused trial needs, for schedulers that pause."""
        if self.training is not None:
            self.training.save(self.folder.path / "checkpoint")

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Go on from the trial's own folder, which `step` does by itself."""

    def _advance(self) -> dict[str, Any]:
        record = self.folder.read()
        if self.training is None:
            if record.progress == 100:  # it had ended, but the driver died before it heard so
                return {PROGRESS: 100, OBJECTIVE: record.objective, "done": True}
            self.training = self._begin(record)
        started = time.monotonic()
        report = self.training.advance()
        seconds = self.folder.read().seconds + time.monotonic() - started
        row = {"progress": report.progress, "time": time.time(), "seconds": seconds, **report.metrics}
        if report.is_best and leaders_beaten_by(self.folder, report.metrics[record.objective_name]):
            self._keep_model(report)
        if self.training.is_finished and self.task["with_test"]:
            self.folder.write_test_scores(self.training.scores("test"))
        # Last, because a trial whose history has a report is not asked again for what belongs to it.
        self.folder.write_report(row, report.scores if report.is_best else None)
        overdue = time.monotonic() - self.saved_at > self.task["checkpoint_every_s"]
        if overdue and not self.training.is_finished:
            self.training.save(self.folder.path / "checkpoint")
            self.saved_at = time.monotonic()
        return {
            PROGRESS: report.progress,
            OBJECTIVE: report.metrics[record.objective_name],
            "done": self.training.is_finished,
        }

    def _begin(self, record: TrialRecord) -> TrainingRun:
        """Start the training, or go on from the trial's checkpoint."""
        from goemo.configuration import Configuration
        from goemo.prepared import Prepared
        from goemo.training import TrainingRun

        configuration = Configuration.from_dict(record.config)
        prepared = Prepared.open(Path(self.task["prepared"]))
        checkpoint = self.folder.path / "checkpoint"
        where = {"device": self.task["device"], "threads": self.task["threads"]}
        training = None
        if checkpoint.is_dir():
            try:
                training = TrainingRun.restore(configuration, prepared, checkpoint, **where)
            except GoemoError:  # half written when the power went: the trial is short enough to run again
                shutil.rmtree(checkpoint)
        if training is None:
            training = TrainingRun(configuration, prepared, **where)
        self.folder.truncate_history(training.progress)
        if training.best is not None:  # those on disk may be of a report that will be made again
            self.folder.write_scores(training.best.scores)
        return training

    def _keep_model(self, report: Report) -> None:
        from goemo import bundle
        from goemo.thresholds import fit_thresholds, threshold_options

        assert self.training is not None
        search = SearchFolder(self.folder.path.parent.parent)
        # The facts of this search: another one may have prepared the same content from another place.
        data = {**self.training.prepared.data, **search.facts.get("data", {})}
        options = threshold_options(self.training.configuration.thresholds)
        targets = self.training.prepared.targets["validation"]
        bundle.save(
            self.training,
            self.folder.path / "model",
            thresholds=fit_thresholds(report.scores.astype(np.float32), targets, **options),
            provenance={
                "origin": {"search": search.name, "trial": self.folder.path.name},
                "progress": report.progress,
                "data": data,
            },
        )

    def _ended(self, reason: StopReason, message: str, details: str = "") -> dict[str, Any]:
        self.training = None
        outcome = Outcome(reason, message.splitlines()[0], details, ended_at=time.time())
        return {ENDED: outcome, PROGRESS: 100, "done": True}


def _keep_to_share(gpus: float) -> None:
    """Let this process have no more of its GPU's memory than its share: Ray counts, it does not isolate."""
    if 0 < gpus < 1:
        import torch

        torch.cuda.set_per_process_memory_fraction(gpus)
