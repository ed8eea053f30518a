"""The MLflow run of a retrain: how the model was chosen, its test results, and its files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from goemo.escaping import code, guarded_frame, prose, without_folders
from tune.models.registry.record import FOLDER, RESULTS, SCORES, Record
from tune.tracking import content
from tune.tracking.content import TEXT_LIMIT

ID_TAG = "goemo.retrain_id"
# The files of the bundle that a reader of the run wants to see; the model itself is logged apart.
FILES = ("README.md", "thresholds.json", "labels.json", "provenance.json", RESULTS)


def run_name(record: Record) -> str:
    """Name a retrain by the trial that it came from: ``retrain tiny t003``."""
    origin = record.provenance["origin"]
    suffix = "" if record.provenance["trained_on"] == "train" else f" on {record.provenance['trained_on']}"
    return f"retrain {origin['search']} {origin['trial']}{suffix}"


def tags(record: Record) -> dict[str, str]:
    """Return what the run was, where it came from, and on what it ran.

    The search is not in ``goemo.search``: that tag is for the runs of the search itself.
    """
    p = record.provenance
    facts = {"data": p["data"], "environment": record.environment}
    return {
        "goemo.kind": "retrain",
        ID_TAG: p["retrain_id"],
        "goemo.from_search": p["origin"]["search"],
        "goemo.from_trial": p["origin"]["trial"],
        "goemo.trained_on": p["trained_on"],
        "mlflow.user": content.user(),
        "mlflow.source.name": "goemo retrain",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": description(record)[:TEXT_LIMIT],
        **content.fact_tags(facts),
    }


def params(record: Record) -> dict[str, str]:
    """Return the configuration as it was trained, and the choices of the retrain."""
    asked = {**record.configuration.to_dict(), "trained_on": record.provenance["trained_on"]}
    seeds = [entry["seed"] for entry in record.provenance["selection"]["seeds"]]
    return {key: str(value)[:TEXT_LIMIT] for key, value in {**asked, "seeds": seeds}.items()}


def metrics(record: Record, model_id: str) -> list[Any]:
    """Return MLflow metrics: each report of the kept seed at its progress, and the model's on test."""
    from mlflow.entities import Metric

    objective = f"val/{record.configuration.metric}"
    best = float("-inf")
    rows = []
    for report in record.kept_reports:
        best = max(best, report[objective])
        values = {key: value for key, value in report.items() if "/" in key}
        values |= {f"best/{record.configuration.metric}": best, "progress": report["progress"]}
        at = int(report["time"] * 1000), int(report["progress"])
        rows += [Metric(key, float(value), *at) for key, value in values.items()]
    at = milliseconds(record, "ended_at"), int(record.provenance["report"]["progress"])
    rows += [Metric(key, value, *at, model_id=model_id) for key, value in test_metrics(record).items()]
    return rows


def test_metrics(record: Record) -> dict[str, float]:
    """Return the averages on the test split with the model's thresholds, at 0.5, and tuned on test."""
    found = record.results["results"]
    ours = found["validation"]
    low, high = ours["macro_f1_interval"]
    return {
        **{f"test/{average}_f1": ours[average]["f1"] for average in ("macro", "weighted", "micro")},
        "test/macro_f1_low": low,
        "test/macro_f1_high": high,
        "test/macro_f1_at_0.5": found["fixed_0.5"]["macro"]["f1"],
        "test/macro_f1_test_tuned": found["test_tuned"]["macro"]["f1"],
    }


def milliseconds(record: Record, moment: Literal["started_at", "ended_at"]) -> int:
    """Return when the training began, ``started_at``, or the test split had been measured, ``ended_at``."""
    return int(float(record.provenance[moment]) * 1000)


def description(record: Record) -> str:
    """Return the Markdown at the top of the run."""
    p, c = record.provenance, record.configuration
    origin, expected, selection = p["origin"], p["expected"], p["selection"]
    test = test_metrics(record)
    rows = "\n".join(
        f"| {entry['seed']} | {_score(entry)} | {_per_cent(entry['progress'])} |"
        f" {'kept' if entry['seed'] == selection['seed'] else ''} |"
        for entry in selection["seeds"]
    )
    return f"""Trial {code(origin["trial"])} of {code(origin["search"])}, trained again: \
{code(without_folders(c.checkpoint))} on {code(without_folders(p["data"]["source"]))}, \
taxonomy {prose(p["data"]["taxonomy"])}.

**Test**: macro-F1 **{test["test/macro_f1"]:.4f}** ({test["test/macro_f1_low"]:.4f} to \
{test["test/macro_f1_high"]:.4f}), thresholds from validation; at 0.5: {test["test/macro_f1_at_0.5"]:.4f}.

| seed | validation {c.metric} | at | |
| --- | ---: | ---: | --- |
{rows}

The trial scored {expected["value"]:.4f}. {prose(p["training"])}
"""


def _score(entry: Mapping[str, Any]) -> str:
    """Return a seed's score, or why it has none; records of an earlier version know one reason alone."""
    if entry["value"] is None:
        return prose(str(entry.get("stop_reason", "diverged")).replace("_", " "))
    return f"{entry['value']:.4f}"


def _per_cent(progress: int | None) -> str:
    return "" if progress is None else f"{progress} %"


def log_files(client: Any, run_id: str, record: Record) -> None:
    """Upload what a reader wants to see: card, tables, thresholds, scores and figures."""
    with tempfile.TemporaryDirectory() as folder:
        _collect_files(record, Path(folder))
        client.log_artifacts(run_id, folder)


def _collect_files(record: Record, folder: Path) -> None:
    from goemo.report import charts

    for name in FILES:
        shutil.copyfile(record.folder / name, folder / name)
    for name in (SCORES, "environment.json"):
        shutil.copyfile(record.folder / FOLDER / name, folder / name)
    configuration = yaml.safe_dump(record.configuration.to_dict(), sort_keys=False)
    (folder / "config.yaml").write_text(configuration, encoding="utf-8")
    guarded_frame(pd.DataFrame(list(record.reports))).to_csv(folder / "history.csv", index=False)
    tuned, half = (_table(record, origin) for origin in ("validation", "fixed_0.5"))
    guarded_frame(tuned).to_csv(folder / "test_per_label.csv", index=False)
    guarded_frame(half).to_csv(folder / "test_per_label_at_0.5.csv", index=False)
    (folder / "figures").mkdir()
    pictures = {
        "test_per_label_heatmap.png": charts.per_label_heatmap(half, tuned),
        "test_f1_by_support.png": charts.f1_by_support(half, tuned),
    }
    for name, picture in pictures.items():
        (folder / "figures" / name).write_bytes(picture.png())


def _table(record: Record, thresholds_from: str) -> pd.DataFrame:
    """Return the test split's table per label; a label that is never predicted has the threshold inf."""
    table = pd.DataFrame(record.results["results"][thresholds_from]["per_label"])
    table["threshold"] = table["threshold"].astype(float).fillna(float("inf"))
    return table


def create(client: Any, experiment_id: str, record: Record) -> str:
    """Start the run and return its id."""
    start = milliseconds(record, "started_at")
    run = client.create_run(experiment_id, start_time=start, tags=tags(record), run_name=run_name(record))
    return str(run.info.run_id)


def finish(client: Any, run_id: str, record: Record) -> None:
    """Mark the run as whole; from then on it is found and not logged again."""
    client.set_terminated(run_id, "FINISHED", milliseconds(record, "ended_at"))
