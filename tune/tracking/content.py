"""The content of MLflow runs, from the records of a search; nothing here touches a store."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goemo.escaping import code, prose, without_folders
from tune.ranking.leaderboard import in_order, total_steps
from tune.records import ANSWERS, BLEND, Snapshot, TrialRecord
from tune.short_names import short_name
from tune.spec import one_or_several
from tune.tracking import views

SEARCH = "search"  # stands for the parent run where others are named by their trial id
SYSTEM = "system"  # stands for the system metrics of the parent run
SYSTEM_METRIC = "system/cpu_utilization_percentage"  # in every sample, so that it tells which steps are there
STATUS_OF_REASON = {"completed": "FINISHED", "stopped_early": "FINISHED"}  # the others: FAILED
STATUS_OF_SEARCH = {"running": "RUNNING", "complete": "FINISHED", "interrupted": "KILLED"}
TEXT_LIMIT = 5000  # of a tag or a param; the smallest limit among MLflow's stores
MESSAGE_LIMIT = 1000  # characters of a message in a description; the tag ``goemo.message`` has more


def run_name(record: TrialRecord) -> str:
    """Name a trial by what varies: ``bs16 lr2e-05 len32``; its id where nothing does."""
    if record.trial_id == BLEND:
        parts = [f"{weight:.1f} {member}" for member, weight in record.varied.items()]
        return f"blend {' + '.join(parts)}"
    name = short_name(record.varied) or record.trial_id
    return f"{record.trial_id} {name}" if record.trial_id in ANSWERS else name


def kind_of(record: TrialRecord) -> str:
    """Return the ``goemo.kind`` of a record's run: ``trial``, ``confirmation``, ``baseline`` or ``blend``."""
    if record.trial_id in ANSWERS:
        return record.trial_id
    return "trial" if record.confirms is None else "confirmation"


def id_tag(record: TrialRecord) -> dict[str, str]:
    """Return the tag that its run is found by; what is no trial has no trial's tag."""
    if record.trial_id in ANSWERS:
        return {f"goemo.{record.trial_id}": "true"}
    return {"goemo.trial_id": record.trial_id}


def key_of_run(tags: Mapping[str, str]) -> str:
    """Return whose run these are the tags of: a trial's id, one of `ANSWERS`, or `SEARCH`."""
    answers = [name for name in ANSWERS if f"goemo.{name}" in tags]
    return answers[0] if answers else tags.get("goemo.trial_id", SEARCH)


