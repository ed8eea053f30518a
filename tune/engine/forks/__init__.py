"""Processes that start as forks of one, which has imported what trials need.

A worker spends seconds of a core on importing torch and transformers, as long as a short trial trains, and
again wherever a worker was lost. Here one process, the fork server, imports them once, while Ray starts. What
the forks have in common stands in memory once.

* **Workers of Ray.** Ray starts them by a script, ``setup_worker.py``. Here that is `client.py`,
  which asks the server for a fork that becomes the worker, and leaves to Ray's own script what a fork cannot
  do.
* **Calls.** The driver prepares the data and tests the chosen trial in forks (`Forks.call`). It never imports
  torch, and holds nothing of a GPU while trials run.

Only the Ray that a search starts on its own machine has such workers: on the nodes of a cluster they start as
they always do. Without a server, calls are made in the driver itself.
"""

from tune.engine.forks.calling import Forks
from tune.engine.forks.starting import fork_server

__all__ = ["Forks", "fork_server"]
