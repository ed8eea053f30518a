"""Arguments that name a search or a search space: completed by the shell, with the nearest name suggested."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem


class SearchName(click.ParamType[str]):
    """The name of a search on this machine.

    Args:
        is_read: The command only reads the search: ``minilm_head`` is taken for ``minilm-head``.
    """

    name = "search"

    def __init__(self, *, is_read: bool = False) -> None:
        self.is_read = is_read

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of the search that is meant."""
        del param, ctx
        if not self.is_read:
            return value
        from tune.records import search_names

        known = search_names()
        alike = [name for name in known if _plain(name) == _plain(value)]
        return alike[0] if value not in known and len(alike) == 1 else value

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Return the searches there are."""
        del param, ctx
        from tune.records import known_searches

        return known_searches()

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the searches that begin so."""
        del ctx, param
        from tune.records import search_names

        return _beginning(search_names(), incomplete)


class SpaceName(click.ParamType[str]):
    """A search space: a file, or the name of a shipped one."""

    name = "space"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the shipped search spaces that begin so, and let the shell add files."""
        del ctx, param
        from tune.spec import shipped_spaces

        found = _beginning([path.stem for path in shipped_spaces()], incomplete)
        return found or [CompletionItem(incomplete, type="file")]


def _plain(name: str) -> str:
    """Return a name without what people mix up: case, and which separator stands between words."""
    return name.lower().replace("_", "-").replace(" ", "-").removesuffix(".yaml")


def _beginning(names: Sequence[str], start: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(start)]
