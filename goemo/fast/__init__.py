"""The engine's shortcuts behind one door: code that gives a plain model's results faster."""

from goemo.fast.cut_vocabulary import cut_vocabulary
from goemo.fast.training_view import training_view

__all__ = ["cut_vocabulary", "training_view"]
