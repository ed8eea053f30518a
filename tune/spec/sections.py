"""The sections of a search space: each key once, with its rule, default and meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from goemo.configuration.data import DataOptions
from goemo.configuration.declared import declared, meaning
from goemo.configuration.limits import PREFIX_LIMIT_GB
from goemo.configuration.rules import Boolean, FunctionRule, Number, Text, all_broken, broken, one_of, whole
from goemo.configuration.settings import Measuring, ModelSettings
from goemo.configuration.wording import show
from tune.spec.domain import Domain
from tune.spec.searchable import MODEL_KEYS, SEARCHABLE, FoundProblems, Searchable, configurations

Taxonomy = Literal["fine", "ekman", "sentiment"]
Algorithm = Literal["grid", "random", "tpe"]
Scheduler = Literal["asha", "median", "hyperband", "none"]
TestPolicy = Literal["chosen", "every_trial"]

TAXONOMIES: tuple[str, ...] = get_args(Taxonomy)

MOST_TRIALS = 100_000  # a search of more would take years, and is a slip

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def folder_name(value: Any) -> str:
    """Return a name that is safe as the name of a folder."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or ".." in value or len(value) > 100:
        raise broken(
            "must be up to 100 letters, digits and - _ . that start with a letter or digit, without '..', "
            f"because it names a folder, got {show(value)}"
        )
    return value


def _search_names(value: Any) -> tuple[str, ...]:
    """Return names of searches, which differ."""
    if not isinstance(value, list | tuple):
        raise broken(f"must be a list of names of searches, got {show(value)}")
    problems: FoundProblems = []
    for index, name in enumerate(value):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(((index,), f"must be the name of a search, got {show(name)}"))
        elif name in value[:index]:
            problems.append(((index,), f"given twice: {name}"))
    if problems:
        raise all_broken(problems, value)
    return tuple(value)


FOLDER_NAME = FunctionRule(
    "letters, digits, `-`, `_`, `.`; at most 100",
    folder_name,
    {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 100},
)
_NAMES = FunctionRule(
    "list of names of searches", _search_names, {"type": "array", "items": FOLDER_NAME.json_schema()}
)
_ENQUEUED = FunctionRule(
    "list of configurations",
    configurations,
    {
        "type": "array",
        "items": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {name: key.rule.json_schema() for name, key in SEARCHABLE.items() if key.rule},
        },
    },
)


def _searchable(cls: type[ModelSettings]) -> type[ModelSettings]:
    """Let the keys of the model that may be searched have a domain; nothing else of them changes."""
    cls.__annotations__ = {
        name: Annotated[Any, Searchable(key), meaning(key.meaning)] for name, key in MODEL_KEYS.items()
    }
    for name, key in MODEL_KEYS.items():
        if key.has_default:
            setattr(cls, name, key.default)
    return cls


@declared
@_searchable
class ModelSpec(ModelSettings):
    """What trains: each of `MODEL_KEYS` is a plain value, or a `Domain` where the search chooses it."""

    @property
    def choices(self) -> dict[str, Domain]:
        """What the search chooses of the model."""
        return {name: value for name in MODEL_KEYS if isinstance(value := getattr(self, name), Domain)}

    @property
    def words(self) -> str:
        """Which encoder, and what of it trains: ``roberta-base (all)``, ``one of a, b (all)``."""
        return f"{one_or_several(self.checkpoint)} ({one_or_several(self.trainable)})"


def one_or_several(value: Any, shown: Callable[[str], str] = str) -> str:
    """Return a plain value, or the values that it is chosen from, each as it is to be shown."""
    plain = value.to_yaml() if isinstance(value, Domain) else value
    cases = plain if isinstance(plain, list) else [plain]
    listed = [v for case in cases for v in (next(iter(case.values())) if isinstance(case, dict) else [case])]
    words = [shown(str(one)) for one in dict.fromkeys(listed)]
    return f"one of {', '.join(words)}" if len(words) > 1 else "".join(words)


@declared
class _Source:
    """What it trains on, and how labels are grouped."""

    source: Annotated[
        str,
        Text(),
        meaning(
            "`sample:`, `sample:ROWS`, `dir:PATH`, `file:PATH`, `hub:ID` or `hub:ID:CONFIGURATION`; "
            "`--data` wins"
        ),
    ] = "sample:"
    taxonomy: Annotated[
        Taxonomy,
        one_of(Taxonomy),
        meaning("`fine` keeps the labels; the others group the 28 of GoEmotions into 7 or 4"),
    ] = "fine"


