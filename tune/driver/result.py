"""The result of a search, for the caller in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from tune.ranking.leaderboard import Leaderboard


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        name: The search.
        leaderboard: Its trials, best first.
        is_complete: False when it was interrupted, or its budget was over; `resume_search` goes on.
        remaining: How many trials have not ended.
        unlogged: What the MLflow store has not taken yet: trials, ``search`` for the parent run,
            ``system`` for its metrics. `resume_search` logs them.
        stopped_by: Which budget was over; empty where that is not why trials remain.
    """

    name: str
    leaderboard: Leaderboard
    is_complete: bool
    remaining: int
    unlogged: tuple[str, ...] = ()
    stopped_by: str = ""

    def to_pandas(self) -> pd.DataFrame:
        """Return the leaderboard as a frame."""
        return self.leaderboard.to_pandas()
