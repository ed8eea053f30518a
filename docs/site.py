"""Build the documentation site into ``build/site``: `make docs`.

The pages are those that stand in the repository: README, `docs/`, the benchmarks. Two references are
made from the code: the commands, from their declarations, and the Python interface, from its docstrings.
Links between pages are rewritten to where the pages stand on the site; what is no page, such as a
notebook, is carried along. Then every link of the built site is followed, but for those that leave it.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from tune.cli import cli

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "build" / "site-source"
LINK = re.compile(r"(!?\[[^\]]*\]\()\s*([^)\s]+)([^)]*\))")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
OTHERS = {
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "deploy/mlflow/README.md": "mlflow-server.md",
}
PYTHON = (
    "tune.driver.run_search",
    "tune.driver.resume_search",
    "tune.driver.extend_search",
    "tune.spec.load_spec",
    "goemo.data.load_splits",
    "goemo.thresholds.fit_thresholds",
    "goemo.thresholds.apply_thresholds",
    "goemo.thresholds.FittedThresholds",
    "goemo.metrics.per_label_table",
    "goemo.metrics.averages",
    "goemo.evaluation.results",
    "goemo.bundle.load",
    "goemo.bundle.Bundle",
    "goemo.significance.paired_difference",
    "goemo.calibration.calibrate",
    "goemo.training.train",
)


def pages() -> dict[Path, str]:
    """Return every page of the site: its file in the repository, and where it stands on the site."""
    found = {REPOSITORY / name: place for name, place in OTHERS.items()}
    docs = REPOSITORY / "docs"
    return found | {page: page.relative_to(docs).as_posix() for page in sorted(docs.rglob("*.md"))}


def rewritten(page: Path, places: dict[Path, str]) -> str:
    """Return a page whose links lead to where things are on the site; what they need is carried along."""
    here = Path(places[page]).parent

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match[2].partition("#")
        if not target or re.match(r"[a-z]+:", match[2]):
            return match[0]
        file = (page.parent / target).resolve()
        if file.is_dir():
            return f"{match[1]}{relative(here, 'decisions/index.md')}{match[3]}"
        place = places.get(file) or carried(file)
        return f"{match[1]}{relative(here, place)}{'#' + anchor if anchor else ''}{match[3]}"

    text = page.read_text(encoding="utf-8")
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(link, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(link, text[end:])])


def carried(file: Path) -> str:
    """Copy a file that is no page, and return where it lies on the site."""
    docs = REPOSITORY / "docs"
    inside = file.relative_to(docs) if file.is_relative_to(docs) else Path("files") / file.name
    if file.suffix == ".yaml" or not file.suffix:
        inside = inside.with_name(f"{file.name}.txt")  # shown by a browser, not downloaded
    target = SOURCE / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return inside.as_posix()


def relative(here: Path, place: str) -> str:
    """Return the way from a folder of the site to a page of it."""
    return "/".join([*[".."] * len(here.parts), place])


def command_reference() -> str:
    """Return a page with every command: what it does, its arguments and options, an example."""
    lines = ["# Commands", "", "Each command has this text under `--help`.", ""]
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=f"goemo {name}")
        lines += [f"## {name}", "", inspect.cleandoc(command.help or "").replace("\b", ""), ""]
        lines += ["```", " ".join(command.get_usage(context).removeprefix("Usage: ").split()), "```", ""]
        records = [
            parameter.get_help_record(context)
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.hidden
        ]
        lines += ["| option | meaning |", "| --- | --- |"]
        lines += [f"| `{_cell(option)}` | {_cell(meaning)} |" for option, meaning in filter(None, records)]
        lines += ["", "```bash", getattr(command, "example", ""), "```", ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def python_reference() -> str:
    """Return a page that mkdocstrings fills with the docstrings of the documented interface."""
    lines = [
        "# Python",
        "",
        "What commands and notebooks call. Everything else may change between versions.",
        "",
    ]
    return "\n".join([*lines, *(f"::: {name}\n" for name in PYTHON)])


def decisions(places: dict[Path, str]) -> str:
    """Return a page that lists the decisions by their titles."""
    lines = ["# Decisions", "", "Why some things are as they are, half a page each.", ""]
    for page, place in places.items():
        if page.parent.name == "decisions":
            title = page.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
            lines.append(f"* [{title}]({Path(place).name})")
    return "\n".join([*lines, ""])


@dataclass
class Page(HTMLParser):
    """What a built page links to, and what can be linked to in it.

    Attributes:
        links: Every ``href`` and ``src``, as written.
        anchors: Every ``id`` and ``name``.
    """

    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Get ready to be fed."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links and anchors of a tag."""
        for name, value in attrs:
            if name in {"href", "src"} and tag != "base":
                self.links.append(value or "")
            elif name in {"id", "name"} and value:
                self.anchors.add(value)


def broken_links(site: Path) -> Iterator[str]:
    """Yield a line for each link of a built site that leads to no file, or to no anchor of its page."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = Page()
        pages[path].feed(path.read_text(encoding="utf-8"))
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            address = urlsplit(link)
            if address.scheme or address.netloc or path.name == "404.html":
                continue  # leaves the site; the page of a server's errors has the server's addresses
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            target = target / "index.html" if target.is_dir() else target
            where = path.relative_to(site)
            if not target.is_file():
                yield f"{where}: {link}: no such file"
            elif (
                address.fragment
                and target in pages
                and unquote(address.fragment) not in pages[target].anchors
            ):
                yield f"{where}: {link}: no such anchor"


def main() -> None:
    """Gather the pages, and have mkdocs build the site; a broken link or a warning is an error."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    places = pages()
    for page, place in places.items():
        target = SOURCE / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rewritten(page, places), encoding="utf-8")
    made = {
        "reference/commands.md": command_reference(),
        "reference/python.md": python_reference(),
        "decisions/index.md": decisions(places),
    }
    for place, text in made.items():
        (SOURCE / place).parent.mkdir(parents=True, exist_ok=True)
        (SOURCE / place).write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "-f",
        REPOSITORY / "mkdocs.yml",
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    code = subprocess.run(command, check=False, cwd=REPOSITORY, env=environment).returncode
    if code:
        sys.exit(code)
    site = REPOSITORY / "build" / "site"
    broken = list(broken_links(site))
    if broken:
        sys.exit("\n".join(broken))
    print(site / "index.html")


if __name__ == "__main__":
    main()
