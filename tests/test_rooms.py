"""The layout: every folder is an idea, a room imports only those below it, and files stay small."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MOST_LINES = 450
MOST_LOOSE = 8

# From the ground up: what stands in a line may import what stands in those above it, and each other.
GOEMO = (
    ("errors", "arrays", "files", "escaping"),
    ("configuration",),
    ("calibration",),
    ("data",),
    ("tokens",),
    ("models",),
    ("looking",),
    ("fast",),
    ("inference",),
    ("frozen",),
    ("thresholds",),
    ("metrics", "significance"),
    ("evaluation",),
    ("training",),
    ("words", "blending"),
    ("published",),
    ("report",),
    ("bundle",),
)
TUNE = (
    ("durations", "environment", "short_names"),
    ("spec",),
    ("records",),
    ("space",),
    ("ranking",),
    ("stopping",),
    ("live",),
    ("tracking",),
    ("engine",),
    ("reporting",),
    ("answer",),
    ("models",),
    ("forecast",),
    ("driver",),
    ("housekeeping",),
    ("cli",),
    ("notebooks",),
)


def modules(package):
    """Return every module of a package, by its dotted name."""
    found = {}
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def is_for_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(path, known):
    """Return the modules imported with a file: not those inside functions, nor those for types alone."""
    found = set()
    waiting = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef) and not is_for_types(node):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return found & known.keys()


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize(("package", "order"), [("goemo", GOEMO), ("tune", TUNE)])
def test_a_room_imports_only_those_below_it(package, order):
    """Walls between rooms: nothing at the top of a module reaches up."""
    level = {name: height for height, names in enumerate(order) for name in names}
    known = modules(package)
    wrong = []
    for module, path in known.items():
        here = room(module)
        if here in {"", "__main__"}:
            continue
        assert here in level, f"{module}: no room of this name in the order"
        wrong += [
            f"{module} imports {other}"
            for other in imports(path, known)
            if room(other) and room(other) != here and level[room(other)] > level[here]
        ]
    assert not wrong


@pytest.mark.parametrize("package", ["goemo", "tune"])
def test_no_import_goes_round_in_circles(package):
    """What a module imports never leads back to it, but for a package that hands on its own modules."""
    known = modules(package)
    arrows = {name: imports(path, known) for name, path in known.items()}
    state: dict[str, str] = defaultdict(str)
    circles = []

    def visit(name, trail):
        state[name] = "open"
        for other in arrows[name]:
            if known[other].name == "__init__.py" and name.startswith(f"{other}."):
                continue  # its own package, which is being imported already
            if state[other] == "open":
                circles.append(" -> ".join([*trail[trail.index(other) :], other]))
            elif not state[other]:
                visit(other, [*trail, other])
        state[name] = "done"

    for name in known:
        if not state[name]:
            visit(name, [name])
    assert not circles


@pytest.mark.parametrize("package", ["goemo", "tune"])
def test_few_files_stand_loose(package):
    """A newcomer names the room: next to nothing stands outside of one."""
    loose = sorted(path.name for path in (REPOSITORY / package).glob("*.py"))
    assert len(loose) <= MOST_LOOSE, loose


def test_no_file_is_long():
    """A file that outgrows its idea becomes a package."""
    sources = [path for package in ("goemo", "tune") for path in (REPOSITORY / package).rglob("*.py")]
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in sources
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long
