"""Forecast of a search before it starts: time, hours, memory and disk, and what early stopping saves."""

from tune.forecast.expected import Forecast, Phases, Span
from tune.forecast.forecasting import forecast
from tune.forecast.text import lines, over_budget

__all__ = ["Forecast", "Phases", "Span", "forecast", "lines", "over_budget"]
