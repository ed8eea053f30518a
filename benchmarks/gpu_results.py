"""What a visit to a GPU is told, and the file that takes its results as they come."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

RESULTS = "results.jsonl"
Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What is measured, and how much of it.

    Attributes:
        out: Folder of the results.
        data: Folder of the published GoEmotions files.
        models: Folders, ``package:`` or ``scratch:`` names; a folder without weights trains from random ones.
        rows: Training rows of a trial, of a search's trials and of the models that are judged; 0 for all.
        batch_sizes: That the speed of a step is measured at.
        batches: Of one epoch where speed is measured; Trainer's length grouping sorts within 50.
        rounds: Measurements of each speed, the ways in turns.
        trial_epochs: Of the whole trial.
        search_batch_sizes: Of the grid, with three learning rates each.
        search_epochs: Of every trial of the search.
        seeds: Of the models that are judged.
        epochs: Of the same.
        texts: That are predicted; 0 for the whole test split.
        alone: Texts that are predicted one by one.
    """

    out: str
    data: str
    models: tuple[str, ...]
    rows: int = 0
    batch_sizes: tuple[int, ...] = (16, 32, 64)
    batches: int = 200
    rounds: int = 3
    trial_epochs: int = 5
    search_batch_sizes: tuple[int, ...] = (16, 32, 64)
    search_epochs: int = 1
    seeds: int = 5
    epochs: int = 5
    texts: int = 0
    alone: int = 200

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read what ``to_json`` wrote."""
        read = json.loads(text)
        return cls(**{f.name: _hashable(read[f.name]) for f in fields(cls)})

    def to_json(self) -> str:
        """Write all of it, for the process of a part."""
        return json.dumps(asdict(self))

    @property
    def pretrained(self) -> tuple[str, ...]:
        """The models that have weights."""
        return tuple(model for model in self.models if has_weights(model))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def has_weights(model: str) -> bool:
    """Say whether a model starts from weights of its own."""
    if model.startswith("scratch:"):
        return False
    return model.startswith("package:") or any(Path(model).glob("*.safetensors"))


def checkpoint_name(model: str) -> str:
    """Return the name by which goemo finds a model: a folder without weights starts at random."""
    if model.startswith(("package:", "scratch:")):
        return model
    folder = str(Path(model).resolve())
    return folder if has_weights(model) else f"scratch:{folder}"


def short_name(model: str) -> str:
    """Return how a model is called in tables."""
    return Path(model.removeprefix("package:").removeprefix("scratch:")).name


class Results:
    """Appends rows to the results of a visit, each whole and at once on disk.

    Args:
        out: Folder of the results.
        unit: Part of the visit that they are of.
    """

    def __init__(self, out: str | Path, unit: str) -> None:
        self._file, self._unit = Path(out) / RESULTS, unit
        self.failures = 0

    def add(self, kind: str, **values: Any) -> Row:
        """Write one row and return it."""
        row = {"unit": self._unit, "kind": kind, **values}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in values.items())
        print(f"{time.strftime('%H:%M:%S')} {self._unit}: {kind}: {shown}", flush=True)
        return row

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Write down why something failed, and go on; a GPU that is lost to the process ends the part."""
        try:
            yield
        except Exception as error:
            self.failures += 1
            traceback.print_exc()
            self.add("failed", what=what, why=reason(error))
            if type(error).__name__ == "AcceleratorError":  # of torch, which is not imported for its name
                raise


def reason(error: BaseException) -> str:
    """Return an error in a line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def read_results(folders: Sequence[Path]) -> list[Row]:
    """Return the rows of visits, the earlier first; a row that was cut off in the middle is left out.

    Raises:
        SystemExit: A folder has none.
    """
    rows: list[Row] = []
    for folder in folders:
        file = folder / RESULTS
        if not file.is_file():
            raise SystemExit(f"{file} is not there; give --table the --out of a visit")
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                print(f"{file}: a row is not whole: {line[:60]}")
    return rows
