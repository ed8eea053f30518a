"""A whole search for readers: one HTML page, its JSON twin, the leaderboard's files and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from goemo import bundle, evaluation, figures, report
from goemo.data import Splits, load_splits
from goemo.errors import GoemoError, InputError
from goemo.outcomes import RANKED
from tune import leaderboard
from tune.artifacts import CAPTIONS, trial_figures, trial_tables
from tune.leaderboard import Leaderboard
from tune.records import SearchFolder, write_json, write_text

SEARCH_CAPTIONS = {
    "learning_curves.png": "The objective of every trial against its progress; cut curves are early stops",
    "objective_by_hyperparameter.png": "The objective against each hyperparameter; bars are medians",
}


def write_search_artifacts(search: SearchFolder, board: Leaderboard, splits: Splits) -> None:
    """Write what the parent run shows into the search's ``artifacts/``."""
    folder = search.path / "artifacts"
    write_text(folder / "leaderboard.csv", board.to_csv())
    write_text(folder / "leaderboard.json", board.to_json() + "\n")
    pictures = search_figures(search, board)
    (folder / "figures").mkdir(exist_ok=True)
    for name, png in pictures.items():
        (folder / "figures" / name).write_bytes(png)
    write_text(folder / "report.html", _page(search, board, splits.validation.texts))


def test_chosen(search: SearchFolder, board: Leaderboard, splits: Splits) -> dict[str, Any] | None:
    """Open the test split for the chosen trial and keep the results among the search's files.

    Returns:
        What `goemo.evaluation.results` gives, or None where the trial's weights were not kept.
    """
    model = search.trial(board.best.trial_id).path / "model"
    if not model.is_dir():
        return None
    loaded = bundle.load(model)
    if loaded.provenance.get("progress") != board.best.best_progress:
        return None  # of an earlier report: a leader that failed later stood in the way of the best one
    scores = evaluation.as_kept(loaded.scores(splits.test.texts))
    results = evaluation.results(splits.labels, loaded.thresholds, scores, splits.test.targets)
    write_json(search.path / "artifacts" / "test_results.json", {"trial_id": board.best.trial_id, **results})
    return results


def write_report(search: SearchFolder, path: Path) -> tuple[Path, Path]:
    """Write the page of a search and its JSON twin; works while the search runs.

    Texts that the chosen trial gets most wrong are shown where the data can still be read and is unchanged.

    Raises:
        InputError: The path ends in ``.json``, which is the twin's.
        GoemoError: Nothing has been reported yet.
    """
    twin = path.with_suffix(".json")
    if twin == path:
        raise InputError(str(path), ["the page is HTML and its JSON twin gets this name; give FILE.html"])
    board = leaderboard.build(search)
    write_text(path, _page(search, board, _texts(search)))
    value = {
        **board.to_dict(),
        "summary": leaderboard.summary(board),
        "facts": search.facts,
        "search_space": search.spec,
        "test": _test_results(search, board),
    }
    write_text(twin, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    return path, twin


def search_figures(search: SearchFolder, board: Leaderboard) -> dict[str, bytes]:
    """Draw the figures of a search, by file name."""
    trials = [
        figures.Trial(
            trial_id=record.trial_id,
            varied=record.varied,
            history=record.history,
            stop_reason=record.outcome.stop_reason if record.outcome else None,
        )
        for record in search.records()
    ]
    best, objective = board.best.trial_id, f"val/{board.objective}"
    drawn = {"learning_curves.png": figures.learning_curves(trials, objective=objective, best=best)}
    if board.best.varied:
        drawn["objective_by_hyperparameter.png"] = figures.objective_by_hyperparameter(
            trials, objective=objective, best=best
        )
    return {name: figures.png(figure) for name, figure in drawn.items()}


def _page(search: SearchFolder, board: Leaderboard, texts: list[str] | None) -> str:
    targets, labels = search.validation()
    record = search.trial(board.best.trial_id).read()
    tables = trial_tables(search, record)
    spec, facts = search.spec, search.facts
    errors: list[dict[str, Any]] = []
    if texts is not None:
        errors = report.worst_errors(tables.scores, targets, tables.thresholds.values, labels, texts)
    pictures = search_figures(search, board)
    examples = {name: split["examples"] for name, split in facts["data"]["splits"].items()}
    counts = ", ".join(f"{number} {name}" for name, number in examples.items())
    notes = [f"{facts['data']['source']}: {counts}. Splits: {facts['data']['splitting']}."]
    return report.search_page(
        name=search.name,
        leaderboard=[*board.to_dict()["trials"], *_unranked(search)],
        description=_question(spec, board.best.varied),
        objective=board.objective,
        stop_reasons=board.reasons,
        table_at_half=tables.table_at_half,
        table=tables.table,
        test_results=_test_results(search, board),
        figures={SEARCH_CAPTIONS[name]: png for name, png in pictures.items()},
        trial_figures={CAPTIONS[name]: png for name, png in trial_figures(search, tables).items()},
        worst_errors=errors,
        notes=[*notes, *facts["data"]["notes"]],
        environment={**facts["environment"], "data digest": facts["data"]["digest"]},
        commands=[
            f"goemo export {search.name} -o best.yaml",
            "goemo retrain best.yaml -o model",
            "goemo evaluate model",
        ],
    )


def _unranked(search: SearchFolder) -> list[dict[str, Any]]:
    """Return the trials without a rank, with the reason, in the leaderboard's shape."""
    return [
        {
            "rank": None,
            "trial_id": record.trial_id,
            "config": record.config,
            "varied": record.varied,
            "stop_reason": record.outcome.stop_reason,
            "progress": record.progress,
            "message": record.outcome.message,
        }
        for record in search.records()
        if record.outcome is not None and record.outcome.stop_reason not in RANKED
    ]


def _question(spec: dict[str, Any], varied: Iterable[str]) -> str:
    model, data = spec["model"], spec["data"]
    names = [name.replace("_", " ") for name in varied]
    sought = (
        f"Which {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))} suit"
        if names
        else "How good is"
    )
    parts = {"all": "all of it trained", "last_layer": "last layer and head trained", "head": "head trained"}
    encoder = f"{model['checkpoint']} ({parts[model['trainable']]})"
    best = " best" if names else ""
    return f"{sought} {encoder}{best} on {data['source']}, and how sure can we be?"


def _test_results(search: SearchFolder, board: Leaderboard) -> dict[str, Any] | None:
    """Return the chosen trial's test results, if the test split was opened for this very trial."""
    path = search.path / "artifacts" / "test_results.json"
    if not path.is_file():
        return None
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return results if results.pop("trial_id") == board.best.trial_id else None


def _texts(search: SearchFolder) -> list[str] | None:
    data = search.facts["data"]
    try:
        splits = load_splits(data["source"], data["taxonomy"], seed=search.spec["seed"])
    except GoemoError:  # the data has moved: the page does without its texts
        return None
    return splits.validation.texts if splits.digest == data["digest"] else None
