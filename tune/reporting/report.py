"""The report of a search: one HTML page, its JSON twin, the leaderboard's files and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from goemo import evaluation, published, report
from goemo.configuration.json_files import UnreadableError, read_json
from goemo.data import Splits, load_recorded, report_lines
from goemo.errors import GoemoError, InputError
from goemo.metrics import averages
from goemo.report.savings import savings_sentence, seconds_saved
from goemo.significance.threshold_stability import threshold_band, threshold_draws
from tune.ranking import leaderboard
from tune.ranking.comparison import compare
from tune.ranking.early_stops import EarlyStops, early_stops
from tune.ranking.edges import Edge, edges_of, repeated, search_on
from tune.ranking.insight import Importance, hyperparameter_importance
from tune.ranking.leaderboard import Leaderboard
from tune.records import SearchFolder, Snapshot, TrialRecord, runs_folder, write_json, write_text
from tune.records.declared import TestResults
from tune.reporting.artifacts import (
    TrialTables,
    drawn_figures,
    trial_charts,
    trial_tables,
    worst_errors,
    write_figures,
)
from tune.reporting.charts import Band, interval_picture, search_charts, search_pictures, trial_pictures
from tune.spec import SearchSpec, one_or_several


@dataclass(frozen=True)
class Findings:
    """What the page of a search and its JSON twin both tell, beyond the leaderboard and the test split.

    Attributes:
        now: All that the search's records said when it was computed.
        tables: The chosen trial on validation, per label.
        band: Where each of its thresholds lies in 95 % of the resamples: lower and upper ends.
        importance: How much each hyperparameter mattered.
        edges: Hyperparameters whose best value lies on the edge of the space.
        commands: What to type next.
        errors: The texts that it gets most wrong; empty where the data cannot be read.
        early_stops: The trials that the scheduler stopped early.
        encoders: The best trial of each checkpoint against the best of all; empty where there is but one.
    """

    now: Snapshot
    tables: TrialTables
    band: Band
    importance: Importance
    edges: list[Edge]
    commands: list[str]
    errors: list[dict[str, Any]]
    early_stops: EarlyStops
    encoders: list[dict[str, Any]]


def write_search_artifacts(now: Snapshot, board: Leaderboard, splits: Splits) -> None:
    """Write what the parent run shows into the search's ``artifacts/``.

    Args:
        now: The records.
        board: Their leaderboard.
        splits: The data.
    """
    folder = now.path / "artifacts"
    write_text(folder / "leaderboard.csv", board.to_csv())
    write_text(folder / "leaderboard.json", board.to_json() + "\n")
    findings = _findings(now, board, splits.validation.texts)
    page, images = _page(findings, board)
    write_figures(folder, images)
    write_text(folder / "report.html", page)


def open_test_split(search: SearchFolder, board: Leaderboard, prepared: Path) -> bool:
    """Open the test split for the chosen trial, and keep the results among the search's files.

    Args:
        search: The records.
        board: Its leaderboard.
        prepared: The folder of what the chosen trial was trained from.

    Returns:
        False where the trial's weights were not kept: there is no bundle, or one of another report than its
        best, where a leader that failed later stood in its way.
    """
    best = board.best
    folder = search.trial(best.trial_id).path / "model"
    if not folder.is_dir():
        return False
    from goemo import bundle
    from goemo.training.prepared import Prepared

    loaded = bundle.load(folder)
    assert isinstance(loaded, bundle.EncoderBundle)
    if loaded.provenance.get("progress") != best.best_progress:
        return False
    data = Prepared.open(prepared)
    scores = evaluation.as_kept(loaded.prepared_scores(data, "test"))
    found = evaluation.results(data.labels, loaded.thresholds, scores, np.asarray(data.targets["test"]))
    write_json(search.path / "artifacts" / "test_results.json", {"trial_id": best.trial_id, **found})
    return True


def write_report(search: SearchFolder, path: Path) -> tuple[Path, Path]:
    """Write the page of a search and its JSON twin; works while the search runs.

    Texts that the chosen trial gets most wrong are shown where the data can still be read and is unchanged.

    Raises:
        InputError: The path ends in ``.json``, which is the twin's; or a file of another kind has its name.
        GoemoError: Nothing has been reported yet.
    """
    twin = path.with_suffix(".json")
    if twin == path:
        raise InputError(str(path), ["the page is HTML and its JSON twin gets this name; give FILE.html"])
    if twin.exists() and not _is_twin(twin):
        problem = f"its JSON twin would replace {twin}, which is another file; name another page with -o"
        raise InputError(str(path), [problem])
    now = search.snapshot()
    board = leaderboard.build(now)
    _ = board.best  # before anything else, because it says why there may be nothing to report
    findings = _findings(now, board, _texts(now))
    write_text(path, _page(findings, board)[0])
    write_json(twin, _twin(findings, board))
    return path, twin


def _is_twin(path: Path) -> bool:
    """Return whether a file is the JSON twin of a report."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and "search_space" in values and "commands" in values


