"""One trial inside a Ray actor: trains to the next report, records it, tells the driver.

The actor is reused: the next trial finds torch and transformers imported, CUDA started and the
shared data mapped. What a trial leaves is on disk before the driver hears of it, so a trial that is
started again, in this actor or another, goes on from its own folder and not from Ray's memory.

Between two steps of the training, once a second, the trial looks whether it has to save a checkpoint, is
asked to stop (`tune.stopping.stop_sign`), or has taken longer than it may.
"""

from __future__ import annotations

import os
import shutil
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
import ray.tune as ray_tune

from goemo.errors import GoemoError
from tune.engine.schedulers import OBJECTIVE, PROGRESS
from tune.records import Outcome, SearchFolder, StopReason, TrialFolder, TrialRecord, leaders_beaten_by
from tune.spec import TIES_FROM
from tune.stopping.full_disk import full_disk_error, is_full_disk
from tune.stopping.hang import TimeIsUpError, ended_when_it_hangs, how_it_hung, over_time
from tune.stopping.stop_sign import StopSign, stop_sign

if TYPE_CHECKING:
    from goemo.training import Report, TrainingRun

ENDED = "ended"  # the key under which a trial tells the driver how it ended by itself
LEFT = "left"  # likewise why it stopped without having ended, to go on later; empty where it was asked to
LOOK_EVERY_S = 1.0


class _CheckpointIsDueError(Exception):
    """Leaves the training for a moment."""


class _AskedToStopError(Exception):
    """Leaves the training for good."""

    def __init__(self, sign: StopSign) -> None:
        super().__init__(sign.why)
        self.sign = sign


