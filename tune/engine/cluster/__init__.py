"""The Ray that trials run on: how to reach it, what its nodes must have, and what becomes of lost ones.

What watches it while trials run, `servers` and `watching`, needs Ray Tune.
"""

from tune.engine.cluster.connecting import RAY_SETTINGS, connect

__all__ = ["RAY_SETTINGS", "connect"]
