"""The one training loop: on to the next report, measure, save, go on exactly.

A training is a pure function of its configuration and the prepared data. Its batches follow from the seed
and the step; the random numbers of dropout come from a state of its own, put in place while it trains and
put away after, so that nothing else that runs in the process changes it, or is changed by it.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from goemo.batches import Rows, epoch_batches, steps_per_epoch
from goemo.configuration import Configuration
from goemo.errors import GoemoError
from goemo.evaluation import validation_metrics
from goemo.files import remove_abandoned
from goemo.inference import Progress, choose_device, predict_logits, sigmoid_scores, token_batch
from goemo.losses import Loss
from goemo.models import build_model, head_logits, load_tokenizer, model_inputs, train_mode
from goemo.optimization import AdamW, learning_rate_factor
from goemo.prefix import FrozenFeatures
from goemo.prepared import Prepared
from goemo.threshold_options import threshold_options
from goemo.tokens import TokenStore

_STATE_FILE = "training.safetensors"
_FEATURES_PER_PASS = 4096


class Diverged(GoemoError):  # noqa: N818 - the name of an outcome, as in the records
    """The loss or a score is not a number, or infinite; the training cannot go on."""


@dataclass(frozen=True, eq=False)
class Report:
    """One measurement on the validation split.

    Attributes:
        progress: Per cent of the training that is done, 1 to 100.
        step: Optimizer steps done.
        metrics: By their names in MLflow: ``val/macro_f1`` and the others of
            ``goemo.evaluation.validation_metrics``, ``val/loss``, ``train/loss`` (mean over the steps since
            the report before) and ``train/samples_per_second``.
        scores: float16, shape (validation texts, labels); the thresholded metrics were computed from these.
        is_best: The configuration's metric is higher than in all reports before.
    """

    progress: int
    step: int
    metrics: dict[str, float]
    scores: NDArray[np.float16]
    is_best: bool


def report_step(number: int, reports: int, total_steps: int) -> int:
    """Return the step after which a report comes, of ``reports`` at equal fractions; ``number`` from 1."""
    return (2 * number * total_steps + reports) // (2 * reports)


def report_progress(number: int, reports: int) -> int:
    """Return the per cent of the training that stand for a report, rounded; ``number`` from 1."""
    return (200 * number + reports) // (2 * reports)


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
        prepared: From ``goemo.prepared.prepare`` for the configuration's checkpoint.
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

        examples = len(prepared.tokens["train"])
        self._steps_per_epoch = steps_per_epoch(examples, configuration.batch_size)
        self.total_steps = self._steps_per_epoch * configuration.epochs
        self.reports = min(configuration.reports, self.total_steps)
        self._warmup_steps = min(int(self.total_steps * configuration.warmup_fraction), self.total_steps - 1)
        self._step = 0
        self._reported = 0

        self._model = _fresh_model(configuration, prepared, self.device)
        self._trained = {name: p for name, p in self._model.named_parameters() if p.requires_grad}
        self._optimizer = AdamW(self._trained, weight_decay=configuration.weight_decay)
        self._best_weights: dict[str, Tensor] = {}
        self._lengths = prepared.tokens["train"].lengths(configuration.max_length)
        self._targets = torch.from_numpy(prepared.targets["train"].astype(np.float32)).to(self.device)
        self._loss = Loss(
            configuration.loss,
            prepared.targets["train"],
            label_smoothing=configuration.label_smoothing,
            device=self.device,
        )
        self._inputs = _choose_inputs(configuration, prepared, self._model, self.device)
        self._random = _seeded_random(configuration.seed, self.device)

    @property
    def is_finished(self) -> bool:
        """Whether the last report has been made."""
        return self._reported == self.reports

    def advance(self, on_progress: Progress | None = None) -> Report:
        """Train on to the next report and make it.

        Args:
            on_progress: Called after every step with the steps done and the steps in all.

        Raises:
            Diverged: The loss or a score is NaN or infinite; nothing is reported.
            GoemoError: The training is finished.
        """
        if self.is_finished:
            raise GoemoError("the training is finished; there is nothing to advance to")
        number = self._reported + 1
        training = self._train_until(report_step(number, self.reports, self.total_steps), on_progress)
        logits = self._inputs.logits("validation")
        if not np.isfinite(logits).all():
            raise Diverged(f"a score is not a number after step {self._step}; try a lower learning rate")
        scores = sigmoid_scores(logits).astype(np.float16)
        targets = np.asarray(self.prepared.targets["validation"])
        # From the rounded scores, which are what is kept: everybody can compute the same numbers from them.
        options = threshold_options(self.configuration.thresholds)
        metrics = validation_metrics(scores.astype(np.float32), targets, **options)
        metrics |= {"val/loss": _cross_entropy(logits, targets), **training}

        objective = f"val/{self.configuration.metric}"
        is_best = self.best is None or metrics[objective] > self.best.metrics[objective]
        report = Report(report_progress(number, self.reports), self._step, metrics, scores, is_best)
        if is_best:
            self.best = report
            self._best_weights = {name: p.detach().cpu().clone() for name, p in self._trained.items()}
        self._reported = number
        self.progress = report.progress
        return report

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
        metrics = self._train_until(last_step, on_progress, of=last_step)
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
        if self.best is not None:
            tensors["best_scores"] = torch.from_numpy(self.best.scores)
            best = {"progress": self.best.progress, "step": self.best.step, "metrics": self.best.metrics}
            facts["best"] = best
        metadata = {"state": json.dumps(facts), "made_by": json.dumps(_identity(self))}
        _write_whole(folder, {name: t.cpu().contiguous() for name, t in tensors.items()}, metadata)

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
        path = Path(folder) / _STATE_FILE
        run = cls(configuration, prepared, device=device, threads=threads)
        try:
            with safe_open(path, framework="pt", device=str(run.device)) as file:
                metadata = file.metadata()
                if json.loads(metadata["made_by"]) != json.loads(json.dumps(_identity(run))):
                    raise GoemoError(
                        f"{path}: of another configuration or other data; start the training anew"
                    )
                names = file.keys()
                run._take_over(json.loads(metadata["state"]), {name: file.get_tensor(name) for name in names})
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise GoemoError(f"{path}: no training to go on from ({error}); start it anew") from error
        return run

    def _take_over(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}

        self._step, self._reported, self.progress = facts["step"], facts["reported"], facts["progress"]
        _copy_weights(part("model/"), self._trained)
        self._optimizer.load(part("optimizer/"))
        self._random = {name: state.cpu() for name, state in part("random/").items()}
        self._best_weights = {name: tensor.cpu() for name, tensor in part("best/").items()}
        if "best" in facts:
            scores = tensors["best_scores"].cpu().numpy()
            self.best = Report(**facts["best"], scores=scores, is_best=True)

    def _train_until(
        self, last_step: int, on_progress: Progress | None, *, of: int | None = None
    ) -> dict[str, float]:
        """Train up to a step, one of as many as progress is told of; return the mean loss and the speed."""
        c = self.configuration
        train_mode(self._model, c.trainable)
        first_step, samples = self._step, 0
        # In float64 and on the device: exact enough for any number of steps, and nothing waits for it.
        loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        started = time.perf_counter()
        with self._own_random():
            while self._step < last_step:
                epoch, position = divmod(self._step, self._steps_per_epoch)
                batches = epoch_batches(self._lengths, c.batch_size, seed=c.seed, epoch=epoch)
                batches = batches[position : position + last_step - self._step]
                for logits, targets in self._forward(batches):
                    loss = self._loss(logits, targets)
                    loss.backward()  # type: ignore[no-untyped-call]
                    factor = learning_rate_factor(self._step, self.total_steps, self._warmup_steps)
                    self._optimizer.step(c.learning_rate * factor)
                    loss_sum += loss.detach()
                    samples += len(targets)
                    self._step += 1
                    if on_progress is not None:
                        on_progress(self._step, of or self.total_steps)
        mean_loss = loss_sum.item() / (self._step - first_step)  # waits for the device
        if not math.isfinite(mean_loss):
            raise Diverged(f"the loss is not a number by step {self._step}; try a lower learning rate")
        seconds = time.perf_counter() - started
        return {"train/loss": mean_loss, "train/samples_per_second": samples / seconds}

    def _forward(self, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield float32 logits and targets of each batch."""
        order = torch.from_numpy(np.concatenate(batches)).to(self.device)
        rows = torch.split(order, [len(numbers) for numbers in batches])
        logits = self._inputs.train_logits(batches, rows)
        for of_batch, at in zip(logits, rows, strict=True):
            yield of_batch, self._targets.index_select(0, at)

    @contextmanager
    def _own_random(self) -> Iterator[None]:
        """Put this training's random state in place, and the process's back afterwards."""
        before = _random_state(self.device)
        _set_random_state(self._random, self.device)
        try:
            yield
        finally:
            self._random = _random_state(self.device)
            _set_random_state(before, self.device)


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


