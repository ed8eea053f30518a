"""The one training loop: trains to the next report, evaluates, saves, resumes exactly.

A training is a pure function of its configuration and the prepared data. Its batches follow from the seed
and the step; the random numbers of dropout come from a state of its own, put in place while it trains and
put away after, so that nothing else that runs in the process changes it, or is changed by it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from goemo.configuration import Configuration
from goemo.configuration.schedules import learning_rate_factor
from goemo.configuration.thresholds import threshold_options
from goemo.errors import GoemoError
from goemo.evaluation import cross_fitted_metrics
from goemo.fast import reduce_vocabulary
from goemo.inference import Progress, choose_device, predict_logits, sigmoid_scores
from goemo.models import learning_rate_scales, load_tokenizer, train_mode
from goemo.tokens import TokenStore
from goemo.tokens.batches import epoch_batches, steps_per_epoch
from goemo.training.fresh_model import fresh_model
from goemo.training.graphs import ReplayedSteps
from goemo.training.inputs import choose_inputs
from goemo.training.losses import Loss, cross_entropy
from goemo.training.memory import PeakMemory
from goemo.training.optimization import AdamW
from goemo.training.prepared import Prepared
from goemo.training.randomness import random_state, seeded_random, set_random_state
from goemo.training.report import Report, report_progress, report_step
from goemo.training.state_file import read_state, state_path, write_state
from goemo.training.steps import PlainSteps, Steps
from goemo.training.tally import Tally


class Diverged(GoemoError):  # noqa: N818 - the name of an outcome, as in the records
    """The loss or a score is not a number, or infinite; the training cannot go on."""


class TrainingRun:
    """One training that goes from report to report.

    Attributes:
        configuration: What is trained.
        prepared: On what.
        device: Where.
        total_steps: Optimizer steps of the whole training.
        reports: Number of reports; fewer than asked for where there are fewer steps.
        progress: Per cent done at the last report, 0 before the first.
        best: The report with the highest metric, the earlier of equals; None before the first.

    Args:
        configuration: What to train.
        prepared: From ``goemo.training.prepared.prepare`` for the configuration's checkpoint.
        device: The current GPU when not given, else the CPU.
        threads: Sets the threads of torch in this process, when given.
    """

    def __init__(
        self,
        configuration: Configuration,
        prepared: Prepared,
        *,
        device: str | torch.device | None = None,
        threads: int | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.configuration = configuration
        self.prepared = prepared
        self.device = choose_device(device)
        self.progress = 0
        self.best: Report | None = None

        c = configuration
        self._effective_batch = c.batch_size * c.accumulation_steps
        self._steps_per_epoch = steps_per_epoch(len(prepared.tokens["train"]), self._effective_batch)
        self.total_steps = self._steps_per_epoch * c.epochs
        self.reports = min(c.reports, self.total_steps)
        self._warmup_steps = min(int(self.total_steps * c.warmup_fraction), self.total_steps - 1)
        self._step = 0
        self._reported = 0
        self._tally = Tally(self.device)

        self._model = fresh_model(c, prepared, self.device)
        self._vocabulary = None
        if c.trainable == "all":
            self._vocabulary = reduce_vocabulary(self._model, prepared.distinct_tokens())
        self._trained = {name: p for name, p in self._model.named_parameters() if p.requires_grad}
        # Before the optimizer, whose moments would stand beside what the first batch takes.
        self._inputs = choose_inputs(c, prepared, self._model)
        self._optimizer = AdamW(
            self._trained,
            weight_decay=c.weight_decay,
            betas=(c.beta1, c.beta2),
            max_norm=c.max_grad_norm,
            scales=learning_rate_scales(
                self._model, layer_decay=c.layer_decay, head_multiplier=c.head_lr_multiplier
            ),
        )
        self._best_weights: dict[str, Tensor] = {}
        self._lengths = prepared.tokens["train"].lengths(c.max_length)
        self._plain_steps = PlainSteps(
            self._inputs,
            Loss(c.loss, prepared.targets["train"], label_smoothing=c.label_smoothing, device=self.device),
            torch.from_numpy(prepared.targets["train"].astype(np.float32)).to(self.device),
            self._optimizer,
            piece=c.batch_size,
        )
        self._steps: Steps = self._plain_steps
        if c.cuda_graphs and self.device.type == "cuda":
            self._steps = ReplayedSteps(self._plain_steps, self.device)
        self._random = seeded_random(c.seed, self.device)

    @property
    def is_finished(self) -> bool:
        """Whether the last report has been made."""
        return self._reported == self.reports

    @property
    def mixed_precision(self) -> str:
        """How this training is computed: ``bfloat16`` or ``none``, also where ``auto`` was asked for."""
        return "bfloat16" if self._inputs.in_bfloat16 else "none"

    @property
    def notes(self) -> tuple[str, ...]:
        """What the engine does without in this training, because it would give something else."""
        return self._inputs.notes

    @property
    def percent(self) -> int:
        """Per cent of the training that is done, reported or not, rounded down."""
        return 100 * self._step // self.total_steps

    @property
    def unreported_seconds(self) -> float:
        """Seconds of training since the last report, in this process and in those before it."""
        return self._tally.seconds

    def _learning_rate(self) -> float:
        """Return the peak learning rate, times what the schedule makes of it at the next step."""
        c = self.configuration
        share = learning_rate_factor(c.schedule, self._step, self.total_steps, self._warmup_steps)
        return c.learning_rate * share

    def advance(self, on_progress: Progress | None = None) -> Report:
        """Train on to the next report and make it.

        Args:
            on_progress: Called after every step with the steps done and the steps in all. What it raises
                comes out here, and the training stands after that step: ``save`` keeps it, ``report_now``
                measures it, and ``advance`` goes on as if nothing had happened.

        Raises:
            Diverged: The loss or a score is NaN or infinite; nothing is reported.
            GoemoError: The training is finished.
        """
        if self.is_finished:
            raise GoemoError("the training is finished; there is nothing to advance to")
        number = self._reported + 1
        self._train_until(report_step(number, self.reports, self.total_steps), on_progress)
        report = self._measure(report_progress(number, self.reports))
        self._reported = number
        return report

    def report_now(self) -> Report | None:
        """Report between two reports, at the step where ``advance`` was left.

        Its progress is the whole per cent that is done. The reports to come stay where they are.

        Returns:
            None where no per cent was done since the last report.

        Raises:
            Diverged: The loss or a score is NaN or infinite; nothing is reported.
        """
        if self.percent <= self.progress:
            return None
        if self._step == report_step(self._reported + 1, self.reports, self.total_steps):
            return self.advance()
        return self._measure(self.percent)

    def _measure(self, progress: int) -> Report:
        """Look at validation and report; the training has stood still since its last step."""
        training = self._tally.metrics(self._mean_loss())
        logits = self._inputs.logits("validation")
        if not np.isfinite(logits).all():
            raise Diverged(f"a score is not a number after step {self._step}; try a lower learning rate")
        scores = sigmoid_scores(logits).astype(np.float16)
        targets = np.asarray(self.prepared.targets["validation"])
        # From the rounded scores, which are what is kept: everybody can compute the same numbers from them.
        options = threshold_options(self.configuration.thresholds)
        predictions, metrics = cross_fitted_metrics(scores.astype(np.float32), targets, **options)
        metrics |= {"val/loss": cross_entropy(logits, targets), **training}

        objective = f"val/{self.configuration.metric}"
        is_best = self.best is None or metrics[objective] > self.best.metrics[objective]
        report = Report(progress, self._step, metrics, scores, is_best, predictions)
        if is_best:
            self.best = report
            self._best_weights = {name: p.detach().cpu().clone() for name, p in self._trained.items()}
        self._tally = Tally(self.device)
        self.progress = progress
        return report

    def _mean_loss(self) -> float:
        """Return the mean loss since the last report; waits for the device."""
        mean_loss = self._tally.loss_sum.item() / self._tally.steps
        if not math.isfinite(mean_loss):
            raise Diverged(f"the loss is not a number by step {self._step}; try a lower learning rate")
        return mean_loss

    def train_to(self, progress: int, on_progress: Progress | None = None) -> Report:
        """Train up to a per cent of the training and end there, without looking at validation.

        For a final model, whose configuration and progress were chosen before. The schedule stays that of the
        whole training, so that the model is what a report at this progress would have measured.

        Args:
            progress: Per cent of the training, 1 to 100, as in a report.
            on_progress: Called after every step with the steps done and the steps in all, of this part.

        Returns:
            A report without scores, whose metrics are those of training alone; it counts as the best.

        Raises:
            Diverged: The loss or a weight is NaN or infinite.
            GoemoError: The training has begun.
            ValueError: The progress is not in 1 to 100.
        """
        if not 1 <= progress <= 100:
            raise ValueError(f"progress must be a per cent from 1 to 100, got {progress}")
        if self._step:
            raise GoemoError("the training has begun; train_to is for a fresh one")
        last_step = self._step_at(progress)
        self._train_until(last_step, on_progress, of=last_step)
        metrics = self._tally.metrics(self._mean_loss())
        if not all(bool(p.isfinite().all()) for p in self._trained.values()):
            raise Diverged(f"a weight is not a number after step {self._step}; try a lower learning rate")
        no_scores = np.empty((0, len(self.prepared.labels)), dtype=np.float16)
        self.best = Report(progress, self._step, metrics, no_scores, is_best=True)
        self._best_weights = {name: p.detach().cpu().clone() for name, p in self._trained.items()}
        self._reported, self.progress = self.reports, progress
        return self.best

    def _step_at(self, progress: int) -> int:
        """Return the step of the report at this progress; where there is none, the nearest step."""
        for number in range(1, self.reports + 1):
            if report_progress(number, self.reports) == progress:
                return report_step(number, self.reports, self.total_steps)
        return max(1, report_step(progress, 100, self.total_steps))

    def scores(self, split: str | Sequence[str], *, batch_size: int | None = None) -> NDArray[np.float32]:
        """Return scores with the weights of the best report.

        Args:
            split: A split of the prepared data, ``test`` say; or the texts themselves, as a list.
            batch_size: Texts a forward pass, of texts that are given; see ``goemo.inference``.

        Returns:
            Shape (texts, labels), in the order of the texts, in [0, 1].

        Raises:
            GoemoError: There is no report yet.
            ValueError: There is no split of that name.
        """
        with self.best_model() as model:
            if isinstance(split, str):
                known = self.prepared.tokens
                if split not in known:
                    raise ValueError(f"split must be one of {', '.join(known)}, got {split!r}")
                return sigmoid_scores(self._inputs.logits(split))
            store = TokenStore.build(split, load_tokenizer(self.prepared.checkpoint))
            max_length = self.configuration.max_length
            return sigmoid_scores(predict_logits(model, store, max_length, batch_size=batch_size))

    @contextmanager
    def best_model(self) -> Iterator[Any]:
        """Yield the model in eval mode with the weights of the best report; training goes on as if not.

        Raises:
            GoemoError: There is no report yet.
        """
        if self.best is None:
            raise GoemoError("there are no best weights before the first report")
        current = {name: p.detach().clone() for name, p in self._trained.items()}
        _copy_weights(self._best_weights, self._trained)
        self._model.eval()
        try:
            with self._vocabulary.made_whole() if self._vocabulary else nullcontext():
                yield self._model
        finally:
            _copy_weights(current, self._trained)

    def save(self, folder: Path) -> None:
        """Write all that it takes to go on exactly: one ``safetensors`` file.

        A folder that is there holds a whole state, the earlier one or this.
        """
        tensors = {f"model/{name}": p.detach() for name, p in self._trained.items()}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in self._optimizer.state().items()}
        tensors |= {f"random/{name}": state for name, state in self._random.items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self._best_weights.items()}
        facts: dict[str, Any] = {"step": self._step, "reported": self._reported, "progress": self.progress}
        facts["piece"] = self._plain_steps.piece
        facts["since_report"] = self._tally.facts()
        tensors["since_report/loss_sum"] = self._tally.loss_sum
        if self.best is not None:
            tensors["best_scores"] = torch.from_numpy(self.best.scores)
            best = {"progress": self.best.progress, "step": self.best.step, "metrics": self.best.metrics}
            facts["best"] = best
        write_state(folder, tensors, facts, _identity(self))

    @classmethod
    def restore(
        cls,
        configuration: Configuration,
        prepared: Prepared,
        folder: Path,
        *,
        device: str | torch.device | None = None,
        threads: int | None = None,
    ) -> TrainingRun:
        """Go on from what ``save`` wrote; on the CPU to the last bit as if nothing had happened.

        Raises:
            GoemoError: The file is missing or damaged, or of another configuration or other data.
        """
        run = cls(configuration, prepared, device=device, threads=threads)
        path = state_path(folder)
        try:
            tensors, facts, made_by = read_state(folder, str(run.device))
            if made_by != _identity(run):
                raise GoemoError(f"{path}: of another configuration or other data; start the training again")
            run._take_over(facts, tensors)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise GoemoError(f"{path}: no training to resume from ({error}); start it again") from error
        return run

    def _take_over(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}

        self._step, self._reported, self.progress = facts["step"], facts["reported"], facts["progress"]
        self._plain_steps.piece = facts["piece"]
        self._tally.restore(facts["since_report"], tensors["since_report/loss_sum"])
        _copy_weights(part("model/"), self._trained)
        self._optimizer.load(part("optimizer/"))
        self._random = {name: state.cpu() for name, state in part("random/").items()}
        self._best_weights = {name: tensor.cpu() for name, tensor in part("best/").items()}
        if "best" in facts:
            scores = tensors["best_scores"].cpu().numpy()
            self.best = Report(**facts["best"], scores=scores, is_best=True)

    def _train_until(self, last_step: int, on_progress: Progress | None, *, of: int | None = None) -> None:
        """Train up to a step, one of as many as progress is told of, and count what was done."""
        c = self.configuration
        train_mode(self._inputs.view, c.trainable)
        memory = PeakMemory(self.device)
        started = time.perf_counter()
        try:
            with self._own_random():
                while self._step < last_step:
                    epoch, position = divmod(self._step, self._steps_per_epoch)
                    batches = epoch_batches(self._lengths, self._effective_batch, seed=c.seed, epoch=epoch)
                    batches = batches[position : position + last_step - self._step]
                    order = torch.from_numpy(np.concatenate(batches)).to(self.device)
                    on_device = torch.split(order, [len(rows) for rows in batches])
                    for rows, at in zip(batches, on_device, strict=True):
                        loss = self._steps.take(rows, at, self._learning_rate())
                        self._tally.loss_sum += loss
                        self._tally.samples += len(rows)
                        self._tally.steps += 1
                        self._step += 1
                        if on_progress is not None:
                            on_progress(self._step, of or self.total_steps)
            self._tally.loss_sum.item()  # waits for the device, which the seconds are to tell of
        finally:
            self._tally.seconds += time.perf_counter() - started
            self._tally.peak_bytes = max(self._tally.peak_bytes, memory.bytes())

    @contextmanager
    def _own_random(self) -> Iterator[None]:
        """Put this training's random state in place, and the process's back afterwards."""
        before = random_state(self.device)
        set_random_state(self._random, self.device)
        try:
            yield
        finally:
            self._random = random_state(self.device)
            set_random_state(before, self.device)


def train(
    configuration: Configuration,
    prepared: Prepared,
    *,
    on_report: Callable[[Report], None] | None = None,
    on_progress: Progress | None = None,
    device: str | torch.device | None = None,
    threads: int | None = None,
) -> TrainingRun:
    """Train from start to end.

    Args:
        configuration: What to train.
        prepared: On what.
        on_report: Called with every report.
        on_progress: Called after every step with the steps done and the steps in all.
        device: The current GPU when not given, else the CPU.
        threads: Sets the threads of torch in this process, when given.

    Raises:
        Diverged: The loss or a score is NaN or infinite.
    """
    run = TrainingRun(configuration, prepared, device=device, threads=threads)
    while not run.is_finished:
        report = run.advance(on_progress)
        if on_report is not None:
            on_report(report)
    return run


@torch.no_grad()
def _copy_weights(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, parameter in target.items():
        parameter.copy_(source[name])


def _identity(run: TrainingRun) -> dict[str, Any]:
    """Return what a saved state belongs to."""
    return {
        "configuration": run.configuration.to_dict(),
        "checkpoint": run.prepared.checkpoint.digest,
        "data": run.prepared.data["digest"],
        "shapes": {name: list(p.shape) for name, p in run._trained.items()},  # noqa: SLF001 - of this file
    }
