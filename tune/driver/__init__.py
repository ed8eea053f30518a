"""The story of a search: prepare once, run the trials, keep what they found, resume."""

from tune.driver.search import (
    extend_search,
    resume_search,
    run_search,
)

__all__ = [
    "extend_search",
    "resume_search",
    "run_search",
]
