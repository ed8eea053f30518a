"""Workers of Ray that start as forks of one process, which has imported what trials need.

A worker spends seconds of a core on importing torch and transformers, as long as a short trial trains, and
again wherever a worker was lost. Here one process, the fork server, imports them once, while Ray starts.
Ray starts its workers by a command, the ``py_executable`` of a runtime environment. Here that is
`tune/forks/client.py`, which asks the server for a fork that becomes the worker, and starts Python as ever
where no server answers. What the forks have in common stands in memory once.

Only the Ray that a search starts on its own machine is given that command: on the nodes of a cluster, workers
start as they always do.
"""

from tune.forks.starting import fork_server

__all__ = ["fork_server"]
