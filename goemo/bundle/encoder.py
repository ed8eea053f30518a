"""A trained encoder as a folder: plain ``transformers`` files, and files on what the scores mean.

FOLDER/
    config.json model.safetensors tokenizer*.json    what from_pretrained and pipeline read
    labels.json          names in the order of the outputs
    thresholds.json      for each label the score from which it is predicted; null is never
    provenance.json      configuration, data, versions, the report that was kept
    README.md            the model card
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import goemo
from goemo.bundle.files import EncoderProvenance, trained_configuration
from goemo.bundle.folder import (
    CARD,
    COMMON_FILES,
    check_files,
    damage_named,
    new_bundle,
    read_common,
    write_common,
)
from goemo.bundle.model_card import model_card
from goemo.bundle.opened import Bundle, Progress
from goemo.configuration import Configuration
from goemo.errors import InputError
from goemo.fast import faster_on_cpu
from goemo.inference import choose_device, predict_logits, sigmoid_scores
from goemo.models import Checkpoint, load_config, load_tokenizer
from goemo.models.quiet import quiet_transformers
from goemo.thresholds import FittedThresholds
from goemo.tokens import TokenStore
from goemo.training import TrainingRun
from goemo.training.inputs import reading_inputs
from goemo.training.prepared import Prepared

_FILES = ("config.json", "model.safetensors", "tokenizer_config.json", *COMMON_FILES)


@dataclass(frozen=True, eq=False)
class EncoderBundle(Bundle):
    """An encoder with a head.

    Attributes:
        configuration: What was trained.
        max_length: Tokens that the model reads of a text; longer texts are truncated, as in training.
        model: The ``transformers`` model, in eval mode.
        tokenizer: Its tokenizer.
    """

    configuration: Configuration
    max_length: int
    model: Any
    tokenizer: Any

    def _scores(
        self, texts: Sequence[str], batch_size: int | None, on_progress: Progress | None
    ) -> NDArray[np.float32]:
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
        inputs = reading_inputs(self.configuration, prepared, self.model)
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
    labels = run.prepared.labels
    with quiet_transformers(), run.best_model() as model, new_bundle(folder) as partial:
        model.save_pretrained(partial)
        _save_tokenizer(run, partial)
        facts = {**_facts(run), **provenance}
        card = model_card(run.configuration, labels, facts, thresholds, results)
        write_common(partial, labels, thresholds, facts, card)


def save_again(
    source: Path,
    folder: Path,
    *,
    thresholds: FittedThresholds,
    provenance: Mapping[str, Any],
    results: Mapping[str, Any] | None = None,
) -> None:
    """Write the model of a bundle as another one, whole or not at all.

    Args:
        source: A bundle of an encoder.
        folder: As in `save`, and so on for the others.
        thresholds: Fitted on the validation split.
        provenance: Wins over what the source's own says.
        results: For the tables of the model card.

    Raises:
        InputError: As in ``check_target``, or the source is no such bundle.
    """
    check_files(source, _FILES)
    with damage_named(source):
        labels, _, facts = read_common(source, EncoderProvenance)
        facts |= provenance
        configuration = trained_configuration(facts["configuration"])
    with new_bundle(folder) as partial:
        for file in source.iterdir():
            if file.is_file() and file.name not in (*COMMON_FILES, CARD):
                shutil.copyfile(file, partial / file.name)
        write_common(
            partial, labels, thresholds, facts, model_card(configuration, labels, facts, thresholds, results)
        )


def load_encoder(folder: Path, *, device: Any = None) -> EncoderBundle:
    """Load a bundle; weights are read from ``model.safetensors`` only, and no code from the folder runs.

    Args:
        folder: What ``save`` wrote.
        device: The current GPU when not given, else the CPU.

    Raises:
        InputError: It is no bundle, a file is damaged, or the files do not fit each other.
    """
    from transformers import AutoTokenizer

    check_files(folder, _FILES)
    with damage_named(folder):
        labels, thresholds, provenance = read_common(folder, EncoderProvenance)
        configuration = trained_configuration(provenance["configuration"])
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = _load_model(folder)
    named = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
    if named != labels:
        raise InputError(str(folder), ["labels.json and id2label of config.json must be the same, in order"])
    model.to(choose_device(device)).eval()
    return EncoderBundle(
        labels, thresholds, provenance, configuration, tokenizer.model_max_length, model, tokenizer
    )


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
    # What truncation=True goes by, in plain transformers too.
    tokenizer.model_max_length = run.configuration.max_length
    tokenizer.save_pretrained(folder)


def _facts(run: TrainingRun) -> dict[str, Any]:
    assert run.best is not None
    return {
        "configuration": run.configuration.to_dict(),
        "mixed_precision": run.mixed_precision,
        "data": dict(run.prepared.data),
        "report": {"progress": run.best.progress, "step": run.best.step, "metrics": run.best.metrics},
        "versions": {
            "goemo": goemo.__version__,
            **{name: metadata.version(name) for name in ("torch", "transformers")},
        },
    }
