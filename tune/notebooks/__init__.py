"""Python and notebooks: the commands as functions, data in memory, results that display themselves.

`tune` hands on the functions; they are imported at their first use.
"""

from tune.notebooks.functions import export, leaderboard, resume, retrain, search
from tune.notebooks.results import Results

__all__ = ["Results", "export", "leaderboard", "resume", "retrain", "search"]
