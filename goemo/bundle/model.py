"""A trained model as a folder: plain ``transformers`` files, and beside them what the scores mean.

FOLDER/
    config.json model.safetensors tokenizer*.json    what from_pretrained and pipeline read
    labels.json          names in the order of the outputs
    thresholds.json      for each label the score from which it is predicted; null is never
    provenance.json      configuration, data, versions, the report that was kept
    README.md            the model card
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

import goemo
from goemo.bundle.model_card import model_card
from goemo.configuration import Configuration
from goemo.errors import InputError
from goemo.evaluation import as_kept
from goemo.fast.cpu import faster_on_cpu
from goemo.files import built_folder
from goemo.inference import Progress, choose_device, predict_logits, sigmoid_scores
from goemo.models import Checkpoint, load_config, load_tokenizer
from goemo.models.quiet import quiet_transformers
from goemo.thresholds import FittedThresholds, apply_thresholds
from goemo.thresholds.json_file import thresholds_from_json, thresholds_to_json
from goemo.tokens import TokenStore
from goemo.training import TrainingRun
from goemo.training.inputs import choose_inputs
from goemo.training.prepared import Prepared

_OWN_FILES = ("labels.json", "thresholds.json", "provenance.json")
_FILES = ("config.json", "model.safetensors", "tokenizer_config.json", *_OWN_FILES)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that was loaded from a bundle.

    Attributes:
        labels: Names in the order of the scores' columns.
        thresholds: From which score each label is predicted.
        configuration: What was trained.
        provenance: All of ``provenance.json``.
        max_length: Tokens that the model reads of a text; longer texts are cut, as in training.
        model: The ``transformers`` model, in eval mode.
        tokenizer: Its tokenizer.
    """

    labels: tuple[str, ...]
    thresholds: FittedThresholds
    configuration: Configuration
    provenance: Mapping[str, Any]
    max_length: int
    model: Any
    tokenizer: Any

    def scores(
        self,
        texts: Sequence[str],
        batch_size: int | None = None,
        on_progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Return the score of every label for each text.

        Args:
            texts: Any number of texts; none give no rows. Half a surrogate pair is read as U+FFFD.
            batch_size: Texts a forward pass, of similar length; see ``goemo.inference.predict_logits``.
            on_progress: Called with the texts done and the texts in all.

        Returns:
            In [0, 1], shape (texts, labels), in the order of the texts.

        Raises:
            TypeError: A single string, or something that is no text.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of texts, got the string {texts[:40]!r}; put it in a list")
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"a text must be a string, got {text!r}")
        store = TokenStore.build(texts, self.tokenizer)
        logits = predict_logits(
            self._reader, store, self.max_length, batch_size=batch_size, on_progress=on_progress
        )
        return sigmoid_scores(logits)

    def prepared_scores(self, prepared: Prepared, split: str) -> NDArray[np.float32]:
        """Return the scores of a prepared split, where the encoder was frozen from what it gave once.

        They equal ``scores`` of the same texts to rounding, and are those that the training itself measures.

        Args:
            prepared: What the training was made from.
            split: ``train``, ``validation`` or ``test``.

        Returns:
            In [0, 1], shape (texts, labels), in the order of the split.
        """
        inputs = choose_inputs(self.configuration, prepared, self.model, self.model.device)
        return sigmoid_scores(inputs.logits(split))

    @property
    def _reader(self) -> Any:
        """The model as it is read fastest where it is now: it may have been moved, or cast, since."""
        if self.model.device.type == "cpu" and self.model.dtype == torch.float32:
            return self._cpu_reader
        self.__dict__.pop("_cpu_reader", None)  # made again when the model is back
        return self.model

    @cached_property
    def _cpu_reader(self) -> Any:
        return faster_on_cpu(self.model)

    def predict(
        self,
        texts: Sequence[str],
        batch_size: int | None = None,
        on_progress: Progress | None = None,
    ) -> list[dict[str, Any]]:
        """Return ``{"text", "labels", "scores": {label: score}}`` for each text, in the order of the texts.

        ``labels`` are those whose score reaches their threshold, in the model's order; there may be none.
        The score is rounded for that as those were that fitted the threshold (``goemo.evaluation.as_kept``).

        Raises:
            TypeError: As in ``scores``.
        """
        scores = self.scores(texts, batch_size, on_progress)
        predictions = apply_thresholds(as_kept(scores), self.thresholds)
        return [
            {
                "text": text,
                "labels": [
                    label for label, is_predicted in zip(self.labels, row, strict=True) if is_predicted
                ],
                "scores": dict(zip(self.labels, values, strict=True)),
            }
            for text, row, values in zip(texts, predictions, scores.tolist(), strict=True)
        ]


