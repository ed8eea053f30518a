"""README's table: what a bag of words, a frozen encoder, all weights and a blend reach on GoEmotions.

    python benchmarks/answer.py [--data FOLDER] [--runs FOLDER]

Runs `goemo search` on `minilm_head` and `minilm_full`, exports the best trial of the first and the blend of
the second, makes models of both from the weights that the searches kept, and judges them and the blend's
members on the test split, with the thresholds that were fitted on validation. What was done before in RUNS is
not done again: RUNS/seconds.json has what each command took.

Every interval is a 95 % bootstrap interval over the test rows; the difference to the baseline is paired on
the same rows. Milliseconds a text: `predict` of one text after another, the median of 200, with all threads;
and the whole test split in one call.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import find_goemotions, hardware, say, table

from goemo import bundle
from goemo.data import Split, load_splits
from goemo.evaluation import as_kept
from goemo.significance import bootstrap, compare
from goemo.thresholds import apply_thresholds

ONE_BY_ONE = 200
SEARCHES = {"head": "minilm_head", "full": "minilm_full"}


@dataclass(frozen=True)
class Answer:
    """One row of the table."""

    title: str
    search: str
    folder: Path


class Steps:
    """The commands, each run once; how long each took is kept beside what it made."""

    def __init__(self, runs: Path) -> None:
        runs.mkdir(parents=True, exist_ok=True)
        self.runs = runs
        self._file = runs / "seconds.json"
        self.seconds: dict[str, float] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def run(self, name: str, *arguments: str) -> None:
        """Run a command of goemo, unless it has run already.

        Raises:
            SystemExit: The command failed.
        """
        if name in self.seconds:
            say(f"{name}: done before, in {self.seconds[name]:.0f} s")
            return
        say(f"{name}: goemo {' '.join(arguments)}")
        environment = os.environ | {"GOEMO_RUNS": str(self.runs)}
        started = time.perf_counter()
        command = [sys.executable, "-m", "goemo", *arguments]
        done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
        if done.returncode:
            sys.exit(f"goemo {arguments[0]} ended with {done.returncode}")
        self.seconds[name] = time.perf_counter() - started
        self._file.write_text(json.dumps(self.seconds, indent=2))


def answers(steps: Steps) -> list[Answer]:
    """Return the models, the baseline first, after making them.

    The blend of a search of one encoder is of its baseline and its best trial, and its folder holds both.
    """
    for search, trial in (("head", None), ("full", "blend")):
        chosen = ["--trial", trial] if trial else []
        exported = str(steps.runs / f"{search}.yaml")
        steps.run(f"export {search}", "export", search, *chosen, "-o", exported)
        target = str(steps.runs / f"{search}-model")
        steps.run(f"retrain {search}", "retrain", exported, "--kept", "-o", target, "--no-register")
    blend = steps.runs / "full-model"
    words, best = sorted(
        (file.parent for file in blend.glob("*/provenance.json")),
        key=lambda folder: not folder.name.endswith("baseline"),
    )
    return [
        Answer("bag of words, the baseline of every search", "full", words),
        Answer("best of 27 heads on a frozen MiniLM", "head", steps.runs / "head-model"),
        Answer("best of 4 MiniLMs, all weights", "full", best),
        Answer("blend of that and the baseline", "full", blend),
    ]


def milliseconds(model: bundle.Bundle, texts: Sequence[str]) -> tuple[float, float]:
    """Return the time a text takes alone, the median, and among all."""
    alone = []
    for text in texts[:ONE_BY_ONE]:
        started = time.perf_counter()
        model.predict([text])
        alone.append(1e3 * (time.perf_counter() - started))
    started = time.perf_counter()
    model.predict(texts)
    return statistics.median(alone), 1e3 * (time.perf_counter() - started) / len(texts)


def megabytes(folder: Path) -> float:
    """Return the size of a model folder in MB."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def judged(made: Sequence[Answer], test: Split, steps: Steps) -> list[list[str]]:
    """Return the rows of the table; the first model is the one that the others are paired with."""
    models = [bundle.load(answer.folder, device="cpu") for answer in made]
    scores = [as_kept(model.scores(test.texts)) for model in models]
    predictions = [
        apply_thresholds(found, model.thresholds) for found, model in zip(scores, models, strict=True)
    ]
    drawn = bootstrap(test.targets, *predictions, labels=models[0].labels)
    rows = []
    for answer, model, draws in zip(made, models, drawn, strict=True):
        interval, paired = draws.interval(), compare(draws, drawn[0])
        difference = f"{paired.difference:+.3f} [{paired.low:+.3f}, {paired.high:+.3f}]"
        alone, among = milliseconds(model, test.texts)
        rows.append(
            [
                answer.title,
                f"{draws.estimate('macro_f1'):.3f} [{interval.low:.3f}, {interval.high:.3f}]",
                difference if rows else "",
                f"{steps.seconds[f'search {answer.search}'] / 60:.0f}",
                f"{alone:.1f}",
                f"{among:.2f}",
                f"{megabytes(answer.folder):.0f}",
            ]
        )
    return rows


def main() -> None:
    """Make what is missing, judge it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published GoEmotions files")
    parser.add_argument("--runs", type=Path, default=Path("mlruns/answer"))
    options = parser.parse_args()
    source = f"dir:{find_goemotions(options.data)}"
    steps = Steps(options.runs.resolve())
    for name, space in SEARCHES.items():
        steps.run(f"search {name}", "search", space, "--data", source, "--name", name)
    rows = judged(answers(steps), load_splits(source).test, steps)
    header = ["model", "test macro-F1", "over the baseline", "search, min", "ms a text alone"]
    print(table([*header, "ms a text of many", "MB"], rows))
    print(f"\n{hardware()}")


if __name__ == "__main__":
    main()
