"""Warm start: trials of earlier searches that TPE learns from before its first draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from goemo.configuration import Configuration
from goemo.configuration.outcomes import RANKED
from goemo.errors import InputError
from tune.records import SearchFolder, TrialRecord
from tune.space import EarlierTrial
from tune.spec import SearchSpec, asked_for, case_of, configuration

# What may differ between two configurations whose scores mean the same.
_MAY_DIFFER = ("seed", "reports")


def check_sources(spec: SearchSpec) -> None:
    """Make sure that the searches to start from are there.

    Raises:
        InputError: One is not; the message lists those there are.
    """
    for index, name in enumerate(spec.search.warm_start):
        try:
            SearchFolder.open(name)
        except InputError as error:
            raise InputError(f"search.warm_start[{index}]", error.problems) from None


def earlier_trials(
    spec: SearchSpec, search: SearchFolder, *, digest: str, say: Callable[[str], None]
) -> list[EarlierTrial]:
    """Return what the searches that this one starts from found, the same whenever it goes on.

    It is written down in this search's folder the first time: the others may run on, or be deleted.

    Args:
        spec: This search.
        search: Its folder.
        digest: Of its data.
        say: Told how much could be used of each search, the first time.

    Raises:
        InputError: A search to start from is not there.
    """
    if not spec.search.warm_start:
        return []
    known = search.warm_start
    if known is None:
        check_sources(spec)
        found = []
        for name in spec.search.warm_start:
            of_search, left_out = _usable(spec, SearchFolder.open(name), digest)
            found += of_search
            say(_note(name, len(of_search), left_out))
        known = [asdict(trial) for trial in found]
        search.write_warm_start(known)
    return [EarlierTrial(**values) for values in known]


def _usable(spec: SearchSpec, source: SearchFolder, digest: str) -> tuple[list[EarlierTrial], Counter[str]]:
    """Return the trials of a search that say something about this one, and why others are left out."""
    obstacle = None
    if source.facts.get("data", {}).get("digest") != digest:
        obstacle = "on other data"
    elif source.spec["objective"]["metric"] != spec.objective.metric:
        obstacle = f"ranked by {source.spec['objective']['metric']}"
    found: list[EarlierTrial] = []
    left_out: Counter[str] = Counter()
    for record in source.snapshot().trials:
        trial = obstacle or _as_known_here(spec, record)
        if isinstance(trial, EarlierTrial):
            found.append(trial)
        else:
            left_out[trial] += 1
    return found, left_out


def _as_known_here(spec: SearchSpec, record: TrialRecord) -> EarlierTrial | str:
    """Return what a trial says about this space, or in a few words why it says nothing."""
    if record.outcome is None:
        return "not ended"
    if record.outcome.stop_reason not in RANKED or record.objective is None:
        return "without a score"
    varied = _in_this_space(spec, record.config)
    if varied is None:
        return "outside this space"
    return EarlierTrial(
        search=record.search,
        trial_id=record.trial_id,
        varied=varied,
        objective=record.objective,
        stop_reason="completed" if record.outcome.stop_reason == "completed" else "stopped_early",
        progress=record.progress,
    )


def _in_this_space(spec: SearchSpec, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what varies in a configuration of another search; None where it is none of this space."""
    known = Configuration.from_dict(dict(config)).to_dict()
    values = {name: known[name] for name in spec.varying}
    varied = asked_for(spec.varying, values)
    cases = {name: case_of(name, spec.varying, varied) for name in varied}
    if not all(case is not None and case.holds(varied[name]) for name, case in cases.items()):
        return None
    here = configuration(spec, varied).to_dict()
    return varied if all(here[key] == known[key] for key in known if key not in _MAY_DIFFER) else None


def _note(name: str, used: int, left_out: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    rest = f"; left out: {reasons}" if left_out else ""
    return f"warm start: TPE knows {used} trial{'' if used == 1 else 's'} of {name}{rest}"
