"""Recorded data: read again in the same way as before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from goemo.configuration.data import GOEMOTIONS_NAMES, DataOptions
from goemo.data.own_splits import Rule
from goemo.data.splits import Splits, load_splits
from goemo.data.taxonomy import GOEMOTIONS


def load_recorded(facts: Mapping[str, Any]) -> Splits:
    """Load the splits that recorded facts tell of; whether they are still the same, their digest says.

    Args:
        facts: ``source``, ``taxonomy``, ``seed``, ``digest``, ``splitting`` and, where there were any,
            ``options``. Splits that were not stratified when they were made are made as they were.

    Raises:
        InputError: The data is wrong now, or the facts are.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    options = DataOptions.parse(facts.get("options") or {}, "recorded data")
    source, taxonomy, seed = facts["source"], facts["taxonomy"], facts["seed"]
    rule: Rule = "stratified" if "stratified" in facts.get("splitting", "") else "seeded"
    splits = load_splits(source, "fine", seed=seed, options=options, rule=rule)
    if splits.digest != facts.get("digest") and _were_goemotions(splits):
        # Until indices of any file were numbered, those that reached 27 were given GoEmotions' names.
        named = DataOptions.parse({**options.changed(), "label_names": GOEMOTIONS_NAMES})
        before = load_splits(source, taxonomy, seed=seed, options=named, rule=rule)
        if before.digest == facts.get("digest"):
            return before
    if taxonomy == "fine":
        return splits
    return load_splits(source, taxonomy, seed=seed, options=options, rule=rule)


def _were_goemotions(splits: Splits) -> bool:
    is_numbered = all(re.fullmatch(r"label_[0-9]+", name) for name in splits.labels)
    return is_numbered and len(splits.labels) == len(GOEMOTIONS)
