"""Watches the nodes of a cluster while trials run: who joins and leaves, and what that means for trials."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
import ray.tune as ray_tune
from ray.exceptions import RayError

from goemo.errors import GoemoError
from tune.engine.cluster.connecting import alive_nodes
from tune.engine.cluster.inspection import Inspection
from tune.engine.recorder import OutOfSnapshots, folder_of, last_words
from tune.engine.resources import trials_on
from tune.live.progress import ProgressView
from tune.records import SearchFolder
from tune.stopping.stop_request import StopRequest

_EVERY_S = 1.0

# A trial hears at once that its worker is out of reach; Ray waits, less than this, before it gives a node up.
_BEFORE_NODE_S = 60.0

# In the words in which Ray tells why an actor died, where its node is known to be dead.
_DEAD_NODE = re.compile(r"node has died\. Node Id: ([0-9a-f]+)")


@dataclass
class _Loss:
    """A worker that a trial has lost.

    Attributes:
        trial: The trial, Ray's own.
        at: When it heard of it, by the monotonic clock.
        is_excused: Whether the trial has its retry back.
    """

    trial: Any
    at: float
    is_excused: bool = False

    def excuse(self) -> None:
        """Give the trial its retry back, once."""
        if not self.is_excused:
            self.trial.run_metadata.num_failures -= 1
            self.is_excused = True


class NodeWatch(OutOfSnapshots, ray_tune.Callback):  # type: ignore[misc]  # Ray ships no types
    """Tells of nodes that join and of nodes that are lost, and keeps trials from paying for the latter.

    A worker that goes with its node counts, for Ray, as a failure of the trial that it ran
    (`ray.tune.experiment.Trial.handle_error`), unless an autoscaler had announced it. Here it does not: a
    trial may lose as many nodes as there are, and still has all its retries for workers that die by
    themselves. It has to stand before those callbacks that look at the failures of a trial.

    A node that joins and on which trials cannot run stops the search: one after the other would fail there.

    Args:
        search: Its folder is one that a node which joins must see.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``.
        view: Shows the events.
        stop_request: Stops the search.
    """

    def __init__(
        self,
        search: SearchFolder,
        per_trial: Mapping[str, float],
        view: ProgressView,
        stop_request: StopRequest,
    ) -> None:
        self._name = search.name
        self._halt = stop_request
        self._per_trial = per_trial
        self._view = view
        self._inspection = Inspection(search.path)
        self._nodes = {node["NodeID"]: node for node in alive_nodes()}
        self._next = 0.0
        self._gone: dict[str, Mapping[str, Any]] = {}  # since the last look: told of at the next one
        self._node_of: dict[str, Any] = {}  # trial id -> id, to come, of the node that its worker is on
        self._losses: dict[str, list[_Loss]] = {}  # node id -> workers lost there

    def slots(self) -> int:
        """Return how many trials fit on the nodes that are there; at least one, which waits for a node."""
        return max(1, self._fit())

    def on_step_begin(self, **_: Any) -> None:
        """Look at the nodes, once a second."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        with self._halt.on_error():
            self._look()

    def on_trial_start(self, trial: Any, **_: Any) -> None:
        """Ask where a trial runs, before it is asked for its first step."""
        self._node_of[folder_of(trial).trial_id] = trial.temporary_state.ray_actor.node_id.remote()

    def on_trial_recover(self, trial: Any, **_: Any) -> None:
        """Give a trial back the retry that a lost node has cost it, now or when the node is given up."""
        self._take_loss(trial)

    def on_trial_error(self, trial: Any, **_: Any) -> None:
        """Likewise where Ray has given the trial up for it."""
        self._take_loss(trial)

    def on_experiment_end(self, **_: Any) -> None:
        """Leave nothing behind."""
        self._inspection.close()

    def _look(self) -> None:
        alive = {node["NodeID"]: node for node in alive_nodes()}
        for node_id, node in self._gone.items():  # by now Ray has told whose workers went with it
            self._tell_lost(node, self._losses.pop(node_id, []))
        self._gone = {node_id: node for node_id, node in self._nodes.items() if node_id not in alive}
        for node_id in alive.keys() - self._nodes.keys():
            self._view.say(f"node {_words(alive[node_id])} joined")
            self._inspection.ask(alive[node_id])
        self._nodes = alive
        self._judge_joined()

    def _take_loss(self, trial: Any) -> None:
        dead = _dead_node(trial)
        loss = _Loss(trial, time.monotonic())
        if dead is not None:
            loss.excuse()
        node_id = dead or _answer(self._node_of.get(folder_of(trial).trial_id))
        self._losses.setdefault(node_id, []).append(loss)

    def _fit(self) -> int:
        return sum(trials_on(node["Resources"], self._per_trial) for node in self._nodes.values())

    def _tell_lost(self, node: Mapping[str, Any], losses: list[_Loss]) -> None:
        with_it = [loss for loss in losses if time.monotonic() - loss.at < _BEFORE_NODE_S]
        for loss in with_it:
            loss.excuse()
        trials = sorted({folder_of(loss.trial).trial_id for loss in with_it})
        again = f": {', '.join(trials)} {'restarts' if len(trials) == 1 else 'restart'}" if trials else ""
        self._view.say(f"node {_words(node)} lost{again}")
        if not self._fit():
            self._view.say(
                "no remaining node has room for a trial: waiting for one (Ctrl-C stops the search cleanly)"
            )

    def _judge_joined(self) -> None:
        for found in self._inspection.findings():
            if found.has_answered and found.problems:
                raise GoemoError(
                    f"node {found.node} has joined, but {'; '.join(found.problems)}. The search has stopped, "
                    f"so that no trial fails there; stop Ray on that node, then: goemo resume {self._name}"
                )
            for words in (*found.problems, found.note):
                if words:
                    self._view.say(f"node {found.node} {words}")


def _answer(node_id: Any) -> str:
    """Return the id of a node that a worker has told; empty where it died before it came to it."""
    if node_id is None or not ray.wait([node_id], timeout=0)[0]:
        return ""
    try:
        return str(ray.get(node_id))
    except RayError:
        return ""


def _words(node: Mapping[str, Any]) -> str:
    """Return the address of a node and what it offers."""
    amounts = {kind: node["Resources"].get(kind, 0) for kind in ("CPU", "GPU")}
    offers = ", ".join(f"{n:g} {kind}{'' if n == 1 else 's'}" for kind, n in amounts.items())
    return f"{node['NodeManagerAddress']} ({offers})"


def _dead_node(trial: Any) -> str | None:
    """Return the id of the dead node that took a trial's worker with it; None where Ray tells of none."""
    named = _DEAD_NODE.findall(last_words(trial))
    return named[-1] if named else None
