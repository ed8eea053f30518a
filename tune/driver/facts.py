"""Recorded facts about the data and the store of a search, so that a resumed one uses the same."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from goemo.configuration.losses import LOSSES
from goemo.configuration.plugins import LOSS, SOURCE, THRESHOLD_METHOD, plugins
from goemo.configuration.thresholds import METHODS
from goemo.data import SCHEMES, Splits, load_recorded, load_splits
from goemo.errors import InputError
from tune.records import SearchFolder, runs_folder
from tune.spec import SearchSpec

# What MLflow's client reads a login from.
LOGINS = tuple(f"MLFLOW_TRACKING_{name}" for name in ("USERNAME", "PASSWORD", "TOKEN", "AUTH"))


def data_facts(splits: Splits, seed: int) -> dict[str, object]:
    """Return what a search records of its data; the seed has decided how it was split."""
    return {
        "source": splits.source,
        "taxonomy": splits.taxonomy,
        "labels": list(splits.labels),
        "seed": seed,
        "splitting": splits.splitting,
        "digest": splits.digest,
        "splits": {
            split.name: {"examples": len(split), "digest": split.digest}
            for split in (splits.train, splits.validation, splits.test)
        },
        "notes": list(splits.notes),
        "options": dict(splits.options),
        **({} if splits.report is None else {"report": splits.report.to_dict()}),
    }


def same_splits(spec: SearchSpec, search: SearchFolder) -> Splits:
    """Read the data of a search.

    Raises:
        InputError: It is not what it was.
    """
    facts = search.facts.get("data", {})
    before = facts.get("digest")
    if before is None:
        return load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed, options=spec.data)
    splits = load_recorded(facts)
    if before != splits.digest:
        problem = f"{spec.data.source} has changed since the search began; start a new one"
        raise InputError(search.name, [problem])
    return splits


def added_to(spec: SearchSpec) -> dict[str, str]:
    """Return what other packages add to a search, with version and digest, by group and name."""
    losses = spec.space["loss"].values if "loss" in spec.space else ()
    thresholds = spec.objective.thresholds
    chosen = {"method": thresholds} if isinstance(thresholds, str) else thresholds
    named = {  # a name that goemo has itself is goemo's
        LOSS: {str(value).partition("(")[0].strip() for value in losses} - LOSSES.keys(),
        THRESHOLD_METHOD: {chosen["method"], chosen.get("of", "")} - METHODS.keys(),
        SOURCE: {spec.data.source.partition(":")[0]} - set(SCHEMES),
    }
    return {
        f"{group}:{name}": plugins(group)[name].version
        for group, names in named.items()
        for name in sorted(names & plugins(group).keys())
    }


def check_added(spec: SearchSpec, search: SearchFolder) -> None:
    """Refuse to go on with a search whose losses, threshold methods or sources have changed since it began.

    Raises:
        InputError: The code of some has.
    """
    before, now = search.facts.get("added", {}), added_to(spec)
    way_out = "install the versions that the search started with, or start a new one"
    changed = [
        f"{name} was {before.get(name, 'not there')}, and is {now.get(name, 'not there')}; {way_out}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise InputError(search.name, changed)


def store_fact(tracking_uri: str | None) -> dict[str, str | None]:
    """Return the fact of where a search is logged to, without a password, for `resume_search`.

    None stands for the store in mlruns; where tracking is off, there is no fact, because that holds for one
    command only.
    """
    from tune.tracking import find_store

    store = find_store(tracking_uri)
    if store.is_off:
        return {}
    is_default = not (tracking_uri or os.environ.get("MLFLOW_TRACKING_URI"))
    return {"tracking_uri": None if is_default else store.shown}


def same_store(search: SearchFolder, tracking_uri: str | None) -> str | None:
    """Return the store that a search was logged to, unless another is asked for.

    A login of this machine goes only to a server that the call or the environment names: a record may come
    from somebody else, and name any.

    Raises:
        InputError: Its URI had a password, which was not kept, or it is a server that a login would be sent
            to on the word of the record alone.
    """
    facts = search.facts
    if tracking_uri or "tracking_uri" not in facts:
        return tracking_uri
    recorded: str | None = facts["tracking_uri"]
    if recorded is None:
        return f"sqlite:///{runs_folder() / 'mlflow.db'}"
    if "***" in recorded:
        from tune.tracking import find_store

        if os.environ.get("MLFLOW_TRACKING_URI") and find_store(None).shown == recorded:
            return None  # the environment has it whole
        raise InputError("--tracking-uri", [f"give {recorded} again with its password, which was not stored"])
    if recorded.startswith(("http://", "https://")) and _would_log_in() and not _is_named(recorded):
        told = f"{search.name} was logged to {recorded}, and a login is set up here"
        raise InputError("--tracking-uri", [f"{told}; to send it there: --tracking-uri {recorded}"])
    return recorded


def _would_log_in() -> bool:
    """Say whether MLflow's client would send a login with each request."""
    in_file = Path("~/.mlflow/credentials").expanduser().is_file()
    return in_file or any(os.environ.get(name) for name in LOGINS)


def _is_named(uri: str) -> bool:
    """Say whether the environment names the same server."""
    named = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
    recorded = urlsplit(uri)
    return (named.scheme, named.hostname, named.port) == (recorded.scheme, recorded.hostname, recorded.port)
