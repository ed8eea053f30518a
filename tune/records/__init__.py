"""Records of a search on disk; only this package knows their paths.

The records are the truth of a search: the leaderboard, the report, MLflow and `goemo resume` are all
derived from them, so that none of them has to survive a crash.

    mlruns/searches/NAME/
        search.yaml            the search space as it was run, every default filled in
        validation.npz         targets and labels of the validation split
        search.json            data digests, versions, hardware, when it started, seconds of its phases
        warm_start.json        written by the driver: what TPE knows of earlier searches
        system.jsonl           written by the driver: how busy its machine was, one line a sample
        log.txt                written by the driver: what each command did, and when
        leaders.json           written by the driver: the best objectives so far, by trial
        confirm.json           written by the driver: which trials are trained again with further seeds
        blend.json             written by the driver: whether the best models are better as one
        trials/t001/
            config.json        written by the driver, before the trial starts
            history.jsonl      written by the trial: one line a report, in order of progress
            scores.npz         written by the trial: validation scores of the best report, float16
            checkpoint/        written by the trial: enough to go on exactly
            model/             written by the trial: the bundle of a leader
            test_scores.npz    written by the trial, where every trial is tested
            outcome.json       written by the driver, when the trial has ended
            artifacts/         written by the driver, once the outcome is known
        answers/baseline/      written by the driver: the same of a bag of words, which is no trial
        answers/blend/         likewise of several models as one, where that gains
        trials/t001-s43/       the same of a confirmation: the configuration of t001, trained with seed 43
"""

from tune.records.declared import STOP_REASONS, Blended, BlendMember, Confirming, Outcome, StopReason
from tune.records.search_folder import SearchFolder, known_searches, search_names
from tune.records.snapshot import Damaged, Snapshot
from tune.records.trial_folder import (
    ANSWERS,
    BASELINE,
    BLEND,
    DAMAGED,
    DamagedTrialError,
    TrialFolder,
    TrialRecord,
    confirmation_id,
    is_confirmation,
    leaders_beaten_by,
)
from tune.records.writing import runs_folder, write_json, write_text

__all__ = [
    "ANSWERS",
    "BASELINE",
    "BLEND",
    "DAMAGED",
    "STOP_REASONS",
    "BlendMember",
    "Blended",
    "Confirming",
    "Damaged",
    "DamagedTrialError",
    "Outcome",
    "SearchFolder",
    "Snapshot",
    "StopReason",
    "TrialFolder",
    "TrialRecord",
    "confirmation_id",
    "is_confirmation",
    "known_searches",
    "leaders_beaten_by",
    "runs_folder",
    "search_names",
    "write_json",
    "write_text",
]