class TrialActor(ray_tune.Trainable):  # type: ignore[misc]  # Ray ships no types
    """Runs trials, one after the other.

    Its Ray configuration holds ``folder`` (the trial's), ``prepared`` (what trials share, by checkpoint),
    ``here`` (the driver's current folder), ``threads``, ``device``, ``gpus``, ``checkpoint_every_s``,
    ``timeout_s``, ``with_test`` and ``with_predictions``.
    """

    training: TrainingRun | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first trial; the work starts with the first `step`, where errors are caught."""
        with suppress(FileNotFoundError):  # relative paths mean what they mean in the driver, if it is here
            os.chdir(config["here"])
        # Here, where what takes seconds to import does not count as the first trial's time.
        import goemo.bundle.encoder
        import goemo.training.prepared
        import goemo.training.reading_cost  # noqa: F401

        self.reset_config(config)
        _keep_to_share(config["gpus"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial.

        Raises:
            GoemoError: Its folder is not there. Ray then tries elsewhere, where `step` would have it fail.
        """
        self.task = new_config
        self.folder = TrialFolder(Path(new_config["folder"]))
        if not self.folder.path.is_dir():
            raise GoemoError(f"{self.folder.path} does not exist; does this node see the shared folder?")
        self.training = None
        self.saved_at = time.monotonic()
        self.looked_at = 0.0
        self.ends_at = float("inf")  # of this step, by the monotonic clock
        return True

    def node_id(self) -> str:
        """Say which node this is, as Ray names it."""
        return str(ray.get_runtime_context().get_node_id())

    def step(self) -> dict[str, Any]:
        """Train to the next report; a trial that cannot go on says why and ends."""
        from torch import AcceleratorError, OutOfMemoryError

        from goemo.training import Diverged

        try:
            return self._step_in_time()
        except TimeIsUpError:
            return self._ended("failed", over_time(self.task["timeout_s"]), traceback.format_exc())
        except Diverged as error:
            return self._ended("diverged", str(error))
        except (OutOfMemoryError, MemoryError) as error:
            return self._ended("out_of_memory", str(error) or "the machine's memory is full")
        except AcceleratorError:
            raise  # the GPU's state in this process is lost: Ray starts another worker
        except Exception as error:  # noqa: BLE001 - whatever it is, the search goes on and shows it
            if is_full_disk(error):
                search = SearchFolder(self.folder.path.parent.parent)
                go_on = f"continue with: goemo resume {search.name}"
                return self._left(str(full_disk_error(error, search.path, go_on)))
            return self._ended("failed", f"{type(error).__name__}: {error}", traceback.format_exc())

    def save_checkpoint(self, checkpoint_dir: str) -> None:  # noqa: ARG002 - Ray's signature
        """Save what a paused trial needs, for schedulers that pause."""
        if self.training is not None:
            self.training.save(self.folder.path / "checkpoint")

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Go on from the trial's own folder, which `step` does by itself."""

    def cleanup(self) -> None:
        """Save what it takes to go on, where Ray ends the trial between two steps and not within one.

        A trial that was making its report when the search was interrupted is not asked for another step.
        """
        if self.training is None or self.training.is_finished or self.folder.read().outcome is not None:
            return
        sign = stop_sign(self.folder.path.parent.parent)
        if sign is not None and sign.how == "save":
            self._save()

    def _step_in_time(self) -> dict[str, Any]:
        """Take a step; a process that hangs in it is ended, and the next one tells of it.

        A trial's time is that of the reports that it keeps, and of what it has done since: what a lost worker
        had done and must be done again does not count.
        """
        stacks = how_it_hung(self.folder.path)
        if stacks is not None:
            return self._ended("failed", over_time(self.task["timeout_s"]), stacks)
        record = self.folder.read()
        timeout_s = self.task["timeout_s"]
        left = None if timeout_s is None else timeout_s - record.seconds
        self.ends_at = float("inf") if left is None else time.monotonic() + left
        with ended_when_it_hangs(self.folder.path, left):
            return self._advance(record)

    def _advance(self, record: TrialRecord) -> dict[str, Any]:
        if record.progress == 100:  # it had ended, but the driver died before it heard so
            return {PROGRESS: 100, OBJECTIVE: record.objective, "done": True}
        sign = stop_sign(self.folder.path.parent.parent)
        if sign is not None:
            return self._stop(sign, record)
        if self.training is None:
            self.training = self._begin(record)
            record = self.folder.read()  # its reports may have been of a later point
        unreported = self.training.unreported_seconds  # by the process that has saved the checkpoint
        began = time.monotonic() - record.seconds - unreported  # as if it had run in one go
        self.ends_at -= unreported
        while True:
            try:
                report = self.training.advance(self._look)
                break
            except _CheckpointIsDueError:
                self._save()
            except _AskedToStopError as asked:
                return self._stop(asked.sign, record, began)
        self._take_down(report, record, began)
        # Else the checkpoint would be taken between two reports, at the next look.
        if not self.training.is_finished and self._is_checkpoint_due():
            self._save()
        return {
            PROGRESS: report.progress,
            OBJECTIVE: report.metrics[record.objective_name],
            "done": self.training.is_finished,
        }

    def _look(self, done: int, total: int) -> None:
        """Leave the training where something else is to be done first; called after every step of it."""
        del done, total
        now = time.monotonic()
        if now - self.looked_at < LOOK_EVERY_S:
            return
        self.looked_at = now
        if now > self.ends_at:
            raise TimeIsUpError
        sign = stop_sign(self.folder.path.parent.parent)
        if sign is not None:
            raise _AskedToStopError(sign)
        if self._is_checkpoint_due():
            raise _CheckpointIsDueError

    def _is_checkpoint_due(self) -> bool:
        return time.monotonic() - self.saved_at > float(self.task["checkpoint_every_s"])

    def _save(self) -> None:
        assert self.training is not None
        self.training.save(self.folder.path / "checkpoint")
        self.saved_at = time.monotonic()

    def _stop(self, sign: StopSign, record: TrialRecord, began: float | None = None) -> dict[str, Any]:
        """Do what the trial is asked for; one that has nothing to report is left for a later day.

        Args:
            sign: What is asked for.
            record: Of the trial.
            began: See `_take_down`; None between two steps, when there is nothing that was not reported.
        """
        if sign.how == "save" or record.confirms is not None:  # half a confirmation confirms nothing
            if self.training is not None:
                self._save()
            return self._left("")
        if self.training is not None and began is not None:
            report = self.training.report_now()
            if report is not None:
                self._take_down(report, record, began)
                record = self.folder.read()
        if record.objective is None:
            return self._left("")
        outcome = Outcome("stopped_early", sign.why, ended_at=time.time())
        self.training = None
        return {ENDED: outcome, PROGRESS: record.progress, OBJECTIVE: record.objective, "done": True}

    def _take_down(self, report: Report, record: TrialRecord, began: float) -> None:
        """Write a report, and all that belongs to it.

        Args:
            report: The report.
            record: Of the trial, before it.
            began: When the trial began, by the monotonic clock, had it run in one go.
        """
        from goemo.training.reading_cost import reading_cost

        assert self.training is not None
        seconds = time.monotonic() - began
        gpu_seconds = record.gpu_seconds + (seconds - record.seconds) * self.task["gpus"]
        row = {
            "progress": report.progress,
            "time": time.time(),
            "seconds": seconds,
            "gpu_seconds": gpu_seconds,
            **report.metrics,
            **{f"cost/{name}": value for name, value in asdict(reading_cost(self.training)).items()},
        }
        may_lead = report.is_best and record.confirms is None  # the weights of a leader are there already
        if may_lead and leaders_beaten_by(self.folder, report.metrics[record.objective_name]):
            self._keep_model(report)
        if self.training.is_finished and self.task["with_test"]:
            self.folder.write_test_scores(self.training.scores("test"))
        if self.task["with_predictions"] and TIES_FROM <= report.progress < 100:
            assert report.predictions is not None
            self.folder.write_predictions(report.progress, report.predictions)
        # Last, because a trial whose history has a report is not asked again for what belongs to it.
        self.folder.write_report(row, report.scores if report.is_best else None)

    def _begin(self, record: TrialRecord) -> TrainingRun:
        """Start the training, or go on from the trial's checkpoint."""
        from goemo.configuration import Configuration
        from goemo.training import TrainingRun
        from goemo.training.prepared import Prepared

        configuration = Configuration.from_dict(record.config)
        prepared = Prepared.open(Path(self.task["prepared"][configuration.checkpoint]))
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

    def _left(self, why: str) -> dict[str, Any]:
        self.training = None
        return {LEFT: why, PROGRESS: 0, "done": True}

    def _ended(self, reason: StopReason, message: str, details: str = "") -> dict[str, Any]:
        self.training = None
        outcome = Outcome(reason, message.splitlines()[0], details, ended_at=time.time())
        return {ENDED: outcome, PROGRESS: 100, "done": True}


def _keep_to_share(gpus: float) -> None:
    """Let this process have no more of its GPU's memory than its share: Ray counts, it does not isolate."""
    if 0 < gpus < 1:
        import torch

        torch.cuda.set_per_process_memory_fraction(gpus)
