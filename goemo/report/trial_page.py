"""The page of one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from goemo.configuration.thresholds import DEFAULT_METHOD
from goemo.configuration.thresholds import words as threshold_words
from goemo.report.pictures import Picture
from goemo.report.rendering import label_rows, mean_rows, metric_words, render

if TYPE_CHECKING:
    import pandas as pd

# Of a report, in the order of a reader's questions; other columns follow.
HISTORY_FIRST = (
    "progress",
    "val/macro_f1",
    "val/macro_f1_at_0.5",
    "val/weighted_f1",
    "val/micro_f1",
    "val/loss",
    "train/loss",
)
HISTORY_LEFT_OUT = ("time",)


def trial_page(
    *,
    title: str,
    config: Mapping[str, Any],
    metrics: Mapping[str, float],
    history: Sequence[Mapping[str, float]],
    stop_reason: str | None,
    table_at_half: pd.DataFrame,
    table: pd.DataFrame,
    figures: Mapping[str, bytes],
    worst_errors: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, Any] | None = None,
    commands: Sequence[str] = (),
    message: str = "",
    borrowed: Sequence[str] = (),
) -> str:
    """Return one trial as a self-contained HTML page.

    Args:
        title: What to call it, such as ``quickstart t004``.
        config: The fields of a `goemo.configuration.Configuration`.
        metrics: The best report's, by their names in MLflow.
        history: All reports, in order of progress; at least one.
        stop_reason: As in MLflow's tag; None while it runs.
        table_at_half: Output of `goemo.metrics.per_label_table` on validation, at 0.5.
        table: The same at tuned thresholds, each row judged with thresholds fitted on other rows.
        figures: PNG files by caption, in the order to show.
        worst_errors: Output of `goemo.report.worst_errors.worst_errors`, where texts may be shown.
        environment: Facts to repeat it: versions, hardware, digests of the data.
        commands: What to type to repeat it, one command each.
        message: Why it ended, where that needs words.
        borrowed: Labels that no validation example has, whose thresholds come from others.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    metric = str(config.get("metric", "macro_f1"))
    return render(
        "trial.html",
        title=title,
        config=config,
        metric=metric_words(metric),
        best=metrics[f"val/{metric}"],
        metrics=metrics,
        history=history,
        history_columns=_history_columns(history),
        stop_reason=stop_reason,
        message=message,
        labels=label_rows(table_at_half, table),
        means=mean_rows(table_at_half, table),
        figures=[Picture(caption, png) for caption, png in figures.items()],
        bundle=None,
        worst_errors=worst_errors,
        environment=environment,
        commands=commands,
        method=threshold_words(config.get("thresholds", DEFAULT_METHOD)),
        borrowed=borrowed,
    )


def _history_columns(history: Sequence[Mapping[str, float]]) -> list[str]:
    present = dict.fromkeys(name for row in history for name in row if name not in HISTORY_LEFT_OUT)
    first = [name for name in HISTORY_FIRST if name in present]
    return first + [name for name in present if name not in HISTORY_FIRST]
