r"""A grid search with a frozen encoder: the real `goemo search` beside the same work done by Trainer.

    python benchmarks/frozen_search.py
    python benchmarks/frozen_search.py --head-rows 1600 --rows 1600 --validation-rows 200 --seconds 1
    python benchmarks/frozen_search.py --encoder modernbert-base --head-rows 1600 --rows 1600 \
        --validation-rows 200 --max-lengths 32 --batches 5 --seconds 1

Three searches on GoEmotions:

    head         27 trials of the head on MiniLM, the space of search_spaces/minilm_head.yaml, all rows
    last_layer   9 trials of the last block and the head of MiniLM, on some of the training rows
    deep         the same of an encoder with 12 layers: --deep CHECKPOINT, else MiniLM's six layers twice
                 over, which is right for speed and for nothing else

With --encoder, the first two of an encoder of the size and structure of a published one, with random weights
and the token that its own head reads.

None stops a trial early. The engine is measured whole: the command from start to end, in a process of its own
with empty caches, tokens, features of the frozen part, 5 evaluations a trial with their thresholds, MLflow
and the report included, as many trials at once as there are cores.

Trainer's work is measured in part and multiplied. For each pair of batch size and maximum length, with the
encoder frozen by `requires_grad`, length grouping and one thread a process, as many processes at once as
there are cores: samples a second of training steps and of evaluation. From these follow `epochs` passes over
the training rows and 5 over validation for every trial, shared out over the cores without any loss. Its
loading, tokenizing, thresholds, metrics and records count as nothing, which favours Trainer. So does its
pooling: it reads the first token, where `head` in the engine takes the mean of all tokens.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from measuring import (
    ENCODERS,
    MINILM,
    find_goemotions,
    goemo_search,
    hardware,
    need_accelerate,
    say,
    spread,
    table,
    write_encoder,
    write_subset,
)
from trainer_loop import MEGABATCH, make_trainer, predicted_scores, quiet, tokenize, training_speed

from goemo.configuration import Configuration
from goemo.data import Split, load_splits
from goemo.models import build_model, load_tokenizer, resolve_checkpoint

REPORTS = 5
EVALUATED = 768  # validation texts of which Trainer's speed of evaluation is measured


@dataclass(frozen=True)
class Grid:
    """A search that both sides do.

    Attributes:
        trainable: ``head`` or ``last_layer``.
        pooling: Of the engine; Trainer has ``first``.
        rows: Training rows; all for 0.
    """

    name: str
    checkpoint: str
    trainable: str
    pooling: str
    rows: int
    batch_sizes: tuple[int, ...]
    learning_rates: tuple[float, ...]
    max_lengths: tuple[int, ...]
    epochs: int
    weight_decay: float

    @property
    def trials(self) -> int:
        """How many trials the grid has."""
        return len(self.batch_sizes) * len(self.learning_rates) * len(self.max_lengths)

    def space(self, data: Path, cpus: int) -> str:
        """Return the search space as YAML; ``cpus`` of one trial."""
        values: dict[str, Any] = {
            "name": self.name,
            "model": {"checkpoint": self.checkpoint, "trainable": self.trainable, "pooling": self.pooling},
            "data": {"source": f"dir:{data}"},
            "space": {
                "batch_size": {"grid": list(self.batch_sizes)},
                "learning_rate": {"grid": list(self.learning_rates)},
                "max_length": {"grid": list(self.max_lengths)},
                "epochs": self.epochs,
                "weight_decay": self.weight_decay,
                "warmup_fraction": 0.1,
            },
            "search": {"algorithm": "grid"},
            "scheduler": "none",
            "objective": {"metric": "macro_f1", "thresholds": "proportional", "reports": REPORTS},
            "resources": {"cpus_per_trial": cpus},
            "seed": 42,
        }
        return yaml.safe_dump(values, sort_keys=False)

    def configuration(self, batch_size: int, max_length: int) -> Configuration:
        """Return what Trainer is timed with; the learning rate costs nothing."""
        return Configuration(
            checkpoint=self.checkpoint,
            trainable=self.trainable,  # type: ignore[arg-type] # one of the allowed words
            batch_size=batch_size,
            max_length=max_length,
            learning_rate=self.learning_rates[0],
            epochs=self.epochs,
            weight_decay=self.weight_decay,
        )


def main() -> None:
    """Measure the searches that are asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published GoEmotions files")
    parser.add_argument("--only", nargs="+", choices=["head", "last_layer", "deep"])
    parser.add_argument("--encoder", choices=ENCODERS, help="a published encoder's size, in place of MiniLM")
    parser.add_argument("--head-rows", type=int, default=0, help="training rows of `head` (default: all)")
    parser.add_argument("--rows", type=int, default=8000, help="training rows of the other two")
    parser.add_argument(
        "--validation-rows", type=int, default=0, help="of validation and test (default: all)"
    )
    parser.add_argument("--max-lengths", type=int, nargs="+", default=[16, 32, 64], help="of `head`")
    parser.add_argument("--batches", type=int, default=MEGABATCH, help="of Trainer, timed together")
    parser.add_argument("--deep", help="checkpoint with 12 layers (default: MiniLM's layers twice over)")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="least time of one of Trainer's measurements"
    )
    parser.add_argument(
        "--tracking-uri", help="of `goemo search`; `none` logs nothing (default: a new store)"
    )
    options = parser.parse_args()
    need_accelerate()
    quiet()
    source = find_goemotions(options.data)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for grid in _grids(options, Path(folder)):
            work = Path(folder) / grid.name
            data = write_subset(source, work / "data", train=grid.rows, validation=options.validation_rows)
            say(f"{grid.name}: goemo search, {grid.trials} trials")
            run = goemo_search(
                grid.space(data, 1),
                work / "runs",
                grid.name,
                tracking_uri=options.tracking_uri,
                reports=REPORTS,
            )
            if len(run.trial_seconds) != grid.trials:
                raise SystemExit(f"{grid.name}: {len(run.trial_seconds)} of {grid.trials} trials ended")
            say(f"{grid.name}: {run.wall:.1f} s; now Trainer")
            cost = trainer_cost(grid, data, work, options.seconds, batches=options.batches)
            rows.append(_row(grid, data, run.wall, sum(run.trial_seconds), cost))
            shutil.rmtree(work)
    print(f"{hardware()}; one thread a trial, {os.cpu_count()} trials at once\n")
    header = ["search", "trials", "training rows", "`goemo search`, s", "of it in trials, s"]
    print(table([*header, "Trainer, s (multiplied)", "ratio", "Trainer, samples/s a core"], rows))
    print(
        f"\nTrainer's seconds are not of whole runs: at least {options.seconds:g} s of steps of each pair of "
        f"batch size and maximum length were timed, and {EVALUATED} texts of evaluation, and multiplied out "
        f"to all epochs and {REPORTS} evaluations of every trial."
    )


