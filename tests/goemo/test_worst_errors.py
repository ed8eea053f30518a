"""The worst errors are mistakes, in order, with their labels."""

from __future__ import annotations

import json

import numpy as np
import pytest

from goemo.report.worst_errors import worst_errors
from goemo.thresholds import fit_thresholds


def test_confident_contradiction_comes_first_and_right_answers_never():
    """Sure of something else beats merely silent; an example without a mistake is not listed."""
    scores = np.array([[0.9, 0.1], [0.2, 0.95], [0.1, 0.1], [0.6, 0.6]])
    targets = np.array([[True, False], [True, False], [True, False], [True, False]])
    found = worst_errors(
        scores, targets, np.array([0.5, 0.5]), ["joy", "anger"], ["right", "sure", "silent", "both"]
    )
    assert [error["text"] for error in found] == ["sure", "silent", "both"]
    assert found[0]["missed"] == {"joy": 0.2}
    assert found[0]["wrong"] == {"anger": 0.95}
    assert found[0]["confidence"] == pytest.approx((0.95 + 0.8) / 2)
    json.dumps(found)


def test_every_listed_text_is_mistaken_and_the_order_falls():
    """On random data: as many as asked for, falling confidence, and labels that match a naive check."""
    generator = np.random.default_rng(0)
    scores = generator.random((200, 5))
    targets = generator.random((200, 5)) < 0.3
    thresholds = np.array([0.5, 0.2, np.inf, 0.9, 0.4])
    labels = list("abcde")
    found = worst_errors(scores, targets, thresholds, labels, [str(i) for i in range(200)], most=40)
    assert len(found) == 40
    confidences = [error["confidence"] for error in found]
    assert confidences == sorted(confidences, reverse=True)
    for error in found:
        i = int(error["text"])
        predicted = scores[i] >= thresholds
        assert set(error["wrong"]) == {labels[j] for j in range(5) if predicted[j] and not targets[i, j]}
        assert set(error["missed"]) == {labels[j] for j in range(5) if targets[i, j] and not predicted[j]}
    assert not any("c" in error["wrong"] for error in found)


def test_a_fallback_is_judged_like_any_prediction():
    """With top1, a text below all thresholds has its highest label, which may be right or a mistake."""
    scores = np.array([[0.3, 0.1], [0.2, 0.4], [0.9, 0.1]])
    targets = np.array([[True, False], [True, False], [True, False]])
    texts = ["right", "wrong", "sure"]

    def found(fallback):
        cuts = fit_thresholds(scores, targets, method="fixed", fallback=fallback)
        errors = worst_errors(scores, targets, cuts, ["a", "b"], texts)
        return {error["text"]: (error["missed"], error["wrong"]) for error in errors}

    assert found("top1") == {"wrong": ({"a": 0.2}, {"b": 0.4})}
    assert found("none") == {"wrong": ({"a": 0.2}, {}), "right": ({"a": 0.3}, {})}


def test_no_mistake_no_list():
    """A perfect model has no worst errors, nor has an empty split."""
    targets = np.eye(3, dtype=bool)
    assert worst_errors(targets.astype(float), targets, np.full(3, 0.5), list("abc"), list("xyz")) == []
    assert worst_errors(np.empty((0, 3)), np.empty((0, 3), bool), np.full(3, 0.5), list("abc"), []) == []


def test_shapes_that_do_not_fit_are_refused():
    """A text too few is an error that gives both numbers."""
    with pytest.raises(ValueError, match="for 1 texts and 3 labels"):
        worst_errors(np.eye(3), np.eye(3, dtype=bool), np.full(3, 0.5), list("abc"), ["x"])
