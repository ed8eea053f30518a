"""The engine's shortcuts behind one interface: faster code with a plain model's results.

A training asks for the twin of a model (`fast_twin`) and learns which shortcuts stepped aside; what only
looks asks for a copy that reads faster on a CPU (`faster_on_cpu`). Names of ``torch`` and ``transformers``
that are not public are asked for in this room alone, inside functions, each with a public way that does the
same.
"""

from goemo.fast.cpu import faster_on_cpu
from goemo.fast.reduced_vocabulary import reduce_vocabulary
from goemo.fast.shortcuts import SHORTCUTS, training_view
from goemo.fast.twin import FastTwin, fast_twin

__all__ = ["SHORTCUTS", "FastTwin", "fast_twin", "faster_on_cpu", "reduce_vocabulary", "training_view"]
