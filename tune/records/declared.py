"""Declarations of the JSON files of a search, against which `tune.records` checks what it reads."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    RootModel,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from goemo.configuration import Configuration, Metric
from goemo.configuration.declared import keys_of
from goemo.configuration.json_files import problems_of
from goemo.configuration.rules import one_of
from goemo.configuration.settings import Seed
from goemo.data.report import ReadReport

StopReason = Literal["completed", "stopped_early", "failed", "diverged", "out_of_memory"]
STOP_REASONS: tuple[str, ...] = get_args(StopReason)


def _trial_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError("must be a trial's id, such as t001")
    return value


TrialId = Annotated[str, AfterValidator(_trial_id)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Setting = bool | int | FiniteFloat | str | None  # one value of a configuration
Settings = dict[str, Setting | list[Setting] | dict[str, Setting]]

KEYS = keys_of(Configuration)
_RANKING = ("metric", "thresholds")
# What readers of a record reckon with; all else is only shown.
_USED = (*_RANKING, "checkpoint", "seed", "batch_size", "accumulation_steps", "epochs")


class Declared(BaseModel):
    """A file of which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Open(BaseModel):
    """A part of a file that may hold other keys too."""

    model_config = ConfigDict(extra="allow", frozen=True)


class TrialConfig(Declared):
    """``config.json``: what a trial is to train.

    Attributes:
        config: The fields of a `goemo.configuration.Configuration`.
        varied: The hyperparameters that the space varies, as asked for.
        confirms: The trial whose configuration this one repeats with another seed.
    """

    config: Settings
    varied: Settings
    confirms: TrialId | None = None

    @model_validator(mode="after")
    def _ranks(self) -> TrialConfig:
        for name in _USED:
            if name in self.config or name in _RANKING:
                try:
                    KEYS[name].check(self.config.get(name))
                except PydanticCustomError as error:
                    raise ValueError(f"config.{name}: {error}") from None
                except ValidationError as error:
                    raise ValueError(f"config.{name}: {'; '.join(problems_of(error))}") from None
        return self


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Outcome:
    """``outcome.json``: how a trial ended.

    Attributes:
        stop_reason: One of `STOP_REASONS`.
        message: One line for the user; empty for a trial that completed.
        details: A traceback, where there is one.
        ended_at: Seconds since the epoch.
    """

    stop_reason: StopReason
    message: str = ""
    details: str = ""
    ended_at: Annotated[FiniteFloat, Field(ge=0)] = 0.0


class ReportRow(RootModel[dict[str, FiniteFloat]]):
    """A line of ``history.jsonl``: ``progress`` in per cent, ``time``, ``seconds``, and metrics by name."""

    @model_validator(mode="after")
    def _complete(self) -> ReportRow:
        row = self.root
        for key in ("progress", "time", "seconds"):
            if key not in row:
                raise ValueError(f"{key}: is missing")
        if not 0 < row["progress"] <= 100:
            raise ValueError(f"progress: must be above 0 and at most 100, got {row['progress']}")
        if row["seconds"] < 0:
            raise ValueError(f"seconds: must be at least 0, got {row['seconds']}")
        for name, value in row.items():
            if name.startswith("val/") and name != "val/loss" and not -1 <= value <= 1:
                raise ValueError(f"{name}: must be from -1 to 1, got {value}")
        return self


class Leaders(Declared):
    """``leaders.json``: the best objectives so far, by trial, and how many trials keep their weights."""

    keep: NonNegativeInt
    best: dict[TrialId, FiniteFloat]


class Confirming(Declared):
    """``confirm.json``: which trials are trained again with further seeds.

    Attributes:
        top: How many leaders were asked for.
        seeds: With how many seeds each is trained, its own included.
        trials: How many trials the search had when they were chosen.
        leaders: Their ids, best first.
    """

    top: NonNegativeInt
    seeds: PositiveInt
    trials: NonNegativeInt
    leaders: list[TrialId]


class BlendMember(Declared):
    """A member of a blend, and its weight in tenths."""

    trial_id: TrialId
    tenths: Annotated[int, Field(ge=1, le=10)]


