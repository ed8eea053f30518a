"""Declarations of the JSON files of a bundle; unknown keys are ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from goemo.configuration import Configuration
from goemo.configuration.declared import declared, meaning
from goemo.configuration.json_files import MAX_SHOWN, UnreadableError, parse_json, problems_of, read_text
from goemo.configuration.rules import FunctionRule, Number, Text, whole
from goemo.configuration.settings import Seed
from goemo.configuration.thresholds import DEFAULT_METHOD, ThresholdChoice
from goemo.errors import InputError

Name = Annotated[str, Text(longest=1_000)]


def _distinct(labels: tuple[str, ...]) -> tuple[str, ...]:
    repeated = next((label for place, label in enumerate(labels) if label in labels[:place]), None)
    if repeated is not None:
        raise ValueError(f"labels must differ, and {repeated[:80]!r} appears more than once")
    return labels


# labels.json: names in the order of the outputs.
Labels = Annotated[tuple[Name, ...], Field(min_length=1, max_length=100_000), AfterValidator(_distinct)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SplitFacts(_Part):
    """One split of the data that a model was trained on."""

    digest: Annotated[str, Text(longest=200, may_be_blank=True)] | None = None
    examples: Annotated[int, whole(0)] | None = None


class DataFacts(_Part):
    """The data that a model was trained on."""

    source: Annotated[str, Text(may_be_blank=True)] | None = None
    taxonomy: Name | None = None
    seed: Seed | None = None
    splits: dict[Name, SplitFacts] | None = None


class ReportFacts(_Part):
    """The report that was kept."""

    progress: Annotated[int, whole(0, 100)]
    step: Annotated[int, whole(0)] | None = None
    metrics: dict[Name, Annotated[float, Number(low=-1e12, most=1e12)]] = {}


class Provenance(_Part):
    """``provenance.json``: data, versions, the report that was kept."""

    data: DataFacts = DataFacts()
    report: ReportFacts | None = None
    versions: dict[Name, Name] = {}


def _as_it_stands(value: Any) -> str | dict[str, Any]:
    return dict(value) if isinstance(value, dict) else Text().check(value)


@declared
class TrainedConfiguration(Configuration):
    """The configuration of a model that is trained.

    Loss and method of the thresholds may be of a package that is not installed here: neither is used again.
    """

    loss: Annotated[str, Text(), meaning("loss that was minimised")] = "bce"
    thresholds: Annotated[
        ThresholdChoice,
        FunctionRule("a method, or a mapping with method and options", _as_it_stands, {}),
        meaning("how thresholds were fitted"),
    ] = DEFAULT_METHOD


def trained_configuration(values: dict[str, Any]) -> Configuration:
    """Return the configuration in a ``provenance.json``, which may name what is not installed here.

    Raises:
        ValueError: A key is unknown or missing, or a value is not one that the key allows.
    """
    try:
        return Configuration.from_dict(values)
    except ValueError:
        return TrainedConfiguration.from_dict(values)


class EncoderProvenance(Provenance):
    """``provenance.json`` beside an encoder: its configuration too."""

    configuration: TrainedConfiguration


def read(path: Path, model: Any) -> tuple[Any, Any]:
    """Return a file of a bundle as declared, and all that it holds as plain values.

    Raises:
        InputError: It is no such file; the message names the file and the field.
    """
    try:
        plain = parse_json(read_text(path))
        return TypeAdapter(model).validate_python(plain), plain
    except ValidationError as error:
        raise InputError(str(path), problems_of(error, model)[: MAX_SHOWN * 3]) from None
    except UnreadableError as error:
        raise InputError(str(path), [str(error).removeprefix(f"{path}: ")]) from None
    except ValueError as error:
        raise InputError(str(path), [f"not a JSON file of a bundle: {error}"]) from None