def _grids(options: argparse.Namespace, folder: Path) -> list[Grid]:
    checkpoint, pooling = MINILM, "mean"
    if options.encoder is not None:
        checkpoint = str(write_encoder(options.encoder, folder / options.encoder, weights=True))
        pooling = "first"
    last_layer = Grid(
        name="last_layer",
        checkpoint=checkpoint,
        trainable="last_layer",
        pooling="first",
        rows=options.rows,
        batch_sizes=(16, 32, 64),
        learning_rates=(1e-4, 3e-4, 1e-3),
        max_lengths=(32,),
        epochs=5,
        weight_decay=1e-4,
    )
    head = replace(
        last_layer,
        name="head",
        trainable="head",
        pooling=pooling,
        rows=options.head_rows,
        learning_rates=(3e-4, 1e-3, 3e-3),
        max_lengths=tuple(options.max_lengths),
    )
    wanted = options.only or ["head", "last_layer", *([] if options.encoder else ["deep"])]
    grids = [grid for grid in (head, last_layer) if grid.name in wanted]
    if "deep" in wanted:
        checkpoint = options.deep or str(twice_as_deep(folder / "minilm-twice"))
        grids.append(replace(last_layer, name="deep", checkpoint=checkpoint))
    return grids


def twice_as_deep(folder: Path) -> Path:
    """Write a checkpoint of MiniLM's blocks, first to last, twice over; return its folder."""
    from transformers import AutoModel

    small = resolve_checkpoint(MINILM, texts=None, cache=folder.parent)
    shutil.copytree(small.folder, folder)
    model = AutoModel.from_pretrained(small.folder, dtype=torch.float32)
    model.encoder.layer.extend([*model.encoder.layer])
    model.config.num_hidden_layers = len(model.encoder.layer)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}  # no two share memory
    model.save_pretrained(folder, state_dict=state)
    return folder


