"""An encoder whose weights the search kept: reused without training."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from goemo import bundle, evaluation
from goemo.data import Splits
from tune.models.exported import Exported
from tune.models.trained import Trained, data_facts, fitted_thresholds
from tune.records import SearchFolder, TrialRecord, search_names

_OF_THE_MACHINE = ("seconds", "gpu_seconds")


def kept_model(exported: Exported) -> Path | None:
    """Return the folder where the search has kept a model of the exported trial; None where there is none."""
    search, trial = exported.origin.search, exported.origin.trial
    if search not in search_names() or Path(trial).name != trial:  # a stranger's export leads nowhere else
        return None
    folder = SearchFolder.open(search).trial(trial).path / "model"
    return folder if folder.is_dir() else None


def kept_encoder(exported: Exported, splits: Splits, console: Console) -> Trained | None:
    """Return the exported trial as the search has left it; None where it must be trained, which is said.

    It must be of the exported configuration, of the trial's best report, and of the very data that are given.

    Raises:
        GoemoError: A file of the trial is damaged.
    """
    trial = f"{exported.origin.trial} of {exported.origin.search}"
    folder = kept_model(exported)
    if folder is None:
        console.print(f"{trial}: its weights were not kept here, so it is trained again", soft_wrap=True)
        return None
    model = bundle.load(folder)
    assert isinstance(model, bundle.EncoderBundle)
    record = SearchFolder.open(exported.origin.search).trial(exported.origin.trial).read()
    why = _mismatch(model, record, exported, splits)
    if why:
        console.print(f"{trial}: the weights kept are of {why}, so it is trained again", soft_wrap=True)
        return None
    console.print(f"{trial}: the weights that the search has kept", highlight=False)
    targets, choice = splits.validation.targets, exported.configuration.thresholds
    scores = record.scores(targets.shape)
    thresholds = fitted_thresholds(scores, targets, choice, on="train")
    return Trained(
        validation=scores.astype(np.float16),
        test=evaluation.as_kept(model.scores(splits.test.texts)),
        thresholds=thresholds,
        data=data_facts(splits, splits.facts, exported.data.seed),
        facts=_facts(model, record),
        reports=[
            {"seed": record.seed, **{key: row[key] for key in row if key not in _OF_THE_MACHINE}}
            for row in record.history
        ],
        save=partial(bundle.save_again, folder, thresholds=thresholds),
    )


def _mismatch(model: bundle.EncoderBundle, record: TrialRecord, exported: Exported, splits: Splits) -> str:
    """Return in a few words what a kept model is of, where that is not what was asked for; else nothing."""
    assert record.best is not None
    if model.configuration != exported.configuration:
        return "another configuration"
    if model.provenance["data"].get("digest") != splits.digest:
        return "other data"
    if model.provenance["report"]["progress"] != record.best["progress"]:
        return "another report than its best"
    return ""


def _facts(model: bundle.EncoderBundle, record: TrialRecord) -> dict[str, Any]:
    """Return, for the provenance, what was trained on what, and what was chosen how."""
    report = model.provenance["report"]
    value = report["metrics"][record.objective_name]
    chosen = f"the report at {report['progress']} % of the training with seed {record.seed}"
    words = (
        f"Trained on train; the weights are those that the search kept, of {chosen} "
        f"({record.objective_name} {value:.4f}). Thresholds were fitted on validation."
    )
    seed = {"seed": record.seed, "value": value, "progress": report["progress"]}
    return {
        "trained_on": "train",
        "training": words,
        "selection": {"trained_on": "train", "seed": record.seed, "seeds": [seed], "report": report},
    }
