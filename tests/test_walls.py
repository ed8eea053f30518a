"""The walls of the design: what may import what."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ENGINES = {"ray", "mlflow", "optuna", "tune"}


def imported(path):
    """Return the top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", sorted((REPOSITORY / "goemo").rglob("*.py")), ids=lambda p: p.stem)
def test_goemo_imports_no_engine(path):
    """`goemo` works where neither Ray nor MLflow nor Optuna is installed."""
    assert not imported(path) & ENGINES


@pytest.mark.parametrize("engine", ["mlflow", "ray", "optuna"])
def test_each_engine_has_its_place(engine):
    """Only the files that are about an engine import it."""
    places = {
        "mlflow": {"tracking", "registry"},
        "ray": {"cluster", "engine", "forecast", "recorder", "trial", "schedulers"},
        "optuna": {"space", "insight"},
    }
    for path in (REPOSITORY / "tune").rglob("*.py"):
        if engine in imported(path):
            assert places[engine] & {path.stem, path.parent.name}, path
