"""Dropout whose random numbers cost a quarter: on a CPU, drawing them is what dropout spends its time on.

``torch`` draws one number an element, one after the other on one core. Here one draw of 64 bits decides four
elements, each by 16 bits of its own, so that the probability is kept to one part in 65,536; the scale belongs
to the probability that is used, so that the mean stays exact.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_STEPS = 2**16


class QuickDropout(nn.Module):
    """Stands for ``nn.Dropout`` on a CPU; draws from the process's generator, as that does.

    Args:
        probability: Of an element to be zeroed, in [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.p = probability

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, some elements zeroed and the others scaled up; in eval mode as they are."""
        if not self.training or not self.p:
            return features
        kept, scale = keep_mask(features, self.p)
        return features * kept * scale


def keep_mask(features: Tensor, probability: float) -> tuple[Tensor, float]:
    """Return which elements stay, bool, in the shape of the features, and what scales them up.

    Args:
        features: Any shape.
        probability: Of an element to be zeroed, in [0, 1).
    """
    dropped = min(round(probability * _STEPS), _STEPS - 1)
    count = features.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    kept = (bits.view(torch.int16)[:count] >= dropped - _STEPS // 2).view(features.shape)
    return kept, _STEPS / (_STEPS - dropped)
