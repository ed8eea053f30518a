"""Tables for the terminal, each from plain values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tune.durations import duration
from tune.live.listing import Column, Listing
from tune.ranking.comparison import Comparison, Contender
from tune.ranking.edges import edges_of, search_on
from tune.ranking.leaderboard import Leaderboard
from tune.ranking.rows import Row
from tune.short_names import SHORT_NAMES, short_value
from tune.spec import SearchSpec

RESULT_NAMES = {
    "fixed_0.5": "all at 0.5",
    "validation": "from validation",
    "test_tuned": "upper bound *",
}


def leaderboard_table(board: Leaderboard, most: int | None = None) -> Listing:
    """Return the ranking; ``=`` marks trials that are statistically tied with the best."""
    metric = board.objective.replace("_f1", "-F1")
    at_half = "at 0.5" if board.objective == "macro_f1" else "macro at 0.5"
    rows = board.rows[:most]
    has_front = sum(row.is_on_front for row in board.rows) > 1
    has_costs = any(row.ms_per_text is not None for row in rows)  # records of an earlier version have none
    no_costs = ("",) * len(COSTS) if has_costs else ()
    cells = []
    for row in rows:
        reason = {"stopped_early": "stopped"}.get(row.stop_reason, row.stop_reason)
        early = f" at {row.progress} %" if row.stop_reason != "completed" else ""
        cells.append(
            (
                str(row.rank),
                row.trial_id
                + (" =" if row.tied_with_best and row.rank > 1 else "")
                + (" *" if has_front and row.is_on_front else ""),
                score(row.objective),
                interval(row.low, row.high),
                score(row.val_macro_f1_at_half),
                reason + early,
                *(costs(row) if has_costs else ()),
            )
        )
    cells += [
        ("", row.trial_id, score(row.objective), interval(row.low, row.high), "", beside, *no_costs)
        for row, beside in ((board.blend, "for all of it"), (board.baseline, "a bag of words"))
        if row is not None
    ]
    hidden = len(board.rows) - len(rows)
    caption = ["= statistically tied with the best"] if any(r.tied_with_best for r in rows[1:]) else []
    caption += ["* on the Pareto front: no better trial is as fast and as small in use"] if has_front else []
    if board.unseen:
        unseen = _some(board.unseen, 5)
        caption += [f"no validation row has {unseen}: F1 of 0, thresholds borrowed from other labels"]
    caption += [f"{hidden} more: goemo leaderboard {board.search}"] if hidden else []
    return Listing(
        title=f"{board.search}: {metric} on validation, thresholds cross-fitted",
        columns=(
            Column("#", is_number=True),
            Column("trial"),
            Column(metric, is_number=True),
            Column("95 % interval"),
            Column(at_half, is_number=True, spare=2),
            Column("ended", spare=1),
            *(COSTS if has_costs else ()),
        ),
        rows=cells,
        settings=[*(_settings(row.varied) for row in rows), *({} for _ in cells[len(rows) :])],
        at=2,
        caption=caption,
        elsewhere="--format csv",
    )


COSTS = (
    Column("trained", is_number=True, spare=5),
    Column("ms per text", is_number=True, spare=3),
    Column("MB", is_number=True, spare=4),
)


def costs(row: Row | Contender) -> tuple[str, str, str]:
    """Return what a trial took to train, and what its model takes in use, in the order of `COSTS`."""
    ms = "" if row.ms_per_text is None else f"{row.ms_per_text:.3g}"
    mb = "" if row.megabytes is None else f"{row.megabytes:,.{0 if row.megabytes >= 10 else 1}f}"
    return duration(row.seconds), ms, mb


def comparison_table(comparison: Comparison) -> Listing:
    """Return the best trial of each group and how far it is behind the best of all."""
    metric = comparison.objective.replace("_f1", "-F1")
    cells = []
    for contender in comparison.contenders:
        is_first = contender.probability_best_beats_it is None
        cells.append(
            (
                contender.group + ("" if is_first or not contender.is_tied else " ="),
                contender.model,
                f"{contender.trial_id} of {contender.trials}",
                score(contender.objective),
                interval(contender.low, contender.high),
                "" if is_first else score(contender.behind),
                "" if is_first else interval(contender.behind_low, contender.behind_high),
                *costs(contender),
            )
        )
    tied = any(c.is_tied for c in comparison.contenders[1:])
    return Listing(
        title=f"best of each {comparison.by}: {metric} on validation, thresholds cross-fitted",
        columns=(
            Column(comparison.by),
            Column("model", spare=1),
            Column("best trial", spare=2),
            Column(metric, is_number=True),
            Column("95 % interval"),
            Column("behind", is_number=True, spare=6),
            Column("95 % interval of that", spare=7),
            *COSTS,
        ),
        rows=cells,
        caption=[
            *(["= statistically tied with the best"] if tied else []),
            "behind: on the same validation rows, paired. The best of many trials is a little lucky",
        ],
        elsewhere="--format csv",
    )


def confirmed_table(board: Leaderboard) -> Listing:
    """Return the leaders that were trained with several seeds, by their means; ``=`` as above."""
    metric = board.objective.replace("_f1", "-F1")
    cells = []
    for leader in board.confirmed:
        row = board.row(leader.trial_id)
        cells.append(
            (
                str(leader.rank),
                leader.trial_id + (" =" if leader.tied_with_best and leader.rank > 1 else ""),
                score(leader.mean),
                "" if leader.low is None or leader.high is None else interval(leader.low, leader.high),
                f"{len(leader.seeds)} of {len(leader.seeds) + len(leader.lost) + leader.waiting}",
                "" if leader.deviation is None else score(leader.deviation),
                f"{score(row.objective)} (# {row.rank})",
            )
        )
    tied = any(leader.tied_with_best for leader in board.confirmed[1:])
    return Listing(
        title=f"{board.search}: the leaders with further seeds, mean {metric} on validation",
        columns=(
            Column("#", is_number=True),
            Column("trial"),
            Column("mean", is_number=True),
            Column("95 % interval"),
            Column("seeds", is_number=True),
            Column("between seeds", is_number=True, spare=1),
            Column("in the search", is_number=True, spare=2),
        ),
        rows=cells,
        settings=[_settings(leader.varied) for leader in board.confirmed],
        at=2,
        caption=[
            *(["= statistically tied with the first"] if tied else []),
            "interval: over seeds and examples; between seeds: standard deviation",
        ],
        elsewhere="--format csv",
    )


def left_out(board: Leaderboard) -> list[str]:
    """Return how many trials have no rank, a line for each reason, and each seed that gave no score."""
    together: dict[tuple[str, str], list[str]] = {}
    for trial in board.left_out:
        together.setdefault((trial.stop_reason, trial.message), []).append(trial.trial_id)
    for lost in (lost for leader in board.confirmed for lost in leader.lost):
        together.setdefault((lost.stop_reason, lost.message), []).append(lost.trial_id)
    lines = [
        f"{_some(names, 6)} {reason.replace('_', ' ')}: {message or 'before its first report'}"
        for (reason, message), names in together.items()
    ]
    counts = Counter(trial.stop_reason.replace("_", " ") for trial in board.left_out)
    if counts:
        total = sum(counts.values())
        found = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        lines.insert(0, f"{total} {'trial has' if total == 1 else 'trials have'} no rank: {found}")
    lines += [f"warning: left out: {trial.why}" for trial in board.damaged]
    if board.damaged:
        lines.append(f"to train damaged ones again: goemo resume {board.search}")
    return lines


def beyond_edges(spec: Mapping[str, Any], folder: Path, board: Leaderboard) -> list[str]:
    """Return a warning for each edge of the space on which the best trial lies, and how to search on.

    ``spec`` is the search space as it was run, as plain values; ``folder`` has the records.
    """
    if not board.rows:
        return []
    space = SearchSpec.from_dict(dict(spec))
    found = edges_of(space, board)
    command = search_on(space, folder, found)
    warnings = [f"warning: {edge.sentence}" for edge in found]
    return [*warnings, f"to continue the search from there: {command}"] if command else warnings


def _some(names: Sequence[str], most: int) -> str:
    """Return the first of some names in one line, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def results_table(results: Mapping[str, Any]) -> Listing:
    """Return the averages of an evaluation, one row per origin of the thresholds."""
    cells = []
    for key, name in RESULT_NAMES.items():
        result = results["results"][key]
        macro = result["macro"]
        cells.append(
            (
                name,
                score(macro["f1"]),
                interval(*result["macro_f1_interval"]),
                score(result["weighted"]["f1"]),
                score(result["micro"]["f1"]),
                score(macro["precision"]),
                score(macro["recall"]),
            )
        )
    return Listing(
        title=f"{results['split']} split, {results['examples']} examples",
        columns=(
            Column("thresholds"),
            Column("macro-F1", is_number=True),
            Column("95 % interval"),
            Column("weighted", is_number=True),
            Column("micro", is_number=True),
            Column("precision", is_number=True, spare=1),
            Column("recall", is_number=True, spare=2),
        ),
        rows=cells,
        caption=[
            "* tuned on the split that they are evaluated on; weighted, micro: F1; precision, recall: macro",
        ],
        elsewhere="--format json",
    )


