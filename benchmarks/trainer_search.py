"""`Trainer.hyperparameter_search(backend="ray")` over a grid: the other side of search_overhead.py.

    python benchmarks/trainer_search.py GRID.json FOLDER

GRID.json has `checkpoint`, `source`, `epochs`, `seed`, `cache` and `grid`; FOLDER is where Ray writes. The
script leaves FOLDER/seconds.txt: one line for each trial that got to its end, its seconds of training and
evaluation. It is what a user would write: one CPU a trial, macro-F1 at 0.5 after every epoch, no checkpoints,
no reports. Maximum length is no field of `TrainingArguments`, so it is added as one, and the collator cuts to
it. It runs with transformers 5.23 and Ray 2.60 as they are.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.metrics import f1_score
from trainer_loop import QUIET_ARGUMENTS, quiet, tokenize
from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

from goemo.data import load_splits
from goemo.models import build_model, load_tokenizer, resolve_checkpoint


@dataclass
class SearchArguments(TrainingArguments):  # type: ignore[misc]  # transformers is not typed
    """With the one hyperparameter that Trainer does not know."""

    max_length: int = 64


class CutAndPad:
    """Cuts texts to the trial's maximum length, their last special token kept, and pads them dynamically."""

    def __init__(self, tokenizer: Any, arguments: SearchArguments) -> None:
        self._pad, self._arguments = DataCollatorWithPadding(tokenizer), arguments

    def __call__(self, items: list[dict[str, Any]]) -> Any:
        """Return a batch."""
        most = self._arguments.max_length
        return self._pad(
            [
                {k: v if k == "labels" else v[: most - 1] + v[most - 1 :][-1:] for k, v in i.items()}
                for i in items
            ]
        )


class Clock(TrainerCallback):  # type: ignore[misc]
    """Writes down the seconds from the first step of a trial to its end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._started = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start."""
        self._started = time.perf_counter()

    def on_train_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        """Add a line, unless the training ended early."""
        if state.global_step == state.max_steps:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{time.perf_counter() - self._started}\n")


def macro_f1_at_half(evaluated: Any) -> dict[str, float]:
    """Return macro-F1 with the threshold 0.5, which is a logit of 0."""
    predicted = evaluated.predictions >= 0
    return {"macro_f1": float(f1_score(evaluated.label_ids > 0, predicted, average="macro", zero_division=0))}


def main() -> None:
    """Search, and write down what came of it."""
    from ray import tune

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("grid", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    quiet()
    folder = options.folder.resolve()
    task = json.loads(options.grid.read_text(encoding="utf-8"))
    splits = load_splits(task["source"], seed=task["seed"])
    checkpoint = resolve_checkpoint(
        task["checkpoint"], texts=splits.train.texts, cache=Path(task["cache"]).resolve()
    )
    tokenizer = load_tokenizer(checkpoint)
    arguments = SearchArguments(
        output_dir=str(folder / "trainer"),
        num_train_epochs=task["epochs"],
        warmup_steps=0.1,
        weight_decay=0.01,
        seed=task["seed"],
        eval_strategy="epoch",
        per_device_eval_batch_size=64,
        train_sampling_strategy="group_by_length",
        **QUIET_ARGUMENTS,
    )
    longest = int(max(task["grid"]["max_length"]))
    trainer = Trainer(
        args=arguments,
        train_dataset=tokenize(splits.train, tokenizer, max_length=longest),
        eval_dataset=tokenize(splits.validation, tokenizer, max_length=longest),
        data_collator=CutAndPad(tokenizer, arguments),
        compute_metrics=macro_f1_at_half,
        callbacks=[Clock(folder / "seconds.txt")],
        model_init=lambda: build_model(
            checkpoint, labels=splits.labels, trainable="all", seed=task["seed"], pooling="first"
        ),
    )
    trainer.hyperparameter_search(
        hp_space=lambda _: {name: tune.grid_search(values) for name, values in task["grid"].items()},
        compute_objective=lambda metrics: metrics["eval_macro_f1"],
        n_trials=1,  # of the whole grid
        direction="maximize",
        backend="ray",
        resources_per_trial={"cpu": 1},
        storage_path=str(folder / "ray"),
        verbose=0,
    )


if __name__ == "__main__":
    main()
