"""The frozen encoder's output, computed once and shared by all trials of a search.

What lies before the part that trains is the same in every step of every trial. It is computed here once for
each distinct sequence of tokens, without dropout, and kept in files that all processes map into memory: a
text that fits the shorter of two maximum lengths has one output for both.
"""

from goemo.frozen.features import FrozenFeatures
from goemo.frozen.sequences import Sequences, number_sequences
from goemo.frozen.states import FrozenStates
from goemo.frozen.stored import FrozenOutput, covered_lengths, output_folders

__all__ = [
    "FrozenFeatures",
    "FrozenOutput",
    "FrozenStates",
    "Sequences",
    "covered_lengths",
    "number_sequences",
    "output_folders",
]
