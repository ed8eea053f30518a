"""The record beside a retrained bundle, so that it can be logged and registered at once or later.

DIR/provenance.json                 written with the bundle: configuration, data, selection, origin
DIR/test_results.json               what `goemo.evaluation.results` gave for the test split
DIR/record/reports.json             every report on validation, of every seed
DIR/record/validation_scores.npz    of the report that was chosen: scores (float16) and targets
DIR/record/environment.json         versions, hardware, commit
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.errors import InputError
from goemo.files import check_model_folder
from tune.models.exported import AnyConfiguration, configuration_of
from tune.records import write_json

FOLDER = "record"
SCORES = "validation_scores.npz"
RESULTS = "test_results.json"


@dataclass(frozen=True, eq=False)
class Record:
    """What is known of a bundle that a retrain wrote.

    Attributes:
        folder: The bundle.
        provenance: All of ``provenance.json``.
        results: Of the test split.
        reports: One mapping a report: ``seed``, ``progress``, ``time`` (seconds since the epoch) and the
            metrics by their names in MLflow.
        environment: As `tune.environment.describe` gave it.
        scores: Of the chosen report on validation, shape (examples, labels).
        targets: Of validation, same shape.
    """

    folder: Path
    provenance: Mapping[str, Any]
    results: Mapping[str, Any]
    reports: tuple[dict[str, Any], ...]
    environment: Mapping[str, Any]
    scores: NDArray[np.float32]
    targets: NDArray[np.bool_]

    @property
    def configuration(self) -> AnyConfiguration:
        """What was trained, with the seed that was kept."""
        return configuration_of(self.provenance["configuration"])

    @property
    def validation_digest(self) -> str:
        """Of the validation split: scores can be compared where it is the same."""
        return str(self.provenance["data"]["splits"]["validation"]["digest"])

    @property
    def kept_reports(self) -> tuple[dict[str, Any], ...]:
        """The reports of the seed that was kept."""
        seed = self.provenance["selection"]["seed"]
        return tuple(row for row in self.reports if row["seed"] == seed)

    @classmethod
    def open(cls, folder: Path) -> Record:
        """Read what `write_record` wrote beside a bundle.

        Raises:
            InputError: The folder is no bundle of a retrain, or a file is damaged.
        """
        folder = Path(folder)
        check_model_folder(folder)
        try:
            with np.load(folder / FOLDER / SCORES, allow_pickle=False) as archive:
                scores, targets = archive["scores"].astype(np.float32), archive["targets"]
            return cls(
                folder=folder,
                provenance=read_json(folder / "provenance.json"),
                results=read_json(folder / RESULTS),
                reports=tuple(read_json(folder / FOLDER / "reports.json")),
                environment=read_json(folder / FOLDER / "environment.json"),
                scores=scores,
                targets=targets,
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                str(folder), [f"no record of a retrain that can be read ({error}); goemo retrain writes one"]
            ) from error


def write_record(
    folder: Path,
    *,
    results: Mapping[str, Any],
    reports: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any],
    scores: NDArray[np.float16],
    targets: NDArray[np.bool_],
) -> None:
    """Write the record of a bundle that was saved to the folder; the arguments are those of `Record`."""
    inside = folder / FOLDER
    inside.mkdir(exist_ok=True)
    np.savez_compressed(inside / SCORES, scores=scores, targets=np.asarray(targets, dtype=np.bool_))
    write_json(inside / "reports.json", [dict(row) for row in reports])
    write_json(inside / "environment.json", dict(environment))
    write_json(folder / RESULTS, dict(results))


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))
