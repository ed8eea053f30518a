"""The blend of a search: after its last trial, checks whether its best models are better combined."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass

from goemo.blending import Blend, Candidate, find_blend
from goemo.errors import GoemoError
from goemo.metrics import macro_f1, micro_f1, weighted_f1
from goemo.thresholds import Targets, apply_thresholds, threshold_options
from tune.ranking.comparison import check_same_rows
from tune.ranking.leaderboard import in_order
from tune.records import (
    BASELINE,
    BLEND,
    Blended,
    BlendMember,
    Outcome,
    SearchFolder,
    Snapshot,
    TrialRecord,
)

# Trials of each kind that may be members: models of one kind err alike, and the best of them are enough.
MOST_OF_A_KIND = 5


def candidates(search: Snapshot) -> list[TrialRecord]:
    """Return the models that may be members: the baseline, and the best trials of each kind."""
    taken: dict[str, int] = {}
    found = []
    for record in in_order(search.trials):
        kind = kind_of(record)
        if record.outcome is not None and taken.get(kind, 0) < MOST_OF_A_KIND:
            taken[kind] = taken.get(kind, 0) + 1
            found.append(record)
    baseline = search.answers.get(BASELINE)
    if baseline is not None and baseline.outcome is not None and baseline.history:
        found.append(baseline)
    return found


def kind_of(record: TrialRecord) -> str:
    """Return what a model is: its checkpoint, and what of it trains."""
    return f"{record.config['checkpoint']} {record.config.get('trainable', '')}".rstrip()


def judge_blend(search: SearchFolder) -> bool:
    """Judge whether the best models of a search are better as one, and keep the verdict.

    What was judged before on the same models stays. Where a blend is offered, its record is that of a trial
    under `tune.records.BLEND`.

    Returns:
        Whether there is a new record.

    Raises:
        DamagedTrialError: The scores of a candidate cannot be read.
    """
    now = search.snapshot()
    records = candidates(now)
    if not records:
        return False
    known = {record.trial_id: record.objective or 0.0 for record in records}
    verdict = now.blended
    # Its record was damaged, and set aside.
    is_lost = verdict is not None and verdict.is_offered and BLEND not in now.answers
    if verdict is not None and verdict.candidates == known and not is_lost:
        return False
    targets, _ = search.validation()
    started = time.monotonic()
    objective = now.asked("objective")
    blend = find_blend(
        [Candidate(record.trial_id, kind_of(record), record.scores(targets.shape)) for record in records],
        targets,
        metric=objective["metric"],
        **threshold_options(objective["thresholds"]),
    )
    shutil.rmtree(search.trial(BLEND).path, ignore_errors=True)
    if blend.is_offered:
        _write_record(search, now, blend, targets, time.monotonic() - started)
    search.write_blended(_verdict(blend, known, targets))
    return blend.is_offered


@dataclass(frozen=True, eq=False)
class BlendAcrossSearches:
    """A blend over several searches.

    Attributes:
        blend: With its gain over the best single model of them all.
        members: Each member's search and record, in the order of ``blend.members``.
    """

    blend: Blend
    members: tuple[tuple[Snapshot, TrialRecord], ...]

    @property
    def sentence(self) -> str:
        """What the blend is and gains, or that it is not shown to gain."""
        blend, gain = self.blend, self.blend.gain
        parts = " + ".join(f"{member.weight:.1f} {member.name}" for member in blend.members)
        found = f"{gain.difference:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        score = f"{blend.value:.4f} [{blend.interval.low:.4f}, {blend.interval.high:.4f}]"
        if len(blend.members) == 1:
            return f"No blend: no other model improves {blend.best_single} when blended with it."
        if not blend.is_offered:
            return f"No blend: {parts} is not shown to be better than {blend.best_single} alone, {found}."
        return f"Blend, {parts}: {score}, {found} better than {blend.best_single} alone on the same rows."


def blend_across(searches: Sequence[Snapshot]) -> BlendAcrossSearches:
    """Find the best blend of the models of several searches on the same data.

    Raises:
        InputError: They were measured on other rows, or by other metrics.
        GoemoError: None of them has a model that has ended.
    """
    check_same_rows(searches, "goemo blend")
    known: dict[str, tuple[Snapshot, TrialRecord]] = {}
    has_baseline = False
    for search in searches:
        for record in candidates(search):
            if record.trial_id == BASELINE and has_baseline:
                continue  # on the same data, it is the same
            has_baseline = has_baseline or record.trial_id == BASELINE
            known[f"{search.name}/{record.trial_id}"] = search, record
    if not known:
        raise GoemoError("none of these searches has a finished model")
    objective = searches[0].asked("objective")
    blend = find_blend(
        [Candidate(name, kind_of(record), record.scores()) for name, (_, record) in known.items()],
        searches[0].validation()[0],
        metric=objective["metric"],
        **threshold_options(objective["thresholds"]),
    )
    return BlendAcrossSearches(blend, tuple(known[member.name] for member in blend.members))


def _verdict(blend: Blend, known: dict[str, float], targets: Targets) -> Blended:
    return Blended(
        candidates=known,
        is_offered=blend.is_offered,
        members=[BlendMember(trial_id=member.name, tenths=member.tenths) for member in blend.members],
        best_single=blend.best_single,
        objective=blend.value,
        val_macro_f1=macro_f1(targets, blend.predictions),
        low=blend.interval.low,
        high=blend.interval.high,
        gain=blend.gain.difference,
        gain_low=blend.gain.low,
        gain_high=blend.gain.high,
    )


def _write_record(
    search: SearchFolder, now: Snapshot, blend: Blend, targets: Targets, seconds: float
) -> None:
    """Write the blend as a trial is; its figures are those of the nested judging."""
    objective = now.asked("objective")
    folder = search.trial(BLEND)
    parts = {member.name: member.weight for member in blend.members}
    config = {
        "checkpoint": BLEND,
        "members": parts,
        "metric": objective["metric"],
        "thresholds": objective["thresholds"],
        "seed": now.asked("seed"),
    }
    folder.write_config(config, parts)
    row = {
        "progress": 100,
        "time": time.time(),
        "seconds": seconds,
        "val/macro_f1": macro_f1(targets, blend.predictions),
        "val/weighted_f1": weighted_f1(targets, blend.predictions),
        "val/micro_f1": micro_f1(targets, blend.predictions),
        "val/macro_f1_at_0.5": macro_f1(targets, apply_thresholds(blend.scores, 0.5)),
    }
    folder.write_report(row, blend.scores)
    words = "the weighted mean of their logits; evaluated on rows that chose neither members nor weights"
    folder.write_outcome(Outcome(stop_reason="completed", message=words, ended_at=time.time()))
