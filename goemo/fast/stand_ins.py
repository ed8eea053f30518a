"""Modules put in the place of others that compute the same for more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import FastGELUActivation, NewGELUActivation


def replace_modules(
    module: nn.Module, kind: type[nn.Module], stand_in: Callable[[Any], nn.Module | None]
) -> None:
    """Put stand-ins, in the same mode, in the place of all modules of one class.

    Args:
        module: Whose children, and theirs, are replaced.
        kind: Exactly this class: others that inherit from it are called in ways of their own.
        stand_in: Makes one; None leaves the module where it is.
    """
    for name, child in module.named_children():
        if type(child) is kind:
            made = stand_in(child)
            if made is not None:
                setattr(module, name, made.train(child.training))
        else:
            replace_modules(child, kind, stand_in)


def fuse_gelu(module: nn.Module) -> None:
    """Compute the GELU of ALBERT and others, with its tanh, in one operation in place of eight.

    ``transformers`` writes out ``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))``, which reads and writes
    the widest activations of an encoder eight times, and more often backwards. ``torch`` has it fused.
    """
    for kind in (NewGELUActivation, FastGELUActivation):
        replace_modules(module, kind, lambda _: nn.GELU(approximate="tanh"))


def keep_relative_positions(model: Any) -> None:
    """Let DeBERTa v2 and v3 work out the distances of positions once a width, and not in every step.

    They do it with constants that they copy from the host: a step that does so waits for the GPU, and cannot
    be recorded as a CUDA graph.
    """
    if model.config.model_type == "deberta-v2":
        for module in model.modules():
            if hasattr(module, "get_rel_pos"):
                module.get_rel_pos = _KeptPositions(module.get_rel_pos)


class _KeptPositions:
    """Stands for ``DebertaV2Encoder.get_rel_pos``; its results depend on the width and the device alone."""

    def __init__(self, compute: Callable[..., Any]) -> None:
        self._compute = compute
        self._kept: dict[tuple[Any, ...], Tensor | None] = {}

    def __call__(self, hidden: Tensor, query: Tensor | None = None, given: Tensor | None = None) -> Any:
        if query is not None or given is not None:
            return self._compute(hidden, query, given)
        key = (hidden.shape[-2], hidden.device)
        if key not in self._kept:
            with torch.inference_mode(
                mode=False
            ):  # else what a prediction has kept is of no use to a training
                self._kept[key] = self._compute(hidden)
        return self._kept[key]
