"""Tracking: makes an MLflow store equal to the records of a search, in a thread of its own.

The records on disk are the truth (`tune.records`); this package is the only one that imports mlflow for
searches. `store` decides where to, `experiment` finds the project's place in it, `content` says what in
MLflow's words, `system` samples how busy the machine is, `writer` makes the store have it all, `tracker` does
so while a search runs.
"""

from tune.tracking.content import SEARCH
from tune.tracking.experiment import find_experiment
from tune.tracking.store import Store, check_store, find_store
from tune.tracking.tracker import Tracker, sync_all

__all__ = [
    "SEARCH",
    "Store",
    "Tracker",
    "check_store",
    "find_experiment",
    "find_store",
    "sync_all",
]
