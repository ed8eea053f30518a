"""What a user would write with `transformers.Trainer`: the other side of the benchmarks of the engine.

The same model (`goemo.models.build_model`), rows, batch size, maximum length, learning rate, weight decay and
warm-up as the engine has. It is configured as somebody would who knows Trainer: tokens are made beforehand
and kept in memory, the optimizer is the fused AdamW that is its default, nothing is logged, reported or
saved, data loaders have no processes of their own (short texts are collated faster than they are sent).

Three ways to put texts into batches:

    maximum   every text padded to the maximum length beforehand, as the published code does
    dynamic   padded to the longest of its batch, `DataCollatorWithPadding`
    grouped   the same, with `train_sampling_strategy="group_by_length"` (`group_by_length=True` until
              transformers 5)

Trainer needs the package accelerate, which goemo does not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
)
from transformers.utils import logging

from goemo.configuration import Configuration
from goemo.data import Split

COLLATIONS = ("maximum", "dynamic", "grouped")

# LengthGroupedSampler sorts within so many batches, where there are at least four times as many rows.
MEGABATCH = 50

Items = list[dict[str, Any]]  # what Trainer takes as a data set: input_ids, attention_mask, ..., labels

# Nothing that only shows or keeps something: it would be charged to Trainer alone.
QUIET_ARGUMENTS: Mapping[str, Any] = {
    "report_to": "none",
    "logging_strategy": "no",
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_num_workers": 0,
    "use_cpu": not torch.cuda.is_available(),
}


def quiet() -> None:
    """Leave out warnings about what is as it shall be."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def tokenize(split: Split, tokenizer: Any, *, max_length: int, collation: str = "dynamic") -> Items:
    """Return one mapping a text, with its labels; tensors where all texts have the same length."""
    padded = collation == "maximum"
    encoded = tokenizer(
        split.texts, truncation=True, max_length=max_length, padding="max_length" if padded else False
    )
    items = [
        {**{key: encoded[key][i] for key in encoded}, "labels": row}
        for i, row in enumerate(split.targets.astype(np.float32).tolist())
    ]
    if padded:
        items = [{key: torch.tensor(value) for key, value in item.items()} for item in items]
    return items


def make_trainer(
    configuration: Configuration,
    model: Any,
    tokenizer: Any,
    train: Items,
    *,
    output: Path,
    collation: str = "grouped",
    max_steps: int = -1,
    in_bfloat16: bool = False,
    compiled: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trainer:
    """Return a Trainer of a configuration; only its BCE loss and linear schedule are meant.

    Args:
        configuration: What the engine trains.
        model: From ``goemo.models.build_model`` for the configuration.
        tokenizer: From ``goemo.models.load_tokenizer``.
        train: From ``tokenize``, for the same collation.
        output: Folder that Trainer asks for; nothing is written to it.
        collation: One of ``COLLATIONS``.
        max_steps: Ends earlier than the epochs, when above 0.
        in_bfloat16: Mixed precision, which Trainer does where it is told to.
        compiled: With ``torch.compile``.
        callbacks: As Trainer takes them.
    """
    c = configuration
    arguments = TrainingArguments(
        output_dir=str(output),
        per_device_train_batch_size=c.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=c.learning_rate,
        weight_decay=c.weight_decay,
        warmup_steps=c.warmup_fraction,
        num_train_epochs=c.epochs,
        max_steps=max_steps,
        seed=c.seed,
        bf16=in_bfloat16,
        torch_compile=compiled,
        train_sampling_strategy="group_by_length" if collation == "grouped" else "random",
        **QUIET_ARGUMENTS,
    )
    collate = default_data_collator if collation == "maximum" else DataCollatorWithPadding(tokenizer)
    trainer = Trainer(
        model=model, args=arguments, train_dataset=train, data_collator=collate, callbacks=list(callbacks)
    )
    trainer.remove_callback(PrinterCallback)  # with progress bars off, it prints to stdout
    return trainer


class Window(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Times training steps: some to warm up, then whole groups of steps until enough seconds have gone by.

    Groups of ``MEGABATCH`` steps, because length grouping puts the longest of every megabatch first: any
    other number of steps would see too many long texts.

    Args:
        seconds: Least time.
        group: Steps that are timed together.
        warmup: Groups that are not timed, at the start.
    """

    def __init__(self, seconds: float, *, group: int = MEGABATCH, warmup: int = 0) -> None:
        self.least, self.group, self.warmup = seconds, group, warmup
        self.seconds, self.steps = 0.0, 0
        self._started = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        """Start the clock anew after the warm-up; stop the training after the last group."""
        if state.global_step == self.warmup * self.group:
            self._started = time.perf_counter()
        elif state.global_step % self.group == 0:
            self.seconds = time.perf_counter() - self._started
            self.steps = state.global_step - self.warmup * self.group
            control.should_training_stop = self.seconds >= self.least


def training_speed(trainer: Trainer, seconds: float, *, warmup: int = 0, group: int = MEGABATCH) -> float:
    """Train for at least so many seconds; return samples a second of the steps alone.

    The data set must have rows for a group of steps after the warm-up; of an epoch too short, RuntimeError.
    """
    window = Window(seconds, group=group, warmup=warmup)
    trainer.add_callback(window)
    trainer.train()
    if not window.steps:
        raise RuntimeError(f"the training ended before {group} steps could be timed: give it more epochs")
    return float(window.steps * trainer.args.per_device_train_batch_size / window.seconds)


def predicted_scores(trainer: Trainer, items: Items) -> NDArray[np.float32]:
    """Return Trainer's sigmoid scores, shape (texts, labels), in the order of the texts."""
    order = sorted(range(len(items)), key=lambda i: -len(items[i]["input_ids"]))
    # Grouping by length itself, Trainer would predict in a random order that it does not tell.
    trainer.args.train_sampling_strategy = "random"  # of training, and sequential here
    logits = trainer.predict([items[i] for i in order]).predictions
    scores = np.empty_like(logits, dtype=np.float32)
    scores[order] = torch.from_numpy(logits).sigmoid().numpy()
    return scores
