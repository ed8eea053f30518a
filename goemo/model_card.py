"""The README of a bundle: what the model is for, what it was trained on, how good it is, where it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from goemo.configuration import Configuration
from goemo.thresholds import FittedThresholds

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
        provenance: Of the bundle: ``data`` and ``report``.
        thresholds: The bundle's own, fitted on validation.
        results: From ``goemo.evaluation.results``; without them, the card shows the validation figure alone.
    """
    parts = [_metadata(), _summary(configuration, labels, provenance), _use(configuration)]
    parts.append(_results(results) if results else _validation(configuration, labels, provenance, thresholds))
    return "\n".join([*parts, _training(configuration, provenance), _LIMITS])


def _metadata() -> str:
    tags = "".join(f"- {tag}\n" for tag in ("multi-label-classification", "emotion-recognition", "goemo"))
    return f"---\nlibrary_name: transformers\npipeline_tag: text-classification\ntags:\n{tags}---\n"


def _summary(configuration: Configuration, labels: Sequence[str], provenance: Mapping[str, Any]) -> str:
    data = provenance["data"]
    return (
        f"# {len(labels)} labels on `{configuration.checkpoint}`\n\n"
        f"Gives every text a score in [0, 1] for each of {len(labels)} labels ({', '.join(labels)}); "
        f"any number of them may apply. Trained on `{data['source']}` (taxonomy: {data['taxonomy']}).\n"
    )


def _use(configuration: Configuration) -> str:
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
least its threshold in `thresholds.json`; `null` means never. Round it to float16 first: thresholds were
fitted on such scores. Scores are not calibrated probabilities: compare
them with the threshold, not with 0.5.
"""


def _results(results: Mapping[str, Any]) -> str:
    found = results["results"]
    rows = [
        "| thresholds | macro-F1 | 95 % interval | weighted-F1 | micro-F1 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    names = {
        "validation": "fitted on validation",
        "fixed_0.5": "0.5 for every label",
        "test_tuned": f"fitted on {results['split']} itself (an upper bound, not for use)",
    }
    for key, name in names.items():
        if key in found:
            f1 = [found[key][average]["f1"] for average in ("macro", "weighted", "micro")]
            low, high = found[key]["macro_f1_interval"]
            rows.append(f"| {name} | {f1[0]:.4f} | {low:.4f} to {high:.4f} | {f1[1]:.4f} | {f1[2]:.4f} |")
    rows += [
        "",
        "With thresholds fitted on validation:",
        "",
        "| label | precision | recall | F1 | support | threshold |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows += [
        f"| {_cell(row['label'])} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} "
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


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _threshold(value: float | None) -> str:
    return "never" if value is None else f"{value:.3f}"


def _training(configuration: Configuration, provenance: Mapping[str, Any]) -> str:
    data, report = provenance["data"], provenance["report"]
    settings = ", ".join(f"{name} {json.dumps(getattr(configuration, name))}" for name in _HYPERPARAMETERS)
    examples = data.get("examples", {})
    sizes = ", ".join(f"{count} {split}" for split, count in examples.items())
    trained = {"all": "all weights", "last_layer": "the last encoder block and the head", "head": "the head"}
    return f"""## Training

- Data: {sizes or data["source"]}; splits: {data.get("splitting", "as in the source")}.
- What trained: {trained[configuration.trainable]}, of `{configuration.checkpoint}`.
- Settings: {settings}; AdamW, linear schedule with warm-up, binary cross-entropy; seed {configuration.seed}.
- Weights: of the report at {report["progress"]} % of the training, the best of {configuration.reports} on
  validation by {configuration.metric}. Thresholds were fitted on validation.

`provenance.json` has the full configuration, digests and versions.
"""


_LIMITS = """## Limits

Meant for studying emotion in short texts like those it was trained on, in aggregate. It reflects how
annotators of that data labelled what they read, with their disagreements and biases, not what a writer felt.
Rare labels have few examples and wide errors. Other domains, languages and long texts are untested; it is no
basis for decisions about a person.
"""