def _findings(now: Snapshot, board: Leaderboard, texts: list[str] | None) -> Findings:
    """Compute what the page and its twin tell.

    Args:
        now: The records.
        board: Their leaderboard.
        texts: Of the validation split; None where they cannot be read any more.

    Raises:
        GoemoError: No trial has a rank yet.
    """
    spec = SearchSpec.from_dict(dict(now.spec))
    tables, edges = trial_tables(now, _chosen(now, board)), edges_of(spec, board)
    return Findings(
        now=now,
        tables=tables,
        band=threshold_band(threshold_draws(tables.scores, tables.targets)),
        importance=hyperparameter_importance(spec, now.trials),
        edges=edges,
        commands=_commands(now, search_on(spec, now.path, edges)),
        errors=[] if texts is None else worst_errors(tables, texts),
        early_stops=early_stops(board, now.trials, now.asked("scheduler")),
        encoders=_encoders(now, spec),
    )


def _encoders(now: Snapshot, spec: SearchSpec) -> list[dict[str, Any]]:
    if "checkpoint" not in spec.model.choices:
        return []
    return [asdict(contender) for contender in compare([now], by="checkpoint").contenders]


def _chosen(now: Snapshot, board: Leaderboard) -> TrialRecord:
    return next(record for record in now.trials if record.trial_id == board.best.trial_id)


def _page(findings: Findings, board: Leaderboard) -> tuple[str, dict[str, bytes]]:
    """Return the page of a search, and its pictures by name, the chosen trial's as ``chosen_NAME``."""
    now, tables, importance = findings.now, findings.tables, findings.importance
    test = _test_results(now, board)
    unknown = f"How much each hyperparameter mattered cannot be determined. {importance.basis}"
    of_search = search_charts(now, board, importance)
    of_chosen = trial_charts(tables, is_chosen=True)
    images = {name: chart.png() for name, chart in of_search.items()}
    drawn = drawn_figures(_chosen(now, board))
    chosen_images = {n: drawn[n] if n in drawn else chart.png() for n, chart in of_chosen.items()}
    page = report.search_page(
        name=now.name,
        leaderboard=_everyone(board),
        description=_question(now, board.best.varied),
        objective=board.objective,
        stop_reasons=board.reasons,
        table_at_half=tables.table_at_half,
        table=tables.table,
        test_results=test,
        comparison=_beside_published(test),
        confirmed=[asdict(leader) for leader in board.confirmed],
        encoders=findings.encoders,
        early_stops=[asdict(stop) for stop in findings.early_stops.stops],
        risk=findings.early_stops.risk(),
        intervals=interval_picture(board),
        figures=search_pictures(of_search, images),
        trial_figures=trial_pictures(of_chosen, chosen_images, tables, band=findings.band),
        worst_errors=findings.errors,
        answers=board.answers,
        warnings=[edge.sentence for edge in findings.edges],
        insights=[unknown] if importance.shares is None else [],
        notes=_notes(now.known("data")),
        environment={**now.known("environment"), "data digest": now.known("data").get("digest")},
        borrowed=tables.borrowed,
        commands=findings.commands,
        cache=runs_folder() / "cache",
    )
    return page, {**images, **{f"chosen_{name}": png for name, png in chosen_images.items()}}


