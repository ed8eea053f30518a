"""The Ray that trials run on: how to reach it, what its nodes must have, and what becomes of lost ones."""

from tune.cluster.connecting import RAY_SETTINGS, connect
from tune.cluster.servers import RayDiedError, ServerWatch
from tune.cluster.watching import NodeWatch

__all__ = ["RAY_SETTINGS", "NodeWatch", "RayDiedError", "ServerWatch", "connect"]