@declared
class DataSpec(DataOptions, _Source):
    """What it trains on, how labels are grouped, and how the source is read."""


@declared
class AlgorithmSpec:
    """How configurations are chosen."""

    algorithm: Annotated[Algorithm, one_of(Algorithm), meaning("how configurations are chosen")] = "grid"
    trials: Annotated[
        Annotated[int, whole(1, most=MOST_TRIALS)] | None,
        meaning("how many trials; required for `random` and `tpe`, refused for `grid`"),
    ] = None
    enqueue: Annotated[
        tuple[Mapping[str, Any], ...], _ENQUEUED, meaning("configurations to try first, see below")
    ] = ()
    warm_start: Annotated[
        tuple[str, ...],
        _NAMES,
        meaning("earlier searches whose trials `tpe` learns from before it draws, see below"),
    ] = ()
    startup_trials: Annotated[
        Annotated[int, whole(1, most=MOST_TRIALS)] | None,
        meaning(
            "trials with a score that `tpe` waits for, drawing at random until then; by default a third of "
            "`trials`, at least 4 and at most 10"
        ),
    ] = None


@declared
class SchedulerSpec:
    """Who stops losers, if anybody: see `tune.engine.schedulers`."""

    algorithm: Annotated[Scheduler, one_of(Scheduler), meaning("which trials are stopped early")] = "asha"
    grace: Annotated[
        int,
        whole(1, 100),
        meaning("per cent of its training that every trial gets; must coincide with a report"),
    ] = 20
    reduction_factor: Annotated[
        float,
        Number(low=1.1, most=100),
        meaning("about one in this many continues at each rung; not for `median`"),
    ] = 3
    brackets: Annotated[
        int,
        whole(1, most=100),
        meaning("how many different first rungs ASHA spreads trials over; for `asha` only"),
    ] = 1
    keep_ties: Annotated[
        bool,
        Boolean(),
        meaning(
            "whether a trial that is statistically tied with the best of its rung continues, from the middle "
            "of its training; for `asha` and `hyperband`"
        ),
    ] = True

    @property
    def spares_ties(self) -> bool:
        """Whether predictions are needed to judge who goes on."""
        return self.keep_ties and self.algorithm in {"asha", "hyperband"}


@declared
class ObjectiveSpec(Measuring):
    """What ranks, how thresholds are fitted, how often validation is measured, who sees the test split."""

    test: Annotated[
        TestPolicy,
        one_of(TestPolicy),
        meaning("what is tested: the best trial at the end, or every trial; the test split never ranks"),
    ] = "chosen"


@declared
class ResourcesSpec:
    """What one trial occupies, and how much of a frozen encoder's output is kept for all of them."""

    cpus_per_trial: Annotated[
        float,
        Number(above=0, least=0.01, most=4_096, is_share=True),
        meaning("CPU cores, and threads, per trial; a whole number if above 1"),
    ] = 1
    gpus_per_trial: Annotated[
        float | Literal["auto"],
        Number(low=0, least=0.01, most=64, is_share=True, word="auto"),
        meaning(
            "`auto` is a GPU if there is one, shared by as many trials (up to four) as fit by the estimated "
            "memory of the largest, else none; 0.5 puts two trials on a GPU. No trial gets more than its "
            "share of the memory"
        ),
    ] = "auto"
    prefix_limit_gb: Annotated[
        float,
        Number(low=0, most=1_000_000),
        meaning(
            "most gigabytes of frozen encoder output to keep on disk for all trials; if more is needed, "
            "every trial computes it in every step"
        ),
    ] = PREFIX_LIMIT_GB


@declared
class ConfirmSpec:
    """How many leaders are trained again with further seeds, and how many each then has, its own included.

    A file without this section has a `top` of 0: nothing is trained again.
    """

    top: Annotated[
        int,
        whole(0, most=1_000),
        meaning(
            "how many leaders are trained again once the search has ended; 0, as without the section, for "
            "none"
        ),
    ] = 3
    seeds: Annotated[
        int,
        whole(2, most=1_000),
        meaning("how many seeds each of them then has, including its own"),
    ] = 5

    def most_trials(self, of: int) -> int:
        """Return how many trials that makes at most, in a search of so many: each may be a leader."""
        return min(self.top, of) * (self.seeds - 1)


def report_progress(reports: int) -> tuple[int, ...]:
    """Return the per cents of a training at which it reports: ``reports`` equal steps, halves rounded up."""
    return tuple((200 * k + reports) // (2 * reports) for k in range(1, reports + 1))
