"""Model cards, whatever the model is: the hub's metadata, use, results and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from goemo.escaping import code, prose, without_folders
from goemo.thresholds import FittedThresholds

# Rows of the three published splits of GoEmotions, by which it is known wherever it was read from.
_GOEMOTIONS_EXAMPLES = {"train": 43410, "validation": 5426, "test": 5427}
_GOEMOTIONS_ID = "google-research-datasets/go_emotions"

_USE = """## Use

```python
from goemo import bundle

bundle.load("FOLDER").predict(["Thank you, that made my day!"])
```

"""

_TOP1 = "A text that gets no label this way is given the one with its highest score (`fallback: top1`). "

_LIMITS = """## Intended use and limits

Meant for studying emotion in short texts like those it was trained on, in aggregate. It reflects how
annotators of that data labelled what they read, with their disagreements and biases, not what a writer felt.
Rare labels have few examples and wide intervals. Other domains, languages and long texts are untested; it is
no basis for decisions about a person.
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


def card(
    what: str,
    labels: Sequence[str],
    provenance: Mapping[str, Any],
    thresholds: FittedThresholds,
    results: Mapping[str, Any] | None,
    *,
    metric: str,
    use: str,
    training: str,
    library: str = "goemo",
    base: str | None = None,
) -> str:
    """Return a model card in Markdown, with the metadata block that model hubs read.

    Args:
        what: Names the model.
        labels: In the order of the outputs.
        provenance: Of the bundle: ``data`` and ``report``.
        thresholds: The bundle's own, fitted on validation.
        results: From ``goemo.evaluation.results``; without them, the card shows the validation figure alone.
        metric: The objective, one of :data:`goemo.metrics.AVERAGES`.
        use: What follows the call of ``predict``, before how scores become labels.
        training: The sections on how the model was made.
        library: What loads the model.
        base: The checkpoint's name on the hub, if it has one.
    """
    data = provenance["data"]
    return "\n".join(
        [
            _metadata(data, results, library, base),
            summary(what, labels, data),
            f"{_USE}{use}{_use_of_thresholds(labels, thresholds)}",
            _results(results) if results else _validation(metric, labels, provenance, thresholds),
            training,
            _LIMITS + (_REDDIT if _is_goemotions(data) else ""),
        ]
    )


def _metadata(
    data: Mapping[str, Any], results: Mapping[str, Any] | None, library: str, base: str | None
) -> str:
    """Return the block that model hubs read; what is not known stays out, a licence among it."""
    dataset = _dataset_id(data)
    values: dict[str, Any] = {"library_name": library, "pipeline_tag": "text-classification"}
    if _is_goemotions(data):
        values["language"] = ["en"]
    if dataset:
        values["datasets"] = [dataset]
    if base:
        values["base_model"] = base
    values["tags"] = ["multi-label-classification", "emotion-recognition", "goemo"]
    values["metrics"] = ["f1"]
    if results:
        values["model-index"] = [_index(data, dataset, results)]
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---\n"


def summary(what: str, labels: Sequence[str], data: Mapping[str, Any]) -> str:
    """Return the title and the first paragraph; ``what`` names the model."""
    names, source = ", ".join(map(prose, labels)), code(without_folders(data["source"]))
    return (
        f"# {len(labels)} labels on {what}\n\n"
        f"Gives every text a score in [0, 1] for each of {len(labels)} labels ({names}); "
        f"any number of them may apply. Trained on {source} (taxonomy: {prose(data['taxonomy'])}).\n"
    )


def _use_of_thresholds(labels: Sequence[str], thresholds: FittedThresholds) -> str:
    """Return how the scores become labels, and which thresholds are borrowed."""
    borrowed = ", ".join(prose(labels[place]) for place in thresholds.borrowed)
    unseen = (
        f"\nNo validation text had {borrowed}: thresholds borrowed from other labels.\n" if borrowed else ""
    )
    bare = _TOP1 if thresholds.fallback == "top1" else ""
    return f"""A label is predicted where its score is at
least its threshold in `thresholds.json`; `null` means never. {bare}Round it to float16 first: thresholds
were fitted on such scores. Scores are not calibrated probabilities: compare
them with the threshold, not with 0.5.
{unseen}"""


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
    described = {
        "name": dataset or without_folders(data["source"]),
        "type": dataset or "other",
        "split": results["split"],
    }
    task = {"type": "text-classification", "name": "Multi-label text classification"}
    return {"name": "goemo", "results": [{"task": task, "dataset": described, "metrics": averages}]}


def _is_goemotions(data: Mapping[str, Any]) -> bool:
    """Return whether the data is GoEmotions, wherever it was read from."""
    return _GOEMOTIONS_ID in data["source"] or data.get("examples") == _GOEMOTIONS_EXAMPLES


def _dataset_id(data: Mapping[str, Any]) -> str | None:
    """Return the data set's name on the Hugging Face hub, or None where it may have none."""
    if _is_goemotions(data):
        return _GOEMOTIONS_ID
    scheme, _, rest = data["source"].partition(":")
    return rest.partition(":")[0] if scheme == "hub" else None


def _results(results: Mapping[str, Any]) -> str:
    """Return the tables of ``goemo.evaluation.results``."""
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
        f"| {prose(row['label'])} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} "
        f"| {_interval((row['f1_low'], row['f1_high']))} "
        f"| {row['support']} | {_threshold(row['threshold'])} |"
        for row in found["validation"]["per_label"]
    ]
    return f"## Results on {results['split']} ({results['examples']} texts)\n\n" + "\n".join(rows) + "\n"


def _validation(
    metric: str, labels: Sequence[str], provenance: Mapping[str, Any], thresholds: FittedThresholds
) -> str:
    """Return the figure on validation, where the test split was not used."""
    metrics = provenance["report"]["metrics"]
    rows = "\n".join(
        f"| {prose(label)} | {_threshold(value)} |"
        for label, value in zip(labels, thresholds.to_dict()["values"], strict=True)
    )
    name, figure = metric.replace("_", "-"), metrics[f"val/{metric}"]
    return f"""## Results on validation

{name} {figure:.4f}, with thresholds fitted on other validation rows. The model was chosen by
this figure, which flatters it; the test split was not used.

| label | threshold |
| --- | ---: |
{rows}
"""


def _interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _threshold(value: float | None) -> str:
    return "never" if value is None else f"{value:.3f}"


def data_line(data: Mapping[str, Any]) -> str:
    """Return how large the data is, and who split it."""
    sizes = ", ".join(f"{count} {split}" for split, count in data.get("examples", {}).items())
    splitting = prose(data.get("splitting", "as in the source"))
    return f"- Data: {prose(sizes or without_folders(data['source']))}; splits: {splitting}."
