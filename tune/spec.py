"""A search space file, read and checked whole: YAML in, `SearchSpec` out, every problem at once.

Nothing heavy is imported here, because `goemo --help` and `goemo spaces` read this file.
"""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast

import yaml

from goemo.configuration import (
    HYPERPARAMETER_DEFAULTS,
    METRICS,
    POOLING,
    THRESHOLD_METHODS,
    TRAINABLE,
    Configuration,
    Metric,
    Pooling,
    ThresholdMethod,
    Trainable,
)
from goemo.errors import InputError

KeyPath = tuple[Any, ...]  # keys from the top of the file down; an int is a place in a list
DomainKind = Literal["value", "grid", "choice", "uniform", "log_uniform", "int"]

DOMAIN_KINDS = ("grid", "choice", "uniform", "log_uniform", "int")
LISTED_KINDS = ("value", "grid", "choice")
ALGORITHMS = ("grid", "random", "tpe")
SCHEDULERS = ("asha", "none")
TAXONOMIES = ("fine", "ekman", "sentiment")
TEST_POLICIES = ("chosen", "every_trial")


# --- What a search space says --------------------------------------------------------------------


@dataclass(frozen=True)
class Domain:
    """The values that one hyperparameter may take.

    `grid` and `choice` list their values; the two mean the same to every algorithm: a grid search
    takes their product, random and TPE choose from the list. `uniform`, `log_uniform` and `int` are
    ranges with both ends included. `value` is a plain value, which does not vary.

    Attributes:
        kind: How `values` is meant.
        values: The list, or the two ends of the range, or the one value.
    """

    kind: DomainKind
    values: tuple[int | float | str, ...]

    @property
    def is_listed(self) -> bool:
        """Whether `values` is the whole domain."""
        return self.kind in LISTED_KINDS

    @property
    def is_constant(self) -> bool:
        """Whether there is only one value to take."""
        return len(set(self.values)) == 1

    def to_yaml(self) -> Any:
        """Return the domain as it is written in a search space."""
        return self.values[0] if self.kind == "value" else {self.kind: list(self.values)}


@dataclass(frozen=True)
class ModelSpec:
    """What trains: a checkpoint, which part of it, and what the head reads (first token or mean)."""

    checkpoint: str
    trainable: Trainable = "all"
    pooling: Pooling = "first"


@dataclass(frozen=True)
class DataSpec:
    """What it trains on: `sample:`, `dir:PATH`, `file:PATH` or `hub:ID`, and how labels are grouped."""

    source: str = "sample:"
    taxonomy: Literal["fine", "ekman", "sentiment"] = "fine"


@dataclass(frozen=True)
class AlgorithmSpec:
    """How configurations are chosen; `trials` is None for a grid, which runs all of its product."""

    algorithm: Literal["grid", "random", "tpe"] = "grid"
    trials: int | None = None


@dataclass(frozen=True)
class SchedulerSpec:
    """Who stops losers: ASHA with rungs at grace * reduction_factor ** k per cent, or nobody."""

    algorithm: Literal["asha", "none"] = "asha"
    grace: int = 20
    reduction_factor: float = 3


@dataclass(frozen=True)
class ObjectiveSpec:
    """What ranks, how thresholds are fitted, how often validation is measured, who sees the test split."""

    metric: Metric = "macro_f1"
    thresholds: ThresholdMethod = "exact"
    reports: int = 5
    test: Literal["chosen", "every_trial"] = "chosen"


@dataclass(frozen=True)
class ResourcesSpec:
    """What one trial occupies; `auto` takes one whole GPU where there is any."""

    cpus_per_trial: float = 1
    gpus_per_trial: float | Literal["auto"] = "auto"


