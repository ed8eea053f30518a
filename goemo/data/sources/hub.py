"""A data set of the Hugging Face hub, or of its local cache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.sources.datasets import from_dataset
from goemo.data.tables import SourceContent
from goemo.errors import GoemoError, InputError

HUB_CONFIGURATIONS = {"google-research-datasets/go_emotions": "simplified"}
HUB_TIMEOUT_S = 5.0


def read_hub(name: str, _seed: int, options: DataOptions) -> SourceContent:
    """Read a data set by ``ID`` or ``ID:CONFIGURATION``.

    Raises:
        InputError: There is none of that name, it is a script, or it lacks a split.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    hub_id, _, configuration = name.partition(":")
    source = f"hub:{name}"
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", hub_id):
        raise InputError(source, ["must be hub:OWNER/NAME or hub:OWNER/NAME:CONFIGURATION"])
    dataset = _load_from_hub(source, hub_id, configuration or HUB_CONFIGURATIONS.get(hub_id))
    return from_dataset(source, dataset, options)


def _load_from_hub(source: str, hub_id: str, configuration: str | None) -> Mapping[str, Any]:
    import datasets  # a second that only hub sources need
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        failure = _hub_failure(hub_id)
    except RepositoryNotFoundError:
        raise InputError(source, ["the hub has no such public data set"]) from None
    try:
        with _hub_calls(datasets.config, are_allowed=failure is None):
            loaded: Mapping[str, Any] = datasets.load_dataset(hub_id, configuration)
    except RuntimeError as error:  # a data set that is a script
        remedy = "download its files, or convert it to parquet, and use dir:PATH"
        raise InputError(source, [f"cannot be used ({_first_sentence(error)}); {remedy}"]) from error
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        reason = _first_sentence(error)
        if failure is None and isinstance(error, ValueError):
            raise InputError(source, [_which_configuration(hub_id, error) or reason]) from error
        if failure is None:
            raise GoemoError(f"{source}: could not be downloaded ({reason}); try again later") from error
        remedy = "connect to the network once, or download the files and use dir:PATH"
        raise GoemoError(
            f"{source}: the hub cannot be reached ({failure}), and no copy is in the local cache; {remedy}"
        ) from error
    return loaded


def _hub_failure(hub_id: str) -> str | None:
    """Return why the hub gives no answer, or None when it does; a few seconds at most.

    ``datasets`` itself would try again for half a minute.

    Raises:
        RepositoryNotFoundError: The hub answers that it has no such data set.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().dataset_info(hub_id, timeout=HUB_TIMEOUT_S)
    except RepositoryNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - the HTTP library and its errors changed names between releases
        return _first_sentence(error)
    return None


def _first_sentence(error: Exception) -> str:
    return re.split(r"\n|\.(?:\s|$)", str(error).strip())[0] or type(error).__name__


@contextmanager
def _hub_calls(config: Any, *, are_allowed: bool) -> Iterator[None]:
    """Let ``datasets`` go straight to its cache when the hub is known to be out of reach."""
    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = before or not are_allowed
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def _which_configuration(hub_id: str, error: Exception) -> str | None:
    """Return how to say which of several configurations is meant, where that is what is missing."""
    found = re.search(r"available configs:\s*\[(.*?)\]", str(error), re.DOTALL)
    names = re.findall(r"['\"](.*?)['\"]", found[1]) if found else []
    if not names:
        return None
    return f"holds several data sets: {', '.join(names)}; say which, for example hub:{hub_id}:{names[0]}"