def per_label_table(results: Mapping[str, Any]) -> Listing:
    """Return one row a label, with thresholds from validation, beside F1 at 0.5."""
    at_half = {row["label"]: row["f1"] for row in results["results"]["fixed_0.5"]["per_label"]}
    return Listing(
        title="per label, thresholds from validation",
        columns=(
            Column("label"),
            Column("precision", is_number=True, spare=2),
            Column("recall", is_number=True, spare=3),
            Column("F1", is_number=True),
            Column("F1 at 0.5", is_number=True, spare=4),
            Column("MCC", is_number=True, spare=5),
            Column("support", is_number=True),
            Column("threshold", is_number=True, spare=1),
        ),
        rows=[
            (
                row["label"],
                *(score(row[key]) for key in ("precision", "recall", "f1")),
                score(at_half[row["label"]]),
                score(row["mcc"]),
                str(row["support"]),
                "never" if row["threshold"] is None else score(row["threshold"]),
            )
            for row in results["results"]["validation"]["per_label"]
        ],
        elsewhere="--format json",
    )


def score(value: float) -> str:
    """Return a score as tables show it, with four decimals."""
    return f"{value:.4f}"


def interval(low: float, high: float) -> str:
    """Return an interval of scores."""
    return f"{low:.4f} to {high:.4f}"


