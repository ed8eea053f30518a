"""The sections of a search space, each with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from goemo.configuration import Metric, MixedPrecision, Pooling, Trainable
from goemo.configuration.limits import PREFIX_LIMIT_GB
from goemo.configuration.thresholds import DEFAULT_METHOD, ThresholdChoice

Taxonomy = Literal["fine", "ekman", "sentiment"]
Algorithm = Literal["grid", "random", "tpe"]
Scheduler = Literal["asha", "median", "hyperband", "none"]
TestPolicy = Literal["chosen", "every_trial"]

TAXONOMIES: tuple[str, ...] = get_args(Taxonomy)
ALGORITHMS: tuple[str, ...] = get_args(Algorithm)
SCHEDULERS: tuple[str, ...] = get_args(Scheduler)
TEST_POLICIES: tuple[str, ...] = get_args(TestPolicy)


@dataclass(frozen=True)
class ModelSpec:
    """What trains: a checkpoint, which part of it, what the head reads, and in which arithmetic."""

    checkpoint: str
    trainable: Trainable = "all"
    pooling: Pooling = "first"
    mixed_precision: MixedPrecision = "auto"


@dataclass(frozen=True)
class DataSpec:
    """What it trains on: `sample:`, `dir:PATH`, `file:PATH` or `hub:ID`, and how labels are grouped."""

    source: str = "sample:"
    taxonomy: Taxonomy = "fine"


@dataclass(frozen=True)
class AlgorithmSpec:
    """How configurations are chosen.

    Attributes:
        algorithm: Who chooses.
        trials: How many; None for a grid, which runs all of its product.
        enqueue: Configurations that are tried first; what they leave out is drawn.
        warm_start: Searches whose trials TPE knows before it draws.
        startup_trials: How many trials with a score TPE waits for, drawing at random; None for a number that
            goes with `trials` (`SearchSpec.startup_trials`).
    """

    algorithm: Algorithm = "grid"
    trials: int | None = None
    enqueue: tuple[Mapping[str, Any], ...] = ()
    warm_start: tuple[str, ...] = ()
    startup_trials: int | None = None


@dataclass(frozen=True)
class SchedulerSpec:
    """Who stops losers, if anybody: see `tune.engine.schedulers`.

    Attributes:
        algorithm: ASHA and Hyperband have rungs at grace * reduction_factor ** k per cent.
        grace: Per cent of its training that every trial gets.
        reduction_factor: About one in this many goes on at a rung.
        brackets: How many rungs of ASHA trials begin at, from the lowest on; Hyperband uses all.
    """

    algorithm: Scheduler = "asha"
    grace: int = 20
    reduction_factor: float = 3
    brackets: int = 1


@dataclass(frozen=True)
class ObjectiveSpec:
    """What ranks, how thresholds are fitted, how often validation is measured, who sees the test split."""

    metric: Metric = "macro_f1"
    thresholds: ThresholdChoice = DEFAULT_METHOD
    reports: int = 5
    test: TestPolicy = "chosen"


@dataclass(frozen=True)
class ResourcesSpec:
    """What one trial occupies, and how many gigabytes of a frozen encoder's output are kept for all of them.

    `gpus_per_trial: auto` takes a GPU where there is any, or a share of it (`tune.engine.resources`).
    """

    cpus_per_trial: float = 1
    gpus_per_trial: float | Literal["auto"] = "auto"
    prefix_limit_gb: float = PREFIX_LIMIT_GB


@dataclass(frozen=True)
class ConfirmSpec:
    """How many leaders are trained again with further seeds, and how many each then has, its own included.

    A file without this section has a `top` of 0: nothing is trained again.
    """

    top: int = 3
    seeds: int = 5

    def most_trials(self, of: int) -> int:
        """Return how many trials that makes at most, in a search of so many: each may be a leader."""
        return min(self.top, of) * (self.seeds - 1)


SECTIONS: dict[str, Any] = {
    "model": ModelSpec,
    "data": DataSpec,
    "search": AlgorithmSpec,
    "scheduler": SchedulerSpec,
    "objective": ObjectiveSpec,
    "resources": ResourcesSpec,
    "confirm": ConfirmSpec,
}


def report_progress(reports: int) -> tuple[int, ...]:
    """Return the per cents of a training at which it reports: ``reports`` equal steps, halves rounded up."""
    return tuple((200 * k + reports) // (2 * reports) for k in range(1, reports + 1))
