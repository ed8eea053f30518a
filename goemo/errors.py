"""Errors of two kinds: the input is wrong, or the work failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LONGEST = 4096  # bytes of a message
MOST_SHOWN = 20  # problems


class GoemoError(Exception):
    """The work failed; the message is one clear line that says what to do. Exit code 1."""


class InputError(GoemoError):
    """The call, a file or the data is wrong; nothing was started. Exit code 2.

    Args:
        where: What is wrong: a path, an option, a name.
        problems: One line each: place, rule, value, remedy.
        remedy: What helps against all of them, where there is something.
    """

    def __init__(self, where: str, problems: Iterable[str], remedy: str = "") -> None:
        self.where = where
        self.problems = tuple(problems)
        self.remedy = remedy
        super().__init__(where, self.problems, remedy)

    def __str__(self) -> str:
        where = self.where.removesuffix(":")  # of a source such as sample:
        if len(self.problems) == 1:
            remedy = f"; {self.remedy}" if self.remedy else ""
            return shortened(f"{where}: {self.problems[0]}", LONGEST - len(remedy.encode())) + remedy
        lines, left = (
            [shortened(f"{where}: {len(self.problems)} problems", LONGEST // 4)],
            3 * LONGEST // 4 - 40 - len(self.remedy.encode()),
        )
        for problem in self.problems[:MOST_SHOWN]:
            line = shortened(f"  {problem}", LONGEST // 4)
            left -= len(line.encode(errors="replace")) + 1
            if left < 0:
                break
            lines.append(line)
        shown = len(lines) - 1
        more = [f"  and {len(self.problems) - shown} more"] if shown < len(self.problems) else []
        return "\n".join([*lines, *more, *([f"  {self.remedy}"] if self.remedy else [])])


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
