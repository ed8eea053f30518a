"""The Ray runtime for trials: how it is reached, what its nodes need, and how lost nodes are handled.

What watches it while trials run, `servers` and `watching`, needs Ray Tune.
"""

from tune.engine.cluster.connecting import RAY_SETTINGS, check_address, connect

__all__ = ["RAY_SETTINGS", "check_address", "connect"]
