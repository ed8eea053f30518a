"""Results of a search as a notebook shows them: a table, and the figures under it."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune.records import SearchFolder
from tune.short_names import short_value

if TYPE_CHECKING:
    import pandas as pd

    from tune.ranking.leaderboard import Leaderboard
    from tune.ranking.rows import Row

WIDTH = 100  # characters of the table as text
SHOWN = ("objective_by_hyperparameter", "learning_curves", "importance")  # figures under the table


@dataclass(frozen=True, repr=False)
class Results:
    """The trials of a search, best first.

    Attributes:
        name: The search.
        leaderboard: The ranking, with all that is known of each trial.
        is_complete: Whether all trials have ended.
        note: What is to be said of a search that is not over; else empty.
    """

    name: str
    leaderboard: Leaderboard
    is_complete: bool
    note: str = ""

    @property
    def best(self) -> Row:
        """The trial to take.

        Raises:
            GoemoError: No trial has a score.
        """
        return self.leaderboard.best

    @property
    def figures(self) -> dict[str, Path]:
        """The figures that the search has made, by name: ``importance``, ``learning_curves`` and so on."""
        folder = SearchFolder.open(self.name).path / "artifacts" / "figures"
        return {path.stem: path for path in sorted(folder.glob("*.png"))}

    def to_pandas(self) -> pd.DataFrame:
        """Return the leaderboard as a frame."""
        return self.leaderboard.to_pandas()

    def figure(self, name: str) -> Any:
        """Return a figure as an `IPython.display.Image`, which a notebook shows.

        Raises:
            InputError: There is none of that name.
        """
        from IPython.display import Image

        from goemo.errors import InputError

        known = self.figures
        if name not in known:
            raise InputError(
                name, [f"no figure of that name; available are: {', '.join(known) or 'none yet'}"]
            )
        return Image(data=known[name].read_bytes())  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        from tune.cli.tables import leaderboard_table, left_out
        from tune.live.consoles import CommandConsole
        from tune.ranking import leaderboard as boards

        # Forced, for in a notebook rich would show at once what is printed, whatever captures it.
        screen = CommandConsole(width=WIDTH, color_system=None, force_jupyter=False)
        with screen.capture() as captured:
            if self.leaderboard.rows:
                screen.print(leaderboard_table(self.leaderboard, most=20))
                screen.print(boards.summary(self.leaderboard))
            for line in (*left_out(self.leaderboard), *filter(None, [self.note])):
                screen.print(line)
        return captured.get().rstrip("\n") or f"{self.name}: no trial has a score yet"

    def _repr_html_(self) -> str:
        from tune.ranking import leaderboard as boards

        parts = [f"<p><b>{html.escape(self.name)}</b></p>"]
        if self.leaderboard.rows:
            columns = ["rank", "trial_id", *self.leaderboard.varied_names, self.leaderboard.objective]
            frame = self.to_pandas().rename(columns={"objective": self.leaderboard.objective})
            keep = [name for name in [*columns, "low", "high", "stop_reason"] if name in frame]
            parts.append(
                frame[list(dict.fromkeys(keep))].to_html(index=False, border=0, float_format=short_value)
            )
            parts.append(f"<p>{html.escape(boards.summary(self.leaderboard))}</p>")
        parts += [f"<p>{html.escape(self.note)}</p>"] if self.note else []
        figures = self.figures
        for name in SHOWN:
            if name in figures:
                data = base64.b64encode(figures[name].read_bytes()).decode()
                alt = html.escape(name.replace("_", " "))
                parts.append(f'<img alt="{alt}" style="max-width: 100%" src="data:image/png;base64,{data}">')
        return "\n".join(parts)
