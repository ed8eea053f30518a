"""A visit to a GPU goes on whatever fails, and has its results on disk as they come."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

# What the processes of the visit import: units that end in each of the ways there are.
UNITS = """
import os, subprocess, sys, time

def fails(settings, results):
    with results.attempt("the first case"):
        raise ValueError("out of luck\\nand more")
    results.add("speed", model="m", batch=16, way="engine", round=0, samples_s=800.0)
    raise RuntimeError("broken")

def hangs(settings, results):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    results.add("check", what="the child", found=child.pid, expected="ended", is_right=None)
    time.sleep(600)

def is_killed(settings, results):
    os.kill(os.getpid(), 9)

def measures(settings, results, *, way):
    results.add("bound", model="m", batch=16, by="traffic", ms=1.0)
    results.add("speed", model="m", batch=16, way=way, round=0, samples_s=100.0)
"""


@pytest.fixture
def gpu_visit(monkeypatch, tmp_path) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("gpu_visit")
    (tmp_path / "units_of_a_test.py").write_text(UNITS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "LEAST_S", 0.5)
    monkeypatch.setattr(module, "GRACE_S", 0.5)
    return module


@pytest.fixture
def settings(gpu_visit, tmp_path) -> Any:
    (tmp_path / "out").mkdir()
    return gpu_visit.Settings(out=str(tmp_path / "out"), data="nowhere", models=("m",), seeds=3)


def _unit(gpu_visit, name: str, share: float, **arguments: Any) -> Any:
    return gpu_visit.Unit(name, f"units_of_a_test:{name}", share, arguments)


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_visit_goes_on_after_what_fails_hangs_or_dies(gpu_visit, settings):
    """Each unit's end is written with its reason, and what was measured before it is kept and shown."""
    units = [
        _unit(gpu_visit, "fails", 10),
        _unit(gpu_visit, "hangs", 5),
        _unit(gpu_visit, "is_killed", 10),
        _unit(gpu_visit, "measures", 10, way="Trainer"),
    ]
    assert gpu_visit.visit(units, settings, budget_s=30) == 3
    rows = gpu_visit.read_results([Path(settings.out)])
    ends = {row["unit"]: (row["status"], row["why"]) for row in rows if row["kind"] == "ended"}
    assert ends.pop("fails") == ("failed", "see its rows and log.txt")
    assert ends.pop("hangs")[0] == "timed out"
    assert ends == {"is_killed": ("failed", "killed by SIGKILL"), "measures": ("done", "")}
    failed = [(row["what"], row["why"]) for row in rows if row["kind"] == "failed"]
    assert failed == [("the first case", "ValueError: out of luck"), ("fails", "RuntimeError: broken")]
    assert "RuntimeError: broken" in (Path(settings.out) / "log.txt").read_text()
    (child,) = [row["found"] for row in rows if row["kind"] == "check"]
    assert not _is_alive(child), "a process of a unit that hung is left"
    shown = gpu_visit.tables(rows)
    assert "| m | 16 | engine | 800 | 20.00 | 1.000 | 5% of traffic | 8.00 | 8 |" in shown
    assert "| fails | the first case | ValueError: out of luck |" in shown
    assert "| hangs | timed out | it had " in shown


def test_a_later_visit_takes_the_place_of_an_earlier_one(gpu_visit):
    """What failed before and is right now is shown once, as it is now; other rows stay."""
    rows = [
        {"unit": unit, "kind": "check", "what": what, "found": found, "expected": "2", "is_right": found == 2}
        for unit, what, found in (("a", "one", 1), ("a", "other", 2), ("b", "one", 2))
    ]
    shown = gpu_visit.tables(rows)
    assert "| one | 2 | 2 | yes |\n| other | 2 | 2 | yes |" in shown
    assert "NO" not in shown


def test_what_no_time_is_left_for_is_not_started(gpu_visit, settings):
    """The time that is left is shared out; a unit that would get next to nothing says so."""
    units = [_unit(gpu_visit, "measures", 1, way="engine")]
    assert gpu_visit.visit(units, settings, budget_s=0.6) == 1
    (row,) = gpu_visit.read_results([Path(settings.out)])
    assert (row["status"], row["why"]) == ("not started", "1 s were left")


def test_a_process_is_told_all_settings(gpu_visit, settings):
    """Settings and units come back from what a process is started with."""
    assert gpu_visit.Settings.from_json(settings.to_json()) == settings
    unit = _unit(gpu_visit, "measures", 10, way="engine")
    assert gpu_visit.Unit(**json.loads(json.dumps(vars(unit)))) == unit


def test_every_part_has_units_that_exist(gpu_visit, settings):
    """Each names a function of a file beside it."""
    for unit in gpu_visit.units_of(gpu_visit.PARTS, settings):
        module, _, function = unit.call.partition(":")
        assert f"\ndef {function}(" in (BENCHMARKS / f"{module}.py").read_text(encoding="utf-8"), unit


def test_what_is_missing_is_said_first(gpu_visit, monkeypatch):
    """A package that a part needs is named with what follows; one that all need ends the visit."""
    found = {"accelerate", "torch", "pytest", "pytest_timeout"}
    monkeypatch.setattr(gpu_visit, "find_spec", lambda name: None if name in found else object())
    with pytest.raises(SystemExit, match="missing here: torch; goemo trains nothing without"):
        gpu_visit.missing_here()
    found.remove("torch")
    assert gpu_visit.missing_here() == [
        "accelerate (Trainer is not measured)",
        "pytest, pytest_timeout (the tests are not run)",
    ]


def test_a_row_that_was_cut_off_loses_no_other(gpu_visit, settings, capsys):
    """A machine that goes away in the middle of a row leaves the rows before it."""
    file = Path(settings.out) / "results.jsonl"
    file.write_text('{"unit": "a", "kind": "note", "text": "b"}\n{"unit": "a", "ki', encoding="utf-8")
    assert [row["text"] for row in gpu_visit.read_results([Path(settings.out)])] == ["b"]
    assert "a row is not whole" in capsys.readouterr().out
