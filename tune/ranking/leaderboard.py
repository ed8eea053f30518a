"""The ranking of a search's trials, with intervals, computed from its records alone."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from goemo.errors import GoemoError, InputError
from goemo.report.savings import savings_sentence
from goemo.report.standing import standing
from goemo.significance import PairedDifference, compare_draws
from goemo.thresholds import Targets
from goemo.tokens.batches import steps_per_epoch
from tune.ranking.answers import BaselineRow, BlendRow, baseline_row, blend_row, why_no_blend
from tune.ranking.confirmed import Confirmed, rank_confirmed, with_interval
from tune.ranking.resampled import resampled
from tune.ranking.rows import Row, Unranked, csv_text, front, model_in_use
from tune.records import BASELINE, Damaged, DamagedTrialError, Snapshot, TrialRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Leaderboard:
    """The trials of a search in order, and what became of those that cannot be ranked.

    Attributes:
        search: The search's name.
        objective: The metric that ranks.
        rows: Ranked trials, best first.
        reasons: How many trials ended for which reason, all trials counted.
        left_out: The trials that have ended without a rank, in order of their ids.
        confirmed: The leaders that are trained with several seeds, best mean first; see `confirm`.
        damaged: The trials that are left out because a file of theirs cannot be read.
        unseen: The labels that no validation row has: their thresholds come from other labels, their F1 is 0.
        baseline: The bag of words that they are compared with; None before it is fitted, and without one.
        blend: The best models as one; None where that is not shown to gain.
        no_blend: Why there is none, once that was judged.
    """

    search: str
    objective: str
    rows: tuple[Row, ...]
    reasons: dict[str, int]
    left_out: tuple[Unranked, ...] = ()
    confirmed: tuple[Confirmed, ...] = ()
    damaged: tuple[Damaged, ...] = ()
    unseen: tuple[str, ...] = ()
    baseline: BaselineRow | None = None
    blend: BlendRow | None = None
    no_blend: str = ""

    @property
    def is_confirmed(self) -> bool:
        """Whether the leaders are confirmed, all their seeds having ended."""
        return bool(self.confirmed) and not any(leader.waiting for leader in self.confirmed)

    @property
    def best(self) -> Row:
        """The trial to take: the first row, or that of the leader with the best mean once all are confirmed.

        Raises:
            GoemoError: No trial could be ranked.
        """
        if not self.rows:
            ended = ", ".join(f"{n} {reason}" for reason, n in self.reasons.items()) or "none has started"
            raise GoemoError(f"{self.search}: no trial has a score to rank by ({ended})")
        return self.row(self.confirmed[0].trial_id) if self.is_confirmed else self.rows[0]

    @property
    def answers(self) -> list[str]:
        """What the best trial is worth beside the baseline, and whether a blend is better: sentences."""
        found = [] if self.baseline is None else [self.baseline.sentence]
        if self.blend is not None:
            return [*found, self.blend.sentence]
        return [*found, f"No blend: {self.no_blend}."] if self.no_blend else found

    @property
    def varied_names(self) -> list[str]:
        """The hyperparameters that any of the trials was asked for; not each of them was asked for all."""
        return list(dict.fromkeys(name for row in self.rows for name in row.varied))

    def row(self, trial_id: str) -> Row:
        """Return one trial's row.

        Raises:
            InputError: The trial is not ranked.
        """
        for row in self.rows:
            if row.trial_id == trial_id:
                return row
        known = ", ".join(row.trial_id for row in self.rows)
        raise InputError("--trial", [f"no ranked trial {trial_id!r} in {self.search}; there are: {known}"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "search": self.search,
            "objective": self.objective,
            "baseline": None if self.baseline is None else asdict(self.baseline),
            "blend": None if self.blend is None else asdict(self.blend),
            "trials": [asdict(row) for row in self.rows],
            "reasons": self.reasons,
            "left_out": [asdict(trial) for trial in self.left_out],
            "confirmed": [asdict(leader) for leader in self.confirmed],
            "damaged": [asdict(trial) for trial in self.damaged],
            "unseen": list(self.unseen),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_csv(self) -> str:
        """Return one line a trial; the varied hyperparameters are columns, and so is what confirmed it."""
        return csv_text(self._flat(), first=("rank", "trial_id"))

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a frame; the varied hyperparameters are columns, and so is what confirmed it."""
        import pandas as pd

        return pd.DataFrame(self._flat())

    def _flat(self) -> list[dict[str, Any]]:
        """Return the rows with a value a column; those of the confirmation only where there is one."""
        flat = [_flat(row, self.varied_names) for row in self.rows]
        if not self.confirmed:
            return flat
        by_trial = {leader.trial_id: leader for leader in self.confirmed}
        return [{**row, **_confirmation_columns(by_trial.get(row["trial_id"]))} for row in flat]


