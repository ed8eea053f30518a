"""The MLflow experiment that runs are in."""

from __future__ import annotations

from typing import Any

from tune.tracking import content
from tune.tracking.store import Store


def find_experiment(client: Any, store: Store, *, metric: str, name: str) -> str:
    """Return the id of the experiment, which the first search or retrain makes, with its views in the UI.

    Args:
        client: MLflow's, on the store.
        store: Says where the artifacts of a new experiment go.
        metric: By which the view of the trials is sorted.
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
    for tag, value in content.experiment_tags(metric).items():
        if tag not in known:  # else it is there, perhaps changed by the user
            client.set_experiment_tag(experiment_id, tag, value)
    return experiment_id
