"""The story of a search: prepare once, run the trials, keep what they found, resume."""

from tune.driver.result import SearchResult
from tune.driver.search import extend_search, resume_search, run_search

__all__ = ["SearchResult", "extend_search", "resume_search", "run_search"]