def build(search: Snapshot) -> Leaderboard:
    """Rank a search's trials; works while the search runs. What is damaged is left out and named.

    Ranking is by the best report's objective on validation, with thresholds that were fitted on other
    validation rows. The intervals hold the trained models fixed and vary the examples.
    """
    try:
        return _build(search)
    except DamagedTrialError as error:
        return build(search.without(error))


def _build(search: Snapshot) -> Leaderboard:
    records = search.trials
    metric = search.asked("objective")["metric"]
    under_way = word_for_under_way(search)
    reasons = Counter(r.outcome.stop_reason if r.outcome else under_way for r in records)
    ranked = [record for record in records if record.is_ranked]
    rows: list[Row] = []
    confirmed: tuple[Confirmed, ...] = ()
    unseen: tuple[str, ...] = ()
    if ranked:
        targets, labels = search.validation()
        unseen = tuple(label for place, label in enumerate(labels) if not targets[:, place].any())
        found = rank(
            ranked,
            targets,
            under_way={search.name: under_way},
            train_examples={search.name: train_examples(search)},
        )
        rows = [row for row, _ in found]
        confirmed = rank_confirmed(search, targets)
    board = Leaderboard(
        search.name,
        metric,
        tuple(rows),
        dict(reasons),
        left_out=left_out(records),
        confirmed=confirmed,
        damaged=search.damaged,
        unseen=unseen,
    )
    blend = blend_row(search)
    no_blend = why_no_blend(search) if blend is None and search.blended is not None else ""
    return replace(board, baseline=_baseline(search, board), blend=blend, no_blend=no_blend)


def _baseline(search: Snapshot, board: Leaderboard) -> BaselineRow | None:
    """Return the baseline against the trial to take; None before it is fitted."""
    if BASELINE not in search.answers:
        return None
    best = board.best.trial_id if board.rows else None
    record = next((one for one in search.trials if one.trial_id == best), None)
    return baseline_row(search, record, search.validation()[0])