@dataclass(frozen=True)
class Cost:
    """What Trainer's work of a search would take, in seconds of one core.

    Attributes:
        seconds: All trials.
        speeds: Samples a second of one core, in training steps, of each pair of batch size and length.
    """

    seconds: float
    speeds: tuple[float, ...]


def trainer_cost(grid: Grid, data: Path, folder: Path, seconds: float, *, batches: int) -> Cost:
    """Measure a sample of Trainer's work, as many processes at once as there are cores, and multiply."""
    splits = load_splits(f"dir:{data}")
    pairs = list(itertools.product(grid.batch_sizes, grid.max_lengths))
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context, initializer=_one_thread) as pool:
        asked = [pool.submit(_speeds, grid, pair, data, folder, seconds, batches=batches) for pair in pairs]
        found = [future.result() for future in asked]
    trials_a_pair = len(grid.learning_rates)
    train, validation = len(splits.train), len(splits.validation)
    total = sum(grid.epochs * train / steps + REPORTS * validation / looks for steps, looks in found)
    return Cost(trials_a_pair * total, tuple(steps for steps, _ in found))


def _one_thread() -> None:
    torch.set_num_threads(1)
    quiet()


def _speeds(
    grid: Grid, pair: tuple[int, int], data: Path, folder: Path, seconds: float, *, batches: int
) -> tuple[float, float]:
    """Return samples a second of Trainer's training steps and of its evaluation."""
    batch_size, max_length = pair
    splits = load_splits(f"dir:{data}")
    checkpoint = resolve_checkpoint(grid.checkpoint, texts=None, cache=folder)
    tokenizer = load_tokenizer(checkpoint)
    c = grid.configuration(batch_size, max_length)
    model = build_model(
        checkpoint, labels=splits.labels, trainable=c.trainable, seed=c.seed, pooling=c.pooling
    )
    items = tokenize(splits.train, tokenizer, max_length=max_length)
    trainer = make_trainer(c, model, tokenizer, items, output=folder)
    steps = training_speed(trainer, seconds, group=batches)
    few = tokenize(_first(splits.validation, EVALUATED), tokenizer, max_length=max_length)
    predicted_scores(trainer, few[:64])  # what happens once
    started = time.perf_counter()
    predicted_scores(trainer, few)
    looks = len(few) / (time.perf_counter() - started)
    say(
        f"{grid.name}: Trainer, batch {batch_size}, max_length {max_length}: "
        f"{steps:.0f} samples/s in training and {looks:.0f} in evaluation"
    )
    return steps, looks


def _first(split: Split, rows: int) -> Split:
    return replace(split, texts=split.texts[:rows], targets=split.targets[:rows], ids=split.ids[:rows])


def _row(grid: Grid, data: Path, wall: float, in_trials: float, cost: Cost) -> list[str]:
    cores = os.cpu_count() or 1
    with (data / "train.tsv").open(encoding="utf-8") as lines:
        train = sum(1 for _ in lines)
    of_trainer = cost.seconds / cores
    name = grid.name if grid.checkpoint == MINILM else f"{grid.name} ({Path(grid.checkpoint).name})"
    return [
        f"`{name}`",
        str(grid.trials),
        f"{train:,}",
        f"{wall:,.1f}",
        f"{in_trials / cores:,.1f}",
        f"{of_trainer:,.0f}",
        f"{of_trainer / wall:,.1f}",
        spread(cost.speeds, 0),
    ]


if __name__ == "__main__":
    main()
