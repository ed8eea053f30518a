"""What the documentation says can be done: links lead somewhere, and what is to be copied works."""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import re
import runpy
import shlex
from dataclasses import dataclass
from pathlib import Path

import click
import jsonschema
import pytest
import yaml

from tune.cli import cli
from tune.spec import load_spec, shipped_spaces
from tune.spec.documents import schema_text, table, with_tables
from tune.spec.keys import dotted_keys, known_at

TOP_LEVEL = known_at(())
REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CHANGELOG.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "SECURITY.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    REPOSITORY / "deploy" / "mlflow" / "README.md",
    REPOSITORY / "benchmarks" / "README.md",
]
SHELL = ("bash", "sh", "console")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)")
SEPARATORS = {"|", "||", "&&", ";", "&", ">", ">>", "<"}


@dataclass(frozen=True)
class Found:
    """Something on a page, and where."""

    page: Path
    line: int
    text: str
    language: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks(*languages):
    """Return the fenced blocks of these languages on all pages."""
    return [
        Found(page, text[: match.start()].count("\n") + 1, match[2], match[1])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for match in FENCE.finditer(text)
        if match[1] in languages
    ]


def prose(page):
    """Return a page with its fenced blocks emptied, line by line as it was."""
    text = page.read_text(encoding="utf-8")
    return FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)


def links():
    return [
        Found(page, text[: match.start()].count("\n") + 1, match[1])
        for page in PAGES
        for text in [prose(page)]
        for match in LINK.finditer(text)
        if not re.match(r"[a-z]+:", match[1])
    ]


def words(line):
    """Return the simple commands of a shell line, each as its words; comments and prompts are left out."""
    lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    commands = [[]]
    for word in lexer:
        if word in SEPARATORS:
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def shell_commands(program):
    """Return where and with which arguments the fenced blocks call a program."""
    found = []
    for block in blocks(*SHELL):
        lines = block.text.replace("\\\n", " ").splitlines()
        for line in lines:
            for command in words(line):
                while command and re.match(r"[A-Z_]+=", command[0]):
                    del command[0]
                if command and Path(command[0]).name == program:
                    found.append((block, command[1:]))
    return found


def inline_commands():
    """Return where and with which arguments the prose names a goemo command."""
    return [
        (Found(page, text[: match.start()].count("\n") + 1, match[1]), shlex.split(match[1])[1:])
        for page in PAGES
        for text in [prose(page)]
        for match in re.finditer(r"`(goemo [^`]+)`", text)
    ]


def parse(arguments):
    """Parse a call of goemo without making it; return the parameters of its command."""
    group = cli.make_context("goemo", list(arguments))
    name, command, rest = cli.resolve_command(group, list(arguments))
    assert command is not None
    return command.make_context(name, rest, parent=group).params


def heading_anchors(page):
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def ids(cases):
    return [str(case[0] if isinstance(case, tuple) else case) for case in cases]


@pytest.mark.parametrize("link", links(), ids=str)
def test_links_lead_to_files_and_headings_that_exist(link):
    """Every relative link and picture names a file of the project, and every anchor one of its headings."""
    path, _, anchor = link.text.partition("#")
    target = (link.page.parent / path).resolve() if path else link.page
    assert target.exists(), f"{link}: {link.text} is not there"
    assert target.is_relative_to(REPOSITORY), f"{link}: {link.text} leaves the project"
    if anchor:
        assert anchor in heading_anchors(target), f"{link}: {path or link.page.name} has no heading #{anchor}"


def test_the_site_is_searched_for_links_that_lead_nowhere(tmp_path):
    """To files, to anchors of this page and of others, in folders; what leaves the site is not followed."""
    site = runpy.run_path(str(REPOSITORY / "docs" / "site.py"))
    (tmp_path / "decisions").mkdir()
    (tmp_path / "index.html").write_text(
        "<h2 id='here'>x</h2><a href='#here'>1</a><a href='#gone'>2</a><a href='decisions/'>3</a>"
        "<a href='decisions/#why'>4</a><a href='missing.html'>5</a><img src='gone.png'>"
        "<a href='https://example.org/x'>6</a>",
        encoding="utf-8",
    )
    (tmp_path / "decisions/index.html").write_text("<a href='../index.html#no'>1</a>", encoding="utf-8")
    assert sorted(site["broken_links"](tmp_path)) == [
        "decisions/index.html: ../index.html#no: no such anchor",
        "index.html: #gone: no such anchor",
        "index.html: decisions/#why: no such anchor",
        "index.html: gone.png: no such file",
        "index.html: missing.html: no such file",
    ]


@pytest.mark.parametrize(("block", "arguments"), COMMANDS := shell_commands("goemo"), ids=ids(COMMANDS))
def test_commands_in_blocks_parse(block, arguments):
    """Every goemo command that can be copied names a sub-command, its options and all it requires."""
    try:
        with contextlib.suppress(click.exceptions.Exit):  # --help and --version have done their work
            parse(arguments)
    except click.UsageError as error:
        pytest.fail(f"{block}: goemo {shlex.join(arguments)}: {error.format_message()}")