class Blended(Declared):
    """``blend.json``: whether the best models are better as one, as judged after the last trial.

    Attributes:
        candidates: The models that might be members, each with its objective: while these are the same, so is
            the rest.
        is_offered: Whether the blend's gain over the best single model excludes zero.
        members: Of the blend, whether it is offered or not; a single one where no other helps.
        best_single: The best single model.
        objective: Of the blend, on rows that chose neither members nor weights nor thresholds.
        val_macro_f1: Its macro-F1 there.
        low: Lower end of the objective's 95 % interval.
        high: Upper end.
        gain: The blend minus the best single model, on the same rows.
        gain_low: Lower end of that difference's interval.
        gain_high: Upper end.
    """

    candidates: dict[TrialId, FiniteFloat]
    is_offered: bool
    members: list[BlendMember]
    best_single: TrialId
    objective: FiniteFloat
    val_macro_f1: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    gain: FiniteFloat
    gain_low: FiniteFloat
    gain_high: FiniteFloat


class WarmTrial(Declared):
    """What TPE knows of a trial of an earlier search."""

    search: str
    trial_id: TrialId
    varied: Settings
    objective: FiniteFloat
    stop_reason: Literal["completed", "stopped_early"]
    progress: Annotated[int, Field(ge=0, le=100)]


class WarmStart(RootModel[list[WarmTrial]]):
    """``warm_start.json``."""


class SystemSample(RootModel[dict[str, FiniteFloat]]):
    """A line of ``system.jsonl``: ``step``, ``time`` and metrics by their names in MLflow."""


class SplitFacts(Open):
    """One split of the data."""

    examples: NonNegativeInt | None = None
    digest: str | None = None


class DataFacts(Open):
    """The data of a search; what else a reader of data tells of it stands beside these."""

    source: str = ""
    taxonomy: str | None = None
    labels: list[str] = []
    seed: int | None = None
    splitting: str = ""
    digest: str | None = None
    splits: dict[str, SplitFacts] = {}
    notes: list[str] = []
    report: ReadReport | None = None


Averages = dict[str, FiniteFloat | None]
Ends = tuple[FiniteFloat, FiniteFloat]  # of an interval


class Measured(Open):
    """What `goemo.evaluation.results` gives for thresholds from one place."""

    macro: Averages
    weighted: Averages
    micro: Averages
    per_label: list[dict[str, FiniteFloat | str | None]]
    macro_f1_interval: Ends | None = None
    intervals: dict[str, Ends] = {}  # records of an earlier version have none


class TestResults(Open):
    """``test_results.json``: what the chosen trial gives on the test split."""

    __test__ = False  # no test of pytest's

    trial_id: TrialId
    split: str
    examples: NonNegativeInt
    results: dict[Literal["fixed_0.5", "validation", "test_tuned"], Measured]


class _Objective(Open):
    metric: Annotated[Metric, one_of(Metric)]
    thresholds: str | dict[str, Any] = ""


class _Model(Open):
    checkpoint: str | dict[str, Any] | list[Any]
    trainable: str | dict[str, Any] | list[Any] = "all"


class _Source(Open):
    source: str
    taxonomy: str = "fine"


class Recorded(Open):
    """``search.yaml``, as far as readers of records reckon with it; `tune.spec` declares it in full."""

    model: _Model | None = None
    data: _Source | None = None
    space: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    scheduler: dict[str, Any] | None = None
    objective: _Objective | None = None
    confirm: dict[str, Any] | None = None
    seed: Seed | None = None


class Environment(Open):
    """What a search ran on, as `tune.environment.describe` tells it."""

    versions: dict[str, str] = {}
    platform: str | None = None
    processor: str | None = None
    cpus: NonNegativeInt | None = None
    gpus: list[str] = []
    git_commit: str | None = None


class Facts(Open):
    """``search.json``: what was true when the search ran; each part is absent until it is known.

    Attributes:
        data: The data and its digests.
        environment: Versions and hardware.
        started: Seconds since the epoch.
        status: ``running``, ``complete`` or ``interrupted``.
        search_id: What its runs in MLflow are found by.
        tracking_uri: The store it is logged to, without a password; None for the one under the runs folder.
        address: The Ray cluster it was started on.
        added: Losses, threshold methods and sources of other packages, with their version and digest.
        seconds: Of each phase of the command, of a search that one command has run from start to end.
    """

    data: DataFacts | None = None
    environment: Environment | None = None
    started: Annotated[FiniteFloat, Field(ge=0)] | None = None
    status: Literal["running", "complete", "interrupted"] | None = None
    search_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    tracking_uri: str | None = None
    address: str | None = None
    added: dict[str, str] = Field(default_factory=dict)
    seconds: dict[str, Annotated[FiniteFloat, Field(ge=0)]] = Field(default_factory=dict)
