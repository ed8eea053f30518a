"""Losses of the multi-label literature, by name, with their options.

Every loss here is a mean over examples and labels. Papers that sum over labels differ by a constant factor,
which AdamW does not see. Scores stay ``sigmoid(logits)`` whatever the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from numpy.typing import NDArray
from torch import Tensor

from goemo.configuration.losses import loss_options
from goemo.configuration.plugins import LOSS, plugins

# From logits, smoothed targets in [0, 1] and targets of 0 or 1, all (b, l) in float32, to the mean loss.
Formula = Callable[[Tensor, Tensor, Tensor], Tensor]


class Loss:
    """A loss that knows the training split.

    Args:
        choice: A name, with options in brackets where they are not the default: ``bce``, ``focal(gamma=1)``.
            See `loss_options` for what there is.
        targets: Of the training split, bool, shape (n_examples, n_labels).
        label_smoothing: Share e by which targets move to one half: ``y (1 - e) + e / 2``; in [0, 1).
        device: Where logits will be.

    Raises:
        ValueError: As `loss_options`.
    """

    def __init__(
        self,
        choice: str,
        targets: NDArray[Any],
        *,
        label_smoothing: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        name, options = loss_options(choice)
        examples = len(targets)
        positives = torch.as_tensor(targets.sum(axis=0), dtype=torch.float64, device=device)
        formula = _FORMULAS[name] if name in _FORMULAS else plugins(LOSS)[name].function
        self._formula: Formula = formula(positives, examples, **options)
        self._smoothing = label_smoothing

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar.

        Args:
            logits: Before the sigmoid, shape (b, l), float32.
            targets: 0 or 1 in the type of the logits, same shape.
        """
        smooth = targets * (1 - self._smoothing) + self._smoothing / 2 if self._smoothing else targets
        return self._formula(logits, smooth, targets)


def cross_entropy(logits: NDArray[np.float32], targets: NDArray[np.bool_]) -> float:
    """Return the binary cross-entropy, mean over texts and labels, in float64."""
    x = logits.astype(np.float64)
    return float(np.mean(np.maximum(x, 0) - x * targets + np.log1p(np.exp(-np.abs(x)))))


def _bce(positives: Tensor, examples: int) -> Formula:
    """Binary cross-entropy."""
    del positives, examples
    return lambda logits, smooth, _: F.binary_cross_entropy_with_logits(logits, smooth)


def _positive_weighted(positives: Tensor, examples: int, *, power: float) -> Formula:
    """Binary cross-entropy whose positives weigh ``(negatives / positives) ** power``, label by label.

    With a power of 1, positives and negatives of a label weigh the same in sum. A label without a positive
    has the weight 1, which nothing uses.
    """
    ratio = (examples - positives) / positives.clamp(min=1)
    weight = torch.where(positives > 0, ratio, torch.ones_like(ratio)).pow(power).float()
    return lambda logits, smooth, _: F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=weight)


def _class_balanced(positives: Tensor, examples: int, *, beta: float) -> Formula:
    """Cross-entropy with a label's terms weighed by its effective number of positives.

    Cui et al. 2019, "Class-Balanced Loss Based on Effective Number of Samples", equation 4: weights
    ``(1 - beta) / (1 - beta ** n)``, scaled so that their sum is the number of labels, as in section 4.
    A label without a positive weighs as much as one with a single one.
    """
    del examples
    weights = (1 - beta) / (1 - beta ** positives.clamp(min=1))
    weights = (weights * len(weights) / weights.sum()).float()
    return lambda logits, smooth, _: F.binary_cross_entropy_with_logits(logits, smooth, weight=weights)


def _focal(positives: Tensor, examples: int, *, gamma: float, alpha: float) -> Formula:
    """Cross-entropy that leaves alone what is easy.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5:
    ``-alpha_t (1 - p_t)^gamma log p_t``.
    """
    del positives, examples

    def formula(logits: Tensor, smooth: Tensor, _: Tensor) -> Tensor:
        positive = alpha * _power(-logits, gamma) * F.softplus(-logits)
        negative = (1 - alpha) * _power(logits, gamma) * F.softplus(logits)
        return (smooth * positive + (1 - smooth) * negative).mean()

    return formula


def _asymmetric(
    positives: Tensor,
    examples: int,
    *,
    negative_gamma: float,
    positive_gamma: float,
    margin: float,
) -> Formula:
    """Focal loss with a focus of its own for negatives, the easiest of which count nothing.

    Ridnik et al. 2021, "Asymmetric Loss For Multi-Label Classification", equations 5 to 7: negatives see the
    probability ``max(p - margin, 0)``. The defaults are those of the authors' code.
    """
    del positives, examples

    def formula(logits: Tensor, smooth: Tensor, _: Tensor) -> Tensor:
        positive = _power(-logits, positive_gamma) * F.softplus(-logits)
        if margin:
            # Not 0, whose powers below 1 have no gradient, and not 1, whose loss is infinite.
            shifted = (logits.sigmoid() - margin).clamp(min=1e-8, max=1 - 1e-6)
            negative = shifted**negative_gamma * -torch.log1p(-shifted)
        else:  # by the logit, because the score may round to 1
            negative = _power(logits, negative_gamma) * F.softplus(logits)
        return (smooth * positive + (1 - smooth) * negative).mean()

    return formula


def _distribution_balanced(
    positives: Tensor,
    examples: int,
    *,
    map_alpha: float,
    map_beta: float,
    map_gamma: float,
    negative_scale: float,
    bias_scale: float,
    gamma: float,
) -> Formula:
    """Re-balanced weights for labels that come together, and negatives that count less and less.

    Wu et al. 2020, "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets",
    equations 3 to 6 and 9, with focal weights; constants as Huang et al. 2021, "Balancing Methods for
    Multi-label Text Classification with Long-Tailed Class Distribution", use them for text.

    The weight of label i in an example is ``map_alpha + sigmoid(map_beta (r_i - map_gamma))``, where r_i is
    the label's share in the inverse frequencies of the example's labels. The logit is shifted by
    ``-bias_scale log(N / n_i - 1)``, and of negatives multiplied by ``negative_scale``, by which their
    loss is divided again. A label without a positive counts as having one.
    """
    frequency = positives.clamp(min=1, max=max(examples - 1, 1))
    inverse = (1 / frequency).float()
    bias = (-bias_scale * torch.log(max(examples, 2) / frequency - 1)).float()

    def formula(logits: Tensor, smooth: Tensor, targets: Tensor) -> Tensor:
        # In an example without a label the share has no end: weight at its most, but no 0 times infinity.
        share = (inverse / (targets @ inverse)[:, None]).clamp(max=1e6)
        weight = map_alpha + torch.sigmoid(map_beta * (share - map_gamma))
        shifted = logits + bias
        scaled = negative_scale * shifted
        positive = 0.5 * _power(-shifted, gamma) * F.softplus(-shifted)
        negative = 0.5 * _power(scaled, gamma) * F.softplus(scaled) / negative_scale
        return (weight * (smooth * positive + (1 - smooth) * negative)).mean()

    return formula


def _power(logits: Tensor, gamma: float) -> Tensor:
    """Return ``sigmoid(logits) ** gamma``, with a gradient that is finite wherever the logit is."""
    return torch.exp(-gamma * F.softplus(-logits))


_FORMULAS: dict[str, Callable[..., Formula]] = {
    "bce": _bce,
    "positive_weighted": _positive_weighted,
    "class_balanced": _class_balanced,
    "focal": _focal,
    "asymmetric": _asymmetric,
    "distribution_balanced": _distribution_balanced,
}