class _Inputs(Protocol):
    """Where logits come from."""

    def train_logits(self, batches: Sequence[Rows], rows: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield logits, with gradients, of batches of the training split; both arguments hold the rows."""

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return logits of a whole split, shape (texts, labels), in eval mode."""


class _TokenInputs:
    """The whole model reads tokens."""

    def __init__(self, model: Any, prepared: Prepared, max_length: int, device: torch.device) -> None:
        self._model, self._tokens, self._max_length, self._device = model, prepared.tokens, max_length, device
        self._lengths = prepared.tokens["train"].lengths(max_length)

    def train_logits(self, batches: Sequence[Rows], rows: Sequence[Tensor]) -> Iterator[Tensor]:
        store = self._tokens["train"]
        for numbers, _ in zip(batches, rows, strict=True):
            longest = int(self._lengths[numbers].max())
            batch = token_batch(store, numbers, self._max_length, longest, self._device)
            with _autocast(self._device):
                logits = self._model(**model_inputs(self._model, *batch)).logits
            yield logits.float()

    def logits(self, split: str) -> NDArray[np.float32]:
        self._model.eval()
        return predict_logits(self._model, self._tokens[split], self._max_length)


class _FeatureInputs:
    """The head reads what the frozen encoder gave once."""

    def __init__(self, model: Any, frozen: FrozenFeatures, max_length: int, device: torch.device) -> None:
        self._model = model
        # On the CPU this is the mapped file itself, shared by all processes.
        self._features = torch.from_numpy(frozen.features).to(device)
        self._rows = {
            split: torch.from_numpy(frozen.rows_for(split, max_length).copy()).to(device)
            for split in frozen.rows
        }

    def train_logits(self, batches: Sequence[Rows], rows: Sequence[Tensor]) -> Iterator[Tensor]:
        del batches  # the same rows, on the host
        where = self._rows["train"]
        for at in rows:
            yield head_logits(self._model, self._features.index_select(0, where.index_select(0, at)))

    def logits(self, split: str) -> NDArray[np.float32]:
        self._model.eval()
        with torch.inference_mode():
            passes = [
                head_logits(self._model, self._features.index_select(0, rows))
                for rows in torch.split(self._rows[split], _FEATURES_PER_PASS)
            ]
            logits: NDArray[np.float32] = torch.cat(passes).cpu().numpy()
        return logits


def _choose_inputs(
    configuration: Configuration, prepared: Prepared, model: Any, device: torch.device
) -> _Inputs:
    if configuration.trainable == "head" and prepared.checkpoint.has_weights:
        frozen = prepared.frozen_features(configuration.pooling, configuration.max_length)
        if frozen is not None:
            return _FeatureInputs(model, frozen, configuration.max_length, device)
    return _TokenInputs(model, prepared, configuration.max_length, device)


# The model as it is before training, of the configuration that this process trained last. A worker that
# trains one configuration of a search after the other reads the checkpoint once.
_pristine: dict[tuple[Any, ...], Any] = {}


def _fresh_model(configuration: Configuration, prepared: Prepared, device: torch.device) -> Any:
    """Return an untrained model of its own, built as cheaply as can be."""
    c = configuration
    key = (prepared.checkpoint.digest, prepared.labels, c.trainable, c.seed, c.pooling)
    if key not in _pristine:
        _pristine.clear()
        _pristine[key] = build_model(
            prepared.checkpoint, labels=prepared.labels, trainable=c.trainable, seed=c.seed, pooling=c.pooling
        )
    model = _pristine[key]
    # What is frozen never changes, so on the CPU all models share it; a copy to a GPU is a copy.
    shared = [p for p in model.parameters() if not p.requires_grad] if device.type == "cpu" else []
    return copy.deepcopy(model, {id(p): p for p in shared}).to(device)


def _autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Return bfloat16 arithmetic for GPUs that have it; elsewhere float32."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _seeded_random(seed: int, device: torch.device) -> dict[str, Tensor]:
    """Return the random state that a seed gives; the process keeps its own."""
    before = _random_state(device)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(seed)
    state = _random_state(device)
    _set_random_state(before, device)
    return state


def _random_state(device: torch.device) -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


@torch.no_grad()
def _copy_weights(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, parameter in target.items():
        parameter.copy_(source[name])


def _write_whole(folder: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Put the state in its folder such that a crash leaves the earlier one, or none and no folder."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}.goemo-partial-"
    remove_abandoned(folder.parent, prefix)
    # Of its own name: a trial may be started again elsewhere while its last process is still writing.
    partial = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        save_file(dict(tensors), partial / _STATE_FILE, dict(metadata))
        partial.chmod(0o755)
        try:
            partial.rename(folder)
        except OSError:  # the folder is there, and holds a state
            (partial / _STATE_FILE).replace(folder / _STATE_FILE)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _identity(run: TrainingRun) -> dict[str, Any]:
    """Return what a saved state belongs to."""
    return {
        "configuration": run.configuration.to_dict(),
        "checkpoint": run.prepared.checkpoint.digest,
        "data": run.prepared.data["digest"],
    }


def _cross_entropy(logits: NDArray[np.float32], targets: NDArray[np.bool_]) -> float:
    """Return the binary cross-entropy, mean over texts and labels, in float64."""
    x = logits.astype(np.float64)
    return float(np.mean(np.maximum(x, 0) - x * targets + np.log1p(np.exp(-np.abs(x)))))
