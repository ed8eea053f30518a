"""Comparison of our results with published ones: like with like, and the honest figure next to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from goemo.published.studies import EXAMPLES, Study, studies

# Which of our results a published one is to be compared with. One threshold for all labels is most like 0.5.
_LIKE = {"fixed_0.5": "fixed_0.5", "one": "fixed_0.5", "validation": "validation", "test_tuned": "test_tuned"}

_PROTOCOL_NOTES = (
    "A difference is ours less published, like with like: 0.5 with 0.5, tuned on test with tuned on test.",
    'The figure to report for our model is "validation": its thresholds have not seen the test split.',
    "Figures tuned on the test split are upper bounds; most published ones are of this kind.",
    "The intervals speak of the test examples alone. Published figures have none; theirs would be as wide.",
)


@dataclass(frozen=True)
class LabelRow:
    """F1 of one label, ours and of the published per-label tables.

    Attributes:
        label: Its name.
        support: Its positives in the test split.
        ours_at_half: Ours with 0.5 for every label.
        published_at_half: Published, likewise.
        difference_at_half: Ours less published.
        ours_test_tuned: Ours with thresholds tuned on the test split.
        published_test_tuned: Published, likewise.
        difference_test_tuned: Ours less published.
        ours_validation: Ours with thresholds from validation: the honest figure.
    """

    label: str
    support: int
    ours_at_half: float
    published_at_half: float
    difference_at_half: float
    ours_test_tuned: float
    published_test_tuned: float
    difference_test_tuned: float
    ours_validation: float


@dataclass(frozen=True)
class AverageRow:
    """One published average, and ours.

    Attributes:
        study: Name of the study.
        citation: Where it was published.
        average: ``macro`` or ``weighted``.
        metric: ``f1``, ``precision``, ``recall`` or ``mcc``.
        thresholds: Where the published figure's thresholds come from, as in :class:`Study`.
        like: Which of our results is compared: ``fixed_0.5``, ``validation`` or ``test_tuned``.
        published: As printed.
        ours: Of our result ``like``.
        difference: Ours less published.
        ours_low: Lower end of the 95 % interval of ours; None for MCC, which has none.
        ours_high: Upper end.
        ours_validation: Ours with thresholds from validation: the honest figure.
    """

    study: str
    citation: str
    average: str
    metric: str
    thresholds: str
    like: str
    published: float
    ours: float
    difference: float
    ours_low: float | None
    ours_high: float | None
    ours_validation: float


@dataclass(frozen=True)
class Comparison:
    """Our results on the test split of GoEmotions beside the published ones.

    Attributes:
        labels: One row a label, in the order of our results.
        averages: One row a published average, in the order of :func:`goemo.published.studies`.
        notes: How to read them, and what is to be known of the published figures, in words.
        citation: Where the per-label tables were published.
    """

    labels: tuple[LabelRow, ...]
    averages: tuple[AverageRow, ...]
    notes: tuple[str, ...]
    citation: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def comparison(results: Mapping[str, Any]) -> Comparison | None:
    """Put our results beside the published ones.

    Args:
        results: What :func:`goemo.evaluation.results` gave, or the same read from JSON.

    Returns:
        None unless the results are of the published test split: as many examples, the same labels (in any
        order), each with the same support. Other data has nothing to compare with.
    """
    found = results["results"]
    known = studies()
    tables = {s.thresholds: s.table.set_index("label").to_dict() for s in known if s.table is not None}
    at_half, tuned = tables["fixed_0.5"], tables["test_tuned"]
    supports = {row["label"]: row["support"] for row in found["validation"]["per_label"]}
    if results["examples"] != EXAMPLES or supports != at_half["support"]:
        return None
    rows = zip(*(found[name]["per_label"] for name in ("fixed_0.5", "test_tuned", "validation")), strict=True)
    notes = dict.fromkeys(note for study in known for note in study.notes)
    return Comparison(
        labels=tuple(
            _label_row(half, upper, honest, at_half["f1"], tuned["f1"]) for half, upper, honest in rows
        ),
        averages=tuple(row for study in known for row in _average_rows(study, found)),
        notes=(*_PROTOCOL_NOTES, *notes),
        citation=next(study.citation for study in known if study.table is not None),
    )


def _label_row(
    half: Mapping[str, Any],
    tuned: Mapping[str, Any],
    honest: Mapping[str, Any],
    published_half: Mapping[str, float],
    published_tuned: Mapping[str, float],
) -> LabelRow:
    label = half["label"]
    at_half, at_tuned = float(published_half[label]), float(published_tuned[label])
    return LabelRow(
        label=label,
        support=half["support"],
        ours_at_half=half["f1"],
        published_at_half=at_half,
        difference_at_half=half["f1"] - at_half,
        ours_test_tuned=tuned["f1"],
        published_test_tuned=at_tuned,
        difference_test_tuned=tuned["f1"] - at_tuned,
        ours_validation=honest["f1"],
    )


def _average_rows(study: Study, found: Mapping[str, Any]) -> list[AverageRow]:
    like = _LIKE[study.thresholds]
    rows = []
    for average, metrics in study.averages.items():
        for metric, value in metrics.items():
            ours = found[like][average][metric]
            low, high = found[like].get("intervals", {}).get(f"{average}_{metric}", (None, None))
            rows.append(
                AverageRow(
                    study=study.name,
                    citation=study.citation,
                    average=average,
                    metric=metric,
                    thresholds=study.thresholds,
                    like=like,
                    published=value,
                    ours=ours,
                    difference=ours - value,
                    ours_low=low,
                    ours_high=high,
                    ours_validation=found["validation"][average][metric],
                )
            )
    return rows
