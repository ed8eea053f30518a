"""The declaration of the file that `goemo export` writes and `goemo retrain` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from goemo.configuration import Configuration
from goemo.configuration.data import DataOptions
from goemo.configuration.declared import declared, known_keys, problems_of
from goemo.configuration.json_files import check_bounds
from goemo.configuration.limits import PREFIX_LIMIT_GB
from goemo.configuration.rules import Number, Text, Thresholds, one_of, whole
from goemo.configuration.settings import Metric, Seed
from goemo.configuration.thresholds import DEFAULT_METHOD, ThresholdChoice
from goemo.errors import InputError
from goemo.words import CHECKPOINT, WordsConfiguration
from tune.records import BLEND
from tune.spec.parsing import parse, read_text
from tune.spec.problems import Problems

LONGEST_NAME = 200

Name = Annotated[str, Text(longest=LONGEST_NAME)]
Note = Annotated[str, Text(longest=1_000, may_be_blank=True)]
Score = Annotated[float, Number(low=-1, high=1)]
Count = Annotated[int, whole(0)]


@declared
class Origin:
    """Where a configuration comes from: search, trial, and what it ran on."""

    search: Name
    trial: Name
    threads: Annotated[int, whole(1, most=4_096)]
    rank: Annotated[int, whole(1)] | None = None
    trials: Count | None = None
    experiment: Name | None = None
    max_lengths: tuple[Annotated[int, whole(4, most=131_072)], ...] = ()
    prefix_limit_gb: Annotated[float, Number(low=0, most=1_000_000)] = PREFIX_LIMIT_GB
    platform: Note | None = None
    gpus: tuple[Note, ...] | None = None
    git_commit: Note | None = None


@declared
class Confirmed:
    """What further seeds have shown: mean over seeds with its interval, and what became of each seed."""

    mean: Score
    low: Score | None = None
    high: Score | None = None
    interval: Note = ""
    deviation: Annotated[float, Number(low=0, most=2)] | None = None
    seeds: tuple[Seed, ...] = ()
    values: tuple[Score, ...] = ()
    lost: tuple[Note, ...] = ()
    waiting: Count = 0


@declared
class Expected:
    """The trial's objective on validation with its interval."""

    metric: Name
    value: Score
    low: Score | None = None
    high: Score | None = None
    interval: Note | None = None
    at_progress: Annotated[int, whole(1, 100)] | None = None
    confirmed: Confirmed | None = None


@declared
class SplitDigest:
    """One split of the data."""

    digest: Name | None = None
    examples: Count | None = None


@declared
class Data:
    """What the configuration was found on, and how it was read."""

    source: Annotated[str, Text()]
    taxonomy: Name
    seed: Seed
    digest: Name
    splitting: Note | None = None
    splits: dict[Name, SplitDigest] | None = None
    options: DataOptions = DataOptions()


@declared
class ExportSource:
    """Where a configuration came from, whatever it is of."""

    origin: Origin
    expected: Expected
    data: Data
    versions: dict[Name, Note]


@declared
class Exported(ExportSource):
    """The configuration of an encoder, and where it came from."""

    configuration: Configuration


@declared
class ExportedWords(ExportSource):
    """The configuration of a bag of words, and where it came from."""

    configuration: WordsConfiguration


@declared
class ExportedMember:
    """A member of a blend: its weight in tenths, and its own export under what it is."""

    tenths: Annotated[int, whole(1, 10)]
    encoder: Exported | None = None
    words: ExportedWords | None = None

    @property
    def export(self) -> Exported | ExportedWords:
        """The member's own export."""
        found = self.encoder or self.words
        assert found is not None
        return found


@declared
class BlendConfiguration:
    """What decides a blend besides its members."""

    checkpoint: Name
    metric: Annotated[Metric, one_of(Metric)] = "macro_f1"
    thresholds: Annotated[ThresholdChoice, Thresholds()] = DEFAULT_METHOD
    seed: Seed = 42

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


@declared
class ExportedBlend(ExportSource):
    """A blend, and where it came from."""

    configuration: BlendConfiguration
    members: tuple[ExportedMember, ...]


AnyExported = Exported | ExportedWords | ExportedBlend
AnyConfiguration = Configuration | WordsConfiguration | BlendConfiguration


def configuration_of(values: Mapping[str, Any]) -> AnyConfiguration:
    """Rebuild the configuration of any model from plain values, as a bundle keeps it.

    Raises:
        ValueError: A key is unknown or missing, or a value is not one that the key allows.
    """
    classes = {ExportedWords: WordsConfiguration, ExportedBlend: BlendConfiguration, Exported: Configuration}
    made: AnyConfiguration = classes[_kind({"configuration": values})](**values)
    return made


def _kind(values: Any) -> type[AnyExported]:
    """Return what plain values are an export of; of an encoder where they do not tell."""
    configuration = values.get("configuration") if isinstance(values, Mapping) else None
    checkpoint = configuration.get("checkpoint") if isinstance(configuration, Mapping) else None
    return {CHECKPOINT: ExportedWords, BLEND: ExportedBlend}.get(str(checkpoint), Exported)


def plain(value: Any) -> Any:
    """Return a part of an export as plain values, without what is not known."""
    if isinstance(value, DataOptions):
        return value.changed()
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: plain(part) for name, part in pairs if part not in (None, ())}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, tuple) else value


def read_export(path: Path) -> AnyExported:
    """Read what `tune.models.export.write_export` wrote.

    Raises:
        InputError: The file is not there, is no YAML, or a key in it is missing, unknown or wrong.
    """
    problems = Problems()
    try:
        values = parse(read_text(path), path, problems, keys=", ".join(known_keys(Exported, ())))
        kind = _kind(values)
        exported: AnyExported = TypeAdapter(kind).validate_python(values)
        check_bounds(values)
        for number, member in enumerate(exported.members if isinstance(exported, ExportedBlend) else ()):
            if (member.encoder is None) == (member.words is None):
                problems.add(("members", number), "must have one of encoder, words")
    except ValidationError as error:
        for where, message in problems_of(error, kind):
            problems.add(where, message)
    except ValueError as error:
        problems.add((), str(error))
    try:
        problems.raise_if_any(str(path))
    except InputError as error:
        *others, last = error.problems
        raise InputError(str(path), [*others, f"{last}; write it with: goemo export NAME"]) from None
    return exported
