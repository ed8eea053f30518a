"""The files of a finished trial, made from its record: tables, thresholds, figures and a page.

The driver makes them, in the thread that writes to MLflow, so that no trial waits for a picture.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from goemo import evaluation, report
from goemo.data import Splits
from goemo.escaping import guarded_frame, guarded_row
from goemo.metrics import per_label_table
from goemo.report import charts
from goemo.thresholds import FittedThresholds, apply_thresholds, fit_thresholds, threshold_options
from goemo.thresholds.json_file import thresholds_to_json
from tune.ranking.crossfit import cross_fitted
from tune.records import SearchFolder, Snapshot, TrialRecord, write_json, write_text


@dataclass(frozen=True)
class TrialTables:
    """A trial's best report per label.

    Attributes:
        labels: Of the data, in the order of all that follows.
        targets: Of the validation split, shape (n_examples, n_labels).
        scores: Validation scores, shape (n_examples, n_labels).
        thresholds: Fitted on all of validation, for use.
        predictions: Each row predicted with thresholds of other rows, same shape as ``scores``.
        table: What those predictions are worth, so that it does not flatter; its ``threshold`` column holds
            `thresholds`.
        table_at_half: The same with every threshold at 0.5.
    """

    labels: tuple[str, ...]
    targets: np.ndarray[Any, np.dtype[np.bool_]]
    scores: np.ndarray[Any, np.dtype[np.float32]]
    thresholds: FittedThresholds
    predictions: np.ndarray[Any, np.dtype[np.bool_]]
    table: pd.DataFrame
    table_at_half: pd.DataFrame

    @property
    def borrowed(self) -> list[str]:
        """The labels that no validation row has, whose thresholds come from others."""
        return [self.labels[place] for place in self.thresholds.borrowed]


def trial_tables(search: SearchFolder | Snapshot, record: TrialRecord) -> TrialTables:
    """Compute the tables of a trial that has reported.

    Raises:
        GoemoError: It has left no scores.
    """
    targets, labels = search.validation()
    scores = record.scores(targets.shape)
    options = threshold_options(record.config["thresholds"])
    thresholds = fit_thresholds(scores, targets, **options)
    predictions = cross_fitted(record, targets)
    half = apply_thresholds(scores, 0.5)
    return TrialTables(
        labels=labels,
        targets=targets,
        scores=scores,
        thresholds=thresholds,
        predictions=predictions,
        table=per_label_table(targets, predictions, thresholds, labels),
        table_at_half=per_label_table(targets, half, 0.5, labels),
    )


def trial_charts(tables: TrialTables, *, is_chosen: bool = False) -> dict[str, charts.Chart]:
    """Return the charts of one trial, by name.

    Args:
        tables: Of the trial.
        is_chosen: Make all there are. Every trial has three.
    """
    targets, labels = tables.targets, tables.labels
    half, tuned, scores = tables.table_at_half, tables.table, tables.scores
    made = {
        "per_label_heatmap": charts.per_label_heatmap(half, tuned),
        "f1_by_support": charts.f1_by_support(half, tuned),
        "threshold_curves": charts.threshold_curves(scores, targets, tables.thresholds.values, labels),
    }
    if is_chosen:
        made |= {
            "gain_per_label": charts.gain_per_label(half, tuned),
            "reliability": charts.reliability(scores, targets, labels),
            "confusions": charts.confusions(targets, tables.predictions, labels),
        }
    return made


def worst_errors(tables: TrialTables, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return what `goemo.report.worst_errors` finds in a trial, given the texts of validation."""
    return report.worst_errors(tables.scores, tables.targets, tables.thresholds, tables.labels, texts)


def drawn_figures(record: TrialRecord) -> dict[str, bytes]:
    """Return the pictures among the artifacts of a trial, by name; empty where there are none yet."""
    return {path.stem: path.read_bytes() for path in (record.folder / "artifacts" / "figures").glob("*.png")}


