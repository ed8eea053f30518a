"""Self-contained HTML pages that explain themselves: one per trial, one per search."""

from __future__ import annotations

from goemo.report.pictures import Picture
from goemo.report.search_page import search_page
from goemo.report.trial_page import trial_page
from goemo.report.worst_errors import worst_errors

__all__ = ["Picture", "search_page", "trial_page", "worst_errors"]