def _twin(findings: Findings, board: Leaderboard) -> dict[str, Any]:
    """Return everything that the page shows in numbers; infinity and NaN are None."""
    now, tables, importance = findings.now, findings.tables, findings.importance
    test = _test_results(now, board)
    everyone = _everyone(board)
    saved = {trial["trial_id"]: seconds_saved(trial) for trial in everyone}
    low, high = findings.band
    rows = tables.table.assign(threshold_low=low, threshold_high=high)
    value = {
        **board.to_dict(),
        "question": _question(now, board.best.varied),
        "summary": leaderboard.summary(board),
        "encoders": findings.encoders,
        "edge_warnings": [edge.sentence for edge in findings.edges],
        "early_stopping": {
            "summary": savings_sentence(everyone),
            "seconds_saved": {name: seconds for name, seconds in saved.items() if seconds is not None},
            **findings.early_stops.to_dict(),
        },
        "test": test,
        "comparison": _beside_published(test),
        "chosen": {
            "trial_id": board.best.trial_id,
            "split": "validation",
            "fixed_0.5": {
                **averages(tables.table_at_half),
                "per_label": tables.table_at_half.to_dict(orient="records"),
            },
            "cross_fitted": {**averages(tables.table), "per_label": rows.to_dict(orient="records")},
        },
        "importance": {"shares": importance.shares, "basis": importance.basis},
        "worst_errors": findings.errors,
        "notes": _notes(now.known("data")),
        "commands": findings.commands,
        "facts": now.facts,
        "search_space": now.spec,
    }
    return {name: _plain(part) for name, part in value.items()}


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it: what is not finite is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _notes(data: Mapping[str, Any]) -> list[str]:
    if "report" in data:
        return [f"{data['source']}.", *report_lines(data["report"])]
    counts = ", ".join(f"{split.get('examples', '?')} {name}" for name, split in data["splits"].items())
    return [f"{data['source']}: {counts}. Splits: {data['splitting']}.", *data["notes"]]


def _commands(now: Snapshot, further: str) -> list[str]:
    """Return what to type: to take the best model further, to search on beyond the edges, to search again."""
    return [
        f"goemo export {now.name} -o best.yaml",
        "goemo retrain best.yaml -o model",
        "goemo evaluate model",
        *([further] if further else []),
        repeated(now.path),
    ]


def _everyone(board: Leaderboard) -> list[dict[str, Any]]:
    """Return all trials that have a rank or have ended without one, in the shape of the leaderboard."""
    return [
        *(asdict(row) for row in board.rows),
        *({"rank": None, **asdict(trial)} for trial in board.left_out),
    ]


def _question(now: Snapshot, varied: Iterable[str]) -> str:
    model, data = now.asked("model"), now.asked("data")
    names = [name.replace("_", " ") for name in varied]
    sought = (
        f"Which {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))} suit"
        if names
        else "How good is"
    )
    parts = {"all": "all of it trained", "last_layer": "last layer and head trained", "head": "head trained"}
    trained = parts.get(model["trainable"], "") if isinstance(model["trainable"], str) else ""
    encoder = f"{one_or_several(model['checkpoint'])}{f' ({trained})' if trained else ''}"
    best = " best" if names else ""
    return f"{sought} {encoder}{best} on {data['source']}, and how sure can we be?"


def _test_results(now: Snapshot, board: Leaderboard) -> dict[str, Any] | None:
    """Return the chosen trial's test results, if the test split was opened for this very trial."""
    path = now.path / "artifacts" / "test_results.json"
    if not path.is_file():
        return None
    try:
        results = read_json(path, TestResults).model_dump(mode="json", exclude_unset=True)
    except UnreadableError as error:
        again = f"to write it again: goemo resume {now.name}"
        raise GoemoError(f"{now.name}: damaged: {error}; {again}") from error
    return results if results.pop("trial_id") == board.best.trial_id else None


def _beside_published(test: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the results beside published ones; None where they are not of the same test split."""
    beside = None if test is None else published.comparison(test)
    return None if beside is None else beside.to_dict()


def _texts(now: Snapshot) -> list[str] | None:
    data = now.known("data")
    try:
        splits = load_recorded({**data, "seed": now.asked("seed")})
    except GoemoError:  # the data has moved: the page does without its texts
        return None
    return splits.validation.texts if splits.digest == data.get("digest") else None