def _settings(varied: Mapping[str, Any]) -> dict[str, str]:
    return {SHORT_NAMES.get(name, name): short_value(value) for name, value in varied.items()}


def predictions_table(
    predictions: Iterable[Mapping[str, Any]], thresholds: Mapping[str, float], *, part: int | None = None
) -> Table:
    """Return one row a text: the predicted labels with score and threshold, and the label that comes next.

    Args:
        predictions: As ``goemo.bundle.Bundle.predict`` gives them.
        thresholds: By label; infinite for never.
        part: Number from 0 of the part of a longer table. Parts are equally wide, and the first has the head;
            a table that is whole is as wide as its content.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    is_part = part is not None
    table.expand, table.show_header = is_part, not part
    ratios = (3, 2, 2) if is_part else (None, None, None)
    table.add_column("text", overflow="fold", ratio=ratios[0])
    table.add_column("labels: score (threshold)", style="bold", ratio=ratios[1])
    table.add_column("next", ratio=ratios[2])
    for item in predictions:
        scores, predicted = item["scores"], set(item["labels"])
        ranked = sorted(scores, key=scores.__getitem__, reverse=True)
        labels = [_beside(label, scores, thresholds) for label in ranked if label in predicted]
        following = (_beside(label, scores, thresholds) for label in ranked if label not in predicted)
        cells = (_one_line(item["text"]), "\n".join(labels) or "(none)", next(following, ""))
        table.add_row(*(Text(cell) for cell in cells))  # as Text: a [bracket] in it is no markup
    return table


def _beside(label: str, scores: Mapping[str, float], thresholds: Mapping[str, float]) -> str:
    """Return a label with its score beside its threshold."""
    threshold = thresholds[label]
    shown = f"{threshold:.2f}" if math.isfinite(threshold) else "never"
    return f"{label} {scores[label]:.2f} ({shown})"


def _one_line(text: str, most: int = 200) -> str:
    """Return a text as a terminal can take it: nothing that moves the cursor, and not page upon page."""
    shown = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(character if character.isprintable() else " " for character in shown)
