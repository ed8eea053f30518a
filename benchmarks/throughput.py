"""Samples a second of training: the engine beside `transformers.Trainer`, every weight of an encoder.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --batch-sizes 16 --rounds 1 --seconds 5
    python benchmarks/throughput.py --encoder modernbert-base --batch-sizes 16 --batches 10 --loops grouped

By default of MiniLM. With --encoder, of the size and structure of a published encoder, with random weights.

Real GoEmotions texts, the same model, optimizer, threads and batch sizes on both sides (see
`trainer_loop.py` for the three ways of Trainer). Both sides train in float32, and then in bfloat16: the
engine does that by itself where the processor has instructions for it, Trainer where it is told to. What is
timed is training steps alone, batches included: no evaluation, no tokenizing, no loading of models, and the
first steps of a process are not counted. All take turns within a round, so that a machine that gets busier
hurts all; a ratio is taken within its round. The engine passes over a whole number of its windows of 50
batches and Trainer over a whole number of its own, so that both see long and short texts in the proportions
of the data. A window of fewer batches, --batches, is smaller on both sides.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from measuring import (
    ENCODERS,
    MINILM,
    find_goemotions,
    hardware,
    need_accelerate,
    say,
    spread,
    table,
    write_encoder,
    write_subset,
)
from trainer_loop import COLLATIONS, MEGABATCH, make_trainer, quiet, tokenize, training_speed
from transformers import Trainer

from goemo.configuration import Configuration
from goemo.data import Split, load_splits
from goemo.models import build_model, load_tokenizer
from goemo.training import TrainingRun
from goemo.training.precision import cpu_has_bfloat16
from goemo.training.prepared import Prepared, prepare

# Of fewer rows than four windows, Trainer's length grouping would sort within fewer batches than a window.
TRAINER_WINDOWS = 4


@dataclass(frozen=True)
class Way:
    """One loop: the engine, or Trainer with its way to put texts into batches, and the arithmetic."""

    collation: str | None
    in_bfloat16: bool

    @property
    def shown(self) -> str:
        """Return its name for the table."""
        names = {
            None: "engine",
            "maximum": "Trainer, padded to the maximum",
            "dynamic": "Trainer, dynamic padding",
            "grouped": "Trainer, grouped by length",
        }
        return f"{names[self.collation]}, {'bfloat16' if self.in_bfloat16 else 'float32'}"


WAYS = [Way(collation, in_bfloat16) for in_bfloat16 in (False, True) for collation in (None, *COLLATIONS)]


@dataclass(frozen=True)
class Case:
    """One configuration on some rows, for both sides.

    Attributes:
        configuration: Batch size, maximum length, seed and the rest.
        prepared: For the engine: as many rows as one window of batches.
        train: For Trainer: more rows, of which it trains a whole number of its windows.
        folder: For what Trainer would write.
    """

    configuration: Configuration
    prepared: Prepared
    train: Split
    folder: Path

    def engine_speed(self, seconds: float, threads: int, *, in_bfloat16: bool) -> float:
        """Train whole passes for at least so many seconds; return samples a second of the steps."""
        c = replace(self.configuration, mixed_precision="bfloat16" if in_bfloat16 else "none")
        rows, seed = len(self.prepared.tokens["train"]), c.seed
        samples, spent = 0, 0.0
        while spent < seconds:
            run = TrainingRun(replace(c, seed=seed), self.prepared, threads=threads)
            speed = run.train_to(100).metrics["train/samples_per_second"]
            samples, spent, seed = samples + rows, spent + rows / speed, seed + 1
        return samples / spent

    def trainer(self, collation: str, *, in_bfloat16: bool = False, max_steps: int = -1) -> Trainer:
        """Return a fresh Trainer."""
        c = self.configuration
        tokenizer = load_tokenizer(self.prepared.checkpoint)
        items = tokenize(self.train, tokenizer, max_length=c.max_length, collation=collation)
        model = build_model(
            self.prepared.checkpoint,
            labels=self.prepared.labels,
            trainable=c.trainable,
            seed=c.seed,
            pooling=c.pooling,
        )
        return make_trainer(
            c,
            model,
            tokenizer,
            items,
            output=self.folder,
            collation=collation,
            max_steps=max_steps,
            in_bfloat16=in_bfloat16,
        )


def make_case(source: Path, configuration: Configuration, folder: Path, *, batches: int = MEGABATCH) -> Case:
    """Draw rows by the configuration's seed, for windows of so many batches, and prepare them."""
    c, name = configuration, f"{configuration.batch_size}-{configuration.seed}"
    rows = write_subset(source, folder / name, train=TRAINER_WINDOWS * batches * c.batch_size, seed=c.seed)
    window = write_subset(
        rows, folder / f"{name}-window", train=batches * c.batch_size, validation=64, seed=c.seed
    )
    # The engine trains the words that the data has: those of all of it, and not of a window alone.
    shutil.copy(source / "train.tsv", window / "test.tsv")
    prepared = prepare(
        load_splits(f"dir:{window}"),
        c.checkpoint,
        trainable=c.trainable,
        pooling=c.pooling,
        max_lengths=[c.max_length],
        cache=folder / "cache",
    )
    return Case(c, prepared, load_splits(f"dir:{rows}").train, folder)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published GoEmotions files")
    parser.add_argument("--checkpoint", default=MINILM)
    parser.add_argument("--encoder", choices=ENCODERS, help="a published encoder's size, in place of weights")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--max-length", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20.0, help="least time of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--batches",
        type=int,
        default=MEGABATCH,
        help="in which texts are sorted by length, and timed together",
    )
    parser.add_argument("--loops", nargs="+", choices=COLLATIONS, default=COLLATIONS, help="of Trainer")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    need_accelerate()
    torch.set_num_threads(options.threads)
    quiet()
    source = find_goemotions(options.data)
    speeds: dict[tuple[int, Way], list[float]] = defaultdict(list)
    has_bfloat16 = cpu_has_bfloat16()  # else it would be emulated
    ways = [
        way
        for way in WAYS
        if way.collation in {None, *options.loops} and (has_bfloat16 or not way.in_bfloat16)
    ]
    with tempfile.TemporaryDirectory() as name:
        checkpoint = options.checkpoint
        if options.encoder is not None:
            checkpoint = f"scratch:{write_encoder(options.encoder, Path(name) / options.encoder)}"
        for number, size in itertools.product(range(options.rounds), options.batch_sizes):
            configuration = Configuration(
                checkpoint=checkpoint,
                batch_size=size,
                max_length=options.max_length,
                epochs=1,
                seed=number,
            )
            case = make_case(source, configuration, Path(name), batches=options.batches)
            if not speeds:  # what happens once a process is not counted
                TrainingRun(configuration, case.prepared, threads=options.threads).train_to(10)
                case.trainer("grouped", max_steps=5).train()
            for way in ways:
                speed = (
                    case.engine_speed(options.seconds, options.threads, in_bfloat16=way.in_bfloat16)
                    if way.collation is None
                    else training_speed(
                        case.trainer(way.collation, in_bfloat16=way.in_bfloat16),
                        options.seconds,
                        group=options.batches,
                    )
                )
                speeds[size, way].append(speed)
                say(f"round {number + 1}, batch {size}, {way.shown}: {speed:.1f} samples/s")

    engines = [way for way in ways if way.collation is None]
    rows = []
    for size, way in itertools.product(options.batch_sizes, ways):
        ratios = [
            spread([a / b for a, b in zip(speeds[size, engine], speeds[size, way], strict=True)], 2)
            for engine in engines
        ]
        rows.append([str(size), way.shown, spread(speeds[size, way]), *ratios])
    print(hardware(options.threads))
    print(
        f"{options.encoder or options.checkpoint}, every weight trains, max_length {options.max_length}; "
        f"samples/s, median of {options.rounds} rounds (least to most) of at least {options.seconds:g} s "
        "each.\n"
    )
    print(table(["batch", "loop", "samples/s", *(f"{way.shown} / this" for way in engines)], rows))


if __name__ == "__main__":
    main()
