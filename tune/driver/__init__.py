"""The driver of a search: prepares once, runs the trials, keeps the results, resumes."""

from typing import TYPE_CHECKING, Any

from tune.driver.result import SearchResult

if TYPE_CHECKING:
    from tune.driver.search import extend_search, resume_search, run_search

__all__ = ["SearchResult", "extend_search", "resume_search", "run_search"]


def __getattr__(name: str) -> Any:
    """Import what runs trials, and torch and Ray with it, at its first use: a dry run needs neither."""
    if name in __all__:
        from tune.driver import search

        return getattr(search, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
