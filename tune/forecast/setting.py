"""The subject of a forecast: the trials of one model, its data, and the place where they would run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from goemo.configuration import Configuration
from goemo.configuration.settings import ModelSettings
from goemo.data import Splits
from goemo.frozen.output import MissingOutput
from goemo.training.prepared import Prepared
from tune import space
from tune.engine.preparation import ModelCheck
from tune.engine.resources import trials_on
from tune.forecast.work import StepShape, Work, epoch_shapes, look_work
from tune.spec import SearchSpec, configuration


@dataclass(frozen=True, eq=False)
class Setting:
    """What would run of a search with one of its models; most searches have but one.

    Attributes:
        spec: The search.
        settings: The model.
        splits: The data.
        prepared: The same, tokenized.
        missing: What the frozen encoder will compute before the first trial; None where that is nothing.
        check: Of the search's models.
        nodes: Resources of each node by Ray's names, ``CPU``, ``GPU`` and ``memory``.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``.
    """

    spec: SearchSpec
    settings: ModelSettings
    splits: Splits
    prepared: Prepared
    missing: MissingOutput | None
    check: ModelCheck
    nodes: Sequence[Mapping[str, float]]
    per_trial: Mapping[str, float]

    @cached_property
    def trials(self) -> dict[str, dict[str, Any]]:
        """What the trials of this model vary, by their ids, in the order in which they would start."""
        own = asdict(self.settings).items()
        return {
            trial_id: varied
            for trial_id, varied in drawn(self.spec).items()
            if own <= asdict(configuration(self.spec, varied)).items()
        }

    @cached_property
    def configurations(self) -> list[Configuration]:
        """The trials' configurations, in that order."""
        return [configuration(self.spec, varied) for varied in self.trials.values()]

    @property
    def at_once(self) -> int:
        """How many trials of the search run at a time."""
        return max(1, min(sum(trials_on(node, self.per_trial) for node in self.nodes), self.spec.total))

    @property
    def cpus(self) -> float:
        """CPUs of all nodes."""
        return sum(node.get("CPU", 0.0) for node in self.nodes)

    def epoch(self, configuration: Configuration) -> list[StepShape]:
        """Return the shapes of the steps of a configuration's first epoch, in their order."""
        c = configuration
        key = (c.batch_size, c.accumulation_steps, c.max_length)
        if key not in self._epochs:
            lengths = self.prepared.tokens["train"].lengths(c.max_length)
            self._epochs[key] = epoch_shapes(lengths, c, reads_vectors=self.reads_vectors(c.max_length))
        return self._epochs[key]

    @cached_property
    def _epochs(self) -> dict[tuple[int, int, int], list[StepShape]]:
        """What is known of them: trials share batch sizes and maximum lengths."""
        return {}

    def look(self, max_length: int | None = None, *, split: str = "validation") -> Work:
        """Return the work of scoring a split; with the longest maximum length where none is given."""
        longest = max_length or max(c.max_length for c in self.configurations)
        lengths = self.prepared.tokens[split].lengths(longest)
        return look_work(lengths, reads_vectors=self.reads_vectors(longest))

    def reads_vectors(self, max_length: int) -> bool:
        """Whether trials of a maximum length read one cached vector a text, and no tokens."""
        return self.settings.trainable == "head" and self.reads_output(max_length)

    def reads_output(self, max_length: int) -> bool:
        """Whether trials of a maximum length read output of the frozen encoder, there or to be computed."""
        one, prepared = self.settings, self.prepared
        if one.trainable == "all" or not prepared.checkpoint.has_weights:
            return False
        if self.missing is not None and max_length in self.missing.max_lengths:
            return True
        if one.trainable == "last_layer":
            return prepared.frozen_states(max_length) is not None
        return prepared.frozen_features(one.pooling, max_length) is not None


def drawn(spec: SearchSpec) -> dict[str, dict[str, Any]]:
    """Return what the trials of a search vary, by their ids, in the order in which they would start.

    TPE chooses from what it has learned, which nobody knows beforehand: for it, random draws stand.
    """
    if spec.search.algorithm == "tpe":
        spec = replace(spec, search=replace(spec.search, algorithm="random"))
    return dict(iter(space.suggestions(spec).ask, None))
