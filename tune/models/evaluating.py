"""Evaluation of a model on a split of its own data, or on another source with labels matched by name."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from goemo import bundle, evaluation
from goemo.configuration.data import DataOptions
from goemo.data import Judged, load_judged, load_recorded
from goemo.data.tables import listed
from goemo.errors import InputError
from tune.live.consoles import progress_console
from tune.live.progress import progress_bars


def evaluate_bundle(
    folder: Path,
    *,
    data: str | None = None,
    options: DataOptions | None = None,
    split: str = "test",
    labels_in_common: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Measure a bundle on a split of the data it was trained on, or on another source.

    The thresholds called ``validation`` in the results are the bundle's own. Of a source without splits all
    rows are judged. Labels are matched by name: those that the source lacks are left out of the averages.

    Args:
        folder: The bundle.
        data: Another source; None for the one it was trained on.
        options: How to read the source; None for how that one was read.
        split: ``validation`` or ``test``.
        labels_in_common: Judge what both have, where the source has labels that the model lacks.
        console: Where progress and notes are shown; None for stderr.

    Returns:
        As `goemo.evaluation.results`; where labels do not match also ``labels_left_out``:
        ``{"not_in_data": [...], "not_in_model": [...]}``.

    Raises:
        InputError: The folder is no bundle, the data is wrong, or its labels are not those of the model.
    """
    console = console or progress_console()
    loaded = bundle.load(folder)
    judged = _judged(loaded, data, options, split)
    for note in judged.notes:
        console.print(note, soft_wrap=True, highlight=False, markup=False)
    matched = match_labels(loaded.labels, judged.labels)
    matched.check(judged.source, folder, labels_in_common=labels_in_common)
    for note in matched.notes(judged.source):
        console.print(note, soft_wrap=True, highlight=False, markup=False)
    if judged.split == "validation" and loaded.provenance.get("trained_on") == "train+validation":
        console.print(f"note: {folder} was also trained on validation, so that split cannot evaluate it")
    with progress_bars(console) as on_progress:
        scores = loaded.scores(judged.texts, on_progress=partial(on_progress, "scoring"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", evaluation.OptimisticThresholdsWarning)
        results = evaluation.results(
            loaded.labels,
            loaded.thresholds,
            evaluation.as_kept(scores),
            judged.targets[:, matched.in_data],
            split=judged.split,
            columns=matched.in_model,
        )
    for warning in caught:
        console.print(f"note: {warning.message}", soft_wrap=True)
    return results | matched.left_out()


@dataclass(frozen=True)
class MatchedLabels:
    """The labels of a model and of data, by name.

    Attributes:
        in_model: Positions in the model of those that both have, in the model's order.
        in_data: Positions of the same in the data.
        not_in_data: Labels of the model that the data lacks.
        not_in_model: Labels of the data that the model lacks.
        of_model: All labels of the model.
    """

    in_model: list[int]
    in_data: list[int]
    not_in_data: list[str]
    not_in_model: list[str]
    of_model: tuple[str, ...]

    def check(self, source: str, folder: Path, *, labels_in_common: bool) -> None:
        """Refuse data with labels that the model lacks, unless those in common are asked for.

        Raises:
            InputError: There are such, or none is in common.
        """
        near = {name: difflib.get_close_matches(name, self.of_model, 1) for name in self.not_in_model}
        named = [f"{name} ({like[0]}?)" if like else name for name, like in near.items()]
        if not self.in_model:
            rule = f"has no label of the model in {folder}; it has {listed(named, 6)}"
            has = f"the model has {listed(self.of_model, 6)}"
            raise InputError(source, [f"{rule}; {has}; data.label_names (--label-names) names indices"])
        if self.not_in_model and not labels_in_common:
            which = f"has labels that the model in {folder} lacks: {listed(named, 20)}"
            raise InputError(
                source, [f"{which}; --labels-in-common evaluates the {len(self.in_model)} others"]
            )

    def notes(self, source: str) -> list[str]:
        """Return what a user should know of labels that are left out."""
        notes = []
        if self.not_in_data:
            notes.append(f"left out of the averages, because {source} lacks them: {listed(self.not_in_data)}")
        if self.not_in_model:
            notes.append(f"not evaluated, because the model lacks them: {listed(self.not_in_model)}")
        return notes

    def left_out(self) -> dict[str, Any]:
        """Return the same as plain values; empty where all labels match."""
        if not self.not_in_data and not self.not_in_model:
            return {}
        return {"labels_left_out": {"not_in_data": self.not_in_data, "not_in_model": self.not_in_model}}


def match_labels(model: Sequence[str], data: Sequence[str]) -> MatchedLabels:
    """Match the labels of a model and of data by name, to the letter."""
    place = {name: position for position, name in enumerate(data)}
    shared = [position for position, name in enumerate(model) if name in place]
    return MatchedLabels(
        in_model=shared,
        in_data=[place[model[position]] for position in shared],
        not_in_data=[name for name in model if name not in place],
        not_in_model=[name for name in data if name not in set(model)],
        of_model=tuple(model),
    )


def _judged(loaded: bundle.Bundle, data: str | None, options: DataOptions | None, split: str) -> Judged:
    known: Mapping[str, Any] = loaded.provenance["data"]
    # A trial's own bundle has one seed for both.
    known = {"seed": loaded.provenance.get("configuration", {}).get("seed"), **known}
    if data is None and options is None:
        return Judged.of(load_recorded(known), split)
    return load_judged(data or known["source"], split, known, options=options)
