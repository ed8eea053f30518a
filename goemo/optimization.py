"""AdamW with clipped gradients and a linear schedule, with as little around each step as can be.

A head on cached features takes a step in a fraction of a millisecond, much of which ``torch.optim`` would
spend on bookkeeping. This calls the same fused kernel on lists made once, and lets it divide by the norm
while it reads the gradients anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim.adamw import adamw

MAX_GRADIENT_NORM = 1.0


def learning_rate_factor(step: int, total_steps: int, warmup_steps: int) -> float:
    """Return the share of the peak learning rate for a step, counted from 0.

    It rises linearly from 0 during warm-up, then falls linearly to 0 at ``total_steps``, as
    ``transformers.get_linear_schedule_with_warmup`` has it.
    """
    if step < warmup_steps:
        return step / warmup_steps
    return (total_steps - step) / (total_steps - warmup_steps)


def decays(name: str, parameter: Tensor) -> bool:
    """Say whether weight decay applies: to matrices that are no biases, so not to norms either."""
    return parameter.ndim > 1 and "bias" not in name.rpartition(".")[2]


@dataclass(frozen=True)
class _Group:
    """Parameters with the same decay, and what goes with each."""

    weight_decay: float
    parameters: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]


class AdamW:
    """Decoupled weight decay (Loshchilov and Hutter 2019), gradients clipped to a total norm of 1.

    A parameter without a gradient in the first step takes no part in the loss (XLNet has one), and is left
    alone from then on.

    Args:
        parameters: What trains, by name.
        weight_decay: For those of which ``decays`` holds.
    """

    def __init__(self, parameters: Mapping[str, Tensor], *, weight_decay: float) -> None:
        self._parameters = dict(parameters)
        self._weight_decay = weight_decay
        self._first = {name: torch.zeros_like(p.detach()) for name, p in parameters.items()}
        self._second = {name: torch.zeros_like(p.detach()) for name, p in parameters.items()}
        self._steps = {name: torch.zeros((), device=p.device) for name, p in parameters.items()}
        self._groups: list[_Group] = []

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update the parameters from their gradients, then drop the gradients."""
        groups = self._groups = self._groups or self._grouped()
        gradients = [[p.grad for p in group.parameters] for group in groups]
        norm = get_total_norm([g for of_group in gradients for g in of_group])  # type: ignore[misc]
        # The kernel divides gradients by this; it is 1 up to the norm that is allowed.
        scale = norm.div_(MAX_GRADIENT_NORM).clamp_(min=1.0)
        for group, of_group in zip(groups, gradients, strict=True):
            adamw(
                group.parameters,
                of_group,  # type: ignore[arg-type] # a parameter that had a gradient has one in every step
                group.first,
                group.second,
                [],
                group.steps,
                fused=True,
                grad_scale=scale,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=learning_rate,
                weight_decay=group.weight_decay,
                eps=1e-8,
                maximize=False,
            )
            for parameter in group.parameters:
                parameter.grad = None

    def _grouped(self) -> list[_Group]:
        """Sort the parameters that have gradients by their decay, once; a step only hands lists on."""
        used = {name: p for name, p in self._parameters.items() if p.grad is not None}
        decayed = [name for name, p in used.items() if decays(name, p)]
        exempt = [name for name, p in used.items() if not decays(name, p)]
        return [
            _Group(
                weight_decay,
                [self._parameters[name] for name in names],
                [self._first[name] for name in names],
                [self._second[name] for name in names],
                [self._steps[name] for name in names],
            )
            for weight_decay, names in ((self._weight_decay, decayed), (0.0, exempt))
            if names
        ]

    def state(self) -> dict[str, Tensor]:
        """Return the moments and step counts by name; the tensors themselves, not copies."""
        parts = {"first": self._first, "second": self._second, "steps": self._steps}
        return {f"{part}/{name}": tensor for part, of in parts.items() for name, tensor in of.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state`` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