def in_order(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that rank, the highest objective first, equals by trial id."""
    ranked = (record for record in records if record.is_ranked)
    return sorted(ranked, key=lambda r: (-(r.objective or 0.0), r.trial_id))


def left_out(records: Iterable[TrialRecord]) -> tuple[Unranked, ...]:
    """Return the trials that have ended without a rank."""
    return tuple(
        Unranked(
            trial_id=record.trial_id,
            config=record.config,
            varied=record.varied,
            stop_reason=record.outcome.stop_reason,
            progress=record.progress,
            seconds=record.seconds,
            message=record.outcome.message,
        )
        for record in records
        if record.outcome is not None and not record.is_ranked
    )


def train_examples(search: Snapshot) -> int | None:
    """Return how many examples the trials of a search train on; None where its data is not known yet."""
    train: Mapping[str, Any] = search.facts.get("data", {}).get("splits", {}).get("train", {})
    return train.get("examples")


def word_for_under_way(search: Snapshot) -> str:
    """Return what to call a trial of this search that has not ended."""
    return "running" if search.facts.get("status") == "running" else "unfinished"


def rank(
    records: Sequence[TrialRecord],
    targets: Targets,
    *,
    under_way: Mapping[str, str],
    train_examples: Mapping[str, int | None] = {},
) -> list[tuple[Row, PairedDifference]]:
    """Rank trials that were measured on the same validation rows by the same metric.

    Args:
        records: At least one, each with a report; of one search or of several.
        targets: Of the validation split, shape (n_examples, n_labels).
        under_way: What to call a trial of each search that has not ended, by the search's name.
        train_examples: How many examples each search trains on, by its name; without it, steps stay unknown.

    Returns:
        Best first, each with how far the best is ahead of it, paired on the same rows.
    """
    ranked = in_order(records)
    worth = resampled(ranked, targets)
    fastest: dict[tuple[Any, ...], float] = {}  # what runs beside a timing can only make it longer
    for record in ranked:
        kind, best = model_in_use(record.config), record.ranked_report()
        if "cost/ms_per_text" in best:
            fastest[kind] = min(best["cost/ms_per_text"], fastest.get(kind, math.inf))
    found = []
    for place, (record, drawn) in enumerate(zip(ranked, worth, strict=True), start=1):
        best = record.ranked_report()
        steps = total_steps(record.config, train_examples.get(record.search))
        difference = compare_draws(worth[0].estimate - drawn.estimate, worth[0].draws, drawn.draws)
        row = Row(
            rank=place,
            search=record.search,
            trial_id=record.trial_id,
            config=record.config,
            varied=record.varied,
            stop_reason=record.outcome.stop_reason if record.outcome else under_way[record.search],
            progress=record.progress,
            best_progress=int(best["progress"]),
            objective=best[record.objective_name],
            val_macro_f1=best["val/macro_f1"],
            val_weighted_f1=best["val/weighted_f1"],
            val_micro_f1=best["val/micro_f1"],
            val_macro_f1_at_half=best["val/macro_f1_at_0.5"],
            low=drawn.low,
            high=drawn.high,
            tied_with_best=not difference.can_tell_apart,
            seconds=record.seconds,
            ms_per_text=fastest.get(model_in_use(record.config)),
            megabytes=best.get("cost/megabytes"),
            steps=None if steps is None else round(steps * record.progress / 100),
            total_steps=steps,
            message=record.outcome.message if record.outcome else "",
        )
        found.append((row, difference))
    on_front = front([row for row, _ in found])
    return [(replace(row, is_on_front=row in on_front), behind) for row, behind in found]


def summary(board: Leaderboard) -> str:
    """Return the outcome of a search in a few sentences."""
    parts = _confirmed_best(board) if board.is_confirmed else _best(board)
    if board.confirmed and not board.is_confirmed:
        waiting = sum(leader.waiting for leader in board.confirmed)
        parts.append(
            f"{len(board.confirmed)} leaders are being confirmed; {waiting} trainings have not ended."
        )
    if board.reasons.get("stopped_early"):
        parts.append(savings_sentence([asdict(row) for row in board.rows]) or _stopped(board))
    gone = Counter(trial.stop_reason.replace("_", " ") for trial in board.left_out)
    parts.extend(f"{count} ended as {reason} and {_are(count)} left out." for reason, count in gone.items())
    return " ".join([*parts, *board.answers])


def _best(board: Leaderboard) -> list[str]:
    best = board.best
    score = f"{best.objective:.4f} [{best.low:.4f}, {best.high:.4f}]"
    return [
        f"Best: {best.trial_id} ({_words(best.varied)}), validation {board.objective} {score}.",
        standing(asdict(best), [asdict(row) for row in board.rows]),
    ]


def _confirmed_best(board: Leaderboard) -> list[str]:
    best, row = board.confirmed[0], board.best
    score = f"{with_interval(best)} over {len(best.seeds)} seeds"
    found = f"rank {row.rank} of the search with {row.objective:.4f}"
    chosen = f"{best.trial_id} ({_words(best.varied)})"
    parts = [f"Confirmed best: {chosen}, mean validation {board.objective} {score}; {found}."]
    tied, others = sum(leader.tied_with_best for leader in board.confirmed) - 1, len(board.confirmed) - 1
    if others and tied == others:
        parts.append("All other confirmed leaders are statistically tied with it.")
    elif tied:
        parts.append(
            f"Of the {others} other confirmed leaders, {tied} {_are(tied)} statistically tied with it."
        )
    elif others:
        parts.append("The other confirmed leaders are behind it by more than chance (95 %).")
    lost = sum(len(leader.lost) for leader in board.confirmed)
    if lost:
        parts.append(f"{lost} of the trainings with further seeds gave no score.")
    return parts


def _words(varied: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in varied.items()) or "one configuration"


def _stopped(board: Leaderboard) -> str:
    stopped = board.reasons["stopped_early"]
    return f"{stopped} {'trial was' if stopped == 1 else 'trials were'} stopped early."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def total_steps(config: Mapping[str, Any], examples: int | None) -> int | None:
    """Return the optimizer steps of a whole training; None where the size of its data is not known."""
    if examples is None or "batch_size" not in config or "epochs" not in config:
        return None
    at_once = config["batch_size"] * config.get("accumulation_steps", 1)
    return int(config["epochs"] * steps_per_epoch(examples, at_once))


def _flat(row: Row, varied_names: Sequence[str]) -> dict[str, Any]:
    values = asdict(row)
    del values["config"], values["search"]
    varied = values.pop("varied")
    head = {key: values.pop(key) for key in ("rank", "trial_id")}
    return {**head, **{name: varied.get(name) for name in varied_names}, **values}


def _confirmation_columns(leader: Confirmed | None) -> dict[str, Any]:
    """Return what confirmed a trial, as columns; empty ones where it is no leader."""
    return {
        "confirmed_rank": leader and leader.rank,
        "confirmed_mean": leader and leader.mean,
        "confirmed_low": leader and leader.low,
        "confirmed_high": leader and leader.high,
        "confirmed_deviation": leader and leader.deviation,
        "confirmed_seeds": leader and len(leader.seeds),
    }