def fingerprint(record: TrialRecord) -> str:
    """Return 16 hex digits that change when anything changes that MLflow shows of a trial."""
    outcome = record.outcome and [record.outcome.stop_reason, record.outcome.message, record.outcome.ended_at]
    content = json.dumps([record.config, record.varied, record.history, outcome], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def metrics_by_step(
    record: TrialRecord, train_examples: int | None = None
) -> list[tuple[int, int, dict[str, float]]]:
    """Return (step, timestamp in ms, metrics) of every report, in order.

    To the metrics of the history come those that make the run table answer questions: the best objective so
    far (``best/...``, which ranks), ``progress`` and ``duration_s``; and ``epoch`` and ``optimizer_step``, so
    that runs can be laid over those of other tools, the latter where the size of the data is known.
    """
    epochs, steps = record.config.get("epochs"), total_steps(record.config, train_examples)
    rows = []
    best = float("-inf")
    for row in record.history:
        best = max(best, row[record.objective_name])
        metrics = {key: float(value) for key, value in row.items() if "/" in key}
        metrics[f"best/{record.config['metric']}"] = best
        metrics["progress"] = float(row["progress"])
        if epochs is not None:
            metrics["epoch"] = epochs * row["progress"] / 100
        if steps is not None:
            metrics["optimizer_step"] = float(round(steps * row["progress"] / 100))
        if "seconds" in row:
            metrics["duration_s"] = float(row["seconds"])
        rows.append((int(row["progress"]), int(row["time"] * 1000), metrics))
    return rows


def started_at(record: TrialRecord) -> float:
    """Return when a trial began: when its configuration was written, or earlier where its reports say so."""
    written = (record.folder / "config.json").stat().st_mtime
    first = record.history[0] if record.history else {}
    return min(written, first["time"] - first.get("seconds", 0.0)) if first else written


def trial_status(record: TrialRecord, facts: Mapping[str, Any]) -> str:
    """Return MLflow's status for a trial; one that was under way when its search ended was killed."""
    if record.outcome is not None:
        return STATUS_OF_REASON.get(record.outcome.stop_reason, "FAILED")
    return "RUNNING" if search_status(facts) == "RUNNING" else "KILLED"


def search_status(facts: Mapping[str, Any]) -> str:
    """Return MLflow's status for a search, from ``status`` among its facts."""
    return STATUS_OF_SEARCH.get(facts.get("status", "running"), "RUNNING")


def best_trial(now: Snapshot) -> TrialRecord | None:
    """Return the trial with the highest objective, the earlier of equals; None before the first report."""
    return next(iter(in_order(now.trials)), None)


def how_many_ended(records: Sequence[TrialRecord]) -> str:
    """Return how many of these trials have ended: ``12/27 ended``."""
    return f"{sum(record.outcome is not None for record in records)}/{len(records)} ended"


def best_by_ended(records: Sequence[TrialRecord]) -> list[tuple[int, int, dict[str, float]]]:
    """Return (step, timestamp in ms, metrics) of a search: its best when 1, 2, ... trials had ended.

    Trials that failed or diverged count as ended and have no objective; before the first that has one there
    is no row.
    """
    ended = [(record.outcome.ended_at, record.trial_id, record) for record in records if record.outcome]
    rows: list[tuple[int, int, dict[str, float]]] = []
    best = float("-inf")
    for step, (moment, _, record) in enumerate(sorted(ended, key=lambda row: row[:2]), start=1):
        if record.is_ranked and record.objective is not None:
            best = max(best, record.objective)
        if best > float("-inf"):
            rows.append((step, int(moment * 1000), {f"best/{record.config['metric']}": best}))
    return rows


def space_params(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the params of a parent run: the search space, one line a hyperparameter, and the rest of it."""
    params = {}
    chosen = _chosen(spec)
    for name, domain in {**chosen, **spec.get("space", {})}.items():
        cases = domain if isinstance(domain, list) else [domain]
        params[f"space.{name}"] = "; ".join(map(_domain_words, cases))
    sections = ["model", "data", "search", "scheduler", "objective"]
    if (spec.get("confirm") or {}).get("top"):
        sections.append("confirm")
    for section in sections:
        values = spec.get(section) or {}
        told = {key: value for key, value in values.items() if value is not None}
        params |= {f"{section}.{key}": str(value) for key, value in told.items() if key not in chosen}
    return params | {"seed": str(spec.get("seed"))}


def varied_names(spec: Mapping[str, Any]) -> list[str]:
    """Return the hyperparameters that a search varies, as a trial's params name them."""
    space = {
        name: domain for name, domain in spec.get("space", {}).items() if isinstance(domain, dict | list)
    }
    return [*_chosen(spec), *space]


def _chosen(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the model is searched."""
    model = spec.get("model") or {}
    return {name: value for name, value in model.items() if isinstance(value, dict | list)}


def _domain_words(domain: Any) -> str:
    kind, values = next(iter(domain.items())) if isinstance(domain, dict) else ("fixed", domain)
    condition = domain.get("only_if") if isinstance(domain, dict) else None
    return f"{kind} {values}{f' only if {condition}' if condition else ''}"


def trial_description(record: TrialRecord) -> str:
    """Return the Markdown at the top of a trial that has ended: its best report, how it ended, what next."""
    assert record.outcome is not None
    ended = prose(record.outcome.stop_reason).replace("_", " ")
    told = f": {prose(record.outcome.message[:MESSAGE_LIMIT])}" if record.outcome.message else ""
    best = ""
    if record.best is not None:
        at = f"at {record.best['progress']:.0f} % of its training"
        best = f"Best {record.config['metric']} **{record.objective:.4f}**, {at}. "
    exported, confirms = record.trial_id, ""
    if record.confirms is not None:
        exported = record.confirms
        confirms = f"Confirms {exported} with seed {record.seed}. "
    export = f"goemo export {record.search} --trial {exported} -o {exported}.yaml"
    how = f"Ended at {record.progress} %, {ended}{told}"
    return f"""{confirms}{best}{how}. Figures and report are under Artifacts.

```
{export}
```
"""[:TEXT_LIMIT]


def description(now: Snapshot, best_so_far: str | None = None, *, experiment_id: str = "") -> str:
    """Return the Markdown at the top of a parent run: what was searched, what came out, what to do next."""
    spec, records = now.spec, now.trials
    model, data = spec.get("model", {}), spec.get("data", {})
    params = space_params(spec)
    searched = [
        f"| {prose(key.removeprefix('space.'))} | {prose(value)} |"
        for key, value in params.items()
        if key.startswith("space.")
    ]
    reasons = Counter(record.outcome.stop_reason if record.outcome else "running" for record in records)
    counts = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in reasons.most_common())
    best = best_trial(now)
    if best_so_far is None:
        best_so_far = "No trial has reported yet."
        if best is not None:
            score = f"{best.objective_name} **{best.objective:.4f}**"
            best_so_far = f"Best: {best.trial_id} ({prose(run_name(best))}), {score}."
    else:
        best_so_far = prose(best_so_far)
    name = now.name
    ranked = views.address("", experiment_id, f"{views.SEARCH_VIEW}{now.facts.get('search_id')}")
    return f"""{best_so_far}

**Trials.** {len(records)}: {counts or "none yet"}. [All trials, best first]({ranked}). \
Leaderboard, plots and report are under Artifacts.

{code(one_or_several(model.get("checkpoint"), without_folders))} \
(trains: {prose(one_or_several(model.get("trainable")))}) on \
{code(without_folders(str(data.get("source"))))}, taxonomy {prose(data.get("taxonomy"))}; \
ranked on the validation split.

| searched | values |
| --- | --- |
{chr(10).join(searched)}

Next steps:

```
goemo leaderboard {name}
goemo export {name} -o best.yaml
goemo retrain best.yaml -o model
```
"""[:TEXT_LIMIT]


def fact_tags(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return what was true when the search ran, as tags: data, versions, hardware, commit."""
    data, environment = facts.get("data", {}), facts.get("environment", {})
    source = data.get("source")
    tags = {
        "data.source": None if source is None else without_folders(str(source)),
        **{f"data.{key}": data.get(key) for key in ("taxonomy", "splitting", "digest")},
        **{f"version.{package}": version for package, version in environment.get("versions", {}).items()},
        "hardware.platform": environment.get("platform"),
        "hardware.cpus": environment.get("cpus"),
        "hardware.gpus": ", ".join(environment.get("gpus", [])) or None,
        "mlflow.source.git.commit": (environment.get("git_commit") or "").removesuffix("+") or None,
    }
    return {key: str(value)[:TEXT_LIMIT] for key, value in tags.items() if value is not None}


def dataset_inputs(data: Mapping[str, Any]) -> list[Any]:
    """Return one MLflow dataset a split, with its digest; none where the splits are not known.

    Args:
        data: ``source`` and ``splits``, each with ``examples`` and ``digest``, as a search's facts or the
            provenance of a bundle have them.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    scheme, _, place = str(data.get("source", "")).partition(":")
    name = Path(place).name or scheme
    kinds = {"hub": ("hugging_face", {"path": place}), "sample": ("code", {"tags": {"source": "sample"}})}
    kind, source = kinds.get(scheme, ("local", {"uri": place}))
    inputs = []
    for split, facts in data.get("splits", {}).items():
        profile = json.dumps({"num_rows": facts["examples"]})
        digest = facts["digest"][:16]  # MLflow takes 36
        dataset = Dataset(f"{name} {split}", digest, kind, json.dumps(source), profile=profile)
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", split)]))
    return inputs


def user() -> str:
    """Return the user's name, or number where a container's user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
