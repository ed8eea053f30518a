"""AdamW with clipped gradients, with as little overhead per step as possible.

A head on cached features takes a step in about a millisecond, much of which the classes of ``torch.optim``
would spend on bookkeeping. This calls their functions, on lists made once, and lets the fused one of AdamW
divide by the norm while it reads the gradients anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim.adamw import adamw


def decays(name: str, parameter: Tensor) -> bool:
    """Say whether weight decay applies: to matrices that are no biases, so not to norms either."""
    return parameter.ndim > 1 and "bias" not in name.rpartition(".")[2]


@dataclass(frozen=True)
class _Group:
    """Parameters with the same decay and learning rate, and what goes with each."""

    weight_decay: float
    scale: float
    names: list[str]
    parameters: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]


class AdamW:
    """Decoupled weight decay (Loshchilov and Hutter 2019), gradients clipped to a total norm.

    A parameter without a gradient is left alone in that step, as ``torch.optim`` does: it takes no part in
    the loss (XLNet has one), or its layer was skipped (``layerdrop``).

    Args:
        parameters: What trains, by name.
        weight_decay: For those of which ``decays`` holds.
        betas: Decay of the mean of the gradients and of their squares.
        max_norm: Total norm to which gradients are clipped; 0 for no clipping.
        scales: By name, what the learning rate of a parameter is multiplied by; 1 where it is not given.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        max_norm: float = 1.0,
        scales: Mapping[str, float] | None = None,
    ) -> None:
        self._parameters = dict(parameters)
        self._weight_decay, self._betas, self._max_norm = weight_decay, betas, max_norm
        self._scales = dict(scales or {})
        self._first = {name: torch.zeros_like(p.detach()) for name, p in parameters.items()}
        self._second = {name: torch.zeros_like(p.detach()) for name, p in parameters.items()}
        self._steps = {name: torch.zeros((), device=p.device) for name, p in parameters.items()}
        self._groups: list[_Group] = []
        self._have: tuple[bool, ...] = ()  # which parameters had gradients when the groups were made
        self._scattered: dict[
            str, tuple[Tensor, Tensor]
        ] = {}  # sparse gradients as dense ones, and their rows

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Update the parameters from their gradients, then drop the gradients.

        Args:
            learning_rate: A number, or on a GPU a tensor of one, whose value is then read on the device.
        """
        groups = self._grouped()
        found = [[self._gradient(name) for name in group.names] for group in groups]
        # The kernel divides gradients by this; it is 1 up to the norm that is allowed.
        scale = None
        if self._max_norm:
            norm = get_total_norm([numbers for of_group in found for _, numbers in of_group])
            scale = norm.div_(self._max_norm).clamp_(min=1.0)
        for group, of_group in zip(groups, found, strict=True):
            adamw(
                group.parameters,
                [gradient for gradient, _ in of_group],
                group.first,
                group.second,
                [],
                group.steps,
                fused=True,
                grad_scale=scale,
                lr=learning_rate if group.scale == 1 else learning_rate * group.scale,
                beta1=self._betas[0],
                beta2=self._betas[1],
                weight_decay=group.weight_decay,
                eps=1e-8,
                amsgrad=False,
                maximize=False,
            )
            for parameter in group.parameters:
                parameter.grad = None

    def drop_gradients(self) -> None:
        """Forget the gradients, of a step that is not taken."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def _gradient(self, name: str) -> tuple[Tensor, Tensor]:
        """Return a parameter's gradient as the kernel wants it, and the numbers of it that may differ from 0.

        A sparse one is laid into zeros that are kept from step to step: making and filling new ones for all
        rows of an embedding takes longer than all else that is done with it.
        """
        gradient: Any = self._parameters[name].grad
        if not gradient.is_sparse:
            return gradient, gradient
        gradient = gradient.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
        if name in self._scattered:
            dense, rows_before = self._scattered[name]
            dense.index_fill_(0, rows_before, 0.0)
        else:
            dense = torch.zeros_like(self._parameters[name])
        dense.index_copy_(0, rows, values)
        self._scattered[name] = (dense, rows)
        return dense, values

    def _grouped(self) -> list[_Group]:
        """Sort the parameters that have gradients by decay and learning rate; anew only when others have."""
        have = tuple([parameter.grad is not None for parameter in self._parameters.values()])
        if have != self._have:
            self._have, self._groups = have, self._sorted()
        return self._groups

    def _sorted(self) -> list[_Group]:
        names: dict[tuple[float, float], list[str]] = {}
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                weight_decay = self._weight_decay if decays(name, parameter) else 0.0
                names.setdefault((weight_decay, self._scales.get(name, 1.0)), []).append(name)
        return [
            _Group(
                weight_decay,
                scale,
                of_group,
                [self._parameters[name] for name in of_group],
                [self._first[name] for name in of_group],
                [self._second[name] for name in of_group],
                [self._steps[name] for name in of_group],
            )
            for (weight_decay, scale), of_group in names.items()
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
