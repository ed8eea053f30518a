"""What a search leaves on disk, and the only room that knows where."""

from tune.records.folders import (
    DAMAGED,
    HALF_DONE,
    STOP_REASONS,
    Outcome,
    SearchFolder,
    StopReason,
    TrialFolder,
    TrialRecord,
    leaders_beaten_by,
    runs_folder,
    search_names,
    write_json,
    write_text,
)

__all__ = [
    "DAMAGED",
    "HALF_DONE",
    "STOP_REASONS",
    "Outcome",
    "SearchFolder",
    "StopReason",
    "TrialFolder",
    "TrialRecord",
    "leaders_beaten_by",
    "runs_folder",
    "search_names",
    "write_json",
    "write_text",
]