@pytest.mark.parametrize(("place", "arguments"), NAMED := inline_commands(), ids=ids(NAMED))
def test_commands_in_prose_exist(place, arguments):
    """Every goemo command that the text names is one, with options that it has."""
    try:
        parse(arguments)
    except (click.MissingParameter, click.exceptions.Exit):
        pass  # prose may name a command without its arguments; --help has done its work
    except click.UsageError as error:
        pytest.fail(f"{place}: {place.text}: {error.format_message()}")


SEARCHES = [(block, arguments) for block, arguments in COMMANDS if arguments[:1] == ["search"]]


@pytest.mark.parametrize(("block", "arguments"), SEARCHES, ids=ids(SEARCHES))
def test_searches_in_blocks_have_valid_overrides(block, arguments):
    """Every search of a shipped space that can be copied loads, with its overrides, data and name."""
    options = parse(arguments)
    if options["space"].endswith(".yaml"):  # the reader's own file; its overrides need a model alone
        assert all(re.split("[.=]", key)[0] in TOP_LEVEL for key in options["overrides"]), str(block)
        return
    assert options["space"] in {path.stem for path in shipped_spaces()}, str(block)
    load_spec(options["space"], overrides=options["overrides"], data=options["data"], name=options["name"])


@pytest.mark.parametrize(("block", "arguments"), MADE := shell_commands("make"), ids=ids(MADE))
def test_make_targets_exist(block, arguments):
    """Every make target that can be copied is in the Makefile."""
    rules = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in arguments:
        assert re.search(rf"^{re.escape(target)}:", rules, re.MULTILINE), f"{block}: make {target}"


@pytest.mark.parametrize("block", SPACES := blocks("yaml", "yml"), ids=ids(SPACES))
def test_search_spaces_in_blocks_load(block, tmp_path):
    """Every YAML block is a search space, or a part of one, that loads without a problem."""
    assert set(yaml.safe_load(block.text)) <= set(TOP_LEVEL), f"{block}: not a search space"
    path = tmp_path / "block.yaml"
    is_part = "model" not in yaml.safe_load(block.text)
    path.write_text(("model: {checkpoint: roberta-base}\n" if is_part else "") + block.text, encoding="utf-8")
    assert load_spec(str(path)).total >= 1


@pytest.mark.parametrize("block", PYTHON := blocks("python", "py"), ids=ids(PYTHON))
def test_python_in_blocks_compiles_and_imports(block):
    """Every Python block compiles, and every name that it imports is there."""
    tree = ast.parse(block.text, filename=str(block))
    compile(tree, str(block), "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


def test_every_kind_of_example_is_found():
    """The checks of this file look at something: the pages have links, commands, YAML and Python."""
    for kind in (links(), COMMANDS, NAMED, SEARCHES, MADE, SPACES, PYTHON):
        assert kind
    shown = {arguments[0] for _, arguments in COMMANDS}
    assert shown == set(cli.commands), "the pages show every sub-command in use"


SEARCH_SPACES = REPOSITORY / "docs" / "search-spaces.md"


def test_the_tables_and_the_schema_are_those_of_the_declarations():
    """`make docs-tables` would change nothing: neither the page about search spaces nor the schema."""
    page = SEARCH_SPACES.read_text(encoding="utf-8")
    assert with_tables(page) == page, "run: make docs-tables"
    schema = (REPOSITORY / "search_spaces" / "schema.json").read_text(encoding="utf-8")
    assert schema == schema_text(), "run: make docs-tables"


def test_every_key_of_a_search_space_is_documented_once():
    """The page has a row for each key that there is, and for no other, with its default."""
    rows = re.findall(
        r"^\| `([a-z_.0-9]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", prose(SEARCH_SPACES), re.MULTILINE
    )
    # Thresholds and baseline are names, or mappings whose keys the text explains.
    inner = {key for key in dotted_keys() if key.count(".") > 1 or key.startswith("baseline.")}
    sections = {key.split(".")[0] for key in set(dotted_keys()) - inner if "." in key}
    assert len(set(rows)) == len(rows)
    assert set(rows) == set(dotted_keys()) - sections - inner
    assert "| `space.epochs` | whole number of at least 1 | `3` |" in table("space")


@pytest.mark.parametrize("path", shipped_spaces(), ids=lambda path: path.stem)
def test_the_schema_allows_every_shipped_space(path):
    """An editor marks nothing in a file that is right, and something in one that is wrong."""
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    validator.validate(values)
    assert not validator.is_valid(values | {"space": {"learning_rte": 1}})
    assert not validator.is_valid(values | {"scheduler": "ahsa"})
    assert validator.is_valid(values | {"scheduler": "none"})
    assert not validator.is_valid(values | {"space": {"epochs": {"uniform": [1, 2]}}})
    assert validator.is_valid(values | {"model": {"checkpoint": {"choice": ["a", "b"]}}})


@pytest.mark.parametrize("block", SPACES, ids=ids(SPACES))
def test_the_schema_allows_every_space_of_the_pages(block):
    """What the pages show is right for an editor too, apart from the model that parts leave out."""
    values = {"model": {"checkpoint": "c"}, **yaml.safe_load(block.text)}
    jsonschema.Draft202012Validator(json.loads(schema_text())).validate(values)