def save(
    run: TrainingRun,
    folder: Path,
    *,
    thresholds: FittedThresholds,
    provenance: Mapping[str, Any],
    results: Mapping[str, Any] | None = None,
) -> None:
    """Write the best weights of a training as a bundle, whole or not at all.

    Args:
        run: A training with at least one report.
        folder: New or empty, or an earlier bundle, which is replaced.
        thresholds: Fitted on the validation split.
        provenance: Recorded beside the configuration, data, versions and report, over which it wins.
        results: From ``goemo.evaluation.results``, for the tables of the model card.

    Raises:
        InputError: As in ``check_target``.
        GoemoError: The training has no report yet.
    """
    check_target(folder)
    labels = run.prepared.labels
    # The last file is one without which a folder is no bundle.
    whole = built_folder(folder, replace=True, last="labels.json")
    with quiet_transformers(), run.best_model() as model, whole as partial:
        model.save_pretrained(partial)
        _save_tokenizer(run, partial)
        facts = {**_facts(run), **provenance}
        _write_json(partial / "labels.json", labels)
        _write_json(partial / "thresholds.json", thresholds_to_json(thresholds, labels))
        _write_json(partial / "provenance.json", facts)
        card = model_card(run.configuration, labels, facts, thresholds, results)
        (partial / "README.md").write_text(card, encoding="utf-8")
        _as_readable_as(partial / "README.md", partial / "model.safetensors")


def _as_readable_as(example: Path, file: Path) -> None:
    """Give a file the rights of another; safetensors writes for the owner alone, whatever the umask."""
    file.chmod(example.stat().st_mode)


def check_target(folder: Path) -> None:
    """Say before a long training whether its bundle can be saved to a folder.

    Raises:
        InputError: The folder holds something that is no bundle, is a file, or cannot be written to.
    """
    folder = Path(folder).resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _is_bundle(folder)):
        raise InputError(str(folder), ["holds something that is no bundle; give a new or empty folder"])
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(str(folder), [f"cannot be made: {nearest} is no folder that can be written to"])


def load(folder: Path, *, device: Any = None) -> Bundle:
    """Load a bundle; weights are read from ``model.safetensors`` only, and no code from the folder runs.

    Args:
        folder: What ``save`` wrote.
        device: The current GPU when not given, else the CPU.

    Raises:
        InputError: It is no bundle, a file is damaged, or the files do not fit each other.
    """
    from transformers import AutoTokenizer

    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(str(folder), ["no such folder; give one that goemo retrain wrote"])
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(
            str(folder), [f"no {name}; a bundle has one: goemo retrain writes it" for name in missing]
        )
    try:
        labels = tuple(_read_json(folder / "labels.json"))
        thresholds = thresholds_from_json(_read_json(folder / "thresholds.json"), labels)
        provenance = _read_json(folder / "provenance.json")
        configuration = Configuration.from_dict(provenance["configuration"])
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = _load_model(folder)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
        ImportError,
        SafetensorError,
    ) as error:
        raise InputError(
            str(folder),
            [f"does not load: {type(error).__name__}: {error}; write it again with goemo retrain"],
        ) from error
    named = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
    if named != labels:
        raise InputError(str(folder), ["labels.json and id2label of config.json must be the same, in order"])
    model.to(choose_device(device)).eval()
    return Bundle(labels, thresholds, configuration, provenance, tokenizer.model_max_length, model, tokenizer)


def _load_model(folder: Path) -> Any:
    from transformers import AutoModelForSequenceClassification

    with quiet_transformers():
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=load_config(folder),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    if report["missing_keys"]:
        raise ValueError(f"model.safetensors lacks {min(report['missing_keys'])}")
    return model


@lru_cache(1)
def _tokenizer(checkpoint: Checkpoint) -> Any:
    """Load what every bundle of a search has."""
    return load_tokenizer(checkpoint)


def _save_tokenizer(run: TrainingRun, folder: Path) -> None:
    tokenizer = _tokenizer(run.prepared.checkpoint)
    # What truncation=True cuts to, in plain transformers too.
    tokenizer.model_max_length = run.configuration.max_length
    tokenizer.save_pretrained(folder)


def _facts(run: TrainingRun) -> dict[str, Any]:
    assert run.best is not None
    return {
        "configuration": run.configuration.to_dict(),
        "mixed_precision": run.mixed_precision,
        "data": dict(run.prepared.data),
        "report": {"progress": run.best.progress, "step": run.best.step, "metrics": run.best.metrics},
        "versions": dict(_versions()),
    }


@lru_cache(1)
def _versions() -> Mapping[str, str]:
    return {
        "goemo": goemo.__version__,
        **{name: metadata.version(name) for name in ("torch", "transformers")},
    }


def _is_bundle(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _OWN_FILES)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is no JSON ({error})") from error
