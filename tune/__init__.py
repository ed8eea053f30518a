"""Search over configurations of `goemo` with Ray Tune, and keep what it finds in MLflow.

`tune.search`, `tune.resume`, `tune.leaderboard`, `tune.export` and `tune.retrain` do what the commands do;
see `tune.notebooks`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune.notebooks import Results, export, leaderboard, resume, retrain, search

__all__ = ["Results", "export", "leaderboard", "resume", "retrain", "search"]


def __getattr__(name: str) -> Any:
    """Import a function at its first use: what searches takes seconds to import."""
    if name in __all__:
        from tune import notebooks

        return getattr(notebooks, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the functions too, for completion."""
    return sorted({*globals(), *__all__})
