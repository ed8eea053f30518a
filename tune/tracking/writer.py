"""Makes the store equal to the records, run by run, as often as it is asked to.

Writing a run compares what the store has with what the records say and adds what is missing, so that it
can be repeated after any crash, by any later process, without doubling a run, a step or an artifact:

- a run is found by its tags ``goemo.search_id`` and ``goemo.trial_id`` (or ``goemo.baseline``,
  ``goemo.blend``), which are part of its creation;
- a report is written in one batch, and skipped when its step is in the history of the objective;
- the tag ``goemo.record`` names the version of the record that was written in full, and is set last.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tune.ranking.confirmed import confirmed_best
from tune.records import BLEND, SearchFolder, Snapshot, TrialRecord
from tune.spec import EXPERIMENT
from tune.tracking import content, views
from tune.tracking.content import SEARCH, SYSTEM, TEXT_LIMIT
from tune.tracking.experiment import find_experiment, paged
from tune.tracking.store import Store

MARK = "goemo.record"
NOTE = "mlflow.note.content"  # what MLflow's UI shows as a run's description
METRICS_PER_BATCH = 800  # MLflow takes 1,000 entries, of which some are params and tags


@dataclass
class _Run:
    """What the store is known to have of one run."""

    run_id: str
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    inputs: set[tuple[str, str]]
    is_new: bool
    steps: dict[str, set[int]] = field(
        default_factory=dict
    )  # by the metric that tells; not there: not asked yet


@dataclass
class _Attached:
    """A client with what it found; dropped at any failure, because it may no longer be true."""

    client: Any
    experiment_id: str
    runs: dict[str, _Run] = field(default_factory=dict)
    has_views: bool = False
    uploaded: dict[Path, tuple[int, int]] = field(default_factory=dict)  # of the search: mtime and size


class Writer:
    """Writes one trial, or the parent run, so that the store has what the records say."""

    def __init__(
        self,
        search: SearchFolder,
        store: Store,
        describe: Callable[[Snapshot], str] | None,
        prepare_artifacts: Callable[[str], None] | None,
    ) -> None:
        self.search = search
        self.store = store
        self.experiment: str = search.spec.get("experiment", EXPERIMENT)
        self.describe = describe
        self.prepare_artifacts = prepare_artifacts
        self._attached: _Attached | None = None
        if "search_id" not in search.facts:
            # Names come back: another user of the server, or a search deleted and started anew.
            search.add_facts(search_id=uuid.uuid4().hex)
        self.search_id: str = search.facts["search_id"]

    def write(self, key: str) -> None:
        """Write the trial of that id, with `SEARCH` the parent run, or with `SYSTEM` its system metrics.

        Raises:
            Exception: Anything that MLflow, the disk or a hook raises; calling again is always right.
        """
        try:
            if self._attached is None:
                self._attached = self._attach()
            if key == SEARCH:
                self._write_search(self._attached)
            elif key == SYSTEM:
                self._write_system(self._attached)
            else:
                self._write_trial(self._attached, self.search.trial(key).read())
        except BaseException:
            self._attached = None
            raise

    def _attach(self) -> _Attached:
        client = self.store.client()
        experiment_id = find_experiment(client, self.store, metric=self._metric, name=self.experiment)
        attached = _Attached(client, experiment_id)
        of_search = f"tags.`goemo.search_id` = '{self.search_id}'"
        earliest_first = ["attributes.start_time ASC"]
        for run in paged(client.search_runs, [experiment_id], of_search, order_by=earliest_first):
            key = content.key_of_run(run.data.tags)
            if key in attached.runs:
                # A creation whose answer was lost, and which the store carried out after we had looked.
                client.delete_run(run.info.run_id)
            else:
                attached.runs[key] = _known(run, is_new=False)
        return attached

    def _create(self, at: _Attached, key: str, name: str, start: float, tags: Mapping[str, str]) -> _Run:
        run = at.client.create_run(
            at.experiment_id, start_time=int(start * 1000), tags=dict(tags), run_name=name
        )
        at.runs[key] = _known(run, is_new=True)
        return at.runs[key]

    def _delete(self, at: _Attached, key: str) -> None:
        at.client.delete_run(at.runs.pop(key).run_id)

    def _common_tags(self, kind: str, facts: Mapping[str, Any]) -> dict[str, str]:
        return {
            "goemo.kind": kind,
            "goemo.search": self.search.name,
            "goemo.search_id": self.search_id,
            "mlflow.user": content.user(),
            "mlflow.source.name": f"goemo search {self.search.name}",
            "mlflow.source.type": "LOCAL",
            **content.fact_tags(facts),
        }

    # the parent run

    def _parent(self, at: _Attached) -> _Run:
        if SEARCH in at.runs:
            return at.runs[SEARCH]
        start = self.search.facts.get("started", (self.search.path / "search.yaml").stat().st_mtime)
        tags = self._common_tags("search", self.search.facts)
        return self._create(at, SEARCH, self.search.name, start, tags)

    def _write_search(self, at: _Attached) -> None:
        now = self.search.snapshot()
        facts, records, confirmations = now.facts, now.trials, now.confirmations
        run = self._parent(at)
        tags = self._common_tags("search", facts)
        ended = [record.outcome for record in now.everyone if record.outcome is not None]
        tags["goemo.trials"] = content.how_many_ended(records)
        if confirmations:
            tags["goemo.confirmations"] = content.how_many_ended(confirmations)
        best = confirmed_best(now) or content.best_trial(now)
        if best is not None:
            tags["goemo.best_trial"] = f"{best.trial_id} {content.run_name(best)}"
        text = self.describe(now) if self.describe is not None else None
        tags[NOTE] = content.description(now, text, experiment_id=at.experiment_id)
        _log(at.client, run, params=content.space_params(now.spec), tags=tags)
        self._save_views(at, now)
        self._log_inputs(at, run, facts)
        if rows := content.best_by_ended(records):
            _log_steps(at.client, run, rows, next(iter(rows[0][2])))
        self._upload_search(at, run)
        if BLEND in at.runs and BLEND not in now.answers:  # offered before the search was extended
            self._delete(at, BLEND)
        status = content.search_status(facts)
        end = max((o.ended_at for o in ended), default=time.time())
        _set_status(at.client, run, status, end)

    @property
    def _metric(self) -> str:
        return str(self.search.spec.get("objective", {}).get("metric", "macro_f1"))

    def _save_views(self, at: _Attached, now: Snapshot) -> None:
        """Save the rankings that this search is in, once the data is known."""
        ranking = views.data_view(now.facts.get("data", {}), self._metric)
        if ranking is None or at.has_views:
            return
        own = views.search_view(now.name, self.search_id, self._metric, content.varied_names(now.spec))
        views.save(at.client, at.experiment_id, [own, ranking])
        at.has_views = True

    def _write_system(self, at: _Attached) -> None:
        """Write the samples that the parent run does not have yet."""
        samples = self.search.system_samples()
        rows = [
            (int(row["step"]), int(row["time"] * 1000), {k: v for k, v in row.items() if "/" in k})
            for row in samples
        ]
        if rows:
            _log_steps(at.client, self._parent(at), rows, content.SYSTEM_METRIC)

    def _upload_search(self, at: _Attached, run: _Run) -> None:
        folder = self.search.path / "artifacts"
        files: list[tuple[Path, str | None]] = [(self.search.path / "search.yaml", None)]
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                inside = path.parent.relative_to(folder).as_posix()
                files.append((path, None if inside == "." else inside))
        for path, place in files:
            version = (path.stat().st_mtime_ns, path.stat().st_size)
            if at.uploaded.get(path) != version:
                at.client.log_artifact(run.run_id, str(path), place)
                at.uploaded[path] = version

    # the child runs

    def _write_trial(self, at: _Attached, record: TrialRecord) -> None:
        facts = self.search.facts
        mark, status = content.fingerprint(record), content.trial_status(record, facts)
        tags = self._common_tags(content.kind_of(record), facts) | {
            **content.id_tag(record),
            "mlflow.parentRunId": self._parent(at).run_id,
        }
        if record.confirms is not None:
            tags["goemo.confirms"] = record.confirms
        run = at.runs.get(record.trial_id)
        if run is not None and run.tags.get(MARK) == mark and run.status == status:
            return
        if run is not None and record.trial_id == BLEND and run.tags.get(MARK) not in {None, mark}:
            self._delete(at, BLEND)  # another blend now, and params and metrics of a run never change
            run = None
        if run is None:
            start = content.started_at(record)
            run = self._create(at, record.trial_id, content.run_name(record), start, tags)
        _log(at.client, run, params={k: str(v) for k, v in record.config.items()}, tags=tags)
        self._log_inputs(at, run, facts)
        train = facts.get("data", {}).get("splits", {}).get("train", {}).get("examples")
        _log_steps(at.client, run, content.metrics_by_step(record, train), record.objective_name)
        if record.outcome is None:
            _set_status(at.client, run, status, time.time())
            return
        if self.prepare_artifacts is not None:
            self.prepare_artifacts(record.trial_id)
        if (record.folder / "artifacts").is_dir():
            at.client.log_artifacts(run.run_id, str(record.folder / "artifacts"))
        if record.outcome.details:
            at.client.log_text(run.run_id, record.outcome.details, "traceback.txt")
        final = {
            "goemo.stop_reason": record.outcome.stop_reason,
            NOTE: content.trial_description(record),
            MARK: mark,
        }
        if record.outcome.message:
            final["goemo.message"] = record.outcome.message[:TEXT_LIMIT]
        _log(at.client, run, tags=final)
        _set_status(at.client, run, status, record.outcome.ended_at)

    def _log_inputs(self, at: _Attached, run: _Run, facts: Mapping[str, Any]) -> None:
        """Name the data: one dataset a split, with its digest."""
        missing = [
            given for given in content.dataset_inputs(facts.get("data", {})) if _key(given) not in run.inputs
        ]
        if missing:
            at.client.log_inputs(run.run_id, missing)
            run.inputs |= {_key(given) for given in missing}


def _known(run: Any, *, is_new: bool) -> _Run:
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    return _Run(
        run_id=run.info.run_id,
        status=run.info.status,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        inputs={_key(given) for given in inputs},
        is_new=is_new,
    )


def _key(given: Any) -> tuple[str, str]:
    """Return by what a dataset of a run is known: its name and digest."""
    return given.dataset.name, given.dataset.digest


def _log(client: Any, run: _Run, *, params: Mapping[str, str] | None = None, tags: Mapping[str, str]) -> None:
    """Write params that are missing and tags that differ; nothing at all where all is there."""
    from mlflow.entities import Param, RunTag

    new_params = {k: v[:TEXT_LIMIT] for k, v in (params or {}).items() if k not in run.params}
    new_tags = {k: v for k, v in tags.items() if run.tags.get(k) != v}
    if not new_params and not new_tags:
        return
    client.log_batch(
        run.run_id,
        params=[Param(k, v) for k, v in new_params.items()],
        tags=[RunTag(k, v) for k, v in new_tags.items()],
    )
    run.params |= new_params
    run.tags |= new_tags


def _log_steps(
    client: Any, run: _Run, rows: Sequence[tuple[int, int, Mapping[str, float]]], telltale: str
) -> None:
    """Write the rows of metrics, (step, timestamp in ms, metrics), whose steps the store does not have.

    A row is written whole, in one batch, so that one metric tells whether it is there.

    Args:
        client: MLflow's.
        run: The run.
        rows: In order of their steps.
        telltale: A metric that every row has.
    """
    from mlflow.entities import Metric

    if telltale not in run.steps:
        history = [] if run.is_new else client.get_metric_history(run.run_id, telltale)
        run.steps[telltale] = {metric.step for metric in history}
    written = run.steps[telltale]
    steps: list[int] = []
    metrics: list[Any] = []
    for step, timestamp, values in rows:
        if step in written:
            continue
        if len(metrics) + len(values) > METRICS_PER_BATCH:
            client.log_batch(run.run_id, metrics=metrics)
            written.update(steps)
            steps, metrics = [], []
        steps.append(step)
        metrics += [Metric(key, value, timestamp, step) for key, value in values.items()]
    if metrics:
        client.log_batch(run.run_id, metrics=metrics)
        written.update(steps)


def _set_status(client: Any, run: _Run, status: str, ended_at: float) -> None:
    if run.status == status:
        return
    if status == "RUNNING":
        client.update_run(run.run_id, status=status)
    else:
        client.set_terminated(run.run_id, status, int(ended_at * 1000))
    run.status = status
