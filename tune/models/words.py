"""A bag of words from its export: fitted again, or taken from the cache of the search."""

from __future__ import annotations

from functools import partial

import numpy as np
from rich.console import Console

from goemo import bundle
from goemo.data import Splits
from goemo.evaluation import as_kept, validation_metrics
from goemo.thresholds import threshold_options
from goemo.words import WordsModel, WordsSettings, fit_words, load_words, read_cached
from tune.answer.baseline import cache_folder
from tune.live.progress import progress_bars
from tune.models.exported import ExportedWords
from tune.models.trained import Trained, TrainedOn, data_facts, fitted_once, fitted_thresholds


def train_words(
    exported: ExportedWords, splits: Splits, *, seeds: int, on: TrainedOn, console: Console
) -> Trained:
    """Fit an exported bag of words; the arguments are those of `tune.models.retrain.retrain`.

    There is one solution, whatever the seed: further seeds are told of and not tried.
    """
    configuration = exported.configuration
    objective, settings, seed = f"val/{configuration.metric}", configuration.settings, configuration.seed
    if seeds > 1:
        console.print("a bag of words is the same for every seed: it is fitted once", highlight=False)
    model = _on_train(splits, settings, seed, console)
    scores, targets = as_kept(model.scores(splits.validation.texts)), splits.validation.targets
    metrics = validation_metrics(scores, targets, **threshold_options(configuration.thresholds))
    console.print(f"bag of words: {objective} {metrics[objective]:.4f}", highlight=False)
    words = f"Fitted on train ({objective} {metrics[objective]:.4f}). Thresholds were fitted on validation."
    final = model
    if on == "train+validation":
        both = [*splits.train.texts, *splits.validation.texts]
        final = _fitted(
            both, np.concatenate([splits.train.targets, targets]), settings, splits.labels, console
        )
        words = (
            "Fitted on train and validation together. Its thresholds were cross-fitted on the validation "
            f"scores of a fit on train alone ({objective} {metrics[objective]:.4f}) and carried over."
        )
    thresholds = fitted_thresholds(scores, targets, configuration.thresholds, on=on)
    return Trained(
        validation=scores,
        test=as_kept(final.scores(splits.test.texts)),
        thresholds=thresholds,
        data=data_facts(splits, splits.facts, exported.data.seed),
        save=partial(bundle.save_words, final, labels=splits.labels, thresholds=thresholds),
        **fitted_once(configuration, metrics, on=on, words=words),
    )


def _on_train(splits: Splits, settings: WordsSettings, seed: int, console: Console) -> WordsModel:
    """Return the model of the training rows: that of the search's baseline where it is the very same."""
    folder = cache_folder(splits, seed)
    try:
        cached = read_cached(folder)
        if cached is not None and cached.settings == settings:
            console.print("fitted before on the same data, taken from the cache", highlight=False)
            return load_words(folder)
    except (OSError, ValueError) as error:
        console.print(f"note: {folder} is damaged and is ignored: {error}", soft_wrap=True)
    return _fitted(splits.train.texts, splits.train.targets, settings, splits.labels, console)


def _fitted(
    texts: list[str], targets: np.ndarray, settings: WordsSettings, labels: tuple[str, ...], console: Console
) -> WordsModel:
    with progress_bars(console) as on_progress:
        on_label = partial(on_progress, "fitting")
        return fit_words(texts, targets, settings, labels=labels, on_label=on_label)
