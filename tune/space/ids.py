"""The ids of trials: numbers from 1 whose order as text is their order as numbers."""

from __future__ import annotations

LEAST_DIGITS = 3


def digits_for(total: int) -> int:
    """Return how many digits the ids of a new search of ``total`` trials have."""
    return max(LEAST_DIGITS, len(str(total)))


def digits_of(trial_id: str) -> int:
    """Return how many digits the ids of the search have that this one belongs to."""
    return len(trial_id.lstrip("tx")) - trial_id.count("x")


def trial_id(number: int, digits: int) -> str:
    """Return the id of a trial: ``t007``.

    A search that was extended beyond what its digits can say goes on with an ``x`` for each digit more:
    ``tx1000`` after ``t999``. Letters come after digits, so that the order as text stays that of the numbers
    and no id has to change.

    Args:
        number: From 1.
        digits: Of the ids of this search.
    """
    return f"t{'x' * (len(str(number)) - digits)}{number:0{digits}d}"


def number_of(trial_id: str) -> int:
    """Return the number of a trial, from 1."""
    return int(trial_id.lstrip("tx"))
