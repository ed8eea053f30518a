"""Modules that replace others and compute the same at lower cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
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
