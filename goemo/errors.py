"""Errors of two kinds: the input is wrong, or the work failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LONGEST = 4096  # bytes of a message


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
        where = self.where.removesuffix(":")  # of a source such as sample:
        if len(self.problems) == 1:
            return shortened(f"{where}: {self.problems[0]}", LONGEST)
        lines, left = (
            [shortened(f"{where}: {len(self.problems)} problems", LONGEST // 4)],
            3 * LONGEST // 4 - 40,
        )
        for place, problem in enumerate(self.problems):
            line = shortened(f"  {problem}", LONGEST // 4)
            left -= len(line.encode(errors="replace")) + 1
            if left < 0:
                return "\n".join([*lines, f"  and {len(self.problems) - place} more"])
            lines.append(line)
        return "\n".join(lines)


def shortened(text: str, most: int) -> str:
    """Return a text of at most ``most`` bytes."""
    content = text.encode(errors="replace")
    return text if len(content) <= most else content[: most - 3].decode(errors="ignore") + "..."


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that have led to it."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
