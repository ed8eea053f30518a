"""Renames a search: in MLflow first, then in its records, so that an interrupted rename can be repeated."""

from __future__ import annotations

from goemo.errors import InputError
from tune.driver.facts import same_store
from tune.records import SearchFolder
from tune.records.holding import held
from tune.spec import SearchSpec


def rename_search(name: str, new: str, *, tracking_uri: str | None = None) -> int:
    """Give a search another name.

    Args:
        name: The search, exactly.
        new: A name that no search has.
        tracking_uri: Of the store; None for the one that it was logged to, ``none`` to leave the store alone.

    Returns:
        How many runs of the store were renamed.

    Raises:
        InputError: There is no such search, or the new name is taken or cannot be one.
        GoemoError: It is running, or the store does not answer.
    """
    search = SearchFolder.open(name)
    SearchFolder.refuse_taken(new)
    values = {**search.spec, "name": new}
    SearchSpec.from_dict(values)  # checks the name
    if "/" in new or new.startswith("."):
        raise InputError("NEW", [f"must be a name without / that does not begin with a dot, got {new!r}"])
    target = search.path.with_name(new)
    if target.is_dir() and any(target.iterdir()):
        raise InputError("NEW", [f"{target} is left of a search that never started; remove it first"])
    with held(search):
        runs = 0
        search_id = search.facts.get("search_id")
        if search_id is not None:
            from tune.tracking import find_store
            from tune.tracking.tidying import rename_runs

            runs = rename_runs(find_store(same_store(search, tracking_uri)), search_id, name, new)
        search.write_spec(values)
        search.path.rename(target)
    return runs
