"""The configurations of a search, one at a time: a shuffled grid, random draws, or TPE.

Everything here can be rebuilt from the records of a search, so nothing has to be saved: configuration
number i of a grid or a random search depends on the space, the seed and i alone, and TPE is told the records
again.
"""

from __future__ import annotations

from collections.abc import Sequence

from tune.records import TrialRecord
from tune.space.drawn import RandomDraws
from tune.space.grid import Grid
from tune.space.ids import number_of
from tune.space.suggestions import Suggestions
from tune.space.tpe import EarlierTrial, Tpe, quiet_optuna
from tune.spec import SearchSpec

__all__ = ["EarlierTrial", "Suggestions", "number_of", "quiet_optuna", "suggestions"]


def suggestions(
    spec: SearchSpec, records: Sequence[TrialRecord] = (), earlier: Sequence[EarlierTrial] = ()
) -> Suggestions:
    """Return the configurations of a search, going on after ``records``.

    Args:
        spec: The search.
        records: What an earlier run of the same search left, in order of trial ids.
        earlier: What other searches found, for TPE to know before its first draw; the same whenever the
            search goes on.
    """
    if spec.search.algorithm == "tpe":
        return Tpe(spec, records, earlier)
    return (Grid if spec.search.algorithm == "grid" else RandomDraws)(spec, records)
