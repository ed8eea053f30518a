"""Tables in a terminal: what identifies and ranks is whole at any width, and nothing in a cell is obeyed."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.table import Table

from goemo.escaping import printable
from tune.cli.tables import leaderboard_table, per_label_table, predictions_table
from tune.live.consoles import CommandConsole, results_console
from tune.live.listing import Column, Listing, first_words
from tune.live.plain import echo
from tune.live.progress import Best, ProgressView, SearchState, TrialState
from tune.ranking.leaderboard import Leaderboard
from tune.ranking.rows import Row
from tune.short_names import short_name

FIVE = {
    "learning_rate": 2.34567e-5,
    "batch_size": 32,
    "weight_decay": 0.0123456,
    "warmup_fraction": 0.1234,
    "schedule": "cosine",
}
EIGHT = FIVE | {"dropout": 0.4321, "max_length": 64, "layer_decay": 0.8123}
HOSTILE = ("[/b]", "[other]", "[red]x[/red]", "\x1b[31mred", "\x9b31mred", "a\x07b", "a\rb", "\u202egnp.exe")


def console(width):
    return CommandConsole(file=io.StringIO(), width=width, highlight=False, markup=False)


def shown(renderable, width):
    screen = console(width)
    screen.print(renderable)
    return screen.file.getvalue()


def board(varied, trials=12):
    row = Row(
        rank=1,
        search="roberta-tpe",
        trial_id="t001",
        config={},
        varied=varied,
        stop_reason="completed",
        progress=100,
        best_progress=100,
        objective=0.45123,
        val_macro_f1=0.4512,
        val_weighted_f1=0.5,
        val_micro_f1=0.5,
        val_macro_f1_at_half=0.4021,
        low=0.441,
        high=0.461,
        tied_with_best=True,
        seconds=1.0,
    )
    rows = [
        replace(row, rank=n, trial_id=f"t{n * 7:03d}", stop_reason="stopped_early", progress=20)
        for n in range(1, trials + 1)
    ]
    return Leaderboard("roberta-tpe", "macro_f1", tuple(rows), {})


@pytest.mark.parametrize("varied", [{}, FIVE, EIGHT], ids=["none", "five", "eight"])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_rank_id_score_and_interval_are_whole_at_any_width(varied, width):
    """Each row has them in one line, every setting is somewhere with four digits, and no line is too long."""
    text = shown(leaderboard_table(board(varied)), width)
    lines = text.splitlines()
    for n in range(1, 13):
        assert any(
            re.match(rf" ?{n}  t{n * 7:03d}\b.* 0\.4512  0\.4410 to 0\.4610", line) for line in lines
        ), text
    assert max(map(len, lines)) <= width
    for value in ("2.346e-05", "0.01235", "cosine", "0.4321") if varied is EIGHT else ():
        assert len(re.findall(rf"(?<![\w.]){re.escape(value)}(?!\w)", text)) == 12
    if " lr " not in text and varied:
        assert "settings are shown under each row" in " ".join(text.split())
    if "ended" not in lines[1]:
        assert "left out for lack of space: at 0.5, ended; --format csv shows them" in " ".join(text.split())


def test_a_table_in_a_pipe_is_whole(capsys):
    """Every column with its numbers, however many hyperparameters vary, and no line longer than it needs."""
    results_console().print(leaderboard_table(board(EIGHT, trials=1)))
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line.split() for line in lines if "t007" in line)
    values = ["2.346e-05", "32", "0.01235", "0.1234", "cosine", "0.4321", "64", "0.8123"]
    assert row[:2] == ["1", "t007"]
    assert sorted(row[2:10]) == sorted(values)
    assert " ".join(row[10:]) == "0.4512 0.4410 to 0.4610 0.4021 stopped at 20 %"
    assert max(map(len, lines)) < 200


@pytest.mark.parametrize("varied", [FIVE, EIGHT], ids=["five", "eight"])
@pytest.mark.parametrize("width", [80, 160])
def test_the_live_view_keeps_ids_and_scores_whole(varied, width):
    """What varies gives way: whole words, and how many more there are."""
    state = SearchState("roberta-tpe", total=30, objective="macro_f1")
    state.running = {f"t{n:03d}-s43": TrialState(short_name(varied), 100, 0.25) for n in range(1, 4)}
    state.best = Best("t002-s43", short_name(varied), 0.2512)
    state.interval = (state.best, 0.2, 0.3)
    screen = console(width)
    screen.height = 30
    text = shown(ProgressView(state, screen).render(), width)
    words = set(short_name(varied).split())
    for n in range(1, 4):
        line = next(line for line in text.splitlines() if line.startswith(f"t{n:03d}-s43  "))
        label = line.partition("0.2500")[2].split()
        told = int(label[label.index("more") - 1].removeprefix("+")) if "more" in label else 0
        named = [word for word in label if word in words]
        assert len(named) + told == len(words), line
    assert "best so far  t002-s43  macro_f1 0.2512 [0.2000, 0.3000]  lr2.346e-05" in text
    assert "…" not in text


@given(st.lists(st.text("abc=1.", min_size=1, max_size=9), max_size=9), st.integers(0, 60))
def test_words_are_whole_or_counted(words, room):
    """As many as fit, never half of one, and never more columns than there are."""
    line = first_words(words, room)
    assert cell_len(line) <= room
    match = re.fullmatch(r"(.*?)(?: \+(\d+) more)?", line)
    named, rest = match[1].split(), int(match[2] or 0)
    assert named == words[: len(named)]
    assert len(named) + rest == len(words) or not line


def test_wide_characters_count_twice():
    """A column of Japanese names is as wide as it looks."""
    table = Listing("", (Column("name"), Column("n", is_number=True)), [("感情", "1"), ("abc", "2")])
    lines = shown(table, 40).splitlines()
    assert {cell_len(line) for line in lines} == {len("name") + 2 + 1}


def test_a_prediction_shows_each_score_beside_its_threshold():
    """Predicted labels by score, the highest of the others, and labels that are never predicted."""
    scores = {"joy": 0.31, "love": 0.9, "fear": 0.2, "grief": 0.6}
    thresholds = {"joy": 0.25, "love": 0.4, "fear": 0.3, "grief": float("inf")}
    both = {"text": "so happy", "labels": ["joy", "love"], "scores": scores}
    none = {"text": "a table", "labels": [], "scores": {**scores, "grief": 0.01}}
    lines = shown(predictions_table([both, none], thresholds), 120).splitlines()
    cells = [re.split(r"  +", line.strip()) for line in lines if line.strip()]
    assert cells[0] == ["text", "labels: score (threshold)", "next"]
    assert cells[2:] == [
        ["so happy", "love 0.90 (0.40)", "grief 0.60 (never)"],
        ["joy 0.31 (0.25)"],
        ["a table", "(none)", "love 0.90 (0.40)"],
    ]


@pytest.mark.parametrize("label", HOSTILE)
def test_a_label_is_shown_and_not_obeyed(label):
    """Brackets stand as they are; what a terminal would obey is gone, and all else is there."""
    item = {"text": label, "labels": [label], "scores": {label: 0.5}}
    row = {"label": label, "f1": 0.5, "precision": 0.5, "recall": 0.5, "mcc": 0.5, "support": 3}
    part = {"per_label": [{**row, "threshold": None}]}
    results = {"split": "test", "examples": 3, "results": {"fixed_0.5": part, "validation": part}}
    for table in (predictions_table([item], {label: 0.5}), per_label_table(results)):
        text = shown(table, 120)
        assert printable(label) in text
        assert not set(text) & {"\x1b", "\x9b", "\x07", "\r", "\u202e"}


@pytest.mark.parametrize("text", HOSTILE)
def test_every_door_to_the_terminal_is_guarded(text, capsys):
    """Results, lines and data on a terminal lose what it would obey; data in a pipe is exact."""
    results_console().print(text)
    echo(text)
    echo(text, err=True)
    captured = capsys.readouterr()
    assert captured.out == f"{printable(text)}\n" * 2
    assert captured.err == f"{printable(text)}\n"
    echo(json.dumps(text, ensure_ascii=False), is_data=True)
    assert json.loads(capsys.readouterr().out) == text
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", terminal)
        echo(text, is_data=True)
    assert terminal.getvalue() == f"{printable(text)}\n"


@pytest.mark.parametrize("name", ["[/b]", "[other]", ":joy:", "joy [positive]"])
def test_a_name_is_neither_markup_nor_a_picture(name):
    """Brackets and colons around a word are shown by every console as they were written."""
    screen = CommandConsole(file=io.StringIO(), width=80)
    table = Table("label")
    table.add_row(name)
    screen.print(table)
    screen.print(f"said: {name}")
    assert screen.file.getvalue().count(name) == 2


def test_styles_of_our_own_stay():
    """Only what comes from outside is taken out."""
    screen = CommandConsole(file=io.StringIO(), force_terminal=True, color_system="standard", width=40)
    screen.print("x", style="bold")
    assert screen.file.getvalue().startswith("\x1b[1mx")
