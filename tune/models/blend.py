"""A blend from its export: trains every member as its own export says, then fits the blend's thresholds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from goemo import bundle
from goemo.blending import Member, blended_scores
from goemo.data import Splits
from goemo.evaluation import validation_metrics
from goemo.thresholds import threshold_options
from tune.models.exported import ExportedBlend, plain
from tune.models.trained import Trained, TrainedOn, data_facts, fitted_once, fitted_thresholds


def train_blend(
    exported: ExportedBlend,
    splits: Splits,
    train_member: Callable[[Any], Trained],
    *,
    on: TrainedOn,
    console: Console,
) -> Trained:
    """Train all members of an exported blend, each by ``train_member`` from its own export.

    ``on`` and ``console`` are those of `tune.models.retrain.retrain`.
    """
    configuration = exported.configuration
    names = [f"{member.export.origin.search} {member.export.origin.trial}" for member in exported.members]
    trained = []
    for name, member in zip(names, exported.members, strict=True):
        console.print(f"member {name}, weight {member.tenths / 10:.1f}", highlight=False)
        trained.append(train_member(member.export))
    tenths = [member.tenths for member in exported.members]
    scores = blended_scores([one.validation for one in trained], tenths)
    targets = splits.validation.targets
    metrics = validation_metrics(scores, targets, **threshold_options(configuration.thresholds))
    objective = f"val/{configuration.metric}"
    thresholds = fitted_thresholds(scores, targets, configuration.thresholds, on=on)
    words = (
        f"Each member was trained on {on}, as its own provenance.json says; the thresholds were fitted on "
        f"the blend's validation scores ({objective} {metrics[objective]:.4f})."
    )

    def save(folder: Path, provenance: Mapping[str, Any], results: Mapping[str, Any] | None) -> None:
        with tempfile.TemporaryDirectory() as parts:
            members = []
            for number, (name, member, one) in enumerate(zip(names, exported.members, trained, strict=True)):
                own = {
                    key: value for key, value in provenance.items() if key not in {"configuration", "report"}
                }
                origin = {"origin": plain(member.export.origin), "expected": plain(member.export.expected)}
                part = Path(parts) / str(number)
                one.save(part, provenance={**own, **origin, "data": one.data, **one.facts}, results=None)
                members.append((Member(name, member.tenths), part))
            bundle.save_blend(
                members,
                folder,
                labels=splits.labels,
                thresholds=thresholds,
                provenance=provenance,
                results=results,
            )

    def forget() -> None:
        for one in trained:
            one.forget()

    return Trained(
        validation=scores,
        test=blended_scores([one.test for one in trained], tenths),
        thresholds=thresholds,
        data=data_facts(splits, splits.facts, exported.data.seed),
        save=save,
        forget=forget,
        **fitted_once(configuration, metrics, on=on, words=words),
    )
