"""What commands print for people: tables for the terminal, each from plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tune.names import SHORT_NAMES, short_value
from tune.ranking.comparison import Comparison
from tune.ranking.leaderboard import Leaderboard

RESULT_NAMES = {
    "fixed_0.5": "all at 0.5",
    "validation": "from validation",
    "test_tuned": "upper bound *",
}


def leaderboard_table(board: Leaderboard, most: int | None = None) -> Table:
    """Return the ranking; ``=`` marks trials that cannot be told apart from the best."""
    metric = board.objective.replace("_f1", "-F1")
    table = _table(title=f"{board.search}: {metric} on validation, thresholds cross-fitted")
    table.add_column("#", justify="right")
    table.add_column("trial", no_wrap=True)
    for key in board.varied_names:
        table.add_column(SHORT_NAMES.get(key, key), justify="right", no_wrap=True)
    table.add_column(metric, justify="right", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    at_half = "at 0.5" if board.objective == "macro_f1" else "macro at 0.5"
    table.add_column(at_half, justify="right", no_wrap=True)
    table.add_column("ended", no_wrap=True)
    rows = board.rows[:most]
    for row in rows:
        reason = {"stopped_early": "stopped"}.get(row.stop_reason, row.stop_reason)
        early = f" at {row.progress} %" if row.stop_reason != "completed" else ""
        table.add_row(
            str(row.rank),
            row.trial_id + (" =" if row.tied_with_best and row.rank > 1 else ""),
            *(short_value(row.varied.get(name, "")) for name in board.varied_names),
            f"{row.objective:.4f}",
            f"{row.low:.3f} to {row.high:.3f}",
            f"{row.val_macro_f1_at_half:.4f}",
            reason + early,
        )
    hidden = len(board.rows) - len(rows)
    more = f"{hidden} more: goemo leaderboard {board.search}" if hidden else ""
    tied = "= cannot be told apart from the best" if any(r.tied_with_best for r in rows[1:]) else ""
    table.caption = "; ".join(part for part in (tied, more) if part) or None
    return table


def comparison_table(comparison: Comparison) -> Table:
    """Return the best trial of each search and how far it is behind the best of all."""
    metric = comparison.objective.replace("_f1", "-F1")
    table = _table(title=f"best of each search: {metric} on validation, thresholds cross-fitted")
    table.add_column("search", no_wrap=True)
    table.add_column("model")
    table.add_column("best trial", no_wrap=True)
    table.add_column(metric, justify="right", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    table.add_column("behind", justify="right", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    for contender in comparison.contenders:
        is_first = contender.probability_best_beats_it is None
        table.add_row(
            contender.search + ("" if is_first or not contender.is_tied else " ="),
            contender.model,
            f"{contender.trial_id} of {contender.trials}",
            f"{contender.objective:.4f}",
            f"{contender.low:.3f} to {contender.high:.3f}",
            "" if is_first else f"{contender.behind:.4f}",
            "" if is_first else f"{contender.behind_low:.4f} to {contender.behind_high:.4f}",
        )
    tied = any(c.is_tied for c in comparison.contenders[1:])
    table.caption = (
        "= cannot be told apart from the best; " if tied else ""
    ) + "behind: on the same validation rows, paired. The best of many trials is a little lucky"
    return table


def confirmed_table(board: Leaderboard) -> Table:
    """Return the leaders that were trained with several seeds, by their means; ``=`` as above."""
    metric = board.objective.replace("_f1", "-F1")
    table = _table(title=f"{board.search}: the leaders with further seeds, mean {metric} on validation")
    table.add_column("#", justify="right")
    table.add_column("trial", no_wrap=True)
    for key in board.varied_names:
        table.add_column(SHORT_NAMES.get(key, key), justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    for name in ("seeds", "between seeds", "in the search"):
        table.add_column(name, justify="right", no_wrap=True)
    for leader in board.confirmed:
        row = board.row(leader.trial_id)
        table.add_row(
            str(leader.rank),
            leader.trial_id + (" =" if leader.tied_with_best and leader.rank > 1 else ""),
            *(short_value(leader.varied.get(name, "")) for name in board.varied_names),
            f"{leader.mean:.4f}",
            "" if leader.low is None or leader.high is None else f"{leader.low:.3f} to {leader.high:.3f}",
            f"{len(leader.seeds)} of {len(leader.seeds) + len(leader.lost) + leader.waiting}",
            "" if leader.deviation is None else f"{leader.deviation:.4f}",
            f"{row.objective:.4f} (# {row.rank})",
        )
    tied = any(leader.tied_with_best for leader in board.confirmed[1:])
    table.caption = ("= cannot be told apart from the first; " if tied else "") + (
        "interval: other seeds and other examples; between seeds: standard deviation"
    )
    return table


def left_out(board: Leaderboard, most: int = 6) -> list[str]:
    """Return how many trials have no rank, with one line for each reason, and each seed that gave no score.

    Args:
        board: The leaderboard.
        most: How many trials a line names.
    """
    together: dict[tuple[str, str], list[str]] = {}
    for trial in board.left_out:
        together.setdefault((trial.stop_reason, trial.message), []).append(trial.trial_id)
    for lost in (lost for leader in board.confirmed for lost in leader.lost):
        together.setdefault((lost.stop_reason, lost.message), []).append(lost.trial_id)
    lines = [
        f"{_some(names, most)} {reason.replace('_', ' ')}: {message or 'before its first report'}"
        for (reason, message), names in together.items()
    ]
    counts = Counter(trial.stop_reason.replace("_", " ") for trial in board.left_out)
    if counts:
        total = sum(counts.values())
        found = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        lines.insert(0, f"{total} {'trial has' if total == 1 else 'trials have'} no rank: {found}")
    lines += [f"warning: left out: {trial.why}" for trial in board.damaged]
    if board.damaged:
        lines.append(f"to train what is damaged again: goemo resume {board.search}")
    return lines


def _some(names: list[str], most: int) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def results_table(results: Mapping[str, Any]) -> Table:
    """Return the averages of an evaluation, one row per origin of the thresholds."""
    table = _table(title=f"{results['split']} split, {results['examples']} examples")
    table.add_column("thresholds", no_wrap=True)
    for name in ("macro-F1", "95 % interval", "weighted", "micro", "precision", "recall"):
        table.add_column(name, justify="right", no_wrap=True)
    for key, name in RESULT_NAMES.items():
        result = results["results"].get(key)
        if result is None:
            continue
        low, high = result["macro_f1_interval"]
        table.add_row(
            name,
            f"{result['macro']['f1']:.4f}",
            f"{low:.3f} to {high:.3f}",
            f"{result['weighted']['f1']:.4f}",
            f"{result['micro']['f1']:.4f}",
            f"{result['macro']['precision']:.4f}",
            f"{result['macro']['recall']:.4f}",
        )
    table.caption = "* tuned on the very split that they judge; weighted, micro: F1; precision, recall: macro"
    return table


def per_label_table(results: Mapping[str, Any]) -> Table:
    """Return one row a label, with thresholds from validation, beside F1 at 0.5."""
    table = _table(title="per label, thresholds from validation")
    table.add_column("label")
    for name in ("precision", "recall", "F1", "F1 at 0.5", "MCC", "support", "threshold"):
        table.add_column(name, justify="right", no_wrap=True)
    at_half = {row["label"]: row["f1"] for row in results["results"]["fixed_0.5"]["per_label"]}
    for row in results["results"]["validation"]["per_label"]:
        cut = row["threshold"]
        table.add_row(
            row["label"],
            *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
            f"{at_half[row['label']]:.3f}",
            f"{row['mcc']:.3f}",
            str(row["support"]),
            "never" if cut is None else f"{cut:.3f}",
        )
    return table


def predictions_table(predictions: Iterable[Mapping[str, Any]], *, part: int | None = None) -> Table:
    """Return one row a text: the labels over their thresholds, and the highest scores.

    Args:
        predictions: As ``goemo.bundle.Bundle.predict`` gives them.
        part: Number from 0 of the part of a longer table. Parts are equally wide, and the first has the head;
            a table that is whole is as wide as its content.
    """
    table = _table()
    is_part = part is not None
    table.expand, table.show_header = is_part, not part
    ratios = (3, 2, 3) if is_part else (None, None, None)
    table.add_column("text", overflow="fold", ratio=ratios[0])
    table.add_column("labels", style="bold", ratio=ratios[1])
    table.add_column("highest scores", ratio=ratios[2])
    for item in predictions:
        ranked = sorted(item["scores"].items(), key=lambda pair: -pair[1])[:3]
        scores = ", ".join(f"{label} {score:.2f}" for label, score in ranked)
        cells = (_one_line(item["text"]), ", ".join(item["labels"]) or "(none)", scores)
        table.add_row(*(Text(cell) for cell in cells))  # as Text: a [bracket] in it is no markup
    return table


def _one_line(text: str, most: int = 200) -> str:
    """Return a text as a terminal can take it: nothing that moves the cursor, and not page upon page."""
    shown = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(character if character.isprintable() else " " for character in shown)


def _table(title: str | None = None) -> Table:
    return Table(
        title=title,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
