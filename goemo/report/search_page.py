"""The page of a search: which settings are best, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goemo.configuration.outcomes import RANKED
from goemo.configuration.thresholds import DEFAULT_METHOD
from goemo.configuration.thresholds import words as threshold_words
from goemo.metrics import averages
from goemo.report.pictures import Picture
from goemo.report.rendering import label_rows, mean_rows, metric_words, render, words
from goemo.report.savings import duration, savings_sentence, seconds_saved
from goemo.report.scripts import vega_bundle
from goemo.report.standing import standing

if TYPE_CHECKING:
    import pandas as pd

RESULT_NAMES = {
    "validation": "fitted on validation (the result)",
    "fixed_0.5": "0.5 for all labels",
    "test_tuned": "tuned on this split (upper bound)",
}


def search_page(
    *,
    name: str,
    leaderboard: Sequence[Mapping[str, Any]],
    stop_reasons: Mapping[str, int],
    table_at_half: pd.DataFrame,
    table: pd.DataFrame,
    description: str = "",
    objective: str = "macro_f1",
    test_results: Mapping[str, Any] | None = None,
    comparison: Mapping[str, Any] | None = None,
    confirmed: Sequence[Mapping[str, Any]] = (),
    encoders: Sequence[Mapping[str, Any]] = (),
    early_stops: Sequence[Mapping[str, Any]] = (),
    risk: str = "",
    intervals: Picture | None = None,
    figures: Sequence[Picture] = (),
    trial_figures: Sequence[Picture] = (),
    worst_errors: Sequence[Mapping[str, Any]] = (),
    answers: Sequence[str] = (),
    warnings: Sequence[str] = (),
    insights: Sequence[str] = (),
    notes: Sequence[str] = (),
    environment: Mapping[str, Any] | None = None,
    commands: Sequence[str] = (),
    borrowed: Sequence[str] = (),
    cache: Path | None = None,
) -> str:
    """Return a search as a self-contained HTML page that opens with its answer.

    Args:
        name: The search's name.
        leaderboard: The trials of ``goemo leaderboard --format json``, best first, at least one; those with
            ``rank`` None (failed, diverged) follow, with their ``message`` where there is one.
        stop_reasons: How many trials ended how.
        table_at_half: Of the chosen trial on validation, at 0.5.
        table: The same at tuned thresholds, each row judged with thresholds fitted on other rows.
        description: The question, in words.
        objective: The metric that ranks; ``val_`` and this name is its key in the leaderboard.
        test_results: Output of `goemo.evaluation.results` for the chosen trial; None if never opened. An
            older record, without intervals of the labels, is shown without them.
        comparison: A `goemo.published.Comparison` in plain values; None where they are not about this data.
        confirmed: The leaders with several seeds, best mean first, in the shape of the same JSON. Once none
            of their seeds is ``waiting``, the first of them is the answer.
        encoders: The best trial of each encoder against the best of all, in the shape of
            `tune.ranking.comparison.Contender`.
        early_stops: The trials that the scheduler stopped early, in the shape of
            `tune.ranking.early_stops.Cut`.
        risk: What may have been lost with them, in words.
        intervals: Shown above the leaderboard, whose own drawn intervals then stand back.
        figures: Of the search, in the order to show.
        trial_figures: Likewise of the chosen trial.
        worst_errors: Output of `goemo.report.worst_errors.worst_errors` for the chosen trial.
        answers: What the best trial is worth beside other models, the baseline and a blend: sentences.
        warnings: What limits the answer, shown with it: sentences.
        insights: On the figures of the search: sentences.
        notes: On the data: splitting, overlaps, what was left out. One sentence or two each.
        environment: Facts to repeat it: versions, hardware, digests of the data.
        commands: What to type to repeat it, one command each.
        borrowed: Labels that no validation example has, whose thresholds come from others.
        cache: Folder that keeps the charts' scripts for the next page; see `goemo.report.scripts`.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    ranked = [trial for trial in leaderboard if trial.get("rank") is not None]
    others = [trial for trial in leaderboard if trial.get("rank") is None]
    key = f"val_{objective}"
    is_confirmed = bool(confirmed) and not any(leader["waiting"] for leader in confirmed)
    chosen = (confirmed if is_confirmed else ranked)[0]["trial_id"]
    best = next(trial for trial in ranked if trial["trial_id"] == chosen)
    pictures = [*([intervals] if intervals else []), *figures, *trial_figures]
    saved = {trial["trial_id"]: seconds_saved(trial) for trial in leaderboard}
    return render(
        "search.html",
        name=name,
        description=description,
        metric=metric_words(objective),
        key=key,
        ranked=ranked,
        others=others,
        varied=list(dict.fromkeys(name for trial in leaderboard for name in trial["varied"])),
        scale=_scale(trial[name] for trial in ranked for name in ("low", key, "high")),
        best=best,
        tied=sum(bool(one.get("tied_with_best")) for one in confirmed[1:]),
        standing=standing(best, ranked),
        stop_reasons=stop_reasons,
        ended_badly=_reasons([trial for trial in others if trial["stop_reason"] not in RANKED]),
        labels=label_rows(table_at_half, table),
        means=mean_rows(table_at_half, table),
        method=threshold_words(best["config"].get("thresholds", DEFAULT_METHOD)),
        borrowed=borrowed,
        test=None if test_results is None else _test(test_results),
        tables=[
            _all_columns(
                "All thresholds at 0.5", table_at_half.to_dict(orient="records"), averages(table_at_half)
            ),
            _all_columns("Thresholds tuned per label", table.to_dict(orient="records"), averages(table)),
        ],
        comparison=comparison,
        is_confirmed=is_confirmed,
        confirmed=confirmed,
        seeds_scale=_scale(
            value for leader in confirmed for value in (leader["low"], leader["high"], *leader["values"])
        ),
        lost=[lost for leader in confirmed for lost in leader["lost"]],
        encoders=encoders,
        has_costs=any(trial.get("ms_per_text") is not None for trial in ranked),
        has_front=sum(bool(trial.get("is_on_front")) for trial in ranked) > 1,
        early_stops=early_stops,
        risk=risk,
        intervals=intervals,
        figures=figures,
        trial_figures=trial_figures,
        bundle=vega_bundle(cache) if any(picture.chart for picture in pictures) else None,
        worst_errors=worst_errors,
        answers=answers,
        warnings=warnings,
        insights=insights,
        savings=savings_sentence(leaderboard),
        saved={name: duration(seconds) for name, seconds in saved.items() if seconds is not None},
        notes=notes,
        environment=environment,
        commands=commands,
    )


