"""Saved views of MLflow's run table: all searches, the trials of one search, the trials on one data set.

A view is a tag of the experiment, in the format of the UI's own "save view". MLflow nests children only while
runs are in order of time, so that the tree and the rankings are different views. No ranking has trials of
different data or labels: their scores cannot be compared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goemo.escaping import without_folders

TREE_VIEW = "goemo-searches"
SEARCH_VIEW = "goemo-search-"  # and the search's id
DATA_VIEW = "goemo-data-"  # and the digest of the data, and the metric
VIEW_TAG = "mlflow.sharedViewState."
_MIXED_VIEW = "goemo-trials-"  # of earlier versions: ranks the trials of all data in one list
_ENDS = ("tags.`goemo.stop_reason`", "metrics.`progress`", "metrics.`duration_s`")
_USUAL = ("batch_size", "learning_rate", "max_length", "epochs")


@dataclass(frozen=True)
class View:
    """A saved view.

    Attributes:
        key: What its address and its tag are found by.
        title: What the UI's menu shows.
        columns: Of the table, from left to right.
        filter: Which runs, in MLflow's language; empty for all.
        order: The column that sorts the runs, the highest first; the latest run is the first where empty.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    filter: str = ""
    order: str = "attributes.start_time"

    def state(self) -> str:
        """Return the tag's value."""
        state = {
            "searchFilter": self.filter,
            "orderByKey": self.order,
            "orderByAsc": False,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "datasetsFilter": [],
            "modelVersionFilter": "All Runs",
            "runsHiddenMode": "SHOW_ALL",
            "hideEmptyCharts": True,
            "viewMaximized": False,
            "selectedColumns": self.columns,
            "columnOrder": self.columns,
        }
        now = int(time.time() * 1000)
        return json.dumps(
            {"name": self.title, "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
        )


def address(server: str, experiment_id: str, view: str) -> str:
    """Return the address of the run table in a saved view.

    Without the workflow, MLflow's UI opens its pages for generative AI, which do not show trainings.
    """
    table = f"{server}/#/experiments/{experiment_id}/runs"
    return f"{table}?viewStateShareKey={view}&workflowType=machine_learning"


def tree_view(metric: str) -> View:
    """Return the view of all searches, the trials of each beneath it."""
    of_search = ("tags.`goemo.trials`", "tags.`goemo.best_trial`")
    columns = (f"metrics.`best/{metric}`", *of_search, *_params(_USUAL), *_ENDS)
    return View(TREE_VIEW, "Searches and their trials", columns)


def search_view(name: str, search_id: str, metric: str, varied: Sequence[str]) -> View:
    """Return the view of the trials of one search, best first, with the hyperparameters that it varies."""
    objective = f"metrics.`best/{metric}`"
    return View(
        SEARCH_VIEW + search_id,
        search_title(name),
        (objective, *_params(varied), *_ENDS, "tags.`goemo.trial_id`"),
        f"tags.`goemo.search_id` = '{search_id}' and tags.`goemo.kind` = 'trial'",
        objective,
    )


def search_title(name: str) -> str:
    """Return the title of the view of a search's trials."""
    return f"{name}: trials, best first"


def data_view(data: Mapping[str, Any], metric: str) -> View | None:
    """Return the view of the trials of all searches on the same data, best first.

    Args:
        data: ``source``, ``taxonomy`` and ``digest``, as a search's facts have them; the digest covers texts,
            labels and splits. None is returned until it is known.
        metric: That ranks.
    """
    digest = data.get("digest")
    if digest is None:
        return None
    taxonomy = "" if data.get("taxonomy") in {None, "fine"} else f", {data['taxonomy']}"
    source = without_folders(str(data.get("source")))
    objective = f"metrics.`best/{metric}`"
    return View(
        f"{DATA_VIEW}{digest[:12]}-{metric}",
        f"Trials on {source}{taxonomy} ({digest[:6]}) by best {metric}",
        ("tags.`goemo.search`", objective, *_params(_USUAL), *_ENDS),
        f"tags.`goemo.kind` = 'trial' and tags.`data.digest` = '{digest}'",
        objective,
    )


def save(client: Any, experiment_id: str, views: Sequence[View]) -> None:
    """Save those views that the experiment lacks; what is there may have been changed by the user."""
    known = client.get_experiment(experiment_id).tags
    for view in views:
        if VIEW_TAG + view.key not in known:
            client.set_experiment_tag(experiment_id, VIEW_TAG + view.key, view.state())
    for tag in known:
        if tag.startswith(VIEW_TAG + _MIXED_VIEW):
            client.delete_experiment_tag(experiment_id, tag)


def rename(client: Any, experiment: Any, search_id: str, new: str) -> None:
    """Give the view of a search its new title, where the experiment has it."""
    tag = VIEW_TAG + SEARCH_VIEW + search_id
    content = _read(experiment.tags.get(tag, ""))
    if content:
        renamed = json.dumps(content | {"name": search_title(new)})
        client.set_experiment_tag(experiment.experiment_id, tag, renamed)


def remove(client: Any, experiment: Any, search_id: str) -> None:
    """Remove the view of a search, where the experiment has it."""
    tag = VIEW_TAG + SEARCH_VIEW + search_id
    if tag in experiment.tags:
        client.delete_experiment_tag(experiment.experiment_id, tag)


def titles(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the titles of the rankings by data set, by the key of the view; what is no view has its key."""
    keys = sorted(tag.removeprefix(VIEW_TAG) for tag in tags if tag.startswith(VIEW_TAG + DATA_VIEW))
    return {key: str(_read(tags[VIEW_TAG + key]).get("name", key)) for key in keys}


def _read(text: str) -> dict[str, Any]:
    """Return what a view's tag says; nothing where somebody else has written it."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _params(names: Sequence[str]) -> list[str]:
    return [f"params.`{name}`" for name in names]
