"""What each shortcut of the engine gives: a training step with all of them beside one without it.

    python benchmarks/shortcuts.py
    python benchmarks/shortcuts.py --cases minilm-16 head --rounds 3

Random weights and tokens: the cost of a step does not depend on them. All ways take turns within a round, and
what is counted is CPU time of one thread, so that other work on the machine hurts less. A ratio above 1 is
what a step costs more without the shortcut.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from measuring import hardware, spread, table
from transformers import AutoConfig, AutoModelForSequenceClassification

from goemo.fast import SHORTCUTS, reduce_vocabulary, training_view
from goemo.fast import one_dnn as one_dnn_module
from goemo.training.optimization import AdamW, decays

_BERT = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
_OPTIMIZER, _VOCABULARY = "own AdamW", "cut vocabulary"

# Tokens of GoEmotions' texts: 17,957 of BERT's vocabulary, about 30,000 of XLM-R's.
_READ = {30_522: 17_957, 250_002: 30_000}


@dataclass(frozen=True)
class Case:
    """An encoder and a batch.

    Attributes:
        kind: Model type; empty for a head on cached features.
        batch: Texts, of 12 to 32 tokens.
        sizes: Of the configuration.
    """

    kind: str
    batch: int
    sizes: dict[str, Any]


CASES = {
    "minilm-16": Case("bert", 16, {**_BERT, "num_hidden_layers": 6}),
    "minilm-64": Case("bert", 64, {**_BERT, "num_hidden_layers": 6}),
    # Its GELU is the one with a tanh, ALBERT's.
    "twelve-16": Case("bert", 16, {**_BERT, "num_hidden_layers": 12, "hidden_act": "gelu_new"}),
    # The multilingual MiniLM: 82 per cent of its weights are the vocabulary's.
    "xlmr-16": Case("xlm-roberta", 16, {**_BERT, "num_hidden_layers": 12, "vocab_size": 250_002}),
    "head": Case("", 16, {}),
}


def _step(case: Case, without: str) -> Callable[[], None]:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    targets = torch.rand(case.batch, 28, generator=generator).round()
    if not case.kind:
        model: Any = torch.nn.Sequential(torch.nn.Linear(384, 384), torch.nn.Tanh(), torch.nn.Linear(384, 28))
        features = torch.randn(case.batch, 384, generator=generator)

        def logits() -> torch.Tensor:
            return model(features)
    else:
        config = AutoConfig.for_model(case.kind, **case.sizes, num_labels=28, pad_token_id=1)
        model = AutoModelForSequenceClassification.from_config(config).train()
        read = _READ[config.vocab_size]
        if without != _VOCABULARY:
            reduce_vocabulary(model, np.arange(read))
        view = training_view(model, without=[without]).train()
        lengths = torch.randint(12, 33, (case.batch,), generator=generator)
        mask = (torch.arange(32) < lengths[:, None]).long()
        ids = torch.randint(5, read, (case.batch, 32), generator=generator)
        ids = torch.where(mask.bool(), ids, 1)

        def logits() -> torch.Tensor:
            return view(input_ids=ids, attention_mask=mask).logits

    update = _optimizer(dict(model.named_parameters()), is_own=without != _OPTIMIZER)

    def step() -> None:
        torch.nn.functional.binary_cross_entropy_with_logits(logits(), targets).backward()
        update()

    return step


def _optimizer(parameters: dict[str, Any], *, is_own: bool) -> Callable[[], None]:
    if is_own:
        own = AdamW(parameters, weight_decay=0.01)
        return lambda: own.step(1e-5)
    groups = [
        {"params": [p for n, p in parameters.items() if decays(n, p) == decayed], "weight_decay": decay}
        for decayed, decay in ((True, 0.01), (False, 0.0))
    ]
    theirs = torch.optim.AdamW(groups, lr=1e-5, fused=True)

    def update() -> None:
        for parameter in parameters.values():
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.to_dense()
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        theirs.step()
        theirs.zero_grad()

    return update


def _seconds(step: Callable[[], None], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - started) / times


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--only", nargs="+", help="these shortcuts")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    one_dnn_module._has_avx512 = lambda: True  # noqa: SLF001 - to see what it would give here, too
    rows = []
    for name in options.cases:
        case = CASES[name]
        times = 1 if case.kind else 300
        ways = [*SHORTCUTS, _VOCABULARY] if case.kind else []
        ways = [way for way in (*ways, _OPTIMIZER) if not options.only or way in options.only]
        whole = _step(case, "")
        whole()
        for way in ways:  # one at a time, so that memory holds two models
            other = _step(case, way)
            other()
            pairs = [(_seconds(whole, times), _seconds(other, times)) for _ in range(options.rounds)]
            ratio = spread([without / with_all for with_all, without in pairs], 3)
            rows.append([name, way, ratio])
            print("|", *rows[-1], flush=True)
    print(hardware(1))
    print(table(["case", "shortcut", "CPU time without it / with all"], rows))


if __name__ == "__main__":
    main()