def write_figures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Write pictures as PNG files into the folder ``figures``."""
    (folder / "figures").mkdir(exist_ok=True)
    for name, png in pictures.items():
        (folder / "figures" / f"{name}.png").write_bytes(png)


CAPTIONS = {
    "per_label_heatmap": "Each label at 0.5 and at its own threshold, on validation rows that did not "
    "choose the threshold",
    "f1_by_support": "F1 against the number of examples: what per-label thresholds give the rare labels",
    "gain_per_label": "What each label gains or loses in F1 with its own threshold, on validation rows "
    "that did not choose the threshold",
    "threshold_curves": "Precision, recall and F1 against the threshold, for the rarest labels and "
    "those that gain most, on the validation rows that chose it; the band holds the best threshold of 95 % "
    "of resamples of these rows",
    "reliability": "Calibration of the scores: of the examples with about the same score, the "
    "share that has the label; for all labels together and those furthest from it",
    "confusions": "Which labels are wrongly predicted where another one is missed, on validation rows "
    "that did not choose the threshold",
}


class TrialArtifacts:
    """Writes the ``artifacts/`` folder of trials that have ended.

    Args:
        search: The records.
        splits: The data, whose texts the page shows where a model is most wrong.
    """

    def __init__(self, search: SearchFolder, splits: Splits) -> None:
        self.search = search
        self.splits = splits

    def write(self, trial_id: str) -> None:
        """Make the folder anew and put it in place whole; an existing one is left as it is."""
        record = self.search.trial(trial_id).read()
        target = record.folder / "artifacts"
        if target.is_dir():
            return
        partial = record.folder / ".artifacts.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        self._write_facts(record, partial)
        if record.history:
            self._write_measurements(record, partial)
        partial.rename(target)

    def _write_facts(self, record: TrialRecord, folder: Path) -> None:
        write_text(folder / "config.yaml", yaml.safe_dump(record.config, sort_keys=False))
        facts = self.search.facts
        write_json(folder / "environment.json", {**facts["environment"], "data": facts["data"]})

    def _write_measurements(self, record: TrialRecord, folder: Path) -> None:
        tables = trial_tables(self.search, record)
        write_text(folder / "history.csv", _csv(record.history))
        write_json(folder / "thresholds.json", thresholds_to_json(tables.thresholds, tables.labels))
        guarded_frame(tables.table).to_csv(folder / "per_label.csv", index=False)
        guarded_frame(tables.table_at_half).to_csv(folder / "per_label_at_0.5.csv", index=False)
        shutil.copyfile(record.folder / "scores.npz", folder / "validation_scores.npz")
        pictures = {name: chart.png() for name, chart in trial_charts(tables).items()}
        write_figures(folder, pictures)
        errors = worst_errors(tables, self.splits.validation.texts)
        if (record.folder / "test_scores.npz").is_file():
            write_json(folder / "test_results.json", self._test_results(record, tables))
        assert record.best is not None
        exported = record.confirms or record.trial_id
        page = report.trial_page(
            title=f"{self.search.name} {record.trial_id}",
            config=record.config,
            metrics={name: value for name, value in record.best.items() if "/" in name},
            history=record.history,
            stop_reason=record.outcome.stop_reason if record.outcome else None,
            message=record.outcome.message if record.outcome else "",
            table_at_half=tables.table_at_half,
            table=tables.table,
            figures={CAPTIONS[name]: png for name, png in pictures.items()},
            worst_errors=errors,
            environment=self.search.facts["environment"],
            commands=[
                f"goemo export {self.search.name} --trial {exported} -o {exported}.yaml",
                f"goemo retrain {exported}.yaml -o model",
            ],
            borrowed=tables.borrowed,
        )
        write_text(folder / "report.html", page)

    def _test_results(self, record: TrialRecord, tables: TrialTables) -> dict[str, Any]:
        with np.load(record.folder / "test_scores.npz", allow_pickle=False) as archive:
            scores = archive["scores"].astype(np.float32)
        test = self.splits.test
        return evaluation.results(self.splits.labels, tables.thresholds, scores, test.targets)


def _csv(rows: tuple[dict[str, float], ...]) -> str:
    sink = io.StringIO()
    guarded = [guarded_row(row) for row in rows]
    writer = csv.DictWriter(sink, fieldnames=list(dict.fromkeys(key for row in guarded for key in row)))
    writer.writeheader()
    writer.writerows(guarded)
    return sink.getvalue()
