"""Private names of other libraries: where they may stand, and that each has a way without it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = sorted(path for package in ("goemo", "tune") for path in (REPOSITORY / package).rglob("*.py"))
GUARDED = ("tune/engine/", "goemo/fast/")

# Each name, where it is used, and the test that takes it away and sees the way without it. Of Ray, MLflow and
# Optuna there is none.
_WITHOUT = "tests/goemo/test_fast_twin.py::test_without_the_private_names_linear_maps_stay_as_they_are"
ALLOWED: dict[tuple[str, str], str] = {
    ("goemo/fast/one_dnn.py", "torch.ops.mkldnn._linear_pointwise"): _WITHOUT,
    ("goemo/fast/one_dnn.py", "torch.ops.mkldnn._reorder_linear_weight"): _WITHOUT,
}

_BY_TEXT = {"getattr", "setattr", "hasattr", "delattr"}
LIBRARIES = ("ray", "mlflow", "optuna", "transformers", "torch")


@dataclass(frozen=True, order=True)
class Borrowed:
    """A private name of a library's, where it is used.

    Attributes:
        path: The file, from the repository on.
        name: The name; of a module, with all that leads to it.
        at_top: Whether it is used when the module is imported.
    """

    path: str
    name: str
    at_top: bool


def is_private(name: str) -> bool:
    """Return whether any part of a dotted name begins with one underscore."""
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def borrowed(path: Path, root: Path) -> set[Borrowed]:
    """Return the private names of libraries that a file uses.

    These are: imports; attributes of anything but ``self`` and ``cls``, in a file that imports one of the
    libraries anywhere; attributes of ``self`` that a class with a base from a library does not set itself;
    and names given as text to `getattr`, `setattr`, `hasattr` and `delattr`.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = imported_names(tree)
    if not names and not any(is_private(module) for module in _modules(tree)):
        return set()
    shown = str(path.relative_to(root))
    inside = {node for function in _functions(tree) for part in function.body for node in ast.walk(part)}
    found = set()
    for node in ast.walk(tree):
        for name in _private_names(node, names):
            found.add(Borrowed(shown, name, node not in inside))
        if isinstance(node, ast.ClassDef) and any(_root(base) in names for base in node.bases):
            found |= {Borrowed(shown, f"self.{name}", at_top=False) for name in _inherited(node)}
    return found


def imported_names(tree: ast.AST) -> set[str]:
    """Return the names by which a file knows the libraries, their modules and what is in them."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in LIBRARIES:
                    found.add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in LIBRARIES)


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _private_names(node: ast.AST, names: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] in LIBRARIES and is_private(alias.name):
                yield alias.name
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
        for alias in node.names:
            if is_private(f"{node.module}.{alias.name}"):
                yield f"{node.module}.{alias.name}"
    elif isinstance(node, ast.Attribute) and is_private(node.attr):
        if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}):
            yield ast.unparse(node) if _root(node) in names else f"....{node.attr}"
    elif isinstance(node, ast.Call) and _root(node.func) in _BY_TEXT and len(node.args) > 1:
        name = node.args[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and is_private(name.value):
            yield f"....{name.value}"


def _root(node: ast.AST) -> str | None:
    """Return the name at the left end of a chain of attributes; None where there is no name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _inherited(node: ast.ClassDef) -> set[str]:
    """Return the private attributes of ``self`` that a class uses and neither sets nor defines."""
    own = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    own |= {
        part.target.id
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }
    used = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
            (own if isinstance(part.ctx, ast.Store) else used).add(part.attr)
    return {name for name in used - own if is_private(name)}


def own_private_names(paths: Iterable[Path]) -> set[str]:
    """Return the private names that our own files define: functions, classes, fields, what ``self`` gets."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            elif (
                isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _root(node) == "self"
            ):
                found.add(node.attr)
    return {name for name in found if is_private(name)}


@pytest.fixture(scope="module")
def found() -> set[Borrowed]:
    """Return what both packages borrow; attributes that our own classes have are ours."""
    own = own_private_names(FILES)
    names = {name for path in FILES for name in borrowed(path, REPOSITORY)}
    return {b for b in names if not (b.name.startswith(("....", "self.")) and b.name.split(".")[-1] in own)}


def test_private_names_are_those_of_the_table(found):
    """No more, and no fewer: what has gone is taken out of the table."""
    assert {(b.path, b.name) for b in found} == ALLOWED.keys()


def test_they_stand_in_the_guarded_rooms_and_are_met_when_they_are_used(found):
    """Never when a module is imported: where a name is missing, all but its shortcut still works."""
    assert not [b for b in found if b.at_top]
    assert not [path for path, _ in ALLOWED if not path.startswith(GUARDED)]


def test_each_name_has_a_test_of_the_way_without_it():
    """`FILE::TEST`, which is there."""
    for test in ALLOWED.values():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (REPOSITORY / file).read_text(encoding="utf-8"), test


CODE = """
import ray._private.worker
from mlflow.store.db import utils
from torch import _C as c
from optuna import Study

class Mine(Study):
    def __init__(self):
        self._own = 1

    def look(self, other):
        from ray import _raylet
        utils._initialize_tables(self._own, self._theirs, other.public)
        return other._inside, getattr(other, "_hidden"), self.__dict__, _raylet
"""


def test_what_the_search_for_them_finds(tmp_path):
    """Imports and attributes, at the top and within, inherited and by text; not our own, nor public ones."""
    path = tmp_path / "code.py"
    path.write_text(CODE, encoding="utf-8")
    assert {(b.name, b.at_top) for b in borrowed(path, tmp_path)} == {
        ("ray._private.worker", True),
        ("torch._C", True),
        ("ray._raylet", False),
        ("utils._initialize_tables", False),
        ("self._theirs", False),
        ("...._inside", False),
        ("...._hidden", False),
    }
