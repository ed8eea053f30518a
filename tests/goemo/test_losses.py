"""Losses against the formulas of their papers, written out example by example."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from goemo.configuration.losses import LOSSES, loss_options
from goemo.training.losses import _FORMULAS, Loss

RNG = np.random.default_rng(0)
TRAIN = RNG.random((500, 6)) < np.array([0.5, 0.2, 0.1, 0.02, 0.3, 0.0])
LOGITS = RNG.normal(scale=3, size=(40, 6))
TARGETS = RNG.random((40, 6)) < np.array([0.5, 0.2, 0.3, 0.1, 0.3, 0.2])
TARGETS[0] = False  # an example without a label


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def mean_over_cells(cell):
    """Return the mean of ``cell(z, y, label, targets of the example)`` over examples and labels."""
    return np.mean(
        [
            cell(LOGITS[i, j], bool(TARGETS[i, j]), j, TARGETS[i])
            for i in range(len(LOGITS))
            for j in range(LOGITS.shape[1])
        ]
    )


def bce(z, y, label, row):
    return -math.log(sigmoid(z)) if y else -math.log(1 - sigmoid(z))


def positive_weighted(z, y, label, row):
    positives = TRAIN[:, label].sum()
    weight = (len(TRAIN) - positives) / positives if positives else 1
    return bce(z, y, label, row) * (weight if y else 1)


def class_balanced(z, y, label, row):
    weights = [(1 - 0.999) / (1 - 0.999 ** max(n, 1)) for n in TRAIN.sum(axis=0)]
    return bce(z, y, label, row) * weights[label] * len(weights) / sum(weights)


def focal(z, y, label, row):
    p = sigmoid(z)
    p_t, alpha_t = (p, 0.25) if y else (1 - p, 0.75)
    return -alpha_t * (1 - p_t) ** 2 * math.log(p_t)


def asymmetric(z, y, label, row):
    p = sigmoid(z)
    p_m = max(p - 0.05, 0)
    return -((1 - p) ** 1) * math.log(p) if y else -(p_m**4) * math.log(1 - p_m)


def distribution_balanced(z, y, label, row):
    counts = [max(n, 1) for n in TRAIN.sum(axis=0)]
    of_class = 1 / counts[label]
    of_example = sum(1 / n for n, has in zip(counts, row, strict=True) if has)
    share = of_class / of_example if of_example else math.inf
    weight = 0.1 + (1 if share == math.inf else sigmoid(10 * (share - 0.9)))
    shifted = z - 0.05 * math.log(len(TRAIN) / counts[label] - 1)
    if y:
        p = sigmoid(shifted)
        return weight * 0.5 * (1 - p) ** 2 * -math.log(p)
    p = sigmoid(2 * shifted)
    return weight / 2 * 0.5 * p**2 * -math.log(1 - p)


FORMULAS = {
    formula.__name__: formula
    for formula in (bce, positive_weighted, class_balanced, focal, asymmetric, distribution_balanced)
}


def value(choice, **options):
    loss = Loss(choice, TRAIN, **options)
    return loss(torch.tensor(LOGITS, dtype=torch.float32), torch.tensor(TARGETS, dtype=torch.float32)).item()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_formula_of_its_paper(name):
    """The vectorised loss equals the formula, written out for one logit, in the mean over all."""
    assert value(name) == pytest.approx(mean_over_cells(FORMULAS[name]), rel=1e-5)


@pytest.mark.parametrize(
    ("choice", "same"),
    [
        ("focal(gamma=0, alpha=0.5)", 0.5),
        ("asymmetric(negative_gamma=0, positive_gamma=0, margin=0)", 1),
        ("positive_weighted(power=0)", 1),
        ("class_balanced(beta=0)", 1),
    ],
)
def test_a_loss_without_its_idea_is_cross_entropy(choice, same):
    """With its options at their neutral values, each loss is cross-entropy up to a constant factor."""
    assert value(choice) == pytest.approx(same * value("bce"), rel=1e-5)


def test_cross_entropy_is_that_of_torch():
    """``bce`` equals torch's own loss, and ``positive_weighted`` its ``pos_weight``."""
    logits, targets = torch.tensor(LOGITS).float(), torch.tensor(TARGETS).float()
    assert value("bce") == pytest.approx(
        torch.nn.functional.binary_cross_entropy_with_logits(logits, targets).item(), rel=1e-6
    )
    positives = TRAIN.sum(axis=0)
    weights = torch.tensor([(len(TRAIN) - n) / n if n else 1.0 for n in positives]).float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)
    assert value("positive_weighted") == pytest.approx(expected.item(), rel=1e-6)


def test_label_smoothing_moves_targets_to_one_half():
    """Smoothed cross-entropy equals torch's on targets of e / 2 and 1 - e / 2."""
    soft = torch.tensor(TARGETS).float() * 0.8 + 0.1
    expected = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(LOGITS).float(), soft)
    assert value("bce", label_smoothing=0.2) == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    "choice",
    [
        *LOSSES,
        "focal(gamma=0.5)",
        "asymmetric(margin=0, negative_gamma=0.5)",
        "asymmetric(margin=0.5, negative_gamma=0.5)",
        "asymmetric(margin=1e-8)",
        "distribution_balanced(map_beta=0)",
    ],
)
def test_gradients_are_finite_at_any_logit(choice):
    """However sure and wrong the model is, loss and gradient are numbers."""
    logits = torch.tensor([[-300.0, -40, -1, 0, 40, 300]] * 2, requires_grad=True)
    targets = torch.tensor([[1.0] * 6, [0.0] * 6])
    loss = Loss(choice, TRAIN)(logits, targets)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("choice", LOSSES)
def test_gradients_point_to_the_target(choice):
    """A step against the gradient raises the logits of positives and lowers those of negatives."""
    logits = torch.zeros((2, 6), requires_grad=True)
    targets = torch.tensor([[1.0] * 6, [0.0] * 6])
    Loss(choice, TRAIN)(logits, targets).backward()
    assert (logits.grad[0] < 0).all()
    assert (logits.grad[1] > 0).all()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("focall", "must be one of bce, positive_weighted"),
        ("focal(gama=2)", "'gama' is not an option of the loss focal, which takes gamma, alpha"),
        ("bce(gamma=2)", "'gamma' is not an option of the loss bce, which takes none"),
        ("focal(gamma=high)", "gamma of focal must be a number, got 'high'"),
        ("focal(gamma=99)", r"gamma of focal must lie in \[0, 10\], got 99"),
        ("focal(gamma=nan)", "gamma of focal must lie in"),
        ("focal(", "must be one of"),
        ("", "must be one of"),
    ],
)
def test_a_wrong_choice_is_refused_with_the_rule(choice, message):
    """Unknown names and options, and values that are no numbers or out of range, are named."""
    with pytest.raises(ValueError, match=message):
        loss_options(choice)


def test_every_loss_has_its_formula():
    """What may be asked for is what there is, option by option."""
    assert set(_FORMULAS) == set(LOSSES)
    for name in LOSSES:
        Loss(name, TRAIN)


def test_options_are_read_with_their_defaults():
    """Spaces do not matter, and what is not given has its default."""
    assert loss_options(" focal( gamma = 1.5 ) ") == ("focal", {"gamma": 1.5, "alpha": 0.25})
    assert loss_options("bce") == loss_options("bce()") == ("bce", {})