def _reasons(trials: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str], str]]:
    """Return how trials failed, as (reason, trial ids, message), equal ones together."""
    together: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        reason = (words(trial["stop_reason"]), str(trial["message"]))
        together.setdefault(reason, []).append(str(trial["trial_id"]))
    return [(reason, ids, message) for (reason, message), ids in together.items()]


def _scale(values: Iterable[float | None]) -> dict[str, float]:
    """Return the range over which a table draws values and the ends of intervals."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    return {"low": low, "width": (high - low) or 1.0}


def _all_columns(name: str, rows: list[dict[Any, Any]], means: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the published columns, the most frequent label first, and its means."""
    return {"name": name, "rows": sorted(rows, key=lambda row: -row["support"]), "means": means}


def _test(results: Mapping[str, Any]) -> dict[str, Any]:
    by_source = results["results"]
    at_half = {row["label"]: row for row in by_source["fixed_0.5"]["per_label"]}
    bound = {row["label"]: row for row in by_source["test_tuned"]["per_label"]}
    labels = [
        {**row, "f1_at_half": at_half[row["label"]]["f1"], "f1_bound": bound[row["label"]]["f1"]}
        for row in by_source["validation"]["per_label"]
    ]
    return {
        "split": results["split"],
        "examples": results["examples"],
        "rows": [
            {"source": source, "text": text, **by_source[source], "intervals": _intervals(by_source[source])}
            for source, text in RESULT_NAMES.items()
        ],
        "labels": sorted(labels, key=lambda row: -row["support"]),
        "has_weighted": any(_intervals(by_source[source])["weighted_f1"] for source in RESULT_NAMES),
        "has_intervals": any(row.get("f1_low") is not None for row in labels),
        "tables": [
            _all_columns(
                f"Thresholds {text}" if source != "fixed_0.5" else "All thresholds at 0.5",
                by_source[source]["per_label"],
                by_source[source],
            )
            for source, text in RESULT_NAMES.items()
        ],
        "result": by_source["validation"],
        "at_half": by_source["fixed_0.5"],
    }


def _intervals(result: Mapping[str, Any]) -> dict[str, Sequence[float] | None]:
    """Return the intervals of the averages; an older record has that of macro-F1 alone."""
    known = {"macro_f1": result.get("macro_f1_interval"), **result.get("intervals", {})}
    return {name: known.get(name) for name in ("macro_f1", "weighted_f1", "micro_f1")}
