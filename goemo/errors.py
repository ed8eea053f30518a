"""What can go wrong, in two kinds: the input is wrong, or the work failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class GoemoError(Exception):
    """The work failed; the message is one clear line that says what to do. Exit code 1."""


class InputError(GoemoError):
    """The call, a file or the data is wrong; nothing was started. Exit code 2.

    Args:
        where: What is wrong: a path, an option, a name.
        problems: One line each: place, rule, value, remedy.
    """

    def __init__(self, where: str, problems: Iterable[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__(where, self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.where}: {self.problems[0]}"
        return "\n".join([f"{self.where}: {len(self.problems)} problems", *(f"  {p}" for p in self.problems)])


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that have led to it."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
