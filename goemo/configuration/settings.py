"""One configuration: everything that decides the result of a training, and nothing else.

Each key stands here once, with its type, range, default and meaning. A search space takes its keys from here:
``model`` from :class:`ModelSettings`, ``space`` from :class:`Hyperparameters`, ``objective`` from
:class:`Measuring`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal, get_args

from goemo.configuration.declared import Key, ShortName, declared, keys_of, meaning
from goemo.configuration.rules import Boolean, Loss, Number, Text, Thresholds, one_of, whole
from goemo.configuration.schedules import Schedule
from goemo.configuration.thresholds import DEFAULT_METHOD, METHODS, ThresholdChoice

Trainable = Literal["all", "last_layer", "head"]
Pooling = Literal["auto", "first", "mean"]
MixedPrecision = Literal["auto", "bfloat16", "none"]
Metric = Literal["macro_f1", "weighted_f1", "micro_f1"]

TRAINABLE: tuple[str, ...] = get_args(Trainable)
POOLING: tuple[str, ...] = get_args(Pooling)
MIXED_PRECISION: tuple[str, ...] = get_args(MixedPrecision)
THRESHOLD_METHODS: tuple[str, ...] = tuple(METHODS)
METRICS: tuple[str, ...] = get_args(Metric)

LARGEST_SEED = 2**31 - 1  # seeds that follow it, for further trainings, still fit what libraries take

Seed = Annotated[int, whole(0, most=LARGEST_SEED)]


@declared
class ModelSettings:
    """What trains: a checkpoint, which part of it, what the head reads, and in which arithmetic."""

    checkpoint: Annotated[
        str,
        Text(example="a hub id, a folder, package:NAME or scratch:albert-tiny"),
        meaning("where the encoder comes from, see below"),
    ]
    trainable: Annotated[
        Trainable,
        one_of(Trainable),
        meaning("which part trains; the rest is frozen and runs without dropout"),
    ] = "all"
    pooling: Annotated[
        Pooling,
        one_of(Pooling),
        meaning(
            "what the head reads: the token that the architecture reads by itself (`first`), the mean over "
            "all tokens, or (`auto`) what the folder of a sentence encoder says, else `first`"
        ),
    ] = "auto"
    mixed_precision: Annotated[
        MixedPrecision,
        one_of(MixedPrecision),
        meaning("whether the matrix products of a training are computed in bfloat16, see below"),
    ] = "auto"
    cuda_graphs: Annotated[
        bool,
        Boolean(),
        meaning("replay whole steps as CUDA graphs on a GPU; off until a GPU has shown what that gains"),
    ] = False


@declared
class Hyperparameters:
    """What a search space may vary; a key that is added here can be searched, set, logged and read."""

    batch_size: Annotated[
        int,
        whole(1, most=65_536),
        meaning("examples per forward pass, and per optimizer step unless batches are accumulated"),
        ShortName("bs"),
    ] = 32
    learning_rate: Annotated[
        float, Number(above=0, most=1_000), meaning("peak learning rate of AdamW"), ShortName("lr")
    ] = 2e-5
    epochs: Annotated[
        int, whole(1, most=10_000), meaning("passes over the training split"), ShortName("ep")
    ] = 3
    max_length: Annotated[
        int,
        whole(4, most=131_072),
        meaning("most tokens per text, including special tokens; longer texts are truncated"),
        ShortName("len"),
    ] = 64
    weight_decay: Annotated[
        float,
        Number(low=0, most=1_000),
        meaning("decoupled weight decay of AdamW; biases, norms and tokens that no text has are exempt"),
        ShortName("wd"),
    ] = 0.01
    warmup_fraction: Annotated[
        float,
        Number(low=0, high=1),
        meaning("share of all steps in which the learning rate rises linearly"),
        ShortName("wu"),
    ] = 0.1
    schedule: Annotated[
        Schedule,
        one_of(Schedule),
        meaning(
            "learning rate after the warm-up: linear or cosine decay to 0, constant, or constant with a "
            "linear decay to 0 in the last fifth"
        ),
        ShortName("sched"),
    ] = "linear"
    loss: Annotated[str, Loss(), meaning("loss to minimise, see below")] = "bce"
    label_smoothing: Annotated[
        float,
        Number(low=0, high=0.99),
        meaning("share of the way that targets move towards 0.5"),
        ShortName("ls"),
    ] = 0.0
    dropout: Annotated[
        Annotated[float, Number(low=0, high=0.99)] | None,
        meaning("dropout probability in the layers that train; by default the checkpoint's"),
        ShortName("drop"),
    ] = None
    layer_decay: Annotated[
        float,
        Number(low=0.01, high=1),
        meaning("each encoder block learns at this many times the rate of the one above; 1 for equal rates"),
        ShortName("ld"),
    ] = 1.0
    head_lr_multiplier: Annotated[
        float,
        Number(above=0, most=1_000_000),
        meaning("the head learns at this many times the learning rate"),
        ShortName("head"),
    ] = 1.0
    max_grad_norm: Annotated[
        float,
        Number(low=0, most=1_000_000),
        meaning("gradients are clipped to this total norm; 0 for no clipping"),
        ShortName("clip"),
    ] = 1.0
    accumulation_steps: Annotated[
        int,
        whole(1, most=65_536),
        meaning(
            "batches that make one optimizer step; the gradient is that of one batch as large as all of them"
        ),
        ShortName("acc"),
    ] = 1
    beta1: Annotated[
        float, Number(low=0, high=0.9999), meaning("AdamW's decay of the mean of gradients"), ShortName("b1")
    ] = 0.9
    beta2: Annotated[
        float,
        Number(low=0, high=0.999999),
        meaning("AdamW's decay of the mean of their squares"),
        ShortName("b2"),
    ] = 0.999


@declared
class Measuring:
    """What ranks, how thresholds are fitted, and how often validation is measured."""

    metric: Annotated[
        Metric,
        one_of(Metric),
        meaning("metric that ranks trials, always on validation with cross-fitted thresholds"),
    ] = "macro_f1"
    thresholds: Annotated[ThresholdChoice, Thresholds(), meaning("how thresholds are fitted, see below")] = (
        DEFAULT_METHOD
    )
    reports: Annotated[
        int,
        whole(1, 100),
        meaning("measurements on validation, at equal fractions of a trial's training"),
    ] = 5


@declared
class Configuration(Measuring, Hyperparameters, ModelSettings):
    """One training, to the last choice: the same configuration on the same data gives the same model.

    Raises:
        ValueError: A value is not one that its key allows; all problems at once.
    """

    seed: Annotated[Seed, meaning("seeds the new weights, the order of the examples and dropout")] = 42

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for YAML and JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Configuration:
        """Rebuild a configuration.

        Raises:
            ValueError: A key is unknown or missing, or a value is not one that the key allows.
        """
        return cls(**values)


# What a search space may vary, in the usual order.
HYPERPARAMETERS: dict[str, Key] = keys_of(Hyperparameters)

# The values of a trial that does not name them.
HYPERPARAMETER_DEFAULTS: dict[str, int | float | str | None] = {
    name: key.default for name, key in HYPERPARAMETERS.items()
}