@dataclass(frozen=True)
class SearchSpec:
    """One search, with every default filled in.

    Attributes:
        name: The search's name in its store; safe as the name of a folder.
        model: What trains.
        data: What it trains on.
        space: Hyperparameter to domain, in the order of the file: the last varies fastest in a grid.
        search: How configurations are chosen.
        scheduler: Who stops losers.
        objective: What ranks.
        resources: What one trial occupies.
        seed: Seeds the order of a grid, the draws of random and TPE, and every training.
        keep_models: How many leaders keep their weights.
        checkpoint_every_s: Seconds of training between two checkpoints of a trial.
        text: The file as given, without the overrides; not part of equality.
    """

    name: str
    model: ModelSpec
    data: DataSpec
    space: Mapping[str, Domain]
    search: AlgorithmSpec
    scheduler: SchedulerSpec
    objective: ObjectiveSpec
    resources: ResourcesSpec
    seed: int = 42
    keep_models: int = 1
    checkpoint_every_s: float = 300
    text: str = field(default="", compare=False, repr=False)

    @property
    def varying(self) -> dict[str, Domain]:
        """The domains with more than one value, in the order of the file."""
        return {name: domain for name, domain in self.space.items() if not domain.is_constant}

    @property
    def total(self) -> int:
        """How many trials the search has."""
        if self.search.trials is not None:
            return self.search.trials
        return math.prod(len(domain.values) for domain in self.varying.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values in the layout of the file, defaults included; `from_dict` takes them back."""
        values: dict[str, Any] = {"name": self.name, "model": asdict(self.model), "data": asdict(self.data)}
        values["space"] = {name: domain.to_yaml() for name, domain in self.space.items()}
        values["search"] = {k: v for k, v in asdict(self.search).items() if v is not None}
        for section in ("scheduler", "objective", "resources"):
            values[section] = asdict(getattr(self, section))
        return values | {key: getattr(self, key) for key in ("seed", "keep_models", "checkpoint_every_s")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, text: str | None = None) -> SearchSpec:
        """Check plain values in the layout of the file.

        Args:
            values: What `yaml.safe_load` gives for a search space, or `to_dict`.
            text: The file that they came from; by default, the values as YAML.

        Raises:
            InputError: Something is wrong; the message has all of it.
        """
        if text is None:
            text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
        problems = _Problems()
        spec = _build(dict(values), problems, text=text, default_name=None)
        problems.raise_if_any("search space")
        return cast("SearchSpec", spec)


def configuration(spec: SearchSpec, varied: Mapping[str, Any]) -> Configuration:
    """Return the configuration of one trial.

    Hyperparameters come from ``varied``, else from the constant domains of the space, else from
    `goemo.configuration.HYPERPARAMETER_DEFAULTS`. Whole-number hyperparameters are made ``int``,
    the others ``float``.

    Raises:
        ValueError: The keys of ``varied`` are not those that the space varies.
    """
    if set(varied) != set(spec.varying):
        raise ValueError(f"the space varies {sorted(spec.varying)}, got values for {sorted(varied)}")
    constant = {name: domain.values[0] for name, domain in spec.space.items() if domain.is_constant}
    values = {**HYPERPARAMETER_DEFAULTS, **constant, **varied}
    return Configuration.from_dict(
        {
            **asdict(spec.model),
            **{name: HYPERPARAMETERS[name].type(value) for name, value in values.items()},
            "seed": spec.seed,
            "reports": spec.objective.reports,
            "metric": spec.objective.metric,
            "thresholds": spec.objective.thresholds,
        }
    )


def report_progress(reports: int) -> tuple[int, ...]:
    """Return the per cents of a training at which it reports: ``reports`` equal steps, halves rounded up."""
    return tuple((200 * k + reports) // (2 * reports) for k in range(1, reports + 1))


# --- Finding and reading files -------------------------------------------------------------------


def shipped_spaces() -> list[Path]:
    """Return the search spaces that come with the project, by name.

    An installed wheel carries them in ``tune/search_spaces``; a checkout has them in ``search_spaces``,
    beside ``tune``.
    """
    here = Path(__file__).resolve().parent
    found: dict[str, Path] = {}
    for folder in (here / "search_spaces", here.parent / "search_spaces"):
        for path in folder.glob("*.yaml"):
            found.setdefault(path.stem, path)
    return [found[stem] for stem in sorted(found)]


def load_spec(
    space: str, *, overrides: Sequence[str] = (), data: str | None = None, name: str | None = None
) -> SearchSpec:
    """Read a search space and check all of it.

    Numbers such as ``2e-5``, which YAML 1.1 takes for text, are read as numbers.

    Args:
        space: A file, or the name of a shipped space with or without ``.yaml``.
        overrides: ``KEY=VALUE`` with a dotted key and a YAML value, the last of equals wins.
        data: Replaces ``data.source``.
        name: Replaces ``name``, which by default is the file's name without its ending.

    Raises:
        InputError: There is no such file, or something is wrong in it; the message has all of it.
    """
    path = _find(space)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), [f"must be UTF-8 text: {error.reason} at byte {error.start}"]) from None
    except OSError as error:
        raise InputError(str(path), [f"cannot be read: {error.strerror}"]) from None
    problems = _Problems()
    values = _parse(text, path, problems)
    for override in overrides:
        _override(values, override, problems)
    for option, key, value in (("--data", ("data", "source"), data), ("--name", ("name",), name)):
        if value is not None:
            _place(values, key, value)
            problems.origins[key] = f"{option} {value}"
    spec = _build(values, problems, text=text, default_name=path.stem)
    problems.raise_if_any(str(path))
    return cast("SearchSpec", spec)


def _find(space: str) -> Path:
    path = Path(space)
    if path.is_file():
        return path
    shipped = {p.stem: p for p in shipped_spaces()}
    wanted = space.removesuffix(".yaml")
    if wanted in shipped:
        return shipped[wanted]
    if path.is_dir():
        raise InputError(space, ["is a folder; give a search space file in it"])
    nearest = difflib.get_close_matches(Path(wanted).name, shipped, n=1)
    hint = f"did you mean {nearest[0]}? There are: " if nearest else "there are: "
    raise InputError(space, [f"no such file or shipped search space; {hint}{', '.join(shipped) or 'none'}"])


def _parse(text: str, path: Path, problems: _Problems) -> dict[str, Any]:
    """Return the top-level mapping; fill in the lines of all keys and the problem of each doubled one."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" (line {mark.line + 1})" if mark else ""
        raise InputError(str(path), [f"not valid YAML: {error.problem or error.context}{line}"]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(str(path), [f"not valid YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(values, dict):
        raise InputError(str(path), [f"must be a mapping with model, data, space, ..., got {_show(values)}"])
    _walk(node, (), problems, seen=set())
    return values


def _walk(node: yaml.Node | None, path: KeyPath, problems: _Problems, *, seen: set[int]) -> None:
    if node is None or id(node) in seen:  # an anchor that contains itself
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            problems.lines[(*path, index)] = item.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        here, line = (*path, key.value), key.start_mark.line + 1
        if here in problems.lines:
            problems.add(here, f"given twice, in lines {problems.lines[here]} and {line}", show_line=False)
        else:
            problems.lines[here] = line
        _walk(value, here, problems, seen=seen)


def _override(values: dict[str, Any], override: str, problems: _Problems) -> None:
    origin = f"--set {override}"
    key, equals, given = override.partition("=")
    key = key.strip()
    if not equals or not key:
        problems.lost.append((origin, "must be KEY=VALUE, such as space.epochs=3"))
        return
    path: KeyPath = tuple(key.split("."))
    if not _is_known(path):
        problems.lost.append((origin, f"unknown key{_nearest_dotted(path)}"))
        return
    try:
        value = yaml.safe_load(given)
    except (yaml.YAMLError, ValueError, RecursionError):
        problems.lost.append((origin, f"the value must be YAML, got {given!r}"))
        return
    if len(path) == 3:  # one kind of domain takes the place of another
        *head, kind = path
        path, value = tuple(head), {kind: value}
    _place(values, path, value)
    for older in [p for p in problems.origins if p[: len(path)] == path]:
        del problems.origins[older]
    problems.origins[path] = origin


def _place(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        values[part] = _section(values, part)
        if not isinstance(values[part], dict):
            values[part] = {}
        values = values[part]
    values[path[-1]] = value


def _section(values: Mapping[str, Any], section: str) -> Any:
    """Return what stands for a section; ``search`` and ``scheduler`` may be a bare algorithm."""
    given = values.get(section, {})
    return {"algorithm": given} if section in BARE_ALGORITHM and isinstance(given, str) else given


def _is_known(path: KeyPath) -> bool:
    match path:
        case (top,):
            return top in TOP_LEVEL
        case ("space", name):
            return name in HYPERPARAMETERS
        case ("space", name, kind):
            return name in HYPERPARAMETERS and kind in DOMAIN_KINDS
        case (section, key):
            return key in RULES.get(section, ())
    return False


def _dotted_keys() -> list[str]:
    sections = [f"{section}.{key}" for section, rules in RULES.items() if section for key in rules]
    return [*TOP_LEVEL, *sections, *(f"space.{name}" for name in HYPERPARAMETERS)]


def _nearest_dotted(path: KeyPath) -> str:
    """Return the end of a message: the dotted key that was probably meant."""
    known = _dotted_keys()
    wanted = ".".join(str(part) for part in path)
    same_end = [key for key in known if key.rsplit(".", 1)[-1] == path[-1]]
    nearest = same_end[:1] or difflib.get_close_matches(wanted, known, n=1)
    if nearest:
        return f"; did you mean {nearest[0]}?"
    return f"; known are: {', '.join(known)}"


# --- Problems --------------------------------------------------------------------------------------


class _WrongError(Exception):
    """One value breaks a rule; the message states the rule and the value."""


class _Problems:
    """Gathers what is wrong, and where each value came from.

    Attributes:
        lines: Line in the file, by path.
        origins: The command-line option that set a path.
        found: (path, message, whether to show the line).
        lost: (option, message) of options that point nowhere.
    """

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.origins: dict[KeyPath, str] = {}
        self.found: list[tuple[KeyPath, str, bool]] = []
        self.lost: list[tuple[str, str]] = []

    def add(self, path: KeyPath, message: str, *, show_line: bool = True) -> None:
        self.found.append((path, message, show_line))

    def raise_if_any(self, where: str) -> None:
        """Raise `InputError` with everything; about the option itself when options alone are wrong."""
        named = [self._named(*problem) for problem in self.found] + list(self.lost)
        if not named:
            return
        if any(option is None for option, _ in named):
            raise InputError(
                where, [text if option is None else f"{option}: {text}" for option, text in named]
            )
        if len(named) == 1:
            raise InputError(str(named[0][0]), [named[0][1]])
        raise InputError("command line", [f"{option}: {text}" for option, text in named])

    def _named(self, path: KeyPath, message: str, show_line: bool) -> tuple[str | None, str]:
        for length in range(len(path), 0, -1):
            if origin := self.origins.get(path[:length]):
                return origin, message if length == len(path) else f"{_dotted(path)}: {message}"
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        end = f" (line {line})" if show_line and line is not None else ""
        return None, f"{_dotted(path)}: {message}{end}"


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlist = _REPR.maxdict = 8


def _show(value: Any) -> str:
    """Return a value as the user would recognise it, never long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return _REPR.repr(value)


# --- Rules -----------------------------------------------------------------------------------------

Rule = Callable[[Any], Any]

# What YAML 1.1 takes for text although every reader sees a number: no point, or no sign in the exponent.
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _as_number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def _whole(low: int, high: int | None = None) -> Rule:
    rule = f"must be a whole number {f'of at least {low}' if high is None else f'from {low} to {high}'}"

    def check(value: Any) -> int:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or value < low or (high is not None and value > high):
            raise _WrongError(f"{rule}, got {_show(value)}")
        return int(value)

    return check


def _number(*, above: float | None = None, low: float = -math.inf, high: float = math.inf) -> Rule:
    if above is not None:
        rule = f"must be a number above {above:g}"
    elif high < math.inf:
        rule = f"must be a number from {low:g} to {high:g}"
    else:
        rule = f"must be a number of at least {low:g}"

    def check(value: Any) -> int | float:
        number = _as_number(value)
        is_number = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        if not is_number or not low <= number <= high or (above is not None and number <= above):
            raise _WrongError(f"{rule}, got {_show(value)}")
        return cast("int | float", number)

    return check


def _share(*, above: float | None = None, low: float = 0.0) -> Rule:
    is_number = _number(above=above, low=low)

    def check(value: Any) -> int | float:
        number: int | float = is_number(value)
        if number > 1 and number != int(number):
            raise _WrongError(f"must be a whole number where it is above 1, got {_show(value)}")
        return number

    return check


def _gpus(value: Any) -> int | float | str:
    if value == "auto":
        return "auto"
    try:
        return cast("int | float", _share()(value))
    except _WrongError as error:
        raise _WrongError(str(error).replace("must be", 'must be "auto" or', 1)) from None


def _trials(value: Any) -> int | None:
    return None if value is None else cast("int", _whole(1)(value))


def _one_of(*names: str) -> Rule:
    def check(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        nearest = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise _WrongError(f"must be one of {', '.join(names)}, got {_show(value)}{hint}")

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _WrongError(f"must be text, got {_show(value)}")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or ".." in value or len(value) > 100:
        raise _WrongError(
            "must be up to 100 letters, digits and - _ . that start with a letter or digit, without '..', "
            f"because it names a folder, got {_show(value)}"
        )
    return value


@dataclass(frozen=True)
class Hyperparameter:
    """What a space may vary: the type of its values and the rule for each."""

    type: type[int | float]
    rule: Rule


HYPERPARAMETERS: dict[str, Hyperparameter] = {
    "batch_size": Hyperparameter(int, _whole(1)),
    "learning_rate": Hyperparameter(float, _number(above=0)),
    "epochs": Hyperparameter(int, _whole(1)),
    "max_length": Hyperparameter(int, _whole(4)),
    "weight_decay": Hyperparameter(float, _number(low=0)),
    "warmup_fraction": Hyperparameter(float, _number(low=0, high=1)),
}

SECTIONS: dict[str, Any] = {
    "model": ModelSpec,
    "data": DataSpec,
    "search": AlgorithmSpec,
    "scheduler": SchedulerSpec,
    "objective": ObjectiveSpec,
    "resources": ResourcesSpec,
}

# Section to key to rule; the empty section is the top level.
RULES: dict[str, dict[str, Rule]] = {
    "": {
        "name": _name,
        "seed": _whole(0),
        "keep_models": _whole(0),
        "checkpoint_every_s": _number(above=0),
    },
    "model": {"checkpoint": _text, "trainable": _one_of(*TRAINABLE), "pooling": _one_of(*POOLING)},
    "data": {"source": _text, "taxonomy": _one_of(*TAXONOMIES)},
    "search": {"algorithm": _one_of(*ALGORITHMS), "trials": _trials},
    "scheduler": {
        "algorithm": _one_of(*SCHEDULERS),
        "grace": _whole(1, 100),
        "reduction_factor": _number(above=1),
    },
    "objective": {
        "metric": _one_of(*METRICS),
        "thresholds": _one_of(*THRESHOLD_METHODS),
        "reports": _whole(1, 100),
        "test": _one_of(*TEST_POLICIES),
    },
    "resources": {"cpus_per_trial": _share(above=0), "gpus_per_trial": _gpus},
}

BARE_ALGORITHM = ("search", "scheduler")
TOP_LEVEL = ("name", "model", "data", "space", *list(SECTIONS)[2:], *list(RULES[""])[1:])

REQUIRED = {
    ("model", "checkpoint"): "required: a hub id, a folder, package:NAME or scratch:albert-tiny",
}


# --- Checking --------------------------------------------------------------------------------------


def _build(
    values: dict[str, Any], problems: _Problems, *, text: str, default_name: str | None
) -> SearchSpec | None:
    """Return the spec, or None after adding to ``problems``."""
    _check_keys(values, (), TOP_LEVEL, problems)
    top = {key: value for key, value in values.items() if key in RULES[""]}
    if default_name is not None:
        top.setdefault("name", default_name)
    if "name" not in top:
        problems.add(("name",), "required")
    good = _read_keys(top, "", problems)
    sections = {section: _read_section(values, section, problems) for section in SECTIONS}
    space = _read_space(values, problems)
    _check_together(sections, space, problems)
    if problems.found or problems.lost:
        return None
    built = {section: build(**sections[section]) for section, build in SECTIONS.items()}
    return SearchSpec(**good, **built, space=space, text=text)


def _check_keys(values: Mapping[Any, Any], path: KeyPath, known: Sequence[str], problems: _Problems) -> None:
    for key in values:
        if key in known:
            continue
        elsewhere = [dotted for dotted in _dotted_keys() if dotted.rsplit(".", 1)[-1] == key]
        nearest = elsewhere or difflib.get_close_matches(str(key), known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known are: {', '.join(known)}"
        problems.add((*path, str(key)), f"unknown key; {hint}")


def _read_section(values: Mapping[str, Any], section: str, problems: _Problems) -> dict[str, Any]:
    """Return the values of one section that keep their rules, defaults included."""
    given = _section(values, section)
    if not isinstance(given, dict):
        problems.add((section,), f"must be a mapping with {', '.join(RULES[section])}, got {_show(given)}")
        return {}
    _check_keys(given, (section,), tuple(RULES[section]), problems)
    for key in RULES[section]:
        if (section, key) in REQUIRED and key not in given:
            problems.add((section, key), REQUIRED[section, key])
    defaults = {f.name: f.default for f in fields(SECTIONS[section]) if f.default is not MISSING}
    absent = {key: value for key, value in defaults.items() if key not in given}
    return {**absent, **_read_keys(given, section, problems)}


def _read_keys(given: Mapping[str, Any], section: str, problems: _Problems) -> dict[str, Any]:
    """Return the values that keep their rules; the others become problems."""
    good = {}
    for key, rule in RULES[section].items():
        if key in given:
            try:
                good[key] = rule(given[key])
            except _WrongError as error:
                problems.add((section, key) if section else (key,), str(error))
    return good


def _read_space(values: Mapping[str, Any], problems: _Problems) -> dict[str, Domain]:
    given = values.get("space", {})
    if not isinstance(given, dict):
        problems.add(("space",), f"must be a mapping of hyperparameters to domains, got {_show(given)}")
        return {}
    _check_keys(given, ("space",), tuple(HYPERPARAMETERS), problems)
    domains = {name: _read_domain(name, given[name], problems) for name in given if name in HYPERPARAMETERS}
    return {name: domain for name, domain in domains.items() if domain is not None}


def _read_domain(name: str, given: Any, problems: _Problems) -> Domain | None:
    """Return the domain of one hyperparameter, or None after adding to ``problems``."""
    path: KeyPath = ("space", name)
    if isinstance(given, list):
        problems.add(path, f"a list must say how it is meant: {{grid: {_show(given)}}}")
        return None
    if not isinstance(given, dict):
        values = _read_values(name, [given], [path], problems)
        return None if values is None else Domain("value", values)
    _check_keys(given, path, DOMAIN_KINDS, problems)
    kinds = [kind for kind in given if kind in DOMAIN_KINDS]
    if len(kinds) != 1:
        if kinds or not given:
            problems.add(
                path, f"must have exactly one of {', '.join(DOMAIN_KINDS)}, got {_show(list(given))}"
            )
        return None
    kind = cast("DomainKind", kinds[0])
    path, listed = (*path, kind), given[kind]
    if not isinstance(listed, list):
        problems.add(path, f"must be a list, got {_show(listed)}")
        return None
    if kind in LISTED_KINDS:
        return _read_list(name, kind, listed, path, problems)
    return _read_range(name, kind, listed, path, problems)


def _read_values(
    name: str, given: Sequence[Any], paths: Sequence[KeyPath], problems: _Problems
) -> tuple[int | float, ...] | None:
    """Return the values in the type of the hyperparameter, or None after adding to ``problems``."""
    hyperparameter, values = HYPERPARAMETERS[name], []
    for value, path in zip(given, paths, strict=True):
        try:
            values.append(hyperparameter.type(hyperparameter.rule(value)))
        except _WrongError as error:
            problems.add(path, str(error))
    return tuple(values) if len(values) == len(given) else None


def _read_list(
    name: str, kind: DomainKind, given: list[Any], path: KeyPath, problems: _Problems
) -> Domain | None:
    if not given:
        problems.add(path, "must not be empty, got []")
        return None
    values = _read_values(name, given, [(*path, index) for index in range(len(given))], problems)
    if values is None:
        return None
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        problems.add(path, f"values must differ, got {twice[0]!r} more than once")
        return None
    return Domain(kind, values)


def _read_range(
    name: str, kind: DomainKind, given: list[Any], path: KeyPath, problems: _Problems
) -> Domain | None:
    is_int = HYPERPARAMETERS[name].type is int
    if is_int != (kind == "int"):
        takes = "int" if is_int else "uniform or log_uniform"
        problems.add(path, f"{name} takes {'whole' if is_int else 'real'} numbers; use {takes}")
        return None
    if len(given) != 2:
        problems.add(path, f"must be [low, high], got {_show(given)}")
        return None
    ends = tuple(_as_number(end) for end in given)
    if kind == "log_uniform" and isinstance(ends[0], int | float) and ends[0] <= 0:
        problems.add(
            path, f"low must be above 0, because it is searched by its logarithm, got {_show(given)}"
        )
        return None
    values = _read_values(name, given, [(*path, 0), (*path, 1)], problems)
    if values is None:
        return None
    if values[0] >= values[1]:
        problems.add(path, f"low must be below high, got {_show(given)}")
        return None
    return Domain(kind, values)


def _check_together(
    sections: Mapping[str, Mapping[str, Any]], space: Mapping[str, Domain], problems: _Problems
) -> None:
    """Add what each value allows by itself and the whole does not."""
    search = sections["search"]
    algorithm, trials = search.get("algorithm"), search.get("trials")
    if algorithm == "grid":
        for name, domain in space.items():
            if not domain.is_listed:
                problems.add(
                    ("space", name, domain.kind),
                    "a grid search needs listed values, {grid: [...]}; for a range, use search.algorithm "
                    "random or tpe",
                )
        if trials is not None:
            problems.add(
                ("search", "trials"),
                f"a grid search runs its whole product, so trials has no meaning; remove it, or use "
                f"search.algorithm random, got {trials}",
            )
    if algorithm in {"random", "tpe"}:
        if "trials" in search and trials is None:
            problems.add(("search", "trials"), f"required by search.algorithm {algorithm}: how many trials")
        if not any(path[0] == "space" for path, _, _ in problems.found) and all(
            domain.is_constant for domain in space.values()
        ):
            problems.add(
                ("space",), f"must vary something for search.algorithm {algorithm}, got constants alone"
            )
    _check_rungs(sections["scheduler"], sections["objective"], problems)


def _check_rungs(scheduler: Mapping[str, Any], objective: Mapping[str, Any], problems: _Problems) -> None:
    """Add a first rung of ASHA that no report falls on, because trials would be judged after it."""
    if scheduler.get("algorithm") != "asha" or "grace" not in scheduler or "reports" not in objective:
        return
    progress = report_progress(objective["reports"])
    if scheduler["grace"] not in progress:
        problems.add(
            ("scheduler", "grace"),
            f"must be the progress of a report; with objective.reports {objective['reports']} these are "
            f"{_show(list(progress))}, got {scheduler['grace']}",
        )
