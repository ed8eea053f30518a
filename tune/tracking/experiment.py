"""The MLflow experiment that runs are in, and searches of a store that have more than a page of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tune.tracking import views
from tune.tracking.store import Store

KIND = {"mlflow.experimentKind": "custom_model_development"}  # makes the UI show trainings


def find_experiment(client: Any, store: Store, *, metric: str, name: str) -> str:
    """Return the id of the experiment, which the first search or retrain makes, with a view of all searches.

    Args:
        client: MLflow's, on the store.
        store: Says where the artifacts of a new experiment go.
        metric: A column of the view.
        name: Of the experiment.

    Raises:
        GoemoError: The experiment was deleted.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        experiment_id, known = str(client.create_experiment(name, store.artifact_location)), {}
    elif found.lifecycle_stage == "deleted":
        raise store.deleted(name, str(found.experiment_id))
    else:
        experiment_id, known = str(found.experiment_id), found.tags
    for tag, value in KIND.items():
        if tag not in known:  # else it is there, perhaps changed by the user
            client.set_experiment_tag(experiment_id, tag, value)
    views.save(client, experiment_id, [views.tree_view(metric)])
    return experiment_id


def paged(search: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
    """Yield all that a search of MLflow's client finds, page by page."""
    page = search(*arguments, **options)
    yield from page
    while page.token:
        page = search(*arguments, page_token=page.token, **options)
        yield from page
