"""What a space may vary, with the rule for each value."""

from __future__ import annotations

from dataclasses import dataclass

from goemo.configuration.schedules import SCHEDULES
from tune.spec.rules import Rule, loss, number, one_of, whole


@dataclass(frozen=True)
class Hyperparameter:
    """What a space may vary: the type of its values and the rule for each."""

    type: type[int | float | str]
    rule: Rule


HYPERPARAMETERS: dict[str, Hyperparameter] = {
    "batch_size": Hyperparameter(int, whole(1)),
    "learning_rate": Hyperparameter(float, number(above=0)),
    "epochs": Hyperparameter(int, whole(1)),
    "max_length": Hyperparameter(int, whole(4)),
    "weight_decay": Hyperparameter(float, number(low=0)),
    "warmup_fraction": Hyperparameter(float, number(low=0, high=1)),
    "schedule": Hyperparameter(str, one_of(*SCHEDULES)),
    "loss": Hyperparameter(str, loss),
    "label_smoothing": Hyperparameter(float, number(low=0, high=0.99)),
    "dropout": Hyperparameter(float, number(low=0, high=0.99)),
    "layer_decay": Hyperparameter(float, number(low=0.01, high=1)),
    "head_lr_multiplier": Hyperparameter(float, number(above=0)),
    "max_grad_norm": Hyperparameter(float, number(low=0)),
    "accumulation_steps": Hyperparameter(int, whole(1)),
    "beta1": Hyperparameter(float, number(low=0, high=0.9999)),
    "beta2": Hyperparameter(float, number(low=0, high=0.999999)),
}
